#!/bin/sh
# wrong.sh PROGRAM FOLDER -- fuzz_replay, built with the targets of wrong.c, finds each one's fault, names its input, and
# goes on.
# SPDX-License-Identifier: MIT
program=$1 folder=$2
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1
for target in good outside overflow endless leak large silent; do
    mkdir "$target"
    printf abc >"$target/one"
    printf de >"$target/two"
done
mkdir none
export FUZZ_SECONDS=1

"$program" . good >said 2>&1 || { echo "a good target has findings"; cat said; exit 1; }
grep -q '^good  *2 inputs$' said || { echo "the inputs are not counted"; cat said; exit 1; }
for target in outside overflow endless large silent; do
    "$program" . "$target" >said 2>&1 && { echo "$target: nothing is found"; cat said; exit 1; }
    for input in one two; do
        grep -q "^fuzz: $target: ./$target/$input: " said || { echo "$target: $input is not named"; cat said; exit 1; }
    done
    [ $target != endless ] || grep -q 'took more than 1 second$' said || { echo "no time is told"; exit 1; }
done
"$program" . leak >said 2>&1
status=$?
grep -q "LeakSanitizer has encountered a fatal error" said && { echo "skipped: leaks cannot be looked for here"; exit 77; }
[ $status -eq 1 ] && grep -q "^fuzz: leak: at the end" said || { echo "a leak is not found"; cat said; exit 1; }
"$program" none good >said 2>&1 && { echo "a target without a corpus passes"; exit 1; }
"$program" . nothing >said 2>&1
[ $? -eq 2 ] || { echo "an unknown target is taken"; exit 1; }
