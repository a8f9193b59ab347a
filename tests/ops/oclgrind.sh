#!/bin/sh
# oclgrind.sh PROGRAM LOG [BUILD OPTIONS [ARGUMENTS]] -- a test at tiny sizes under Oclgrind, which reports reads
# and writes out of bounds, races and misuse of barriers.  The names of the kernels that ran go to LOG.kernels.
# In Debian 12's version several threads corrupt its heap now and then, and --uninitialized crashes; planned memory
# is NaN before every run, which shows the same.  Counting instructions, from which the names come, corrupts its heap
# in the test of attention by matrix units: OCLGRIND_COUNTS=off leaves it out.
# SPDX-License-Identifier: MIT
command -v oclgrind >/dev/null || { echo "skipped: oclgrind is not there (apt-get install oclgrind)"; exit 77; }
program=$1 log=$2 options=${3-}
if [ $# -gt 3 ]; then shift 3; else set --; fi
counts=--inst-counts
[ "${OCLGRIND_COUNTS-}" != off ] || counts=
rm -f "$log" "$log.kernels"
# shellcheck disable=SC2086
DALLE_CL_TINY=1 DALLE_CL_CACHE=off DALLE_CL_DEVICE='' oclgrind --data-races --num-threads 1 $counts \
    --build-options "$options" --log "$log" "$program" "$@" >"$log.out" 2>&1
status=$?
sed -n "s/^Instructions executed for kernel '\(.*\)':$/\1/p" "$log.out" | sort -u >"$log.kernels"
# The counts themselves are indented.
grep -v -e '^ *[0-9]* - ' -e '^Instructions executed for kernel' -e '^$' "$log.out"
rm -f "$log.out"
[ $status -eq 0 ] || exit $status
[ ! -s "$log" ] || { head -n 40 "$log"; exit 1; }
