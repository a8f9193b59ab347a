/* test_bench.c -- cases of the benchmark: the usual ones, each operator's table at small and at its usual
 * sizes, names that are none, timing.
 * SPDX-License-Identifier: MIT */
#include "app/measure/bench.h"
#include "host/ops/cases/op_case.h"
#include "host/ops/mask.h"
#include "tests/support/device_or_skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static device *open_device;
static error err;

#define MUST(call) \
    do { \
        if (!(call)) fail_msg("%s", err.message); \
    } while (0)

/* ---- Names ---- */

static bool usual(const char *wanted)
{
    char text[BENCH_NAME_SIZE];
    const char *name;
    for (int group = 0; group < BENCH_GROUPS; ++group)
        for (int i = 0; (name = bench_usual((bench_group)group, i, text)); ++i)
            if (strcmp(name, wanted) == 0) return true;
    return false;
}

static void test_usual_cases_keep_their_names(void **state)
{
    (void)state;
    static const char *const names[] = { "gemm:nn:512x512x512",
                                         "conv:forward:16x16x16x128->512,k1",
                                         "attention:forward:causal:1x256+32^2,h8,d64",
                                         "attention:train:conv:1x256+32^2,h8,d64",
                                         "rows:1x65536x512",
                                         "op:layer_norm:2560x512",
                                         "op:gelu:2560x2048",
                                         "op:softmax:2048x8192",
                                         "op:add:65536x256",
                                         "op:conv2d:16x32x32x64x64x3",
                                         "prior:256x8-b16",
                                         "pictures:webp:640x480->256",
                                         "start" };
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        if (!usual(names[i])) fail_msg("%s is no usual case", names[i]);
}

static void test_storage(void **state)
{
    (void)state;
    assert_true(bench_takes_storage("gemm:nn:1x1x1") && bench_takes_storage("rows:1x1x1"));
    assert_false(bench_takes_storage("op:add:1x1") || bench_takes_storage("start"));
}

static void refused(const char *name, const char *says)
{
    bench_case c = { 0 };
    if (bench_open(&c, name, &(bench_options){ .device = open_device }, &err))
        fail_msg("%s was opened", name);
    assert_int_equal(err.code, ERROR_USAGE);
    if (!strstr(err.message, says)) fail_msg("'%s' does not say '%s'", err.message, says);
}

static void test_names_that_are_none(void **state)
{
    (void)state;
    refused("op:nothing:3x3", "log_softmax, cross_entropy");
    refused("op:softmax", "op:NAME:SIZES");
    refused("op:attention:1x1x4x2x1x8", "op:NAME:SIZES");
    static const char *const sizes[] = { "3", "3x", "x3", "3x3x3", "0x3", "-3x3", "3x3 ", "16777217x1", "" };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        char name[64];
        snprintf(name, sizeof name, "op:softmax:%s", sizes[i]);
        refused(name, *sizes[i] ? "the sizes of softmax are ROWSxCOLUMNS" : "the sizes of softmax");
    }
    refused("op:softmax:16777216x16777216", "more than 2147483647 elements");
    refused("op:conv2d:16777216x16777216x16777216x16777216x1x1", "more than 2147483647 elements");
    refused("rows:0x1x1", "rows:MxNxK");
    refused("attention:forward:diagonal:1x4+2^2,h1,d8", "attention:forward|train");
    refused("gemm:tt:1x1x1", "gemm:nn|nt|tn");
    refused("conv:forward:1x4x4x3->6,k2", "conv:forward|data|weights");
    refused("nothing", "no case 'nothing'");
    refused("pictures:jpeg:64x48", "pictures:jpeg:640x480->256");
    refused("pictures:jpeg:0x48->16", "no case 'pictures:jpeg:0x48->16'");
    refused("pictures:jpeg:64x48->0", "no case");
    refused("pictures:jpeg:64x48->16,t0", "no case");
    refused("pictures:jpeg:64x48->16,softly", "no case");
    refused("pictures:gif:64x48->16", "there are jpeg, png and webp");
    refused("pictures:no/such/folder->16", "no folder: 'no/such/folder'");
}

/* ---- Pictures ---- */

static void test_pictures_are_read(void **state)
{
    (void)state;
    static const char *const names[] = { "pictures:jpeg:640x480->32", "pictures:png:320x200->32,t2,bicubic",
                                         "pictures:webp:320x240->32,t1",
                                         "pictures:jpeg:2000x1000->32,t3,fast" };
    static const int counts[] = { 17, 79, 66, 3 }; /* five million pixels, and no fewer than threads */
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        bench_case c;
        MUST(bench_open(&c, names[i], &(bench_options){ .device = open_device }, &err));
        assert_int_equal(c.pictures, counts[i]);
        MUST(c.run(c.self, &err));
        c.close(c.self);
    }
}

/* ---- Operators ---- */

typedef void visit(const op_test *test, const op_timed *timed);

static void each_timed(visit *f)
{
    for (const op_test *const *file = op_cases; *file; ++file)
        for (const op_test *test = *file; test->name; ++test)
            for (const op_timed *timed = test->timed; timed && timed->name; ++timed) f(test, timed);
}

/* Sizes as the name has them, or small ones that every operator takes; an odd kernel comes last. */
static void find_sizes(const op_timed *timed, bool as_usual, int64_t size[OP_CASE_SIZES])
{
    const char *form = timed->sizes, *text = timed->usual;
    for (int i = 0; i < OP_CASE_SIZES; ++i) {
        size[i] = strncmp(form, "KERNEL", 6) == 0 ? 3 : 6;
        if (as_usual) size[i] = strtoll(text, (char **)&text, 10);
        if (!*(form += strcspn(form, "x"))) break;
        ++form;
        text += as_usual;
    }
}

/* The operator in a graph of its own, which is never run. */
static tensor *build(const op_test *test, const op_timed *timed, const int64_t *size, op_case *c)
{
    tensor *in[OP_CASE_IN] = { NULL }, *out[OP_CASE_OUT] = { NULL };
    store *s = store_create(open_device, &err);
    graph *g = s ? graph_create(s, &err) : NULL;
    MUST(g);
    *c = (op_case){ .ints = { timed->which } };
    timed->make(c, size);
    for (int k = 0; k < op_case_inputs(c); ++k) in[k] = op_case_input(g, c, k, DTYPE_F32, false);
    test->build(g, c, in, out);
    MUST(graph_sound(g, &err));
    assert_null(out[1]);
    return out[0];
}

static void drop(tensor *y)
{
    store *s = graph_store(y->graph);
    graph_destroy(y->graph);
    store_destroy(s);
}

static void accepts_usual_sizes(const op_test *test, const op_timed *timed)
{
    op_case c;
    int64_t size[OP_CASE_SIZES];
    if (!timed->usual) return;
    find_sizes(timed, true, size);
    drop(build(test, timed, size, &c));
}

static void test_usual_sizes(void **state)
{
    (void)state;
    each_timed(accepts_usual_sizes);
}

/* A reference that is asked for one row gives it the bits that it has among all, and touches no other. */
static void gives_single_rows(const op_test *test, const op_timed *timed)
{
    op_case c;
    op_array in[OP_CASE_IN] = { { 0 } }, all, one;
    int64_t size[OP_CASE_SIZES] = { MASK_COLUMN, 2, 5, 3, 2, 4 }; /* of attention, which has no sizes */
    if (timed->sizes) find_sizes(timed, false, size);
    tensor *y = build(test, timed, size, &c);
    for (int k = 0; k < op_case_inputs(&c); ++k) {
        assert_true(op_case_array(&in[k], c.in[k].rank, c.in[k].dim));
        op_case_fill(&in[k], test->name, &c, k, DTYPE_F32);
    }
    assert_true(op_case_array(&all, y->rank, y->dim));
    test->reference(&c, in, &all);
    for (int64_t r = 0; r < all.rows; ++r) {
        assert_true(op_case_array(&one, y->rank, y->dim));
        one.from = r;
        one.to = r + 1;
        test->reference(&c, in, &one);
        for (int64_t i = 0; i < one.count; ++i)
            if (one.v[i] != (i / one.last == r ? all.v[i] : 0))
                fail_msg("%s: row %lld has %g at %lld", timed->name, (long long)r, one.v[i], (long long)i);
        free(one.v);
    }
    free(all.v);
    for (int k = 0; k < op_case_inputs(&c); ++k) free(in[k].v);
    drop(y);
}

static void test_single_rows(void **state)
{
    (void)state;
    each_timed(gives_single_rows);
}

static void runs(const char *name, bool products)
{
    bench_case c;
    bench_timing t;
    bench_options o = { .device = open_device, .type = DTYPE_F16 };
    MUST(bench_open(&c, name, &o, &err));
    assert_true(c.wrong >= 0 && c.wrong <= 1e-4);
    assert_true(products ? c.flops > 0 : c.flops == 0 && c.bytes > 0);
    MUST(bench_time_runs(&c, 2, &t, &err));
    assert_int_equal(t.runs, 2);
    assert_true(t.low > 0 && t.low <= t.median && t.median <= t.high);
    c.close(c.self);
}

static void runs_small(const op_test *test, const op_timed *timed)
{
    static const char *const products[] = { "matmul", "linear", "linear_rows", "conv2d" };
    char name[BENCH_NAME_SIZE];
    int64_t size[OP_CASE_SIZES];
    bool product = false;
    if (!timed->sizes) return;
    find_sizes(timed, false, size);
    int length = snprintf(name, sizeof name, "op:%s:%lld", timed->name, (long long)size[0]);
    const char *form = timed->sizes;
    for (int i = 1; *(form += strcspn(form, "x")); ++i, ++form)
        length += snprintf(name + length, sizeof name - (size_t)length, "x%lld", (long long)size[i]);
    for (int i = 0; i < 4; ++i) product |= strcmp(test->name, products[i]) == 0;
    runs(name, product);
}

static void test_operators_run(void **state)
{
    (void)state;
    each_timed(runs_small);
    runs("op:layer_norm:300x33", false); /* more rows than are compared */
    runs("rows:2x33x17", true);
    runs("attention:forward:column:2x5+3^2,h2,d8", true);
    runs("attention:train:conv:1x5+3^2,h1,d8", true);
    runs("attention:forward:bidirectional:2x5+3^2,h2,d8", true);
    runs("attention:forward:full:2x5+3^2,h2,d8", true); /* what causal was called */
}

/* What is printed as GB/s and GFLOP/s. */
static void test_work(void **state)
{
    (void)state;
    bench_case c;
    bench_options o = { .device = open_device, .type = DTYPE_F16 };
    MUST(bench_open(&c, "op:add:6x7", &o, &err));
    assert_true(c.bytes == 4.0 * (6 * 7 + 7 + 6 * 7) && strcmp(c.storage, "F32") == 0);
    c.close(c.self);
    MUST(bench_open(&c, "op:embedding:50x7x3", &o, &err));
    assert_true(c.bytes == 3 * (4.0 + 2 * 4.0 * 7));
    c.close(c.self);
    MUST(bench_open(&c, "rows:2x3x5", &o, &err));
    assert_true(c.bytes == 2.0 * 3 * 5 && c.flops == 2.0 * 2 * 3 * 5 && strcmp(c.storage, "F16") == 0);
    c.close(c.self);
    MUST(bench_open(&c, "op:linear:2x3x5", &o, &err));
    assert_true(c.bytes == 0 && c.flops == 2.0 * 2 * 3 * 5 && strcmp(c.storage, "F32") == 0);
    c.close(c.self);
}

static void test_products_run(void **state)
{
    (void)state;
    static const char *const names[] = { "gemm:nt:9x7x5+bias+gelu", "gemm:tn:9x7x5+residual+relu'",
                                         "conv:forward:2x4x5x3->6,k3+bias+relu", "conv:data:1x4x5x3->6,k3",
                                         "conv:weights:2x4x5x3->6,k3" };
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        bench_case c;
        MUST(bench_open(&c, names[i], &(bench_options){ .device = open_device, .provider = "plain" }, &err));
        assert_true(c.wrong <= 1e-5 && c.flops > 0 && strcmp(c.provider, "plain") == 0);
        MUST(c.run(c.self, &err));
        c.close(c.self);
    }
}

/* With WRONG_KERNELS set, those of DALLE_CL_KERNELS are (wrong.sh): no case may then be opened. */
static void test_wrong_kernels_are_found(void **state)
{
    (void)state;
    static const char *const names[] = { "op:log_softmax:40x30", "gemm:nn:30x20x10", "rows:3x20x64" };
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        bench_case c;
        if (bench_open(&c, names[i], &(bench_options){ .device = open_device, .provider = "plain" }, &err))
            fail_msg("%s was opened", names[i]);
        assert_int_equal(err.code, ERROR_DEVICE);
        if (!strstr(err.message, "wrong by")) fail_msg("%s", err.message);
    }
}

static int set_up(void **state)
{
    (void)state;
    open_device = device_or_skip();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    device_close(open_device);
    return 0;
}

int main(void)
{
    const struct CMUnitTest wrong[] = { cmocka_unit_test(test_wrong_kernels_are_found) };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual_cases_keep_their_names),
        cmocka_unit_test(test_storage),
        cmocka_unit_test(test_names_that_are_none),
        cmocka_unit_test(test_pictures_are_read),
        cmocka_unit_test(test_usual_sizes),
        cmocka_unit_test(test_single_rows),
        cmocka_unit_test(test_operators_run),
        cmocka_unit_test(test_work),
        cmocka_unit_test(test_products_run),
    };
    if (getenv("WRONG_KERNELS")) return cmocka_run_group_tests(wrong, set_up, tear_down);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
