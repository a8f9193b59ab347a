#!/bin/sh
# compress.sh PROGRAM MAKE_PICTURES FOLDER -- PROGRAM, which has the toy (tests/models/toy), trains with compressed
# gradients: it learns as without, goes on as if never stopped, and says what is sent.
# SPDX-License-Identifier: MIT
program=$1 make=$2 folder=$3
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1
fail() { echo "$1"; echo "--- said:"; tail -n 40 out err; exit 1; }
does() { "$program" "$@" >out 2>err || fail "this fails: $*"; }
says() { grep -q -e "$1" out err || fail "nothing says '$1'"; }
train() { does train toy --preset small --data mine "$@"; }

"$program" devices >out 2>err || { echo "skipped: no device"; exit 77; }
"$make" mine 8 || exit 1

# 24 x 768 and 768 x 24 as 4 columns of each: 8 (24 + 768) of 2 x 24 x 768 numbers.
does plan toy --preset small -s compress=powersgd -s rank=4
says "6336 numbers that a rank sends of 2 compressed gradients instead of 3.686e+04: 82.8 % less"
says "GiB  what is kept of compressed gradients"
does plan toy --preset small && grep -q compressed out && fail "what is not compressed is said to be"

train --run whole -q
train --run run -s compress=powersgd -s rank=4
says "gradients of 2 matrices are compressed: 82.8 % less is sent of them"
loss_of() { sed -n 's/^{"step":60,.*"loss":\([0-9.e-]*\).*/\1/p' "$1/metrics.jsonl"; }
awk -v a="$(loss_of run)" -v b="$(loss_of whole)" 'BEGIN { exit !(a > 0 && b > 0 && a < 1.5 * b) }' ||
    fail "the loss is $(loss_of run), not near $(loss_of whole)"

# On from 20 of 60 steps, in either way of keeping errors.
for type in f169 f32; do
    train --run "run.$type" -s compress=powersgd -s rank=4 -s compress_type=$type -q
    train --run short -s compress=powersgd -s rank=4 -s compress_type=$type -s steps=20 -q
    sed 's/^steps = 20$/steps = 60/' short/config.cfg >c && mv c short/config.cfg
    does train toy --run short --resume --force -q
    cmp "run.$type/metrics.jsonl" short/metrics.jsonl || fail "a resumed run with errors in $type is another"
    rm -r short
done
cmp run/metrics.jsonl run.f169/metrics.jsonl || fail "1-6-9 is not what is meant where nothing is said"

# In parts it is the same but for rounding, without sums of their own.
train --run parts -s compress=powersgd -s rank=4 -s compress_type=f32 -s accumulate=2 -q
awk -v a="$(loss_of parts)" -v b="$(loss_of run.f32)" 'BEGIN { exit !(a > 0.99 * b && a < 1.01 * b) }' ||
    fail "in two halves the loss is $(loss_of parts), not $(loss_of run.f32)"

# Errors are of gradients that are not scaled, whatever scale they have.
train --run mixed -s compress=powersgd -s rank=4 -s precision=mixed -q
awk -v a="$(loss_of mixed)" -v b="$(loss_of run)" 'BEGIN { exit !(a > 0.99 * b && a < 1.01 * b) }' ||
    fail "with a loss scale the loss is $(loss_of mixed), not $(loss_of run)"

"$program" train toy --preset small --data mine --run large -s compress=powersgd -s rank=24 >out 2>err &&
    fail "what becomes more is not refused"
says "compressed to rank 24 no gradient becomes smaller; use rank=23"

# Two ranks learn what one does; a run of theirs goes on bit for bit, or with one.
export POCL_MAX_PTHREAD_COUNT=1 OMPI_MCA_btl_base_warn_component_unused=0
leave() { echo "without ranks: $1"; exit 0; }
command -v mpirun >out || leave "there is no mpirun"
mkdir -p scratch
ranks() {
    TMPDIR=$folder/scratch timeout 120 mpirun --allow-run-as-root --oversubscribe -n 2 \
        "$program" train toy --share-device -q "$@" >out 2>err
}
both="--preset small --data mine -s compress=powersgd -s rank=4 -s save_every=20"
if ! ranks --run two $both; then
    grep -q "built without MPI" err && leave "the program is built without MPI"
    fail "two ranks train nothing"
fi
awk -v a="$(loss_of two)" -v b="$(loss_of run)" 'BEGIN { exit !(a > 0.9 * b && a < 1.1 * b) }' ||
    fail "the loss of two ranks is $(loss_of two), not near $(loss_of run)"
ranks --run short $both -s steps=20 || fail "two ranks do not train again"
sed 's/^steps = 20$/steps = 60/' short/config.cfg >c && mv c short/config.cfg && cp -r short alone
ranks --run short --resume --force || fail "two ranks do not go on"
cmp two/metrics.jsonl short/metrics.jsonl || fail "a resumed run of two ranks is another"
does train toy --run alone --resume --force -q
awk -v a="$(loss_of alone)" -v b="$(loss_of two)" 'BEGIN { exit !(a > 0.9 * b && a < 1.1 * b) }' ||
    fail "one rank that goes on comes to $(loss_of alone), not near $(loss_of two)"
