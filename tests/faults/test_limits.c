/* test_limits.c -- a smaller device, played by the layer: the tiny presets train and draw under each limit
 * alone and under all together as they do without, once on the CPU's kernels and once on a GPU's; memory is
 * split into pieces that the device allows, and what cannot be split is refused in words.
 * SPDX-License-Identifier: MIT */
#include "app/api/dalle.h"
#include "data/safetensors.h"
#include "tests/models/drawings.h"
#include "tests/support/cl_layer.h"

#include <dlfcn.h>

#define EXIT_SKIPPED 77
#define POCL         "/etc/OpenCL/vendors/pocl.icd"

enum { PICTURES = 2, TOKENS = 64, STEPS = 3 };

/* Compute units decide how many pieces a sum is cut into, and so its order; loss and gradient norm of each
 * step then agree to this.  (Parameters do not: Adam makes whole steps of a gradient that is only rounding,
 * such as that of an attention key's bias.) Under the other limits every bit is the same. */
#define CLOSE 1e-4

static const cl_layer *layer;
static room base;

static const char *path_of(const char *under, const char *name)
{
    static char paths[6][300];
    static int turn;
    turn = (turn + 1) % 6;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s/%s", base.path, under, name);
    return paths[turn];
}

typedef struct drawn {
    int32_t tokens[PICTURES * TOKENS];
    uint8_t rgb[PICTURES * DRAWING_BYTES];
} drawn;

static void draw(const char *under, drawn *out)
{
    dalle_error err;
    dalle_pictures *p = NULL;
    dalle_request r = DALLE_REQUEST_DEFAULTS;
    r.caption = "a red square";
    r.count = PICTURES;
    dalle_model *m = dalle_open(path_of(under, "model"), NULL, &err);
    if (!m || !(p = dalle_generate(m, &r, &err))) fail_msg("%s", err.message);
    memcpy(out->tokens, p->tokens, sizeof out->tokens);
    memcpy(out->rgb, p->rgb, sizeof out->rgb);
    dalle_pictures_free(p);
    dalle_close(m);
}

/* Three steps of both stages, the packed model, and two pictures. */
static void train_and_draw(const char *under, drawn *out)
{
    static const char *const first[] = { "steps=3", "log_every=1", "sample_every=0", NULL };
    static const char *const second[] = { "steps=3", "log_every=1", "text_vocabulary=288", "sample_every=0",
                                          NULL };
    error err;
    char data[300], dvae[300], prior[300];
    snprintf(data, sizeof data, "%s", path_of(".", "data.tar"));
    snprintf(dvae, sizeof dvae, "%s", path_of(under, "dvae"));
    snprintf(prior, sizeof prior, "%s", path_of(under, "prior"));
    device *d = NULL;
    bool ok =
        train_tiny("dvae", data, NULL, dvae, first, &err) &&
        train_tiny("prior", data, dvae, prior, second, &err) && (d = device_open(NULL, &err)) &&
        pack_model(d, (const char *const[]){ dvae, prior, NULL }, path_of(under, "model"), DTYPE_F32, &err);
    device_close(d);
    if (!ok) fail_msg("%s: %s", under, err.message);
    draw(under, out);
}

/* How many of a checkpoint's tensors are not the same, bit for bit. */
static int other_tensors(const char *a, const char *b)
{
    error err;
    int other = 0;
    safetensors *f = safetensors_open(a, &err), *g = f ? safetensors_open(b, &err) : NULL;
    if (!g) fail_msg("%s", err.message);
    assert_int_equal(safetensors_count(f), safetensors_count(g));
    for (int i = 0; i < safetensors_count(f); ++i) {
        const safetensors_tensor *t = safetensors_at(f, i), *u = safetensors_find(g, t->name);
        other += !u || t->bytes != u->bytes || memcmp(t->data, u->data, (size_t)t->bytes) != 0;
    }
    safetensors_close(f);
    safetensors_close(g);
    return other;
}

/* Over the lines of two metric files, the largest |a - b| / |b| of one figure. */
static double apart(const char *a, const char *b, const char *figure)
{
    char *x = file_read(a, NULL, NULL), *y = file_read(b, NULL, NULL), key[64];
    double worst = 0;
    int lines = 0;
    assert_true(x && y);
    snprintf(key, sizeof key, "\"%s\":", figure);
    for (const char *p = strstr(x, key), *q = strstr(y, key); p || q;
         p = strstr(p + 1, key), q = strstr(q + 1, key)) {
        assert_true(p && q);
        double one = strtod(p + strlen(key), NULL), two = strtod(q + strlen(key), NULL);
        if (!(fabs(one - two) <= worst * fabs(two))) worst = fabs(one - two) / fabs(two);
        ++lines;
    }
    assert_int_equal(lines, STEPS);
    free(x);
    free(y);
    return worst;
}

static void compare(const char *under, const char *whole, const drawn *got, const drawn *want, bool same_sums)
{
    static const char *const parts[] = { "dvae", "prior" };
    int other[2];
    double worst = 0;
    for (int i = 0; i < 2; ++i) {
        char a[300], b[300], name[64];
        snprintf(name, sizeof name, "%s/checkpoint.safetensors", parts[i]);
        snprintf(a, sizeof a, "%s", path_of(under, name));
        other[i] = other_tensors(a, path_of(whole, name));
        snprintf(name, sizeof name, "%s/metrics.jsonl", parts[i]);
        snprintf(a, sizeof a, "%s", path_of(under, name));
        snprintf(b, sizeof b, "%s", path_of(whole, name));
        worst = fmax(worst, fmax(apart(a, b, "loss"), apart(a, b, "gradient_norm")));
    }
    bool tokens = memcmp(got->tokens, want->tokens, sizeof got->tokens) == 0,
         pixels = memcmp(got->rgb, want->rgb, sizeof got->rgb) == 0;
    printf("limits %s: %d and %d tensors differ, loss and gradient norm by %.2g; tokens %s, pictures %s\n",
           under, other[0], other[1], worst, tokens ? "equal" : "differ", pixels ? "equal" : "differ");
    assert_true(worst <= CLOSE && tokens);
    assert_true(!same_sums || (other[0] == 0 && other[1] == 0 && pixels));
}

/* `sets`: limits one by one, beside those together. */
static void walk_limits(unsigned kind, const char *whole, const unsigned *sets, int count)
{
    static const char *const names[] = {
#define WORD(name, word) word,
        CL_LAYER_LIMITS(WORD)
#undef WORD
    };
    drawn want, got;
    layer->limit(kind);
    train_and_draw(whole, &want);
    for (int i = 0; i <= count; ++i) {
        char under[64];
        unsigned bits = i == count ? CL_LAYER_ALL : 1u << sets[i];
        snprintf(under, sizeof under, "%s-%s", whole, i == count ? "all" : names[sets[i]]);
        layer->limit(kind | bits);
        train_and_draw(under, &got);
        compare(under, whole, &got, &want, !(bits & CL_LAYER_UNIT));
    }
    layer->limit(0);
}

static void test_cpu(void **state)
{
    (void)state;
    static const unsigned sets[] = { CL_LAYER_INDEX_BUFFER, CL_LAYER_INDEX_GROUP,    CL_LAYER_INDEX_LOCAL,
                                     CL_LAYER_INDEX_HALF,   CL_LAYER_INDEX_SUBGROUP, CL_LAYER_INDEX_UNIT };
    walk_limits(0, "cpu", sets, 6);
}

static void test_gpu(void **state)
{
    (void)state;
    static const unsigned sets[] = { CL_LAYER_INDEX_GROUP, CL_LAYER_INDEX_LOCAL };
    walk_limits(CL_LAYER_GPU, "gpu", sets, 2);
}

static long buffers_alive(void)
{
    return layer->alive(CL_LAYER_BUFFERS);
}

/* 150 MiB of activations in tensors of at most 32 MiB: several buffers, the same numbers. */
static void test_split(void **state)
{
    (void)state;
    static const char *const sets[] = { "steps=1", "batch=1024", "sample_every=0", NULL };
    error err;
    char data[300], run[300];
    snprintf(data, sizeof data, "%s", path_of(".", "data.tar"));
    for (int limited = 0; limited < 2; ++limited) {
        layer->limit(limited ? CL_LAYER_BUFFER : 0);
        snprintf(run, sizeof run, "%s", path_of(limited ? "split" : "unsplit", "dvae"));
        if (!train_tiny("dvae", data, NULL, run, sets, &err)) fail_msg("%s", err.message);
    }
    layer->limit(0);
    char whole[300];
    snprintf(whole, sizeof whole, "%s", path_of("unsplit", "dvae/checkpoint.safetensors"));
    assert_int_equal(other_tensors(path_of("split", "dvae/checkpoint.safetensors"), whole), 0);
    assert_int_equal(buffers_alive(), 0);
}

/* One tensor alone is larger than the device's largest buffer. */
static void test_refused(void **state)
{
    (void)state;
    static const char *const sets[] = { "steps=1", "batch=16384", "sample_every=0", NULL };
    error err = { .code = ERROR_NONE };
    char data[300];
    snprintf(data, sizeof data, "%s", path_of(".", "data.tar"));
    layer->limit(CL_LAYER_BUFFER);
    bool ok = train_tiny("dvae", data, NULL, path_of("refused", "dvae"), sets, &err);
    layer->limit(0);
    printf("refused: %s\n", err.message);
    assert_false(ok);
    assert_int_equal(err.code, ERROR_ROOM);
    assert_says(&err, "largest buffer is 0.0625 GiB");
    assert_says(&err, "lower ");
    assert_int_equal(buffers_alive(), 0);
}

int main(void)
{
    cl_uint count;
    setenv("OPENCL_LAYERS", CL_LAYER_PATH, 1);
    if (access(POCL, R_OK) == 0) setenv("OCL_ICD_VENDORS", POCL, 0);
    clGetPlatformIDs(0, NULL, &count);
    void *library = dlopen(CL_LAYER_PATH, RTLD_NOW);
    layer = library ? dlsym(library, "cl_layer_control") : NULL;
    bool loaded = false;
    for (int i = 0; layer && i < layer->calls; ++i) loaded = loaded || layer->uses(i) > 0;
    if (!loaded) {
        printf("skipped: this OpenCL loader loads no layers (ocl-icd does), or there is no platform\n");
        return EXIT_SKIPPED;
    }
    base = room_create();
    drawings_tar(path_of(".", "data.tar"), DRAWINGS);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_gpu),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    room_remove(&base);
    return failed;
}
