/* op_case.h -- what an operator must compute: cases for it and a naive reference in double precision.
 * One table serves the operator's test (tests/support/op_check.h) and its benchmark (app/measure/bench.h);
 * the library has none of them.  host/ops/cases/<operator>.c ends with its tables:
 *
 *     static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
 *     { out[0] = op_softmax(in[0]); }
 *     static void reference(const op_case *c, const op_array *in, op_array *out) { ... }
 *     static const op_case cases[] = {
 *         { .name = "odd", .in = { { .rank = 2, .dim = { 3, 37 } } } },
 *         { .name = "a scalar input", .in = { { .rank = 0 } }, .fails = "at least one axis" },
 *     };
 *     static const op_timed timed[] = { { "softmax", "ROWSxCOLUMNS", "2048x8192", op_case_rows }, { 0 } };
 *     const op_test softmax_tests[] = { { "softmax", build, reference, OP_CASES(cases), timed }, { 0 } };
 *
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_OPS_CASES_OP_CASE_H
#define DALLE_CL_OPS_CASES_OP_CASE_H

#include "host/ops/ops.h"

#define OP_CASE_IN    10
#define OP_CASE_OUT   4
#define OP_CASE_SIZES 6

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
    op_in in[OP_CASE_IN]; /* inputs end with the first of rank 0 and role 0, unless in_count says how many */
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
    int64_t from, to; /* the rows of a result that are wanted, which are all in a test */
} op_array;

/* An operator as a case of the benchmark, op:<name>:<sizes>. */
typedef struct op_timed {
    const char *name;
    const char
        *sizes; /* what the numbers between the x are: "ROWSxCOLUMNS"; NULL: it has names of another form */
    const char *usual; /* the numbers that are timed when none are given, "2048x8192"; NULL: none */
    void (*make)(op_case *c, const int64_t *size); /* inputs and numbers, into a case of zeros */
    int64_t which;                                 /* ints[0], set before */
    double (*bytes)(const op_case *c,
                    dtype type); /* read and written by a run; NULL: all inputs and the result */
} op_timed;

typedef struct op_test {
    const char *name;
    /* Sets out[0..]; entries left NULL end the list.  out[] are kept and checked. */
    void (*build)(graph *g, const op_case *c, tensor *const *in, tensor **out);
    /* Fills rows from..to of out[k].v, which are zeros, and no others if it is timed; shapes are those of the
     * graph's outputs, which it checks with op_case_shape where they are of interest. */
    void (*reference)(const op_case *c, const op_array *in, op_array *out);
    const op_case *cases;
    int count;
    const op_timed *timed; /* ends with a NULL name; NULL: the benchmark has none */
} op_test;

#define OP_CASES(cases) cases, (int)(sizeof(cases) / sizeof((cases)[0]))

/* The tables of each file, <operator>_tests, which end with a NULL name; and all of them, which end with
 * NULL. */
#define OP_TESTS(stem) extern const op_test stem##_tests[];
#include "host/ops/cases/cases.def"
#undef OP_TESTS
extern const op_test *const op_cases[];

/* ---- Cases ----------------------------------------------------------------------------------- */

int op_case_inputs(const op_case *c); /* how many */
/* The storage of an input of this role when `type` is under test. */
dtype op_case_type(op_role role, dtype type);
bool op_case_differentiable(op_role role);
/* Input k as a tensor: a parameter where `trained` and its role has a gradient, an entry of the store if it
 * is a state. */
tensor *op_case_input(graph *g, const op_case *c, int k, dtype type, bool trained);
/* Ends the program with a message unless the output has this shape. */
void op_case_shape(const op_array *a, int rank, ...); /* int64_t sizes */

/* Of what op_timed.make often needs: one input of these sizes; x [rows, columns]; a picture [B,Y,X,C]. */
op_in op_case_in(int rank, const int64_t *dim);
void op_case_rows(op_case *c, const int64_t *size);
void op_case_picture(op_case *c, const int64_t *size);

/* ---- Values ---------------------------------------------------------------------------------- */

/* Zeros, all rows wanted; a->v is the caller's to free.  False without memory. */
bool op_case_array(op_array *a, int rank, const int64_t *dim);
/* The values of input k, random by the names of the table and of the case, rounded to its storage. */
void op_case_fill(op_array *a, const char *table, const op_case *c, int k, dtype type);
double op_case_rounded(dtype type, double v);
/* Whole tensors, through the store where they are its entries; what is read is the caller's to free. */
bool op_case_write(tensor *to, const double *v, error *err);
double *op_case_read(tensor *from, error *err);

#endif
