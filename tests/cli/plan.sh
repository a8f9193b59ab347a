#!/bin/sh
# plan.sh PROGRAM FOLDER -- `plan` for many ranks: what is said, JSON, the plot, and what is refused.
# SPDX-License-Identifier: MIT
program=$1
. "$(dirname "$0")/said.inc.sh"
rm -rf "$2" && mkdir -p "$2" && cd "$2" || exit 1
"$program" devices >out 2>err || { echo "skipped: no device"; exit 77; }
matches() { grep -q -- "$1" "${2-out}" || failed "does not match '$1'"; }
lacks() { ! grep -q -- "$1" out || failed "says '$1'"; }
plan() { want=$1; shift; runs "$want" plan prior --preset tiny --side 4 --codes 32 --gflops 100 "$@"; }

# Text.
plan 0 --ranks 4 --shards 2 --memory 16 --set compress=powersgd --set rank=4
says "batch 4 on 4 ranks, 2 x 2 shards, 1 part a rank: 120,624 parameters"
matches "iB  errors of compressed gradients"
matches "iB  gathered: the block at work and the next one, whole"
says "which fits 16 GiB"
matches "iB  parameters to its group, gathered twice a part"
matches "iB  to other groups, instead of .*iB: 83.3 % of the compressed matrices' numbers are not sent"
says "over links of 12.5 GB/s"
plan 0 --ranks 2 --set accumulate=2 --link 0.01 --latency 0 --memory 0.001
says "on 2 ranks, 2 parts a rank"
says "which does not fit 0.001 GiB"
matches "as given  *0.010 GB/s"
matches "iB  to other ranks"
lacks "gathered\|compressed"
plan 0 --ranks 2 --latency 1000000 && says "their messages alone take longer"
plan 0 --ranks 2 --shards 2 && lacks "during it"

# JSON: the numbers of one rank's plan come back.
field() { sed 's/.*"'"$1"'":\([^,}]*\).*/\1/' out; }
plan 0 --json && parameters=$(field parameter_bytes) average=$(field average_bytes)
plan 0 --ranks 2 --json
[ "$(field parameter_bytes)" = "$parameters" ] || failed "the parameters of a rank differ from those of one"
[ "$(field average_bytes)" = "$average" ] || failed "the averages of a rank differ from those of one"
[ "$(field gradient_bytes)" = "$parameters" ] || failed "gradients are not as large as the parameters"
[ "$(field summed_bytes)" = "$parameters.0" ] || failed "two ranks send half of the gradients and half of the sums"
says '"ranks":4096,"parts":1'
matches '"hides_from_gigabytes":[0-9]'
plan 0 --ranks 2 --latency 1000000 --json && says '"hides_from_gigabytes":null'

# The plot.
plan 0 --ranks 4 --plot times.png
[ "$(head -c 4 times.png | tail -c 3)" = PNG ] || failed "the plot is no PNG"
plan 2 --ranks 4 --plot times.jpg && warns "times.jpg"
plan 1 --ranks 4 --plot none/times.png && warns "none"
plan 2 --plot times.png && warns "use --ranks, too"
plan 2 --ranks 4 --plot - && warns "a plot goes into a file"

# Mistakes.
plan 2 --ranks 3 && warns "batch 4 is not divisible by 3, the parts of 3 ranks with accumulate 1; use --set batch=6"
plan 2 --ranks 4 --set accumulate=3 && matches "by 12, .*use --set batch=12" err
plan 2 --ranks 4 --shards 3 && warns "4 ranks are no groups of 3 shards; use --ranks 6"
plan 2 --shards 2 && warns "1 ranks are no groups of 2 shards; use --ranks 2"
plan 2 --ranks 4 --shards 2 --set compress=powersgd --set rank=60 && matches "no gradient of 2 shards .*use rank=31 or less" err
plan 2 --ranks 0 && warns "ranks"

# The paper's job.
runs 0 plan prior --preset paper --ranks 1024 --shards 8 --set precision=paper --set compress=powersgd --set rank=112 \
    --gflops 40000 --memory 16
says "batch 1024 on 1024 ranks, 128 x 8 shards, 1 part a rank: 12,292,808,448 parameters"
says "85.9 % of the compressed matrices' numbers are not sent"
