/* gemm_library.c -- products by a library's SGEMM on plain f32 matrices, with everything else made so.
 * A and B that are 16-bit or strided on both axes are packed to f32 in the workspace, images are spread
 * out (im2col) block by block, and what SGEMM cannot write goes through an f32 product and an epilogue.
 * A library that takes 16-bit matrices is given them so, packed or as they lie; one that ends products by
 * itself is let.
 * One loop serves all: batches in chunks, rows of C in blocks, k in blocks (only for an image as B).
 * A product of few tiles and long k would leave most of a GPU idle: its k is cut into equal parts, multiplied
 * as batches and added up in order by the epilogue.
 * SPDX-License-Identifier: MIT */
#include "host/device/backend.h"
#include "host/device/gemm_launch.h"
#include "host/device/gemm_provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES     ((int64_t)16 << 20) /* of each packed operand or product at a time */
#define GPU_BLOCK_BYTES ((int64_t)64 << 20) /* the same where launches cost more than memory */
#define SPLITS_MAX      64
#define SPLIT_DEPTH     128 /* k of a part at least */
#define TILE            64  /* side of what a work-group makes of C, about */

/* A matrix as SGEMM wants it: one axis with stride 1, the other with `ld`. */
typedef struct view {
    bool direct;   /* usable where it lies */
    bool unit_row; /* the axis of rows has stride 1 */
    int64_t ld;
} view;

typedef struct layout {
    dtype in, out; /* what the library gets and gives */
    view a, b, c;
    int64_t outer, inner; /* batches: a loop, and the strided axis inside it */
    int64_t outer_stride[3], inner_stride[3];
    int64_t chunk, rows, depth; /* batches, rows of C and length of k at a time */
    int64_t splits;             /* equal parts of each length of k, 1 = whole */
    bool pack_a, pack_b, product, epilogue;
    bool may_end;                          /* the library may do what the epilogue would */
    int64_t a_at, b_at, product_at, bytes; /* workspace, in bytes */
} layout;

static int64_t smaller(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

static view view_of(int64_t rows, int64_t columns, int64_t row, int64_t column, bool f32)
{
    if ((column == 1 || columns == 1) && (row >= columns || rows == 1))
        return (view){ f32, false, rows == 1 ? columns : row };
    if ((row == 1 || rows == 1) && (column >= rows || columns == 1))
        return (view){ f32, true, columns == 1 ? rows : column };
    return (view){ false, false, columns };
}

bool gemm_library_supports(device *d, const gemm_desc *g)
{
    (void)d;
    bool types = dtype_is_float(g->a.type) && dtype_is_float(g->b.type) && dtype_is_float(g->c.type);
    return types && !(gemm_is_image(&g->a) && gemm_is_image(&g->b)) && !gemm_is_image(&g->c);
}

static bool takes(const device *d, dtype in, dtype out)
{
    const gemm_library *blas = d->backend->blas;
    return (in == DTYPE_F32 && out == DTYPE_F32) || (blas->takes && blas->takes(in, out));
}

/* Both in their own type, or both as f32.  Where k goes in blocks, C is the sum so far. */
static void plan_types(const device *d, const gemm_desc *g, layout *l)
{
    const bool own = g->a.type == g->b.type && takes(d, g->a.type, DTYPE_F32);
    l->in = own ? g->a.type : DTYPE_F32;
    l->out = takes(d, l->in, g->c.type) && !gemm_is_image(&g->b) ? g->c.type : DTYPE_F32;
    l->a = view_of(g->m, g->k, g->a.row, g->a.column, g->a.type == l->in && !gemm_is_image(&g->a));
    l->b = view_of(g->k, g->n, g->b.row, g->b.column, g->b.type == l->in && !gemm_is_image(&g->b));
    l->c = view_of(g->m, g->n, g->c.row, g->c.column, g->c.type == l->out);
}

/* Bias and relu along rows of C, which libraries have; the rest is the epilogue's. */
static bool ended_by_library(const device *d, const gemm_desc *g, const layout *l)
{
    const bool bias = g->bias && g->bias_type == l->out && g->alpha == 1.0f && !l->c.unit_row,
               relu = g->activation == ACTIVATION_RELU;
    return d->backend->blas->ends && (bias || relu) && bias == g->bias &&
           (relu || g->activation == ACTIVATION_IDENTITY) && !g->accumulate && !g->preactivation &&
           !g->slope && !g->residual;
}

/* Both batch axes are one strided axis when that holds for every operand. */
static void plan_batches(const gemm_desc *g, layout *l)
{
    const int64_t *strides[3] = { g->a.batch, g->b.batch, g->c.batch };
    bool image = gemm_is_image(&g->a) || gemm_is_image(&g->b), merge = true;
    for (int i = 0; i < 3; ++i)
        merge = merge && (g->batch[0] == 1 || strides[i][0] == strides[i][1] * g->batch[1]);
    bool swap = g->batch[1] == 1; /* the only axis is the first one */
    l->outer = merge || swap ? 1 : g->batch[0];
    l->inner = merge ? g->batch[0] * g->batch[1] : swap ? g->batch[0] : g->batch[1];
    for (int i = 0; i < 3; ++i) {
        l->outer_stride[i] = strides[i][0];
        l->inner_stride[i] = swap ? strides[i][0] : strides[i][1];
    }
    l->chunk = image ? 1 : l->inner;
}

/* As many of `count` as keep `bytes_each` within the block, at least one. */
static int64_t fit(const device *d, int64_t count, int64_t bytes_each)
{
    int64_t block = d->info.kind == DEVICE_CPU ? BLOCK_BYTES : GPU_BLOCK_BYTES;
    int64_t most = bytes_each > 0 ? block / bytes_each : count;
    if (most >= 64) most = most / 64 * 64;
    return smaller(count, most < 1 ? 1 : most);
}

static int64_t align(int64_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

/* Parts that give every compute unit some tiles; 1 where there are enough, and on CPUs. */
static int64_t parts_wanted(const device *d, const gemm_desc *g)
{
    int64_t tiles = ((g->m + TILE - 1) / TILE) * ((g->n + TILE - 1) / TILE);
    const bool whole = d->info.kind == DEVICE_CPU || d->backend->blas->divides;
    int64_t wanted = whole ? 1 : 2 * d->info.compute_units / tiles;
    return wanted < g->k / SPLIT_DEPTH ? wanted : g->k / SPLIT_DEPTH;
}

/* The largest power of two up to `wanted` that divides every length of k. */
static int64_t parts_of(const layout *l, const gemm_desc *g, int64_t wanted)
{
    int64_t splits = 1;
    if (l->inner > 1 || l->outer > 1) return 1;
    while (2 * splits <= wanted && 2 * splits <= SPLITS_MAX && l->depth % (2 * splits) == 0 &&
           g->k % l->depth % (2 * splits) == 0)
        splits *= 2;
    return splits;
}

static layout make_layout(const device *d, const gemm_desc *g, int64_t parts)
{
    layout l = { .depth = g->k, .rows = g->m };
    plan_types(d, g, &l);
    l.pack_a = !l.a.direct;
    l.pack_b = !l.b.direct;
    if (l.pack_a) l.a = (view){ false, false, g->k };
    if (l.pack_b) l.b = (view){ false, false, g->n };
    bool shaped = g->activation || g->preactivation || g->slope, ended = shaped || g->bias || g->residual;
    l.may_end = l.c.direct && ended_by_library(d, g, &l);
    /* An epilogue reads what it ends as the sum was: a sixteen-bit C would round it twice. */
    l.product = !l.c.direct || (g->accumulate && shaped) || (ended && !l.may_end && l.out != DTYPE_F32);
    l.epilogue = l.product || ended;
    if (l.product) l.c = (view){ false, false, g->n };
    if (l.product) l.out = DTYPE_F32;
    plan_batches(g, &l);
    if (parts == 0) parts = parts_wanted(d, g);
    const int64_t each = (int64_t)dtype_bytes(l.in);
    int64_t a_bytes = l.pack_a ? g->m * g->k * each : 0, b_bytes = l.pack_b ? g->k * g->n * each : 0;
    int64_t c_bytes = l.product ? g->m * g->n * 4 : 0;
    l.chunk = smaller(l.chunk, fit(d, l.inner, a_bytes + b_bytes + c_bytes));
    if (l.chunk == 1) {
        if (gemm_is_image(&g->b))
            l.depth = fit(d, g->k, each * (g->n + (l.pack_a ? g->m : 0)));
        else if (l.pack_a || l.product)
            l.rows = fit(d, g->m, (l.pack_a ? g->k * each : 0) + (l.product ? g->n * 4 : 0));
    }
    l.splits = parts_of(&l, g, parts);
    if (l.splits > 1) {
        l.may_end = false;
        l.product = l.epilogue = true;
        l.out = DTYPE_F32;
        l.c = (view){ false, false, g->n };
    }
    if (l.pack_a) l.a.ld = l.depth;
    l.b_at = align(l.pack_a ? l.chunk * l.rows * l.depth * each : 0);
    l.product_at = l.b_at + align(l.pack_b ? l.chunk * l.depth * g->n * each : 0);
    l.bytes = l.product_at + align(l.product ? l.splits * l.chunk * l.rows * g->n * 4 : 0);
    return l;
}

/* Variants: "in 4", "in 16": k in so many parts, where that is possible. */
bool gemm_library_variant(device *d, const gemm_desc *g, int i, char name[GEMM_WAY_SIZE])
{
    static const int parts[] = { 1, 4, 16 };
    if (i >= (int)(sizeof parts / sizeof *parts) || g->k < SPLIT_DEPTH) return false;
    if (make_layout(d, g, parts[i]).splits != parts[i]) return false;
    snprintf(name, GEMM_WAY_SIZE, "in %d", parts[i]);
    return true;
}

/* A call's shape, for so many batches, rows of C and length of k. */
static gemm_sgemm shape_of(const gemm_desc *g, const layout *l, int64_t batches, int64_t rows, int64_t depth)
{
    return (gemm_sgemm){
        .in = l->in,
        .out = l->out,
        .columns_first = l->c.unit_row,
        .a_transpose = l->a.unit_row != l->c.unit_row,
        .b_transpose = l->b.unit_row != l->c.unit_row,
        .m = (size_t)rows,
        .n = (size_t)g->n,
        .k = (size_t)(depth / l->splits),
        .batches = (size_t)(batches * l->splits),
        .alpha = g->alpha,
        .a_ld = (size_t)(l->pack_a ? depth : l->a.ld),
        .b_ld = (size_t)l->b.ld,
        .c_ld = (size_t)l->c.ld,
    };
}

/* What the largest of its calls takes, wherever its operands will lie: offsets that are not 0 take most. */
static bool plan_scratch(device *d, const gemm_desc *g, const layout *l, error *err)
{
    const gemm_library *blas = d->backend->blas;
    const bool single = l->splits == 1 && (l->chunk == 1 || l->inner % l->chunk == 1); /* batches take none */
    gemm_sgemm s = shape_of(g, l, 1, l->rows, l->depth);
    int64_t bytes = 0;
    s.a_offset = s.b_offset = s.c_offset = 64;
    if (!blas->scratch || !single) return true;
    if (!blas->scratch(d, &s, &bytes, err)) return false;
    if (d->library_planned < bytes) d->library_planned = bytes;
    return true;
}

bool gemm_library_plan(device *d, const gemm_desc *g, const char *variant, int64_t *workspace_bytes,
                       void **state, error *err)
{
    int parts = 0;
    if (variant && (sscanf(variant, "in %d", &parts) != 1 || parts < 1 || parts > SPLITS_MAX))
        return error_set(err, ERROR_USAGE, "%s has no variant '%s'; there are 'in 1' to 'in %d'",
                         d->backend->blas->name, variant, SPLITS_MAX);
    layout *l = malloc(sizeof *l);
    if (!l) return error_set(err, ERROR_MEMORY, "out of memory for a layout");
    *l = make_layout(d, g, parts);
    *workspace_bytes = l->bytes;
    *state = l;
    if (plan_scratch(d, g, l, err)) return true;
    free(l);
    return false;
}

/* ---- Recording ------------------------------------------------------------------------------- */

typedef struct recorder {
    device *d;
    const gemm_desc *g;
    const gemm_buffers *buffers;
    device_launches *list;
    const char *label;
    layout l;
} recorder;

/* A place in the loop: batch `outer` and from batch `first` on `batches` inner ones, rows and k from
 * row and depth on. */
typedef struct block {
    int64_t outer, first, batches, row, rows, depth, depths;
} block;

static device_arg arg_buffer(device_buffer *b, int64_t offset)
{
    return (device_arg){ .kind = DEVICE_ARG_BUFFER, .buffer = b, .integer = offset };
}

static device_arg arg_int(int64_t value)
{
    return (device_arg){ .kind = DEVICE_ARG_INT, .integer = value };
}

static device_arg arg_long(int64_t value)
{
    return (device_arg){ .kind = DEVICE_ARG_LONG, .integer = value };
}

static int64_t batch_offset(const recorder *r, const block *at, int operand)
{
    return at->outer * r->l.outer_stride[operand] + at->first * r->l.inner_stride[operand];
}

static bool add_kernel(recorder *r, const char *kernel, const char *options, int64_t elements,
                       const device_arg *args, int count, error *err)
{
    bool cpu = r->d->info.kind == DEVICE_CPU;
    int64_t local = cpu ? 1 : smaller(64, r->d->info.max_group);
    int64_t groups =
        smaller((elements + local - 1) / local, (int64_t)r->d->info.compute_units * (cpu ? 4 : 64));
    if (groups * local * DEVICE_LONGEST_WALK < elements)
        groups = elements / (local * DEVICE_LONGEST_WALK) + 1;
    device_launch launch = { .file = "device/im2col",
                             .kernel = kernel,
                             .options = options,
                             .label = r->label,
                             .rank = 1,
                             .global = { (size_t)((groups < 1 ? 1 : groups) * local) },
                             .local = { (size_t)local },
                             .arg_count = count };
    memcpy(launch.args, args, (size_t)count * sizeof *args);
    return device_launches_add(r->list, &launch, err);
}

/* Rows first .. first+rows-1 and columns from `column` on of A or B, as the library takes them at workspace
 * byte `to`. */
static bool add_pack(recorder *r, int operand, const block *at, int64_t to, int64_t first, int64_t rows,
                     int64_t column, int64_t columns, error *err)
{
    const gemm_operand *o = operand == 0 ? &r->g->a : &r->g->b;
    device_buffer *from = operand == 0 ? r->buffers->a : r->buffers->b;
    int64_t offset =
        (operand == 0 ? r->buffers->a_offset : r->buffers->b_offset) + batch_offset(r, at, operand);
    device_arg out = arg_buffer(r->buffers->workspace,
                                (r->buffers->workspace_offset + to) / (int64_t)dtype_bytes(r->l.in));
    char options[GEMM_OPTIONS_SIZE];
    const bool f32 = r->l.in == DTYPE_F32; /* the kernels' own choice */
    int length = snprintf(options, sizeof options, "-DX_STORE=STORE_%s%s%s", dtype_name(o->type),
                          f32 ? "" : " -DY_STORE=STORE_", f32 ? "" : dtype_name(r->l.in));
    if (gemm_is_image(o)) {
        options[length++] = ' ';
        length +=
            gemm_launch_window(options + length, sizeof options - (size_t)length, 'X', &o->image.window);
        options[length - 1] = 0; /* the space after the last */
        const device_arg args[] = { out,
                                    arg_buffer(from, offset),
                                    arg_int(first),
                                    arg_int(rows),
                                    arg_int(o->image.height),
                                    arg_int(o->image.width),
                                    arg_int(o->image.channels) };
        return add_kernel(r, "im2col", options, rows * columns, args, 7, err);
    }
    offset += first * o->row + column * o->column;
    const device_arg args[] = { out,
                                arg_buffer(from, offset),
                                arg_int(at->batches),
                                arg_int(rows),
                                arg_int(columns),
                                arg_long(r->l.inner_stride[operand]),
                                arg_long(o->row),
                                arg_long(o->column) };
    return add_kernel(r, "pack_matrix", options, at->batches * rows * columns, args, 8, err);
}

/* The list owns what the call needs. */
static bool sgemm_call(device *d, void *context, error *err)
{
    return d->backend->blas->multiply(d, context, err);
}

static void call_of(const recorder *r, const block *at, gemm_sgemm *s)
{
    const layout *l = &r->l;
    const gemm_desc *g = r->g;
    const gemm_buffers *b = r->buffers;
    *s = shape_of(g, l, at->batches, at->rows, at->depths);
    s->beta = at->depth > 0 || (g->accumulate && !l->product) ? 1.0f : 0.0f;
    const int64_t work = b->workspace_offset, each = (int64_t)dtype_bytes(l->in);
    s->a = l->pack_a ? b->workspace : b->a;
    s->a_stride = (size_t)(l->pack_a ? at->rows * at->depths : l->inner_stride[0]);
    s->a_offset = (size_t)(l->pack_a ? (work + l->a_at) / each
                                     : b->a_offset + batch_offset(r, at, 0) + at->row * g->a.row +
                                           at->depth * g->a.column);
    s->b = l->pack_b ? b->workspace : b->b;
    s->b_stride = (size_t)(l->pack_b ? at->depths * g->n : l->inner_stride[1]);
    s->b_offset = (size_t)(l->pack_b ? (work + l->b_at) / each
                                     : b->b_offset + batch_offset(r, at, 1) + at->depth * g->b.row);
    s->c = l->product ? b->workspace : b->c;
    s->c_stride = (size_t)(l->product ? at->rows * g->n : l->inner_stride[2]);
    s->c_offset = (size_t)(l->product ? (work + l->product_at) / 4
                                      : b->c_offset + batch_offset(r, at, 2) + at->row * g->c.row);
    if (l->splits > 1) {
        s->a_stride = s->k * (l->a.unit_row ? s->a_ld : 1);
        s->b_stride = s->k * (l->b.unit_row ? 1 : s->b_ld);
    }
}

/* *ended: the library does what the epilogue would. */
static bool add_sgemm(recorder *r, const block *at, bool *ended, error *err)
{
    const gemm_library *blas = r->d->backend->blas;
    gemm_sgemm *s = calloc(1, sizeof *s);
    if (!s) return error_set(err, ERROR_MEMORY, "out of memory for launch '%s'", r->label);
    call_of(r, at, s);
    bool ok = blas->reserve(r->d, s, err);
    if (ok && r->l.may_end) {
        s->relu = r->g->activation == ACTIVATION_RELU;
        s->bias = r->g->bias ? r->buffers->bias : NULL;
        s->bias_offset = (size_t)r->buffers->bias_offset;
        *ended = blas->ends(r->d, s);
        if (!*ended) s->relu = false;
        if (!*ended) s->bias = NULL;
    }
    if (ok && !blas->add) return device_launches_add_call(r->list, r->label, sgemm_call, s, err);
    ok = ok && blas->add(r->list, r->label, s, err);
    free(s);
    return ok;
}

static bool add_epilogue(recorder *r, const block *at, error *err)
{
    const gemm_desc *g = r->g;
    const gemm_buffers *b = r->buffers;
    char options[256];
    int64_t offset = batch_offset(r, at, 2) + at->row * g->c.row;
    bool product = r->l.product;
    snprintf(options, sizeof options,
             "-DC_STORE=STORE_%s -DBIAS_STORE=STORE_%s -DBIAS=%d -DPREACTIVATION=%d -DACCUMULATE=%d "
             "-DACTIVATION=%d -DSLOPE=%d -DRESIDUAL=%d -DIN_PLACE=%d",
             dtype_name(g->c.type), dtype_name(g->bias ? g->bias_type : DTYPE_F32), g->bias, g->preactivation,
             product && g->accumulate, (int)g->activation, (int)g->slope, g->residual, !product);
    /* An operand that is not there is never touched; C stands in for it. */
    const device_arg args[] = {
        arg_buffer(b->c, b->c_offset + offset),
        g->bias ? arg_buffer(b->bias, b->bias_offset) : arg_buffer(b->c, 0),
        g->preactivation ? arg_buffer(b->preactivation, b->preactivation_offset + offset)
                         : arg_buffer(b->c, 0),
        g->slope ? arg_buffer(b->point, b->point_offset + offset) : arg_buffer(b->c, 0),
        g->residual ? arg_buffer(b->residual, b->residual_offset + offset) : arg_buffer(b->c, 0),
        product ? arg_buffer(b->workspace, (b->workspace_offset + r->l.product_at) / 4)
                : arg_buffer(b->c, b->c_offset + offset),
        arg_int(r->l.splits),
        arg_int(at->batches),
        arg_int(at->rows),
        arg_int(g->n),
        { .kind = DEVICE_ARG_FLOAT, .real = g->alpha },
        arg_long(r->l.inner_stride[2]),
        arg_long(g->c.row),
        arg_long(g->c.column),
    };
    return add_kernel(r, "gemm_epilogue", options, at->batches * at->rows * g->n, args,
                      sizeof args / sizeof *args, err);
}

/* One chunk of batches: rows in blocks, and inside them k in blocks. */
static bool record_chunk(recorder *r, block at, error *err)
{
    const gemm_desc *g = r->g;
    const layout *l = &r->l;
    if (l->pack_b && !gemm_is_image(&g->b) && !add_pack(r, 1, &at, l->b_at, 0, g->k, 0, g->n, err))
        return false;
    for (at.row = 0; at.row < g->m; at.row += l->rows) {
        bool ended = false;
        at.rows = smaller(l->rows, g->m - at.row);
        for (at.depth = 0; at.depth < g->k; at.depth += l->depth) {
            at.depths = smaller(l->depth, g->k - at.depth);
            if (gemm_is_image(&g->b) && !add_pack(r, 1, &at, l->b_at, at.depth, at.depths, 0, g->n, err))
                return false;
            if (l->pack_a && !add_pack(r, 0, &at, l->a_at, at.row, at.rows, at.depth, at.depths, err))
                return false;
            if (!add_sgemm(r, &at, &ended, err)) return false;
        }
        if (l->epilogue && !ended && !add_epilogue(r, &at, err)) return false;
    }
    return true;
}

bool gemm_library_record(device *d, const gemm_desc *g, void *state, device_launches *list, const char *label,
                         const gemm_buffers *buffers, error *err)
{
    recorder r = { .d = d, .g = g, .buffers = buffers, .list = list, .label = label, .l = *(layout *)state };
    for (int64_t outer = 0; outer < r.l.outer; ++outer)
        for (int64_t first = 0; first < r.l.inner; first += r.l.chunk) {
            block at = { .outer = outer, .first = first, .batches = smaller(r.l.chunk, r.l.inner - first) };
            if (!record_chunk(&r, at, err)) return false;
        }
    return true;
}
