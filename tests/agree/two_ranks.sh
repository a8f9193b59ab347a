#!/bin/sh
# two_ranks.sh PROGRAM MAKE_PICTURES FOLDER -- two ranks of a job on devices of two vendors train what one rank does, and
# go on bit for bit from what they saved, though each has rounded in its own way.
# SPDX-License-Identifier: MIT
program=$1 make=$2 folder=$3
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1
fail() { echo "$1"; echo "--- said:"; tail -n 20 said; exit 1; }
command -v mpirun >said || { echo "skipped: there is no mpirun"; exit 77; }
"$program" devices --json >devices.json 2>said || { echo "skipped: $(head -n 1 said)"; exit 77; }
vendors=$(tr ',{' '\n\n' <devices.json | sed -n 's/^ *"vendor_word": *"\([a-z]*\)".*/\1/p' | awk '!seen[$0]++')
[ "$(echo "$vendors" | wc -l)" -ge 2 ] || { echo "skipped: one driver alone ($vendors); two are needed"; exit 77; }
devices=$(echo "$vendors" | head -n 2 | paste -sd, -)
"$make" mine 8 || exit 1

train() { "$program" train dvae -q "$@" >said 2>&1 || fail "this fails: $*"; }
both() { timeout 200 mpirun --allow-run-as-root --oversubscribe -n 2 "$program" train dvae -q --device "$devices" "$@" >said 2>&1; }
new="--preset tiny --data mine -s batch=8 -s log_every=1 -s save_every=5 -s eval_every=0"
train $new -s steps=10 --run one --device "${devices%,*}"
both $new -s steps=10 --run two || { grep -q "built without MPI" said && echo "skipped: no MPI" && exit 77; fail "this fails: $devices"; }
last() { sed -n 's/^{"step":10,.*"loss":\([0-9.e-]*\),.*/\1/p' "$1/metrics.jsonl"; }
awk -v a="$(last one)" -v b="$(last two)" 'BEGIN { d = a - b; exit !(a != "" && d * d < 1e-6 * a * a) }' ||
    fail "on $devices the loss is '$(last two)', on one '$(last one)'"
both $new -s steps=5 --run half || fail "this fails: $devices"
sed 's/^steps = 5$/steps = 10/' half/config.cfg >c && mv c half/config.cfg
both --run half --resume --force || fail "it does not go on"
cmp two/metrics.jsonl half/metrics.jsonl || fail "a resumed run on $devices is another"
rm -rf "$folder"
echo "two ranks on $devices train what one does"
