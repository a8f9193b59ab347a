#!/bin/sh
# syntax.sh PROGRAM COMPILER -- every kernel file that a GPU launches is C++ once it is translated for CUDA, by a compiler
# that is everywhere: what only OpenCL C has, such as `?:` between vectors, is found without NVRTC.  PROGRAM is
# nvrtc_compile; of a file's sets of options (tests/kernels/launched.txt) the first and the last are taken.
# SPDX-License-Identifier: MIT
set -u
program=$1 compiler=$2
cd "$(dirname "$0")/../.." || exit 1
command -v "$compiler" >/dev/null || { echo "skipped: '$compiler' is not there to compile kernels with"; exit 77; }
count=0
status=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
grep '^gpu32 ' tests/kernels/launched.txt | cut -d' ' -f2,5- | LC_ALL=C sort -u |
    awk '$1 != file { if (last != first) print last; print; file = $1; first = $0 } { last = $0 } END { print last }' >"$work/sets"
while read -r file options; do
    count=$((count + 1))
    "$program" --text "$file" >"$work/text.cc" || { status=1; continue; }
    # shellcheck disable=SC2086
    "$compiler" -std=c++17 -w -fsyntax-only -DDALLE_CL_HOST $options -include tests/cuda/double/run.h "$work/text.cc" 2>"$work/log" && continue
    echo "cl/$file.cl with $options is no C++ for CUDA:"
    head -n 6 "$work/log"
    status=1
done <"$work/sets"
echo "$count texts"
exit $status
