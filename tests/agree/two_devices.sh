#!/bin/sh
# two_devices.sh PROGRAMS PROGRAM FOLDER DEMO -- one process trains on one device while another draws on
# a second one: both end right, with what each computes alone.
# SPDX-License-Identifier: MIT
set -eu
programs=$1 program=$2 folder=$3 demo=$4
[ -f "$demo/model.json" ] || { echo "skipped: $demo is not there"; exit 77; }
rm -rf "$folder"
mkdir -p "$folder"

# The first usable device, and the first of another driver.
"$program" devices --json >"$folder/devices.json" 2>"$folder/devices.log" || {
    echo "skipped: $(head -n 1 "$folder/devices.log")"
    exit 77
}
words=$(tr ',{' '\n\n' <"$folder/devices.json" | sed -n 's/^ *"vendor_word": *"\([a-z]*\)".*/\1/p' | awk '!seen[$0]++')
[ "$(echo "$words" | wc -l)" -ge 2 ] || { echo "skipped: one driver alone ($words); two are needed"; exit 77; }
one=$(echo "$words" | sed -n 1p) two=$(echo "$words" | sed -n 2p)
echo "training on $one, drawing on $two"

train() { DALLE_CL_DEVICE=$one "$programs/agree_record" "$folder/$1" prior >"$folder/$1-train.log" 2>&1; }
draw() { "$program" generate -m "$demo" "a green heart" -n 2 --seed 3 --device "$two" -o "$folder/$1.png" \
    >"$folder/$1-draw.log" 2>&1; }
fail() { cat "$folder"/*.log; echo "$1"; exit 1; }

train together & training=$!
draw together & drawing=$!
wait $training || fail "training on $one failed"
wait $drawing || fail "drawing on $two failed"
train alone || fail "training on $one alone failed"
draw alone || fail "drawing on $two alone failed"
cmp "$folder/together/$one-prior.safetensors" "$folder/alone/$one-prior.safetensors"
cmp "$folder/together.png" "$folder/alone.png"
rm -rf "$folder"
echo "both computed what they compute alone"
