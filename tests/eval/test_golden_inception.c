/* test_golden_inception.c -- Inception-v3 with every width divided by 16 against pytorch-fid's network, so thinned, for
 * both ways of resizing; and files that are not its weights.
 * SPDX-License-Identifier: MIT */
#include "app/eval/inception.h"
#include "app/eval/inception_net.h"
#include "tests/eval/rule.h"
#include "tests/support/device_or_skip.h"

#include <unistd.h>

enum { THINNER = 16, FEATURES = INCEPTION_FEATURES / THINNER, CLASSES = INCEPTION_CLASSES / THINNER };
#define TOLERANCE 1e-4

typedef struct rig {
    device *device;
    char path[100];
} rig;

/* ---- Weights by tools/make_inception.py's rule ---- */

/* What is wrong with the file. */
typedef struct damage {
    const char *missing, *misshapen, *narrow, *nan; /* tensors' names, or NULL */
    const char *extra, *huge;
} damage;

typedef struct weights_file {
    safetensors_writer *writer;
    const damage *damage;
    float *values[5 * INCEPTION_CONVOLUTIONS + 3];
    int count;
} weights_file;

static bool is(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

static bool ends(const char *name, const char *with)
{
    const size_t n = strlen(name), w = strlen(with);
    return n >= w && strcmp(name + n - w, with) == 0;
}

static float weight_of(const char *name, int rank, int64_t fan_in, int64_t element)
{
    const float u = rule_uniform(name, element);
    if (ends(name, "running_var") || ends(name, "bn.weight")) return 0.5f + u;
    if (rank == 1) return (u - 0.5f) * 0.5f;
    return (2 * u - 1) * (float)sqrt(6.0 / (double)fan_in);
}

static void put(weights_file *f, const char *layer, const char *what, int rank, const int64_t *dim)
{
    char name[200];
    snprintf(name, sizeof name, "%s.%s", layer, what);
    if (is(f->damage->missing, name)) return;
    int64_t count = 1;
    for (int i = 0; i < rank; ++i) count *= dim[i];
    float *values = f->values[f->count++] = malloc((size_t)count * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < count; ++i) values[i] = weight_of(name, rank, count / dim[0], i);
    if (is(f->damage->nan, name)) values[count - 1] = NAN;
    if (is(f->damage->huge, name)) values[count - 1] = 3e38f;
    if (is(f->damage->misshapen, name)) rank = 1, dim = &count;
    const dtype type = is(f->damage->narrow, name) ? DTYPE_F16 : DTYPE_F32;
    OK(safetensors_add(f->writer, name, type, rank, dim, values, count * (int64_t)dtype_bytes(type),
                       &rule_error));
}

static void put_layer(weights_file *f, const inception_layer *l)
{
    const int64_t *d = l->weight->dim;
    put(f, l->name, "conv.weight", 4, (int64_t[]){ d[0], d[3], d[1], d[2] });
    put(f, l->name, "bn.weight", 1, d);
    put(f, l->name, "bn.bias", 1, d);
    put(f, l->name, "bn.running_mean", 1, d);
    put(f, l->name, "bn.running_var", 1, d);
}

static void write_weights(const rig *r, const damage *wrong)
{
    store *s;
    inception_net net = { .thinner = THINNER };
    weights_file f = { .writer = safetensors_writer_create(), .damage = wrong };
    assert_non_null(f.writer);
    OK(s = store_create(r->device, &rule_error));
    OK(net.graph = graph_create(s, &rule_error));
    inception_net_build(&net, 1);
    OK(graph_sound(net.graph, &rule_error));
    assert_int_equal(net.count, INCEPTION_CONVOLUTIONS);
    for (int i = 0; i < net.count; ++i) put_layer(&f, &net.layer[i]);
    put(&f, "fc", "weight", 2, (int64_t[]){ CLASSES, FEATURES });
    put(&f, "fc", "bias", 1, (int64_t[]){ CLASSES });
    if (wrong->extra) put(&f, wrong->extra, "weight", 1, (int64_t[]){ 3 });
    OK(safetensors_write(f.writer, r->path, &rule_error));
    safetensors_writer_destroy(f.writer);
    for (int i = 0; i < f.count; ++i) free(f.values[i]);
    graph_destroy(net.graph);
    store_destroy(s);
}

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
    write_weights(r, &(damage){ 0 });
    safetensors *golden = rule_golden();
    static const int sides[] = { 1, 5, 64, 299, 310 };
    static const char *const ways[] = { "centres", "corners" };
    for (int way = 0; way < 2; ++way) {
        inception *n;
        OK(n = inception_open(r->device, r->path, &(inception_options){ (inception_resize)way, 2, THINNER },
                              &rule_error));
        assert_int_equal(inception_features(n), FEATURES);
        assert_int_equal(inception_classes(n), CLASSES);
        for (size_t i = 0; i < sizeof sides / sizeof *sides; ++i) {
            float features[2 * FEATURES], logits[2 * CLASSES];
            uint8_t *rgb = pictures_of(2, sides[i]);
            OK(inception_run(n, rgb, 2, sides[i], features, logits, NULL, NULL, &rule_error));
            compare(golden, "features", sides[i], ways[way], features, 2 * FEATURES);
            compare(golden, "logits", sides[i], ways[way], logits, 2 * CLASSES);
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
    write_weights(r, &(damage){ 0 });
    inception *n;
    OK(n = inception_open(r->device, r->path, &(inception_options){ .batch = 3, .thinner = THINNER },
                          &rule_error));
    uint8_t *rgb = pictures_of(N, SIDE);
    float all[N * FEATURES], logits[N * CLASSES], one[FEATURES], one_logits[CLASSES];
    watched w = { .stop_at = 100 };
    OK(inception_run(n, rgb, N, SIDE, all, logits, watch, &w, &rule_error));
    assert_true(w.calls == 2 && w.done == N);
    for (int i = N - 1; i >= 0; --i) {
        OK(inception_run(n, rgb + i * SIDE * SIDE * 3, 1, SIDE, one, NULL, NULL, NULL, &rule_error));
        assert_memory_equal(one, all + i * FEATURES, sizeof one);
        OK(inception_run(n, rgb + i * SIDE * SIDE * 3, 1, SIDE, NULL, one_logits, NULL, NULL, &rule_error));
        assert_memory_equal(one_logits, logits + i * CLASSES, sizeof one_logits);
    }
    OK(inception_run(n, rgb, 0, SIDE, all, logits, NULL, NULL, &rule_error));
    w = (watched){ .stop_at = 3 };
    REFUSED(inception_run(n, rgb, N, SIDE, all, logits, watch, &w, &rule_error), ERROR_INTERRUPTED, "3 of 5");
    free(rgb);
    inception_close(n);
}

/* ---- Files that are none ---- */

static bool opens(const rig *r, const damage *wrong)
{
    write_weights(r, wrong);
    rule_error = (error){ 0 };
    inception *n = inception_open(r->device, r->path, &(inception_options){ .batch = 1, .thinner = THINNER },
                                  &rule_error);
    inception_close(n);
    return n != NULL;
}

static void test_wrong_files(void **state)
{
    rig *r = *state;
    REFUSED(opens(r, &(damage){ .missing = "Mixed_6c.branch7x7dbl_4.bn.running_var" }), ERROR_FORMAT, r->path,
            "'Mixed_6c.branch7x7dbl_4.bn.running_var' [10]", "convert_inception");
    REFUSED(opens(r, &(damage){ .missing = "fc.bias" }), ERROR_FORMAT, "'fc.bias' [63]");
    REFUSED(opens(r, &(damage){ .misshapen = "Mixed_5b.branch5x5_2.conv.weight" }), ERROR_FORMAT, r->path,
            "'Mixed_5b.branch5x5_2.conv.weight' is F32 [300]", "F32 [4,3,5,5]");
    REFUSED(opens(r, &(damage){ .narrow = "Conv2d_1a_3x3.bn.bias" }), ERROR_FORMAT,
            "'Conv2d_1a_3x3.bn.bias' is F16", "F32 [2]");
    REFUSED(opens(r, &(damage){ .extra = "AuxLogits.fc" }), ERROR_FORMAT, r->path, "'AuxLogits.fc.weight'");
    REFUSED(opens(r, &(damage){ .nan = "Mixed_7c.branch_pool.bn.running_mean" }), ERROR_FORMAT, r->path,
            "'Mixed_7c.branch_pool'", "finite");
    /* A network of other widths, and no network at all. */
    write_weights(r, &(damage){ 0 });
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
    write_weights(r, &(damage){ .huge = "Mixed_7c.branch1x1.bn.bias" });
    inception *n;
    OK(n = inception_open(r->device, r->path, &(inception_options){ .batch = 2, .thinner = THINNER },
                          &rule_error));
    uint8_t *rgb = pictures_of(3, 5);
    float features[3 * FEATURES];
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
