#!/bin/sh
# kills.sh TOY LAYER MAKE_PICTURES FOLDER -- a run that is killed, interrupted and loses its device at launches drawn at
# random, with one and with four threads that load, sees the same pictures and ends as the one left alone; one that
# stopped for broken pictures goes on when they are mended; pack and info know a damaged file.
# SPDX-License-Identifier: MIT
program=$1 layer=$2 make=$3 folder=$4
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1
fail() { echo "$1"; echo "--- said:"; tail -n 20 err; exit 1; }
"$program" devices >out 2>err || { echo "skipped: no device"; exit 77; }
"$make" mine 20 || exit 1
seed=${DALLE_CL_SEED:-$(date +%s)}
echo "DALLE_CL_SEED=$seed repeats this"
set_up="--preset small -s steps=60 -s holdout=0.2 -s augment=listing1 -s log_every=1 -s save_every=7 -q"
# random TURN HIGHEST: from 1, the same for the same seed.
random() { awk -v s="$seed" -v t="$1" -v n="$2" 'BEGIN { srand((s * 7919 + t * 104729) % 2147483647); rand(); rand(); rand(); print 1 + int(rand() * n) }'; }
# The numbers of a checkpoint, without what says how it came about.
numbers() { tail -c "$("$program" info "$1" --json | sed -n 's/^  "bytes": \([0-9]*\),*/\1/p')" "$1"; }
alike() {
    cmp whole/metrics.jsonl "$1/metrics.jsonl" || fail "$1: other metrics"
    numbers whole/checkpoint.safetensors >a && numbers "$1/checkpoint.safetensors" >b && [ -s a ] && cmp a b || fail "$1: other numbers"
}

# shellcheck disable=SC2086 # settings are words
"$program" train toy --run whole --data mine $set_up -s threads=1 2>err || fail "training fails"
for threads in 1 4; do
    run=killed$threads turn=0 got=1
    while [ $got -ne 0 ]; do
        turn=$((turn + 1))
        at=clEnqueueNDRangeKernel:$((40 + $(random "$threads$turn" 400)))
        # The instant is that of a launch; the number is the signal, or what the device says when it is lost.
        case $((turn % 7)) in 0) end=2 ;; 2) end=15 ;; 4) end=1 ;; 5) end=-36 ;; *) end=9 ;; esac
        signal='' error=''
        [ $end -gt 0 ] && signal=$at:$end || error=$at:$end
        [ $turn -lt 10 ] || signal='' error='' # it comes to its end
        if [ -e $run/run.json ]; then
            # Threads may be others when it goes on.
            OPENCL_LAYERS=$layer CL_LAYER_SIGNAL=$signal CL_LAYER_FAIL=$error "$program" train toy --run $run --resume -q \
                -s threads=$((turn % 2 * 3 + 1)) 2>err
        else
            rm -rf $run
            # shellcheck disable=SC2086
            OPENCL_LAYERS=$layer CL_LAYER_SIGNAL=$signal CL_LAYER_FAIL=$error "$program" train toy --run $run --data mine $set_up -s threads=$threads 2>err
        fi
        got=$?
        [ $got -eq 0 ] || [ $got -gt 128 ] || { [ $got -eq 1 ] && [ -n "$error" ]; } || fail "$run: turn $turn ($at, $end): status $got"
        [ $got -ne 1 ] || grep -q 'clEnqueueNDRangeKernel' err || fail "$run: the device is lost, and it is not said"
        echo "$run: turn $turn, $end at $at: status $got, step $(tail -n 1 $run/metrics.jsonl 2>/dev/null | sed 's/^{"step":\([0-9]*\),.*/\1/')" >>turns
    done
    alike $run
done
[ "$(grep -c 'status 137' turns)" -ge 4 ] && grep -q 'status 1,' turns || fail "too few ends: $(cat turns)"

# A second process is refused while the first one trains.
# shellcheck disable=SC2086
OPENCL_LAYERS=$layer CL_LAYER_SIGNAL=clEnqueueNDRangeKernel:200:19 "$program" train toy --run twice --data mine $set_up 2>err &
first=$!
tries=0
until grep -q '^State:.T' /proc/$first/status 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || fail "the first process does not come to its launch"
    sleep 0.1
done
"$program" train toy --run twice --resume -q 2>err && fail "two processes train in one folder"
grep -q 'another process is training' err || fail "it is not said that another process trains"
kill -9 $first
wait $first 2>/dev/null
"$program" train toy --run twice --resume -q 2>err || fail "what a killed process has locked cannot be resumed"
alike twice

# A picture that breaks ends a run where none may be broken; mended, the run goes on as if nothing had been.
cp -r mine broken
# shellcheck disable=SC2086
OPENCL_LAYERS=$layer CL_LAYER_SIGNAL=clEnqueueNDRangeKernel:650:9 "$program" train toy --run mended --data broken $set_up -s skip_share=0 2>err
[ -e mended/checkpoint-000007.safetensors ] || fail "the run that is to meet a broken picture did not begin"
for i in 0 1 2 3 4 5 6 7 8 9; do tr '\0-\377' X <mine/$i.png >broken/$i.png; done # as many bytes as before
"$program" train toy --run mended --resume -q 2>err && fail "broken pictures are not noticed"
grep -q 'broken/[0-9].png' err || fail "it is not said which picture is broken"
cp mine/*.png broken
"$program" train toy --run mended --resume -q 2>err || fail "with mended pictures the run does not go on"
alike mended

# More of them than may be end a run with their list; allowed, it goes on.
for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do tr '\0-\377' X <mine/$i.png >broken/$i.png; done
# shellcheck disable=SC2086
"$program" train toy --run allowed --data broken $set_up 2>err && fail "a set of broken pictures trains"
grep -q 'cannot be read so far.*others: ' err || fail "the broken pictures are not listed"
[ "$(grep -c . allowed/skipped.txt)" -gt 10 ] || fail "no list of broken pictures"
"$program" train toy --run allowed --resume -q -s skip_share=0.9 2>err || fail "a larger skip_share is not taken"
grep -q 'skip_share = 0.9' allowed/config.cfg || fail "the larger skip_share is not kept"

# Whoever reads a damaged file says so.
size=$(wc -c <twice/checkpoint-000056.safetensors)
printf X | dd of=twice/checkpoint-000056.safetensors bs=1 seek=$((size - 9)) conv=notrunc 2>/dev/null
"$program" info twice/checkpoint-000056.safetensors >out 2>err && fail "info takes a damaged file"
grep -q 'checkpoint-000056.safetensors: damaged' err || fail "info does not say what is damaged"
"$program" pack twice/checkpoint-000056.safetensors -o packed 2>err && fail "a damaged checkpoint is packed"
grep -q 'checkpoint-000056.safetensors: damaged.*name another checkpoint of its run' err || fail "pack does not say what is damaged"
"$program" pack twice/checkpoint.safetensors -o packed >out 2>err || fail "a whole checkpoint is not packed"
printf X | dd of=twice/checkpoint.safetensors bs=1 seek=$((size - 9)) conv=notrunc 2>/dev/null
"$program" train toy --run twice --resume -q 2>err || fail "a run with a damaged checkpoint does not go on"
grep -q '/checkpoint.safetensors: damaged.*checkpoint-0000[0-9]*.safetensors' err || fail "it is not said which checkpoint takes its place"
cmp whole/metrics.jsonl twice/metrics.jsonl || fail "other metrics after a damaged checkpoint"
echo "ok: $(grep -c . turns) turns"
