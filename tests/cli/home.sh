#!/bin/sh
# home.sh PROGRAM FOLDER -- a home that cannot be written: PoCL gets a folder all the same, and nothing of it stays.
# SPDX-License-Identifier: MIT
program=$1 folder=$2
[ -f /etc/OpenCL/vendors/pocl.icd ] || { echo "skipped: no PoCL"; exit 77; }
[ ! -d "$folder" ] || chmod -R u+w "$folder"
rm -rf "$folder" && mkdir -p "$folder/home" "$folder/out" "$folder/tmp" "$folder/closed" && cd "$folder" || exit 1
fail() { echo "$1"; echo "--- said:"; cat out/said; exit 1; }
chmod 777 out tmp
chmod 555 home closed
# The superuser can write anywhere, so it is somebody else here.
as=
[ "$(id -u)" -ne 0 ] || as="setpriv --reuid=65534 --regid=65534 --clear-groups"
# shellcheck disable=SC2086
$as "$program" --version >/dev/null 2>&1 || { echo "skipped: another user cannot start the program here"; exit 77; }
# run NAME=VALUE... COMMAND: with PoCL alone, and nothing of this test's own environment.
run() {
    # shellcheck disable=SC2086
    $as env -i PATH="$PATH" OCL_ICD_VENDORS=/etc/OpenCL/vendors/pocl.icd HOME="$PWD/home" TMPDIR="$PWD/tmp" "$@" >out/said 2>&1
}
empty() { [ -z "$(ls -A "$1")" ] || fail "$1 holds $(ls -A "$1") after: $2"; }

run "$program" devices || fail "with a home that cannot be written there is no device"
grep -q '^\* 0 ' out/said || fail "no device is the default"
grep -q "home': Permission denied: compiled kernels are not kept" out/said || fail "the reason is not said"
empty tmp "a run"
run XDG_CACHE_HOME="$PWD/closed" HOME="$PWD/out" "$program" devices && empty tmp "XDG_CACHE_HOME" || fail "with XDG_CACHE_HOME there is no device"

# What a killed process has left goes, unless it is still in use; links and others' folders stay.
mkdir tmp/dalle-cl-pocl-stale0 tmp/dalle-cl-pocl-inuse0 tmp/else && : >tmp/dalle-cl-pocl-stale0/file
ln -s "$PWD/out" tmp/dalle-cl-pocl-link00
[ -z "$as" ] || chown -R 65534 tmp/dalle-cl-pocl-stale0 tmp/dalle-cl-pocl-inuse0
exec 9<tmp/dalle-cl-pocl-inuse0 && flock 9
run "$program" devices || fail "with stale folders there is no device"
[ ! -e tmp/dalle-cl-pocl-stale0 ] || fail "a stale folder stays"
[ -d tmp/dalle-cl-pocl-inuse0 ] && [ -d tmp/else ] && [ -L tmp/dalle-cl-pocl-link00 ] && [ -d out ] || fail "more than stale folders goes"
exec 9<&-
rm -rf tmp/*

# Our own cache, where it can be written, keeps PoCL's files too; what the user says is done.
run DALLE_CL_CACHE="$PWD/out/cache" "$program" devices && [ -n "$(ls out/cache/pocl)" ] || fail "our cache does not hold PoCL's"
empty tmp "a run with a cache"
run POCL_CACHE_DIR="$PWD/out/own" DALLE_CL_CACHE=off "$program" devices && [ -n "$(ls out/own)" ] || fail "POCL_CACHE_DIR is not used"
empty tmp "a run with POCL_CACHE_DIR"
run POCL_CACHE_DIR="$PWD/closed" "$program" devices
grep -q "POCL_CACHE_DIR: .*closed': Permission denied" out/said || fail "a POCL_CACHE_DIR that cannot be written is not told"

# Nothing can be written anywhere.
run TMPDIR="$PWD/closed" "$program" devices && fail "PoCL works without any folder: is this still needed?"
grep -q "home': Permission denied; nor is there a temporary folder, .*closed': Permission denied" out/said &&
    grep -q 'set POCL_CACHE_DIR to a folder' out/said || fail "it is not said what is missing"
echo "ok: a home that cannot be written is enough"
