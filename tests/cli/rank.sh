#!/bin/sh
# rank.sh PROGRAM FOLDER -- `generate` on a model with a CLIP and on one without: how many are drawn and kept by what is
# said, what stands in the file, pictures that start with another's rows; and what is said of wrong input.
# SPDX-License-Identifier: MIT
program=$1
. "$(dirname "$0")/said.inc.sh"
. "$(dirname "$0")/set.sh"
rm -rf "$2" && mkdir -p "$2" && cd "$2" || exit 1
make_set set
draw() { runs 0 generate -m model "a red square" "$@"; }
same() { cmp "$1" "$2" || failed "$1 and $2 are not the same pictures"; }

# Refused before a device is looked for.
refused() {
    part=$1
    shift
    runs 2 generate -m model a "$@" --device no-such-device
    warns "$part"
    [ "$(wc -l <err)" -eq 1 ] || failed "more than one line is said"
}
refused "--best 8 is more than --of 4" --best 8 --of 4
refused "--count 8 is more than --of 4" -n 8 --of 4
refused "--best 4 and --count 8" --best 4 -n 8
refused "--no-rank" --best 4 --no-rank
refused "--no-rank" --of 4 --no-rank
refused "range" --best 513
refused "range" --of 4097
refused "range" --near 5
refused "--no-rank" --near 1 --no-rank
refused "--rows needs --start" --rows 2
refused "--inpaint needs --start" --inpaint 0,8,16,8
refused "--rows and --inpaint" --start set/reda.png --rows 2 --inpaint 0,8,16,8

"$program" devices >out 2>err || { echo "skipped: no device"; exit 77; }
runs 0 train dvae --preset tiny --data set --run dvae -s steps=10 -s sample_every=0 -q
runs 0 train prior --preset tiny --data set --dvae dvae --run prior -s steps=10 -s text_vocabulary=288 -s sample_every=0 -q
runs 0 train clip --preset tiny --data set --run clip -s steps=10 -s text_vocabulary=288 -s sample_every=0 -q
runs 0 pack dvae prior -o bare --known-captions 0 -q
runs 0 pack bare bare clip -o model --known-captions 0
says "draw with: dalle-cl generate -m model"

# Without a CLIP.
runs 0 generate -m bare "a red square" -n 4 -o bare.png
says "bare.png: 4 pictures of 16 x 16, seed 1,"
grep -q Description bare.png && failed "drawings that nobody ranked have texts"
for how in "--best 2" "--of 4 -n 4" "--of 8"; do
    # shellcheck disable=SC2086
    runs 2 generate -m bare "a red square" $how -o no.png
    warns "'bare' has no CLIP"
    warns "'dalle-cl pack "
    [ ! -e no.png ] || failed "a picture is there all the same"
done

# With one: of how many, and in which order.
draw -o one.png
says "one.png: 1 picture of 16 x 16, the best of 16 by CLIP (score "
draw -n 4 -o four.png --json --tokens four.json
says '"of":16'
cp out ranked
draw -n 20 -o twenty.png
says "20 pictures of 16 x 16, the best of 20 by CLIP (scores "
draw --best 2 -o two.png
says "2 pictures of 16 x 16, the best of 32 by CLIP"
draw --best 2 --of 5 -o two.png --json
says '"of":5'
draw --best 3 --of 3 -o three.png
says "the best of 3 by CLIP"
for how in "--no-rank" "--of 4"; do
    draw -n 4 $how -o plain.png
    says "plain.png: 4 pictures of 16 x 16, seed 1,"
    same plain.png bare.png
done
draw -n 2 -t 0 -o cold.png
says "cold.png: 2 pictures of 16 x 16, seed 1,"
[ ! -s err ] || failed "what nobody asked for is warned of"
draw --best 2 -k 1 -o cold.png
warns "nothing is left to chance"
draw --of 8 -o quiet.png -q && [ ! -s out ] || failed "-q is not quiet"

# What the file says: what the JSON says, a line for each picture; and no path.
for word in Description "a red square" "dalle-cl 0." model seed number score; do
    grep -qaF -e "$word" four.png || failed "the file does not say '$word'"
done
list() { sed -n "s/.*\"$1\":\[\([^]]*\)\].*/\1/p" ranked | tr , '\n'; }
[ "$(list numbers | wc -l)" -eq 4 ] && [ "$(list scores | wc -l)" -eq 4 ] || failed "$(cat ranked)"
[ "$(list scores | LC_ALL=C sort -gr)" = "$(list scores)" ] || failed "the best is not first: $(list scores)"
list numbers >numbers
tr '\0' '\n' <four.png | grep -aA3 -e "^$(sed -n 2p numbers)\$" | head -n 3 >stands
sed -n '2,3p' numbers >wanted
head -n 2 stands | cmp - wanted || failed "the file's numbers are not the JSON's"
runs 0 generate -m "$PWD/model/" "a red square" -o elsewhere.png
grep -qaF -e "$PWD" elsewhere.png && failed "the file says where the model lies"
grep -qa model elsewhere.png && same one.png elsewhere.png
runs 0 generate -m model "$(printf 'caf\303\251')" -o cafe.png
grep -qa "iTXtDescription" cafe.png || failed "a caption that is no ASCII is not written as UTF-8"

# Captions that the model knows and its CLIP finds near.
for folder in bare model; do
    runs 2 generate -m $folder "a red square" --near 2 -o no.png
    warns "'$folder' has no known captions"
    [ ! -e no.png ] || failed "a picture is there all the same"
done
runs 0 pack bare bare clip -o knows --data set -q
[ -s knows/known.safetensors ] || failed "no known captions are packed"
runs 2 generate -m knows "a red square" --near 2 -n 4 --of 4 -o no.png
warns "say of how many"
runs 0 generate -m knows "something that is red" --near 2 -n 16 --of 17 -o near.png --json
says '"of":34,' && says '"near":["' && says '"phrases":['
cp out near
runs 0 generate -m knows "something that is red" --near 2 -n 16 --of 17 -o near.png
says "the best of 34 by CLIP" && says "are of captions near it that the model knows:"
grep -qa "tEXtdrawn" near.png || failed "the file does not say what its pictures are of"
sed -n 's/.*"near":\["\([^"]*\)".*/\1/p' near >nearest
grep -qaF -f nearest near.png && grep -qF -f nearest out || failed "the nearest caption is not named"
place=$(sed 's/.*"phrases":\[\([^]]*\)\].*/\1/' near | tr , '\n' | grep -n '^1$' | head -n 1 | cut -d : -f 1)
number=$(sed 's/.*"numbers":\[\([^]]*\)\].*/\1/' near | tr , '\n' | sed -n "${place}p")
runs 0 generate -m knows "something that is red" --near 2 -n 16 --of 17 -o near.png --tokens near.json -q
runs 0 generate -m knows "$(cat nearest)" --first "$number" --no-rank -o alone.png --tokens alone.json -q
sed 's/.*"pictures":\[\(\[[^]]*\]\).*/\1/' alone.json >alone
grep -qF -f alone near.json || failed "a near caption's picture is not the one that is drawn of it alone"
runs 0 generate -m knows "something that is red" --near 0 -n 16 -o same.png --tokens same.json
runs 0 generate -m model "something that is red" -n 16 -o other.png --tokens other.json
same same.json other.json

# The best is the one of its number, drawn alone.
number=$(head -n 1 numbers)
draw --first "$number" --no-rank -o alone.png --tokens alone.json
sed 's/.*"pictures":\[\(\[[^]]*\]\).*/\1/' four.json >best
sed 's/.*"pictures":\[\(\[[^]]*\]\).*/\1/' alone.json >alone
cmp best alone || failed "the best picture is not the one of its number"

# What it starts with.
draw --start set/reda.png -o s.png --no-rank --tokens s.json -q
runs 0 encode -m model set/reda.png -o start.json
first() { sed 's/.*\[\[//' "$1" | tr , '\n' | head -n "$2"; }
[ "$(first s.json 32)" = "$(first start.json 32)" ] || failed "the first half is not the picture's"
[ "$(first s.json 64)" != "$(first start.json 64)" ] || failed "nothing was drawn"
draw --start set/reda.png --rows 4 -o same.png --no-rank -q
same s.png same.png
draw --start set/reda.png --inpaint 0,8,16,8 -o same.png --no-rank -q
same s.png same.png
draw --start set/reda.png --inpaint 0,9,16,7 -o same.png --no-rank
warns "drawn anew from row 8 on"
same s.png same.png
draw --start set/reda.png --rows 0 -n 4 --of 4 -o none.png
same none.png bare.png
draw --start twenty.png --rows 7 -o large.png --json
warns "twenty.png: 92 x 74, scaled to 16 x 16 by its short side"
says '"start_rows":7'
refused_start() {
    runs 2 generate -m model a --start set/reda.png "$@" -o no.png
    warns "$part"
}
part="8 rows of tokens are given, a picture has 8"
refused_start --rows 8
part="9 rows"
refused_start --rows 9
part="raster order"
refused_start --inpaint 4,4,8,8
warns "--rows 2"
part="no rectangle"
for rectangle in 0,8,16,9 1,2,3 a,b,c,d 0,8,16,8,1 0,4294967304,16,8 -1,0,16,16 0,0,0,16; do refused_start --inpaint=$rectangle; done
runs 1 generate -m model a --start nowhere.png
warns nowhere.png
printf 'no picture' >bad.png
runs 1 generate -m model a --start bad.png
warns bad.png
echo "ok: the best of many, and what pictures start with"
