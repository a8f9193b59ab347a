/* op_check.h -- checks an operator against a naive reference in double precision.
 *
 * A test gives the operator's builder, the reference and a table of cases; op_check_main then runs,
 * for every storage type and shape of kernels (LANES x VEC):
 *   forward     every output against the reference, on inputs rounded to the storage type
 *   gradient    of sum(weights * outputs), random weights, against central differences of the reference
 *   twice       a second run gives the same bits
 *   refusals    cases with `fails` must latch a message containing that text
 * The error of a tensor is max|a-b| / max|b|.  All work memory is NaN before each run.
 *
 *     static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
 *     { out[0] = op_softmax(in[0]); }
 *     static void reference(const op_case *c, const op_array *in, op_array *out) { ... }
 *     static const op_case cases[] = {
 *         { .name = "odd", .in = { { .rank = 2, .dim = { 3, 37 } } } },
 *         { .name = "a scalar input", .in = { { .rank = 0 } }, .fails = "at least one axis" },
 *     };
 *     int main(void) { return op_check_main(&(op_test){ "softmax", build, reference, OP_CASES(cases) }); }
 *
 * The device is $DALLE_CL_DEVICE; without a device the exit status is 77.  DALLE_CL_TINY=1 runs two
 * shapes and skips cases marked `large`, for Oclgrind.  DALLE_CL_COMPILE_ONLY=1 compiles the graphs and runs
 * none of them: tests/kernels records what they would launch.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_OP_CHECK_H
#define DALLE_CL_TESTS_OP_CHECK_H

#include "host/ops/ops.h"

#define OP_CHECK_IN  10
#define OP_CHECK_OUT 4

typedef enum op_role {
    OP_VALUE,   /* a float in the storage type under test; its gradient is checked */
    OP_FIXED,   /* the same without a gradient check (the operator gives none) */
    OP_FLOAT,   /* always F32; its gradient is checked */
    OP_CONTROL, /* always F32, no gradient */
    OP_INTEGER, /* I32 from low to high, both included; low == high gives a constant */
    OP_STATE    /* like OP_FLOAT without gradient, but a store entry: for in-place operators */
} op_role;

typedef struct op_in {
    int rank;
    int64_t dim[TENSOR_RANK_MAX];
    op_role role;
    double low, high;     /* uniform in [low, high); both 0: [-1.5, 1.5) */
    const double *values; /* instead of random ones */
} op_in;

typedef struct op_case {
    const char *name;
    op_in in[OP_CHECK_IN]; /* inputs end with the first of rank 0 and role 0, unless in_count says how many */
    int in_count;
    int64_t ints[4]; /* for build and reference */
    double reals[4];
    const char *fails; /* the graph must refuse with a message that contains this */
    double eps;        /* of the central differences; 0: 1e-4 */
    double tol;   /* F32 forward and gradient; 0: 1e-5.  16-bit types: never below 2 (F16) or 16 (BF16) e-3 */
    double tol16; /* multiplies the 16-bit tolerances; 0: 1 */
    double kinks[4]; /* places where the derivative jumps: input values within `kink` of one of */
    int kink_count;  /* these are moved away from it */
    double kink;     /* 0: 0.01 */
    bool large;      /* skipped when DALLE_CL_TINY=1 */
    bool no_gradient;
    bool f32_only; /* only the F32 storage type */
} op_case;

/* A tensor in double precision, contiguous. */
typedef struct op_array {
    int rank;
    int64_t dim[TENSOR_RANK_MAX];
    int64_t count, last, rows;
    double *v;
} op_array;

typedef struct op_test {
    const char *name;
    /* Sets out[0..]; entries left NULL end the list.  out[] are kept and checked. */
    void (*build)(graph *g, const op_case *c, tensor *const *in, tensor **out);
    /* Fills out[k].v (zeroed; shapes are those of the graph's outputs, which the test checks here with
     * op_check_shape where they are of interest). */
    void (*reference)(const op_case *c, const op_array *in, op_array *out);
    const op_case *cases;
    int count;
} op_test;

#define OP_CASES(cases) cases, (int)(sizeof(cases) / sizeof((cases)[0]))

/* Runs all cases and prints one line for each that fails; returns the exit status (0, 1, or 77). */
int op_check_main(const op_test *test);
/* Several tables in one program. */
int op_check_all(int count, const op_test *tests);

/* Ends the program with a message unless the output has this shape. */
void op_check_shape(const op_array *a, int rank, ...); /* int64_t sizes */

#endif
