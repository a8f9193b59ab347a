/* test_score.c -- libdalle compares pictures with texts, on a CLIP trained a little: embeddings,
 * similarities, probabilities, the nearest; folders with any of a model's parts; and every wrong request as
 * an error value.
 * SPDX-License-Identifier: MIT */
#include "app/api/dalle.h"
#include "data/safetensors.h"
#include "tests/models/drawings.h"
#include "tests/support/device_or_skip.h"

#include <math.h>

enum { SIDE = DRAWING_SIDE, MOST_DIMENSIONS = 256 };

static room base;
static dalle_model *model;
static int dimensions;
static uint8_t rgb[DRAWINGS * DRAWING_BYTES];

static const char *path_of(const char *name)
{
    return at(&base, name);
}

static void is(const dalle_error *failure, dalle_kind kind, const char *says)
{
    print_message("%s\n", failure->message);
    assert_int_equal(failure->kind, kind);
    if (!strstr(failure->message, says)) fail_msg("'%s' does not say '%s'", failure->message, says);
}

static float *embed_pictures(const uint8_t *pixels, int count, int side)
{
    dalle_error err;
    float *out = malloc((size_t)(count * dimensions) * sizeof *out);
    if (!dalle_embed_pictures(model, pixels, count, side, NULL, NULL, out, &err)) fail_msg("%s", err.message);
    return out;
}

static float *embed_texts(const char *const *texts, int count)
{
    dalle_error err;
    float *out = malloc((size_t)(count * dimensions) * sizeof *out);
    if (!dalle_embed_texts(model, texts, count, NULL, NULL, out, &err)) fail_msg("%s", err.message);
    return out;
}

static double dot(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < dimensions; ++i) sum += (double)a[i] * (double)b[i];
    return sum;
}

static void test_info(void **state)
{
    (void)state;
    const dalle_model_info *info = dalle_get_info(model);
    assert_int_equal(info->clip_side, SIDE);
    assert_int_equal(info->clip_text_tokens, 16);
    assert_in_range(info->clip_dimensions, 8, MOST_DIMENSIONS);
    assert_true(info->clip_parameters > 10000);
    assert_true(info->clip_scale > 1 && info->clip_scale <= 100.001);
    assert_int_equal(info->side, 0); /* it is a CLIP alone */
    assert_int_equal(info->text_tokens, 0);
    assert_int_equal(info->dvae_parameters, 0);
}

/* Of length 1, and the same whatever is embedded beside them. */
static void test_embeddings(void **state)
{
    (void)state;
    float *all = embed_pictures(rgb, DRAWINGS, SIDE), *texts = embed_texts(drawing_captions, DRAWINGS);
    for (int i = 0; i < DRAWINGS; ++i) {
        float *one = embed_pictures(rgb + i * DRAWING_BYTES, 1, SIDE),
              *text = embed_texts(&drawing_captions[i], 1);
        assert_memory_equal(one, all + i * dimensions, (size_t)dimensions * sizeof *one);
        assert_memory_equal(text, texts + i * dimensions, (size_t)dimensions * sizeof *one);
        assert_true(fabs(dot(one, one) - 1) < 1e-5 && fabs(dot(text, text) - 1) < 1e-5);
        free(one);
        free(text);
    }
    free(all);
    free(texts);
}

/* Of any size: each pixel four times is the same picture. */
static void test_another_size(void **state)
{
    (void)state;
    dalle_error err;
    uint8_t large[4 * DRAWING_BYTES], fitted[DRAWING_BYTES];
    for (int i = 0; i < 4 * DRAWING_BYTES; ++i) {
        int y = i / 3 / (2 * SIDE), x = i / 3 % (2 * SIDE);
        large[i] = rgb[(y / 2 * SIDE + x / 2) * 3 + i % 3];
    }
    float *small = embed_pictures(rgb, 1, SIDE), *same = embed_pictures(large, 1, 2 * SIDE);
    assert_memory_equal(small, same, (size_t)dimensions * sizeof *small);
    assert_true(dalle_fit_picture(model, large, 2 * SIDE, 2 * SIDE, fitted, &err));
    assert_memory_equal(fitted, rgb, sizeof fitted);
    assert_true(dalle_fit_picture(model, rgb, SIDE, SIDE / 2, fitted, &err)); /* the upper half's middle */
    assert_false(dalle_fit_picture(model, rgb, SIDE, 0, fitted, &err));
    is(&err, DALLE_USAGE, "16 x 0");
    const char *const paths[] = { path_of("folder/0.png") };
    uint8_t *read = dalle_read_fitted(model, paths, 1, &err);
    assert_non_null(read);
    assert_memory_equal(read, rgb, DRAWING_BYTES);
    dalle_free(read);
    const char *const none[] = { path_of("folder/0.txt") };
    assert_null(dalle_read_fitted(model, none, 1, &err));
    is(&err, DALLE_FORMAT, "0.txt");
    free(small);
    free(same);
}

static void test_score(void **state)
{
    (void)state;
    dalle_error err;
    enum { N = DRAWINGS };
    float similarities[N * N], probabilities[N * N], again[N * N];
    if (!dalle_score(model, rgb, N, SIDE, drawing_captions, N, NULL, NULL, similarities, probabilities, &err))
        fail_msg("%s", err.message);
    float *pictures = embed_pictures(rgb, N, SIDE), *texts = embed_texts(drawing_captions, N);
    double scale = dalle_get_info(model)->clip_scale;
    int right = 0;
    for (int i = 0; i < N; ++i) {
        double sum = 0, best = 0;
        for (int j = 0; j < N; ++j)
            sum += exp(scale * dot(pictures + i * dimensions, texts + j * dimensions));
        for (int j = 0; j < N; ++j) {
            double similarity = dot(pictures + i * dimensions, texts + j * dimensions);
            double got = (double)probabilities[i * N + j];
            assert_true(fabs(similarity - (double)similarities[i * N + j]) < 1e-5);
            assert_true(fabs(exp(scale * similarity) / sum - got) < 1e-4);
            best = fmax(best, got);
        }
        right += (double)probabilities[i * N + i] >= best;
    }
    print_message("%d of %d captions are the likeliest\n", right, N);
    assert_true(right >= 6);
    assert_true(dalle_score(model, rgb, N, SIDE, drawing_captions, N, NULL, NULL, NULL, again, &err));
    assert_memory_equal(again, probabilities, sizeof again);
    assert_true(dalle_compare(model, pictures, N, texts, N, again, NULL, &err));
    assert_memory_equal(again, similarities, sizeof again);
    texts[dimensions + 3] = (float)NAN;
    assert_false(dalle_compare(model, pictures, N, texts, N, again, NULL, &err));
    is(&err, DALLE_MODEL, "text 1");
    pictures[7 * dimensions] = (float)INFINITY;
    assert_false(dalle_compare(model, pictures, N, texts, N, again, NULL, &err));
    is(&err, DALLE_MODEL, "picture 7");
    free(pictures);
    free(texts);
}

/* ---- The nearest ---- */

static float similarity_of(const float *query, const float *one)
{
    double sum = 0;
    for (int k = 0; k < 3; ++k) sum += (double)query[k] * (double)one[k];
    return (float)sum;
}

/* In parts of any size the same as sorting all of them. */
static void test_nearest(void **state)
{
    (void)state;
    enum { N = 97, MOST = 10 };
    float all[N * 3], query[3] = { 0.6f, -0.8f, 0 };
    for (int i = 0; i < N * 3; ++i) all[i] = (float)((i * 7919 + 13) % 101) / 50 - 1;
    memcpy(all + 3 * 40, all + 3 * 20, 3 * sizeof *all); /* two alike */
    memset(all + 3 * 50, 0, 3 * sizeof *all);
    all[3 * 60 + 1] = (float)NAN;
    for (int part = 1; part <= N; part += 16) {
        int64_t places[MOST];
        float near[MOST];
        int found = 0;
        for (int from = 0; from < N; from += part)
            found = dalle_nearest(query, all + 3 * from, from + part < N ? part : N - from, 3, from, MOST,
                                  found, places, near);
        assert_int_equal(found, MOST);
        for (int i = 0; i < MOST; ++i) {
            int before = 0; /* how many are nearer than the i-th, or as near and earlier */
            assert_true(places[i] != 50 && places[i] != 60);
            assert_true(near[i] == similarity_of(query, all + 3 * places[i]));
            for (int j = 0; j < N; ++j) {
                float other = similarity_of(query, all + 3 * j);
                if (j != 50 && j != 60) before += other > near[i] || (other == near[i] && j < places[i]);
            }
            assert_int_equal(before, i);
        }
    }
    int64_t place;
    float near;
    assert_int_equal(dalle_nearest(query, all, N, 3, 0, 0, 0, &place, &near), 0);
    assert_int_equal(dalle_nearest(query, all + 3 * 50, 1, 3, 0, 1, 0, &place, &near), 0);
    assert_int_equal(dalle_nearest(NULL, all, N, 3, 0, 1, 0, &place, &near), 0);
}

/* ---- Progress ---- */

typedef struct watch {
    int calls, stop_at;
    int64_t last, total;
} watch;

static bool look(void *context, int64_t done, int64_t total)
{
    watch *w = context;
    assert_true(done >= w->last && done <= total);
    w->last = done;
    w->total = total;
    return ++w->calls != w->stop_at;
}

static void test_progress(void **state)
{
    (void)state;
    enum { MANY = 150 };
    dalle_error err;
    uint8_t *many = malloc(MANY * DRAWING_BYTES);
    float *out = malloc((size_t)(MANY * dimensions) * sizeof *out), scores[MANY * DRAWINGS];
    for (int i = 0; i < MANY; ++i)
        memcpy(many + i * DRAWING_BYTES, rgb + i % DRAWINGS * DRAWING_BYTES, DRAWING_BYTES);
    watch w = { 0 };
    assert_true(dalle_embed_pictures(model, many, MANY, SIDE, look, &w, out, &err));
    assert_int_equal(w.last, MANY);
    assert_int_equal(w.total, MANY);
    assert_true(w.calls > 1);
    for (int i = DRAWINGS; i < MANY; ++i)
        assert_memory_equal(out + i * dimensions, out + i % DRAWINGS * dimensions,
                            (size_t)dimensions * sizeof *out);
    w = (watch){ 0 };
    assert_true(
        dalle_score(model, many, MANY, SIDE, drawing_captions, DRAWINGS, look, &w, scores, NULL, &err));
    assert_int_equal(w.last, MANY + DRAWINGS);
    assert_int_equal(w.total, MANY + DRAWINGS);
    for (int at = 1; at <= 2; ++at) {
        w = (watch){ .stop_at = at };
        assert_false(
            dalle_score(model, many, MANY, SIDE, drawing_captions, DRAWINGS, look, &w, scores, NULL, &err));
        is(&err, DALLE_STOPPED, "stopped");
        assert_int_equal(w.calls, at);
    }
    free(many);
    free(out);
}

/* ---- Wrong requests ---- */

static void test_wrong(void **state)
{
    (void)state;
    dalle_error err;
    float out[MOST_DIMENSIONS];
    const char *const null[] = { NULL }, *const blank[] = { " \t" }, *const foreign[] = { "\xff" },
                      *const good[] = { "a red square" };
    assert_false(dalle_embed_pictures(NULL, rgb, 1, SIDE, NULL, NULL, out, &err));
    is(&err, DALLE_USAGE, "the model is NULL");
    assert_false(dalle_embed_pictures(model, NULL, 1, SIDE, NULL, NULL, out, &err));
    is(&err, DALLE_USAGE, "pictures");
    assert_false(dalle_embed_pictures(model, rgb, 1, SIDE, NULL, NULL, NULL, &err));
    is(&err, DALLE_USAGE, "where the result goes");
    assert_false(dalle_embed_pictures(model, rgb, 1, 0, NULL, NULL, out, &err));
    is(&err, DALLE_USAGE, "0 pixels");
    assert_false(dalle_embed_pictures(model, rgb, -1, SIDE, NULL, NULL, out, &err));
    is(&err, DALLE_USAGE, "-1 pictures");
    assert_false(dalle_embed_texts(model, good, 1000001, NULL, NULL, out, &err));
    is(&err, DALLE_USAGE, "1000001 texts");
    assert_false(dalle_embed_texts(model, null, 1, NULL, NULL, out, &err));
    is(&err, DALLE_USAGE, "text 0 is NULL");
    assert_false(dalle_embed_texts(model, blank, 1, NULL, NULL, out, &err));
    is(&err, DALLE_USAGE, "empty");
    assert_false(dalle_embed_texts(model, foreign, 1, NULL, NULL, out, &err));
    is(&err, DALLE_USAGE, "UTF-8");
    assert_false(dalle_score(model, rgb, 1, SIDE, blank, 1, NULL, NULL, out, NULL, NULL));
    assert_true(dalle_embed_pictures(model, NULL, 0, SIDE, NULL, NULL, NULL, &err));
    assert_true(dalle_embed_texts(model, NULL, 0, NULL, NULL, NULL, &err));
    assert_true(dalle_score(model, NULL, 0, SIDE, NULL, 0, NULL, NULL, NULL, NULL, &err));
    assert_null(dalle_lost_clip_words(NULL, "a"));
    assert_null(dalle_lost_clip_words(model, NULL));
    assert_null(dalle_lost_clip_words(model, "a red square"));
}

/* A text that is too long is cut, and its end is named. */
static void test_long_text(void **state)
{
    (void)state;
    const char *text = "a red square over a white quagmire which somebody has painted at zanzibar";
    char *lost = dalle_lost_clip_words(model, text);
    assert_non_null(lost);
    print_message("lost: %s\n", lost);
    size_t length = strlen(lost);
    assert_true(length < strlen(text));
    assert_string_equal(lost, text + strlen(text) - length);
    free(embed_texts(&text, 1));
    dalle_free(lost);
}

/* Fills a tensor in the bytes of a file with what are no numbers. */
static void spoil(char *bytes, size_t size, const char *path, const char *name)
{
    safetensors *file = safetensors_open(path, NULL);
    const safetensors_tensor *t = file ? safetensors_find(file, name) : NULL;
    assert_non_null(t);
    char *there = memmem(bytes, size, t->data, (size_t)t->bytes);
    assert_non_null(there);
    memset(there, 0xff, (size_t)t->bytes);
    safetensors_close(file);
}

/* A parameter that is no number: no embedding is given, and the error says whose it would have been. */
static void test_nan(void **state)
{
    (void)state;
    dalle_error err;
    error none;
    float out[3 * MOST_DIMENSIONS];
    char command[512], path[128];
    snprintf(command, sizeof command, "rm -rf '%s/nan' && cp -r '%s/alone' '%s/nan'", base.path, base.path,
             base.path);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s/nan/clip.safetensors", base.path);
    size_t size;
    char *bytes = file_read(path, &size, &none);
    assert_non_null(bytes);
    spoil(bytes, size, path, "image.patch.weight");
    spoil(bytes, size, path, "text.projection.weight");
    char *sum = memmem(bytes, size, "\"sha256\"", 8); /* a file that states none */
    assert_non_null(sum);
    sum[6] = 'x';
    assert_true(file_write(path, bytes, size, &none));
    free(bytes);
    dalle_model *m = dalle_open(path_of("nan"), NULL, &err);
    if (!m) fail_msg("%s", err.message);
    assert_false(dalle_embed_pictures(m, rgb, 3, SIDE, NULL, NULL, out, &err));
    is(&err, DALLE_MODEL, "picture 0");
    assert_false(dalle_embed_texts(m, drawing_captions, 3, NULL, NULL, out, &err));
    is(&err, DALLE_MODEL, "text 0, 'a red square'");
    dalle_close(m);
}

/* ---- Folders with some of the parts ---- */

static void test_parts(void **state)
{
    (void)state;
    dalle_error err;
    dalle_request r = DALLE_REQUEST_DEFAULTS;
    float out[MOST_DIMENSIONS];
    int32_t tokens[256];
    r.caption = "a red square";
    assert_null(dalle_generate(model, &r, &err));
    is(&err, DALLE_USAGE, "'dalle-cl train prior'");
    assert_false(dalle_encode(model, rgb, 1, tokens, &err));
    is(&err, DALLE_USAGE, "'dalle-cl train dvae'");

    dalle_model *m = dalle_open(path_of("dvae"), NULL, &err);
    if (!m) fail_msg("%s", err.message);
    assert_int_equal(dalle_get_info(m)->clip_side, 0);
    assert_false(dalle_embed_pictures(m, rgb, 1, SIDE, NULL, NULL, out, &err));
    is(&err, DALLE_USAGE, "'dalle-cl pack RUNS... -o FOLDER'");
    is(&err, DALLE_USAGE, "'dalle-cl train clip'");
    char hex[65];
    assert_false(dalle_clip_hash(m, hex, &err));
    dalle_close(m);
    assert_null(dalle_open_parts(path_of("dvae"), NULL, DALLE_CLIP, &err));
    is(&err, DALLE_USAGE, "'dalle-cl train clip'");
    assert_null(dalle_open_parts(path_of("nowhere"), NULL, DALLE_CLIP, &err));
    is(&err, DALLE_USAGE, "there is no folder");
    assert_null(dalle_open_parts(path_of("alone"), NULL, DALLE_DVAE, &err));
    is(&err, DALLE_USAGE, "alone");
    assert_null(dalle_open_parts(path_of("alone"), NULL, 64, &err));
    is(&err, DALLE_USAGE, "0x40");

    /* Beside a dVAE: both work, and the embeddings are those of the CLIP alone. */
    m = dalle_open(path_of("both"), NULL, &err);
    if (!m) fail_msg("%s", err.message);
    float *want = embed_pictures(rgb, 1, SIDE);
    assert_true(dalle_embed_pictures(m, rgb, 1, SIDE, NULL, NULL, out, &err));
    assert_memory_equal(out, want, (size_t)dimensions * sizeof *out);
    assert_true(dalle_encode(m, rgb, 1, tokens, &err));
    assert_null(dalle_generate(m, &r, &err));
    is(&err, DALLE_USAGE, "draws nothing");
    dalle_close(m);
    m = dalle_open_parts(path_of("both"), NULL, DALLE_CLIP, &err);
    assert_non_null(m);
    assert_int_equal(dalle_get_info(m)->side, 0);
    assert_false(dalle_encode(m, rgb, 1, tokens, &err));
    is(&err, DALLE_USAGE, "opened without");
    dalle_close(m);
    free(want);
}

static void test_hash(void **state)
{
    (void)state;
    dalle_error err;
    char one[65], other[65];
    dalle_model *run =
        dalle_open(path_of("clip"), NULL, &err); /* the averages of a checkpoint: another file */
    assert_non_null(run);
    assert_true(dalle_clip_hash(model, one, &err) && dalle_clip_hash(run, other, &err));
    assert_int_equal(strlen(one), 64);
    assert_string_not_equal(one, other);
    dalle_close(run);
}

/* ---- All ---- */

static bool train_clip(const char *data, const char *run, error *err)
{
    static const char *const sets[] = { "steps=120", "text_vocabulary=288", "sample_every=0", "holdout=0" };
    train_request r = {
        .preset = "tiny", .sets = sets, .set_count = 4, .data = data, .run = run, .seed = -1
    };
    r.quiet = true;
    return kinds_find("clip")->train(&r, err);
}

static int set_up(void **state)
{
    (void)state;
    static const char *const sets[] = { "steps=2", "batch=8", "sample_every=0", NULL };
    char data[100], dvae[100], clip[100], alone[100], both[100];
    error err;
    dalle_error failure;
    base = room_create();
    snprintf(data, sizeof data, "%s/data.tar", base.path);
    snprintf(dvae, sizeof dvae, "%s/dvae", base.path);
    snprintf(clip, sizeof clip, "%s/clip", base.path);
    snprintf(alone, sizeof alone, "%s/alone", base.path);
    snprintf(both, sizeof both, "%s/both", base.path);
    drawings_tar(data, DRAWINGS);
    drawings_folder(path_of("folder"), 1);
    for (int i = 0; i < DRAWINGS; ++i) drawing_pixels(i, rgb + i * DRAWING_BYTES);
    device *d = device_open(NULL, &err);
    bool ok = d && train_clip(data, clip, &err) && train_tiny("dvae", data, NULL, dvae, sets, &err) &&
              pack_model(d, (const char *const[]){ clip, NULL }, alone, DTYPE_F32, &err) &&
              pack_model(d, (const char *const[]){ dvae, clip, NULL }, both, DTYPE_F32, &err);
    device_close(d);
    if (!ok) fail_msg("%s", err.message);
    model = dalle_open(alone, NULL, &failure);
    if (!model) fail_msg("%s", failure.message);
    dimensions = dalle_get_info(model)->clip_dimensions;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dalle_close(model);
    room_remove(&base);
    return 0;
}

int main(void)
{
    device_close(device_or_skip());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info),  cmocka_unit_test(test_embeddings), cmocka_unit_test(test_another_size),
        cmocka_unit_test(test_score), cmocka_unit_test(test_nearest),    cmocka_unit_test(test_progress),
        cmocka_unit_test(test_wrong), cmocka_unit_test(test_long_text),  cmocka_unit_test(test_nan),
        cmocka_unit_test(test_parts), cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
