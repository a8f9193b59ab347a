#!/bin/sh
# unclip_sheets.sh -- the figures and contact sheets of a DALL-E 2: captions kept aside, variations, mixtures, edits of
# skin tones, fillings.
#     tools/unclip_sheets.sh [MODEL [FOLDER [NUMBER [OPTION...]]]]   options go to score_drawings: --steps 25, --guidance 3
# MODEL is models/demo2, FOLDER, for the sheets and a line per caption, runs/unclip, NUMBER of sources a sheet 50, and
# captions are all of `val`, the best of 8 by CLIP.
# SPDX-License-Identifier: MIT
set -eu
cd "$(dirname "$0")/.."
model=${1:-models/demo2}
folder=${2:-runs/unclip}
number=${3:-50}
[ $# -gt 3 ] && shift 3 || set --
[ -f "$model/model.json" ] || { echo "unclip_sheets.sh: '$model' is no packed model: it has no model.json" >&2; exit 2; }
cmake --build build --target dalle-cl score_drawings unclip_sheets >&2
mkdir -p "$folder"
[ -f "$folder/emoji.tar" ] || build/dalle-cl data emoji -o "$folder/emoji.tar" >&2
# How sharp variations are is told beside the font's own pictures.
[ -f "$folder/emoji128.tar" ] || build/dalle-cl data emoji --size 128 -o "$folder/emoji128.tar" >&2
build/tools/score_drawings --model "$model" --data "$folder/emoji.tar" --split val --of 8 --temperature -1 \
    --label "held out, best of 8" --header --results "$folder/captions.tsv" --sheet "$folder/captions.png" \
    --drawings "$folder/drawings" "$@"
build/tools/unclip_sheets "$model" "$folder/emoji128.tar" val "$folder" "$number" variations
build/tools/unclip_sheets "$model" "$folder/emoji.tar" val "$folder" "$number" mixtures edits fillings
