#!/bin/sh
# tools.sh SOURCE FOLDER CC -- what the kit stands on: a command that is ended in time whatever it does, a loader that is
# written into programs, a driver that is loaded alone, and the comparison of two trainings.
# SPDX-License-Identifier: MIT
set -eu
source=$1 folder=$2 cc=$3
[ "$(uname -m)" = x86_64 ] || { echo "skipped: kits are for x86-64"; exit 77; }
rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
flags="-std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
# shellcheck disable=SC2086
{
    for tool in step interp; do $cc $flags -static "$source/ci/kit/$tool.c" -o $tool; done
    $cc $flags -DCL_TARGET_OPENCL_VERSION=120 "$source/ci/kit/icd.c" -o icd -ldl
}
fail() { echo "$1"; exit 1; }

# ends WORD SECONDS-AT-MOST LIMIT COMMAND...
ends() {
    wanted=$1 most=$2
    shift 2
    began=$(date +%s)
    status=0
    limit=$1
    shift
    got=$(./step "$limit" output "$@") || status=$?
    [ "${got%% *}" = "$wanted" ] || fail "'$*' ended '$got', not '$wanted'"
    [ $(($(date +%s) - began)) -le "$most" ] || fail "'$*' took $(($(date +%s) - began)) s"
    case $wanted in ok | skipped) [ $status -eq 0 ] ;; *) [ $status -eq 1 ] ;; esac || fail "'$*': status $status"
}
none_left() { ! ps -eo args | grep -v grep | grep -qx "$1" || fail "left running: $1"; }

ends ok 4 5 true
ends skipped 4 5 sh -c 'exit 77'
ends failed-3 4 5 sh -c 'exit 3'
ends crashed-SEGV 4 5 sh -c 'kill -SEGV $$'
ends missing 4 5 ./nothing-here
grep -q "cannot run './nothing-here'" output || fail "a missing program is not named"
ends flood 8 30 yes
ends late 8 1 sleep 4711
none_left "sleep 4711"
# One that is deaf to SIGTERM, one that left the group, one whose parent is gone.
ends late 8 1 sh -c 'trap "" TERM; setsid sleep 4712 & (sleep 4713 &); sleep 4714'
for id in 4712 4713 4714; do none_left "sleep $id"; done
ends ok 8 5 sh -c '(setsid sleep 4715 &); exit 0'
none_left "sleep 4715"
./step 60 output sleep 4716 >result &
step=$!
sleep 1
kill -TERM $step
wait $step || true
grep -q '^stopped ' result || fail "after SIGTERM: $(cat result)"
none_left "sleep 4716"
for wrong in "" "x output true" "-1 output true" "1 output"; do
    status=0
    # shellcheck disable=SC2086
    ./step $wrong >/dev/null 2>&1 || status=$?
    [ $status -eq 2 ] || fail "step '$wrong': status $status"
done

# A program started by a loader at another place, again and again, and under a long name.
loader=$(readlink -f /lib64/ld-linux-x86-64.so.2)
printf '#include <stdio.h>\nint main(void) { puts("runs"); return 0; }\n' >hello.c
$cc hello.c -o hello
long=$(printf '%0200d' 0)
mkdir -p "$long"
for place in first "$long/second"; do
    ln -sf "$loader" "$place"
    ./interp "$folder/$place" hello
    size=$(wc -c <hello)
    ./interp "$folder/$place" hello
    [ "$(wc -c <hello)" -eq "$size" ] || fail "setting the same loader twice changed the program"
    [ "$(./hello)" = runs ] || fail "it does not run with its loader at $place"
done
rm "$long/second"
! ./hello 2>/dev/null || fail "it runs without the loader that was set"
cp "$source/LICENSE" text
! ./interp "$folder/first" text 2>message || fail "a text was given a loader"
grep -q "cannot set the loader of 'text'" message || fail "interp said: $(cat message)"
! ./interp relative hello 2>/dev/null || fail "a loader with a relative path was taken"

$cc -shared -fPIC -DDRIVER='"works"' -D_GNU_SOURCE "$source/tests/kit/fake.c" -o works.so
$cc -shared -fPIC -DDRIVER='"aborts"' -D_GNU_SOURCE "$source/tests/kit/fake.c" -o aborts.so
printf 'int nothing(void);\nint nothing(void) { return 0; }\n' >nothing.c
$cc -shared -fPIC nothing.c -o nothing.so
ends ok 4 5 ./icd ./works.so
grep -qx '1 platform' output || fail "a driver: $(cat output)"
ends crashed-ABRT 4 5 ./icd ./aborts.so
ends failed-1 4 5 ./icd ./nothing.so
grep -q 'it is no OpenCL driver' output || fail "no driver: $(cat output)"
ends failed-1 4 5 ./icd ./text
grep -q 'text: .*header' output || fail "no library: $(cat output)"

# compared WANTED LOSS...: with a reference of 1 at steps 10, 20, 30.
mkdir -p agree
for step in 10 20 30; do echo "{\"step\":$step,\"loss\":1,\"text\":5}"; done >agree/train-x.jsonl
echo '{"step":20,"kind":"eval","loss":7}' >>agree/train-x.jsonl
compared() {
    wanted=$1 step=0
    shift
    for loss in "$@"; do step=$((step + 10)); echo "{\"step\":$step,\"loss\":$loss}"; done >metrics.jsonl
    echo '{"step":99,"lo' >>metrics.jsonl
    : >times.jsonl
    got=$(awk -f "$source/ci/kit/train.awk" agree/train-x.jsonl metrics.jsonl times.jsonl)
    [ "$got" = "$wanted" ] || fail "losses $*: '$got', not '$wanted'"
}
compared "agrees 0 3 30 1.009 1 0.9 0" 1 0.995 1.009 5
compared "differs 0 3 30 1 1 2 0" 1 1.02 1
compared "differs 0 2 20 null 1 100 0" 1 null
compared "alone 0 0 0 - - 0 0"
echo "each ended as it should"
