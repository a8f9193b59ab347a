/* record_rest.c -- what a device may be asked for though no preset and no operator's test does: products by
 * the providers that stand in where the fast ones cannot, and the sum of gradients that are views.
 * SPDX-License-Identifier: MIT */
#include "host/graph/internal.h"
#include "host/ops/ops.h"
#include "tests/kernels/dry_device.h"
#include "tests/kernels/record.h"

/* m x 24 x 40 of one storage type: B's columns contiguous (a linear layer's weight), else its rows. */
static gemm_desc product(dtype type, int64_t m, bool columns)
{
    gemm_desc s = { .m = m, .n = 24, .k = 40, .batch = { 1, 1 }, .alpha = 1, .bias = true };
    s.a = (gemm_operand){ .type = type, .row = 40, .column = 1 };
    s.b = (gemm_operand){ .type = type, .row = columns ? 1 : 24, .column = columns ? 40 : 1 };
    s.c = (gemm_operand){ .type = type, .row = 24, .column = 1 };
    s.bias_type = type;
    return s;
}

static bool record_product(device *d, const char *provider, const gemm_desc *s, error *err)
{
    device_buffer *b = device_buffer_create(d, 1 << 20, err);
    device_launches *list = device_launches_create(d, err);
    gemm_plan *p = gemm_plan_create_with(d, provider, s, err);
    const gemm_buffers buffers = { b, b, b, b, b, b, b, .workspace = b };
    bool ok = b && list && p && gemm_plan_record(p, list, provider, &buffers, err);
    gemm_plan_destroy(p);
    device_launches_destroy(list);
    device_buffer_destroy(b);
    return ok;
}

static bool record_products(device *d, dtype type, error *err)
{
    const gemm_operand image = { .type = type, .image = gemm_image_same(3, 4, 5, 6) };
    for (int64_t m = 1; m <= 16; m *= 2)
        for (int columns = 0; columns < 2; ++columns) {
            gemm_desc s = product(type, m, columns);
            if (!record_product(d, "thin", &s, err) || !record_product(d, "plain", &s, err)) return false;
            s.residual = true;
            s.slope = columns ? ACTIVATION_RELU : ACTIVATION_GELU;
            if (!record_product(d, "thin", &s, err) || !record_product(d, "plain", &s, err)) return false;
        }
    gemm_desc s = product(type, 20, true);
    s.a = image;
    s.k = 3 * 3 * 6;
    s.activation = ACTIVATION_RELU;
    if (!record_product(d, "plain", &s, err)) return false;
    s.slope = ACTIVATION_RELU;
    s.residual = true;
    if (!record_product(d, "plain", &s, err)) return false;
    s = product(type, 20, true);
    s.a = image;
    s.a.image.window = (window){ { 2, 3 }, { 2, 1 }, { 1, 0 }, { 0, -1 } };
    s.m = 2 * 2;
    s.k = 2 * 3 * 6;
    if (!record_product(d, "plain", &s, err)) return false;
    s = product(type, 20, false);
    s.b = image;
    s.k = 20;
    s.n = 3 * 3 * 6;
    s.c.row = s.n;
    s.accumulate = true;
    return record_product(d, "plain", &s, err);
}

/* Neighbours along k, in whole vectors, or across it; or A is a picture of whole vectors of channels. */
static gemm_desc large_product(dtype type, bool columns, bool picture)
{
    gemm_desc s = { .m = 4096, .n = 512, .k = 9 * 64, .batch = { 1, 1 }, .alpha = 1, .bias = true };
    s.a = (gemm_operand){ .type = type, .row = columns ? 1 : s.k, .column = columns ? s.m : 1 };
    if (picture) s.a = (gemm_operand){ .type = type, .image = gemm_image_same(3, 64, 64, 64) };
    s.b = (gemm_operand){ .type = type, .row = columns ? s.n : 1, .column = columns ? 1 : s.k };
    s.c = (gemm_operand){ .type = type, .row = s.n, .column = 1 };
    s.bias_type = type;
    return s;
}

static bool record_large(device *d, const char *way, dtype type, error *err)
{
    const gemm_desc along = large_product(type, false, false), across = large_product(type, true, false),
                    picture = large_product(type, false, true);
    return record_product(d, way, &along, err) && record_product(d, way, &across, err) &&
           record_product(d, way, &picture, err);
}

/* What `tune` may choose of block, and the matrix units that devices with groups of this width may have. */
static bool record_blocks(device *d, error *err)
{
    static const char *const ways[] = { "block 128x128x8", "block 128x64x8", "block 64x64x8", "block 64x32x8",
                                        "block 32x32x16" };
    static const char *const unit_ways[] = { "block 128x64x16 units", "block 32x32x16 units",
                                             "block 64x64x16 units", "block 128x128x16 units" };
    static const char *const nvidias_ways[] = { "block 64x64x16 units deep", "block 128x64x16 units deep",
                                                "block 64x64x16 units fetched",
                                                "block 128x128x16 units fetched" };
    static const device_matrix units[] = { DEVICE_MATRIX_NVIDIA, DEVICE_MATRIX_WMMA, DEVICE_MATRIX_MFMA,
                                           DEVICE_MATRIX_DPAS_8, DEVICE_MATRIX_DPAS_16 };
    if (device_get_info(d)->kind != DEVICE_GPU) return true;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; ++i)
        if (!record_large(d, ways[i], DTYPE_F32, err)) return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; ++i) {
        const int ways_count = units[i] == DEVICE_MATRIX_DPAS_8 ? 2 : 4; /* it has no tiles of 64 sums */
        if ((device_get_info(d)->lanes == 64) != (units[i] == DEVICE_MATRIX_MFMA)) continue;
        dry_device_units(d, units[i]);
        for (int j = 0; j < ways_count; ++j)
            if (!record_large(d, unit_ways[j], j % 2 ? DTYPE_BF16 : DTYPE_F16, err)) return false;
        for (int j = 0; j < 4 && units[i] == DEVICE_MATRIX_NVIDIA; ++j)
            if (!record_large(d, nvidias_ways[j], j % 2 ? DTYPE_BF16 : DTYPE_F16, err)) return false;
        dry_device_units(d, DEVICE_MATRIX_NONE);
    }
    return true;
}

static bool record_views(device *d, dtype type, error *err)
{
    store *s = store_create(d, err);
    graph *g = s ? graph_create(s, err) : NULL;
    bool ok = g != NULL;
    if (ok) {
        tensor *a = graph_input(g, "a", type, 2, (int64_t[]){ 6, 10 });
        tensor *b = graph_input(g, "b", type, 2, (int64_t[]){ 10, 6 });
        tensor *parts[2] = { a, op_permute(b, (int[]){ 1, 0 }) };
        graph_keep(graph_accumulate(g, 2, parts));
        ok = graph_compile(g, 1, NULL, err);
    }
    graph_destroy(g);
    store_destroy(s);
    return ok;
}

bool record_rest(const char *on, error *err)
{
    static const dtype types[] = { DTYPE_F32, DTYPE_F16, DTYPE_BF16 };
    device *d = device_open(on, err);
    bool ok = d != NULL;
    for (int i = 0; ok && i < 3; ++i)
        ok = record_products(d, types[i], err) && record_views(d, types[i], err);
    ok = ok && record_blocks(d, err);
    device_close(d);
    return ok;
}
