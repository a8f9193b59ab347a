# train.awk -- REFERENCE-METRICS METRICS TIMES, as JSON lines: how a training's losses compare with the reference's.
#     agrees|differs|alone STEPS COMPARED LAST-STEP LOSS REFERENCE LARGEST-DIFFERENCE-% STEPS-A-SECOND
# Steps a second are those after the first line of figures, before which kernels are built, without saving and sampling.
# SPDX-License-Identifier: MIT
function field(name,   at, text) {
    at = index($0, "\"" name "\":")
    if (!at) return ""
    text = substr($0, at + length(name) + 3)
    sub(/[,}].*/, "", text)
    return text
}
# Empty files have no first line, so files are known by their names.
{ what = FILENAME ~ /agree\/train-/ ? 1 : FILENAME ~ /times/ ? 3 : 2 }
$0 !~ /}[ \r]*$/ { next }
what == 1 && !/"kind"/ { reference[field("step")] = field("loss") }
what == 2 && !/"kind"/ {
    step = field("step") + 0
    loss = field("loss")
    if (!(step in reference) || reference[step] == "") next
    compared++
    last = step
    bad = 100
    if (loss != "null" && loss != "" && reference[step] != 0) {
        bad = 100 * (loss - reference[step]) / reference[step]
        if (bad < 0) bad = -bad
    }
    if (bad > most) most = bad
    mine = loss
    theirs = reference[step]
}
what == 3 && /"kind":"time"/ {
    steps = field("step")
    if (seen++ && field("steps") > 0) {
        done += field("steps")
        took += field("device") + field("data") + field("other")
    }
}
END {
    printf "%s %d %d %d %s %s %.3g %.4g\n", (compared ? (most <= 1 ? "agrees" : "differs") : "alone"), steps, compared, last,
        (compared ? mine : "-"), (compared ? theirs : "-"), most, (took > 0 ? done / took : 0)
}
