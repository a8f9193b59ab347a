#!/bin/sh
# near.sh PROGRAM SOURCE FOLDER -- captions that the shipped model was never told: drawn of a known one near it
# where its CLIP is sure which is meant, alone where it is not, and what it is unsure of is said.
# SPDX-License-Identifier: MIT
program=$1 model=$2/models/demo
. "$(dirname "$0")/said.inc.sh"
[ -f "$model/known.safetensors" ] || { echo "skipped: models/demo is not there"; exit 77; }
rm -rf "$3" && mkdir -p "$3" && cd "$3" || exit 1
asked="the face of a panda bear"

runs 0 generate -m "$model" "$asked" -n 1 -o asked.png
says "it is of a caption near it that the model knows:"
says "knows: panda"
! grep -q unsure err || failed "is unsure of it"
runs 0 generate -m "$model" "$asked" -n 1 -o asked.png --near 0
! grep -q "near it" out || failed "draws near captions that nobody wants"

# The same, of a model that has to be surer than a CLIP can be.
cp -r "$model" wary && sed 's/^sureness_known.*/sureness_known = 1/' "$model/prior.cfg" >wary/prior.cfg || exit 1
runs 0 generate -m wary "$asked" -n 1 -o asked.png
! grep -q "near it" out || failed "shows near captions that it is not sure of"
warns "unsure of this caption: its CLIP is"

runs 0 generate -m "$model" "something nice for the whole family" -n 1 -o nice.png
warns "unsure of this caption"
echo "ok"
