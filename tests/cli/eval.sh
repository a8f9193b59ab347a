#!/bin/sh
# eval.sh PROGRAM MAKE_PICTURES FOLDER -- figures of a tiny model: those of training's own validation, a table, JSON,
# plots, two models beside each other, models that lack parts, and sets that lack pictures or captions.
# SPDX-License-Identifier: MIT
program=$1 make=$2 folder=$3
. "$(dirname "$0")/said.inc.sh"
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1

# What can be said without a device.
runs 2 eval
warns "eval: --model FOLDER is needed"
runs 2 eval -m nothing
warns "eval: --data SET is needed"
"$program" devices >out 2>err || { echo "skipped: no device"; exit 77; }
"$make" mine 12 || exit 1
runs 2 eval -m nothing --data mine
warns "'nothing'"
runs 2 eval -m mine --data mine
warns "'mine' holds no trained dVAE"
touch file
runs 1 eval -m nothing --data mine -o file/plots
warns "--output"
runs 1 eval -m nothing --data mine -o /proc/plots
warns "--output"
[ "$(id -u)" = 0 ] || { mkdir -m 555 locked; runs 1 eval -m nothing --data mine -o locked/plots; warns "--output"; }

settings="--preset tiny --data mine -s steps=20 -s eval_every=20 -q"
# shellcheck disable=SC2086
{
    runs 0 train dvae $settings --run dvae
    runs 0 train prior $settings --dvae dvae --run prior
    runs 0 train clip --preset tiny --data mine --run clip -s steps=20 -q
}
runs 0 pack dvae prior clip -o model --known-captions 0 --storage f32

# value GROUP NAME: of the first model of the JSON in `out`, one figure's value.
value() {
    tr -d '\n ' <out | sed 's/.*"figures":{//' | grep -o "\"$1\":{.*" | grep -o "\"$2\":{\"value\":[-0-9.e]*" |
        head -n 1 | sed 's/.*://'
}
# last FILE KEY: of the last line of a run's metrics.
last() { tail -n 1 "$1" | grep -o "\"$2\":[-0-9.e]*" | sed 's/.*://'; }
# alike WHAT A B TOLERANCE
alike() {
    awk -v a="$2" -v b="$3" -v t="$4" 'BEGIN { exit !(a != "" && b != "" && a - b < t && b - a < t) }' ||
        failed "$1 is '$2', not '$3'"
}

# All of it, and the same again; as the validation of both runs had it, which were on the same pictures.
runs 0 eval -m model --data mine --captions 3 --of 4 -o plots --json
warns "wrote 3 plots into plots"
cp out first
for plot in score codes spectrum; do [ -s plots/$plot.png ] || failed "there is no plots/$plot.png"; done
alike "nats an image token" "$(value likelihood image)" "$(last prior/metrics.jsonl image)" 1e-4
alike "nats a text token" "$(value likelihood text)" "$(last prior/metrics.jsonl text)" 1e-4
alike "bits as training says them" "$(value bits density)" "$(last dvae/metrics.jsonl bits_per_dim)" 1e-4
alike "PSNR" "$(value reconstruction psnr_pooled)" "$(last dvae/metrics.jsonl psnr)" 1e-3
alike "entropy" "$(value codes entropy)" "$(last dvae/metrics.jsonl entropy)" 1e-4
for figure in "reconstruction ssim" "agreement drawings" "agreement best_4" "agreement pictures" "retrieval picture_1" \
    "retrieval caption_1" "retrieval drawing_1" "distance frechet_drawings" "distance mmd_reconstructions" \
    "spectrum kept_high" "bits pair"; do
    # shellcheck disable=SC2086
    [ -n "$(value $figure)" ] || failed "there is no figure $figure"
done
says '"drawings": 12'
says '"of": 4'
# The best of more is no worse, and the best of one is the mean.
awk -v a="$(value agreement drawings)" -v b="$(value agreement best_2)" -v c="$(value agreement best_4)" \
    'BEGIN { exit !(a <= b && b <= c) }' || failed "the best of more drawings scores less"
runs 0 eval -m model --data mine --captions 3 --of 4 --json
cmp -s out first || failed "the same model, set and seed give other figures"
runs 0 eval -m model --data mine --captions 3 --of 4 --json --seed 2
cmp -s out first && failed "another seed gives the same drawings"

# A table; parts that are missing are named with what to add; runs do as well as packed models.
runs 0 eval -m model --data mine --captions 2 --of 1
says "PSNR"
says "CLIP score of the drawings"
says "in 24 dimensions it comes out too high"
says "--inception FILE"
runs 0 eval -m dvae --data mine -q
says "has no prior"
says "has no CLIP"
says "SSIM"
runs 0 eval -m clip --data mine --captions 0
says "has no dVAE"
says "a caption's picture first"
runs 1 eval -m model --data mine --inception model/dvae.safetensors
warns "of Inception-v3; tools/convert_inception.py"
runs 2 eval -m model --judge dvae --data mine
warns "--judge 'dvae' has no CLIP"

# Nobody is measured in another's place.
runs 2 eval -m model --against nothing --data mine
warns "'nothing'"
runs 2 eval -m mine --judge clip --data mine
warns "'mine' holds no trained dVAE"

# Beside another, of other pictures' size.
# shellcheck disable=SC2086
runs 0 train dvae $settings -s steps=4 -s image_size=8 --run small
runs 0 eval -m model --against small --data mine --captions 2 --of 2
says "first: model, 12 pictures of 16 x 16 pixels"
says "second: small, 12 pictures of 8 x 8 pixels"
says "what the first has more than the second"
grep -q 'PSNR  .* dB  *12 pictures$' out || failed "no unit behind two models' figures"
says "pictures have another size"
says "its windows have 11 x 11 pixels"
runs 0 eval -m dvae --against model --data mine --captions 0 --json
says '"judge": "model"'
says '"psnr": 0.0' # the same dVAE: no difference

# Bad pictures are counted and named; one picture, three, none; captions that are not there.
mkdir bad && cp mine/* bad/
printf 'GIF89a' >bad/gif.png && echo "no picture" >bad/gif.txt
head -c 60 "$(find bad -name '*.png' -size +0 | sort | head -n 1)" >bad/cut.png && echo "half a picture" >bad/cut.txt
runs 0 eval -m model --data bad --captions 1 --of 1
says "2 pictures cannot be read"
says "gif: "
says "cut: "
says "12 pictures of 16 x 16"
mkdir none && cp bad/cut.* none/
runs 1 eval -m model --data none
warns "none of the 1 pictures can be read"
mkdir one && name=$(basename "$(find mine -name '*.png' | sort | head -n 1)" .png) && cp "mine/$name.png" "mine/$name.txt" one/
runs 0 eval -m model --data one --captions 1 --of 2
says "there are 1 and"
mkdir plain && cp mine/*.png plain/
runs 0 eval -m model --data plain
says "nothing of captions is measured"
runs 2 eval -m model --data mine --split val --count 0
mkdir empty
runs 1 eval -m model --data empty
mkdir parts && cp mine/* parts/ && for caption in parts/*.txt; do echo '{"split": "train"}' >"${caption%.txt}.json"; done
runs 2 eval -m model --data parts
warns "train"
runs 0 eval -m model --data parts --split all --captions 0
says "12 pictures"
runs 0 eval -m model --data parts --split train --count 5 --captions 0 --json
says '"pictures": 5'
says '"in_split": 12'

# Found among all of the set.
runs 0 eval -m clip --data mine --count 4 --among all --captions 0
says "% of 8"
exit 0
