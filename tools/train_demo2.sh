#!/bin/sh
# train_demo2.sh -- makes models/demo2 again: data from Debian's packages, then prior, decoder and both upsamplers for the
# CLIP of models/demo, pack.
#     tools/train_demo2.sh [FOLDER]      runs and data go to FOLDER, "runs/demo2" unless given
# Eight hours on two CPU cores, of which the shipped model had half: docs/demo2-model.md.  Where a run is there already, it
# goes on.
# SPDX-License-Identifier: MIT
set -eu
cd "$(dirname "$0")/.."
folder=${1:-runs/demo2}
program=build/dalle-cl

# part RUN KIND OPTION...
part() {
    run=$folder/$1 kind=$2
    shift 2
    if [ -d "$run" ]; then "$program" train "$kind" --run "$run" --resume; else "$program" train "$kind" --run "$run" "$@"; fi
}

mkdir -p "$folder"
[ -f "$folder/emoji.tar" ] || "$program" data emoji -o "$folder/emoji.tar"
[ -f "$folder/emoji128.tar" ] || "$program" data emoji --size 128 -o "$folder/emoji128.tar"
part prior diffusion-prior --preset emoji --set steps=5000 --data "$folder/emoji.tar" --clip models/demo
part up64 upsampler --preset emoji-64 --set steps=4000 --data "$folder/emoji.tar"
part up128 upsampler --preset emoji-128 --data "$folder/emoji128.tar"
part decoder decoder --preset emoji --data "$folder/emoji.tar" --clip models/demo --set caption_others=0.4 \
    --set keyword_captions=0.1 --set caption_stray_words=0.1 --set caption_drop_words=0.04
# Single things, which it had not learnt, with little noise.
part decoder-last decoder --preset emoji --init "$folder/decoder" --data "$folder/emoji.tar" --clip models/demo --set steps=1600 \
    --set dropout=0 --set caption_others=0.3 --set keyword_captions=0.05 --set caption_stray_words=0.03 \
    --set caption_drop_words=0.02 --set caption_shuffle=0.05 --set caption_template_odds=0.3
"$program" pack models/demo/clip.safetensors "$folder/prior" "$folder/decoder-last" "$folder/up64" "$folder/up128" -o models/demo2
