/* cases.c -- all tables of cases, for the benchmark.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

#define OP_TESTS(stem) stem##_tests,
const op_test *const op_cases[] = {
#include "host/ops/cases/cases.def"
    NULL
};
