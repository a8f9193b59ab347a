/* gemm_block.c -- products on GPUs of any vendor (cl/gemm_block.clh): chooses the tile, the parts of k and
 * what multiplies.  Everything depends on shape and device alone, so results do too.
 *
 * 16-bit operands are read as they lie, images are gathered while they are read, every way of ending an
 * element is in the kernel: nothing is copied but the sums of a k that is cut into parts.
 * SPDX-License-Identifier: MIT */
#include "host/device/gemm_block.h"
#include "host/device/gemm_launch.h"
#include "host/device/gemm_provider.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART_LEAST    256                /* k of a part at least: its sums are written and read once more */
#define PARTS_MAX     64                 /* where a shorter walk does not ask for more */
#define PARTIAL_BYTES (INT64_C(1) << 28) /* of all parts' sums, likewise */
#define GROUPS_WANTED 2                  /* of a compute unit */
#define UNIT_DEPTH    16                 /* k of one multiplication by a matrix unit, of any vendor */

/* From large to small: a work-item has 64 sums, 32, or, in the two smallest, 16. */
static const block_shape SHAPES[] = { { 128, 128, 8, 16, 16 }, { 128, 64, 8, 16, 16 }, { 64, 64, 8, 8, 8 },
                                      { 64, 32, 8, 8, 8 },     { 32, 32, 16, 8, 8 },   { 16, 16, 16, 4, 4 } };
enum { SHAPES_COUNT = sizeof SHAPES / sizeof *SHAPES, FOR_ALL_UNITS = SHAPES_COUNT - 2 };

/* Work-items that hold a unit's fragments together, by device_matrix. */
static const int UNIT_LANES[] = { 1, 32, 32, 64, 8, 16 };

/* ---- What a device can do -------------------------------------------------------------------- */

static block_shape shape_for(block_shape s, device_matrix matrix)
{
    if (matrix != DEVICE_MATRIX_NONE) s.k = UNIT_DEPTH;
    return s;
}

/* As cl/gemm_block.clh counts it: two halves of both tiles, or the rows of sums on their way out. */
static int64_t local_bytes(block_shape s, device_matrix matrix)
{
    if (matrix != DEVICE_MATRIX_NONE) return INT64_C(4) * (s.m + s.n) * (s.k + 8);
    return INT64_C(8) * s.k * (s.m + s.n + 8);
}

static bool fits(const device *d, block_shape s, device_matrix matrix)
{
    const device_info *info = device_get_info(d);
    const int group = s.down * s.across, sums = s.m * s.n / group;
    /* Intel's have 128 registers for all of a thread's work-items. */
    if (sums > 32 && matrix != DEVICE_MATRIX_DPAS_16 && info->kind == DEVICE_GPU &&
        strcmp(info->vendor_word, "intel") == 0)
        return false;
    return group <= info->max_group && local_bytes(s, matrix) <= info->local_bytes &&
           group % UNIT_LANES[matrix] == 0;
}

/* Three halves, for two steps on their way. */
static bool fits_deep(const device *d, block_shape s, device_matrix matrix)
{
    return 3 * local_bytes(s, matrix) <= 2 * device_get_info(d)->local_bytes;
}

static bool for_units(const gemm_desc *desc)
{
    return desc->a.type == desc->b.type && (desc->a.type == DTYPE_F16 || desc->a.type == DTYPE_BF16);
}

static bool block_supports(device *d, const gemm_desc *desc)
{
    (void)desc;
    return fits(d, SHAPES[SHAPES_COUNT - 1], DEVICE_MATRIX_NONE);
}

bool gemm_block_suits(device *d, const gemm_desc *desc)
{
    return device_get_info(d)->kind != DEVICE_CPU && block_supports(d, desc) &&
           (desc->a.type != DTYPE_F32 || desc->b.type != DTYPE_F32);
}

/* ---- Choosing -------------------------------------------------------------------------------- */

static int64_t tiles_of(const gemm_desc *g, block_shape s)
{
    return gemm_ceil_div(g->m, s.m) * gemm_ceil_div(g->n, s.n) * g->batch[0] * g->batch[1];
}

/* Elements of C that the tiles have room for. */
static int64_t covered(const gemm_desc *g, block_shape s)
{
    return gemm_round_up(g->m, s.m) * gemm_round_up(g->n, s.n);
}

/* Parts of k that give every compute unit its groups. */
static int64_t parts_wanted(const device *d, const gemm_desc *g, block_shape s)
{
    const int64_t units = device_get_info(d)->compute_units,
                  bytes = 4 * g->m * g->n * g->batch[0] * g->batch[1];
    int64_t parts = GROUPS_WANTED * units / tiles_of(g, s);
    parts = gemm_least(parts, gemm_least(g->k / PART_LEAST, PARTS_MAX));
    return gemm_most(1, gemm_least(parts, PARTIAL_BYTES / gemm_most(bytes, 1)));
}

/* The largest tile that leaves no compute unit idle and covers little more than C; else the one that comes
 * nearest to it, which is the smallest that is worth it. */
static block_shape choose_shape(const device *d, const gemm_desc *g, device_matrix matrix)
{
    const int64_t units = device_get_info(d)->compute_units;
    block_shape best = SHAPES[SHAPES_COUNT - 1];
    /* A CPU runs a group's work-items one after another, and llvmpipe takes no more than 32. */
    if (device_get_info(d)->kind == DEVICE_CPU && matrix == DEVICE_MATRIX_NONE) return best;
    for (int i = SHAPES_COUNT - 1; i >= 0; --i) {
        const block_shape s = shape_for(SHAPES[i], matrix);
        if (!fits(d, s, matrix)) continue;
        const bool first = i == SHAPES_COUNT - 1 || !fits(d, best, matrix);
        const bool busy = tiles_of(g, s) * parts_wanted(d, g, s) >= units;
        const bool tight = 4 * covered(g, s) <= 5 * covered(g, best);
        /* 16 x 16 reads twice what 32 x 32 does: only for what is no larger, or devices of small groups. */
        const bool larger = best.m < 32 && (g->m > best.m || g->n > best.n);
        if (first || (tight && busy) || larger) best = s;
    }
    return best;
}

/* A step's worth at least in each; no longer walk than a device is trusted with. */
static void cut(block_plan *p, int64_t parts)
{
    const int64_t k = p->desc.k, step = p->shape.k;
    parts = gemm_most(parts, gemm_ceil_div(k, step * DEVICE_LONGEST_WALK));
    p->part_k = gemm_round_up(gemm_ceil_div(k, gemm_least(parts, gemm_ceil_div(k, step))), step);
    p->parts = gemm_ceil_div(k, p->part_k);
}

/* ---- Variants -------------------------------------------------------------------------------- */

/* How operands get to NVIDIA's unit: by themselves, a step ahead; " deep", two steps; or " fetched", by way
 * of the registers, as to all others'. */
static const char *parse_copies(block_plan *p, const device *d, const char *variant)
{
    p->copies = p->matrix == DEVICE_MATRIX_NVIDIA && (p->emulated || device_get_info(d)->matrix_copies);
    if (!p->copies) return variant;
    if (strncmp(variant, " deep", 5) == 0) {
        p->halves = 3;
        return variant + 5;
    }
    p->copies = strncmp(variant, " fetched", 8) != 0;
    return p->copies ? variant : variant + 8;
}

/* "64x64x8", "64x64x16 units", "64x64x8 in 4": a tile, by the device's matrix units, k in so many parts;
 * "emulated N" for tests: as by the matrix units of that number. */
static bool parse(block_plan *p, const device *d, const char *variant, int64_t *parts)
{
    block_shape s = { 0 };
    int used = 0, number = 0;
    if (sscanf(variant, "%dx%dx%d%n", &s.m, &s.n, &s.k, &used) != 3) return false;
    variant += used;
    p->matrix = DEVICE_MATRIX_NONE;
    if (strncmp(variant, " units", 6) == 0) {
        p->matrix = device_get_info(d)->matrix_units;
        if (p->matrix == DEVICE_MATRIX_NONE) return false;
        variant += 6;
    } else if (used = 0, sscanf(variant, " emulated %d%n", &number, &used) == 1 && used) {
        if (number <= DEVICE_MATRIX_NONE || number >= DEVICE_MATRIX_COUNT) return false;
        p->matrix = (device_matrix)number;
        p->emulated = true;
        variant += used;
    }
    variant = parse_copies(p, d, variant);
    if (used = 0, number = 0, sscanf(variant, " in %d%n", &number, &used) == 1 && used) {
        if (number < 1) return false;
        variant += used;
    }
    *parts = number;
    if (*variant || (p->matrix != DEVICE_MATRIX_NONE && !for_units(&p->desc))) return false;
    for (int i = 0; i < SHAPES_COUNT; ++i) {
        p->shape = shape_for(SHAPES[i], p->matrix);
        if (p->shape.m == s.m && p->shape.n == s.n && p->shape.k == s.k)
            return fits(d, p->shape, p->matrix) && (p->halves == 2 || fits_deep(d, p->shape, p->matrix));
    }
    return false;
}

static device_matrix units_for(device *d, const gemm_desc *desc)
{
    const device_matrix matrix = device_get_info(d)->matrix_units;
    return for_units(desc) && fits(d, shape_for(SHAPES[FOR_ALL_UNITS], matrix), matrix) ? matrix
                                                                                        : DEVICE_MATRIX_NONE;
}

/* Each tile in registers, the square ones by units, then the chosen tile with k in parts, and, where operands
 * can go to its unit by themselves, two steps ahead, and as they go to others. */
static bool block_variant(device *d, const gemm_desc *desc, int i, char name[GEMM_WAY_SIZE])
{
    static const int parts[] = { 4, 16 };
    static const char *const goes[] = { "deep", "fetched" };
    const device_matrix units = units_for(d, desc);
    for (int by = 0; by < (units == DEVICE_MATRIX_NONE ? 1 : 2); ++by)
        for (int j = 0; j < SHAPES_COUNT - 1; ++j) {
            const device_matrix matrix = by ? units : DEVICE_MATRIX_NONE;
            const block_shape s = shape_for(SHAPES[j], matrix);
            if ((by && s.m != s.n) || !fits(d, s, matrix) || i-- > 0) continue;
            snprintf(name, GEMM_WAY_SIZE, "%dx%dx%d%s", s.m, s.n, s.k, by ? " units" : "");
            return true;
        }
    const block_shape s = choose_shape(d, desc, units);
    for (int j = 0; j < 2; ++j) {
        if (desc->k < (int64_t)parts[j] * PART_LEAST || i-- > 0) continue;
        snprintf(name, GEMM_WAY_SIZE, "%dx%dx%d%s in %d", s.m, s.n, s.k, units ? " units" : "", parts[j]);
        return true;
    }
    const bool copies = units == DEVICE_MATRIX_NVIDIA && device_get_info(d)->matrix_copies;
    for (int j = copies && fits_deep(d, s, units) ? 0 : 1; copies && j < 2; ++j) {
        if (i-- > 0) continue;
        snprintf(name, GEMM_WAY_SIZE, "%dx%dx%d units %s", s.m, s.n, s.k, goes[j]);
        return true;
    }
    return false;
}

/* ---- Planning -------------------------------------------------------------------------------- */

/* C^T = B^T A^T. */
static void exchange(gemm_desc *s)
{
    const gemm_operand a = s->a;
    s->a = s->b;
    s->b = a;
    gemm_operand *all[3] = { &s->a, &s->b, &s->c };
    for (int i = 0; i < 3; ++i) {
        const int64_t row = all[i]->row;
        all[i]->row = all[i]->column;
        all[i]->column = row;
    }
    const int64_t m = s->m;
    s->m = s->n;
    s->n = m;
}

static bool block_plan_shape(device *d, const gemm_desc *desc, const char *variant, int64_t *workspace_bytes,
                             void **state, error *err)
{
    block_plan *p = calloc(1, sizeof *p);
    if (!p) return error_set(err, ERROR_MEMORY, "out of memory for a plan");
    int64_t parts = 0;
    p->desc = *desc;
    p->halves = 2;
    p->swapped = desc->c.row < desc->c.column;
    if (p->swapped) exchange(&p->desc);
    if (!variant) {
        p->matrix = units_for(d, desc);
        p->copies = p->matrix == DEVICE_MATRIX_NVIDIA && device_get_info(d)->matrix_copies;
        p->shape = choose_shape(d, &p->desc, p->matrix);
    } else if (!parse(p, d, variant, &parts)) {
        free(p);
        return error_set(err, ERROR_USAGE,
                         "block has no variant '%s' here; there are tiles such as '64x64x8', of 16-bit "
                         "operands '64x64x16 units', with k in parts '64x64x8 in 4'",
                         variant);
    }
    p->subgroup = device_get_info(d)->matrix_units == DEVICE_MATRIX_DPAS_16 ? 16 : 0;
    cut(p, parts ? parts : parts_wanted(d, &p->desc, p->shape));
    *workspace_bytes = p->parts > 1 ? 4 * p->parts * desc->m * desc->n * desc->batch[0] * desc->batch[1] : 0;
    *state = p;
    return true;
}

const gemm_provider gemm_block = { "block", block_supports, block_plan_shape, gemm_block_record,
                                   block_variant };
