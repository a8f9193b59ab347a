/* next_place.c -- {position in the stream, number of the image token, row, column} + one token, in place: a
 * step of decoding that moves on by itself needs nothing from the host.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

static bool next_place_infer(node *n)
{
    if (!expect_control(n, 0, "place", DTYPE_I32, 4)) return false;
    node_output_in_place(n, 0);
    return true;
}

static bool next_place_bind(const node *n, binder *b)
{
    kernel_call c = call_begin(b, n, "next_place");
    call_tensor(&c, "PLACE", n->out[0]);
    call_int(&c, *(const int64_t *)n->attributes);
    return call_rows(&c, 1);
}

static const op_def next_place = { .name = "next_place", .infer = next_place_infer, .bind = next_place_bind };

tensor *op_next_place(tensor *place, int64_t side)
{
    return graph_node1(place->graph, &next_place, 1, &place, &side, sizeof side);
}
