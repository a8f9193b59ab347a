/* test_golden_inception.c -- Inception-v3 with every width divided by 16 against pytorch-fid's network, so
 * thinned, for both ways of resizing; and files that are not its weights.
 * SPDX-License-Identifier: MIT */
#include "tests/eval/thin_weights.h"
#include "tests/support/device_or_skip.h"

#include <unistd.h>

#define TOLERANCE 1e-4

typedef struct rig {
    device *device;
    char path[100];
} rig;

static uint8_t *pictures_of(int64_t count, int64_t side)
{
    char name[40];
    snprintf(name, sizeof name, "pictures %d", (int)side);
    const philox p = { 0, 0, philox_stream(name) };
    uint8_t *rgb = malloc((size_t)(count * side * side * 3));
    assert_non_null(rgb);
    for (int64_t i = 0; i < count * side * side * 3; ++i) rgb[i] = (uint8_t)philox_bits(&p, (uint32_t)i);
    return rgb;
}

/* ---- The network ---- */

static void compare(const safetensors *golden, const char *what, int side, const char *how, const float *ours,
                    int64_t count)
{
    char name[60];
    snprintf(name, sizeof name, "%s.%d.%s", what, side, how);
    const safetensors_tensor *t = safetensors_find(golden, name);
    if (!t || t->bytes != count * 4) fail_msg("no golden '%s' of %d numbers", name, (int)count);
    const float *theirs = t->data;
    double worst = 0, most = 0;
    for (int64_t i = 0; i < count; ++i) {
        const double apart = fabs((double)ours[i] - (double)theirs[i]);
        if (!(apart <= worst)) worst = apart;
        most = fmax(most, fabs((double)theirs[i]));
    }
    printf("%s: error %.2g\n", name, worst / most);
    if (!(worst <= TOLERANCE * most)) fail_msg("%s differs", name);
}

static void test_golden(void **state)
{
    rig *r = *state;
    thin_weights_write(r->device, r->path, &(thin_damage){ 0 });
    safetensors *golden = rule_golden();
    static const int sides[] = { 64, 5, 1, 299, 310 };
    const size_t tried = getenv("DALLE_CL_TINY") ? 1 : sizeof sides / sizeof *sides;
    static const char *const ways[] = { "centres", "corners" };
    for (int way = 0; way < 2; ++way) {
        inception *n;
        OK(n = inception_open(r->device, r->path, &(inception_options){ (inception_resize)way, 2, THIN_BY },
                              &rule_error));
        assert_int_equal(inception_features(n), THIN_FEATURES);
        assert_int_equal(inception_classes(n), THIN_CLASSES);
        for (size_t i = 0; i < tried; ++i) {
            float features[2 * THIN_FEATURES], logits[2 * THIN_CLASSES];
            uint8_t *rgb = pictures_of(2, sides[i]);
            OK(inception_run(n, rgb, 2, sides[i], features, logits, NULL, NULL, &rule_error));
            compare(golden, "features", sides[i], ways[way], features, 2 * THIN_FEATURES);
            compare(golden, "logits", sides[i], ways[way], logits, 2 * THIN_CLASSES);
            free(rgb);
        }
        inception_close(n);
    }
    safetensors_close(golden);
}

typedef struct watched {
    int64_t calls, done, stop_at;
} watched;

static bool watch(void *context, int64_t done, int64_t total)
{
    watched *w = context;
    ++w->calls;
    assert_true(done > w->done && done <= total);
    w->done = done;
    return done < w->stop_at;
}

/* A picture's bits do not depend on its place in a batch, nor on its neighbours; work can be stopped. */
static void test_batches(void **state)
{
    rig *r = *state;
    enum { N = 5, SIDE = 9 };
    thin_weights_write(r->device, r->path, &(thin_damage){ 0 });
    inception *n;
    OK(n = inception_open(r->device, r->path, &(inception_options){ .batch = 3, .thinner = THIN_BY },
                          &rule_error));
    uint8_t *rgb = pictures_of(N, SIDE);
    float all[N * THIN_FEATURES], logits[N * THIN_CLASSES], one[THIN_FEATURES], one_logits[THIN_CLASSES];
    watched w = { .stop_at = 100 };
    OK(inception_run(n, rgb, N, SIDE, all, logits, watch, &w, &rule_error));
    assert_true(w.calls == 2 && w.done == N);
    for (int i = N - 1; i >= 0; --i) {
        OK(inception_run(n, rgb + i * SIDE * SIDE * 3, 1, SIDE, one, NULL, NULL, NULL, &rule_error));
        assert_memory_equal(one, all + i * THIN_FEATURES, sizeof one);
        OK(inception_run(n, rgb + i * SIDE * SIDE * 3, 1, SIDE, NULL, one_logits, NULL, NULL, &rule_error));
        assert_memory_equal(one_logits, logits + i * THIN_CLASSES, sizeof one_logits);
    }
    OK(inception_run(n, rgb, 0, SIDE, all, logits, NULL, NULL, &rule_error));
    w = (watched){ .stop_at = 3 };
    REFUSED(inception_run(n, rgb, N, SIDE, all, logits, watch, &w, &rule_error), ERROR_INTERRUPTED, "3 of 5");
    free(rgb);
    inception_close(n);
}

/* ---- Files that are none ---- */

static bool opens(const rig *r, const thin_damage *wrong)
{
    thin_weights_write(r->device, r->path, wrong);
    rule_error = (error){ 0 };
    inception *n = inception_open(r->device, r->path, &(inception_options){ .batch = 1, .thinner = THIN_BY },
                                  &rule_error);
    inception_close(n);
    return n != NULL;
}

static void test_wrong_files(void **state)
{
    rig *r = *state;
    REFUSED(opens(r, &(thin_damage){ .missing = "Mixed_6c.branch7x7dbl_4.bn.running_var" }), ERROR_FORMAT,
            r->path, "'Mixed_6c.branch7x7dbl_4.bn.running_var' [10]", "convert_inception");
    REFUSED(opens(r, &(thin_damage){ .missing = "fc.bias" }), ERROR_FORMAT, "'fc.bias' [63]");
    REFUSED(opens(r, &(thin_damage){ .misshapen = "Mixed_5b.branch5x5_2.conv.weight" }), ERROR_FORMAT,
            r->path, "'Mixed_5b.branch5x5_2.conv.weight' is F32 [300]", "F32 [4,3,5,5]");
    REFUSED(opens(r, &(thin_damage){ .narrow = "Conv2d_1a_3x3.bn.bias" }), ERROR_FORMAT,
            "'Conv2d_1a_3x3.bn.bias' is F16", "F32 [2]");
    REFUSED(opens(r, &(thin_damage){ .extra = "AuxLogits.fc" }), ERROR_FORMAT, r->path,
            "'AuxLogits.fc.weight'");
    REFUSED(opens(r, &(thin_damage){ .nan = "Mixed_7c.branch_pool.bn.running_mean" }), ERROR_FORMAT, r->path,
            "'Mixed_7c.branch_pool'", "finite");
    /* A network of other widths, and no network at all. */
    thin_weights_write(r->device, r->path, &(thin_damage){ 0 });
    rule_error = (error){ 0 };
    REFUSED(inception_open(r->device, r->path, NULL, &rule_error) != NULL, ERROR_FORMAT,
            "'Conv2d_1a_3x3.conv.weight' is F32 [2,3,3,3]", "F32 [32,3,3,3]");
    FILE *file = fopen(r->path, "w");
    assert_non_null(file);
    fputs("weights", file);
    fclose(file);
    REFUSED(inception_open(r->device, r->path, NULL, &rule_error) != NULL, ERROR_FORMAT, r->path);
    remove(r->path);
    REFUSED(inception_open(r->device, r->path, NULL, &rule_error) != NULL, ERROR_IO, r->path);
}

/* Weights of which each is finite can give features that are not: here the sum of a mean overflows. */
static void test_overflow(void **state)
{
    rig *r = *state;
    thin_weights_write(r->device, r->path, &(thin_damage){ .huge = "Mixed_7c.branch1x1.bn.bias" });
    inception *n;
    OK(n = inception_open(r->device, r->path, &(inception_options){ .batch = 2, .thinner = THIN_BY },
                          &rule_error));
    uint8_t *rgb = pictures_of(3, 5);
    float features[3 * THIN_FEATURES];
    REFUSED(inception_run(n, rgb, 3, 5, features, NULL, NULL, NULL, &rule_error), ERROR_MODEL,
            "feature 19 of picture 0 is inf");
    free(rgb);
    inception_close(n);
}

int main(void)
{
    rig r = { .device = device_or_skip() };
    snprintf(r.path, sizeof r.path, "/tmp/inception-%d.safetensors", (int)getpid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_golden, &r),
        cmocka_unit_test_prestate(test_batches, &r),
        cmocka_unit_test_prestate(test_wrong_files, &r),
        cmocka_unit_test_prestate(test_overflow, &r),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove(r.path);
    device_close(r.device);
    return failed;
}
