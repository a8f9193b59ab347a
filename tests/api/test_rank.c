/* test_rank.c -- libdalle's best of many, on a model with a CLIP, all trained a little: what is given back is
 * what the CLIP finds nearest, each picture is the one of its number, whatever is drawn or kept beside it;
 * and pictures that start with rows of another.
 * SPDX-License-Identifier: MIT */
#define set_up    set_up_model
#define tear_down tear_down_model
#include "tests/api/trained.h"
#undef set_up
#undef tear_down

#include <limits.h>
#include <stddef.h>

enum { MOST = 70 }; /* more than are scored at once */

static dalle_model *judged;

static int set_up(void **state)
{
    error err;
    dalle_error failure;
    static const char *const sets[] = { "steps=30", "text_vocabulary=288", "sample_every=0", NULL };
    if (set_up_model(state) != 0) return -1;
    device *d = device_open(NULL, &err);
    bool ok =
        d && train_tiny("clip", path_of("data.tar"), NULL, path_of("clip"), sets, &err) &&
        pack_model(d, (const char *const[]){ path_of("model"), path_of("model"), path_of("clip"), NULL },
                   path_of("judged"), DTYPE_F16, &err);
    device_close(d);
    if (!ok) fail_msg("%s", err.message);
    judged = dalle_open(path_of("judged"), NULL, &failure);
    if (!judged) fprintf(stderr, "%s\n", failure.message);
    return judged ? 0 : -1;
}

static int tear_down(void **state)
{
    dalle_close(judged);
    return tear_down_model(state);
}

static dalle_request best(int count, int of)
{
    dalle_request r = request_for("a red square", count);
    r.of = of;
    return r;
}

/* Picture `at` of `p` is the one of its number among `all`, which are in their order. */
static void assert_is_numbered(const dalle_pictures *p, int at, const dalle_pictures *all)
{
    int place = p->number[at] - all->number[0];
    assert_in_range(place, 0, all->count - 1);
    assert_memory_equal(p->tokens + at * TOKENS, all->tokens + place * TOKENS, TOKENS * sizeof *p->tokens);
    assert_memory_equal(p->rgb + at * DRAWING_BYTES, all->rgb + place * DRAWING_BYTES, DRAWING_BYTES);
    assert_memory_equal(p->entropy + at, all->entropy + place, sizeof *p->entropy);
}

static void assert_in_order(const dalle_pictures *p)
{
    for (int i = 1; i < p->count; ++i) {
        assert_true(p->score[i] <= p->score[i - 1]);
        assert_true(p->score[i] < p->score[i - 1] || p->number[i] > p->number[i - 1]);
    }
}

static void test_best(void **state)
{
    (void)state;
    dalle_error err;
    float scores[MOST];
    dalle_request plain = best(MOST, 0), r = best(MOST, MOST);
    dalle_pictures *all = drawn_by(judged, &plain), *ranked = drawn_by(judged, &r);
    assert_null(all->score);
    assert_int_equal(all->drawn, MOST);
    assert_int_equal(ranked->drawn, MOST);
    for (int i = 0; i < MOST; ++i) assert_int_equal(all->number[i], i);
    assert_in_order(ranked);
    bool moved = false;
    for (int i = 0; i < MOST; ++i) {
        assert_is_numbered(ranked, i, all);
        moved = moved || ranked->number[i] != i;
    }
    assert_true(moved && ranked->score[0] > ranked->score[MOST - 1]);
    /* The scores are those of anyone who compares these pictures with the caption. */
    if (!dalle_score(judged, ranked->rgb, MOST, SIDE, &r.caption, 1, NULL, NULL, scores, NULL, &err))
        fail_msg("%s", err.message);
    for (int i = 0; i < MOST; ++i) assert_true(fabsf(scores[i] - ranked->score[i]) < 1e-6f);

    r.count = 5;
    dalle_pictures *few = drawn_by(judged, &r);
    assert_int_equal(few->drawn, MOST);
    assert_memory_equal(few->number, ranked->number, 5 * sizeof *few->number);
    assert_memory_equal(few->score, ranked->score, 5 * sizeof *few->score);
    for (int i = 0; i < 5; ++i) assert_is_numbered(few, i, all);
    assert_true(fabs(few->mean_entropy - all->mean_entropy) < 1e-9); /* of all that were drawn */
    dalle_pictures_free(few);
    dalle_pictures_free(ranked);
    dalle_pictures_free(all);
}

/* A picture's score is its own, whatever is drawn before it or beside it. */
static void test_score_is_of_the_picture(void **state)
{
    (void)state;
    enum { ALL = 20, FIRST = 7, REST = ALL - FIRST };
    dalle_request r = best(ALL, ALL);
    dalle_pictures *all = drawn_by(judged, &r), *rest;
    r.first = FIRST;
    r.count = 3;
    r.of = REST;
    rest = drawn_by(judged, &r);
    assert_in_order(rest);
    for (int i = 0, at = 0; i < 3; ++i, ++at) {
        while (all->number[at] < FIRST) ++at; /* the next best of those */
        assert_int_equal(rest->number[i], all->number[at]);
        assert_memory_equal(&rest->score[i], &all->score[at], sizeof *all->score);
    }
    dalle_pictures_free(rest);
    r.of = 1;
    r.count = 1;
    rest = drawn_by(judged, &r);
    assert_int_equal(rest->number[0], FIRST);
    assert_non_null(rest->score);
    dalle_pictures_free(rest);
    dalle_pictures_free(all);
}

/* So little is left to chance that some drawings are alike: their order is that of their numbers. */
static void test_ties(void **state)
{
    (void)state;
    dalle_request r = best(24, 24);
    r.temperature = 0.05;
    r.top_k = 2;
    dalle_pictures *p = drawn_by(judged, &r);
    assert_in_order(p);
    int alike = 0;
    for (int i = 1; i < p->count; ++i) alike += p->score[i] == p->score[i - 1];
    print_message("%d of 24 as the one before\n", alike);
    assert_true(alike > 0);
    dalle_pictures_free(p);
}

static void test_nothing_left_to_chance(void **state)
{
    (void)state;
    for (int way = 0; way < 3; ++way) {
        dalle_request r = best(2, 16);
        if (way == 0) r.temperature = 0;
        if (way == 1) r.top_k = 1;
        if (way == 2) r.top_p = 0;
        dalle_pictures *p = drawn_by(judged, &r);
        assert_null(p->score);
        assert_int_equal(p->drawn, 2);
        assert_int_equal(p->number[1], 1);
        assert_memory_equal(p->tokens, p->tokens + TOKENS, TOKENS * sizeof *p->tokens);
        dalle_pictures_free(p);
    }
}

/* ---- Progress ---- */

typedef struct meter {
    int drawn, drawn_total, judged, judged_total, stop_at;
} meter;

static bool on_drawing(void *context, int done, int total)
{
    meter *m = context;
    assert_true(done > m->drawn && done <= total && m->judged == 0);
    m->drawn = done;
    m->drawn_total = total;
    return true;
}

static bool on_judging(void *context, int done, int total)
{
    meter *m = context;
    assert_true(done > m->judged && done <= total && m->drawn == m->drawn_total);
    m->judged = done;
    m->judged_total = total;
    return !m->stop_at || done < m->stop_at;
}

static void test_progress(void **state)
{
    (void)state;
    dalle_error err = { 0 };
    meter m = { 0 };
    dalle_request r = best(2, MOST);
    r.progress = on_drawing;
    r.judging = on_judging;
    r.context = &m;
    dalle_pictures *p = drawn_by(judged, &r);
    assert_int_equal(m.drawn, MOST * TOKENS);
    assert_int_equal(m.judged, MOST);
    assert_int_equal(m.judged_total, MOST);
    m = (meter){ .stop_at = 1 };
    assert_null(dalle_generate(judged, &r, &err));
    print_message("%s\n", err.message);
    assert_int_equal(err.kind, DALLE_STOPPED);
    assert_true(m.judged > 0 && m.judged < MOST);
    m = (meter){ 0 };
    dalle_pictures *again = drawn_by(judged, &r);
    assert_memory_equal(again->number, p->number, 2 * sizeof *p->number);
    dalle_pictures_free(again);
    dalle_pictures_free(p);
}

/* ---- Starting with a picture ---- */

static void test_start(void **state)
{
    (void)state;
    enum { ROWS = 3, GIVEN = ROWS * SIDE_TOKENS };
    dalle_error err;
    uint8_t rgb[DRAWING_BYTES], again[4 * DRAWING_BYTES];
    int32_t tokens[TOKENS];
    drawing_pixels(6, rgb);
    assert_true(dalle_encode(judged, rgb, 1, tokens, &err));
    dalle_request r = best(4, 0);
    dalle_pictures *plain = drawn_by(judged, &r);
    r.start_rgb = rgb;
    dalle_pictures *none = drawn_by(judged, &r); /* no row of it */
    assert_memory_equal(none->tokens, plain->tokens, 4 * TOKENS * sizeof *tokens);
    dalle_pictures_free(none);
    r.start_rows = ROWS;
    meter m = { 0 };
    r.progress = on_drawing;
    r.context = &m;
    dalle_pictures *p = drawn_by(judged, &r);
    assert_int_equal(m.drawn, 4 * (TOKENS - GIVEN));
    for (int i = 0; i < 4; ++i) assert_memory_equal(p->tokens + i * TOKENS, tokens, GIVEN * sizeof *tokens);
    assert_memory_not_equal(p->tokens + GIVEN, p->tokens + TOKENS + GIVEN, (TOKENS - GIVEN) * sizeof *tokens);
    assert_true(dalle_decode(judged, p->tokens, 4, again, &err));
    assert_memory_equal(p->rgb, again, sizeof again);
    assert_true(p->mean_entropy > 0.1 && p->mean_entropy < log(32));

    /* Ranked, they are the same pictures. */
    m = (meter){ 0 };
    r.of = 4;
    dalle_pictures *ranked = drawn_by(judged, &r);
    for (int i = 0; i < 4; ++i) assert_is_numbered(ranked, i, p);
    dalle_pictures_free(ranked);
    dalle_pictures_free(plain);
    dalle_pictures_free(p);
}

/* ---- Mistakes ---- */

static void wrong(dalle_model *m, const dalle_request *r, const char *says)
{
    dalle_error err = { 0 };
    assert_null(dalle_generate(m, r, &err));
    print_message("%s\n", err.message);
    assert_int_equal(err.kind, DALLE_USAGE);
    if (!strstr(err.message, says)) fail_msg("'%s' does not say '%s'", err.message, says);
}

static void test_wrong_requests(void **state)
{
    (void)state;
    uint8_t rgb[DRAWING_BYTES] = { 0 };
    dalle_request r = best(8, 4);
    wrong(judged, &r, "the best 8 of 4");
    r = best(1, -1);
    wrong(judged, &r, "of -1 pictures");
    r = best(1, 4097);
    wrong(judged, &r, "at most 4096");
    r = best(1, 16);
    wrong(model, &r, "has no CLIP");
    wrong(model, &r, "dalle-cl pack");
    r.first = INT_MAX;
    wrong(judged, &r, "the first picture's number");
    r = best(1, 0);
    r.start_rows = 2;
    wrong(model, &r, "the picture to start with is NULL");
    r.start_rgb = rgb;
    r.start_rows = SIDE_TOKENS;
    wrong(model, &r, "nothing is left to draw");
    r.start_rows = SIDE_TOKENS + 1;
    wrong(model, &r, "a picture has 8");
    r.start_rows = -1;
    wrong(model, &r, "-1 rows");
}

/* A program built when requests ended before `of` asks for nothing that stands there. */
static void test_older_request(void **state)
{
    (void)state;
    dalle_request r = best(2, 99);
    r.size = offsetof(dalle_request, of);
    dalle_pictures *p = drawn_by(judged, &r);
    assert_null(p->score);
    assert_int_equal(p->drawn, 2);
    dalle_pictures_free(p);
}

int main(void)
{
    device_close(device_or_skip());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_best),           cmocka_unit_test(test_score_is_of_the_picture),
        cmocka_unit_test(test_ties),           cmocka_unit_test(test_nothing_left_to_chance),
        cmocka_unit_test(test_progress),       cmocka_unit_test(test_start),
        cmocka_unit_test(test_wrong_requests), cmocka_unit_test(test_older_request),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
