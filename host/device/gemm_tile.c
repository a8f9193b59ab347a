/* gemm_tile.c -- the register tile for CPU devices: chooses tile, blocks and split for a shape.
 * Everything here depends on shape and device alone, so results do too.
 *
 * Two plans.  Rows: B is packed once, groups own blocks of rows and columns of C.  Split: k is long and
 * C small (weight gradients), groups own stretches of k and their sums are added in a fixed order.
 * When B is an image the product is done transposed, so that the image is always the first operand; a split
 * also where that wastes less of the tiles.
 * SPDX-License-Identifier: MIT */
#include "host/device/gemm_launch.h"
#include "host/device/gemm_provider.h"
#include "host/device/gemm_tile.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cl/gemm/tile.cl: A_KIND */
enum { A_IN_PLACE, A_BY_ROWS, A_BY_COLUMNS, A_IMAGE, A_LINES };

#define ROW_PAD     16
#define COPY_FLOATS 32768 /* of A's copy: 128 KiB, to stay in a second-level cache */
#define K_WHOLE     640   /* a k up to this is done in one piece */
#define K_PIECE     384   /* else in pieces of about this: a panel of B fits the first cache */
#define K_SPLIT     192   /* pieces where the work is split along k: the more rows share a panel of B */
#define K_SHORTEST  128   /* of an image's pixels, even where the copy leaves the second-level cache */
#define LINES_FLOATS \
    512 /* lines along k up to this long are read in place: their stride keeps to few pages */
#define SUMS_FLOATS    131072             /* sums kept between pieces of k */
#define PARTIAL_FLOATS (INT64_C(1) << 24) /* partial results of a split */

typedef struct tile_plan {
    gemm_desc desc; /* A and B exchanged if swapped */
    bool swapped, split, b_lines;
    tile_shape tile;
    int kind;
    int64_t row_block; /* lines of a picture when A is an image; else the most rows */
    int64_t row_blocks, column_block;
    int64_t pieces, piece;      /* rows plan */
    int64_t unit, units, parts; /* split plan */
    int64_t jobs, groups;
    int64_t table_floats, copy_floats, scratch_floats; /* scratch of one group, in floats */
    int64_t packed_floats, partial_floats;
    int64_t packed_batch[2], packed_stride[2];
} tile_plan;

/* Right anywhere, but one work-item a group would waste a GPU.  Lines of a picture are copied whole. */
static bool tile_supports(device *d, const gemm_desc *desc)
{
    const window *w = gemm_is_image(&desc->a) ? &desc->a.image.window : &desc->b.image.window;
    const bool whole = w->before[0] >= 0 && w->before[1] >= 0 && w->after[0] >= 0 && w->after[1] >= 0;
    return device_get_info(d)->kind != DEVICE_GPU && !(gemm_is_image(&desc->a) && gemm_is_image(&desc->b)) &&
           whole;
}

#define CANDIDATES 3
static const tile_shape *candidates_for(int vector_width)
{
    static const tile_shape narrow[] = { { 6, 2, 4 }, { 4, 3, 4 }, { 12, 1, 4 } };
    static const tile_shape avx2[] = { { 6, 2, 8 }, { 4, 3, 8 }, { 12, 1, 8 } };
    static const tile_shape avx512[] = { { 8, 3, 16 }, { 8, 2, 16 }, { 12, 1, 16 } };
    return vector_width >= 16 ? avx512 : vector_width >= 8 ? avx2 : narrow;
}

/* One vector a row is bound by the broadcasts of A: about a tenth slower. */
static int64_t tile_cost(tile_shape t, int64_t m, int64_t n)
{
    return gemm_round_up(m, t.mr) * gemm_round_up(n, (int64_t)t.nv * t.vec) * (t.nv == 1 ? 11 : 10);
}

tile_shape gemm_tile_choose(int vector_width, int64_t m, int64_t n)
{
    const tile_shape *candidates = candidates_for(vector_width);
    tile_shape best = candidates[0];
    m = gemm_least(m, 4096);
    for (int i = 1; i < CANDIDATES; ++i)
        if (tile_cost(candidates[i], m, n) < tile_cost(best, m, n)) best = candidates[i];
    return best;
}

/* C's transpose would waste less of its tiles, by a tenth at least. */
static bool better_turned(int vector_width, int64_t m, int64_t n)
{
    const int64_t as_it_is = tile_cost(gemm_tile_choose(vector_width, m, n), m, n);
    return tile_cost(gemm_tile_choose(vector_width, n, m), n, m) < as_it_is - as_it_is / 10;
}

/* Walking along pixels, a stride of a large power of two would use few sets of the cache. */
static int64_t spread_pixel(const gemm_image *image)
{
    return image->channels % 32 == 0 ? image->channels + 16 : image->channels;
}

/* Lines of places for which the copy of the picture, border included, fits the cache. */
static int64_t lines_that_fit(const gemm_image *image, int64_t pixel)
{
    const int64_t fit =
        (COPY_FLOATS / gemm_tile_line(image, pixel) - image->window.size[0]) / image->window.stride[0] + 1;
    return gemm_most(1, gemm_least(fit, gemm_places_down(image)));
}

static void plan_packing(tile_plan *p)
{
    const gemm_desc *s = &p->desc;
    const int64_t nr = (int64_t)p->tile.nv * p->tile.vec, one = gemm_ceil_div(s->n, nr) * nr * s->k;
    p->packed_batch[0] = s->b.batch[0] ? s->batch[0] : 1;
    p->packed_batch[1] = s->b.batch[1] ? s->batch[1] : 1;
    p->packed_stride[0] = s->b.batch[0] ? one * p->packed_batch[1] : 0;
    p->packed_stride[1] = s->b.batch[1] ? one : 0;
    p->packed_floats = gemm_round_up(one * p->packed_batch[0] * p->packed_batch[1], 64);
}

/* Halves blocks until there are a few jobs for every core. */
static void balance(tile_plan *p, int64_t wanted)
{
    const gemm_desc *s = &p->desc;
    const bool image = p->kind == A_IMAGE;
    const int64_t nr = (int64_t)p->tile.nv * p->tile.vec, grain = image ? 1 : p->tile.mr;
    const int64_t width = image ? gemm_places_across(&s->a.image) : 1;
    const int64_t height = image ? gemm_places_down(&s->a.image) : s->m;
    const int64_t pictures = image ? s->m / (height * width) : 1;
    for (;;) {
        p->row_blocks = gemm_ceil_div(height, p->row_block) * pictures;
        p->jobs = p->row_blocks * gemm_ceil_div(s->n, p->column_block) * s->batch[0] * s->batch[1];
        if (p->jobs >= wanted) return;
        const int64_t rows = p->row_block * width;
        if (p->row_block > grain && rows >= gemm_least(p->column_block, 8 * p->tile.mr))
            p->row_block = gemm_round_up(p->row_block / 2, grain);
        else if (p->column_block > nr)
            p->column_block = gemm_round_up(p->column_block / 2, nr);
        else if (p->row_block > grain)
            p->row_block = gemm_round_up(p->row_block / 2, grain);
        else
            return;
    }
}

/* As many jobs for every group, and as large ones: else cores wait for the last of few. */
static void even_out(tile_plan *p, int units)
{
    const gemm_desc *s = &p->desc;
    const int64_t nr = (int64_t)p->tile.nv * p->tile.vec, mr = p->tile.mr, tiles = gemm_ceil_div(s->m, mr);
    p->column_block = gemm_round_up(gemm_ceil_div(s->n, gemm_ceil_div(s->n, p->column_block)), nr);
    const int64_t others = gemm_ceil_div(s->n, p->column_block) * s->batch[0] * s->batch[1];
    int64_t blocks = p->row_blocks;
    while (blocks * others % (4 * (int64_t)units) && blocks < tiles) ++blocks;
    if (blocks * others % (4 * (int64_t)units) == 0) p->row_blocks = blocks;
    p->row_block = gemm_ceil_div(tiles, p->row_blocks) * mr;
    p->jobs = p->row_blocks * others;
}

static void plan_rows(tile_plan *p, int units)
{
    const gemm_desc *s = &p->desc;
    const gemm_image *image = &s->a.image;
    const int64_t nr = (int64_t)p->tile.nv * p->tile.vec, mr = p->tile.mr;
    const bool is_image = gemm_is_image(&s->a);
    const int64_t row_width = is_image ? gemm_places_across(image) : 1;
    const int64_t segments = is_image ? image->window.size[0] : 1, length = s->k / segments;
    p->pieces = s->k <= K_WHOLE ? 0 : gemm_ceil_div(length, K_PIECE);
    p->piece = p->pieces ? gemm_ceil_div(length, p->pieces) : length;

    if (is_image) {
        p->row_block = gemm_least(lines_that_fit(image, image->channels), gemm_most(1, 1024 / row_width));
    } else {
        p->row_block = gemm_least(16 * mr, gemm_round_up(s->m, mr));
    }
    const int64_t column_limit = p->pieces ? gemm_most(nr, SUMS_FLOATS / (p->row_block * row_width)) : 4096;
    p->column_block = gemm_least(gemm_round_up(s->n, nr), gemm_round_up(column_limit, nr));
    balance(p, 4 * (int64_t)units);
    if (!is_image) even_out(p, units);

    const int64_t rows = p->row_block * row_width;
    if (p->kind == A_IMAGE) {
        p->table_floats = gemm_round_up(rows + mr, 16);
        p->copy_floats =
            gemm_round_up(gemm_tile_lines(image, p->row_block) * gemm_tile_line(image, image->channels), 16);
    } else if (p->kind != A_IN_PLACE) {
        p->copy_floats = gemm_round_up(gemm_round_up(rows, mr) * (p->piece + ROW_PAD), 16);
    }
    const int64_t sums = p->pieces ? gemm_round_up(rows, mr) * p->column_block : 0;
    p->scratch_floats = gemm_round_up(p->table_floats + p->copy_floats + sums, 64);
    p->groups = p->scratch_floats ? gemm_least(p->jobs, 4 * (int64_t)units) : p->jobs;
    plan_packing(p);
}

static void plan_split(tile_plan *p, int units)
{
    const gemm_desc *s = &p->desc;
    const gemm_image *image = &s->a.image;
    const int64_t nr = (int64_t)p->tile.nv * p->tile.vec, mr = p->tile.mr;
    const int64_t batches = s->batch[0] * s->batch[1], wanted = 2 * (int64_t)units;
    const int64_t m = gemm_round_up(s->m, mr), n = gemm_round_up(s->n, nr);
    const bool is_image = gemm_is_image(&s->a);
    const int64_t down = is_image ? gemm_places_down(image) : 0,
                  across = is_image ? gemm_places_across(image) : 0;
    if (is_image) {
        /* Few lines, so that a panel of B stays in the first cache; not so few that sums are fetched and put
         * back for every few pixels. */
        p->unit = gemm_least(lines_that_fit(image, spread_pixel(image)), gemm_most(1, K_PIECE / across));
        p->unit = gemm_least(gemm_most(p->unit, K_SHORTEST / across), down);
        p->units = gemm_ceil_div(down, p->unit) * (s->k / (down * across));
        p->row_block = m;
    } else {
        p->unit = gemm_least(K_SPLIT, s->k);
        p->units = gemm_ceil_div(s->k, p->unit);
        p->row_block = gemm_least(m, gemm_round_up(2 * COPY_FLOATS / p->unit, mr));
    }
    /* Rows first, down to some 192 a group: parts cost a partial result each. */
    while (gemm_ceil_div(m, p->row_block) * batches < wanted && p->row_block >= 384)
        p->row_block = gemm_round_up(p->row_block / 2, mr);
    const int64_t room = gemm_most(1, PARTIAL_FLOATS / (m * n * batches));
    p->parts = gemm_least(gemm_least(p->units, room),
                          gemm_ceil_div(wanted, gemm_ceil_div(m, p->row_block) * batches));
    while (gemm_ceil_div(m, p->row_block) * p->parts * batches < wanted && p->row_block > mr)
        p->row_block = gemm_round_up(p->row_block / 2, mr);
    /* No core should wait for the last of few groups. */
    const int64_t others = p->parts * batches, groups = gemm_ceil_div(m, p->row_block) * others;
    if (groups % units && groups < 8 * (int64_t)units) {
        const int64_t even = gemm_ceil_div(gemm_round_up(groups, units), others);
        p->row_block = gemm_most(mr, gemm_round_up(gemm_ceil_div(m, even), mr));
    }
    p->row_blocks = gemm_ceil_div(m, p->row_block);
    p->groups = p->row_blocks * p->parts * batches;

    int64_t depth = p->unit; /* of k in a unit */
    if (is_image) {
        depth = p->unit * across;
        p->table_floats = gemm_round_up(p->row_block + mr, 16);
        p->copy_floats =
            gemm_round_up(gemm_tile_lines(image, p->unit) * gemm_tile_line(image, spread_pixel(image)), 16);
    } else if (p->kind != A_LINES) {
        p->copy_floats = gemm_round_up(p->row_block * (p->unit + ROW_PAD), 16);
    }
    const int64_t panel_floats = p->b_lines ? 0 : depth * nr;
    p->scratch_floats = gemm_round_up(p->table_floats + p->copy_floats + panel_floats, 64);
    p->partial_floats = gemm_round_up(m * n * p->parts * batches, 64);
}

/* C^T = B^T A^T */
static void exchange(gemm_desc *s)
{
    const gemm_operand a = s->a;
    const int64_t m = s->m;
    s->a = s->b;
    s->a.row = s->b.column;
    s->a.column = s->b.row;
    s->b = a;
    s->b.row = a.column;
    s->b.column = a.row;
    s->m = s->n;
    s->n = m;
    const int64_t c_row = s->c.row;
    s->c.row = s->c.column;
    s->c.column = c_row;
}

static bool worth_splitting(const gemm_desc *s, int units)
{
    const int64_t longest = gemm_most(s->m, s->n), tiles = gemm_ceil_div(s->m, 8) * gemm_ceil_div(s->n, 32);
    const bool few = tiles * s->batch[0] * s->batch[1] < 2 * (int64_t)units;
    return !gemm_is_image(&s->a) && ((s->k >= 1024 && s->k >= 4 * longest) || (few && s->k >= 512));
}

static bool can_split(const gemm_desc *s)
{
    return !gemm_is_image(&s->a) && s->k >= 512;
}

/* "6x2x8 rows", "6x2x8 split" */
static bool read_variant(int vector_width, const char *variant, const gemm_desc *s, tile_plan *p)
{
    const tile_shape *candidates = candidates_for(vector_width);
    char plan[8];
    tile_shape t;
    if (sscanf(variant, "%dx%dx%d %7s", &t.mr, &t.nv, &t.vec, plan) != 4) return false;
    bool known = false;
    for (int i = 0; i < CANDIDATES; ++i)
        known = known || (candidates[i].mr == t.mr && candidates[i].nv == t.nv && candidates[i].vec == t.vec);
    p->tile = t;
    const bool image = gemm_is_image(&s->b);
    p->split = image || strcmp(plan, "split") == 0;
    return known && (!p->split || image || can_split(s)) && (p->split || strcmp(plan, "rows") == 0);
}

static bool tile_variant(device *d, const gemm_desc *desc, int i, char name[GEMM_WAY_SIZE])
{
    const bool swapped = gemm_is_image(&desc->b);
    if (i >= (swapped || !can_split(desc) ? CANDIDATES : 2 * CANDIDATES)) return false;
    const tile_shape t = candidates_for(device_get_info(d)->vector_width)[i % CANDIDATES];
    snprintf(name, GEMM_WAY_SIZE, "%dx%dx%d %s", t.mr, t.nv, t.vec,
             swapped || i >= CANDIDATES ? "split" : "rows");
    return true;
}

static bool short_lines(const gemm_operand *o, int64_t neighbours, int64_t stride)
{
    return o->type == DTYPE_F32 && !gemm_is_image(o) && neighbours == 1 && stride > 0 &&
           stride <= LINES_FLOATS;
}

/* Which operands are copied and how, which are read where they are. */
static void choose_reading(tile_plan *p)
{
    const gemm_desc *s = &p->desc;
    if (gemm_is_image(&s->a))
        p->kind = A_IMAGE;
    else if (p->split && short_lines(&s->a, s->a.row, s->a.column))
        p->kind = A_LINES;
    else if (s->a.row == 1 && s->a.column != 1)
        p->kind = A_BY_COLUMNS;
    else if (!p->split && s->a.type == DTYPE_F32 && s->a.column == 1 && s->n <= 128 &&
             llabs(s->a.row) < 1000000)
        p->kind = A_IN_PLACE;
    else
        p->kind = A_BY_ROWS;
    p->b_lines =
        p->split && short_lines(&s->b, s->b.column, s->b.row) && s->n % (p->tile.nv * p->tile.vec) == 0;
}

static bool tile_plan_shape(device *d, const gemm_desc *desc, const char *variant, int64_t *workspace_bytes,
                            void **state, error *err)
{
    const device_info *info = device_get_info(d);
    const int units = info->compute_units > 0 ? info->compute_units : 1;
    tile_plan *p = calloc(1, sizeof *p);
    if (!p) return error_set(err, ERROR_MEMORY, "no memory for the plan");
    p->desc = *desc;
    const gemm_desc *s = &p->desc;
    const bool image = gemm_is_image(&s->a) || gemm_is_image(&s->b);
    p->split = gemm_is_image(&s->b) || worth_splitting(s, units);
    if (variant && !read_variant(info->vector_width, variant, s, p)) {
        free(p);
        return error_set(err, ERROR_USAGE, "the tile has no variant '%s' for this product", variant);
    }
    p->swapped =
        gemm_is_image(&s->b) || (p->split && !image && better_turned(info->vector_width, s->m, s->n));
    if (p->swapped) exchange(&p->desc);
    if (!variant) p->tile = gemm_tile_choose(info->vector_width, s->m, s->n);
    choose_reading(p);
    if (p->split)
        plan_split(p, units);
    else
        plan_rows(p, units);

    const int64_t scratch = p->groups * p->scratch_floats;
    if (p->copy_floats > INT32_MAX || p->scratch_floats > INT32_MAX) {
        error_set(err, ERROR_MODEL, "a line of %d x %d channels is too long for the tile kernel",
                  s->a.image.width, s->a.image.channels);
        free(p);
        return false;
    }
    *workspace_bytes = (int64_t)sizeof(float) * (p->packed_floats + p->partial_floats + scratch);
    *state = p;
    return true;
}

/* Options of the kernels that end elements; types they do not read are left out, so that shapes share
 * programs. */
static void tile_options(char options[GEMM_OPTIONS_SIZE], const tile_plan *p, bool reads_a)
{
    gemm_desc s = p->desc;
    s.b.type = DTYPE_F32;
    if (!reads_a) {
        s.a.type = DTYPE_F32;
        s.a.image = (gemm_image){ 0 };
    }
    gemm_launch_options(options, &s, "-DMR=%d -DNV=%d -DVEC=%d -DA_KIND=%d -DSWAPPED=%d", p->tile.mr,
                        p->tile.nv, p->tile.vec, reads_a ? p->kind : A_IN_PLACE, p->swapped);
}

static bool record_pack(const tile_plan *p, device_launches *list, const char *label,
                        const gemm_buffers *buffers, int64_t packed, error *err)
{
    const gemm_desc *s = &p->desc;
    const int64_t nr = (int64_t)p->tile.nv * p->tile.vec, k_block = gemm_least(s->k, 1024);
    char options[GEMM_OPTIONS_SIZE];
    snprintf(options, sizeof options, "-DB_STORE=STORE_%s -DNV=%d -DVEC=%d", dtype_name(s->b.type),
             p->tile.nv, p->tile.vec);
    device_launch l = gemm_launch_singles("gemm/tile_pack", "gemm_tile_pack", options, label);
    l.global[0] = (size_t)gemm_ceil_div(s->n, nr);
    l.global[1] = (size_t)gemm_ceil_div(s->k, k_block);
    l.global[2] = (size_t)(p->packed_batch[0] * p->packed_batch[1]);
    gemm_launch_buffer(&l, buffers->b, buffers->b_offset);
    gemm_launch_buffer(&l, buffers->workspace, packed);
    gemm_launch_int(&l, s->n);
    gemm_launch_int(&l, s->k);
    gemm_launch_int(&l, k_block);
    gemm_launch_int(&l, p->packed_batch[1]);
    gemm_launch_strides(&l, &s->b);
    return device_launches_add(list, &l, err);
}

static bool record_rows(const tile_plan *p, device_launches *list, const char *label,
                        const gemm_buffers *buffers, error *err)
{
    const gemm_desc *s = &p->desc;
    const int64_t packed = buffers->workspace_offset / (int64_t)sizeof(float);
    if (!record_pack(p, list, label, buffers, packed, err)) return false;
    char options[GEMM_OPTIONS_SIZE];
    tile_options(options, p, true);
    device_launch l = gemm_launch_singles("gemm/tile", "gemm_tile", options, label);
    l.global[0] = (size_t)p->groups;
    gemm_buffers with_packed = *buffers;
    with_packed.b = buffers->workspace;
    with_packed.b_offset = packed;
    gemm_launch_operands(&l, s, &with_packed);
    gemm_launch_buffer(&l, buffers->workspace, packed + p->packed_floats);
    gemm_launch_int(&l, s->m);
    gemm_launch_int(&l, s->n);
    gemm_launch_int(&l, s->k);
    gemm_launch_int(&l, s->batch[1]);
    gemm_launch_float(&l, s->alpha);
    gemm_launch_strides(&l, &s->a);
    gemm_launch_long(&l, p->packed_stride[0]);
    gemm_launch_long(&l, p->packed_stride[1]);
    gemm_launch_strides(&l, &s->c);
    gemm_launch_image(&l, &s->a.image);
    gemm_launch_int(&l, p->kind == A_IMAGE ? p->row_block : p->row_blocks);
    gemm_launch_int(&l, p->column_block);
    gemm_launch_int(&l, p->pieces);
    gemm_launch_int(&l, p->piece);
    gemm_launch_int(&l, p->jobs);
    gemm_launch_int(&l, p->table_floats);
    gemm_launch_int(&l, p->copy_floats);
    gemm_launch_int(&l, p->scratch_floats);
    return device_launches_add(list, &l, err);
}

static bool record_reduce(const tile_plan *p, device_launches *list, const char *label,
                          const gemm_buffers *buffers, int64_t partial, error *err)
{
    const gemm_desc *s = &p->desc;
    char options[GEMM_OPTIONS_SIZE];
    tile_options(options, p, false);
    device_launch l = gemm_launch_singles("gemm/tile_reduce", "gemm_tile_reduce", options, label);
    l.global[0] = (size_t)gemm_ceil_div(s->n, (int64_t)p->tile.nv * p->tile.vec);
    const int64_t row_block = s->c.row == 1 && s->c.column != 1 ? 16 : 1;
    l.global[1] = (size_t)gemm_ceil_div(s->m, row_block);
    l.global[2] = (size_t)(s->batch[0] * s->batch[1]);
    gemm_launch_end(&l, s, buffers);
    gemm_launch_buffer(&l, buffers->workspace, partial);
    gemm_launch_int(&l, s->m);
    gemm_launch_int(&l, s->n);
    gemm_launch_int(&l, p->parts);
    gemm_launch_int(&l, s->batch[1]);
    gemm_launch_int(&l, row_block);
    gemm_launch_float(&l, s->alpha);
    gemm_launch_strides(&l, &s->c);
    return device_launches_add(list, &l, err);
}

static bool record_split(const tile_plan *p, device_launches *list, const char *label,
                         const gemm_buffers *buffers, error *err)
{
    const gemm_desc *s = &p->desc;
    const int64_t partial = buffers->workspace_offset / (int64_t)sizeof(float);
    char options[GEMM_OPTIONS_SIZE], view[GEMM_OPTIONS_SIZE / 2];
    gemm_launch_window(view, sizeof view, 'A', &s->a.image.window);
    snprintf(options, sizeof options,
             "-DA_STORE=STORE_%s -DB_STORE=STORE_%s %s-DMR=%d -DNV=%d -DVEC=%d -DA_KIND=%d -DB_LINES=%d",
             dtype_name(s->a.type), dtype_name(s->b.type), view, p->tile.mr, p->tile.nv, p->tile.vec, p->kind,
             p->b_lines);
    device_launch l = gemm_launch_singles("gemm/tile_split", "gemm_tile_split", options, label);
    l.global[0] = (size_t)p->row_blocks;
    l.global[1] = (size_t)p->parts;
    l.global[2] = (size_t)(s->batch[0] * s->batch[1]);
    gemm_launch_buffer(&l, p->swapped ? buffers->b : buffers->a,
                       p->swapped ? buffers->b_offset : buffers->a_offset);
    gemm_launch_buffer(&l, p->swapped ? buffers->a : buffers->b,
                       p->swapped ? buffers->a_offset : buffers->b_offset);
    gemm_launch_buffer(&l, buffers->workspace, partial);
    gemm_launch_buffer(&l, buffers->workspace, partial + p->partial_floats);
    gemm_launch_int(&l, s->m);
    gemm_launch_int(&l, s->n);
    gemm_launch_int(&l, s->k);
    gemm_launch_int(&l, s->batch[1]);
    gemm_launch_strides(&l, &s->a);
    gemm_launch_strides(&l, &s->b);
    gemm_launch_image(&l, &s->a.image);
    gemm_launch_int(&l, spread_pixel(&s->a.image));
    gemm_launch_int(&l, p->row_block);
    gemm_launch_int(&l, p->unit);
    gemm_launch_int(&l, p->units);
    gemm_launch_int(&l, p->table_floats);
    gemm_launch_int(&l, p->copy_floats);
    gemm_launch_int(&l, p->scratch_floats);
    return device_launches_add(list, &l, err) && record_reduce(p, list, label, buffers, partial, err);
}

static bool tile_record(device *d, const gemm_desc *desc, void *state, device_launches *list,
                        const char *label, const gemm_buffers *buffers, error *err)
{
    (void)d;
    (void)desc;
    const tile_plan *p = state;
    return p->split ? record_split(p, list, label, buffers, err) : record_rows(p, list, label, buffers, err);
}

const gemm_provider gemm_tile = { "tile", tile_supports, tile_plan_shape, tile_record, tile_variant };
