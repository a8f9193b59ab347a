/* test_golden_sixteen.c -- the types of 16 bits, and AdamW that keeps its moments in them, against PyTorch
 * and NumPy (tools/make_golden_sixteen.py).
 * SPDX-License-Identifier: MIT */
#include "host/train/optimizer.h"
#include "tests/models/golden.h"

enum { STEPS = 5, COUNT = 96 };

static const dtype types[] = { DTYPE_F16, DTYPE_BF16, DTYPE_F169, DTYPE_UF610 };
enum { TYPES = sizeof types / sizeof *types };

/* Codes are stored as I32. */
static void check_codes(golden *k, dtype type)
{
    const safetensors_tensor *values = golden_find(k, "in.", "values"),
                             *codes = golden_find(k, "codes.", dtype_name(type));
    const float *value = values->data;
    const int32_t *code = codes->data;
    assert_int_equal(values->bytes, codes->bytes);
    for (int64_t i = 0; i < values->dim[0]; ++i) {
        uint16_t got;
        dtype_store(type, &got, 0, value[i]);
        if (got != code[i] && !(isnan(value[i]) && isnan(dtype_load(type, &got, 0))))
            fail_msg("%s: %.9g is stored as %04x, not %04x", dtype_name(type), (double)value[i], got,
                     (unsigned)code[i]);
    }
}

static void check_values(golden *k, dtype type)
{
    const safetensors_tensor *codes = golden_find(k, "in.", "codes"),
                             *values = golden_find(k, "values.", dtype_name(type));
    assert_int_equal(values->bytes, codes->bytes);
    for (int64_t i = 0; i < codes->dim[0]; ++i) {
        const uint16_t code = (uint16_t)((const int32_t *)codes->data)[i];
        const float wanted = ((const float *)values->data)[i], got = dtype_load(type, &code, 0);
        if (got != wanted && !(isnan(got) && isnan(wanted)))
            fail_msg("%s: code %04x is %.9g, not %.9g", dtype_name(type), code, (double)got, (double)wanted);
    }
}

static void test_types(void **state)
{
    golden *k = *state;
    golden_open(k, "sixteen");
    for (int t = 0; t < TYPES; ++t) {
        check_codes(k, types[t]);
        check_values(k, types[t]);
    }
    golden_close(k);
}

/* A loss whose gradient is x for each of the parameters. */
static optimizer *build(golden *k, tensor **x)
{
    graph *g = k->graph;
    *x = graph_input(g, "x", DTYPE_F32, 1, (int64_t[]){ COUNT });
    parameter_spec narrow = { STORE_PARAMETER, DTYPE_F32, STORE_ZEROS, 0, true }, wide = narrow;
    wide.wide = true;
    tensor *a = graph_parameter(g, "narrow", narrow, 1, (int64_t[]){ COUNT }),
           *b = graph_parameter(g, "wide", wide, 1, (int64_t[]){ COUNT });
    tensor *loss = op_sum_all(op_mul(op_add(a, b), *x));
    graph_backward(g, loss);
    optimizer *o = optimizer_append(g, loss,
                                    &(optimizer_settings){ .beta1 = 0.9f,
                                                           .beta2 = 0.96f,
                                                           .epsilon = 1e-8f,
                                                           .decay = 4.5e-2f,
                                                           .mean_type = DTYPE_F169,
                                                           .variance_type = DTYPE_UF610 });
    OK(graph_compile(g, 1, NULL, &golden_error));
    return o;
}

static void start(golden *k, const char *name, int row)
{
    const float *values = golden_find(k, "", "start")->data;
    OK(store_write_f32(k->store, store_find(k->store, name), values + row * COUNT, &golden_error));
}

/* Single precision and double may round to neighbours: then by `share` of the value, in few places; and by
 * `least`, where a parameter has almost come to nothing. */
static void check_entry(golden *k, const char *entry, const char *name, double share, double least,
                        int places)
{
    const float *wanted = golden_find(k, "", name)->data;
    float got[COUNT];
    int far = 0;
    OK(store_read_f32(k->store, store_find(k->store, entry), got, &golden_error));
    for (int i = 0; i < COUNT; ++i) {
        double off = fabs((double)got[i] - (double)wanted[i]), size = fabs((double)wanted[i]);
        if (!(off <= share * size + least))
            fail_msg("%s[%d] is %.9g, not %.9g", entry, i, (double)got[i], (double)wanted[i]);
        far += off > 2e-6 * size + least;
    }
    if (far > places) fail_msg("%s differs in %d places", entry, far);
}

static void test_steps(void **state)
{
    golden *k = *state;
    tensor *x;
    golden_open(k, "sixteen");
    optimizer *o = build(k, &x);
    start(k, "narrow", 0);
    start(k, "wide", 1);
    const float *gradients = golden_find(k, "in.", "gradient")->data,
                *rates = golden_find(k, "in.", "rate")->data;
    for (int step = 0; step < STEPS; ++step) {
        OK(graph_write(x, gradients + step * COUNT, &golden_error));
        OK(optimizer_schedule(o, step, (double)rates[step], 1.0, &golden_error));
        OK(graph_run(k->graph, &golden_error));
        OK(device_finish(k->device, &golden_error));
    }
    check_entry(k, "wide", "wide", 1e-5, 1e-9, COUNT / 8);
    check_entry(k, "adam.mean.narrow", "mean", 0x1p-8, 1e-15, COUNT / 16);
    check_entry(k, "adam.variance.narrow", "variance", 0x1p-9, 1e-15, COUNT / 16);
    check_entry(k, "narrow", "parameter", 1e-3, 1e-9, COUNT / 8);
    golden_close(k);
}

int main(void)
{
    golden k = { .device = device_or_skip() };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_types, &k),
        cmocka_unit_test_prestate(test_steps, &k),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(k.device);
    return failed;
}
