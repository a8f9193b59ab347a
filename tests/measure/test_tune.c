/* test_tune.c -- the products of a step, each once and the largest first; and a product's fastest way.
 * SPDX-License-Identifier: MIT */
#include "app/measure/tune.h"
#include "models/prior/prior_workload.h"
#include "models/request.h"
#include "tests/support/device_or_skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static error err;

#define MUST(call) \
    do { \
        if (!(call)) fail_msg("%s", err.message); \
    } while (0)

static double work_of(const gemm_desc *g)
{
    return (double)g->m * (double)g->n * (double)g->k * (double)(g->batch[0] * g->batch[1]);
}

static void test_products_of_a_step(void **state)
{
    (void)state;
    device *d = device_or_skip();
    prior_config c;
    tune_products p;
    MUST(request_config(&(train_request){ .preset = "tiny", .seed = -1 }, &prior_config_table, &c, &err));
    c.text_tokens = 8;
    workload *w = prior_workload(d, &c, &(prior_shape){ 4, 32 }, &err);
    MUST(w);
    MUST(tune_collect(&p, w, d, &err));
    assert_true(p.count > 5);
    for (int i = 0; i < p.count; ++i) {
        char shape[GEMM_SHAPE_SIZE], other[GEMM_SHAPE_SIZE];
        gemm_shape_text(&p.list[i], shape);
        if (i) assert_true(work_of(&p.list[i - 1]) >= work_of(&p.list[i]));
        for (int j = 0; j < i; ++j) {
            gemm_shape_text(&p.list[j], other);
            assert_string_not_equal(shape, other);
        }
    }
    free(p.list);
    workload_destroy(w);
    device_close(d);
}

static void test_ways_of_a_product(void **state)
{
    (void)state;
    device *d = device_or_skip();
    const gemm_desc g = { .m = 24,
                          .n = 20,
                          .k = 12,
                          .batch = { 1, 1 },
                          .alpha = 1.0f,
                          .a = { .type = DTYPE_F32, .row = 12, .column = 1 },
                          .b = { .type = DTYPE_F32, .row = 20, .column = 1 },
                          .c = { .type = DTYPE_F32, .row = 20, .column = 1 } };
    char ways[GEMM_WAYS_MAX][GEMM_WAY_SIZE];
    const int count = gemm_ways(d, &g, ways);
    tune_result r;
    MUST(tune_product(d, &g, 0.01, &r, &err));
    assert_int_equal(r.ways, count);
    if (count > 1) {
        assert_string_equal(r.rules, ways[0]);
        assert_true(r.changed == (strcmp(r.best, r.rules) != 0));
        assert_true(r.best_seconds > 0 && r.best_seconds <= r.rules_seconds);
    }
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_of_a_step),
        cmocka_unit_test(test_ways_of_a_product),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
