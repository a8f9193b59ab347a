#!/bin/sh
# room.sh PROGRAM MAKE_PICTURES LAYER DEMO FOLDER -- on a device that is made small (DALLE_CL_MEMORY), or whose memory others
# hold (the layer's CL_LAYER_MEMORY): a batch that does not fit is told of before the first step, with the batch and the
# parts that do fit, and these are right; so it is when memory runs out in the middle; drawing takes fewer at a time.
# SPDX-License-Identifier: MIT
program=$1 make=$2 layer=$3 demo=$4
. "$(dirname "$0")/said.inc.sh"
rm -rf "$5" && mkdir -p "$5" && cd "$5" || exit 1
"$program" devices >out 2>err || { echo "skipped: no device"; exit 77; }
"$make" mine 24 >/dev/null || { echo "no pictures"; exit 1; }
field() { sed 's/.*"'"$1"'":\([^,}]*\).*/\1/' out; }

export DALLE_CL_MEMORY=0.25/0.0625
runs 0 plan dvae --preset tiny --json
[ "$(field device_memory_bytes)" = 268435456 ] || failed "not a quarter of a GiB: $(field device_memory_bytes)"
[ "$(field device_buffer_bytes)" = 67108864 ] || failed "a buffer may have $(field device_buffer_bytes) bytes"
export DALLE_CL_MEMORY=2,5
runs 2 plan dvae --preset tiny
warns "DALLE_CL_MEMORY is '2,5'; it is a number of GiB"
unset DALLE_CL_MEMORY

# train STATUS KIND OPTION...: two steps with validations and sample grids.
train() {
    want=$1
    shift
    rm -rf r
    runs "$want" train "$@" --preset tiny --data mine --run r -q -s steps=2 -s eval_every=1 -s sample_every=1 -s log_every=1
}
number() { sed -n "s/.*--set $1=\([0-9]*\) fits.*/\1/p" err; }
# part SHARE FORM UNIT KIND OPTION...: of what a batch of 96 takes.
part() {
    share=$1 form=$2 unit=$3
    shift 3
    runs 0 plan "$@" --preset tiny -s batch=96 --json
    awk -v b="$(field total_bytes)" -v s="$share" -v u="$unit" 'BEGIN { m = b * s / u; printf "'"$form"'", m, m / 2 }'
}
# advice KIND OPTION...: in memory of $room, what is said of batch 96 is tried, and one more.
advice() {
    export DALLE_CL_MEMORY="$room"
    train 1 "$@" -s batch=96
    fits=$(number batch) parts=$(number accumulate)
    [ -n "$fits" ] && [ -n "$parts" ] || failed "$1: no advice"
    [ ! -s r/metrics.jsonl ] || failed "$1: it began"
    if [ "$1" = dvae ]; then
        runs 0 plan dvae --preset tiny -s batch=96
        says "--set batch=$fits fits"
        says "--set accumulate=$parts fits"
    fi
    train 0 "$@" -s batch="$fits"
    train 1 "$@" -s batch=$((fits + 1))
    [ "$(number batch)" = "$fits" ] || failed "$1: batch $fits, then $(number batch)"
    train 0 "$@" -s batch=96 -s accumulate="$parts"
    unset DALLE_CL_MEMORY
}
room=$(part 0.6 %.6f/%.6f 1073741824 dvae)
advice dvae
train 0 dvae
mv r d
room=$(part 0.7 %.6f/%.6f 1073741824 prior --side 4 --codes 32)
advice prior --dvae d
mv r p

# Others hold what the driver says it has: what can be had is tried, and the advice is right.
export OPENCL_LAYERS="$layer" CL_LAYER_MEMORY="$(part 0.75 %.0f 1048576 dvae)"
train 1 dvae -s batch=96
warns "CL_MEM_OBJECT_ALLOCATION_FAILURE"
fits=$(number batch)
[ -n "$fits" ] && [ "$fits" -gt 32 ] || failed "no advice, or too small a batch: $fits"
train 0 dvae -s batch="$fits"
unset CL_LAYER_MEMORY
# In the middle of a step, where nobody knows how much is missing.
export CL_LAYER_FAIL=clEnqueueNDRangeKernel:400:-4
runs 1 train dvae --preset tiny --data mine --run m -q -s steps=50 -s batch=32
grep -q -- "--set batch=2[0-9] fits .*--set accumulate=2 fits with batch 32" err || failed "no advice in the middle"
unset CL_LAYER_FAIL OPENCL_LAYERS

# Drawing: sixteen at once where there is room, then four, then one, the same pictures; then it says so.
runs 0 pack d p -o m
last=
for mib in 64 6 5 4 3 2.5 2 1.5 1.2 1 0.8 0.6; do
    DALLE_CL_MEMORY=$(awk -v m="$mib" 'BEGIN { printf "%.6f", m / 1024 }') "$program" generate -m m "a red square" -n 5 \
        --seed 1 -o $mib.png >out 2>err </dev/null || break
    [ -z "$last" ] || cmp -s 64.png $mib.png || failed "other pictures in $mib MiB"
    last=$mib
done
[ -n "$last" ] && [ "$last" != 64 ] || failed "it draws in no less than 64 MiB"
warns "Not even one picture at a time fits"
echo "what is said of memory is right"
