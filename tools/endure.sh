#!/bin/sh
# endure.sh PROGRAM DATA FOLDER MINUTES [KIND [SETTING...]] -- a long training that is killed again and again, and
# beside it the same one left alone: both must end alike, bit for bit. KIND is dvae (the default), SETTINGs are
# KEY=VALUE over its preset tiny. Each takes about half of the time, or has $STEPS steps. The other run is ended after
# random whiles of up to $MOST (20) seconds, by SIGKILL, SIGINT and SIGTERM; after every fifth end its newest
# checkpoint is damaged. $SEED (the time) repeats the instants as far as clocks do. FOLDER is made, and left.
# SPDX-License-Identifier: MIT
[ $# -ge 4 ] || { sed -n '2,6s/^# //p' "$0"; exit 2; }
program=$1 data=$2 folder=$3 minutes=$4 kind=${5:-dvae}
shift 4
[ $# -eq 0 ] || shift
most=${MOST:-20} seed=${SEED:-$(date +%s)}
[ ! -e "$folder" ] || { echo "$folder is there already; name another folder"; exit 2; }
mkdir -p "$folder" || exit 1
settings="-s save_every=25 -s eval_every=50 -s sample_every=500 -s holdout=0.2 -s log_every=1 -s threads=4"
for setting; do settings="$settings -s $setting"; done
# random TURN HIGHEST: a whole number from 0, the same for the same seed.
random() { awk -v s="$seed" -v t="$1" -v n="$2" 'BEGIN { srand((s * 7919 + t * 104729) % 2147483647); rand(); rand(); rand(); print int(rand() * (n + 1)) }'; }
# The numbers of a checkpoint, without what says how it came about.
numbers() { tail -c "$("$program" info "$1" --json | sed -n 's/^  "bytes": \([0-9]*\),*/\1/p')" "$1" | sha256sum; }
steps_of() { sed -n '$s/^{"step":\([0-9]*\),.*/\1/p' "$1/metrics.jsonl"; }

steps=${STEPS:-}
if [ -z "$steps" ]; then # as many as half of the time allows
    # shellcheck disable=SC2086 # settings are words
    nice -n 19 "$program" train "$kind" --run "$folder/pace" --preset tiny --data "$data" $settings -s steps=100000000 \
        --minutes 0.5 -q || exit 1
    steps=$(awk -v n="$(steps_of "$folder/pace")" -v m="$minutes" 'BEGIN { print int(n * m) + 1 }')
    rm -r "$folder/pace"
fi
echo "$steps steps, seed $seed"
began=$(date +%s)
# shellcheck disable=SC2086
nice -n 19 "$program" train "$kind" --run "$folder/whole" --preset tiny --data "$data" $settings -s "steps=$steps" -q || exit 1
alone=$(($(date +%s) - began)) began=$(date +%s)

# Ended after a random while, or by itself: the status is in $status.
end_of() {
    tenths=$(random $turn $((most * 10))) # a busy machine sleeps longer than it is told to
    until=$(($(date +%s) + tenths / 10))
    sleep "0.$((tenths % 10))"
    while [ "$(date +%s)" -lt "$until" ] && kill -0 "$1" 2>/dev/null; do sleep 0.2; done
    case $(random $((turn + 1000000)) 5) in 0) signal=INT ;; 1) signal=TERM ;; *) signal=KILL ;; esac
    kill -$signal "$1" 2>/dev/null && kills=$((kills + 1))
    wait "$1" 2>/dev/null
    status=$?
}
# One byte of the newest checkpoint is another, where there is one before it.
damage() {
    newest=$folder/killed/checkpoint.safetensors
    [ -e "$newest" ] && [ "$(find "$folder/killed" -name 'checkpoint*.safetensors' | wc -l)" -gt 1 ] || return
    at=$(random $((turn + 2000000)) $(($(wc -c <"$newest") - 1)))
    old=$(dd if="$newest" bs=1 skip="$at" count=1 2>/dev/null | od -An -tu1 | tr -d ' ')
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\$(printf %o $((old ^ 8)))" | dd of="$newest" bs=1 seek="$at" conv=notrunc 2>/dev/null
    damages=$((damages + 1))
}

turn=0 kills=0 damages=0 resumes=0 status=1
while [ $status -ne 0 ]; do
    turn=$((turn + 1))
    if [ -e "$folder/killed/run.json" ]; then
        resumes=$((resumes + 1))
        nice -n 19 "$program" train "$kind" --run "$folder/killed" --resume -q 2>>"$folder/said.txt" &
    else
        # shellcheck disable=SC2086
        nice -n 19 "$program" train "$kind" --run "$folder/killed" --preset tiny --data "$data" $settings -s "steps=$steps" -q \
            2>>"$folder/said.txt" &
    fi
    end_of $!
    [ $status -eq 0 ] || [ $status -gt 128 ] || { echo "FAILED: turn $turn: status $status"; tail -n 3 "$folder/said.txt"; exit 1; }
    [ $status -eq 0 ] || [ $((turn % 5)) -ne 0 ] || damage
done
took=$(($(date +%s) - began))
echo "ended $kills times in $took seconds and resumed $resumes times; alone it takes $alone seconds"
echo "$damages checkpoints damaged, $(grep -c 'going on from the one before' "$folder/said.txt") passed over"
cmp "$folder/whole/metrics.jsonl" "$folder/killed/metrics.jsonl" || { echo "FAILED: other metrics"; exit 1; }
for name in checkpoint best; do
    [ "$(numbers "$folder/whole/$name.safetensors")" = "$(numbers "$folder/killed/$name.safetensors")" ] ||
        { echo "FAILED: other numbers in $name.safetensors"; exit 1; }
done
echo "the same metrics ($(wc -l <"$folder/whole/metrics.jsonl") lines), the same numbers"
