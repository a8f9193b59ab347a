#!/bin/sh
# refused.sh PROGRAM LAYER FOLDER -- a device whose probes fail is listed with the reason and never chosen.
# Two drivers are there; every build from source is made to fail, and only the first device's probes are
# remembered, so that it needs no build.
# SPDX-License-Identifier: MIT
program=$1 layer=$2 folder=$3
rm -rf "$folder" && mkdir -p "$folder/cache" || exit 1
export DALLE_CL_CACHE="$folder/cache" DALLE_CL_DEVICE=
fail() { echo "$1"; echo "--- devices said:"; cat "$folder/out" "$folder/err"; exit 1; }
devices() { "$program" devices "$@" >"$folder/out" 2>"$folder/err"; }

devices || fail "devices does not work at all"
[ "$(grep -c '^[* ] [0-9]' "$folder/out")" -ge 2 ] || { echo "skipped: only one device"; exit 77; }
first=$(sed -n 's/^[* ] 0  //p' "$folder/out" | sed 's/ (opencl:0)$//')
rm -rf "$folder/cache/programs"
for file in "$folder"/cache/device-*.json; do grep -qF "\"$first\"" "$file" || rm "$file"; done

export OPENCL_LAYERS="$layer" CL_LAYER_FAIL=clBuildProgram:0:-11
devices || fail "a device that fails its probes keeps the other from being listed"
grep -q '^\* 0 ' "$folder/out" || fail "the device that works is not the default"
grep -q '^  1 ' "$folder/out" || fail "the device that fails is not listed, or is chosen"
grep -q 'not usable: .*CL_BUILD_PROGRAM_FAILURE' "$folder/out" || fail "the reason is not given"
devices --json || fail "--json fails"
grep -q '"usable": false' "$folder/out" && grep -q '"reason": ".*CL_BUILD_PROGRAM_FAILURE' "$folder/out" ||
    fail "--json does not say what is unusable, and why"
devices --device 1 && fail "a device that fails its probes can be chosen"
grep -q 'CL_BUILD_PROGRAM_FAILURE' "$folder/err" || fail "choosing it does not say why it cannot be"
devices --device 0,1 && fail "a list with a device that fails its probes is taken"

rm "$folder"/cache/device-*.json
devices && fail "there is no device left, and the exit status is 0"
[ "$(grep -c 'not usable: ' "$folder/out")" -ge 2 ] || fail "devices that all fail are not all listed with reasons"
grep -q 'no device can be used' "$folder/err" || fail "it is not said that no device can be used"
echo "ok: listed with the reason, never chosen"
