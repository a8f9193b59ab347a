# report.awk -v folder=RESULTS -v form=md|json -v device=WORD [-v cuda=FILE]: the report, of what the parts have written
# into RESULTS; FILE is that of CUDA's parts as JSON, which becomes a member of this one.
# SPDX-License-Identifier: MIT
function plain(text) {
    gsub(/[^ -~]/, "?", text)
    return text
}
function quoted(text) {
    text = plain(text)
    gsub(/\\/, "\\\\", text)
    gsub(/"/, "\\\"", text)
    return "\"" text "\""
}
# A number as it stands, anything else as a string.
function value(text) {
    return text ~ /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$/ ? text : quoted(text)
}
function cell(text) {
    text = plain(text)
    gsub(/\|/, "/", text)
    return text == "" ? "-" : text
}
function load(name,   line, n) {
    n = 0
    while ((getline line < (folder "/" name)) > 0) row[name, ++n] = line
    close(folder "/" name)
    count[name] = n
}
function list(name, keys,   i, j, n, m, key, part, text) {
    n = split(keys, key, " ")
    printf ",\n  \"%s\": [", name
    for (i = 1; i <= count[name ".tsv"]; i++) {
        split(row[name ".tsv", i], part, "\t")
        text = ""
        for (j = 1; j <= n; j++) text = text (j > 1 ? ", " : "") quoted(key[j]) ": " value(part[j])
        printf "%s\n    { %s }", (i > 1 ? "," : ""), text
        for (j in part) delete part[j]
    }
    printf "%s]", (count[name ".tsv"] ? "\n  " : "")
}
function table(title, name, heads,   i, j, n, head, part, line) {
    if (!count[name ".tsv"]) return
    n = split(heads, head, ",")
    printf "\n## %s\n\n|", title
    for (j = 1; j <= n; j++) printf " %s |", head[j]
    printf "\n|"
    for (j = 1; j <= n; j++) printf "---|"
    print ""
    for (i = 1; i <= count[name ".tsv"]; i++) {
        for (j in part) delete part[j]
        split(row[name ".tsv", i], part, "\t")
        line = "|"
        for (j = 1; j <= n; j++) line = line " " cell(part[j]) " |"
        print line
    }
}
# The fastest of PyTorch's variants of a case and storage: lines are "CASE [VARIANT] TYPE<tab>N ms<tab>...".
function read_torch(   i, part, word, n, key, ms) {
    for (i = 1; i <= count["torch.tsv"]; i++) {
        split(row["torch.tsv", i], part, "\t")
        n = split(part[1], word, " ")
        key = word[1] " " toupper(word[n])
        ms = part[2] + 0
        if (ms > 0 && (!(key in torch_ms) || ms < torch_ms[key])) torch_ms[key] = ms
    }
}
function duration(seconds) {
    if (seconds >= 7200) return sprintf("%.1f hours", seconds / 3600)
    return seconds >= 120 ? sprintf("%.0f minutes", seconds / 60) : sprintf("%.0f s", seconds)
}
function summary_of_tests(   i, part, how, n, good, skipped, bad) {
    for (i = 1; i <= count["tests.tsv"]; i++) {
        split(row["tests.tsv", i], part, "\t")
        if (part[2] == "ok") good++
        else if (part[2] == "skipped") skipped++
        else bad++
    }
    n = count["tests.tsv"]
    tests_line = sprintf("%d of %d device tests run: %d passed, %d skipped, %d failed", n, count["list"], good, skipped, bad)
}
# Those that were begun and cut short, or never begun.
function find_unfinished(   i, part, ran) {
    for (i = 1; i <= count["tests.tsv"]; i++) {
        split(row["tests.tsv", i], part, "\t")
        ran[part[1]] = 1
    }
    for (i = 1; i <= count["list"]; i++) {
        split(row["list", i], part, "\t")
        if (!(part[1] in ran)) unfinished[++unfinished_count] = part[1]
    }
}
function unfinished_list(quote, between,   i, text) {
    for (i = 1; i <= unfinished_count; i++) text = text (i > 1 ? between : "") (quote ? quoted(unfinished[i]) : cell(unfinished[i]))
    return text
}
# Parts that a run that was cut short has not begun; of those that were refused it is told why, among what was left out.
function not_begun(quote, between,   i, n, name, part, begun, text) {
    if (row["ended.tsv", 1] ~ /^complete/) return ""
    for (i = 1; i <= count["begun.tsv"]; i++) begun[row["begun.tsv", i]] = 1
    for (i = 1; i <= count["skipped.tsv"]; i++) {
        split(row["skipped.tsv", i], part, "\t")
        begun[part[1]] = 1
    }
    n = split("agree tests training drawing bench torch", name, " ")
    for (i = 1; i <= n; i++)
        if (!(name[i] in begun)) text = text (text == "" ? "" : between) (quote ? quoted(name[i]) : name[i])
    return text
}
function json(   i, part, line) {
    split(row["ended.tsv", 1], part, "\t")
    printf "{\n  \"format\": 1,\n  \"kit\": %s,\n  \"device\": %s,\n  \"ended\": %s,\n  \"seconds\": %s,\n  \"minutes\": %s",
        quoted(row["version", 1]), quoted(device), quoted(part[1]), value(part[2]), value(part[3])
    printf ",\n  \"devices\": "
    for (i = 1; i <= count["devices.json"]; i++) printf "%s%s", (i > 1 ? "\n  " : ""), row["devices.json", i]
    if (!count["devices.json"]) printf "[]"
    printf ",\n  \"instructions\": ["
    for (i = 1; i <= count["instructions.txt"]; i++) printf "%s\n    %s", (i > 1 ? "," : ""), quoted(row["instructions.txt", i])
    printf "%s]", (count["instructions.txt"] ? "\n  " : "")
    printf ",\n  \"tests_in_all\": %d", count["list"]
    printf ",\n  \"not_begun\": [%s]", not_begun(1, ", ")
    printf ",\n  \"not_finished\": [%s]", unfinished_list(1, ", ")
    list("host", "what value")
    list("drivers", "library status what")
    list("wrong", "what why")
    list("tests", "name status seconds mib")
    list("not-here", "test why")
    list("agree", "what status seconds differences")
    list("training", "kind status steps compared last_step loss reference_loss largest_difference_percent steps_per_second whole_steps")
    list("drawing", "pictures status seconds")
    list("bench", "case storage status provider error ms quartiles rate percent_of_peak")
    list("torch", "case ms rate")
    list("skipped", "what why")
    if (cuda != "") {
        printf ",\n  \"cuda\": "
        while ((getline line < cuda) > 0) print line
    }
    print "\n}"
}
function md_head(   i, part) {
    split(row["ended.tsv", 1], part, "\t")
    print "# dalle-cl on '" cell(device) "'\n"
    print "- " plain(row["version", 1])
    print "- " part[1] " after " part[2] " s of " part[3] " minutes"
    print "- " tests_line
    print "- " (count["wrong.tsv"] ? count["wrong.tsv"] " things went wrong" : "nothing went wrong") \
        (count["skipped.tsv"] ? ", " count["skipped.tsv"] " left out" : "")
    for (i = 1; i <= count["wrong.tsv"] && i <= 12; i++) {
        split(row["wrong.tsv", i], part, "\t")
        print "  - " cell(part[1]) ": " cell(part[2])
    }
    if (count["begun.tsv"] && row["ended.tsv", 1] !~ /^complete/) print "- cut short in: " cell(row["begun.tsv", count["begun.tsv"]])
    if (not_begun(0, ", ") != "") print "- not begun: " not_begun(0, ", ")
    print "- in what follows \"late\" is not done in its time, \"failed-N\" ended with status N, \"crashed-X\" was ended by signal X"
}
function md_training(   i, part) {
    if (!count["training.tsv"]) return
    print "\n## Training\n\n| model | steps | compared with PoCL up to step | loss | PoCL's | largest difference | | steps/s | all its steps would take |"
    print "|---|---|---|---|---|---|---|---|---|"
    for (i = 1; i <= count["training.tsv"]; i++) {
        split(row["training.tsv", i], part, "\t")
        printf "| emoji %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", part[1], part[3], part[5], part[6], part[7],
            (part[4] > 0 ? part[8] " %" : "-"), (part[4] > 0 ? part[2] : "nothing to compare"), part[9], (part[9] > 0 ? duration(part[10] / part[9]) " (" part[10] ")" : "-")
    }
}
function md_bench(   i, part, key, other) {
    if (!count["bench.tsv"]) return
    print "\n## Products, steps, drawings\n\n| case | storage | by | error | ms | rate | % of the measured peak of f32 | PyTorch ms | times as fast as PyTorch |"
    print "|---|---|---|---|---|---|---|---|---|"
    for (i = 1; i <= count["bench.tsv"]; i++) {
        split(row["bench.tsv", i], part, "\t")
        key = part[1] " " part[2]
        other = key in torch_ms ? torch_ms[key] : 0
        if (part[3] != "ok") printf "| %s | - | %s: %s | | | | | | |\n", cell(part[1]), cell(part[3]), cell(part[4])
        else printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", cell(part[1]), part[2], part[4], part[5], part[6], part[8],
            part[9], (other ? other : "-"), (other && part[6] > 0 ? sprintf("%.2f", other / part[6]) : "-")
    }
}
function fenced(title, name, most,   i) {
    if (!count[name]) return
    print "\n## " title "\n\n```"
    for (i = 1; i <= count[name] && i <= most; i++) print plain(row[name, i])
    print "```"
}
function md() {
    md_head()
    fenced("Devices", "devices.txt", 60)
    fenced("What each driver says of itself, and instructions tried", "instructions.txt", 80)
    table("Drivers", "drivers", "library,,what")
    table("Machine", "host", "what,")
    table("Agreement with PoCL", "agree", "recording,,seconds,loss / norm / gradient / update / tokens / near / worst tensor")
    md_training()
    table("Drawing", "drawing", "pictures,,seconds with loading")
    md_bench()
    table("PyTorch on this GPU", "torch", "case,ms,rate")
    table("Device tests", "tests", "test,,seconds,MiB")
    if (unfinished_count) print "\nFor lack of time not finished: " unfinished_list(0, ", ")
    table("Tests that do not apply here", "not-here", "test,why")
    table("Left out", "skipped", "what,why")
    fenced("Failures", "failures.txt", 200)
}
BEGIN {
    n = split("begun ended host drivers wrong tests not-here agree training drawing bench torch skipped", name, " ")
    for (k = 1; k <= n; k++) load(name[k] ".tsv")
    load("devices.json")
    load("devices.txt")
    load("instructions.txt")
    load("failures.txt")
    load("version")
    load("list")
    read_torch()
    summary_of_tests()
    find_unfinished()
    if (form == "json") json()
    else md()
}
