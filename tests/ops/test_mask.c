/* Masks: the definition against a brute force written from the paper's words, the kernel against the
 * definition, and the operator against a table.
 * SPDX-License-Identifier: MIT */
#include "host/ops/mask.h"
#include "cl/mask.clh"
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

/* Marks every key that query i of the image sees, walking the picture instead of computing distances. */
static void draw_row(const mask *m, int i, bool *seen)
{
    /* "the previous W + 1 raster positions including itself" */
    for (int left = (m->reach ? m->reach : m->side) + 1, j = i; left > 0 && j >= 0; --left, --j)
        seen[m->text + j] = true;
}

static void draw_column(const mask *m, int i, bool *seen)
{
    for (int row = 0; row <= i / m->side; ++row) seen[m->text + row * m->side + i % m->side] = true;
}

static void draw_conv(const mask *m, int i, bool *seen)
{
    /* Each tap of the window is a step along the raster, which wraps around at the row's ends. */
    int half = m->window / 2;
    for (int dy = -half; dy <= 0; ++dy)
        for (int dx = -half; dx <= half; ++dx) {
            int j = i + dy * m->side + dx;
            if (j >= 0 && j <= i) seen[m->text + j] = true;
        }
}

static void draw(const mask *m, int query, bool *seen)
{
    if (m->kind == MASK_BIDIRECTIONAL) {
        memset(seen, 1, (size_t)(m->text + m->side * m->side));
        return;
    }
    if (query < m->text) {
        for (int k = 0; k <= query; ++k) seen[k] = true;
        return;
    }
    for (int k = 0; k < m->text; ++k) seen[k] = true;
    int i = query - m->text;
    if (m->kind == MASK_CAUSAL)
        for (int j = 0; j <= i; ++j) seen[m->text + j] = true;
    if (m->kind == MASK_ROW) draw_row(m, i, seen);
    if (m->kind == MASK_COLUMN) draw_column(m, i, seen);
    if (m->kind == MASK_CONV) draw_conv(m, i, seen);
}

/* Of each kind. */
static const mask grids[] = { { .text = 0, .side = 1, .window = 11 },
                              { .text = 5, .side = 4, .window = 3 },
                              { .text = 3, .side = 4, .window = 11 },
                              { .text = 7, .side = 13, .window = 11 },
                              { .text = 2, .side = 12, .window = 11 },
                              { .text = 0, .side = 11, .window = 11 },
                              { .text = 4, .side = 10, .window = 11 },
                              { .text = 1, .side = 6, .window = 5 },
                              { .text = 3, .side = 2, .window = 11 },
                              { .text = 6, .side = 16, .window = 7 },
                              { .text = 2, .side = 3, .window = 1 },
                              { .text = 2, .side = 6, .window = 3, .reach = 4 },
                              { .text = 3, .side = 4, .window = 3, .reach = 9 } };

static int compare_definition(const mask *m)
{
    int length = m->text + m->side * m->side, wrong = 0;
    bool *seen = malloc((size_t)length);
    for (int q = 0; q < length; ++q) {
        memset(seen, 0, (size_t)length);
        draw(m, q, seen);
        for (int k = 0; k < length; ++k) {
            if (seen[k] == mask_visible(m, q, k)) continue;
            if (wrong++ < 3)
                fprintf(stderr, "%s text %d side %d window %d: query %d key %d should be %d\n",
                        mask_kind_name(m->kind), m->text, m->side, m->window, q, k, seen[k]);
        }
    }
    free(seen);
    return wrong;
}

/* A column mask over an image in column-major order is a causal one in blocks (host/ops/attention.c). */
static int compare_blocks(const mask *m)
{
    int length = m->text + m->side * m->side, wrong = 0;
    mask_bands bands = { length, m->text, m->text, 1, 1, 1, MASK_FAR, m->side };
    for (int q = 0; q < length; ++q)
        for (int k = 0; k < length; ++k) {
            int place[2] = { q, k };
            for (int i = 0; i < 2; ++i) {
                int p = place[i] - m->text;
                if (p >= 0) place[i] = m->text + p % m->side * m->side + p / m->side;
            }
            if ((mask_sees(bands, place[0], place[1]) != 0) == mask_visible(m, q, k)) continue;
            if (wrong++ < 3)
                fprintf(stderr, "blocks, text %d side %d: query %d key %d\n", m->text, m->side, q, k);
        }
    return wrong;
}

static int compare_kernel(rig *r, const mask *m)
{
    int length = m->text + m->side * m->side, wrong = 0;
    error err = { 0 };
    size_t bytes = (size_t)length * (size_t)length * sizeof(int32_t);
    int32_t *table = malloc(bytes);
    device_buffer *b = device_buffer_create(r->device, (int64_t)bytes, &err);
    device_launches *list = device_launches_create(r->device, &err);
    device_launch launch = { .file = "ops/mask",
                             .kernel = "mask_table",
                             .options = "-DLANES=1 -DVEC=1",
                             .label = "mask",
                             .rank = 1,
                             .global = { (size_t)length },
                             .local = { 1 } };
    const mask_bands bands = mask_bands_of(m, length);
    const int values[] = { length,     bands.length, bands.text,  bands.causal,
                           bands.step, bands.bands,  bands.reach, bands.block };
    launch.args[0] = (device_arg){ .kind = DEVICE_ARG_BUFFER, .buffer = b };
    for (int i = 0; i < 8; ++i)
        launch.args[1 + i] = (device_arg){ .kind = DEVICE_ARG_INT, .integer = values[i] };
    launch.arg_count = 9;
    rig_must(b && list && device_launches_add(list, &launch, &err) && device_launches_run(list, 0, 1, &err) &&
                 device_read(r->device, b, 0, table, (int64_t)bytes, &err),
             &err, "mask_table");
    for (int q = 0; q < length; ++q)
        for (int k = 0; k < length; ++k) {
            /* 3: visible, and listed exactly once; 0: neither. */
            int wanted = mask_visible(m, q, k) ? 3 : 0;
            if (table[q * length + k] != wanted && wrong++ < 3)
                fprintf(stderr, "kernel, %s text %d side %d window %d: query %d key %d is %d, not %d\n",
                        mask_kind_name(m->kind), m->text, m->side, m->window, q, k, table[q * length + k],
                        wanted);
        }
    device_launches_destroy(list);
    device_buffer_destroy(b);
    free(table);
    return wrong;
}

static int check_functions(void)
{
    int wrong = 0;
    rig r = rig_open(0);
    for (size_t i = 0; i < sizeof grids / sizeof *grids; ++i)
        for (int kind = 0; kind < MASK_KINDS; ++kind) {
            mask m = grids[i];
            m.kind = (mask_kind)kind;
            wrong += compare_definition(&m);
            if (m.kind == MASK_COLUMN) wrong += compare_blocks(&m);
            if (!getenv("DALLE_CL_TINY") || m.side < 5) wrong += compare_kernel(&r, &m);
        }
    rig_close(&r);
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- The operator.  -inf is clamped to -4, so that it can be compared. ---- */

static mask case_mask(const op_case *c)
{
    return (mask){ (mask_kind)c->ints[0], (int32_t)c->ints[1], (int32_t)c->ints[2], (int32_t)c->ints[3] };
}

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    mask m = case_mask(c);
    out[0] = op_clamp(op_mask(in[0], &m, in[1]), -4.0f, 4.0f);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    mask m = case_mask(c);
    int64_t queries = in[0].rank > 1 ? in[0].dim[in[0].rank - 2] : 1;
    int first = in[1].v ? (int)in[1].v[0] : mask_first_query(&m, queries, in[0].last);
    for (int64_t i = 0; i < in[0].count; ++i) {
        int key = (int)(i % in[0].last), query = (int)(i / in[0].last % queries);
        out[0].v[i] = mask_visible(&m, query + first, key) ? in[0].v[i] : -4.0;
    }
}

static const op_case cases[] = {
    { .name = "causal", .in = { { 4, { 2, 3, 7, 7 } } }, .ints = { MASK_CAUSAL, 3, 2, 3 } },
    { .name = "row", .in = { { 4, { 3, 3, 21, 21 } } }, .ints = { MASK_ROW, 5, 4, 3 } },
    { .name = "column", .in = { { 3, { 9, 21, 21 } } }, .ints = { MASK_COLUMN, 5, 4, 3 } },
    { .name = "conv", .in = { { 3, { 1, 28, 28 } } }, .ints = { MASK_CONV, 3, 5, 3 } },
    { .name = "long",
      .in = { { 3, { 2, 149, 149 } } },
      .ints = { MASK_CONV, 5, 12, 11 },
      .large = true,
      .no_gradient = true },
    { .name = "one query",
      .in = { { 4, { 2, 2, 1, 21 } }, { 1, { 1 }, OP_INTEGER, 17, 17 } },
      .ints = { MASK_ROW, 5, 4, 3 } },
    { .name = "the last queries", .in = { { 3, { 9, 5, 21 } } }, .ints = { MASK_ROW, 5, 4, 3 } },
    { .name = "bidirectional", .in = { { 3, { 9, 7, 5 } } }, .ints = { MASK_BIDIRECTIONAL, 2, 0, 0 } },
    { .name = "more queries than keys",
      .in = { { 3, { 1, 7, 5 } } },
      .ints = { MASK_CAUSAL, 2, 1, 1 },
      .fails = "mask: k has 5 keys, fewer than the 7 queries" },
    { .name = "no such kind",
      .in = { { 2, { 5, 5 } } },
      .ints = { MASK_KINDS, 1, 1, 1 },
      .fails = "impossible" },
    { .name = "one element", .in = { { 2, { 1, 1 } } }, .ints = { MASK_COLUMN, 0, 1, 1 } },
    { .name = "no query axis",
      .in = { { 1, { 5 } } },
      .ints = { MASK_ROW, 1, 2, 3 },
      .fails = "query and key" },
    { .name = "impossible", .in = { { 2, { 5, 5 } } }, .ints = { MASK_ROW, 1, 0, 3 }, .fails = "impossible" },
};

int main(void)
{
    int wrong = check_functions();
    int status = op_check_main(&(op_test){ "mask", build, reference, OP_CASES(cases) });
    return status ? status : wrong;
}
