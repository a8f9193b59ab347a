/* test_diffusion_prior.c -- a diffusion prior as a user trains and draws with it: it learns, resumes bit for
 * bit, and a batch in parts is the whole one; what a drawing depends on; which CLIP it belongs to; what is
 * refused.
 * SPDX-License-Identifier: MIT */
#include "models/diffusion_prior/diffusion_prior_part.h"
#include "models/diffusion_prior/diffusion_prior_train.h"
#include "tests/models/drawings.h"
#include "tests/support/device_or_skip.h"
#include "tests/train/run_compare.h"

#include <math.h>

enum { EMBEDDING = 24 };

static device *hardware;
static room base;

static void good(bool ok, const error *err)
{
    if (!ok) fail_msg("%s", err->message);
}

static bool train(const char *clip, const char *run, const char *init, bool resume, const char *const *sets,
                  error *err)
{
    train_request r = { .preset = resume || init ? NULL : "tiny",
                        .sets = sets,
                        .data = resume ? NULL : at(&base, "data.tar"),
                        .parts = { { &clip_kind, clip ? at(&base, clip) : NULL } },
                        .run = at(&base, run),
                        .init = init ? at(&base, init) : NULL,
                        .resume = resume,
                        .seed = -1 };
    r.quiet = true;
    while (sets && sets[r.set_count]) ++r.set_count;
    return diffusion_prior_train(&r, err);
}

static void copy_run(const char *from, const char *to, const char *without)
{
    char command[400];
    snprintf(command, sizeof command, "cp -r '%s/%s' '%s/%s' && cd '%s/%s' && rm -f %s", base.path, from,
             base.path, to, base.path, to, without);
    assert_int_equal(system(command), 0);
}

static double dot(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < EMBEDDING; ++i) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* ---- Opened ---- */

typedef struct both {
    clip_part *clip;
    diffusion_prior_part *prior;
} both;

static both opened(const char *clip, const char *prior)
{
    error err;
    both b = { .clip = clip_part_open(hardware, at(&base, clip), &err) };
    good(b.clip != NULL, &err);
    b.prior = diffusion_prior_part_open(hardware, at(&base, prior), b.clip, &err);
    good(b.prior != NULL, &err);
    return b;
}

static void closed(both *b)
{
    diffusion_prior_part_close(b->prior);
    clip_part_close(b->clip);
}

/* Everything the model's own. */
static embedding_request ask(const char *caption, int64_t first, int64_t count)
{
    return (embedding_request){
        .caption = caption, .count = count, .first = first, .seed = 3, .guidance = -1, .ddim = -1, .eta = -1
    };
}

static void draw(const both *b, const embedding_request *r, float *out)
{
    error err;
    good(diffusion_prior_part_draw(b->prior, r, out, &err), &err);
    for (int64_t i = 0; i < r->count; ++i)
        assert_true(fabs(dot(out + i * EMBEDDING, out + i * EMBEDDING) - 1) < 1e-5);
}

/* ---- Training ---- */

/* What is drawn for a caption is nearest to its own picture, for most of the eight. */
static void test_it_learns(void **state)
{
    (void)state;
    error err;
    float pictures[DRAWINGS * EMBEDDING], drawn[EMBEDDING];
    uint8_t pixels[DRAWINGS * DRAWING_BYTES];
    both b = opened("clip", "run");
    int right = 0;
    for (int i = 0; i < DRAWINGS; ++i) drawing_pixels(i, pixels + i * DRAWING_BYTES);
    good(clip_part_pictures(b.clip, pixels, DRAWINGS, DRAWING_SIDE, pictures, NULL, NULL, &err), &err);
    for (int i = 0; i < DRAWINGS; ++i) {
        const embedding_request r = ask(drawing_captions[i], 0, 1);
        int best = 0;
        draw(&b, &r, drawn);
        for (int k = 1; k < DRAWINGS; ++k)
            if (dot(drawn, pictures + k * EMBEDDING) > dot(drawn, pictures + best * EMBEDDING)) best = k;
        right += best == i;
    }
    printf("%d of %d captions draw their own picture's embedding\n", right, DRAWINGS);
    assert_true(right >= 6);
    closed(&b);
}

static void test_it_resumes(void **state)
{
    (void)state;
    error err;
    const char *const sets[] = { "steps=8",     "save_every=4",   "eval_every=4",
                                 "log_every=1", "holdout=0.3",    "standardise=yes",
                                 "dropout=0.1", "sample_every=8", NULL };
    good(train("clip", "whole", NULL, false, sets, &err), &err);
    copy_run("whole", "half", "checkpoint.safetensors samples/*");
    good(train(NULL, "half", NULL, true, NULL, &err), &err);
    assert_same_run(at(&base, "whole"), at(&base, "half"));
}

static float *parameters(const char *run, int64_t *count)
{
    error err;
    *count = 0;
    both b = opened("clip", run);
    float *values = malloc((size_t)store_elements(b.prior->store, STORE_PARAMETER) * sizeof *values);
    assert_non_null(values);
    for (int i = 0; i < store_count(b.prior->store); ++i) {
        const store_entry *e = store_at(b.prior->store, i);
        if (e->kind != STORE_PARAMETER) continue;
        good(store_read_f32(b.prior->store, e, values + *count, &err), &err);
        *count += e->count;
    }
    closed(&b);
    return values;
}

/* The same noise and times, whatever the parts. */
static void test_parts_are_the_whole(void **state)
{
    (void)state;
    error err;
    int64_t count, again;
    const char *const whole[] = { "steps=3", "adam_epsilon=1e-4", "sample_every=0", NULL };
    const char *const parts[] = { "steps=3", "adam_epsilon=1e-4", "sample_every=0", "accumulate=4", NULL };
    good(train("clip", "undivided", NULL, false, whole, &err) &&
             train("clip", "divided", NULL, false, parts, &err),
         &err);
    float *a = parameters("undivided", &count), *b = parameters("divided", &again);
    assert_int_equal(count, again);
    for (int64_t i = 0; i < count; ++i)
        if (!(fabsf(a[i] - b[i]) < 2e-4f))
            fail_msg("parameter %lld: %g, %g", (long long)i, (double)a[i], (double)b[i]);
    free(a);
    free(b);
}

/* Without a step more, a run that starts from a model is that model. */
static void test_it_starts_from_a_model(void **state)
{
    (void)state;
    error err;
    float from[2 * EMBEDDING], to[2 * EMBEDDING];
    const char *const sets[] = { "steps=1",        "learning_rate=0", "batch=8",        "warmup=0",
                                 "weight_decay=0", "spacing=10",      "sample_every=0", NULL };
    good(train("clip", "again", "model", false, sets, &err), &err);
    both a = opened("model", "model"), b = opened("clip", "again");
    const embedding_request r = ask("a red square", 0, 2);
    draw(&a, &r, from);
    draw(&b, &r, to);
    for (int i = 0; i < 2 * EMBEDDING; ++i) assert_true(fabsf(from[i] - to[i]) < 1e-4f);
    closed(&a);
    closed(&b);
    assert_false(train("wider", "never", "model", false, sets, &err));
    assert_says(&err, "has another shape than this run's");
}

/* ---- Drawing ---- */

static void test_neighbours_do_not_matter(void **state)
{
    (void)state;
    float five[5 * EMBEDDING], two[2 * EMBEDDING];
    both b = opened("clip", "run");
    for (int guided = 0; guided < 2; ++guided) {
        embedding_request r = ask("a green square", 0, 5);
        r.guidance = guided ? 3 : -1;
        r.candidates = 3;
        draw(&b, &r, five);
        r.first = 3;
        r.count = 2;
        draw(&b, &r, two);
        assert_memory_equal(two, five + 3 * EMBEDDING, sizeof two);
    }
    closed(&b);
}

/* Of more candidates the best is at least as near to the caption. */
static void test_candidates(void **state)
{
    (void)state;
    error err;
    float one[EMBEDDING], best[EMBEDDING], caption[EMBEDDING];
    const char *text = "a blue square";
    both b = opened("clip", "run");
    embedding_request r = ask(text, 0, 1);
    good(clip_part_texts(b.clip, &text, 1, caption, NULL, NULL, NULL, &err), &err);
    r.candidates = 1;
    draw(&b, &r, one);
    r.candidates = 20;
    draw(&b, &r, best);
    assert_true(dot(best, caption) >= dot(one, caption));
    assert_memory_not_equal(best, one, sizeof one);
    closed(&b);
}

static void differs(const both *b, const embedding_request *r, const float *from)
{
    float other[EMBEDDING];
    draw(b, r, other);
    assert_memory_not_equal(other, from, sizeof other);
}

static void test_what_a_drawing_depends_on(void **state)
{
    (void)state;
    float plain[EMBEDDING], same[EMBEDDING];
    both b = opened("clip", "run");
    embedding_request r = ask("a red square", 0, 1);
    draw(&b, &r, plain);
    r.guidance = 1; /* the model's own */
    draw(&b, &r, same);
    assert_memory_equal(same, plain, sizeof same);
    embedding_request other[] = { r, r, r, r, r, r, r };
    other[0].caption = "a green square";
    other[1].seed = 4;
    other[2].guidance = 4;
    other[3].spacing = "7";
    other[4].ddim = 1;
    other[5].caption = "";
    other[6].caption = NULL;
    for (size_t i = 0; i < sizeof other / sizeof *other; ++i) differs(&b, &other[i], plain);
    other[4].eta = 0; /* which is the model's own */
    other[5] = other[4];
    draw(&b, &other[4], plain);
    other[5].eta = 1;
    differs(&b, &other[5], plain);
    closed(&b);
}

/* ---- What is refused ---- */

static void test_another_clip_is_refused(void **state)
{
    (void)state;
    error err;
    static const char *const others[] = { "other", "wider" };
    static const char *const says[] = { "was trained with another CLIP than", "of embeddings of 20 numbers" };
    for (int i = 0; i < 2; ++i) {
        clip_part *clip = clip_part_open(hardware, at(&base, others[i]), &err);
        good(clip != NULL, &err);
        assert_null(diffusion_prior_part_open(hardware, at(&base, "run"), clip, &err));
        assert_says(&err, says[i]);
        clip_part_close(clip);
        assert_false(pack_model(hardware,
                                (const char *const[]){ at(&base, others[i]), at(&base, "run"), NULL },
                                at(&base, "never"), DTYPE_F32, &err));
        assert_says(&err, says[i]);
    }
}

static bool stop(void *context, int64_t done, int64_t total)
{
    int64_t *seen = context;
    assert_int_equal(total, 3 * 10); /* 24 drawings in batches of 8, of ten steps each */
    *seen = done;
    return done < 13;
}

static void test_bad_requests(void **state)
{
    (void)state;
    error err;
    float out[24 * EMBEDDING];
    int64_t seen = 0;
    both b = opened("clip", "run");
    embedding_request r = ask("a red square", 0, 12);
    r.spacing = "101";
    assert_false(diffusion_prior_part_draw(b.prior, &r, out, &err));
    assert_int_equal(err.code, ERROR_USAGE);
    assert_says(&err, "more steps than the process has, 100");
    r = ask("a red square", 0, 12);
    r.progress = stop;
    r.context = &seen;
    assert_false(diffusion_prior_part_draw(b.prior, &r, out, &err));
    assert_int_equal(err.code, ERROR_INTERRUPTED);
    assert_int_equal(seen, 13);
    r = ask("a red square", 0, 1);
    r.guidance = 1e39; /* beyond what numbers hold */
    assert_false(diffusion_prior_part_draw(b.prior, &r, out, &err));
    assert_says(&err, "of the diffusion prior gave values that are no numbers");
    r.guidance = 2;
    draw(&b, &r, out);
    closed(&b);
}

static void test_bad_settings(void **state)
{
    (void)state;
    static const struct {
        const char *set, *says;
    } cases[] = { { "size=31", "size 31 is not divisible by 2 heads" },
                  { "spacing=101", "more steps than the process has, 100" },
                  { "spacing=a", "is no number of steps" },
                  { "accumulate=3", "accumulate" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        error err;
        const char *const sets[] = { cases[i].set, NULL };
        assert_false(train("clip", "never", NULL, false, sets, &err));
        assert_int_equal(err.code, ERROR_USAGE);
        assert_says(&err, cases[i].says);
    }
}

static bool train_clip(const char *run, const char *set, error *err)
{
    const char *const sets[] = { "steps=30", "sample_every=0", "text_vocabulary=288", set, NULL };
    return train_tiny("clip", at(&base, "data.tar"), NULL, at(&base, run), sets, err);
}

static bool set_up(error *err)
{
    const char *const sets[] = { "steps=150", "save_every=150", "standardise=yes", "sample_every=0", NULL };
    drawings_tar(at(&base, "data.tar"), DRAWINGS);
    return train_clip("clip", "seed=1", err) && train_clip("other", "seed=2", err) &&
           train_clip("wider", "embedding=20", err) && train("clip", "run", NULL, false, sets, err) &&
           pack_model(hardware, (const char *const[]){ at(&base, "clip"), at(&base, "run"), NULL },
                      at(&base, "model"), DTYPE_F32, err);
}

int main(void)
{
    error err;
    hardware = device_or_skip();
    base = room_create();
    if (!set_up(&err)) {
        fprintf(stderr, "%s\n", err.message);
        room_remove(&base);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_learns),
        cmocka_unit_test(test_it_resumes),
        cmocka_unit_test(test_parts_are_the_whole),
        cmocka_unit_test(test_it_starts_from_a_model),
        cmocka_unit_test(test_neighbours_do_not_matter),
        cmocka_unit_test(test_candidates),
        cmocka_unit_test(test_what_a_drawing_depends_on),
        cmocka_unit_test(test_another_clip_is_refused),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_bad_settings),
    };
    int failed = cmocka_run_group_tests_name("models_diffusion_prior", tests, NULL, NULL);
    room_remove(&base);
    device_close(hardware);
    return failed;
}
