#!/bin/sh
# headers.sh ROOT COMPILER FLAGS... -- every header compiles alone, dalle.h as C++ too.
# SPDX-License-Identifier: MIT
cd "$1" || exit 1
shift
bad=0
# config_def.h and config_undef.h open and close a table, so they are no use alone; host/comm/mpi is compiled where MPI
# is, with its compiler's own folders.
for header in $(find app host data models tests -name '*.h' | grep -v '/config_\(un\)\?def\.h$\|^host/comm/mpi/' | LC_ALL=C sort); do
    "$@" -x c -std=c11 -fsyntax-only -include "$header" - </dev/null || { echo "$header: does not compile alone"; bad=1; }
done
"$@" -x c++ -std=c++11 -fsyntax-only -include app/api/dalle.h - </dev/null || { echo "app/api/dalle.h: is no C++"; bad=1; }
exit $bad
