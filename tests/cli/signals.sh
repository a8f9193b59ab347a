#!/bin/sh
# signals.sh PROGRAM LAYER FOLDER -- interrupted at any call of the driver, even one that never returns, a run
# leaves nothing or what --resume takes up; the layer raises the signals, so that nothing depends on the instant.
# SPDX-License-Identifier: MIT
program=$1 layer=$2 folder=$3
. "$(dirname "$0")/set.sh"
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1
set=set
make_set $set
fail() { echo "$1"; echo "--- said:"; cat err; exit 1; }
"$program" devices >out 2>err || { echo "skipped: no device"; exit 77; }

# interrupted SIGNAL CALL:NTH stall|pass ARGUMENT...: runs with the signal raised there; the status is in $got.
interrupted() {
    signal=$1 at=$2 then=$3
    shift 3
    [ "$then" = stall ] || at_stall=
    [ "$then" = pass ] || at_stall=$at
    OPENCL_LAYERS=$layer CL_LAYER_SIGNAL=$at:$signal CL_LAYER_STALL=$at_stall timeout -k 1 300 "$program" "$@" >out 2>err
    got=$?
}
# A driver that compiles, or does anything else before the first step, and never comes back.
for at in clCreateContext:1 clEnqueueNDRangeKernel:1 clEnqueueNDRangeKernel:20; do
    interrupted 2 $at stall train dvae --preset tiny --data "$set" --run early -s steps=20000 -q
    [ $got -eq 130 ] || fail "interrupted in $at: status $got, not 130"
    [ "$(grep -c 'stopped before the first step' err)" -eq 1 ] || fail "interrupted in $at: not said once"
    if [ -e early ]; then
        grep -q -e '--resume' err || fail "interrupted in $at: there is a run, and how to go on is not said"
        timeout 300 "$program" train dvae --run early --resume --minutes 0.0001 -q 2>err || fail "what $at left cannot be resumed"
        rm -r early
    else
        grep -q 'nothing of the run was kept' err || fail "interrupted in $at: it is not said that nothing was kept"
    fi
done
DALLE_CL_CACHE=$PWD/none interrupted 15 clBuildProgram:1 stall train dvae --preset tiny --data "$set" --run cold -q
[ $got -eq 143 ] && [ ! -e cold ] || fail "interrupted while kernels are built for the first time: status $got"

# A command that writes a file leaves no part of it.
"$program" data emoji --size 8 -o whole.tar -q >out 2>err && { # without the packages there is nothing to interrupt
    "$program" data emoji --size 8 -o cut.tar -q >out 2>err &
    child=$!
    until ls cut.tar* >/dev/null 2>&1; do kill -0 $child 2>/dev/null || break; done
    kill -TERM $child 2>/dev/null
    wait $child
    got=$?
    if [ $got -eq 143 ]; then
        grep -q 'stopped; nothing was written' err || fail "data emoji does not say that it was stopped"
        [ -z "$(ls -A . | grep cut.tar)" ] || fail "data emoji leaves a part: $(ls -A . | grep cut.tar)"
    else
        [ $got -eq 0 ] && [ -s cut.tar ] || fail "data emoji, interrupted: status $got"
    fi
}

# Once there is something to save, it is saved: by each signal that ends a run.
for signal in 1 2 10 12 15 24; do
    interrupted $signal clEnqueueNDRangeKernel:3000 pass train dvae --preset tiny --data "$set" --run r$signal -s steps=20000 \
        -s save_every=20000 -q
    [ $got -eq $((128 + signal)) ] || fail "signal $signal: status $got"
    grep -q 'stopped and saved at step [1-9]' err || fail "signal $signal: nothing is saved"
    timeout 300 "$program" train dvae --run r$signal --resume --minutes 0.0001 2>err || fail "signal $signal: not resumed"
    grep -q "resuming 'r$signal' at step [1-9]" err || fail "signal $signal: the run begins anew"
done
(
    trap '' HUP # as nohup does; timeout would undo it
    OPENCL_LAYERS=$layer CL_LAYER_SIGNAL=clEnqueueNDRangeKernel:3000:1 \
        "$program" train dvae --preset tiny --data "$set" --run nohup -s steps=200 -q >out 2>err
    got=$?
    [ $got -eq 0 ] || fail "under nohup, SIGHUP ends the run: status $got"
) || exit 1

# A prior's folder holds its tokenizer before anything can be resumed.
"$program" train dvae --preset tiny --data "$set" --run dvae -s steps=5 -q 2>err || fail "training fails"
for nth in 1 2 5; do
    interrupted 2 clEnqueueNDRangeKernel:$nth stall train prior --preset tiny --data "$set" --dvae dvae --run prior \
        -s text_vocabulary=288 -s steps=20000 -q
    [ $got -eq 130 ] || fail "a prior interrupted in launch $nth: status $got"
    if [ -e prior ]; then
        [ -e prior/run.json ] || fail "a prior interrupted in launch $nth leaves half a run: $(ls prior)"
        timeout 300 "$program" train prior --run prior --resume --minutes 0.0001 -q 2>err || fail "launch $nth: not resumed"
        rm -r prior
    fi
done

# Whoever reads the figures goes away.
{ timeout 300 "$program" train dvae --preset tiny --data "$set" --run pipe -s steps=20000 -s save_every=20000 --json 2>err; echo $? >status; } |
    head -n 1 >out
[ "$(cat status)" -eq 141 ] && grep -q 'stopped and saved' err || fail "a closed pipe ends the run unsaved: status $(cat status)"

# A second Ctrl-C ends at once what will not end: the run is past its first step then, and says that it is stopping.
OPENCL_LAYERS=$layer CL_LAYER_SIGNAL=clEnqueueNDRangeKernel:3000:2 CL_LAYER_STALL=clEnqueueNDRangeKernel:3000 \
    "$program" train dvae --preset tiny --data "$set" --run stuck -s steps=20000 -q >out 2>err &
child=$!
tries=0
until grep -q 'stopping: ' err; do
    tries=$((tries + 1))
    [ $tries -lt 1200 ] || { kill -9 $child; fail "it is not said that a run is stopping"; }
    sleep 0.1
done
kill -INT $child
wait $child
got=$?
[ $got -eq 130 ] || fail "a second Ctrl-C: status $got"

# Closed streams: no file takes their place.
"$program" train dvae --preset tiny --data "$set" --run closed -s steps=20 2>&- >&- <&- || fail "closed streams end a run"
"$program" info closed >out 2>err || fail "with closed streams something was written over"
grep -q step closed/checkpoint.safetensors && [ "$(head -c 6 closed/metrics.jsonl)" = '{"step' ] || fail "figures are overwritten"
"$program" config dvae 2>err >&- && fail "a closed standard output is not noticed"
echo "ok: interrupted runs are whole or gone"
