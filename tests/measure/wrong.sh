#!/bin/sh
# wrong.sh TEST CL WORK -- kernels that compute something else are found before they are timed: TEST, test_bench, with
# copies of the kernels in CL that were made wrong.
# SPDX-License-Identifier: MIT
work=$3
rm -rf "$3" && mkdir -p "$3" && cp -r "$2" "$3/cl" || exit 1

# break FILE FROM TO
break_kernel() {
    sed "s/$2/$3/" "$work/cl/$1" >"$work/changed" || exit 1
    cmp -s "$work/changed" "$work/cl/$1" && { echo "$1 has no '$2' to change"; exit 1; }
    cp "$work/changed" "$work/cl/$1"
}
break_kernel ops/log_softmax.cl 'below = log(' 'below = 0.01f + log('
break_kernel gemm/plain.cl 'float sum = 0.0f' 'float sum = 0.01f'
break_kernel ops/linear_rows.cl 'vector_sum(deep)' '0.01f + &'
exec env DALLE_CL_KERNELS="$work/cl" WRONG_KERNELS=1 "$1"
