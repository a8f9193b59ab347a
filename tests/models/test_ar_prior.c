/* test_ar_prior.c -- the autoregressive prior as a whole: it learns embeddings of captions, a run resumes
 * bit for bit, a run and what is packed of it draw the same, an embedding is the same whatever is drawn
 * beside it, and what is refused.
 * SPDX-License-Identifier: MIT */
#include "models/ar_prior/ar_prior_part.h"

#include "data/safetensors.h"
#include "models/clip/retrieval.h"
#include "models/unclip/clip_source.h"
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

static bool train(const char *run, const char *clip, bool resume, const char *init, const char *const *sets,
                  error *err)
{
    train_request r = { .preset = resume ? NULL : "tiny",
                        .sets = sets,
                        .data = path_of("data.tar"),
                        .parts = { { &clip_kind, clip ? path_of(clip) : NULL } },
                        .run = path_of(run),
                        .init = init,
                        .resume = resume,
                        .seed = -1,
                        .quiet = true };
    while (sets && sets[r.set_count]) ++r.set_count;
    return ar_prior_kind.train(&r, err);
}

static clip_part *opened_clip(const char *folder)
{
    error err;
    clip_part *clip = clip_part_open(hardware, path_of(folder), &err);
    good(clip != NULL, &err);
    return clip;
}

static ar_prior_part *opened(const char *folder, clip_part *clip)
{
    error err;
    ar_prior_part *p = ar_prior_part_open(hardware, path_of(folder), clip, &err);
    good(p != NULL, &err);
    return p;
}

static embedding_request request_for(const char *caption, int64_t count)
{
    return (embedding_request){ .caption = caption,
                                .count = count,
                                .seed = 3,
                                .guidance = -1,
                                .eta = -1,
                                .ddim = -1,
                                .temperature = -1 };
}

static void drawn(ar_prior_part *p, const embedding_request *r, float *out)
{
    error err;
    good(ar_prior_part_draw(p, r, out, &err), &err);
}

/* Of eight captions, the likeliest embedding is nearest to their own drawing. */
static void learns_captions(void **state)
{
    (void)state;
    static uint8_t pixels[DRAWINGS * DRAWING_BYTES];
    float pictures[DRAWINGS * EMBEDDING], made[EMBEDDING];
    error err;
    int right = 0;
    clip_part *clip = opened_clip("clip");
    ar_prior_part *p = opened("run", clip);
    for (int i = 0; i < DRAWINGS; ++i) drawing_pixels(i, pixels + i * DRAWING_BYTES);
    good(clip_part_pictures(clip, pixels, DRAWINGS, DRAWING_SIDE, pictures, NULL, NULL, &err), &err);
    for (int i = 0; i < DRAWINGS; ++i) {
        embedding_request r = request_for(drawing_captions[i], 1);
        double length = 0;
        r.temperature = 0;
        drawn(p, &r, made);
        for (int j = 0; j < EMBEDDING; ++j) length += (double)made[j] * (double)made[j];
        assert_true(fabs(length - 1) < 1e-5);
        right += retrieval_nearest(pictures, DRAWINGS, made, EMBEDDING) == i;
    }
    if (right < DRAWINGS - 1) fail_msg("of %d captions %d have an embedding of their own", DRAWINGS, right);
    ar_prior_part_close(p);
    clip_part_close(clip);
}

static void one_is_the_same_beside_others(void **state)
{
    (void)state;
    enum { MANY = 37 };
    static float many[MANY * EMBEDDING], some[5 * EMBEDDING], one[EMBEDDING], plain[MANY * EMBEDDING];
    clip_part *clip = opened_clip("clip");
    ar_prior_part *p = opened("run", clip);
    for (int guided = 0; guided < 2; ++guided) {
        embedding_request r = request_for("a red square", MANY);
        r.temperature = 3; /* so that they differ */
        r.guidance = guided ? 2 : 1;
        drawn(p, &r, many);
        assert_memory_not_equal(many, many + EMBEDDING, sizeof one);
        if (!guided) memcpy(plain, many, sizeof plain);
        if (guided) assert_memory_not_equal(plain, many, sizeof plain);
        r.first = 30;
        r.count = 5;
        drawn(p, &r, some);
        assert_memory_equal(some, many + 30 * EMBEDDING, sizeof some);
        r.first = 36;
        r.count = 1;
        drawn(p, &r, one);
        assert_memory_equal(one, many + 36 * EMBEDDING, sizeof one);
        r.seed = 4;
        drawn(p, &r, one);
        assert_memory_not_equal(one, many + 36 * EMBEDDING, sizeof one);
    }
    ar_prior_part_close(p);
    clip_part_close(clip);
}

static bool stop(void *context, int64_t done, int64_t total)
{
    (void)context;
    assert_true(done > 0 && done <= total);
    return false;
}

static void no_caption_stopping_and_no_number(void **state)
{
    (void)state;
    float made[EMBEDDING], same[EMBEDDING], bad = NAN;
    error err;
    clip_part *clip = opened_clip("clip");
    ar_prior_part *p = opened("run", clip);
    embedding_request r = request_for("", 1);
    drawn(p, &r, made);
    r.caption = NULL;
    drawn(p, &r, same);
    assert_memory_equal(made, same, sizeof made);
    r.guidance = 1e9; /* hopeless, but no crash */
    drawn(p, &r, made);
    r = request_for("a red square", 1);
    r.guidance = 0; /* as without a caption, whatever that is */
    drawn(p, &r, made);
    r.progress = stop;
    assert_false(ar_prior_part_draw(p, &r, made, &err));
    assert_int_equal(err.code, ERROR_INTERRUPTED);
    r.progress = NULL;
    good(store_write_part_f32(p->store, store_find(p->store, "norm.gain"), 0, 1, &bad, &err), &err);
    assert_false(ar_prior_part_draw(p, &r, made, &err));
    assert_int_equal(err.code, ERROR_MODEL);
    assert_says(&err, "is not a number");
    ar_prior_part_close(p);
    clip_part_close(clip);
}

static void packed_and_started_from(void **state)
{
    (void)state;
    static float by_run[4 * EMBEDDING], by_model[4 * EMBEDDING];
    error err;
    const char *const parts[] = { path_of("clip"), path_of("run"), NULL }, *const sets[] = {
        "steps=1", "learning_rate=0", "warmup=0", "sample_every=0", NULL
    };
    good(pack_model(hardware, parts, path_of("model"), DTYPE_F32, &err), &err);
    clip_part *clip = opened_clip("model");
    ar_prior_part *run = opened("run", clip), *model = opened("model", clip);
    const embedding_request r = request_for("blue over a white", 4);
    drawn(run, &r, by_run);
    drawn(model, &r, by_model);
    assert_memory_equal(by_run, by_model, sizeof by_run);
    ar_prior_part_close(model);
    /* With its components: other ones would make other embeddings of the same numbers. */
    good(train("second", "model", false, path_of("model"), sets, &err), &err);
    model = opened("second", clip);
    drawn(model, &r, by_model);
    assert_memory_equal(by_run, by_model, sizeof by_run);
    ar_prior_part_close(model);
    ar_prior_part_close(run);
    clip_part_close(clip);
}

/* ---- A run ---- */

static void same_files(const char *one, const char *other)
{
    size_t a, b;
    error err;
    char *x = file_read(path_of(one), &a, &err), *y = x ? file_read(path_of(other), &b, &err) : NULL;
    good(y != NULL, &err);
    assert_int_equal(a, b);
    assert_memory_equal(x, y, a);
    free(x);
    free(y);
}

/* But for the time that it took. */
static void same_tensors(const char *one, const char *other)
{
    error err;
    safetensors *a = safetensors_open_whole(path_of(one), NULL, &err),
                *b = a ? safetensors_open_whole(path_of(other), NULL, &err) : NULL;
    good(b != NULL, &err);
    assert_int_equal(safetensors_count(a), safetensors_count(b));
    for (int i = 0; i < safetensors_count(a); ++i) {
        const safetensors_tensor *x = safetensors_at(a, i), *y = safetensors_find(b, x->name);
        assert_non_null(y);
        assert_int_equal(x->bytes, y->bytes);
        assert_memory_equal(x->data, y->data, (size_t)x->bytes);
    }
    safetensors_close(a);
    safetensors_close(b);
}

static void resumes_bit_for_bit(void **state)
{
    (void)state;
    error err;
    const char *const whole[] = {
        "steps=6", "save_every=3", "eval_every=3", "sample_every=0", "log_every=1", "dropout=0.1", NULL
    };
    good(train("whole", "clip", false, NULL, whole, &err), &err);
    good(file_make_folders(path_of("cut"), &err), &err);
    static const char *const files[] = { "config.cfg", "run.json", "words.txt", NULL };
    for (int i = 0; files[i]; ++i) {
        char from[64], to[64];
        snprintf(from, sizeof from, "whole/%s", files[i]);
        snprintf(to, sizeof to, "cut/%s", files[i]);
        copy_cut(path_of(from), path_of(to), 1 << 20);
    }
    copy_cut(path_of("whole/checkpoint-000003.safetensors"), path_of("cut/checkpoint.safetensors"), 1 << 24);
    copy_cut(path_of("whole/metrics.jsonl"), path_of("cut/metrics.jsonl"), 1 << 20);
    good(train("cut", NULL, true, NULL, NULL, &err), &err);
    same_tensors("whole/checkpoint.safetensors", "cut/checkpoint.safetensors");
    same_files("whole/metrics.jsonl", "cut/metrics.jsonl");
    assert_false(file_exists(path_of("whole/tokenizer.model")));
}

/* Whose embeddings are not kept: each batch's are made from its own pictures. */
static void pictures_may_vary(void **state)
{
    (void)state;
    error err;
    const char *const sets[] = {
        "steps=3", "flip=yes", "augment=listing2", "eval_every=3", "sample_every=3", "edges=uniform", NULL
    };
    good(train("varied", "clip", false, NULL, sets, &err), &err);
    clip_part *clip = opened_clip("clip");
    float made[EMBEDDING];
    ar_prior_part *p = opened("varied", clip);
    const embedding_request r = request_for("a red square", 1);
    drawn(p, &r, made);
    ar_prior_part_close(p);
    clip_part_close(clip);
}

static void another_clip_is_refused(void **state)
{
    (void)state;
    error err;
    const char *const sets[] = { "steps=1", "sample_every=0", NULL }, *const parts[] = { path_of("other"),
                                                                                         path_of("run"),
                                                                                         NULL };
    clip_part *other = opened_clip("other");
    assert_null(ar_prior_part_open(hardware, path_of("run"), other, &err));
    assert_int_equal(err.code, ERROR_MODEL);
    assert_says(&err, "was trained with another CLIP");
    assert_false(pack_model(hardware, parts, path_of("mixed"), DTYPE_F16, &err));
    assert_says(&err, "was trained with another CLIP");
    assert_false(train("third", "other", false, path_of("run"), sets, &err));
    assert_says(&err, "was trained with another CLIP");
    clip_part_close(other);
}

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *set, *says;
    } cases[] = {
        { "heads=3", "size 32 is not divisible by 3 heads" },
        { "text_heads=5", "text_width 32 is not divisible by 5 text_heads" },
        { "dimensions=25", "an embedding of 24 numbers has no 25 components" },
        { "accumulate=3", "batch 8 is not divisible by accumulate 3" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        error err;
        const char *const sets[] = { cases[i].set, NULL };
        assert_false(train("refused", "clip", false, NULL, sets, &err));
        assert_int_equal(err.code, ERROR_USAGE);
        assert_says(&err, cases[i].says);
    }
    error err;
    assert_false(train("refused", NULL, false, NULL, NULL, &err));
    assert_says(&err, "--clip is missing");
}

static bool train_clip(const char *run, const char *steps, const char *seed, error *err)
{
    const char *const sets[] = { steps, "sample_every=0", "text_vocabulary=288", seed, NULL };
    return train_tiny("clip", path_of("data.tar"), NULL, path_of(run), sets, err);
}

int main(void)
{
    error err;
    hardware = device_or_skip();
    base = room_create();
    drawings_tar(path_of("data.tar"), DRAWINGS);
    const char *const sets[] = { "steps=120", "sample_every=120", "eval_every=60", "near_buckets=1", NULL };
    if (!train_clip("clip", "steps=60", "seed=1", &err) || !train_clip("other", "steps=1", "seed=2", &err) ||
        !train("run", "clip", false, NULL, sets, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_captions),
        cmocka_unit_test(one_is_the_same_beside_others),
        cmocka_unit_test(no_caption_stopping_and_no_number),
        cmocka_unit_test(packed_and_started_from),
        cmocka_unit_test(resumes_bit_for_bit),
        cmocka_unit_test(pictures_may_vary),
        cmocka_unit_test(another_clip_is_refused),
        cmocka_unit_test(what_is_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    room_remove(&base);
    device_close(hardware);
    return failed;
}
