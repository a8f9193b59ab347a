#!/bin/sh
# oclgrind.sh PROGRAM LOG [BUILD OPTIONS] -- an operator's tests at tiny sizes under Oclgrind, which reports reads and writes
# out of bounds, races and misuse of barriers.  (Its --uninitialized crashes in Debian 12's version; planned
# memory is NaN before every run, which shows the same.)
# SPDX-License-Identifier: MIT
command -v oclgrind >/dev/null || { echo "skipped: oclgrind is not there (apt-get install oclgrind)"; exit 77; }
rm -f "$2"
DALLE_CL_TINY=1 DALLE_CL_CACHE=off DALLE_CL_DEVICE='' oclgrind --data-races --build-options "${3-}" --log "$2" "$1" || exit $?
[ ! -s "$2" ] || { head -n 40 "$2"; exit 1; }
