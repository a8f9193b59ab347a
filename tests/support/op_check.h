/* op_check.h -- checks an operator against a naive reference in double precision.
 *
 * An operator's table gives its builder, its reference and cases; op_check_main then runs,
 * for every storage type and shape of kernels (LANES x VEC):
 *   forward     every output against the reference, on inputs rounded to the storage type
 *   gradient    of sum(weights * outputs), random weights, against central differences of the reference
 *   twice       a second run gives the same bits
 *   refusals    cases with `fails` must latch a message containing that text
 * The error of a tensor is max|a-b| / max|b|.  All work memory is NaN before each run.
 *
 * Tables are described in host/ops/cases/op_case.h, where those of most operators are; a test has no more of
 * its own than what they do not fit:
 *
 *     int main(void) { return op_check_main(&(op_test){ "ema", build, reference, OP_CASES(cases) }); }
 *
 * The device is $DALLE_CL_DEVICE; without a device the exit status is 77.  DALLE_CL_TINY=1 runs two
 * shapes and skips cases marked `large`, for Oclgrind.  DALLE_CL_COMPILE_ONLY=1 compiles the graphs and runs
 * none of them: tests/kernels records what they would launch.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_OP_CHECK_H
#define DALLE_CL_TESTS_OP_CHECK_H

#include "host/ops/cases/op_case.h"

/* Runs all cases and prints one line for each that fails; returns the exit status (0, 1, or 77). */
int op_check_main(const op_test *test);
/* Several tables in one program; a NULL name ends them, or their number. */
int op_check_all(int count, const op_test *tests);
int op_check_tables(const op_test *tests);

#endif
