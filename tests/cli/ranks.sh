#!/bin/sh
# ranks.sh PROGRAM MAKE_PICTURES LAYER FOLDER -- ranks of a job, started by mpirun on one device that they share: N of them
# train what one does that computes a batch in N parts, bit for bit; those that differ are refused; one that is killed,
# or stands still, ends all of them with a line that names it, and the run goes on.
# SPDX-License-Identifier: MIT
program=$1 make=$2 layer=$3 folder=$4
. "$(dirname "$0")/ranks.inc.sh"

common="-q -s batch=8 -s steps=6 -s log_every=1 -s save_every=4 -s eval_every=2 -s sample_every=0"
ranks() { n=$1 kind=$2; shift 2; mpi "$n" "$program" train "$kind" $common --share-device "$@" >said 2>&1; }
trains() { ranks "$@" || fail "this fails: ranks $*"; }
alone() { kind=$1; shift; "$program" train "$kind" $common "$@" >said 2>&1 || fail "this fails: $kind $*"; }
refuses() { ranks "$@" && fail "this is not refused: $*"; }
says() { grep -q -e "$1" said || fail "nothing says '$1'"; }
alike() { cmp "$1/metrics.jsonl" "$2/metrics.jsonl" >>said 2>&1 || fail "$1 and $2 have other figures"; }
new() { echo "--preset tiny --data mine --run $1"; }

# The ones alone come first, and build kernels once for all.  A program without MPI says how to have it.
alone dvae $(new d1) -s accumulate=2
if ! ranks 2 dvae $(new d2) && grep -q "built without MPI" said; then
    says "libopenmpi-dev"
    skip "the program is built without MPI"
fi
[ -e d2 ] || fail "two ranks train nothing"

# N ranks are one with N parts; VQ's codebook, the contrastive loss and counts of tokens are of all ranks.
alike d2 d1
alone clip $(new c1) -s accumulate=4 && trains 4 clip $(new c4) && alike c4 c1
alone prior $(new p1) --dvae d2 -s accumulate=2 && trains 2 prior $(new p2) --dvae d2 && alike p2 p1
[ "$(ls -d d2/checkpoint.safetensors d2/run.json d2/config.cfg | wc -l)" -eq 3 ] || fail "a run of two is no run"
grep -q '"ranks": 2' d2/run.json || fail "run.json does not say how many ranks there were"
ls scratch/dalle-cl-rank-* >/dev/null 2>&1 && fail "a rank leaves its scratch folder"

# A run goes on with as many ranks, bit for bit, or with one.
trains 2 dvae $(new s2) -s steps=4
sed 's/^steps = 4$/steps = 6/' s2/config.cfg >c && mv c s2/config.cfg && cp -r s2 s1
common=-q
trains 2 dvae --run s2 --resume --force && alike s2 d2
alone dvae --run s1 --resume --force && [ "$(wc -l <s1/metrics.jsonl)" -eq "$(wc -l <d2/metrics.jsonl)" ] ||
    fail "one rank does not go on with the run of two"

# What does not fit, or differs, is refused by all, and nothing is left.
common="-q -s batch=8 -s steps=6"
mpi 2 "$program" train dvae $common $(new no) >said 2>&1 && fail "two ranks share a device unasked"
says "2 ranks on '.*' have 1 device: name one for each, as --device 0,1, or say that they share with --share-device"
refuses 3 dvae $(new no) && says "batch 8 is not divisible by 3" && says "use batch=9"
refuses 2 dvae $(new d2) && says "'d2' already holds a run"
cp -r mine other && rm "$(ls other/*.png | tail -n 1)"
line="train dvae $common --preset tiny --share-device --run no"
mpi 1 "$program" $line --data mine : -n 1 "$program" $line --data other >said 2>&1 && fail "ranks see other pictures"
says "the ranks differ: rank 1 on '.*' has \"hash of pictures = "
mpi 1 "$program" $line --data mine : -n 1 "$program" $line --data mine -s beta1=0.8 >said 2>&1 && fail "settings differ"
says "rank 1 on '.*' has \"beta1 = 0.8\", rank 0 on '.*' has \"beta1 = 0.9\"; start all alike"
[ -e no ] && fail "a refused run leaves something"

# A device that fails, and a disk that is full, end all, and each says where and why.
line="train dvae -q -s batch=8 -s steps=1000000 -s save_every=2 --preset tiny --share-device --data mine --run f"
mpi 1 "$program" $line : -n 1 env OPENCL_LAYERS="$layer" CL_LAYER_FAIL=clEnqueueNDRangeKernel:2000:-5 "$program" $line \
    >said 2>&1 && fail "a device that fails does no harm"
says "rank 1 on '.*clEnqueueNDRangeKernel" && says "rank 0 on '.*rank 1 on '.* has ended: .*clEnqueueNDRangeKernel"
rm -rf f
if mkdir small && unshare -m sh -c 'mount -t tmpfs -o size=150k tmpfs small' >said 2>&1; then
    timeout 120 unshare -m sh -c "mount -t tmpfs -o size=150k tmpfs small
        exec mpirun --allow-run-as-root --oversubscribe -n 2 \"$program\" ${line%f}small/f" >said 2>&1 && fail "a full disk does no harm"
    says "rank 0 on '.*No space left" && says "rank 1 on '.*rank 0 on '.* has ended: .*No space left"
fi

# One of three is killed, or stands still: the others say which, and end; the run goes on.
common="-q -s batch=9 -s steps=1000000 -s log_every=1 -s save_every=2"
victim() { ps -eo pid,comm,args | awk -v r="--run $1 " '$2 == "dalle-cl" && index($0, r) { print $1 }' | sed -n 2p; }
lines() { cat "$1/metrics.jsonl" 2>/dev/null | wc -l; }
wait_for_lines() {
    for i in $(seq 400); do [ "$(lines "$1")" -ge "$2" ] && return; sleep 0.1; done
    fail "no step is done"
}
disturb() { # SIGNAL WHAT-IS-SAID OPTION...
    signal=$1 text=$2 before=$(lines k)
    shift 2
    (ranks 3 dvae --run k "$@" || true) & job=$!
    wait_for_lines k $((before + 3))
    one=$(victim k) begun=$(date +%s)
    kill "-$signal" "$one"
    [ "$signal" = STOP ] && sleep 4 && kill -KILL "$one"
    wait $job
    [ $(($(date +%s) - begun)) -le 30 ] || fail "the others take longer than 30 s to end"
    says "rank 0 on '.*rank [12] on '.*$text" || exit 1
    says "is whole.*--resume"
}
disturb KILL "has ended" --preset tiny --data mine
common=-q
disturb STOP "has not answered for 2 s" --resume --comm-timeout 2

# A signal to one of them stops all, with a save.
before=$(lines k)
(ranks 3 dvae --run k --resume || true) & job=$!
wait_for_lines k $((before + 3))
kill -USR1 "$(victim k)"
wait $job
says "stopped and saved at step [0-9]* of 1000000; go on with: dalle-cl train dvae --run k --resume"
[ "$(grep -c "stopped and saved" said)" -eq 1 ] || fail "more than one rank says so"
exit 0
