/* test_near.c -- captions that a model knows and its CLIP finds near are drawn beside the one asked for:
 * which, by which numbers, that nothing else changes, and what is refused.
 * SPDX-License-Identifier: MIT */
#include "models/kinds.h"
#include "host/base/dot.h"
#include "models/prior/calibrate.h"
#include "models/prior/known.h"
#include "tests/api/trained.h"

enum { DRAWN = 16, NEAR = 4, MOST = 128 /* dimensions */ };

static dalle_model *judged;

static const char *const asked = "a square that is red";

static dalle_pictures *draw(int count, int of, int near)
{
    dalle_request r = request_for(asked, count);
    r.of = of;
    r.near = near;
    return drawn_by(judged, &r);
}

/* How near the known captions are to the one asked for: their pictures, and a fifth of their words. */
static void nearness(double near[DRAWINGS], double worded[DRAWINGS])
{
    dalle_error err;
    uint8_t pixels[DRAWINGS * DRAWING_BYTES];
    float seen[DRAWINGS], texts[DRAWINGS * MOST], caption[MOST];
    int size = dalle_get_info(judged)->clip_dimensions;
    assert_true(size <= MOST);
    for (int i = 0; i < DRAWINGS; ++i) drawing_pixels(i, pixels + i * DRAWING_BYTES);
    assert_true(dalle_score(judged, pixels, DRAWINGS, DRAWING_SIDE, &asked, 1, NULL, NULL, seen, NULL, &err));
    assert_true(dalle_embed_texts(judged, drawing_captions, DRAWINGS, NULL, NULL, texts, &err));
    assert_true(dalle_embed_texts(judged, &asked, 1, NULL, NULL, caption, &err));
    for (int i = 0; i < DRAWINGS; ++i) {
        worded[i] = dot(texts + i * size, caption, size);
        near[i] = (double)seen[i] + 0.2 * worded[i];
    }
}

/* Those that the CLIP finds nearest, by their pictures and their words; none is the caption itself. */
static void what_is_near(void **state)
{
    (void)state;
    double near[DRAWINGS], worded[DRAWINGS], last = 2;
    dalle_pictures *p = draw(DRAWN, DRAWN, NEAR);
    assert_int_equal(dalle_get_info(judged)->known_captions, DRAWINGS);
    assert_int_equal(p->near_count, NEAR);
    nearness(near, worded);
    for (int k = 0; k < NEAR; ++k) {
        int which = 0;
        while (strcmp(drawing_captions[which], p->near[k]) != 0) ++which;
        assert_true(which < DRAWINGS && near[which] < last + 0.02);
        last = near[which];
    }
    int nearer = 0;
    for (int i = 0; i < DRAWINGS; ++i) nearer += near[i] > last + 0.02;
    assert_true(nearer < NEAR);
    dalle_pictures_free(p);
    dalle_request own = request_for(drawing_captions[2], 1);
    own.of = DRAWN;
    own.near = NEAR;
    p = drawn_by(judged, &own);
    for (int k = 0; k < p->near_count; ++k) assert_string_not_equal(p->near[k], drawing_captions[2]);
    dalle_pictures_free(p);
}

/* Picture `number` of `caption` and nothing beside it. */
static void same_as_alone(const char *caption, int number, const int32_t *tokens)
{
    dalle_request r = request_for(caption, 1);
    r.first = number;
    dalle_pictures *p = drawn_by(judged, &r);
    assert_memory_equal(p->tokens, tokens, TOKENS * sizeof *tokens);
    assert_null(p->phrase);
    dalle_pictures_free(p);
}

/* As many pictures of the near captions in turn as of the caption, each as if it were drawn alone. */
static void which_pictures(void **state)
{
    (void)state;
    for (int near = 1; near <= NEAR; ++near) {
        dalle_pictures *p = draw(DRAWN, DRAWN, near);
        assert_int_equal(p->drawn, 2 * DRAWN);
        assert_int_equal(p->near_count, near);
        for (int i = 0; i < DRAWN; ++i) {
            int phrase = p->phrase[i];
            if (phrase) assert_int_equal(phrase, 1 + p->number[i] % NEAR % near);
            same_as_alone(phrase ? p->near[phrase - 1] : asked, p->number[i], p->tokens + i * TOKENS);
        }
        dalle_pictures_free(p);
    }
    dalle_pictures *few = draw(2, 3, 2); /* fewer at once than there are captions */
    for (int i = 0; i < 2; ++i)
        same_as_alone(few->phrase[i] ? few->near[few->phrase[i] - 1] : asked, few->number[i],
                      few->tokens + i * TOKENS);
    dalle_pictures_free(few);
}

/* The best drawing's similarities to the known pictures, each weighted by how probably that is meant. */
static void how_sure(void **state)
{
    (void)state;
    dalle_error err;
    uint8_t pixels[DRAWINGS * DRAWING_BYTES];
    float known[DRAWINGS * MOST], best[MOST], caption[MOST];
    double scale = dalle_get_info(judged)->clip_scale;
    int size = dalle_get_info(judged)->clip_dimensions;
    assert_true(size <= MOST);
    for (int i = 0; i < DRAWINGS; ++i) drawing_pixels(i, pixels + i * DRAWING_BYTES);
    assert_true(dalle_embed_pictures(judged, pixels, DRAWINGS, DRAWING_SIDE, NULL, NULL, known, &err));
    assert_true(dalle_embed_texts(judged, &asked, 1, NULL, NULL, caption, &err));
    for (int near = 0; near <= NEAR; near += NEAR) {
        dalle_pictures *p = draw(2, DRAWN, near);
        double sum = 0, sure = 0;
        assert_true(dalle_embed_pictures(judged, p->rgb, 1, SIDE, NULL, NULL, best, &err));
        for (int i = 0; i < DRAWINGS; ++i) {
            double share = exp(KNOWN_MEANT_SHARE * scale * dot(caption, known + i * size, size));
            sum += share;
            sure += share * dot(best, known + i * size, size);
        }
        print_message("%.4f sure\n", p->sureness);
        sure = (dot(best, caption, size) + 2 * sure / sum) / 3;
        assert_true(fabs(p->sureness - sure) < 0.01);
        dalle_pictures_free(p);
    }
}

static int by_score(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* All are ranked by the caption that was asked for; what is said of the model's sureness is of that one's. */
static void the_best_of_them(void **state)
{
    (void)state;
    dalle_error err;
    float similar[2 * DRAWN];
    double sum = 0;
    dalle_pictures *best = draw(DRAWN, DRAWN, NEAR), *few = draw(3, DRAWN, NEAR), *own = draw(DRAWN, 0, 0);
    assert_true(dalle_score(judged, own->rgb, DRAWN, SIDE, &asked, 1, NULL, NULL, similar, NULL, &err));
    for (int i = 0; i < DRAWN; ++i) sum += (double)similar[i];
    for (int k = 0; k < NEAR; ++k) {
        dalle_request r = request_for(best->near[k], DRAWN);
        dalle_pictures *p = drawn_by(judged, &r);
        float scores[DRAWN];
        assert_true(dalle_score(judged, p->rgb, DRAWN, SIDE, &asked, 1, NULL, NULL, scores, NULL, &err));
        for (int i = k; i < DRAWN; i += NEAR) similar[DRAWN + i] = scores[i];
        dalle_pictures_free(p);
    }
    qsort(similar, 2 * DRAWN, sizeof *similar, by_score);
    for (int i = 0; i < DRAWN; ++i) assert_true(fabsf(best->score[i] - similar[i]) < 1e-5f);
    for (int i = 0; i < 3; ++i) assert_int_equal(few->number[i], best->number[i]);
    assert_true(fabs(best->mean_score - sum / DRAWN) < 1e-5 && few->mean_score == best->mean_score);
    assert_true(fabs(best->mean_entropy - own->mean_entropy) < 1e-6);
    dalle_pictures_free(best);
    dalle_pictures_free(few);
    dalle_pictures_free(own);
}

/* Whether the best of the nearest caption is by 0.06 liker than the best of the caption's own, and its words
 * are near, too. */
static bool clearly_liker(void)
{
    double near[DRAWINGS], worded[DRAWINGS];
    int nearest = 0;
    dalle_pictures *own = draw(1, DRAWN, 0), *all = draw(DRAWN, DRAWN, 1);
    float best = -1;
    nearness(near, worded);
    for (int i = 0; i < DRAWINGS; ++i)
        if (near[i] > near[nearest]) nearest = i;
    for (int i = 0; i < DRAWN; ++i)
        if (all->phrase[i]) best = fmaxf(best, all->score[i]);
    bool liker = worded[nearest] >= 0.6 && (double)best >= (double)own->score[0] + 0.06;
    print_message("%.3f of its own, %.3f of a near one\n", (double)own->score[0], (double)best);
    dalle_pictures_free(own);
    dalle_pictures_free(all);
    return liker;
}

static int near_of(const char *caption)
{
    dalle_request r = request_for(caption, 1);
    r.of = DRAWN;
    dalle_pictures *p = drawn_by(judged, &r);
    int found = p->near_count;
    assert_int_equal(p->drawn, found ? 2 * DRAWN : DRAWN);
    dalle_pictures_free(p);
    return found;
}

static void when_they_are(void **state)
{
    (void)state;
    assert_int_equal(near_of(asked), clearly_liker());
    assert_int_equal(near_of("A Red Square"), 0); /* it is known */
    dalle_pictures *p = draw(2, 0, -1);           /* nothing is ranked */
    assert_true(p->near_count == 0 && !p->near && !p->phrase);
    dalle_pictures_free(p);
    dalle_request r = request_for(asked, 1); /* nothing is left to chance */
    r.of = DRAWN;
    r.near = NEAR;
    r.temperature = 0;
    p = drawn_by(judged, &r);
    assert_int_equal(p->near_count, 0);
    dalle_pictures_free(p);
    r = request_for(asked, 1); /* a program that does not know of them */
    r.of = DRAWN;
    r.near = NEAR;
    r.size = offsetof(dalle_request, near);
    p = drawn_by(judged, &r);
    assert_int_equal(p->near_count, 0);
    dalle_pictures_free(p);
}

/* Where the CLIP is less sure of them than of known captions none is shown that nobody asked for. */
static void not_understood(void **state)
{
    (void)state;
    const double wanted[] = { -1, 1 };
    bool liker = clearly_liker();
    for (int i = 0; i < 2; ++i) {
        char command[700];
        dalle_error err;
        snprintf(
            command, sizeof command,
            "cd '%s' && rm -rf wary && cp -r judged wary && sed 's/^sureness_known.*/sureness_known=%g/' "
            "judged/prior.cfg >wary/prior.cfg",
            base.path, wanted[i]);
        assert_int_equal(system(command), 0);
        dalle_model *m = dalle_open(path_of("wary"), NULL, &err);
        if (!m) fail_msg("%s", err.message);
        dalle_request r = request_for(asked, 1);
        r.of = DRAWN;
        dalle_pictures *p = drawn_by(m, &r);
        assert_int_equal(p->near_count, liker && i == 0);
        assert_true(p->unsure == (i == 1));
        dalle_pictures_free(p);
        r.near = NEAR;
        p = drawn_by(m, &r);
        assert_int_equal(p->near_count, NEAR);
        dalle_pictures_free(p);
        dalle_close(m);
    }
}

static void refused(dalle_model *m, int of, int near, const char *says)
{
    dalle_error err;
    dalle_request r = request_for(asked, 1);
    r.near = near;
    r.of = of;
    assert_null(dalle_generate(m, &r, &err));
    assert_int_equal(err.kind, DALLE_USAGE);
    if (!strstr(err.message, says)) fail_msg("%s", err.message);
}

static void pack_again(void)
{
    error why;
    dalle_error err;
    const char *from = path_of("judged");
    device *d = device_open(NULL, &why);
    if (!d ||
        !pack_model(d, (const char *const[]){ from, from, from, NULL }, path_of("again"), DTYPE_F16, &why))
        fail_msg("%s", why.message);
    device_close(d);
    dalle_model *m = dalle_open(path_of("again"), NULL, &err);
    if (!m) fail_msg("%s", err.message);
    assert_int_equal(dalle_get_info(m)->known_captions, DRAWINGS);
    dalle_close(m);
}

static void what_is_refused(void **state)
{
    (void)state;
    char command[600];
    dalle_error err;
    refused(judged, 4, 5, "0 to 4");
    refused(judged, 0, 2, "the best of many");
    /* They go along where the model is packed again; another CLIP than the one that saw them has none. */
    pack_again();
    snprintf(command, sizeof command,
             "cd '%s' && rm -rf bad && cp -r judged bad && cp clip2/*.safetensors bad/", base.path);
    assert_int_equal(system(command), 0);
    dalle_model *m = dalle_open(path_of("bad"), NULL, &err);
    if (!m) fail_msg("%s", err.message);
    assert_int_equal(dalle_get_info(m)->known_captions, 0);
    refused(m, 4, 1, "no known captions");
    dalle_close(m);
    snprintf(command, sizeof command,
             "cd '%s' && rm -rf bad && cp -r judged bad && truncate -s -1 bad/" KNOWN_FILE, base.path);
    assert_int_equal(system(command), 0);
    assert_null(dalle_open(path_of("bad"), NULL, &err));
    if (!strstr(err.message, KNOWN_FILE)) fail_msg("%s", err.message);
}

static int judge(void **state)
{
    static const char *const sets[] = { "steps=30", "text_vocabulary=288", "sample_every=0", NULL },
                             *const more[] = { "steps=2", "text_vocabulary=288", "sample_every=0", "seed=2",
                                               NULL };
    error err;
    dalle_error failure;
    calibration c;
    if (set_up(state)) return -1;
    device *d = device_open(NULL, &err);
    bool ok =
        d && train_tiny("clip", path_of("data.tar"), NULL, path_of("clip"), sets, &err) &&
        train_tiny("clip", path_of("data.tar"), NULL, path_of("other"), more, &err) &&
        pack_model(d, (const char *const[]){ path_of("model"), path_of("model"), path_of("clip"), NULL },
                   path_of("judged"), DTYPE_F16, &err) &&
        pack_model(d, (const char *const[]){ path_of("other"), NULL }, path_of("clip2"), DTYPE_F16, &err) &&
        calibrate_model(d, path_of("judged"), path_of("data.tar"), 8, &c, &err);
    device_close(d);
    if (!ok) fprintf(stderr, "%s\n", err.message);
    judged = ok ? dalle_open(path_of("judged"), NULL, &failure) : NULL;
    return judged ? 0 : -1;
}

static int close_all(void **state)
{
    dalle_close(judged);
    return tear_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_near),     cmocka_unit_test(how_sure),      cmocka_unit_test(which_pictures),
        cmocka_unit_test(the_best_of_them), cmocka_unit_test(when_they_are), cmocka_unit_test(not_understood),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, judge, close_all);
}
