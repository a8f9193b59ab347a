#!/bin/sh
# shards.sh PROGRAM MAKE_PICTURES FOLDER -- ranks, started by mpirun, that have a model's parameters among them: they
# train what one rank does, but for rounding; their run goes on with as many bit for bit, and with others.
# SPDX-License-Identifier: MIT
program=$1 make=$2 folder=$3
. "$(dirname "$0")/ranks.inc.sh"

steps="-s batch=8 -s log_every=1 -s save_every=4 -s eval_every=2 -s sample_every=0"
new() { echo "prior $steps -s steps=${2:-6} --preset tiny --data mine --dvae d --run $1"; }
ranks() { n=$1; shift; mpi "$n" "$program" train "$@" -q --share-device >said 2>&1; }
trains() { ranks "$@" || fail "this fails: ranks $*"; }
alone() { "$program" train "$@" -q >said 2>&1 || fail "this fails: $*"; }
says() { grep -q -e "$1" said || fail "nothing says '$1'"; }
# The last validation's loss, and whether it is near another's.
loss() { sed -n 's/^{"step":6,"kind":"eval","loss":\([0-9.e-]*\).*/\1/p' "$1/metrics.jsonl"; }
near() {
    awk -v a="$(loss "$1")" -v b="$(loss "$2")" -v t="$3" 'BEGIN { exit !(a > 0 && a < (1 + t) * b && b < (1 + t) * a) }' ||
        fail "$1 ends with $(loss "$1"), $2 with $(loss "$2")"
}

# The ones alone come first, and build kernels once for all.
alone dvae $steps -s steps=2 --preset tiny --data mine --run d
alone $(new one) -s recompute=yes
alone $(new sixteen) -s recompute=yes -s precision=paper
alone $(new wide) -s compress=powersgd -s rank=4
if ! ranks 2 $(new two) -s shards=2 -s recompute=yes; then
    grep -q "built without MPI" said && skip "the program is built without MPI"
    fail "two shards train nothing"
fi
near two one 0.0001
[ "$(wc -l <two/metrics.jsonl)" -eq "$(wc -l <one/metrics.jsonl)" ] || fail "two shards log something else"
trains 4 $(new four) -s shards=2 -s recompute=yes -s precision=paper
near four sixteen 0.001
trains 4 $(new thin) -s shards=2 -s compress=powersgd -s rank=4
grep -aq "powersgd.error.block1.up" thin/checkpoint.safetensors || fail "no piece is compressed"
near thin wide 0.02

# Samples are drawn from wholes: where nothing is learnt they are those of one rank, and the others go on.
still="-s learning_rate=0 -s sample_every=2"
alone $(new drawn 2) $still
trains 4 $(new drawn2 4) $still -s shards=2
cmp drawn/samples/step-000002.png drawn2/samples/step-000002.png || fail "two shards draw something else"
[ -s drawn2/samples/step-000004.png ] || fail "two shards draw once only"

# Where a whole does not fit beside the pieces, a run goes on without samples.
export DALLE_CL_MEMORY=0.045
trains 2 $(new tight 1) -s shards=2 -s recompute=yes -s batch=2 -s size=256 -s heads=4 -s layers=4 -s sample_every=1
unset DALLE_CL_MEMORY
says "no samples are drawn: whole the parameters take 1[0-9].[0-9] MiB"
[ -e tight/samples/step-000001.png ] && fail "samples are drawn where nothing is free"

# A whole model is in the folder, which one rank reads; the run goes on with any number of shards.
trains 2 $(new half 4) -s shards=2 -s recompute=yes
sed 's/^steps = 4$/steps = 6/' half/config.cfg >c && mv c half/config.cfg && cp -r half half1 && cp -r half half4
trains 2 prior --run half --resume --force
cmp half/metrics.jsonl two/metrics.jsonl || fail "a resumed run of two shards is another"
alone prior --run half1 --resume --force -s shards=1
near half1 one 0.0001
trains 4 prior --run half4 --resume --force -s shards=4
near half4 one 0.0001
[ "$(wc -c <half4/checkpoint.safetensors)" -eq "$(wc -c <half1/checkpoint.safetensors)" ] ||
    fail "a checkpoint of four shards is not of the size of one rank's"

# What does not fit is refused, and nothing is left.
ranks 4 $(new no) -s shards=3 && fail "four ranks are three shards"
says "4 ranks are no groups of 3 shards; start 3 or a multiple with mpirun"
ranks 2 dvae $steps --preset tiny --data mine --run no -s shards=2 && fail "a kind without shards has some"
says "its parameters cannot be split among ranks; use shards=1"
"$program" train $(new no) -s shards=2 >said 2>&1 && fail "one rank is two shards"
says "1 rank is no group of 2 shards"
ranks 4 $(new no) -s size=42 -s heads=3 -s mlp_factor=1 -s shards=4 && fail "42 x 42 is split in four"
says "size 42 cannot be split in 4 shards; use a number of shards that divides it"
[ -e no ] && fail "a refused run leaves something"

# plan takes the number from the settings, or from its option.
"$program" plan prior --preset tiny --ranks 2 -s batch=8 -s shards=2 >said 2>&1 || fail "no plan"
says "1 x 2 shards"
exit 0
