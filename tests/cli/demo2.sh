#!/bin/sh
# demo2.sh PROGRAM SOURCE FOLDER -- the shipped DALL-E 2 draws what its captions say, and varies it: its own CLIP tells
# them apart.
# SPDX-License-Identifier: MIT
program=$1 model=$2/models/demo2
. "$(dirname "$0")/said.inc.sh"
[ -f "$model/model.json" ] || { echo "skipped: models/demo2 is not there"; exit 77; }
rm -rf "$3" && mkdir -p "$3" && cd "$3" || exit 1

# side FILE: of a PNG.
side() { od -An -tu1 -j 19 -N 1 "$1" | tr -d ' '; }
# is_most PICTURE CAPTION OTHER...: the CLIP finds the first caption likeliest.
is_most() {
    runs 0 score -m "$model" --json "$@"
    first=$(grep -o '"probability":[0-9.e-]*' out | head -n 1 | cut -d: -f2)
    awk -v p="${first:-0}" 'BEGIN { exit !(p > 0.5) }' || failed "the picture is not of '$2': $first"
}
runs 0 generate -m "$model" "a green apple" -n 1 --steps 20 --upsampler-steps 5 --seed 1 -o apple.png
runs 0 generate -m "$model" "man mage: dark skin tone" -n 1 --steps 20 --upsampler-steps 5 --seed 1 -o mage.png
for picture in apple mage; do [ "$(side $picture.png)" = 128 ] || failed "$picture.png is not 128 pixels wide"; done
is_most apple.png "a green apple" "man mage: dark skin tone" "a red car" "flag: Italy"
is_most mage.png "man mage: dark skin tone" "a green apple" "a red car" "flag: Italy"
runs 0 vary -m "$model" mage.png -n 1 --steps 10 --upsampler-steps 5 --seed 1 -o varied.png
is_most varied.png "man mage: dark skin tone" "a green apple" "a red car" "flag: Italy"
echo "ok"
