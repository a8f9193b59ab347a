/* shared.h -- what operators offer each other: gradients with a kernel of their own, strided copies,
 * matrix products with a chosen result type.
 * Names: op_, gemm_, product_, split_, copy_, tensor_, and what an operator lends others.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_OPS_SHARED_H
#define DALLE_CL_OPS_SHARED_H

#include "host/ops/ops.h"

/* activation.c: dy times f's derivative at a point: what f was given, or, if activation_from_result, what it
 * gave.  Where dy is fresh from a product, that product does it, and dy itself is returned. */
tensor *activation_backward(tensor *dy, tensor *at, activation f);

/* cast.c: x itself if it has the type already. */
tensor *cast_as(tensor *x, dtype type);

/* contiguous.c: records y = x for two views of one shape, of any strides and any storage types. */
bool copy_record(binder *b, const node *n, const tensor *y, const tensor *x);
/* An operator of one input that is no view: contiguous, and starting where vectors may start. */
bool tensor_is_plain(const tensor *x);

/* slice.c: zeros of `like`'s shape, with x from `start` along `axis`. */
tensor *op_unslice(tensor *x, const tensor *like, int axis, int64_t start);

/* matmul.c: the product of a (transposed if `ta`) and b (if `tb`), stored as `type`.  Either may be
 * without leading axes. */
tensor *matmul_as(tensor *a, tensor *b, bool ta, bool tb, dtype type);

/* Operators that are a GEMM.  The last two inputs are for autograd (node.addend) and product_take_slope; any
 * may be NULL or missing, from the bias on.  A second output is the pre-activation. */
enum { PRODUCT_A, PRODUCT_B, PRODUCT_BIAS, PRODUCT_POINT, PRODUCT_RESIDUAL, PRODUCT_INPUTS };
/* What its attributes begin with. */
typedef struct product_end {
    float alpha;
    activation activation, slope;
} product_end;
/* Whether the product that makes gradient dy could take the derivative of f at `point` in as a factor. */
bool product_take_slope(tensor *dy, tensor *point, activation f);
/* Completes a descriptor of sizes and operands with all else.  Then: the bytes of its workspace or -1; and
 * recording. */
bool expect_residual(node *n); /* if there is one, it is like out[0] */
void gemm_epilogue(const node *n, gemm_desc *desc);
int64_t gemm_workspace(device *d, const gemm_desc *desc, error *err);
bool gemm_record(binder *b, const node *n, const gemm_desc *desc);

/* mask.c: whether a node can have this mask over so many queries and keys, else says so; and the arguments
 * MASK_ARGUMENTS and MASK_VALID of a kernel (cl/mask.clh). */
struct mask_bands;
bool mask_expect(const node *n, const struct mask *m, int64_t queries, int64_t keys);
void mask_call(kernel_call *c, const struct mask_bands *b);
void mask_call_valid(kernel_call *c, const tensor *valid); /* NULL: none */

/* sum.c: into how many stretches of rows a sum over rows is split, for the device alone to say; and
 * the columns that one work-item owns. */
typedef struct row_split {
    int64_t rows;   /* of a stretch */
    int64_t chunks; /* stretches */
    int64_t blocks; /* column blocks */
    int vectors;    /* VEC-wide vectors in a block */
} row_split;
row_split split_rows(const device *d, int64_t rows, int64_t columns);
/* x summed to the shape of b, which extends to x's (binary.c); in b's type. */
tensor *sum_to(tensor *x, const tensor *b);
tensor *sum_rows_times(tensor *x, float factor, dtype type); /* factor times the sum: [.., C] -> [C] */

#endif
