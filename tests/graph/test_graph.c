/* test_graph.c -- scopes, latched mistakes, views, gradients, in-place order, recomputation, segments.
 * SPDX-License-Identifier: MIT */
#include "tests/graph/fixture.h"

#include <math.h>
#include <string.h>

static void assert_close(const float *a, const double *b, int count)
{
    for (int i = 0; i < count; ++i)
        if (!(fabs((double)a[i] - b[i]) <= 1e-5 * (1 + fabs(b[i]))))
            fail_msg("element %d is %g; %g is due", i, (double)a[i], b[i]);
}

static void test_scopes_name_parameters_and_nodes(void **state)
{
    fixture *f = *state;
    graph *g = f->graph;
    graph_push(g, "block.%d", 3);
    graph_push(g, "attention");
    tensor *w = parameter(g, "weight", 1, (int64_t[]){ 4 });
    graph_pop(g);
    tensor *first = op_relu(w), *second = op_relu(first);
    graph_pop(g);
    assert_string_equal(graph_entry_of(w)->name, "block.3.attention.weight");
    assert_string_equal(first->from->name, "block.3.relu");
    assert_string_equal(second->from->name, "block.3.relu.1");
    assert_string_equal(graph_scoped(g, "alone"), "alone");
    assert_null(graph_entry_of(first));
    assert_int_equal(graph_node_count(g), 2);
    assert_ptr_equal(graph_node_at(g, 1), second->from);
}

static void test_the_first_mistake_is_kept(void **state)
{
    fixture *f = *state;
    graph *g = f->graph;
    tensor *a = parameter(g, "a", 2, (int64_t[]){ 2, 3 }), *b = parameter(g, "b", 1, (int64_t[]){ 4 });
    graph_push(g, "early");
    tensor *wrong = op_add(a, b);
    graph_pop(g);
    graph_push(g, "late_scope");
    tensor *later = op_matmul(wrong, op_matmul(a, a));
    graph_pop(g);
    assert_true(wrong->poison);
    assert_true(later->poison);
    graph_backward(g, op_sum_all(later));
    assert_true(graph_gradient(g, later)->poison);
    graph_keep(later);
    error err = { 0 };
    graph_plan_info info;
    assert_false(graph_plan(g, &info, &err));
    assert_false(graph_compile(g, 1, NULL, &err));
    assert_int_equal(err.code, ERROR_MODEL);
    assert_non_null(strstr(err.message, "early"));
    assert_non_null(strstr(err.message, "[2,3]"));
    assert_null(strstr(err.message, "late_scope"));
}

static void test_a_second_declaration_must_agree(void **state)
{
    fixture *f = *state;
    graph *g = f->graph;
    tensor *a = parameter(g, "a", 1, (int64_t[]){ 4 });
    assert_ptr_equal(parameter(g, "a", 1, (int64_t[]){ 4 }), a);
    assert_true(parameter(g, "a", 1, (int64_t[]){ 5 })->poison);
    error err = { 0 };
    assert_false(graph_compile(g, 1, NULL, &err));
    assert_non_null(strstr(err.message, "'a'"));
}

static void test_what_cannot_be_differentiated(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    graph_backward(f->graph, parameter(f->graph, "a", 1, (int64_t[]){ 4 }));
    assert_false(graph_compile(f->graph, 1, NULL, &err));
    assert_non_null(strstr(err.message, "scalar"));

    graph *g = graph_create(f->store, &err);
    graph_set_trainable(g, false);
    graph_backward(g, op_sum_all(parameter(g, "a", 1, (int64_t[]){ 4 })));
    assert_false(graph_compile(g, 1, NULL, &err));
    assert_non_null(strstr(err.message, "no trained parameter"));
    graph_destroy(g);
}

static void test_views_share_memory(void **state)
{
    fixture *f = *state;
    graph *g = f->graph;
    tensor *x = graph_input(g, "x", DTYPE_F32, 3, (int64_t[]){ 2, 3, 4 });
    tensor *part = op_slice(x, 2, 1, 2);                       /* [2,3,2] */
    tensor *turned = op_permute(part, (int[]){ 2, 0, 1 });     /* [2,2,3] */
    tensor *flat = op_reshape(turned, 2, (int64_t[]){ 2, 6 }); /* copied: not contiguous */
    assert_ptr_equal(turned->storage, x->storage);
    assert_ptr_not_equal(flat->storage, x->storage);
    graph_keep(flat);
    compile(g);
    float in[24], out[12];
    for (int i = 0; i < 24; ++i) in[i] = (float)i;
    set(x, in);
    run(g);
    get(flat, out);
    for (int c = 0; c < 2; ++c)
        for (int r = 0; r < 6; ++r) assert_true(out[c * 6 + r] == (float)(r * 4 + 1 + c));
}

/* Contributions arrive contiguous, transposed and sliced; the sum takes the strided path. */
static void test_contributions_add_up(void **state)
{
    fixture *f = *state;
    graph *g = f->graph;
    tensor *w = parameter(g, "w", 2, (int64_t[]){ 3, 5 });
    tensor *c = graph_input(g, "c", DTYPE_F32, 2, (int64_t[]){ 5, 3 });
    tensor *turned = op_sum_all(op_mul(c, op_contiguous(op_permute(w, (int[]){ 1, 0 }))));
    tensor *sliced = op_sum_all(op_square(op_contiguous(op_slice(w, 1, 1, 2))));
    tensor *again = op_sum_all(op_square(parameter(g, "w", 2, (int64_t[]){ 3, 5 })));
    tensor *loss = op_add(op_add(turned, sliced), again);
    graph_backward(g, loss);
    tensor *gradient = op_contiguous(graph_gradient(g, w));
    graph_keep(gradient);
    compile(g);
    float values[15], factors[15], got[15];
    double expected[15];
    for (int i = 0; i < 15; ++i) factors[i] = (float)(i - 7) * 0.5f;
    set(c, factors);
    error err = { 0 };
    assert_true(store_read_f32(f->store, store_find(f->store, "w"), values, &err));
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 5; ++j) {
            double v = (double)values[i * 5 + j];
            expected[i * 5 + j] = (double)factors[j * 3 + i] + (j == 1 || j == 2 ? 2 * v : 0) + 2 * v;
        }
    graph_poison_memory(g, true);
    for (int k = 0; k < 2; ++k) {
        run(g);
        get(gradient, got);
        assert_close(got, expected, 15);
    }
}

/* A product whose result is a gradient's contribution does the rest itself. */
static void test_products_end_gradients(void **state)
{
    fixture *f = *state;
    graph *g = f->graph;
    tensor *x = parameter(g, "x", 2, (int64_t[]){ 6, 4 }), *first = parameter(g, "a", 2, (int64_t[]){ 5, 4 });
    tensor *second = parameter(g, "b", 2, (int64_t[]){ 4, 5 });
    tensor *third = parameter(g, "d", 2, (int64_t[]){ 5, 4 }),
           *fourth = parameter(g, "e", 2, (int64_t[]){ 4, 5 });
    tensor *h = op_linear_add(op_linear_gelu(op_relu(x), first, NULL), second, NULL, x);
    h = op_linear_add(
        op_linear_activation(op_activation(h, ACTIVATION_SILU), third, NULL, ACTIVATION_GELU_TANH), fourth,
        NULL, h);
    graph_backward(g, op_sum_all(op_matmul(op_relu(h), parameter(g, "c", 2, (int64_t[]){ 4, 4 }))));
    assert_non_null(graph_gradient(g, x));
    for (int i = 0; i < graph_node_count(g); ++i) {
        const char *name = graph_node_at(g, i)->def->name;
        assert_string_not_equal(name, "accumulate");
        assert_null(strstr(name, "_backward"));
    }
}

static void test_updates_happen_in_order(void **state)
{
    fixture *f = *state;
    graph *g = f->graph;
    parameter_spec spec = { STORE_STATE, DTYPE_F32, STORE_ONES, 0, false };
    tensor *average = graph_parameter(g, "average", spec, 1, (int64_t[]){ 4 });
    tensor *x = graph_input(g, "x", DTYPE_F32, 1, (int64_t[]){ 4 });
    tensor *decay = graph_input(g, "decay", DTYPE_F32, 1, (int64_t[]){ 1 });
    tensor *before = op_scale(average, 10);
    tensor *updated = op_ema(average, x, decay);
    tensor *after = op_scale(average, 10), *through = op_scale(updated, 100);
    graph_keep(before);
    graph_keep(after);
    graph_keep(through);
    compile(g);
    float half = 0.5f, threes[4] = { 3, 3, 3, 3 }, got[4];
    set(x, threes);
    set(decay, &half);
    for (int step = 0; step < 2; ++step) {
        double old = step ? 2.0 : 1.0, new = (old + 3) / 2;
        run(g);
        get(before, got);
        assert_close(got, (double[]){ 10 * old, 10 * old, 10 * old, 10 * old }, 4);
        get(after, got);
        assert_close(got, (double[]){ 10 * new, 10 * new, 10 * new, 10 * new }, 4);
        get(through, got);
        assert_close(got, (double[]){ 100 * new, 100 * new, 100 * new, 100 * new }, 4);
    }
}

static void test_only_what_is_wanted_runs(void **state)
{
    fixture *f = *state;
    graph *g = f->graph;
    tensor *x = graph_input(g, "x", DTYPE_F32, 1, (int64_t[]){ 4096 });
    tensor *wanted = op_relu(op_scale(x, 2));
    op_exp(op_exp(op_exp(x)));
    graph_keep(wanted);
    graph_plan_info info;
    error err = { 0 };
    assert_true(graph_plan(g, &info, &err));
    assert_int_equal(info.nodes, 2);
    assert_int_equal(info.work_bytes, 2 * 4096 * 4);
    compile(g);
    assert_true(graph_info(g, &info));
    assert_int_equal(info.launches, 2);
}

/* Four blocks with dropout; returns work bytes and leaves the gradients of all weights. */
static int64_t train_once(fixture *f, bool recompute, float gradients[4][64])
{
    error err = { 0 };
    graph *g = graph_create(f->store, &err);
    tensor *h = graph_input(g, "x", DTYPE_F32, 2, (int64_t[]){ 256, 8 }), *x = h;
    tensor *random = graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    tensor *weights[4], *found[4];
    for (int i = 0; i < 4; ++i) {
        graph_push(g, "block%d", i);
        if (recompute) graph_recompute_begin(g);
        weights[i] = parameter(g, "weight", 2, (int64_t[]){ 8, 8 });
        tensor *branch = op_exp(op_scale(op_gelu(op_linear(h, weights[i], NULL)), 0.1f));
        h = op_add(h, op_dropout(op_square(op_sigmoid(branch)), 0.25f, random));
        if (recompute) graph_recompute_end(g);
        graph_pop(g);
    }
    graph_backward(g, op_mean_all(op_square(h)));
    for (int i = 0; i < 4; ++i) {
        found[i] = op_contiguous(graph_gradient(g, weights[i]));
        graph_keep(found[i]);
    }
    compile(g);
    graph_poison_memory(g, true);
    float in[256 * 8];
    for (int i = 0; i < 256 * 8; ++i) in[i] = sinf((float)i);
    set(x, in);
    set(random, (int32_t[]){ 5, 0, 9, 0 });
    run(g);
    for (int i = 0; i < 4; ++i) get(found[i], gradients[i]);
    graph_plan_info info;
    graph_info(g, &info);
    graph_destroy(g);
    return info.work_bytes;
}

static void test_recomputation_changes_memory_only(void **state)
{
    fixture *f = *state;
    static float kept[4][64], again[4][64];
    int64_t much = train_once(f, false, kept), little = train_once(f, true, again);
    assert_memory_equal(kept, again, sizeof kept);
    for (int i = 0; i < 64; ++i) assert_true(isfinite(kept[0][i]));
    if (little * 4 > much * 3)
        fail_msg("recomputation needs %lld bytes, keeping %lld", (long long)little, (long long)much);
}

static void test_the_host_acts_between_segments(void **state)
{
    fixture *f = *state;
    graph *g = f->graph;
    tensor *x = graph_input(g, "x", DTYPE_F32, 1, (int64_t[]){ 3 });
    tensor *first = op_scale(x, 2);
    graph_segment(g);
    tensor *second = op_add(op_scale(x, 3), first);
    graph_keep(first);
    graph_keep(second);
    compile(g);
    assert_int_equal(graph_segments(g), 2);
    error err = { 0 };
    float got[3];
    set(x, (float[]){ 1, 2, 3 });
    assert_true(graph_run_segment(g, 0, &err));
    set(x, (float[]){ 10, 20, 30 });
    assert_true(graph_run_segment(g, 1, &err));
    get(first, got);
    assert_close(got, (double[]){ 2, 4, 6 }, 3);
    get(second, got);
    assert_close(got, (double[]){ 32, 64, 96 }, 3);
}

/* A segment that runs again finds what it reads of an earlier one, though it has read it already. */
static void test_a_segment_runs_again(void **state)
{
    fixture *f = *state;
    graph *g = f->graph;
    tensor *x = graph_input(g, "x", DTYPE_F32, 1, (int64_t[]){ 3 }),
           *y = graph_input(g, "y", DTYPE_F32, 1, (int64_t[]){ 3 });
    tensor *first = op_scale(x, 2);
    graph_segment(g);
    tensor *sum = op_add(first, y), *other = op_scale(sum, 5), *last = op_sub(other, sum);
    graph_keep(last);
    compile(g);
    error err = { 0 };
    float got[3];
    set(x, (float[]){ 1, 2, 3 });
    assert_true(graph_run_segment(g, 0, &err));
    for (int again = 0; again < 3; ++again) {
        float more = (float)again;
        set(y, (float[]){ more, more, more });
        assert_true(graph_run_segment(g, 1, &err));
        get(last, got);
        assert_close(got, (double[]){ 4 * (2 + again), 4 * (4 + again), 4 * (6 + again) }, 3);
    }
}

/* An update made last runs as soon as it can, and what comes after it in a segment of its own stays behind
 * it. */
static void test_updates_are_advanced(void **state)
{
    fixture *f = *state;
    graph *g = f->graph;
    int64_t three = 3;
    tensor *x = graph_input(g, "x", DTYPE_F32, 1, &three);
    tensor *random = graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    tensor *kept = graph_entry(g, graph_declare(g, "sum", STORE_CACHE, DTYPE_F32, 1, &three));
    tensor *twice = op_scale(x, 2), *later = op_add(op_scale(x, 3), twice);
    graph_segment(g);
    tensor *sum = op_part_add(kept, twice, random, 1.0f);
    graph_update(sum);
    graph_advance(sum);
    assert_int_equal(sum->from->index, twice->from->index + 1);
    assert_int_equal(later->from->index, graph_node_count(g) - 1);
    for (int i = 0; i < graph_node_count(g); ++i) assert_int_equal(graph_node_at(g, i)->index, i);
    tensor *last = op_add(sum, later);
    graph_keep(last);
    compile(g);
    assert_int_equal(graph_segments(g), 2);
    error err = { 0 };
    float got[3];
    for (int part = 0; part < 2; ++part) {
        assert_true(graph_write(random, (int32_t[]){ 0, 0, 0, part }, &err));
        set(x, (float[]){ 1, 2, (float)part });
        assert_true(graph_run_segment(g, 0, &err));
    }
    assert_true(graph_run_segment(g, 1, &err));
    get(last, got);
    assert_close(got, (double[]){ 4 + 5, 8 + 10, 2 + 5 }, 3);
}

/* A parameter asked for as its average, where there is one. */
static void test_averages_stand_in(void **state)
{
    fixture *f = *state;
    graph *g = f->graph;
    int64_t four = 4;
    store_entry *of = store_declare(f->store, "a", STORE_PARAMETER, DTYPE_F32, 1, &four),
                *average = store_declare_kin(f->store, of, STORE_AVERAGE, DTYPE_F32);
    assert_non_null(store_declare(f->store, "ema.b", STORE_STATE, DTYPE_F32, 1, &four));
    graph_set_averages(g, true);
    tensor *a = parameter(g, "a", 1, &four), *b = parameter(g, "b", 1, &four);
    assert_ptr_equal(graph_entry_of(a), average);
    assert_string_equal(graph_entry_of(b)->name, "b");
    assert_false(a->needs_gradient);
}

/* What was read is what the run before left, whatever has run since. */
static void test_reads_begin_and_end_later(void **state)
{
    fixture *f = *state;
    graph *g = f->graph;
    tensor *x = graph_input(g, "x", DTYPE_F32, 1, (int64_t[]){ 3 });
    tensor *y = op_scale(x, 2), *part = op_slice(y, 0, 1, 1);
    graph_keep(y);
    graph_keep(part);
    compile(g);
    error err = { 0 };
    float got[3], one;
    for (int k = 0; k < 5; ++k) {
        float v = (float)k;
        set(x, (float[]){ v, v + 10, v + 20 });
        run(g);
        assert_true(graph_read_begin(y, &err) && graph_read_begin(part, &err));
        if (!k) continue;
        assert_true(graph_read_end(y, got, &err) && graph_read_end(part, &one, &err));
        double before = 2.0 * (k - 1);
        assert_close(got, (double[]){ before, before + 20, before + 40 }, 3);
        assert_true(one == (float)before + 20);
    }
    assert_true(graph_read_end(y, got, &err));
    assert_close(got, (double[]){ 8, 28, 48 }, 3);
    /* The read of `part` is left to graph_destroy. */
}

static void test_writes_are_copied_at_once(void **state)
{
    fixture *f = *state;
    graph *g = f->graph;
    tensor *x = graph_input(g, "x", DTYPE_F16, 1, (int64_t[]){ 5 });
    tensor *y = op_cast(x, DTYPE_F32);
    graph_keep(y);
    compile(g);
    float got[5];
    for (int k = 0; k < 5; ++k) {
        uint16_t values[5];
        for (int i = 0; i < 5; ++i) values[i] = (uint16_t)(0x3c00 + k * 0x400); /* 2^k */
        set(x, values);
        memset(values, 0, sizeof values);
        run(g);
        if (k % 2) continue;
        get(y, got);
        double due = (double)(1 << k);
        assert_close(got, (double[]){ due, due, due, due, due }, 5);
    }
}

int main(void)
{
    fixture f = { .device = device_or_skip() };
    struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_scopes_name_parameters_and_nodes),
        FIXTURE_TEST(test_the_first_mistake_is_kept),
        FIXTURE_TEST(test_a_second_declaration_must_agree),
        FIXTURE_TEST(test_what_cannot_be_differentiated),
        FIXTURE_TEST(test_views_share_memory),
        FIXTURE_TEST(test_contributions_add_up),
        FIXTURE_TEST(test_products_end_gradients),
        FIXTURE_TEST(test_updates_happen_in_order),
        FIXTURE_TEST(test_only_what_is_wanted_runs),
        FIXTURE_TEST(test_recomputation_changes_memory_only),
        FIXTURE_TEST(test_updates_are_advanced),
        FIXTURE_TEST(test_the_host_acts_between_segments),
        FIXTURE_TEST(test_averages_stand_in),
        FIXTURE_TEST(test_writes_are_copied_at_once),
        FIXTURE_TEST(test_reads_begin_and_end_later),
    };
    for (size_t i = 0; i < sizeof tests / sizeof *tests; ++i) tests[i].initial_state = &f;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(f.device);
    return failed;
}
