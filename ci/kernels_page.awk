# kernels_page.awk -v targets="T.." build/kernels.tsv -- two Markdown tables, by target: the worst of each kernel over
# its sets of options; and of the kernels that use a matrix unit, their instructions of it.  Used by ci/kernels.sh.
# SPDX-License-Identifier: MIT
BEGIN { FS = "\t"; count = split(targets, name, " ") }
FNR == 1 { next }
{
    kernel = $2 "`, `" $3
    if (!(kernel in seen)) { seen[kernel] = 1; order[++kernels] = kernel }
    key = kernel SUBSEP $1
    sets[key]++
    if ($5 > registers[key]) registers[key] = $5
    if ($6 > spill[key]) spill[key] = $6
    if ($7 > private[key]) private[key] = $7
    if ($8 > bytes[kernel]) bytes[kernel] = $8
    if (!(key in busy) || $9 < busy[key]) busy[key] = $9
    if (!(key in width) || $10 < width[key]) width[key] = $10
    if (sets[key] > most[kernel]) most[kernel] = sets[key]
    if ($11 == "-") next
    if (!(key in units)) fewest_units[key] = most_units[key] = $11 + 0
    ++units[key]
    if ($11 + 0 < fewest_units[key]) fewest_units[key] = $11 + 0
    if ($11 + 0 > most_units[key]) most_units[key] = $11 + 0
    if ($5 > unit_registers[key]) unit_registers[key] = $5
    if ($6 > unit_spill[key]) unit_spill[key] = $6
}
END {
    head = "| kernel | sets | local |"
    rule = "|---|--:|--:|"
    for (t = 1; t <= count; ++t) { head = head " " name[t] " |"; rule = rule "--:|" }
    print ""
    print head
    print rule
    for (k = 1; k <= kernels; ++k) {
        kernel = order[k]
        split(kernel, part, "`, `")
        line = "| " part[2] " | " most[kernel] " | " bytes[kernel] " |"
        for (t = 1; t <= count; ++t) {
            key = kernel SUBSEP name[t]
            if (!(key in sets)) { line = line " |"; continue }
            cell = name[t] ~ /^(sm_|gfx)/ ? registers[key] : "x" width[key] (registers[key] > 128 ? "L" : "")
            cell = cell " " busy[key] "%"
            if (spill[key]) cell = cell " **s" spill[key] "**"
            else if (private[key]) cell = cell " p" private[key]
            line = line " " cell " |"
        }
        print line
    }
    print ""
    print "| kernel with a matrix unit | target | sets | its instructions | registers | spilled bytes |"
    print "|---|---|--:|--:|--:|--:|"
    for (k = 1; k <= kernels; ++k)
        for (t = 1; t <= count; ++t) {
            key = order[k] SUBSEP name[t]
            if (!(key in units)) continue
            split(order[k], part, "`, `")
            from = fewest_units[key]; to = most_units[key]
            printf "| %s | %s | %d | %s | %d | %d |\n", part[2], name[t], units[key], from == to ? from : from " to " to, \
                unit_registers[key], unit_spill[key]
        }
    print ""
}
