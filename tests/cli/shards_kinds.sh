#!/bin/sh
# shards_kinds.sh PROGRAM MAKE_PICTURES FOLDER -- of the other transformers, too, ranks have the parameters among them:
# they train what one rank does, but for rounding, validate and draw, begin with a model that is whole, and take apart
# what is computed in parts.
# SPDX-License-Identifier: MIT
program=$1 make=$2 folder=$3
. "$(dirname "$0")/ranks.inc.sh"

steps="-s batch=8 -s log_every=1 -s save_every=0 -s eval_every=2 -s sample_every=2 -s steps=2 --preset tiny --data mine"
ranks() { n=$1; shift; mpi "$n" "$program" train "$@" -q --share-device >said 2>&1; }
trains() { ranks "$@" || fail "this fails: ranks $*"; }
alone() { "$program" train "$@" -q >said 2>&1 || fail "this fails: $*"; }
says() { grep -q -e "$1" said || fail "nothing says '$1'"; }
# A figure of the validation, and whether it is near another run's.
figure() { sed -n 's/^{"step":2,"kind":"eval".*"'"$2"'":\([0-9.e-]*\).*/\1/p' "$1/metrics.jsonl"; }
near() {
    awk -v a="$(figure "$1" "$3")" -v b="$(figure "$2" "$3")" 'BEGIN { exit !(a > 0 && a < 1.0002 * b && b < 1.0002 * a) }' ||
        fail "$1 ends with $3 $(figure "$1" "$3"), $2 with $(figure "$2" "$3")"
}

alone clip $steps --run clip
if ! ranks 2 clip $steps --run clip2 -s shards=2 -s recompute=yes; then
    grep -q "built without MPI" said && skip "the program is built without MPI"
    fail "two shards train nothing"
fi
near clip2 clip loss
trains 2 clip $steps --run clip4 -s shards=2 -s accumulate=2
near clip4 clip loss
for kind in ar-prior diffusion-prior; do
    alone $kind $steps --clip clip --run $kind
    trains 2 $kind $steps --clip clip --run ${kind}2 -s shards=2
    near ${kind}2 $kind loss
    near ${kind}2 $kind cosine
done
for run in clip2 ar-prior2 diffusion-prior2; do
    [ -s $run/samples/step-000002.png ] || fail "$run has drawn nothing"
done

# A run that begins with another's model begins where one rank does.
still="-s learning_rate=0"
alone clip $steps $still --init clip2 --run begun
trains 2 clip $steps $still --init clip2 --run begun2 -s shards=2
near begun2 begun loss
cmp begun/samples/step-000002.png begun2/samples/step-000002.png || fail "two shards show something else"
for kind in ar-prior diffusion-prior; do
    alone $kind $steps $still --clip clip --init $kind --run $kind-begun
    trains 2 $kind $steps $still --clip clip --init $kind --run $kind-begun2 -s shards=2
    near $kind-begun2 $kind-begun cosine
done

ranks 3 clip $steps --run no -s batch=9 -s shards=3 && fail "widths are split in three"
says "cannot be split in 3 shards; use a number of shards that divides it"
[ -e no ] && fail "a refused run leaves something"
exit 0
