/* gemm_winograd.c -- 3 x 3 convolutions by Winograd's minimal filtering on CPU devices: a quarter of the
 * products of the direct sum, for two transforms; cl/winograd.clh has the method.
 *
 * Two plans.  Forward (and the gradient of the input, which is the same with the weight turned around):
 * groups own strips of 4 x 4 tiles of the result and columns.  Weights: groups own blocks of the weight and
 * parts of the tiles, and their results are added in a fixed order.
 *
 * Errors against sums in double are one to four times those of the direct sum, some 1e-6 of the largest
 * result, for uniformly distributed operands (docs/performance.md); tests/device/test_gemm.c holds it to the
 * bound of every provider.
 * SPDX-License-Identifier: MIT */
#include "host/device/gemm_launch.h"
#include "host/device/gemm_provider.h"
#include "host/device/gemm_tile.h"
#include <stdio.h>
#include <stdlib.h>

#define TILE         4
#define POINTS       36
#define ROW_PAD      16
#define LINES_FLOATS (6 * 18 * 64) /* cl/winograd_tile.clh: LINES_SIZE */
#define CACHE_FLOATS 98304         /* of a group's scratch: 384 KiB, to stay in a second-level cache */
#define SHORTEST \
    48 /* tiles of a strip even where they do not fit: the weights are read once for each strip */
#define LONGEST         256
#define SHORTEST_FEW    12 /* where there would be fewer strips than cores */
#define COLUMNS         128
#define K_PIECE         384 /* channels multiplied at once: a panel of weights fits the first cache */
#define OUT_BLOCK       64  /* of a weight's gradient */
#define IN_BLOCK        64
#define FILTER_CHANNELS 64 /* of a weight that one work-item transforms */

typedef struct winograd_plan {
    tile_shape tile;
    gemm_image image;
    bool weights;
    int64_t tiles, outs; /* outs: of the convolution */
    int64_t strip, jobs, groups, scratch_floats;
    int64_t filter_floats, job_columns, column_block; /* forward */
    int64_t out_block, in_block, parts, partial_floats;
    int64_t most_floats; /* of workspace, whatever the number of pictures */
} winograd_plan;

static tile_shape shape_of(device *d, const gemm_desc *desc)
{
    const int width = device_get_info(d)->vector_width;
    if (gemm_is_image(&desc->a)) return gemm_tile_choose(width, 4096, desc->n);
    return gemm_tile_choose(width, desc->m, desc->b.image.channels);
}

/* Forward: A the image, B the weight [n][9][channels].  Weights: A = dy transposed, B the image, C
 * [m][9][channels], and nothing after the sum. */
static bool layout_fits(const gemm_desc *s)
{
    if (gemm_is_image(&s->a))
        return !gemm_is_image(&s->b) && s->b.row == 1 && s->b.column == s->k && s->c.column == 1 &&
               s->c.row >= s->n;
    if (s->bias || s->accumulate || s->preactivation || s->activation || s->slope || s->residual)
        return false;
    return s->a.row == 1 && s->a.column == s->m && s->c.column == 1 && s->c.row == s->n;
}

static bool winograd_supports(device *d, const gemm_desc *s)
{
    if (device_get_info(d)->kind == DEVICE_GPU) return false;
    const bool forward = gemm_is_image(&s->a);
    const window *w = forward ? &s->a.image.window : &s->b.image.window;
    if (w->size[0] != 3 || !window_is_same(w)) return false;
    if (s->batch[0] != 1 || s->batch[1] != 1 || !layout_fits(s)) return false;
    const gemm_image *image = forward ? &s->a.image : &s->b.image;
    const int64_t vec = shape_of(d, s).vec, outs = forward ? s->n : s->m;
    /* The kernels count points of the transformed image in int. */
    return image->channels % vec == 0 && outs % vec == 0 && image->channels <= 32768 && outs <= 32768;
}

static int64_t forward_scratch(const winograd_plan *p)
{
    const int64_t patches = p->strip * (p->image.channels + ROW_PAD);
    const int64_t products = gemm_round_up(p->strip, p->tile.mr) * p->column_block;
    return gemm_round_up(LINES_FLOATS + POINTS * (patches + products), 64);
}

static void plan_forward(winograd_plan *p, int64_t units)
{
    const int64_t nr = (int64_t)p->tile.nv * p->tile.vec, n = gemm_round_up(p->outs, nr);
    const int64_t channels = p->image.channels;
    p->column_block = gemm_least(n, gemm_round_up(COLUMNS, nr));
    const int64_t each = POINTS * (channels + ROW_PAD + p->column_block);
    p->strip = gemm_least(gemm_most(CACHE_FLOATS / each, SHORTEST), LONGEST);
    p->filter_floats = gemm_round_up(POINTS * n * channels, 64);
    p->most_floats = p->filter_floats + 2 * units * forward_scratch(p);
    /* Even strips, a few for every core; then fewer columns. */
    p->strip = gemm_least(p->strip, gemm_most(SHORTEST_FEW, gemm_ceil_div(p->tiles, 2 * units)));
    const int64_t strips = gemm_ceil_div(p->tiles, p->strip), even = gemm_round_up(strips, units);
    p->strip = gemm_most(1, gemm_ceil_div(p->tiles, strips < 8 * units ? even : strips));
    p->job_columns = n;
    while (gemm_ceil_div(p->tiles, p->strip) * gemm_ceil_div(n, p->job_columns) < units &&
           p->job_columns > nr)
        p->job_columns = gemm_round_up(p->job_columns / 2, nr);
    p->column_block = gemm_least(p->column_block, p->job_columns);
    p->jobs = gemm_ceil_div(p->tiles, p->strip) * gemm_ceil_div(n, p->job_columns);
    p->groups = gemm_least(p->jobs, 2 * units);
    p->scratch_floats = forward_scratch(p);
}

static void plan_weights(winograd_plan *p, int64_t units)
{
    const int64_t nr = (int64_t)p->tile.nv * p->tile.vec, mr = p->tile.mr;
    p->out_block = gemm_least(p->outs, OUT_BLOCK);
    p->in_block = gemm_round_up(gemm_least(p->image.channels, IN_BLOCK), nr);
    const int64_t blocks =
        gemm_ceil_div(p->outs, p->out_block) * gemm_ceil_div(p->image.channels, p->in_block);
    const int64_t parts = gemm_ceil_div(2 * units, blocks), one = p->outs * 9 * p->image.channels;
    p->parts = gemm_least(p->tiles, parts);
    const int64_t sums = POINTS * gemm_round_up(p->out_block, mr) * p->in_block;
    const int64_t each = POINTS * (p->out_block + ROW_PAD + p->in_block);
    p->strip = gemm_least(gemm_most((CACHE_FLOATS - sums) / each, SHORTEST), LONGEST);
    p->most_floats = parts * one + 2 * units * (LINES_FLOATS + p->strip * each + sums);
    p->strip = gemm_least(p->strip, gemm_ceil_div(p->tiles, p->parts));
    p->jobs = blocks * p->parts;
    p->groups = gemm_least(p->jobs, 2 * units);
    p->partial_floats = gemm_round_up(p->parts * one, 64);
    p->scratch_floats = gemm_round_up(LINES_FLOATS + p->strip * each + sums, 64);
}

static void plan_shape(device *d, const gemm_desc *s, winograd_plan *p)
{
    const int units = device_get_info(d)->compute_units;
    *p = (winograd_plan){ .weights = !gemm_is_image(&s->a) };
    p->image = p->weights ? s->b.image : s->a.image;
    p->outs = p->weights ? s->m : s->n;
    p->tile = shape_of(d, s);
    const int64_t pictures = (p->weights ? s->k : s->m) / ((int64_t)p->image.height * p->image.width);
    p->tiles = pictures * gemm_ceil_div(p->image.height, TILE) * gemm_ceil_div(p->image.width, TILE);
    if (p->weights)
        plan_weights(p, units > 0 ? units : 1);
    else
        plan_forward(p, units > 0 ? units : 1);
}

static int64_t workspace_of(const winograd_plan *p)
{
    return (int64_t)sizeof(float) * (p->filter_floats + p->partial_floats + p->groups * p->scratch_floats);
}

/* Measured on two cores of a Zen 3 (AVX2).  With 8 channels a weight's gradient gains, a result does not.
 * The weights become four times as large: not where buffers are small.  How many pictures there are does not
 * matter, so that one decoded alone is the same as among others. */
bool gemm_winograd_pays(device *d, const gemm_desc *s)
{
    winograd_plan p;
    plan_shape(d, s, &p);
    const int enough = p.weights ? 8 : 16;
    return p.image.channels >= enough && p.outs >= enough &&
           (int64_t)sizeof(float) * p.most_floats <= device_get_info(d)->max_buffer_bytes / 4;
}

static bool winograd_plan_state(device *d, const gemm_desc *s, const char *variant, int64_t *workspace_bytes,
                                void **state, error *err)
{
    (void)variant;
    winograd_plan *p = malloc(sizeof *p);
    if (!p) return error_set(err, ERROR_MEMORY, "no memory for the plan");
    plan_shape(d, s, p);
    *workspace_bytes = workspace_of(p);
    *state = p;
    return true;
}

static bool record_filter(const winograd_plan *p, const gemm_desc *s, device_launches *list,
                          const char *label, const gemm_buffers *buffers, int64_t filter, error *err)
{
    const int64_t nr = (int64_t)p->tile.nv * p->tile.vec;
    char options[GEMM_OPTIONS_SIZE];
    snprintf(options, sizeof options, "-DB_STORE=STORE_%s -DPANEL=%d -DVEC=4", dtype_name(s->b.type),
             (int)nr);
    device_launch l = gemm_launch_singles("gemm/winograd_filter", "gemm_winograd_filter", options, label);
    l.global[0] = (size_t)gemm_ceil_div(s->n, nr);
    l.global[1] = (size_t)gemm_ceil_div(p->image.channels, FILTER_CHANNELS);
    gemm_launch_buffer(&l, buffers->b, buffers->b_offset);
    gemm_launch_buffer(&l, buffers->workspace, filter);
    gemm_launch_int(&l, s->n);
    gemm_launch_int(&l, p->image.channels);
    gemm_launch_int(&l, FILTER_CHANNELS);
    return device_launches_add(list, &l, err);
}

static bool record_forward(const winograd_plan *p, const gemm_desc *s, device_launches *list,
                           const char *label, const gemm_buffers *buffers, error *err)
{
    const int64_t filter = buffers->workspace_offset / (int64_t)sizeof(float);
    if (!record_filter(p, s, list, label, buffers, filter, err)) return false;
    gemm_desc seen = *s;
    seen.b.type = DTYPE_F32;
    char options[GEMM_OPTIONS_SIZE];
    gemm_launch_options(options, &seen, "-DMR=%d -DNV=%d -DVEC=%d", p->tile.mr, p->tile.nv, p->tile.vec);
    device_launch l = gemm_launch_singles("gemm/winograd", "gemm_winograd", options, label);
    l.global[0] = (size_t)p->groups;
    gemm_launch_buffer(&l, buffers->a, buffers->a_offset);
    gemm_launch_buffer(&l, buffers->workspace, filter);
    gemm_launch_end(&l, s, buffers);
    gemm_launch_buffer(&l, buffers->workspace, filter + p->filter_floats);
    gemm_launch_int(&l, s->n);
    gemm_launch_float(&l, s->alpha);
    gemm_launch_long(&l, s->c.row);
    gemm_launch_image(&l, &p->image);
    gemm_launch_int(&l, p->tiles);
    gemm_launch_int(&l, p->strip);
    gemm_launch_int(&l, p->job_columns);
    gemm_launch_int(&l, p->column_block);
    gemm_launch_int(&l, K_PIECE);
    gemm_launch_int(&l, p->jobs);
    gemm_launch_int(&l, p->scratch_floats);
    return device_launches_add(list, &l, err);
}

static bool record_reduce(const winograd_plan *p, const gemm_desc *s, device_launches *list,
                          const char *label, const gemm_buffers *buffers, int64_t partial, error *err)
{
    const int64_t count = s->m * s->n, chunk = (int64_t)p->tile.vec * 256;
    char options[GEMM_OPTIONS_SIZE];
    snprintf(options, sizeof options, "-DC_STORE=STORE_%s -DLANES=1 -DVEC=%d", dtype_name(s->c.type),
             p->tile.vec);
    device_launch l = gemm_launch_singles("gemm/winograd_weights", "gemm_winograd_reduce", options, label);
    l.global[0] = (size_t)gemm_ceil_div(count, chunk);
    gemm_launch_buffer(&l, buffers->c, buffers->c_offset);
    gemm_launch_buffer(&l, buffers->workspace, partial);
    gemm_launch_int(&l, count);
    gemm_launch_int(&l, p->parts);
    gemm_launch_float(&l, s->alpha);
    return device_launches_add(list, &l, err);
}

static bool record_weights(const winograd_plan *p, const gemm_desc *s, device_launches *list,
                           const char *label, const gemm_buffers *buffers, error *err)
{
    const int64_t partial = buffers->workspace_offset / (int64_t)sizeof(float);
    char options[GEMM_OPTIONS_SIZE];
    snprintf(options, sizeof options, "-DA_STORE=STORE_%s -DB_STORE=STORE_%s -DMR=%d -DNV=%d -DVEC=%d",
             dtype_name(s->b.type), dtype_name(s->a.type), p->tile.mr, p->tile.nv, p->tile.vec);
    device_launch l = gemm_launch_singles("gemm/winograd_weights", "gemm_winograd_weights", options, label);
    l.global[0] = (size_t)p->groups;
    gemm_launch_buffer(&l, buffers->b, buffers->b_offset);
    gemm_launch_buffer(&l, buffers->a, buffers->a_offset);
    gemm_launch_buffer(&l, buffers->workspace, partial);
    gemm_launch_buffer(&l, buffers->workspace, partial + p->partial_floats);
    gemm_launch_int(&l, p->outs);
    gemm_launch_image(&l, &p->image);
    gemm_launch_int(&l, p->tiles);
    gemm_launch_int(&l, p->strip);
    gemm_launch_int(&l, p->out_block);
    gemm_launch_int(&l, p->in_block);
    gemm_launch_int(&l, p->jobs);
    gemm_launch_int(&l, p->scratch_floats);
    return device_launches_add(list, &l, err) && record_reduce(p, s, list, label, buffers, partial, err);
}

static bool winograd_record(device *d, const gemm_desc *desc, void *state, device_launches *list,
                            const char *label, const gemm_buffers *buffers, error *err)
{
    (void)d;
    const winograd_plan *p = state;
    return p->weights ? record_weights(p, desc, list, label, buffers, err)
                      : record_forward(p, desc, list, label, buffers, err);
}

const gemm_provider gemm_winograd = { "winograd", winograd_supports, winograd_plan_state, winograd_record,
                                      NULL };
