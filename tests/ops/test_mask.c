/* Masks: the definition against a brute force written from the paper's words, the kernel against the
 * definition, and the operator against a table.
 * SPDX-License-Identifier: MIT */
#include "host/ops/mask.h"
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
    if (query < m->text) {
        for (int k = 0; k <= query; ++k) seen[k] = true;
        return;
    }
    for (int k = 0; k < m->text; ++k) seen[k] = true;
    int i = query - m->text;
    if (m->kind == MASK_FULL)
        for (int j = 0; j <= i; ++j) seen[m->text + j] = true;
    if (m->kind == MASK_ROW) draw_row(m, i, seen);
    if (m->kind == MASK_COLUMN) draw_column(m, i, seen);
    if (m->kind == MASK_CONV) draw_conv(m, i, seen);
}

static const mask grids[] = { { MASK_FULL, 0, 1, 11 },  { MASK_FULL, 5, 4, 3 },   { MASK_FULL, 3, 4, 11 },
                              { MASK_FULL, 7, 13, 11 }, { MASK_FULL, 2, 12, 11 }, { MASK_FULL, 0, 11, 11 },
                              { MASK_FULL, 4, 10, 11 }, { MASK_FULL, 1, 6, 5 },   { MASK_FULL, 3, 2, 11 },
                              { MASK_FULL, 6, 16, 7 },  { MASK_FULL, 2, 3, 1 },   { MASK_FULL, 2, 6, 3, 4 },
                              { MASK_FULL, 3, 4, 3, 9 } };

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
    int64_t values[] = { length, (int64_t)m->kind, m->text, m->side, mask_extent(m) };
    launch.args[0] = (device_arg){ .kind = DEVICE_ARG_BUFFER, .buffer = b };
    for (int i = 0; i < 5; ++i)
        launch.args[1 + i] = (device_arg){ .kind = DEVICE_ARG_INT, .integer = values[i] };
    launch.arg_count = 6;
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
        for (int kind = 0; kind <= MASK_CONV; ++kind) {
            mask m = grids[i];
            m.kind = (mask_kind)kind;
            wrong += compare_definition(&m);
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
    int first = in[1].v ? (int)in[1].v[0] : 0;
    for (int64_t i = 0; i < in[0].count; ++i) {
        int key = (int)(i % in[0].last), query = (int)(i / in[0].last % queries);
        out[0].v[i] = mask_visible(&m, query + first, key) ? in[0].v[i] : -4.0;
    }
}

static const op_case cases[] = {
    { .name = "full", .in = { { 4, { 2, 3, 7, 7 } } }, .ints = { MASK_FULL, 3, 2, 3 } },
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
