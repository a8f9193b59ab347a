/* expect.h -- what an operator's infer asks of its inputs, with the message when it is not so.
 * Each returns false after latching the mistake.
 * Names: expect_, shape_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_OPS_EXPECT_H
#define DALLE_CL_OPS_EXPECT_H

#include "host/graph/graph.h"

bool expect_float(const node *n, int input, const char *what);
bool expect_type(const node *n, int input, const char *what, dtype type);
/* A control tensor: a vector of `count` values of one type. */
bool expect_control(const node *n, int input, const char *what, dtype type, int64_t count);
/* Exactly this shape. */
bool expect_shape(const node *n, int input, const char *what, int rank, const int64_t *dim);
/* The shape of input `like`, without its last axis if `rows`. */
bool expect_like(const node *n, int input, const char *what, int like, bool rows);

/* The shape of a tensor without its last axis ([1] if nothing is left); returns the rank. */
int shape_of_rows(const tensor *t, int64_t dim[TENSOR_RANK_MAX]);

#endif
