# summary.awk -- one table of all stacks from ctest's JUnit files, <stack>.xml, with <stack>.seconds beside
# them, <stack>.missing, why a stack is not there, and <stack>.note, what else is to be said of it.  A row is a
# room, the first word of a test's name, or `golden` for comparisons with PyTorch.  Repeated below the table
# are a test's lines that begin with "summary: ", the counts of fault injection, the reasons of what was skipped
# and the names of what failed.
# SPDX-License-Identifier: MIT
function attribute(name,    at) {
    at = index($0, " " name "=\"")
    if (!at) return ""
    at = substr($0, at + length(name) + 3)
    return substr(at, 1, index(at, "\"") - 1)
}
function plain(text) {
    gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&quot;/, "\"", text); gsub(/&amp;/, "\\&", text)
    return text
}
function finish() {
    if (test == "") return
    row = test ~ /_golden_/ ? "golden" : test
    sub(/_.*/, "", row)
    if (!(row in rows)) { rows[row] = ++row_count; row_name[row_count] = row }
    kind = status == "run" ? "passed" : status == "fail" ? "failed" : "skipped"
    ++count[stack, row, kind]; ++count[stack, "total", kind]; ++total[kind]
    if (kind == "failed") failures = failures sprintf("  FAILED   %-9s %s\n", stack, test)
    if (kind == "skipped") skips = skips sprintf("  skipped  %-9s %s: %s\n", stack, test, reason)
    test = ""
}
function cell(row) {
    if (!((stack, row, "passed") in count || (stack, row, "failed") in count || (stack, row, "skipped") in count))
        return stack in missing ? "-" : "."
    return (count[stack, row, "passed"] + 0) "/" (count[stack, row, "failed"] + 0) "/" (count[stack, row, "skipped"] + 0)
}
function line(row,    i) {
    printf "%-9s", row
    for (i = 1; i <= stack_count; ++i) { stack = stacks[i]; printf " %10s", cell(row) }
    print ""
}

FNR == 1 {
    finish()
    stack = FILENAME
    sub(/.*\//, "", stack)
    ending = stack
    sub(/\..*/, "", stack)
    sub(/.*\./, "", ending)
    if (!(stack in known)) { known[stack] = 1; stacks[++stack_count] = stack }
}
ending == "seconds" { seconds[stack] = $1; next }
ending == "note" { remarks = remarks sprintf("  note     %s: %s\n", stack, $0); next }
ending == "missing" { missing[stack] = $0; next }
/<testcase / { finish(); test = attribute("name"); status = attribute("status"); reason = "no reason given" }
/<failure / && status != "fail" { status = "fail" }
{
    text = $0
    sub(/.*<system-out>/, "", text)
    if (text ~ /^[^<]/ && reason == "no reason given") reason = plain(text)
    if (text ~ /^skipped: /) reason = plain(substr(text, 10))
    if (text ~ /^summary: /) notes = notes sprintf("  %-9s %s: %s\n", stack, test, plain(substr(text, 10)))
    # The walks of refused calls and allocations count their points.
    if (text ~ /^(faults [a-z_]+|host allocations): [0-9]+ points/) {
        notes = notes sprintf("  %-9s %s: %s\n", stack, test, plain(substr(text, index(text, ": ") + 2)))
        split(substr(text, index(text, ": ") + 2), word, " ")
        points += word[1]
    }
}
END {
    finish()
    print "\npassed/failed/skipped"
    printf "%-9s", ""
    for (i = 1; i <= stack_count; ++i) printf " %10s", stacks[i]
    print ""
    for (i = 1; i <= row_count; ++i) line(row_name[i])
    line("total")
    printf "%-9s", "minutes"
    for (i = 1; i <= stack_count; ++i) {
        printf " %10s", stacks[i] in seconds ? sprintf("%.1f", seconds[stacks[i]] / 60) : "-"
        all += seconds[stacks[i]]
    }
    printf "\n\n%d passed, %d failed, %d skipped in %.1f minutes\n", total["passed"], total["failed"], total["skipped"], all / 60
    for (i = 1; i <= stack_count; ++i) if (stacks[i] in missing) printf "  not run  %s: %s\n", stacks[i], missing[stacks[i]]
    printf "%s%s%s%s", failures, skips, remarks, notes
}
