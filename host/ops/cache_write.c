/* cache_write.c -- cache[b, h, position + i, d] = x[b mod n, h, i, d], in place; rows past the end are left
 * out. x of n batch rows goes to every n-th row of the cache; token ids are moved too.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

static bool cache_write_infer(node *n)
{
    const tensor *cache = n->in[0], *x = n->in[1];
    bool tokens = cache->type == DTYPE_I32 && x->type == DTYPE_I32; /* exact below 2^24 */
    if (!tokens && (!expect_float(n, 0, "cache") || !expect_float(n, 1, "x"))) return false;
    if (!expect_control(n, 2, "position", DTYPE_I32, 1)) return false;
    if (cache->rank != 4 || x->rank != 4 || x->dim[0] < 1 || cache->dim[0] % x->dim[0] ||
        x->dim[1] != cache->dim[1] || x->dim[3] != cache->dim[3] || x->dim[2] > cache->dim[2])
        return graph_fail(n->graph, "cache_write: x %s does not fit the cache %s", tensor_shape_text(x),
                          tensor_shape_text(cache));
    node_output_in_place(n, 0);
    return true;
}

static bool cache_write_bind(const node *n, binder *b)
{
    const tensor *x = n->in[1];
    kernel_call c = call_begin(b, n, "cache_write");
    call_tensor(&c, "CACHE", n->out[0]);
    call_tensor(&c, "X", x);
    call_tensor(&c, "POSITION", n->in[2]);
    int64_t written = tensor_count(x) / x->dim[0] * n->in[0]->dim[0];
    call_int(&c, written);
    call_int(&c, tensor_count(x));
    call_int(&c, x->dim[2]);
    call_int(&c, n->in[0]->dim[2]);
    call_int(&c, x->dim[3]);
    return call_elements(&c, written);
}

static const op_def cache_write = { .name = "cache_write",
                                    .infer = cache_write_infer,
                                    .bind = cache_write_bind };

tensor *op_cache_write(tensor *cache, tensor *x, tensor *position)
{
    tensor *in[] = { cache, op_contiguous(x), position };
    return graph_node1(cache->graph, &cache_write, 3, in, NULL, 0);
}
