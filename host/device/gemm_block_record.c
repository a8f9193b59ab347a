/* gemm_block_record.c -- the launches of a product by cl/gemm/block.cl.
 * SPDX-License-Identifier: MIT */
#include "host/device/gemm_block.h"
#include "host/device/gemm_launch.h"
#include <stdio.h>

/* How a group reads an operand: along k, or along the rows of A and columns of B; so many neighbours at once;
 * whether an image's places are along k. */
typedef struct reading {
    bool along_k, places_along_k;
    int vector;
} reading;

static bool multiple(int64_t vector, const int64_t *numbers, int count)
{
    for (int i = 0; i < count; ++i)
        if (numbers[i] % vector) return false;
    return true;
}

/* The most neighbours that lie in one aligned piece wherever a vector begins, none of which is past an end
 * that the others are not past, and that give every work-item a vector. */
static int vector_of(const block_plan *p, const gemm_operand *o, const reading *r, int64_t outer_count,
                     int outer_tile, int64_t offset)
{
    const int group = p->shape.down * p->shape.across, across = r->along_k ? p->shape.k : outer_tile;
    const bool image = gemm_is_image(o);
    const int64_t unit = r->along_k ? o->column : o->row, line = r->along_k ? o->row : o->column;
    if (!image && unit != 1) return 1;
    const int64_t count = r->along_k ? p->desc.k : outer_count;
    const int64_t numbers[] = { image ? o->image.channels : line, image ? 0 : count, o->batch[0], o->batch[1],
                                offset };
    for (int vector = 16 / (int)dtype_bytes(o->type); vector > 1; vector /= 2) {
        const int vectors = outer_tile * p->shape.k / vector;
        if (vector != 2 && across % vector == 0 && vectors % group == 0 && group % (across / vector) == 0 &&
            multiple(vector, numbers, (int)(sizeof numbers / sizeof *numbers)))
            return vector;
    }
    return 1;
}

/* `o` has rows along the outer axis and columns along k, as A has. */
static reading reading_of(const block_plan *p, const gemm_operand *o, bool places_along_k,
                          int64_t outer_count, int outer_tile, int64_t offset)
{
    reading r = { .places_along_k = places_along_k };
    if (gemm_is_image(o))
        r.along_k = !places_along_k;
    else
        r.along_k = o->column == 1 || (o->row != 1 && o->column < o->row);
    r.vector = vector_of(p, o, &r, outer_count, outer_tile, offset);
    return r;
}

/* An operand with its axes exchanged. */
static gemm_operand turned(gemm_operand o)
{
    const int64_t row = o.row;
    o.row = o.column;
    o.column = row;
    return o;
}

static void block_options(char options[GEMM_OPTIONS_SIZE], const block_plan *p, const gemm_buffers *buffers)
{
    gemm_desc s = p->desc;
    const gemm_operand b = turned(s.b);
    /* Places are rows of what the caller calls A and of what it calls B, and B's rows are along k. */
    const reading ra = reading_of(p, &s.a, p->swapped, s.m, p->shape.m, buffers->a_offset),
                  rb = reading_of(p, &b, !p->swapped, s.n, p->shape.n, buffers->b_offset);
    if (p->parts > 1) { /* nothing is ended, so that products share programs */
        s.c.type = DTYPE_F32;
        s.bias = s.preactivation = s.accumulate = s.residual = false;
        s.activation = s.slope = ACTIVATION_IDENTITY;
    }
    const bool copies = p->copies && ((ra.along_k && ra.vector > 1) || (rb.along_k && rb.vector > 1));
    char matrix[96] = "";
    if (p->matrix != DEVICE_MATRIX_NONE)
        snprintf(matrix, sizeof matrix, " -DMATRIX=%d -DMATRIX_BF16=%d%s%s%s", (int)p->matrix,
                 s.a.type == DTYPE_BF16, p->emulated ? " -DMATRIX_EMULATED" : "", copies ? " -DCOPIES=1" : "",
                 copies && p->halves == 3 ? " -DHALVES=3" : "");
    else if (p->subgroup)
        snprintf(matrix, sizeof matrix, " -DSUBGROUP=%d", p->subgroup);
    gemm_launch_options(
        options, &s,
        "-DTILE_M=%d -DTILE_N=%d -DTILE_K=%d -DGROUP_M=%d -DGROUP_N=%d -DSPLIT=%d -DSWAPPED=%d "
        "-DA_ALONG_K=%d -DB_ALONG_K=%d -DA_VECTOR=%d -DB_VECTOR=%d -DA_PLACES_ALONG_K=%d "
        "-DB_PLACES_ALONG_K=%d%s",
        p->shape.m, p->shape.n, p->shape.k, p->shape.down, p->shape.across, p->parts > 1,
        p->parts > 1 ? 0 : p->swapped, ra.along_k, rb.along_k, ra.vector, rb.vector, ra.places_along_k,
        rb.places_along_k, matrix);
}

static bool record_product(const block_plan *p, device_launches *list, const char *label,
                           const gemm_buffers *buffers, error *err)
{
    const gemm_desc *s = &p->desc;
    const int group = p->shape.down * p->shape.across;
    gemm_buffers own = *buffers;
    if (p->swapped) {
        own.a = buffers->b;
        own.a_offset = buffers->b_offset;
        own.b = buffers->a;
        own.b_offset = buffers->a_offset;
    }
    char options[GEMM_OPTIONS_SIZE];
    block_options(options, p, &own);
    device_launch l = {
        .file = "gemm/block", .kernel = "gemm_block", .options = options, .label = label, .rank = 3
    };
    l.global[0] = (size_t)(gemm_ceil_div(s->m, p->shape.m) * gemm_ceil_div(s->n, p->shape.n) * group);
    l.global[1] = (size_t)p->parts;
    l.global[2] = (size_t)(s->batch[0] * s->batch[1]);
    l.local[0] = (size_t)group;
    l.local[1] = l.local[2] = 1;
    gemm_launch_operands(&l, s, &own);
    /* C stands in for sums that are not kept. */
    gemm_launch_buffer(&l, p->parts > 1 ? own.workspace : own.c, p->parts > 1 ? own.workspace_offset / 4 : 0);
    gemm_launch_int(&l, s->m);
    gemm_launch_int(&l, s->n);
    gemm_launch_int(&l, s->k);
    gemm_launch_int(&l, p->part_k);
    gemm_launch_int(&l, s->batch[1]);
    gemm_launch_float(&l, s->alpha);
    gemm_launch_strides(&l, &s->a);
    gemm_launch_strides(&l, &s->b);
    gemm_launch_strides(&l, &s->c);
    gemm_launch_image(&l, &s->a.image);
    gemm_launch_image(&l, &s->b.image);
    return device_launches_add(list, &l, err);
}

static bool record_sum(device *d, const block_plan *p, device_launches *list, const char *label,
                       const gemm_buffers *buffers, error *err)
{
    gemm_desc s = p->desc;
    const int64_t group = device_get_info(d)->max_group < 32 ? 1 : 32;
    char options[GEMM_OPTIONS_SIZE];
    s.a.type = s.b.type = DTYPE_F32; /* they are not read */
    s.a.image = s.b.image = (gemm_image){ 0 };
    gemm_launch_options(options, &s, "-DGROUP=%d -DSWAPPED=%d", (int)group, p->swapped);
    device_launch l = {
        .file = "gemm/block_sum", .kernel = "gemm_block_sum", .options = options, .label = label, .rank = 3
    };
    l.global[0] = (size_t)gemm_round_up(s.n, group);
    l.global[1] = (size_t)s.m;
    l.global[2] = (size_t)(s.batch[0] * s.batch[1]);
    l.local[0] = (size_t)group;
    l.local[1] = l.local[2] = 1;
    gemm_launch_end(&l, &s, buffers);
    gemm_launch_buffer(&l, buffers->workspace, buffers->workspace_offset / 4);
    gemm_launch_int(&l, s.m);
    gemm_launch_int(&l, s.n);
    gemm_launch_int(&l, p->parts);
    gemm_launch_int(&l, s.batch[1]);
    gemm_launch_float(&l, s.alpha);
    gemm_launch_strides(&l, &s.c);
    return device_launches_add(list, &l, err);
}

bool gemm_block_record(device *d, const gemm_desc *desc, void *state, device_launches *list,
                       const char *label, const gemm_buffers *buffers, error *err)
{
    (void)desc;
    const block_plan *p = state;
    if (!record_product(p, list, label, buffers, err)) return false;
    return p->parts == 1 || record_sum(d, p, list, label, buffers, err);
}
