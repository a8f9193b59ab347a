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
# Of the prior the last checkpoint is taken, not the one of lowest validation loss.
"$program" pack "$folder/dvae" "$folder/prior" "$folder/packed-texts" -o models/demo
