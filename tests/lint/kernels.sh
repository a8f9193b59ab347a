#!/bin/sh
# kernels.sh ROOT -- every kernel compiles offline, in every storage type and shape, with each line of
# options that tests/lint/kernels.txt has for its file.
# SPDX-License-Identifier: MIT
cd "$1" || exit 1
clang=$(command -v clang-14 || command -v clang) || { echo "skipped: clang is not there (apt-get install clang-14)"; exit 77; }
list=$(mktemp)
trap 'rm -f "$list"' EXIT

# Operands whose default is a float take the storage type under test; ids and positions stay I32.
float_operands() {
    headers=$(sed -n 's/^#include "\(.*\)"/cl\/\1/p' "$1")
    for header in $headers; do headers="$headers $(sed -n 's/^#include "\(.*\)"/cl\/\1/p' "$header")"; done
    always=$(sed -n "s|^float ${name%.cl}:||p" tests/lint/kernels.txt)
    # shellcheck disable=SC2086
    sed -n 's/^#define \([A-Z0-9_]*_STORE\) STORE_F32.*/\1/p' "$1" $headers | sort -u |
        grep -vE "^($(echo $always none | tr ' ' '|'))_STORE\$"
}

for file in cl/ops/*.cl cl/gemm/*.cl cl/graph/*.cl cl/device/*.cl; do
    name=${file#cl/}
    operands=$(float_operands "$file")
    { echo; sed -n "s|^${name%.cl}:||p" tests/lint/kernels.txt; } | while IFS= read -r extra; do
        for type in F32 F16 BF16; do
            stores=
            for operand in $operands; do stores="$stores -D$operand=STORE_$type"; done
            for shape in "1 16" "1 8" "1 1" "4 4" "64 4"; do
                # shellcheck disable=SC2086
                set -- $shape
                # Storage types and shapes are independent: 16 bits in two shapes.
                [ $type = F32 ] || [ "$shape" = "1 16" ] || [ "$shape" = "64 4" ] || continue
                echo "-DLANES=$1 -DVEC=$2 $stores $(echo "$extra" | sed "s/%/STORE_$type/g") $file"
            done
        done
    done
done >"$list"

# Helpers of a shared header that one kernel does not call are no mistake.
echo "$(wc -l <"$list") compilations"
xargs -P "$(nproc)" -L 1 "$clang" -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -fsyntax-only \
    -Wall -Werror -Wno-unused-function -Icl <"$list"
