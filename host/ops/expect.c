/* expect.c -- checks shared by operators.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"

bool expect_float(const node *n, int input, const char *what)
{
    dtype type = n->in[input]->type;
    if (dtype_is_float(type)) return true;
    return graph_fail(n->graph, "%s: %s must be of a floating type, not %s", n->def->name, what,
                      dtype_name(type));
}

bool expect_type(const node *n, int input, const char *what, dtype type)
{
    dtype is = n->in[input]->type;
    if (is == type) return true;
    return graph_fail(n->graph, "%s: %s must be %s, not %s", n->def->name, what, dtype_name(type),
                      dtype_name(is));
}

bool expect_control(const node *n, int input, const char *what, dtype type, int64_t count)
{
    return expect_type(n, input, what, type) && expect_shape(n, input, what, 1, &count);
}

bool expect_shape(const node *n, int input, const char *what, int rank, const int64_t *dim)
{
    const tensor *t = n->in[input];
    bool same = t->rank == rank;
    for (int i = 0; same && i < rank; ++i) same = t->dim[i] == dim[i];
    if (same) return true;
    tensor wanted = *t;
    wanted.rank = rank;
    for (int i = 0; i < rank; ++i) wanted.dim[i] = dim[i];
    return graph_fail(n->graph, "%s: %s must be %s, not %s", n->def->name, what, tensor_shape_text(&wanted),
                      tensor_shape_text(t));
}

bool expect_like(const node *n, int input, const char *what, int like, bool rows)
{
    int64_t dim[TENSOR_RANK_MAX];
    const tensor *t = n->in[like];
    int rank = t->rank;
    for (int i = 0; i < rank; ++i) dim[i] = t->dim[i];
    if (rows) rank = shape_of_rows(t, dim);
    return expect_shape(n, input, what, rank, dim);
}

int shape_of_rows(const tensor *t, int64_t dim[TENSOR_RANK_MAX])
{
    int rank = t->rank - 1;
    for (int i = 0; i < rank; ++i) dim[i] = t->dim[i];
    if (rank > 0) return rank;
    dim[0] = 1;
    return 1;
}
