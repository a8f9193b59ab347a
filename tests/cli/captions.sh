#!/bin/sh
# captions.sh PROGRAM FOLDER -- captions with more words than a model reads are said: how many in training, what is
# lost in drawing.
# SPDX-License-Identifier: MIT
program=$1 folder=$2
. "$(dirname "$0")/set.sh"
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1
fail() { echo "$1"; echo "--- said:"; cat out err; exit 1; }
"$program" devices >out 2>err || { echo "skipped: no device"; exit 77; }
make_set set
printf 'a red square with a very long story about how it came to be so red, and who drew it, and when, and a caf\303\251' >set/reda.txt

"$program" train dvae --preset tiny --data set --run dvae -s steps=3 -q >out 2>err || fail "training fails"
prior() { "$program" train prior --preset tiny --data set --dvae dvae -s steps=3 -s text_vocabulary=300 -s holdout=0 "$@" >out 2>err; }
prior --run cut -q || fail "captions that are cut end a training"
grep -q "1 of 8 captions have more than 16 tokens and are cut there; the longest has [0-9]*, 'a red square with" err ||
    fail "it is not counted which captions are cut"
longest=$(sed -n 's/.*--set text_tokens=\([0-9]*\) .*/\1/p' err)
[ "${longest:-0}" -gt 16 ] || fail "it is not said which setting reads them whole"
prior --run whole -s text_tokens="$longest" || fail "the setting that is named does not do"
grep -q 'are cut' err && fail "with the setting that is named, captions are cut all the same"
prior --run shorter -s text_tokens=$((longest - 1)) && grep -q '1 of 8 captions' err || fail "one token less does as well"
"$program" train prior --run cut --resume -q >out 2>err || fail "a run that cuts captions cannot be resumed"
grep -q 'are cut' err && fail "what cannot be changed any more is said again"

"$program" pack dvae cut -o model -q >out 2>err || fail "packing fails"
"$program" generate -m model "a red square with a very long story about how it came to be so red" -o a.png -q >out 2>err || fail "drawing fails"
grep -q "warning: the caption is longer than the model's 16 text tokens; not drawn: .*came to be so red$" err || fail "lost words are not said"
"$program" generate -m model "a red square" -o b.png -q >out 2>err && [ ! -s err ] || fail "a caption that is read whole is warned of"
for blank in '' '   ' "$(printf '\343\200\200\302\240')"; do
    "$program" generate -m model "$blank" -o c.png >out 2>err
    [ $? -eq 2 ] && grep -q 'the caption is empty' err || fail "a caption of spaces alone is drawn"
done
echo "ok: captions that are cut are said"
