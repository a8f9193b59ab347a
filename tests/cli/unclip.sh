#!/bin/sh
# unclip.sh PROGRAM FOLDER -- `generate`, `vary`, `mix`, `edit` and `inpaint` with a DALL-E 2 trained for a few steps: what
# is written and said; and what is said of wrong input.
# SPDX-License-Identifier: MIT
program=$1
. "$(dirname "$0")/said.inc.sh"
. "$(dirname "$0")/set.sh"
rm -rf "$2" && mkdir -p "$2" && cd "$2" || exit 1
make_set set
mkdir empty
same() { cmp "$1" "$2" || failed "$1 and $2 are not the same pictures"; }
other() { cmp -s "$1" "$2" && failed "$1 and $2 are the same pictures"; }

# Refused before a device is looked for.
refused() {
    part=$1
    shift
    runs 2 "$@" --device no-such-device
    warns "$part"
    [ "$(wc -l <err)" -eq 1 ] || failed "more than one line is said"
}
refused "--model FOLDER is needed" vary set/reda.png
refused "PICTURE is missing" vary -m empty
refused "PICTURE is missing" mix -m empty set/reda.png
refused "--from TEXT is needed" edit -m empty set/reda.png --to a
refused "--to TEXT is needed" edit -m empty set/reda.png --from a
refused "--mask FILE is needed" inpaint -m empty set/reda.png a
refused "range" vary -m empty set/reda.png --eta 1.5
refused "range" vary -m empty set/reda.png --guidance=-1
refused "range" generate -m empty a --guidance 1e9
refused "range" edit -m empty set/reda.png --from a --to b --strength 2
refused "not one of ddim|ddpm" inpaint -m empty set/reda.png a --mask set/reda.png --sampler euler
refused "not one of diffusion|ar" generate -m empty a --prior clip
refused "ends in '.jpg'" vary -m empty set/reda.png -o out.jpg
runs 1 vary -m empty nowhere.png
warns nowhere.png

"$program" devices >out 2>err || { echo "skipped: no device"; exit 77; }
few="-s steps=4 -s sample_every=0 -q"
text="-s text_vocabulary=288"
# shellcheck disable=SC2086
{
    runs 0 train clip --preset tiny --data set --run clip $text $few
    runs 0 train diffusion-prior --preset tiny --data set --clip clip --run embed $text $few
    runs 0 train decoder --preset tiny --data set --clip clip --run decoder $text -s size=8 -s attention=4 $few
    runs 0 train upsampler --preset tiny --data set --run up $few
}
runs 2 pack decoder -o model && warns "'decoder' holds a decoder, which belongs to the CLIP that it was trained with"
runs 2 pack decoder clip -o model && warns "name that one's folder before it"
runs 0 pack clip embed decoder up -o model
runs 0 pack clip embed -o undrawn

# Captions.
generate() { runs 0 generate -m model "a red square" "$@"; }
generate -n 3 -o three.png
says "three.png: 3 pictures of 16 x 16, seed 1,"
generate -n 3 -o again.png --no-rank -q
[ ! -s out ] || failed "-q is not quiet"
same three.png again.png
generate -o fewer.png --steps 3 --sampler ddim --eta 0.5 --prior diffusion --prior-steps 4 --guidance 2 --json
says '"side":16'
generate --best 2 --of 3 -o best.png
says "the best of 3 by CLIP (scores"
grep -qa "Description" best.png || failed "ranked pictures have no texts"
for how in "--top-k 5" "--top-p 0.5" "--tokens t.json" "--start set/reda.png"; do
    # shellcheck disable=SC2086
    runs 2 generate -m model a $how -o no.png
    warns "'model' draws by diffusion and has no"
done
warns "dalle-cl inpaint"
for how in "--steps 101" "--steps many" "--steps 0" "--prior-steps 9999" "--upsampler-steps 9999"; do
    # shellcheck disable=SC2086
    runs 2 generate -m model a $how -o no.png
    warns "steps of the"
done
runs 2 generate -m model a --prior ar -o no.png
warns "dalle-cl train ar-prior"
runs 2 generate -m model a -t 0.5 -o no.png
warns "temperature"
runs 2 generate -m undrawn a -o no.png
warns "'undrawn' has no decoder"
runs 2 vary -m undrawn set/reda.png -o no.png
warns "dalle-cl train decoder"
runs 2 vary -m empty set/reda.png -o no.png
warns "'empty' has no"
[ ! -e no.png ] || failed "a picture is there all the same"

# Pictures.
runs 0 vary -m model set/reda.png -n 2 -o vary.png --json
says '"picture":"set/reda.png"'
[ ! -s err ] || failed "of a picture of the right size something is said"
for word in "dalle-cl 0." "made by" vary seed model; do
    grep -qaF -e "$word" vary.png || failed "the file does not say '$word'"
done
grep -qaF -e "$PWD" vary.png && failed "the file says where the model lies"
runs 0 vary -m model three.png -n 1 -o large.png
warns "scaled to 16 x 16 by its short side, the centre square of it"
runs 0 vary -m model set/reda.png -n 1 --eta 0 -o back.png --columns 1
runs 0 mix -m model set/reda.png set/bluea.png -n 3 -o mix.png
says "mix.png: 3 pictures of 16 x 16"
runs 0 mix -m model set/reda.png set/bluea.png -n 3 --fresh -o fresh.png --json
says '"other":"set/bluea.png"'
other mix.png fresh.png
runs 0 edit -m model set/reda.png --from "a red square" --to "a blue square" -o edit.png --json
says '"to":"a blue square"'
grep -qaF "a blue square" edit.png || failed "the file does not say what was asked for"
runs 2 edit -m model set/reda.png --from "a red square" --to "a red square" -o no.png
warns "are the same to the model's CLIP"
# A red square on white is a mask: what is white is filled in.
runs 0 inpaint -m model set/greena.png "a green square" --mask set/reda.png -n 2 -o filled.png --json
says '"mask":"set/reda.png"'
warns "was not trained to fill in"
runs 0 inpaint -m model three.png "a green square" --mask set/reda.png -o sized.png
warns "set/reda.png: 16 x 16, scaled to the picture's 38 x 38"
runs 2 inpaint -m model set/greena.png "a green square" --mask vary.png -o no.png
warns "a mask has its picture's shape"
[ ! -e no.png ] || failed "a picture is there all the same"

# The other prior, and a decoder that was trained to fill in, which begins as the one that was not.
# shellcheck disable=SC2086
{
    runs 0 train ar-prior --preset tiny --data set --clip clip --run numbers $text $few
    runs 0 train decoder --init model -s inpaint=yes --data set --clip model --run fill $few
}
runs 0 pack clip numbers fill up -o other
runs 0 generate -m other "a red square" --prior ar -t 0.5 -n 2 -o numbers.png
says "numbers.png: 2 pictures of 16 x 16"
runs 0 generate -m other "a red square" -t 0.5 -n 2 -o only.png -q
same numbers.png only.png
runs 0 generate -m other "a red square" -t 0 -n 2 -o likeliest.png -q
other numbers.png likeliest.png
runs 2 generate -m other "a red square" --prior diffusion -o no.png
warns "dalle-cl train diffusion-prior"
runs 0 inpaint -m other set/greena.png "a green square" --mask set/reda.png -n 2 -o trained.png
grep -qF "was not trained to fill in" err && failed "it was trained to fill in"
other trained.png filled.png
for file in *.png; do [ "$(head -c 4 "$file" | tail -c 3)" = PNG ] || failed "$file is no PNG"; done
ls | grep -q "\.tmp\|~" && failed "something is left behind"
echo "ok: captions and pictures by a DALL-E 2"
