#!/bin/sh
# train_demo.sh -- makes models/demo again: data from Debian's packages, dVAE, prior, the CLIP that ranks drawings, pack.
#     tools/train_demo.sh [FOLDER]      runs and data go to FOLDER, "runs/demo" unless given
# Six hours on two CPU cores.  The settings are the presets models/*/presets/emoji.cfg; the prior is trained on
# long after its validation loss has turned, for its drawings still improve: docs/demo-model.md.
# SPDX-License-Identifier: MIT
set -eu
cd "$(dirname "$0")/.."
folder=${1:-runs/demo}
program=build/dalle-cl

mkdir -p "$folder"
[ -f "$folder/emoji.tar" ] || "$program" data emoji -o "$folder/emoji.tar"
"$program" train dvae --preset emoji --data "$folder/emoji.tar" --run "$folder/dvae"
"$program" train prior --preset emoji --data "$folder/emoji.tar" --dvae "$folder/dvae" --run "$folder/prior"
"$program" pack "$folder/dvae" -o "$folder/packed-dvae"
# Drawings are as soft as what the dVAE makes of pictures; the CLIP learns from both.
if [ ! -d "$folder/soft" ]; then
    cmake --build build --target reconstruct_files
    mkdir "$folder/soft.part"
    tar -C "$folder/soft.part" -xf "$folder/emoji.tar"
    find "$folder/soft.part" -name '*.png' -print0 | xargs -0 build/tools/reconstruct_files "$folder/packed-dvae"
    mv "$folder/soft.part" "$folder/soft"
fi
"$program" train clip --preset emoji --data "$folder/emoji.tar" --data "$folder/soft" --run "$folder/clip-first"
# Once things are told apart, batches of fewer and more alike: all tones of four gestures, all pairs of tones of a couple.
"$program" train clip --preset emoji --init "$folder/clip-first" --data "$folder/emoji.tar" --data "$folder/soft" \
    --run "$folder/clip" --set neighbours=24 --set caption_shuffle=0.03 --set steps=1500 --set learning_rate=7e-4 --set warmup=50 \
    --set ema=0.99
# The captions alone: what people see and how they put it; the mean with the tower before keeps its names.
"$program" pack "$folder/clip" -o "$folder/packed-clip"
"$program" train clip --preset emoji --init "$folder/packed-clip" --data "$folder/emoji.tar" --data "$folder/soft" \
    --run "$folder/clip-texts" --set locked_image=yes --set neighbours=24 --set caption_others=0.45 --set caption_shuffle=0.03 \
    --set steps=3000 --set learning_rate=6e-4 --set warmup=30 --set ema=0.99
"$program" pack "$folder/clip-texts" -o "$folder/packed-texts"
cmake --build build --target mean_parameters
build/tools/mean_parameters "$folder/packed-clip/clip.safetensors" "$folder/packed-texts/clip.safetensors" \
    "$folder/packed-texts/clip.safetensors"
# And again, with what the pictures look like known: four times as many captions an hour.
for part in 1 2; do
    [ $part = 1 ] && from=$folder/packed-texts steps=4000 rate=1e-3 || from=$folder/clip-words1 steps=4500 rate=8e-4
    "$program" train clip --preset emoji --init "$from" --data "$folder/emoji.tar" --data "$folder/soft" --run "$folder/clip-words$part" \
        --set locked_image=yes --set crop=1 --set neighbours=8 --set caption_others=0.75 --set caption_template_odds=0.3 \
        --set caption_shuffle=0.03 --set caption_stray_words=0.06 --set dropout=0 --set steps="$steps" --set learning_rate="$rate" \
        --set warmup=100 --set ema=0.995
done
# Of the prior the last checkpoint is taken, not the one of lowest validation loss; of the CLIP here, too. What the prior knows,
# for captions that it does not know, comes from the set.
"$program" pack "$folder/dvae" "$folder/prior" "$folder/clip-words2/checkpoint.safetensors" -o models/demo --data "$folder/emoji.tar"
