/* test_clip_source.c -- a frozen CLIP beside training: a batch's embeddings are the CLIP's own, and kept
 * where pictures never change; captions as tokens and embeddings; which CLIP a part was trained with.
 * SPDX-License-Identifier: MIT */
#include "models/unclip/clip_source.h"
#include "tests/models/drawings.h"
#include "tests/support/device_or_skip.h"

#include <math.h>

enum { EMBEDDING = 24, TOKENS = 16, BATCH = 6 };

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

static clip_source *opened(const char *folder, bool fixed, int64_t samples)
{
    error err;
    clip_source *s = clip_source_open(hardware, path_of(folder), fixed, samples, &err);
    good(s != NULL, &err);
    return s;
}

/* The set with the CLIP's view beside pictures of `size`. */
static training_data *data_with(const clip_source *s, int64_t size)
{
    error err;
    const loader_view view = clip_source_view(s, size);
    const training_data_options options = { .path = path_of("data.tar"),
                                            .split = "",
                                            .size = size,
                                            .batch = BATCH,
                                            .augment = AUGMENT_NONE,
                                            .flip = AUGMENT_FLIP_OFF,
                                            .views = &view,
                                            .view_count = 1,
                                            .threads = 1,
                                            .captions = true };
    training_data *d = training_data_open(&options, &err);
    good(d != NULL, &err);
    return d;
}

static void spoil(clip_source *s)
{
    error err;
    float other = 5;
    store *parameters = clip_source_part(s)->store;
    good(store_write_part_f32(parameters, store_find(parameters, "image.projection.weight"), 3, 1, &other,
                              &err),
         &err);
}

/* Over two epochs and a bit, then with a CLIP that has changed meanwhile. */
static void pictures_of(bool fixed, int64_t samples, bool kept)
{
    static float all[DRAWINGS * EMBEDDING], out[BATCH * EMBEDDING];
    static uint8_t pixels[DRAWINGS * DRAWING_BYTES];
    error err;
    clip_source *s = opened("clip", fixed, samples);
    training_data *d = data_with(s, DRAWING_SIDE);
    const char *key = "0123456789";
    for (int i = 0; i < DRAWINGS; ++i) drawing_pixels(i, pixels + i * DRAWING_BYTES);
    good(clip_part_pictures(clip_source_part(s), pixels, DRAWINGS, DRAWING_SIDE, all, NULL, NULL, &err),
         &err);
    for (int64_t step = 0; step < 6; ++step) {
        if (step == 3) spoil(s);
        const loader_batch *b = training_data_next(d, step, &err);
        good(b && clip_source_pictures(s, b, out, &err), &err);
        for (int i = 0; i < BATCH; ++i) {
            int64_t number = strchr(key, b->keys[i][0]) - key;
            bool same = memcmp(out + i * EMBEDDING, all + number * EMBEDDING, EMBEDDING * sizeof *all) == 0;
            if (same != (step < 3 || kept))
                fail_msg("step %d, drawing %d: the same embedding: %d", (int)step, (int)number, same);
        }
    }
    training_data_close(d);
    clip_source_close(s);
}

static void pictures_are_embedded(void **state)
{
    (void)state;
    pictures_of(false, DRAWINGS, false);
    pictures_of(true, DRAWINGS, true);
    pictures_of(true, 0, true); /* how many there are is not known before the set is opened */
}

static void views_fit(void **state)
{
    (void)state;
    error err;
    float out[BATCH * EMBEDDING];
    clip_source *s = opened("clip", false, 0);
    assert_int_equal(clip_source_view(s, 64).size, DRAWING_SIDE);
    assert_int_equal(clip_source_view(s, 8).size, 8);
    for (int64_t size = 8; size <= 64; size *= 2) {
        training_data *d = data_with(s, size);
        const loader_batch *b = training_data_next(d, 0, &err);
        good(b && clip_source_pictures(s, b, out, &err), &err);
        training_data_close(d);
    }
    clip_source_close(s);
}

static void captions_are_embedded(void **state)
{
    (void)state;
    enum { CAPTIONS = 40 };
    static float theirs[CAPTIONS * EMBEDDING], ours[CAPTIONS * EMBEDDING];
    static int32_t ids[CAPTIONS * TOKENS];
    static const char longer[] = "a red square a green square a blue square a black square over it";
    const char *captions[CAPTIONS];
    error err;
    clip_source *s = opened("clip", false, 0);
    clip_part *clip = clip_source_part(s);
    for (int i = 0; i < CAPTIONS; ++i) {
        bool cut = true;
        captions[i] = i == 7 ? "" : i == 8 ? longer : drawing_captions[i % DRAWINGS];
        good(clip_source_caption(clip, captions[i], ids + i * TOKENS, &cut, &err), &err);
        assert_int_equal(cut, i == 8);
    }
    for (int i = 0; i < TOKENS; ++i) {
        assert_int_equal(ids[7 * TOKENS + i], -1);
        assert_true(ids[8 * TOKENS + i] >= 0);
    }
    good(clip_part_texts(clip, captions, CAPTIONS, theirs, NULL, NULL, NULL, &err) &&
             clip_source_texts(s, ids, CAPTIONS, ours, &err),
         &err);
    assert_memory_equal(ours, theirs, sizeof ours);
    clip_source_close(s);
}

/* ---- Which CLIP it was ---- */

static bool accepted(const clip_source *s, const char *key, const char *value, const char *folder, error *err)
{
    checkpoint_text text = { key, value };
    const checkpoint_metadata metadata = { 1, &text };
    return clip_source_check(clip_source_part(s), "here/clip", &metadata, false, "toy", path_of(folder), err);
}

static void only_the_right_clip(void **state)
{
    (void)state;
    char in_state[200];
    error err;
    clip_source *s = opened("clip", false, 0), *packed = opened("model", false, 0),
                *other = opened("other", false, 0);
    const char *hex = clip_source_fingerprint(s);
    assert_int_equal(strlen(hex), 64);
    assert_string_equal(hex, clip_source_fingerprint(packed));
    assert_string_not_equal(hex, clip_source_fingerprint(other));
    snprintf(in_state, sizeof in_state, "{\"task\": {\"" CLIP_ORIGIN_KEY "\": \"%s\"}}", hex);
    good(file_make_folders(path_of("run"), &err), &err);
    write_text(path_of("run/run.json"), "{\"data\": {\"clip\": \"over/there\"}}");
    for (int i = 0; i < 2; ++i) {
        const char *key = i ? "state" : CLIP_ORIGIN_KEY, *value = i ? in_state : hex;
        good(accepted(s, key, value, "run", &err), &err);
        good(accepted(packed, key, value, "model", &err), &err);
        assert_false(accepted(other, key, value, "run", &err));
        assert_int_equal(err.code, ERROR_MODEL);
        assert_says(&err, "the toy '");
        assert_says(&err, "another CLIP than 'here/clip'");
        assert_says(&err, "with 'over/there' as it was");
    }
    assert_false(accepted(s, "step", "7", "run", &err));
    assert_says(&err, "nothing in '");
    clip_source_close(other);
    clip_source_close(packed);
    clip_source_close(s);
}

static bool train(const char *run, const char *seed, error *err)
{
    const char *const sets[] = { "steps=2", "sample_every=0", "text_vocabulary=288", seed, NULL };
    return train_tiny("clip", path_of("data.tar"), NULL, path_of(run), sets, err);
}

int main(void)
{
    error err;
    hardware = device_or_skip();
    base = room_create();
    drawings_tar(path_of("data.tar"), DRAWINGS);
    if (!train("clip", "seed=1", &err) || !train("other", "seed=2", &err) ||
        !pack_model(hardware, (const char *const[]){ path_of("clip"), NULL }, path_of("model"), DTYPE_F16,
                    &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_embedded),
        cmocka_unit_test(views_fit),
        cmocka_unit_test(captions_are_embedded),
        cmocka_unit_test(only_the_right_clip),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    room_remove(&base);
    device_close(hardware);
    return failed;
}
