/* test_decoder.c -- the decoder as a whole: from an embedding it draws the picture that had it, whatever is
 * drawn beside it; a run, what is packed of it and what is resumed are the same; inversion comes back;
 * inpainting starts from a model without it and keeps what is known; captions by the CLIP's text tower; what
 * is refused.
 * SPDX-License-Identifier: MIT */
#include "models/decoder/decoder_part.h"
#include "models/decoder/decoder_values.h"
#include "models/unclip/clip_source.h"
#include "tests/models/drawings.h"
#include "tests/support/device_or_skip.h"
#include "tests/train/run_compare.h"

#include <math.h>

enum { EMBEDDING = 24 };

static device *hardware;
static room base;
static clip_part *clip;
static float embeddings[DRAWINGS * EMBEDDING], pictures[DRAWINGS * DRAWING_BYTES];

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

static bool train(const char *kind, const char *run, const char *init, bool resume, const char *const *sets,
                  error *err)
{
    train_request r = { .preset = resume ? NULL : "tiny",
                        .sets = sets,
                        .data = path_of("data.tar"),
                        .parts = { { &clip_kind, path_of("clip") } },
                        .run = path_of(run),
                        .init = init ? path_of(init) : NULL,
                        .seed = -1,
                        .resume = resume };
    r.quiet = true;
    while (sets && sets[r.set_count]) ++r.set_count;
    return kinds_find(kind)->train(&r, err);
}

static decoder_part *opened(const char *folder)
{
    error err;
    decoder_part *p = decoder_part_open(hardware, path_of(folder), clip, &err);
    good(p != NULL, &err);
    return p;
}

static decoder_request request_of(int64_t first, int64_t count)
{
    return (decoder_request){ .count = count,
                              .first = first,
                              .seed = 3,
                              .embeddings = embeddings + first * EMBEDDING,
                              .guidance = -1,
                              .ddim = -1,
                              .eta = -1 };
}

/* The drawing that a picture is nearest to. */
static int nearest(const float *drawn)
{
    int best = 0;
    double least = INFINITY;
    for (int i = 0; i < DRAWINGS; ++i) {
        double sum = 0;
        for (int k = 0; k < DRAWING_BYTES; ++k) {
            double d = (double)drawn[k] - (double)pictures[i * DRAWING_BYTES + k];
            sum += d * d;
        }
        if (sum < least) least = sum, best = i;
    }
    return best;
}

static double difference(const float *a, const float *b, int count)
{
    double most = 0;
    for (int i = 0; i < count; ++i) most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

static void draws_what_had_the_embedding(void **state)
{
    (void)state;
    static float drawn[2][DRAWINGS * DRAWING_BYTES];
    error err;
    decoder_part *run = opened("run");
    decoder_request r = request_of(0, DRAWINGS);
    good(decoder_part_draw(run, &r, drawn[0], &err), &err);
    for (int i = 0; i < DRAWINGS; ++i) {
        assert_int_equal(nearest(drawn[0] + i * DRAWING_BYTES), i);
        for (int k = 0; k < DRAWING_BYTES; ++k) assert_true(fabsf(drawn[0][i * DRAWING_BYTES + k]) <= 1);
    }
    const char *const parts[] = { path_of("clip"), path_of("run"), NULL };
    good(pack_model(hardware, parts, path_of("model"), DTYPE_F32, &err), &err);
    decoder_part *model = opened("model");
    good(decoder_part_draw(model, &r, drawn[1], &err), &err);
    assert_memory_equal(drawn[0], drawn[1], sizeof drawn[0]);
    /* Alone, and again. */
    r = request_of(5, 1);
    good(decoder_part_draw(model, &r, drawn[1], &err), &err);
    assert_memory_equal(drawn[0] + 5 * DRAWING_BYTES, drawn[1], sizeof *drawn[1] * DRAWING_BYTES);
    decoder_part_close(model);
    decoder_part_close(run);
}

/* A caption, guidance, steps, and noise on the way change a picture; what is not asked for does not. */
static void what_is_asked_for(void **state)
{
    (void)state;
    static float plain[DRAWING_BYTES], other[DRAWING_BYTES];
    error err;
    decoder_part *p = opened("run");
    const decoder_request one = request_of(1, 1);
    good(decoder_part_prepare(p, 1, &err) && decoder_part_draw(p, &one, plain, &err), &err);
    decoder_request asked[] = { one, one, one, one, one };
    asked[0].caption = drawing_captions[6];
    asked[1].guidance = 3;
    asked[2].spacing = "7";
    asked[3].ddim = 0;
    asked[4].seed = 4;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; ++i) {
        good(decoder_part_draw(p, &asked[i], other, &err), &err);
        if (difference(plain, other, DRAWING_BYTES) < 1e-6) fail_msg("request %zu changes nothing", i);
    }
    decoder_request same = one;
    same.caption = "";
    same.guidance = p->config.guidance;
    same.spacing = p->config.spacing;
    good(decoder_part_draw(p, &same, other, &err), &err);
    assert_memory_equal(plain, other, sizeof plain);
    decoder_part_close(p);
}

static void comes_back(void **state)
{
    (void)state;
    static float start[2 * DRAWING_BYTES], again[2 * DRAWING_BYTES], free_start[2 * DRAWING_BYTES];
    error err;
    decoder_part *p = opened("run");
    decoder_request r = request_of(0, 2);
    r.spacing = "100";
    good(decoder_part_invert(p, &r, pictures, start, &err), &err);
    r.start = start;
    r.guidance = 1;
    r.ddim = 1;
    r.eta = 0;
    good(decoder_part_draw(p, &r, again, &err), &err);
    double error_of = 0;
    for (int i = 0; i < 2 * DRAWING_BYTES; ++i) {
        double d = (double)again[i] - (double)pictures[i];
        error_of += d * d / (2 * DRAWING_BYTES);
    }
    if (error_of > 0.02) fail_msg("a picture comes back with a mean squared error of %g", error_of);
    r.start = NULL;
    good(decoder_part_draw(p, &r, free_start, &err), &err);
    assert_true(difference(again, free_start, 2 * DRAWING_BYTES) > 1e-3);
    decoder_part_close(p);
}

static bool stop(void *context, int64_t done, int64_t total)
{
    int64_t *seen = context;
    assert_int_equal(total, 2 * 10);
    *seen = done;
    return done < 13;
}

static void stopped_and_broken(void **state)
{
    (void)state;
    static float drawn[2 * DRAWING_BYTES];
    error err;
    int64_t seen = 0;
    float bad = NAN;
    decoder_part *p = opened("run");
    decoder_request r = request_of(0, 2);
    r.progress = stop;
    r.context = &seen;
    assert_false(decoder_part_draw(p, &r, drawn, &err));
    assert_int_equal(err.code, ERROR_INTERRUPTED);
    assert_int_equal(seen, 13);
    r = request_of(0, 1);
    r.spacing = "101";
    assert_false(decoder_part_draw(p, &r, drawn, &err));
    assert_int_equal(err.code, ERROR_USAGE);
    r = request_of(0, 1);
    good(store_write_part_f32(p->store, store_find(p->store, "unet.out.bias"), 0, 1, &bad, &err), &err);
    assert_false(decoder_part_draw(p, &r, drawn, &err));
    assert_int_equal(err.code, ERROR_MODEL);
    assert_non_null(strstr(err.message, "step 1 of 10 of the decoder"));
    decoder_part_close(p);
}

/* Twelve steps at once, and in two goes. */
static void resumed(void **state)
{
    (void)state;
    error err;
    const char *const whole[] = { "steps=12",      "save_every=6", "sample_every=6",
                                  "eval_every=4",  "dropout=0.1",  "text_dropout=0.1",
                                  "recompute=yes", "accumulate=2", NULL };
    good(train("decoder", "whole", NULL, false, whole, &err), &err);
    good(train("decoder", "cut", NULL, false, whole, &err), &err);
    size_t size;
    /* As if it had been killed behind the checkpoint of step 6. */
    char *kept = file_read(path_of("cut/checkpoint-000006.safetensors"), &size, &err);
    good(kept && file_write(path_of("cut/checkpoint.safetensors"), kept, size, &err), &err);
    free(kept);
    good(train("decoder", "cut", NULL, true, NULL, &err), &err);
    assert_same_run(path_of("whole"), path_of("cut"));
}

/* The input's further channels start at zero: nothing is different before the first step, and then they
 * learn; what is known stays as it is. */
static void fills_in(void **state)
{
    (void)state;
    static float drawn[2][DRAWING_BYTES];
    float holes[DRAWING_SIDE * DRAWING_SIDE];
    error err;
    const char *const still[] = { "inpaint=yes",    "steps=1", "warmup=0", "learning_rate=0",
                                  "sample_every=0", "ema=0",   NULL };
    const char *const some[] = {
        "inpaint=yes", "steps=4", "warmup=0", "sample_every=4", "eval_every=4", NULL
    };
    good(train("decoder", "same", "run", false, still, &err), &err);
    good(train("decoder", "fill", "run", false, some, &err), &err);
    decoder_part *run = opened("run"), *same = opened("same"), *fill = opened("fill");
    decoder_request r = request_of(2, 1);
    good(decoder_part_draw(run, &r, drawn[0], &err) && decoder_part_draw(same, &r, drawn[1], &err), &err);
    assert_true(difference(drawn[0], drawn[1], DRAWING_BYTES) < 1e-4);
    for (int i = 0; i < DRAWING_SIDE * DRAWING_SIDE; ++i) holes[i] = i % DRAWING_SIDE < 5;
    r.known = pictures + 3 * DRAWING_BYTES;
    r.mask = holes;
    for (int k = 0; k < 2; ++k) { /* one that was never taught keeps it, too */
        good(decoder_part_draw(k ? run : fill, &r, drawn[k], &err), &err);
        for (int i = 0; i < DRAWING_BYTES; ++i)
            if (holes[i / 3] == 0) assert_true(fabsf(drawn[k][i] - r.known[i]) < 1e-5f);
    }
    assert_true(difference(drawn[0], drawn[1], DRAWING_BYTES) > 1e-6);
    float weights[16 * 9 * 7];
    store_entry *e = store_find(fill->store, "unet.in.weight");
    assert_int_equal(e->count, 16 * 9 * 7);
    good(store_read_f32(fill->store, e, weights, &err), &err);
    bool learned = false;
    for (int i = 0; i < 16 * 9; ++i) learned |= weights[i * 7 + 6] != 0;
    assert_true(learned);
    decoder_part_close(run);
    decoder_part_close(same);
    decoder_part_close(fill);
}

static void masks_are_drawn(void **state)
{
    (void)state;
    decoder_config c;
    config_defaults(&decoder_config_table, &c);
    c.size = 16;
    int all = 0;
    float first[256], holes[256];
    for (int i = 0; i < 200; ++i) {
        int open = 0;
        decoder_mask_draw(&c, 1, 5, i, holes);
        for (int k = 0; k < 256; ++k) {
            assert_true(holes[k] == 0 || holes[k] == 1);
            open += holes[k] == 1;
        }
        assert_true(open >= 4);
        all += open == 256;
    }
    assert_true(all > 25 && all < 80); /* a quarter */
    decoder_mask_draw(&c, 1, 5, 3, first);
    decoder_mask_draw(&c, 1, 5, 3, holes);
    assert_memory_equal(first, holes, sizeof first);
}

static void captions_by_the_clip(void **state)
{
    (void)state;
    static float drawn[2][DRAWING_BYTES];
    error err;
    const char *const sets[] = { "clip_text=yes",   "clip_text_width=20", "text_tokens=0",       "steps=12",
                                 "sample_every=12", "eval_every=12",      "caption_dropout=0.2", NULL };
    good(train("decoder", "tower", NULL, false, sets, &err), &err);
    decoder_part *p = opened("tower");
    assert_null(store_find(p->store, "text.embedding"));
    assert_int_equal(p->config.text_tokens, clip->config.text_tokens);
    for (int i = 0; i < 2; ++i) {
        decoder_request r = request_of(0, 1);
        r.guidance = 2;
        r.caption = i ? "a red square" : NULL;
        good(decoder_part_draw(p, &r, drawn[i], &err), &err);
    }
    assert_true(difference(drawn[0], drawn[1], DRAWING_BYTES) > 1e-6);
    decoder_part_close(p);
}

static void another_clip(void **state)
{
    (void)state;
    error err;
    const char *const sets[] = { "steps=1", "sample_every=0", "text_vocabulary=288", "seed=9", NULL };
    good(train("clip", "clip2", NULL, false, sets, &err), &err);
    clip_part *other = clip_part_open(hardware, path_of("clip2"), &err);
    good(other != NULL, &err);
    assert_null(decoder_part_open(hardware, path_of("run"), other, &err));
    assert_int_equal(err.code, ERROR_MODEL);
    assert_non_null(strstr(err.message, "was trained with another CLIP"));
    decoder_part *any = decoder_part_read(hardware, path_of("run"), other, &err);
    good(any != NULL, &err);
    decoder_part_close(any);
    clip_part_close(other);
    const char *const parts[] = { path_of("clip2"), path_of("run"), NULL };
    assert_false(pack_model(hardware, parts, path_of("mixed"), DTYPE_F32, &err));
}

/* A CLIP whose texts alone were trained on suits a decoder that asks it for pictures' embeddings, but not one
 * that reads its texts' states. */
static void a_clip_of_other_texts(void **state)
{
    (void)state;
    static float drawn[3][DRAWING_BYTES];
    error err;
    const char *const sets[] = { "steps=2", "sample_every=0", "warmup=0", "locked_image=yes" };
    train_request r = { .preset = "tiny",
                        .sets = sets,
                        .set_count = 4,
                        .data = path_of("data.tar"),
                        .run = path_of("texts"),
                        .init = path_of("clip"),
                        .tokenizer = path_of("clip/tokenizer.model"),
                        .seed = -1,
                        .quiet = true };
    good(clip_kind.train(&r, &err), &err);
    const char *const first[] = { path_of("clip"), path_of("run"), NULL }, *const second[] = {
        path_of("texts"), path_of("with-clip/decoder.safetensors"), NULL
    };
    good(pack_model(hardware, first, path_of("with-clip"), DTYPE_F32, &err) &&
             pack_model(hardware, second, path_of("with-texts"), DTYPE_F32, &err),
         &err);
    const char *const clips[] = { "clip", "texts", "with-texts" }, *const folders[] = { "run", "run",
                                                                                        "with-texts" };
    for (int i = 0; i < 3; ++i) {
        const decoder_request one = request_of(1, 1);
        clip_part *c = clip_part_open(hardware, path_of(clips[i]), &err);
        good(c != NULL, &err);
        decoder_part *p = decoder_part_open(hardware, path_of(folders[i]), c, &err);
        good(p && decoder_part_draw(p, &one, drawn[i], &err), &err);
        assert_memory_equal(drawn[i], drawn[0], sizeof drawn[0]);
        decoder_part_close(p);
        clip_part_close(c);
    }
    clip_part *c = clip_part_open(hardware, path_of("texts"), &err);
    assert_null(decoder_part_open(hardware, path_of("tower"), c, &err));
    assert_int_equal(err.code, ERROR_MODEL);
    assert_non_null(strstr(err.message, "was trained with another CLIP"));
    clip_part_close(c);
}

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *set, *says;
    } cases[] = {
        { "mult=1,,2", "decoder: mult is no list" },
        { "attention=8;4", "decoder: attention is no list" },
        { "attention=5", "attention at 5 pixels a side, which no level has" },
        { "channels=18", "18 channels are not even, or not divisible by 4 groups" },
        { "size=15", "size 15 is not divisible by 2" },
        { "head=3", "not divisible by head 3" },
        { "text_heads=5", "text_width 32 is not divisible by 5 text_heads" },
        { "spacing=101", "decoder: spacing: '101' are more steps than the process has" },
        { "grid_spacing=x", "decoder: grid_spacing: 'x' is no number of steps" },
        { "accumulate=3", "batch 8 is not divisible by accumulate 3" },
    };
    error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const char *const sets[] = { cases[i].set, NULL };
        assert_false(train("decoder", "refused", NULL, false, sets, &err));
        assert_int_equal(err.code, ERROR_USAGE);
        if (!strstr(err.message, cases[i].says)) fail_msg("%s: %s", cases[i].set, err.message);
    }
    assert_null(decoder_part_open(hardware, path_of("clip"), clip, &err));
    assert_non_null(strstr(err.message, "decoder"));
}

/* Convolutions alone, no positions of the embedding, zeros for nothing, no learned variance. */
static void other_settings(void **state)
{
    (void)state;
    error err;
    const char *const sets[] = { "attention=", "variance=beta",         "nothing=zero",
                                 "steps=2",    "sample_every=2",        "eval_every=2",
                                 "ema=0",      "noise_schedule=linear", NULL };
    good(train("decoder", "other", NULL, false, sets, &err), &err);
    decoder_part *p = opened("other");
    assert_null(store_find(p->store, "condition.nothing"));
    assert_null(store_find(p->store, "condition.tokens.weight"));
    decoder_part_close(p);
    const char *const alone[] = { "embedding_tokens=0", "predicts=noise", "steps=2", "sample_every=0", NULL };
    good(train("decoder", "alone", NULL, false, alone, &err), &err);
}

static bool prepare(error *err)
{
    const char *const of_clip[] = { "steps=60", "sample_every=0", "text_vocabulary=288", NULL };
    const char *const of_run[] = { "steps=200",
                                   "predicts=start",
                                   "variance=posterior",
                                   "sample_every=200",
                                   "embedding_dropout=0.05",
                                   "eval_every=200",
                                   NULL };
    uint8_t pixels[DRAWINGS * DRAWING_BYTES];
    drawings_tar(path_of("data.tar"), DRAWINGS);
    for (int i = 0; i < DRAWINGS; ++i) drawing_pixels(i, pixels + i * DRAWING_BYTES);
    for (int i = 0; i < DRAWINGS * DRAWING_BYTES; ++i) pictures[i] = (float)pixels[i] / 127.5f - 1;
    return train("clip", "clip", NULL, false, of_clip, err) &&
           (clip = clip_part_open(hardware, path_of("clip"), err)) &&
           clip_part_pictures(clip, pixels, DRAWINGS, DRAWING_SIDE, embeddings, NULL, NULL, err) &&
           train("decoder", "run", NULL, false, of_run, err);
}

int main(void)
{
    error err;
    hardware = device_or_skip();
    base = room_create();
    if (!prepare(&err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_what_had_the_embedding),
        cmocka_unit_test(what_is_asked_for),
        cmocka_unit_test(comes_back),
        cmocka_unit_test(stopped_and_broken),
        cmocka_unit_test(resumed),
        cmocka_unit_test(fills_in),
        cmocka_unit_test(masks_are_drawn),
        cmocka_unit_test(captions_by_the_clip),
        cmocka_unit_test(another_clip),
        cmocka_unit_test(a_clip_of_other_texts),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(other_settings),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clip_part_close(clip);
    room_remove(&base);
    device_close(hardware);
    return failed;
}
