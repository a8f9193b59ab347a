/* test_clip.c -- CLIP as a whole: it learns which caption belongs to which drawing; a run and what is packed
 * of it give the same features, of length 1, whatever is embedded beside a picture; what it refuses.
 * SPDX-License-Identifier: MIT */
#include "models/clip/clip_part.h"
#include "models/clip/clip_text.h"
#include "models/clip/retrieval.h"
#include "tests/models/drawings.h"
#include "tests/support/device_or_skip.h"

#include <math.h>

enum { EMBEDDING = 24 };

static device *hardware;
static room base;

static const char *path_of(const char *name)
{
    static char paths[8][200];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", base.path, name);
    return path;
}

static void good(bool ok, const error *err)
{
    if (!ok) fail_msg("%s", err->message);
}

static void all_pixels(uint8_t pixels[DRAWINGS * DRAWING_BYTES])
{
    for (int i = 0; i < DRAWINGS; ++i) drawing_pixels(i, pixels + i * DRAWING_BYTES);
}

static clip_part *opened(const char *folder)
{
    error err;
    clip_part *p = clip_part_open(hardware, path_of(folder), &err);
    good(p != NULL, &err);
    return p;
}

static void features(clip_part *p, float *pictures, float *texts)
{
    error err;
    uint8_t pixels[DRAWINGS * DRAWING_BYTES];
    int64_t cut = -1;
    all_pixels(pixels);
    good(clip_part_pictures(p, pixels, DRAWINGS, DRAWING_SIDE, pictures, NULL, NULL, &err) &&
             clip_part_texts(p, drawing_captions, DRAWINGS, texts, &cut, NULL, NULL, &err),
         &err);
    assert_int_equal(cut, 0);
}

static double length_of(const float *v)
{
    double sum = 0;
    for (int i = 0; i < EMBEDDING; ++i) sum += (double)v[i] * (double)v[i];
    return sqrt(sum);
}

static void learns_and_is_packed(void **state)
{
    (void)state;
    static float pictures[2][DRAWINGS * EMBEDDING], texts[2][DRAWINGS * EMBEDDING];
    error err;
    clip_part *run = opened("run");
    assert_int_equal(run->config.embedding, EMBEDDING);
    assert_int_equal(run->config.image_size, DRAWING_SIDE);
    assert_true(run->config.end_row && run->words && run->scale > 1 && run->scale <= 100);
    features(run, pictures[0], texts[0]);
    retrieval found;
    good(retrieval_of(pictures[0], texts[0], DRAWINGS, EMBEDDING, (double)run->scale, &found, &err), &err);
    if (found.captions < 1 || found.pictures < 1 || found.loss > 0.7)
        fail_msg("of 8 drawings %g find their caption, %g the other way, loss %g", found.captions,
                 found.pictures, found.loss);
    for (int i = 0; i < DRAWINGS; ++i) {
        assert_true(fabs(length_of(pictures[0] + i * EMBEDDING) - 1) < 1e-5);
        assert_true(fabs(length_of(texts[0] + i * EMBEDDING) - 1) < 1e-5);
    }
    good(pack_model(hardware, (const char *const[]){ path_of("run"), NULL }, path_of("model"), DTYPE_F32,
                    &err),
         &err);
    clip_part *model = opened("model");
    assert_true(model->words && model->scale == run->scale);
    features(model, pictures[1], texts[1]);
    assert_memory_equal(pictures[0], pictures[1], sizeof pictures[0]);
    assert_memory_equal(texts[0], texts[1], sizeof texts[0]);
    clip_part_close(model);
    clip_part_close(run);
}

/* More than a batch of them, in another order, and larger pictures that show the same. */
static void whatever_is_beside(void **state)
{
    (void)state;
    enum { MANY = 70, WIDE = 2 * DRAWING_SIDE };
    static float alone[EMBEDDING], many[MANY * EMBEDDING];
    static uint8_t pixels[MANY * DRAWING_BYTES], wide[WIDE * WIDE * 3];
    const char *captions[MANY];
    error err;
    clip_part *p = opened("run");
    for (int i = 0; i < MANY; ++i) {
        drawing_pixels(i % DRAWINGS, pixels + i * DRAWING_BYTES);
        captions[i] = drawing_captions[i * 3 % DRAWINGS];
    }
    good(clip_part_pictures(p, pixels, MANY, DRAWING_SIDE, many, NULL, NULL, &err), &err);
    for (int i = 0; i < MANY; ++i)
        assert_memory_equal(many + i * EMBEDDING, many + i % DRAWINGS * EMBEDDING, sizeof alone);
    good(clip_part_pictures(p, pixels + 69 * DRAWING_BYTES, 1, DRAWING_SIDE, alone, NULL, NULL, &err), &err);
    assert_memory_equal(alone, many + 69 * EMBEDDING, sizeof alone);
    for (int i = 0; i < WIDE * WIDE; ++i)
        memcpy(wide + i * 3, pixels + (i / WIDE / 2 * DRAWING_SIDE + i % WIDE / 2) * 3, 3);
    good(clip_part_pictures(p, wide, 1, WIDE, alone, NULL, NULL, &err), &err);
    assert_memory_equal(alone, many, sizeof alone);
    good(clip_part_texts(p, captions, MANY, many, NULL, NULL, NULL, &err), &err);
    good(clip_part_texts(p, captions + 68, 1, alone, NULL, NULL, NULL, &err), &err);
    assert_memory_equal(alone, many + 68 * EMBEDDING, sizeof alone);
    clip_part_close(p);
}

static bool stop_early(void *context, int64_t done, int64_t total)
{
    int64_t *seen = context;
    assert_int_equal(total, 100);
    *seen = done;
    return false;
}

static void long_captions_and_stopping(void **state)
{
    (void)state;
    static const char long_caption[] = "a red square a green square a blue square a black square over it";
    static float out[100 * EMBEDDING], cut_there[EMBEDDING];
    static uint8_t pixels[100 * DRAWING_BYTES];
    error err;
    clip_part *p = opened("run");
    const char *const captions[] = { "a red square", long_caption, "" };
    int64_t cut = 0, seen = 0;
    char *lost = NULL;
    good(clip_part_texts(p, captions, 3, out, &cut, NULL, NULL, &err), &err);
    assert_int_equal(cut, 1);
    good(clip_part_lost(p, "a red square", &lost, &err), &err);
    assert_null(lost);
    good(clip_part_lost(p, long_caption, &lost, &err), &err);
    assert_non_null(lost);
    assert_non_null(strstr(long_caption, lost)); /* its last words */
    assert_string_equal(strstr(long_caption, lost) + strlen(lost), "");
    free(lost);
    /* What is cut changes nothing. */
    char longer[200];
    snprintf(longer, sizeof longer, "%s and more", long_caption);
    good(clip_part_texts(p, (const char *const[]){ longer }, 1, cut_there, NULL, NULL, NULL, &err), &err);
    assert_memory_equal(cut_there, out + EMBEDDING, sizeof cut_there);
    assert_false(clip_part_pictures(p, pixels, 100, DRAWING_SIDE, out, stop_early, &seen, &err));
    assert_int_equal(err.code, ERROR_INTERRUPTED);
    assert_true(seen > 0 && seen < 100);
    clip_part_close(p);
}

static void not_a_number(void **state)
{
    (void)state;
    error err;
    float out[EMBEDDING], bad = NAN;
    uint8_t pixels[DRAWING_BYTES];
    drawing_pixels(0, pixels);
    clip_part *p = opened("run");
    store_entry *e = store_find(p->store, "image.projection.weight");
    good(store_write_part_f32(p->store, e, 0, 1, &bad, &err), &err);
    assert_false(clip_part_pictures(p, pixels, 1, DRAWING_SIDE, out, NULL, NULL, &err));
    assert_int_equal(err.code, ERROR_MODEL);
    assert_non_null(strstr(err.message, "is not a number"));
    clip_part_close(p);
}

/* A run that starts from a model: its own words go on, new ones get pieces. */
static void started_from_a_model(void **state)
{
    (void)state;
    error err;
    const char *const sets[] = { "steps=1",  "batch=8",        "sample_every=0", "text_vocabulary=330",
                                 "warmup=0", "learning_rate=0" };
    train_request r = { .preset = "tiny",
                        .sets = sets,
                        .set_count = 6,
                        .data = path_of("data.tar"),
                        .run = path_of("second"),
                        .init = path_of("run"),
                        .seed = -1,
                        .quiet = true };
    good(clip_kind.train(&r, &err), &err);
    static float pictures[2][DRAWINGS * EMBEDDING], texts[2][DRAWINGS * EMBEDDING];
    clip_part *first = opened("run"), *second = opened("second");
    features(first, pictures[0], texts[0]);
    features(second, pictures[1], texts[1]);
    for (int i = 0; i < DRAWINGS * EMBEDDING; ++i) {
        assert_true(fabsf(pictures[0][i] - pictures[1][i]) < 1e-5f);
        assert_true(fabsf(texts[0][i] - texts[1][i]) < 1e-5f);
    }
    clip_part_close(first);
    clip_part_close(second);
}

static void train_texts_alone(const char *run)
{
    error err;
    const char *const sets[] = { "steps=3",  "batch=8",          "sample_every=0",
                                 "warmup=0", "locked_image=yes", "dropout=0.1" };
    train_request r = { .preset = "tiny",
                        .sets = sets,
                        .set_count = 6,
                        .data = path_of("data.tar"),
                        .run = path_of(run),
                        .init = path_of("run"),
                        .tokenizer = path_of("run/tokenizer.model"),
                        .seed = -1,
                        .quiet = true };
    good(clip_kind.train(&r, &err), &err);
}

/* Pictures' features to the last bit, also of what is packed; texts' move. */
static void a_locked_image_tower(void **state)
{
    (void)state;
    static float pictures[3][DRAWINGS * EMBEDDING], texts[3][DRAWINGS * EMBEDDING];
    char hex[3][65];
    error err;
    train_texts_alone("locked");
    good(pack_model(hardware, (const char *const[]){ path_of("locked"), NULL }, path_of("locked-model"),
                    DTYPE_F32, &err),
         &err);
    const char *const folders[] = { "run", "locked", "locked-model" };
    for (int i = 0; i < 3; ++i) {
        clip_part *p = opened(folders[i]);
        features(p, pictures[i], texts[i]);
        good(clip_part_image_fingerprint(p, hex[i], &err), &err);
        clip_part_close(p);
        assert_memory_equal(pictures[i], pictures[0], sizeof pictures[0]);
        assert_string_equal(hex[i], hex[0]);
    }
    assert_memory_not_equal(texts[1], texts[0], sizeof texts[0]);
    assert_memory_equal(texts[2], texts[1], sizeof texts[0]);
}

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *set, *says;
    } cases[] = {
        { "patch=5", "image_size 16 is not divisible by patch 5" },
        { "image_heads=3", "image_width 32 is not divisible by 3 image_heads" },
        { "text_heads=5", "text_width 32 is not divisible by 5 text_heads" },
        { "text_tokens=2", "leaves a caption no room beside its end" },
        { "parts=3", "batch 8 is not divisible by accumulate 3" },
        { "batch=1", "has no other pictures to tell its own from" },
        { "locked_image=yes", "keeps the image tower that --init gives" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        error err;
        const char *const sets[] = { cases[i].set, NULL };
        assert_false(train_tiny("clip", path_of("data.tar"), NULL, path_of("refused"), sets, &err));
        assert_int_equal(err.code, ERROR_USAGE);
        if (!strstr(err.message, cases[i].says)) fail_msg("%s: %s", cases[i].set, err.message);
    }
    error err;
    assert_null(clip_part_open(hardware, path_of("data.tar"), &err));
    assert_null(clip_part_open(hardware, path_of("nowhere"), &err));
    assert_non_null(strstr(err.message, "there is no folder"));
}

static void where_ends_stand(void **state)
{
    (void)state;
    clip_config c = { .text_tokens = 5 };
    const int32_t ids[] = { 7, 8, 9, 10, 11, 12 }, padded[] = { 7, -1, -1, -1, -1 };
    int32_t out[5];
    const clip_marks own = { 90, 91 }, added = { -1, 40 };
    assert_int_equal(clip_text_place(&c, &own, ids, 6, out), 4);
    assert_memory_equal(out, ((int32_t[]){ 90, 7, 8, 9, 91 }), sizeof out);
    assert_int_equal(clip_text_place(&c, &added, ids, 6, out), 4);
    assert_memory_equal(out, ((int32_t[]){ 7, 8, 9, 10, 40 }), sizeof out);
    assert_int_equal(clip_text_place(&c, &own, padded, 5, out), 2);
    assert_memory_equal(out, ((int32_t[]){ 90, 7, 91, 0, 0 }), sizeof out);
    assert_int_equal(clip_text_place(&c, &added, ids, 0, out), 0);
    assert_memory_equal(out, ((int32_t[]){ 40, 0, 0, 0, 0 }), sizeof out);
}

int main(void)
{
    error err;
    hardware = device_or_skip();
    base = room_create();
    drawings_tar(path_of("data.tar"), DRAWINGS);
    const char *const sets[] = { "steps=150", "sample_every=75", "eval_every=75", "text_vocabulary=288",
                                 NULL };
    if (!train_tiny("clip", path_of("data.tar"), NULL, path_of("run"), sets, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_and_is_packed),
        cmocka_unit_test(whatever_is_beside),
        cmocka_unit_test(long_captions_and_stopping),
        cmocka_unit_test(not_a_number),
        cmocka_unit_test(started_from_a_model),
        cmocka_unit_test(a_locked_image_tower),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(where_ends_stand),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    room_remove(&base);
    device_close(hardware);
    return failed;
}
