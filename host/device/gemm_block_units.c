/* gemm_block_units.c -- which matrix unit multiplies for block: each that the device may have does two
 * products, in half and in bfloat16, and the one whose every element is right is taken.
 * SPDX-License-Identifier: MIT */
#include "host/device/backend.h"
#include <stdlib.h>
#include <string.h>

/* More than one tile of each kind of fragment, and no multiple of them. */
enum { TRIAL_M = 40, TRIAL_N = 72, TRIAL_K = 56 };
#define TRIAL_BYTES (INT64_C(1) << 14) /* for the largest of the three */

/* Whole numbers small enough to be exact in both types, sums too; different in every row and column. */
static int trial_value(int line, int k)
{
    return (line * 5 + k * 3 + line * k) % 11 - 5;
}

/* A has k along its rows; B too, as a linear layer's weight, or across them. */
static gemm_desc trial_product(dtype type, bool across)
{
    gemm_desc s = { .m = TRIAL_M, .n = TRIAL_N, .k = TRIAL_K, .batch = { 1, 1 }, .alpha = 1 };
    s.a = (gemm_operand){ .type = type, .row = TRIAL_K, .column = 1 };
    s.b = (gemm_operand){ .type = type, .row = across ? TRIAL_N : 1, .column = across ? 1 : TRIAL_K };
    s.c = (gemm_operand){ .type = DTYPE_F32, .row = TRIAL_N, .column = 1 };
    return s;
}

static bool write_operands(device *d, const gemm_desc *s, const gemm_buffers *b, error *err)
{
    unsigned char values[TRIAL_BYTES];
    for (int i = 0; i < TRIAL_M * TRIAL_K; ++i)
        dtype_store(s->a.type, values, i, (float)trial_value(i / TRIAL_K, i % TRIAL_K));
    if (!device_write(d, b->a, 0, values, TRIAL_M * TRIAL_K * 2, err)) return false;
    for (int n = 0; n < TRIAL_N; ++n)
        for (int k = 0; k < TRIAL_K; ++k)
            dtype_store(s->b.type, values, k * s->b.row + n * s->b.column, (float)trial_value(n + 2, k));
    return device_write(d, b->b, 0, values, TRIAL_N * TRIAL_K * 2, err);
}

static bool run_trial(device *d, const char *way, const gemm_desc *s, const gemm_buffers *b, float *c,
                      error *err)
{
    device_launches *list = device_launches_create(d, err);
    gemm_plan *plan = list ? gemm_plan_create_with(d, way, s, err) : NULL;
    const bool ok = plan && write_operands(d, s, b, err) && gemm_plan_record(plan, list, "trial", b, err) &&
                    device_fill(d, b->c, 0, TRIAL_BYTES, 0x7fc00000u, err) &&
                    device_launches_run(list, 0, device_launches_count(list), err) &&
                    device_read(d, b->c, 0, c, TRIAL_M * TRIAL_N * 4, err);
    gemm_plan_destroy(plan);
    device_launches_destroy(list);
    return ok;
}

bool gemm_block_right(device *d, const char *way, error *err)
{
    gemm_buffers b = { .a = device_buffer_create(d, TRIAL_BYTES, err) };
    b.b = b.a ? device_buffer_create(d, TRIAL_BYTES, err) : NULL;
    b.c = b.b ? device_buffer_create(d, TRIAL_BYTES, err) : NULL;
    bool right = b.c != NULL;
    for (int i = 0; right && i < 2; ++i) {
        float c[TRIAL_M * TRIAL_N];
        const gemm_desc s = trial_product(i ? DTYPE_BF16 : DTYPE_F16, i);
        right = run_trial(d, way, &s, &b, c, err);
        for (int m = 0; right && m < TRIAL_M; ++m)
            for (int n = 0; right && n < TRIAL_N; ++n) {
                int sum = 0;
                for (int k = 0; k < TRIAL_K; ++k) sum += trial_value(m, k) * trial_value(n + 2, k);
                right = c[m * TRIAL_N + n] == (float)sum;
            }
    }
    device_buffer_destroy(b.a);
    device_buffer_destroy(b.b);
    device_buffer_destroy(b.c);
    return right;
}

/* Where NVIDIA's is wrong with operands that get to it by themselves, it may be right without. */
bool gemm_block_units(device *d, error *err)
{
    static const struct {
        const char *vendor_word;
        device_matrix matrix;
        bool copies;
    } may_have[] = { { "nvidia", DEVICE_MATRIX_NVIDIA, true }, { "nvidia", DEVICE_MATRIX_NVIDIA, false },
                     { "amd", DEVICE_MATRIX_WMMA, false },     { "amd", DEVICE_MATRIX_MFMA, false },
                     { "intel", DEVICE_MATRIX_DPAS_8, false }, { "intel", DEVICE_MATRIX_DPAS_16, false } };
    d->info.matrix_units = DEVICE_MATRIX_NONE;
    d->info.matrix_copies = false;
    if (d->info.kind == DEVICE_CPU || d->units_barred) return true;
    for (size_t i = 0; i < sizeof may_have / sizeof *may_have; ++i) {
        error failed = { 0 };
        if (strcmp(d->info.vendor_word, may_have[i].vendor_word) != 0) continue;
        d->info.matrix_units = may_have[i].matrix;
        d->info.matrix_copies = may_have[i].copies;
        if (gemm_block_right(d, "block 32x32x16 units", &failed)) return true;
        d->info.matrix_units = DEVICE_MATRIX_NONE;
        d->info.matrix_copies = false;
        if (error_of_memory(&failed)) {
            if (err) *err = failed;
            return false;
        }
    }
    return true;
}
