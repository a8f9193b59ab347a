#!/bin/sh
# cold_start.sh PROGRAM MODEL FOLDER -- a first picture with nothing kept: how many kernels it compiles, that PoCL
# compiles none twice, that helpers change nothing, that the next start compiles nothing, whichever cache is left, and
# that what is said of the time is the time.
# SPDX-License-Identifier: MIT
program=$1 model=$2 folder=$3
rm -rf "$folder"
mkdir -p "$folder" || exit 1
cd "$folder" || exit 1
unset POCL_WORK_GROUP_SPECIALIZATION DALLE_CL_DEVICE
fail() { echo "$*" >&2; exit 1; }
"$program" devices 2>/dev/null | grep -qi pocl || { echo "skipped: no PoCL"; exit 77; }

# draw NAME CACHES HELPER: NAME.png and NAME.txt
draw() {
    DALLE_CL_CACHE="$folder/$2" POCL_CACHE_DIR="$folder/$2.pocl" DALLE_CL_HELPER=$3 \
        "$program" generate -d pocl -m "$model" "man farmer" -o "$1.png" >"$1.txt" 2>"$1.err" ||
        fail "$1: $(cat "$1.err")"
}
count() { find "$folder/$1" -name "$2" | wc -l; }

mkdir helped helped.pocl alone alone.pocl
begun=$(date +%s)
draw helped helped "$program"
ended=$(date +%s)
kept=$(count helped '*.bin') compiled=$(count helped.pocl '*.so')
echo "$kept programs, $compiled kernels"
most=44 were=40
[ ! -f "$model/clip.cfg" ] || { most=58 were=54; } # 16 are drawn and judged
[ "$kept" -ge 20 ] && [ "$kept" -le $most ] || fail "$kept programs are built for a picture; $were were"
[ "$compiled" -eq "$kept" ] || fail "PoCL compiled $compiled kernels for $kept programs of one kernel"
grep -q 'building kernels' helped.err || fail "building is not announced"
said=$(sed -n 's/.* \([0-9]*\)\.[0-9] s on .*/\1/p' helped.txt)
# Not the processor's time, nor the drawing's alone, which are less than half; the rest is for a busy machine.
[ -n "$said" ] && [ $((2 * said + 2)) -ge $((ended - begun)) ] && [ "$said" -le $((ended - begun + 1)) ] ||
    fail "'$(cat helped.txt)' took $((ended - begun)) s"

draw alone alone off
cmp helped.png alone.png || fail "helpers change the picture"
[ "$(count alone '*.bin')" -eq "$kept" ] || fail "helpers build $kept programs, one process $(count alone '*.bin')"

# Our own cache is enough.
rm -rf helped.pocl && mkdir helped.pocl
draw again helped "$program"
cmp helped.png again.png || fail "kept kernels change the picture"
grep -q 'building kernels' again.err && fail "kernels were built again"
[ "$(count helped.pocl '*.so')" -le "$kept" ] || fail "PoCL compiled again"
exit 0
