#!/bin/sh
# operators.sh ROOT -- every word of host/ops/ops.cmake has its three files, and no file is without its word;
# every file of cases is in the list of them.
# SPDX-License-Identifier: MIT
cd "$1" || exit 1
bad=0
complain() { echo "$1"; bad=1; }

# No kernel: views, products on the GEMM plans, and copies that use another operator's kernel.
NO_KERNEL="reshape permute slice stop_gradient straight_through matmul linear cast concat"
# No operator: what operators share.
HELPERS="attention_matrix attention_matrix_dkv attention_matrix_dq attention_short expect sort_ids windowed"
# No operator: what cases share.
OTHER_CASES="cases op_case"
# No operator: tests of several operators together.
OTHER_TESTS="random"
words=$(sed 's/#.*//' host/ops/ops.cmake | tr -s ' \t' '\n\n' | grep -v '^$')
is_in() { case " $(echo $2) " in *" $1 "*) return 0 ;; esac; return 1; }

for word in $words; do
    [ "$(echo "$words" | grep -cx "$word")" -eq 1 ] || complain "host/ops/ops.cmake: '$word' stands there twice"
    [ -f "host/ops/$word.c" ] || complain "operator $word: host/ops/$word.c is missing"
    [ -f "host/ops/cases/$word.c" ] || [ -f "tests/ops/test_$word.c" ] ||
        complain "operator $word: host/ops/cases/$word.c is missing"
    if is_in "$word" "$NO_KERNEL"; then
        [ ! -f "cl/ops/$word.cl" ] || complain "operator $word has a kernel: take it off the list in tests/lint/operators.sh"
    else
        [ -f "cl/ops/$word.cl" ] || complain "operator $word: cl/ops/$word.cl is missing"
    fi
done
for file in host/ops/*.c cl/ops/*.cl host/ops/cases/*.c tests/ops/test_*.c; do
    stem=$(basename "$file")
    stem=${stem%.*}
    case $file in
        tests/*) stem=${stem#test_}; is_in "$stem" "$OTHER_TESTS" && continue ;;
        host/ops/cases/*)
            is_in "$stem" "$OTHER_CASES" && continue
            grep -qx "OP_TESTS($stem)" host/ops/cases/cases.def || complain "$file: not in host/ops/cases/cases.def" ;;
    esac
    is_in "$stem" "$HELPERS" && continue
    is_in "$stem" "$words" || complain "$file: no operator '$stem' in host/ops/ops.cmake"
done
exit $bad
