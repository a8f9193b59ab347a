#!/bin/sh
# format.sh ROOT -- C and C++ are as clang-format leaves them.  Kernels are aligned by hand.
# SPDX-License-Identifier: MIT
cd "$1" || exit 1
tool=$(command -v clang-format-14) || { echo "skipped: clang-format-14 is not there (apt-get install clang-format-14)"; exit 77; }
bad=0
for file in $(find app data examples host models tests \( -name '*.[ch]' -o -name '*.cc' \) 2>/dev/null | LC_ALL=C sort); do
    "$tool" --dry-run --Werror "$file" 2>/dev/null || { echo "$file: ci/dev format would change it"; bad=1; }
done
exit $bad
