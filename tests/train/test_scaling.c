/* test_scaling.c -- gradients that are scaled: one scale of the loss, which halves where a step is skipped,
 * and a scale for each residual block, without which deep blocks underflow in 16 bits, and of which one can
 * overflow alone.  The model is a chain of blocks whose gradients get a hundred times smaller from one to the
 * next.
 * SPDX-License-Identifier: MIT */
#include "host/nn/nn.h"
#include "host/train/optimizer.h"
#include "tests/support/device_or_skip.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BLOCKS = 7, ROWS = 8, SIZE = 16, WIDE = 32 };

typedef struct fixture {
    device *device;
    store *store;
    graph *graph;
    tensor *x, *dy;
    optimizer *optimizer;
} fixture;

static error err;

static void must(bool ok)
{
    if (!ok) fail_msg("%s", err.message);
}

/* x + down(gelu(up(x))), in half precision from the one scale to the other. */
static tensor *block(graph *g, int number, tensor *x, tensor *scale)
{
    graph_push(g, "block%d", number);
    graph_set_block(g, scale ? number : 0);
    linear_weights up = nn_linear_weights(g, "up", SIZE, WIDE, true, 0.3f),
                   down = nn_linear_weights(g, "down", WIDE, SIZE, true,
                                            0.3f * powf(0.01f, (float)(number - 1)));
    graph_set_block(g, 0);
    tensor *h = scale ? op_block_begin(x, scale, DTYPE_F16) : x;
    h = nn_linear(&down, op_linear_gelu(h, up.weight, up.bias));
    x = scale ? op_block_end(x, h, scale) : op_add(x, h);
    graph_pop(g);
    return x;
}

static void open(fixture *f, const scaling_settings *how)
{
    const optimizer_settings settings = { .beta1 = 0.9f, .beta2 = 0.96f, .epsilon = 1e-12f, .scaling = *how };
    must((f->store = store_create(f->device, &err)) && (f->graph = graph_create(f->store, &err)));
    graph *g = f->graph;
    graph_set_half(g, DTYPE_F16);
    f->x = graph_input(g, "x", DTYPE_F32, 2, (int64_t[]){ ROWS, SIZE });
    f->dy = graph_input(g, "dy", DTYPE_F32, 2, (int64_t[]){ ROWS, SIZE });
    tensor *scales = how->block_start > 0 ? nn_block_scales(g, BLOCKS, how->block_start) : NULL;
    tensor *x = scales ? f->x : nn_half(f->x);
    for (int i = 0; i < BLOCKS; ++i) x = block(g, i + 1, x, scales ? op_slice(scales, 0, i, 1) : NULL);
    tensor *loss = op_sum_all(op_mul(op_cast(x, DTYPE_F32), f->dy));
    optimizer_backward(g, loss, &settings);
    f->optimizer = optimizer_append(g, loss, &settings);
    must(graph_compile(g, 3, "batch", &err));
}

static void close(fixture *f)
{
    graph_destroy(f->graph);
    store_destroy(f->store);
}

static void step(fixture *f, int number, float size)
{
    float x[ROWS * SIZE], dy[ROWS * SIZE];
    for (int i = 0; i < ROWS * SIZE; ++i) {
        x[i] = sinf((float)(7 * i));
        dy[i] = size * cosf((float)(3 * i));
    }
    must(graph_write(f->x, x, &err) && graph_write(f->dy, dy, &err) &&
         optimizer_schedule(f->optimizer, number, 1e-6, 1.0, &err) && graph_run(f->graph, &err));
}

static void read_entry(fixture *f, const char *name, float *values)
{
    must(store_read_f32(f->store, store_find(f->store, name), values, &err));
}

static const scaling_settings by_block = { .block_start = 13 };

/* The same scale for all, as large as the first block's gradients let it be: what of them is 0. */
static void test_one_scale_underflows(void **state)
{
    fixture *f = *state;
    float zeros[BLOCKS], rows[BLOCKS + 1][4];
    open(f, &by_block);
    step(f, 0, 2.0f);
    must(graph_read(optimizer_zeros(f->optimizer), zeros, &err) &&
         graph_read(optimizer_blocks(f->optimizer), rows, &err));
    for (int i = 0; i < BLOCKS; ++i)
        printf("block %d: scale %g, %.3f zeros\n", i + 1, (double)rows[i + 1][3], (double)zeros[i]);
    assert_true(zeros[0] == 0.0f);
    assert_true(zeros[BLOCKS - 1] > 0.4f); /* all of `up`: what comes back through `down` */
    for (int i = 0; i <= BLOCKS; ++i) assert_true(rows[i][2] == 1.0f);
    close(f);
    /* A scale eight times as large is too much wherever the gradient comes in. */
    const scaling_settings larger = { .block_start = 16 };
    open(f, &larger);
    step(f, 0, 2.0f);
    must(graph_read(optimizer_blocks(f->optimizer), rows, &err));
    for (int i = 0; i <= BLOCKS; ++i) assert_true(rows[i][2] == 0.0f);
    close(f);
}

/* Each at what it has climbed to: 2^24 at most. */
static void test_scales_of_their_own_do_not(void **state)
{
    fixture *f = *state;
    float zeros[BLOCKS], e[BLOCKS][4] = { { 0 } };
    open(f, &by_block);
    for (int i = 0; i < BLOCKS; ++i) e[i][0] = (float)fmin(11000, floor(1000 * i * log2(100)));
    must(store_write(f->store, store_find(f->store, NN_SCALES), e, &err));
    step(f, 0, 2.0f);
    must(graph_read(optimizer_zeros(f->optimizer), zeros, &err));
    for (int i = 0; i < BLOCKS; ++i)
        if (!(zeros[i] < 0.01f)) fail_msg("block %d: %.3f zeros", i + 1, (double)zeros[i]);
    close(f);
}

/* The block whose gradients overflow is left as it is and its scale falls; the others go on, theirs rise. */
static void test_overflow_is_one_blocks(void **state)
{
    fixture *f = *state;
    float before[2][SIZE * WIDE], after[2][SIZE * WIDE], e[BLOCKS][4] = { { 0 } }, rows[BLOCKS + 1][4];
    open(f, &by_block);
    e[1][0] = 11000;
    must(store_write(f->store, store_find(f->store, NN_SCALES), e, &err));
    read_entry(f, "block1.up.weight", before[0]);
    read_entry(f, "block2.up.weight", before[1]);
    step(f, 0, 2.0f);
    read_entry(f, "block1.up.weight", after[0]);
    read_entry(f, "block2.up.weight", after[1]);
    read_entry(f, NN_SCALES, e[0]);
    must(graph_read(optimizer_blocks(f->optimizer), rows, &err));
    assert_true(rows[0][2] == 1.0f && rows[1][2] == 1.0f && rows[2][2] == 0.0f);
    assert_memory_not_equal(before[0], after[0], sizeof before[0]);
    assert_memory_equal(before[1], after[1], sizeof before[1]);
    assert_true(e[0][0] == 1.0f && e[1][0] == 10500.0f && e[1][3] == 1.0f);
    close(f);
}

/* One scale of the loss: too large at first, it halves until gradients fit; nothing changes till then. */
static void test_loss_scale(void **state)
{
    fixture *f = *state;
    const scaling_settings one = { .loss_scale = 65536, .loss_scale_every = 3 };
    float before[SIZE * WIDE], after[SIZE * WIDE], status[4], norm = 0;
    int skipped = 0;
    open(f, &one);
    read_entry(f, "block1.up.weight", before);
    for (int i = 0; i < 16; ++i) {
        step(f, i, 100.0f);
        must(graph_read(optimizer_status(f->optimizer), status, &err));
        read_entry(f, "block1.up.weight", after);
        if (status[2] == 0.0f) {
            assert_true(norm > 0 || status[3] == ldexpf(65536, -skipped));
            if (norm == 0) assert_memory_equal(before, after, sizeof before);
            ++skipped;
            continue;
        }
        if (norm == 0) assert_true(skipped > 0);
        norm = norm > 0 ? norm : status[1];
        /* The norm is of gradients as they are, whatever the scale. */
        assert_true(fabsf(status[1] - norm) < 0.05f * norm);
    }
    assert_true(norm > 0 && skipped < 12);
    assert_memory_not_equal(before, after, sizeof before);
    float e[4];
    read_entry(f, "loss_scale", e);
    assert_true(e[3] == (float)skipped && e[0] < 0.0f);
    close(f);
}

int main(void)
{
    fixture f = { .device = device_or_skip() };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_one_scale_underflows, &f),
        cmocka_unit_test_prestate(test_scales_of_their_own_do_not, &f),
        cmocka_unit_test_prestate(test_overflow_is_one_blocks, &f),
        cmocka_unit_test_prestate(test_loss_scale, &f),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(f.device);
    return failed;
}
