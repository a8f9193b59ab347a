/* Workloads: operations counted from shapes against loops over them, a plan's bytes against what is then
 * allocated, and that the made-up data trains and draws.
 * SPDX-License-Identifier: MIT */
#include "models/request.h"
#include "models/dvae/dvae_workload.h"
#include "models/prior/prior_workload.h"
#include "tests/support/device_or_skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MUST(call) \
    do { \
        if (!(call)) fail_msg("%s", err.message); \
    } while (0)

static error err;

/* ---- Operations ---- */

static double flops_of(const graph *g)
{
    double all = 0;
    for (int i = 0; i < graph_node_count(g); ++i) all += node_flops(graph_node_at(g, i));
    return all;
}

static void test_products(void **state)
{
    (void)state;
    device *d = device_or_skip();
    store *s = store_create(d, &err);
    graph *g = graph_create(s, &err);
    tensor *x = graph_input(g, "x", DTYPE_F32, 3, (int64_t[]){ 2, 3, 5 });
    tensor *w = graph_input(g, "w", DTYPE_F32, 2, (int64_t[]){ 7, 5 });
    op_linear(x, w, NULL);
    double expected = 2.0 * 2 * 3 * 7 * 5;
    assert_true(flops_of(g) == expected);
    tensor *v = graph_input(g, "v", DTYPE_F32, 2, (int64_t[]){ 5, 11 });
    op_matmul(x, v);
    expected += 2.0 * 2 * 3 * 11 * 5;
    assert_true(flops_of(g) == expected);
    tensor *picture = graph_input(g, "picture", DTYPE_F32, 4, (int64_t[]){ 2, 4, 6, 3 });
    tensor *filter = graph_input(g, "filter", DTYPE_F32, 4, (int64_t[]){ 8, 3, 3, 3 });
    op_relu(op_conv2d(picture, filter, NULL));
    expected += 2.0 * 2 * 4 * 6 * 8 * 3 * 3 * 3;
    assert_true(flops_of(g) == expected);
    tensor *u = graph_input(g, "u", DTYPE_F32, 3, (int64_t[]){ 2, 3, 11 });
    op_matmul_tn(x, u);
    op_matmul_nt(x, w);
    expected += 2.0 * 2 * 5 * 11 * 3 + 2.0 * 2 * 3 * 7 * 5;
    assert_true(flops_of(g) == expected);
    op_linear_rows(x, &(linear_rows_terms){ .weight = { w, w, w } });
    expected += 3 * 2.0 * 2 * 3 * 7 * 5;
    assert_true(flops_of(g) == expected);
    op_nearest_code(x, w);
    expected += 2.0 * 2 * 3 * 7 * 5;
    assert_true(flops_of(g) == expected);
    op_sum_all(op_softmax(op_add(x, x))); /* no products */
    assert_true(flops_of(g) == expected);
    graph_destroy(g);
    store_destroy(s);
    device_close(d);
}

/* Decoding is counted at the stream's last token. */
static void test_one_query(store *s, const mask *m, int32_t last)
{
    int keys = 0;
    for (int32_t k = 0; k <= last; ++k) keys += mask_visible(m, last, k);
    graph *g = graph_create(s, &err);
    tensor *q = graph_input(g, "q", DTYPE_F32, 4, (int64_t[]){ 2, 3, 1, 8 });
    tensor *cache = graph_input(g, "cache", DTYPE_F32, 4, (int64_t[]){ 2, 3, last + 1, 8 });
    tensor *position = graph_input(g, "position", DTYPE_I32, 1, (int64_t[]){ 1 });
    op_attention_decode(q, q, q, cache, cache, m, position, 1.0f);
    assert_true(flops_of(g) == 4.0 * 2 * 3 * 8 * keys);
    graph_destroy(g);
}

static void test_attention(void **state)
{
    (void)state;
    device *d = device_or_skip();
    store *s = store_create(d, &err);
    for (int i = 0; i < 2 * MASK_KINDS; ++i) {
        const mask m = { (mask_kind)(i / 2), 5, 4, 3, 0, NULL };
        const int64_t length = m.text + m.side * m.side, queries = i % 2 ? 9 : length;
        const int32_t first = m.kind == MASK_BIDIRECTIONAL ? 0 : (int32_t)(length - queries);
        int64_t pairs = 0;
        for (int32_t q = 0; q < queries; ++q)
            for (int32_t k = 0; k < length; ++k) pairs += mask_visible(&m, first + q, k);
        graph *g = graph_create(s, &err);
        tensor *q = graph_input(g, "q", DTYPE_F32, 4, (int64_t[]){ 2, queries, 3, 8 });
        tensor *k = graph_input(g, "k", DTYPE_F32, 4, (int64_t[]){ 2, length, 3, 8 });
        op_attention(q, k, k, &m, 1.0f);
        assert_true(flops_of(g) == 4.0 * 2 * 3 * 8 * (double)pairs);
        graph_destroy(g);
        test_one_query(s, &m, (int32_t)length - 1);
    }
    store_destroy(s);
    device_close(d);
}

/* A training step's backward pass does the forward pass's products twice over: dx and dw. */
static void test_backward_is_twice_forward(void **state)
{
    (void)state;
    device *d = device_or_skip();
    store *s = store_create(d, &err);
    graph *g = graph_create(s, &err);
    tensor *x = graph_input(g, "x", DTYPE_F32, 2, (int64_t[]){ 6, 5 });
    parameter_spec spec = { STORE_PARAMETER, DTYPE_F32, STORE_NORMAL, 1.0f, true };
    tensor *first = graph_parameter(g, "first", spec, 2, (int64_t[]){ 7, 5 });
    tensor *second = graph_parameter(g, "second", spec, 2, (int64_t[]){ 9, 7 });
    tensor *loss = op_mean_all(op_square(op_linear(op_relu(op_linear(x, first, NULL)), second, NULL)));
    double one = 2.0 * 6 * 5 * 7, two = 2.0 * 6 * 7 * 9;
    assert_true(flops_of(g) == one + two);
    graph_backward(g, loss); /* x needs no gradient */
    assert_true(flops_of(g) == 2 * one + 3 * two);
    graph_destroy(g);
    store_destroy(s);
    device_close(d);
}

/* ---- Workloads ---- */

static void read_settings(const config_table *table, void *config)
{
    train_request r = { .preset = "tiny", .seed = -1 };
    MUST(request_config(&r, table, config, &err));
}

static void check(device *d, workload *w)
{
    workload_size size;
    int64_t before = device_allocated_bytes(d);
    if (!w) fail_msg("%s", err.message);
    MUST(workload_plan(w, &size, &err));
    assert_int_equal(device_allocated_bytes(d), before);
    assert_true(size.parameters > 0 && size.parameter_bytes == 4 * size.parameters);
    assert_int_equal(size.moment_bytes, 2 * size.parameter_bytes);
    assert_true(size.flops > 6.0 * (double)size.parameters / 100);
    assert_true(size.largest_bytes > 0 && size.largest_bytes <= size.work_bytes && size.largest_name[0]);
    MUST(workload_ready(w, &err));
    /* Entries are padded. */
    int64_t planned = size.parameter_bytes + size.moment_bytes + size.ema_bytes + size.state_bytes +
                      size.input_bytes + size.work_bytes,
            allocated = device_allocated_bytes(d) - before;
    assert_true(allocated >= planned && allocated <= planned + planned / 4 + (1 << 20));
    MUST(workload_check(w, &err));
    MUST(workload_run(w, &err));
    workload_destroy(w);
    assert_int_equal(device_allocated_bytes(d), before);
}

static void test_dvae(void **state)
{
    (void)state;
    device *d = device_or_skip();
    dvae_config c;
    read_settings(&dvae_config_table, &c);
    check(d, dvae_workload(d, &c, &err));
    c.image_size = 17;
    assert_null(dvae_workload(d, &c, &err));
    assert_non_null(strstr(err.message, "image_size 17"));
    device_close(d);
}

static void test_prior(void **state)
{
    (void)state;
    device *d = device_or_skip();
    prior_config c;
    const prior_shape shape = { 4, 32 };
    read_settings(&prior_config_table, &c);
    check(d, prior_workload(d, &c, &shape, &err));
    c.heads = c.size + 1;
    assert_null(prior_workload(d, &c, &shape, &err));
    device_close(d);
}

/* Moments of 16 bits are half as large, but for those of what stays wide: gains, biases, embeddings and
 * unembeddings. */
static void test_moments(void **state)
{
    (void)state;
    device *d = device_or_skip();
    prior_config c;
    const prior_shape shape = { 4, 32 };
    read_settings(&prior_config_table, &c);
    c.mean_type = training_mean_type_f169;
    c.variance_type = training_variance_type_uf610;
    c.tie_embeddings = false;
    const int64_t block = 4 + 4 + c.mlp_factor + 1, /* norms, biases of attention, of the MLP */
        wide = c.size * (2 * c.text_vocabulary + 2 * c.text_tokens + 2 * shape.codes + 2 * shape.side +
                         c.layers * block + 2);
    workload_size size;
    workload *w = prior_workload(d, &c, &shape, &err);
    if (!w) fail_msg("%s", err.message);
    MUST(workload_plan(w, &size, &err));
    assert_true(wide < size.parameters);
    assert_int_equal(size.parameter_bytes, 4 * size.parameters);
    assert_int_equal(size.moment_bytes, 8 * wide + 4 * (size.parameters - wide));
    MUST(workload_ready(w, &err));
    MUST(workload_check(w, &err));
    workload_destroy(w);
    device_close(d);
}

/* ---- For many ranks ---- */

static void count_for_ranks(device *d, const prior_config *c, workload_size *size, scale_step *step)
{
    const prior_shape shape = { 4, 32 };
    workload *w = prior_workload(d, c, &shape, &err);
    if (!w) fail_msg("%s", err.message);
    MUST(workload_scale(w, size, step, &err));
    workload_destroy(w);
}

/* Of a batch of 4 in two parts, one to each of two ranks. */
static const scale_job two_ranks = { .ranks = 2, .shards = 1, .parts = 1 };

static void test_memory_of_ranks(void **state)
{
    (void)state;
    device *d = device_or_skip();
    prior_config c;
    workload_size size;
    scale_step step;
    const prior_shape shape = { 4, 32 };
    read_settings(&prior_config_table, &c);
    c.accumulate = 2;
    int64_t before = device_allocated_bytes(d);
    workload *w = prior_workload(d, &c, &shape, &err);
    if (!w) fail_msg("%s", err.message);
    MUST(workload_scale(w, &size, &step, &err));
    const scale_memory m = scale_memory_of(&step, &two_ranks);
    assert_int_equal(m.parameters, size.parameter_bytes);
    assert_int_equal(m.moments, size.moment_bytes);
    assert_int_equal(m.averages, size.ema_bytes);
    assert_int_equal(m.gradients + m.state, size.sum_bytes + size.state_bytes);
    assert_int_equal(m.gradients, 4 * size.parameters);
    assert_int_equal(m.work, size.work_bytes);
    MUST(workload_ready(w, &err));
    int64_t allocated = device_allocated_bytes(d) - before;
    assert_true(allocated >= m.total && allocated <= m.total + m.total / 4 + (1 << 20));
    workload_scale_free(&step);
    workload_destroy(w);
    device_close(d);
}

/* What a graph that compresses declares is what is planned for it. */
static void test_compressed_in_fact(void **state)
{
    (void)state;
    device *d = device_or_skip();
    prior_config c;
    workload_size plain, compressed;
    scale_step step, other;
    read_settings(&prior_config_table, &c);
    c.accumulate = 2;
    count_for_ranks(d, &c, &plain, &step);
    c.compress = training_compress_powersgd;
    c.rank = 6;
    count_for_ranks(d, &c, &compressed, &other);
    scale_job j = two_ranks;
    j.rank = 6;
    j.compressed = DTYPE_F169;
    const scale_memory m = scale_memory_of(&step, &j);
    assert_true(m.errors > 0 && m.thin > 0);
    assert_int_equal(m.errors + m.thin, compressed.error_bytes - plain.error_bytes);
    assert_int_equal(m.gradients + 4 * (m.errors / 2), 4 * plain.parameters);
    workload_scale_free(&step);
    workload_scale_free(&other);
    device_close(d);
}

/* A wide model on one picture works most where the norms are taken, and there of ten gradients at a time. */
static void test_compressed_norm(void **state)
{
    (void)state;
    device *d = device_or_skip();
    prior_config c;
    workload_size plain, compressed;
    scale_step step, other;
    const scale_job j = { .ranks = 1, .shards = 1, .parts = 1, .rank = 6, .compressed = DTYPE_F169 };
    read_settings(&prior_config_table, &c);
    c.accumulate = c.batch = 2;
    c.size = 384;
    c.heads = c.layers = c.rank = 6;
    for (int precision = training_precision_f32; precision <= training_precision_paper; ++precision) {
        c.precision = (enum training_precision)precision;
        c.compress = training_compress_none;
        count_for_ranks(d, &c, &plain, &step);
        c.compress = training_compress_powersgd;
        count_for_ranks(d, &c, &compressed, &other);
        const scale_memory m = scale_memory_of(&step, &j);
        assert_true(m.work >= plain.work_bytes);
        /* Which gradients meet there is not planned; with scales of blocks it is those of one block. */
        const bool paper = precision == training_precision_paper;
        if (compressed.work_bytes > m.work * 4 / 3 || (!paper && compressed.work_bytes < m.work * 2 / 3))
            fail_msg("precision %d: %lld bytes of work, %lld were planned", precision,
                     (long long)compressed.work_bytes, (long long)m.work);
        workload_scale_free(&step);
        workload_scale_free(&other);
    }
    device_close(d);
}

static void test_types_of_arrays(void **state)
{
    (void)state;
    device *d = device_or_skip();
    prior_config c;
    workload_size size;
    scale_step step;
    read_settings(&prior_config_table, &c);
    c.accumulate = 2;
    for (int paper = 0; paper < 2; ++paper) {
        c.precision = paper ? training_precision_paper : training_precision_mixed;
        count_for_ranks(d, &c, &size, &step);
        for (int i = 0; i < step.count; ++i) {
            const scale_array *a = &step.arrays[i];
            assert_int_equal(a->parameter, paper && !a->wide ? 2 : 4);
            assert_int_equal(a->moments, paper && !a->wide ? 4 : 8);
            assert_int_equal(a->cast, !paper && !a->wide ? 2 : 0);
            assert_true(a->wide || a->last > 0);
        }
        workload_scale_free(&step);
    }
    device_close(d);
}

/* The forward pass by hand; the backward pass does it twice over, and with recomputation once more, but
 * for the logits.  Blocks are gathered by their names. */
static void test_passes(void **state)
{
    (void)state;
    device *d = device_or_skip();
    prior_config c;
    workload_size size;
    scale_step step, again;
    read_settings(&prior_config_table, &c);
    c.accumulate = 2;
    count_for_ranks(d, &c, &size, &step);
    c.recompute = true;
    count_for_ranks(d, &c, &size, &again);
    const double tokens = 2 * 32, size_of = (double)c.size; /* two samples of 16 + 16 */
    double attention = 0;
    for (int64_t layer = 1; layer <= c.layers; ++layer) {
        const mask m = prior_mask(&c, &(prior_shape){ 4, 32 }, layer);
        for (int32_t q = 0; q < 32; ++q)
            for (int32_t k = 0; k < 32; ++k) attention += mask_visible(&m, q, k);
    }
    const double blocks =
                     tokens * 2 * 12 * size_of * size_of * (double)c.layers + 2 * 4 * size_of * attention,
                 logits = 2 * 2 * size_of * (double)(15 * c.text_vocabulary + 16 * 32);
    assert_true(step.forward == blocks + logits);
    assert_true(again.forward == step.forward);
    assert_true(step.backward >= 2 * step.forward);
    assert_true(again.backward > step.backward && again.backward <= step.backward + blocks);
    assert_true(size.flops == 2 * (again.forward + again.backward) + again.once);
    assert_int_equal(step.arrays[0].block, 0);
    int first = 0;
    while (step.arrays[first].block == first) ++first; /* embeddings are gathered one by one, */
    int block = step.arrays[first].block, together = 0;
    for (int i = 0; i < step.count; ++i) together += step.arrays[i].block == block;
    assert_int_equal(together, 16); /* and two norms, four layers of attention and two of the MLP together */
    workload_scale_free(&step);
    workload_scale_free(&again);
    device_close(d);
}

static void test_draw(void **state)
{
    (void)state;
    device *d = device_or_skip();
    prior_config c;
    const prior_shape shape = { 4, 32 };
    read_settings(&prior_config_table, &c);
    for (int half = 0; half < 2; ++half) {
        workload *w = prior_workload_drawing(d, &c, &shape, half ? DTYPE_F16 : DTYPE_F32, &err);
        if (!w) fail_msg("%s", err.message);
        MUST(workload_ready(w, &err));
        MUST(workload_check(w, &err));
        MUST(workload_run(w, &err));
        workload_destroy(w);
    }
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_backward_is_twice_forward),
        cmocka_unit_test(test_dvae),
        cmocka_unit_test(test_prior),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_memory_of_ranks),
        cmocka_unit_test(test_compressed_in_fact),
        cmocka_unit_test(test_compressed_norm),
        cmocka_unit_test(test_types_of_arrays),
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_draw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
