/* test_unclip.c -- libdalle draws by diffusion, on a DALL-E 2 trained for seconds: pictures of captions and
 * of pictures, each its own whatever is drawn beside it; progress, stopping; and what is refused.
 * SPDX-License-Identifier: MIT */
#include "tests/api/unclip_refused.h"
#include "tests/api/unclip_rig.h"

/* ---- What is known of it ---- */

static void test_info(void **state)
{
    (void)state;
    const dalle_model_info *i = dalle_get_info(model), *b = dalle_get_info(bare);
    unsigned parts;
    assert_int_equal(i->family, DALLE_DRAWS_BY_DIFFUSION);
    assert_int_equal(i->drawn_side, UNCLIP_SIDE);
    assert_int_equal(i->decoder_side, UNCLIP_SMALL);
    assert_int_equal(i->upsamplers, 1);
    assert_int_equal(i->side, 0); /* of a dVAE, which it has not */
    assert_int_equal(b->drawn_side, UNCLIP_SMALL);
    assert_int_equal(b->upsamplers, 0);
    assert_true(i->decoder_parameters > 0 && i->upsampler_parameters > 0 &&
                i->diffusion_prior_parameters > 0);
    assert_true(i->clip_parameters > 0 && i->ar_prior_parameters == 0 && !i->fills);
    assert_true(dalle_find_parts(path_of("model"), &parts, NULL));
    assert_int_equal(parts, DALLE_CLIP | DALLE_DIFFUSION_PRIOR | DALLE_DECODER);
    assert_true(dalle_find_parts(path_of("nowhere"), &parts, NULL));
    assert_int_equal(parts, 0);
}

/* ---- Captions ---- */

static void test_generate(void **state)
{
    (void)state;
    enum { ALL = 6 };
    dalle_error err;
    float scores[ALL];
    dalle_request r = request(ALL);
    dalle_pictures *all = drawn(model, &r), *some, *best;
    assert_int_equal(all->side, UNCLIP_SIDE);
    for (int i = 0; i < ALL; ++i) assert_int_equal(all->number[i], i);
    assert_false(alike(all, 0, all, 1));
    r = request(2);
    r.first = 3;
    some = drawn(model, &r);
    assert_true(alike(some, 0, all, 3) && alike(some, 1, all, 4));
    assert_int_equal(some->number[1], 4);
    dalle_pictures_free(some);
    r = request(3);
    r.of = ALL;
    best = drawn(model, &r);
    assert_int_equal(best->drawn, ALL);
    for (int i = 0; i < 3; ++i) assert_true(alike(best, i, all, best->number[i]));
    if (!dalle_score(model, all->rgb, ALL, UNCLIP_SIDE, &r.caption, 1, NULL, NULL, scores, NULL, &err))
        fail_msg("%s", err.message);
    for (int i = 0; i < 3; ++i) {
        int higher = 0;
        for (int j = 0; j < ALL; ++j) higher += scores[j] > scores[best->number[i]];
        assert_int_equal(higher, i);
        assert_true(fabsf(best->score[i] - scores[best->number[i]]) < 1e-6f);
    }
    dalle_pictures_free(best);
    dalle_pictures_free(all);
}

/* Each setting changes what is drawn, and its default is the model's own. */
static void test_sampling(void **state)
{
    (void)state;
    dalle_request r = request(1);
    dalle_sampling s = DALLE_SAMPLING_DEFAULTS;
    dalle_pictures *own = drawn(bare, &r), *p;
    r.sampling = &s;
    p = drawn(bare, &r);
    assert_true(alike(p, 0, own, 0));
    dalle_pictures_free(p);
    for (int i = 0; i < 7; ++i) {
        s = (dalle_sampling)DALLE_SAMPLING_DEFAULTS;
        r = request(1);
        r.sampling = &s;
        if (i == 0) s.steps = "7";
        if (i == 1) s.steps = "3,2,2";
        if (i == 2) s.sampler = "ddpm";
        if (i == 3) s.eta = 1;
        if (i == 4) s.prior_steps = "4";
        if (i == 5) s.prior_guidance = 3;
        if (i == 6) r.guidance = 3;
        p = drawn(bare, &r);
        if (alike(p, 0, own, 0)) fail_msg("setting %d changes nothing", i);
        dalle_pictures_free(p);
    }
    s = (dalle_sampling){
        .size = sizeof s, .prior = "diffusion", .sampler = "ddim", .eta = 0, .prior_guidance = 1
    };
    r = request(1);
    r.sampling = &s;
    r.guidance = 1;
    p = drawn(bare, &r);
    assert_true(alike(p, 0, own, 0)); /* what the tiny preset says */
    dalle_pictures_free(p);
    dalle_pictures_free(own);
}

/* ---- Pictures of pictures ---- */

/* Small pictures of the source as the decoder has it. */
static void shrink(int which, uint8_t out[SMALL_BYTES])
{
    image whole = { DRAWING_SIDE, DRAWING_SIDE, source[which] }, small;
    assert_true(image_resize_area(&whole, UNCLIP_SMALL, UNCLIP_SMALL, false, &small, NULL));
    memcpy(out, small.pixels, SMALL_BYTES);
    image_free(&small);
}

static dalle_pictures *returned(int which)
{
    dalle_change c = change(1);
    dalle_sampling s = DALLE_SAMPLING_DEFAULTS;
    c.rgb = source[which];
    c.sampling = &s;
    s.eta = 0;
    return made(bare, dalle_vary, &c);
}

static void test_vary(void **state)
{
    (void)state;
    uint8_t small[SMALL_BYTES];
    dalle_sampling s = DALLE_SAMPLING_DEFAULTS;
    dalle_change c = change(1);
    s.eta = 0;
    s.steps = "100";
    c.sampling = &s;
    dalle_pictures *back = made(bare, dalle_vary, &c);
    shrink(0, small);
    print_message("the picture comes back within %.1f levels\n", apart(back->rgb, small, SMALL_BYTES));
    assert_true(apart(back->rgb, small, SMALL_BYTES) < 12);
    dalle_pictures_free(back);

    c = change(5);
    dalle_pictures *all = made(model, dalle_vary, &c), *one;
    assert_int_equal(all->side, UNCLIP_SIDE);
    for (int i = 1; i < 5; ++i) assert_false(alike(all, 0, all, i));
    c = change(1);
    c.first = 3;
    one = made(model, dalle_vary, &c);
    assert_true(alike(one, 0, all, 3));
    dalle_pictures_free(one);
    c.seed = 2;
    one = made(model, dalle_vary, &c);
    assert_false(alike(one, 0, all, 3));
    dalle_pictures_free(one);
    dalle_pictures_free(all);
}

static void test_mix(void **state)
{
    (void)state;
    dalle_pictures *ends[2] = { returned(0), returned(1) }, *p, *half;
    dalle_change c = change(5);
    c.other_rgb = source[1];
    c.other_side = DRAWING_SIDE;
    p = made(bare, dalle_mix, &c);
    assert_true(alike(p, 0, ends[0], 0) && alike(p, 4, ends[1], 0));
    for (int i = 1; i < 5; ++i) assert_false(alike(p, i, p, i - 1));
    c.count = 1;
    half = made(bare, dalle_mix, &c);
    assert_true(alike(half, 0, p, 2));
    dalle_pictures_free(half);
    c.fresh = 1;
    half = made(bare, dalle_mix, &c);
    assert_false(alike(half, 0, p, 2));
    dalle_pictures_free(half);
    dalle_pictures_free(p);
    for (int i = 0; i < 2; ++i) dalle_pictures_free(ends[i]);
}

static void test_edit(void **state)
{
    (void)state;
    dalle_pictures *back = returned(0), *p, *last;
    dalle_change c = change(3);
    c.from = "a red square";
    c.caption = "a blue square";
    p = made(bare, dalle_edit, &c);
    assert_true(alike(p, 0, back, 0));
    assert_false(alike(p, 1, back, 0));
    assert_false(alike(p, 2, p, 1));
    c.count = 1;
    last = made(bare, dalle_edit, &c);
    assert_true(alike(last, 0, p, 2));
    dalle_pictures_free(last);
    c.strength = 0;
    last = made(bare, dalle_edit, &c);
    assert_true(alike(last, 0, back, 0));
    dalle_pictures_free(last);
    dalle_pictures_free(p);
    dalle_pictures_free(back);
}

static void test_inpaint(void **state)
{
    (void)state;
    uint8_t mask[16 * 16] = { 0 };
    for (int y = 5; y < 16; ++y) /* not of whole pixels of the decoder's */
        for (int x = 9; x < 16; ++x) mask[y * 16 + x] = 255;
    dalle_change c = change(3);
    c.caption = "a green square";
    c.mask = mask;
    c.mask_side = 16;
    dalle_pictures *p = made(model, dalle_inpaint, &c), *one;
    double inside = 0;
    for (int i = 0; i < 3; ++i)
        for (int at = 0; at < BYTES; ++at) {
            int was = source[0][at], is = p->rgb[i * BYTES + at];
            if (mask[at / 3])
                inside += abs(was - is);
            else
                assert_int_equal(is, was);
        }
    assert_true(inside > 0);
    assert_false(alike(p, 0, p, 1));
    c.first = 2;
    c.count = 1;
    one = made(model, dalle_inpaint, &c);
    assert_true(alike(one, 0, p, 2));
    dalle_pictures_free(one);
    dalle_pictures_free(p);
}

/* ---- Progress ---- */

typedef struct meter {
    double share;
    int calls, stop_at;
    char names[400]; /* each once, in order */
} meter;

static bool on_stage(void *context, const dalle_stage *s)
{
    meter *m = context;
    assert_true(s->share >= m->share && s->share <= 1 && s->done > 0 && s->done <= s->total);
    assert_true(s->ready >= 0 && s->ready <= s->pictures);
    m->share = s->share;
    if (!strstr(m->names, s->name)) {
        strcat(m->names, s->name);
        strcat(m->names, ";");
    }
    return ++m->calls != m->stop_at;
}

static void stops_anywhere(way *by, const dalle_change *given, int calls)
{
    dalle_change c = *given;
    for (int i = 0; i < 5; ++i) {
        meter m = { .stop_at = 1 + i * (calls - 1) / 4 };
        dalle_error err = { 0 };
        c.context = &m;
        assert_null(by(model, &c, &err));
        assert_int_equal(err.kind, DALLE_STOPPED);
        assert_int_equal(m.calls, m.stop_at);
    }
}

static void test_progress(void **state)
{
    (void)state;
    meter m = { 0 };
    dalle_request r = request(2);
    r.stages = on_stage;
    r.context = &m;
    dalle_pictures *p = drawn(model, &r);
    print_message("%s %d calls\n", m.names, m.calls);
    assert_string_equal(m.names, "diffusion prior;decoder;upsampler;");
    assert_true(m.share > 0.999);
    dalle_pictures_free(p);

    dalle_change c = change(2);
    c.other_rgb = source[1];
    c.other_side = DRAWING_SIDE;
    c.stages = on_stage;
    m = (meter){ 0 };
    c.context = &m;
    p = made(model, dalle_mix, &c);
    assert_string_equal(m.names, "inversion;decoder;upsampler;");
    assert_true(m.share > 0.999);
    stops_anywhere(dalle_mix, &c, m.calls);
    dalle_pictures *again = made(model, dalle_mix, (c.stages = NULL, &c));
    assert_true(alike(again, 0, p, 0) && alike(again, 1, p, 1));
    dalle_pictures_free(again);
    dalle_pictures_free(p);
}

typedef struct counter {
    int done, calls;
} counter;

static bool on_progress(void *context, int done, int total)
{
    counter *c = context;
    assert_int_equal(total, 1000);
    assert_true(done >= c->done && done <= total);
    c->done = done;
    return ++c->calls < 12;
}

/* A program that knows of no stages can still stop. */
static void test_older_progress(void **state)
{
    (void)state;
    dalle_error err = { 0 };
    counter c = { 0 };
    dalle_request r = request(2);
    r.progress = on_progress;
    r.context = &c;
    assert_null(dalle_generate(model, &r, &err));
    assert_int_equal(err.kind, DALLE_STOPPED);
    assert_int_equal(c.calls, 12);
}

int main(void)
{
    device_close(device_or_skip());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_generate),
        cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_vary),
        cmocka_unit_test(test_mix),
        cmocka_unit_test(test_edit),
        cmocka_unit_test(test_inpaint),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_older_progress),
        cmocka_unit_test(test_wrong_requests),
        cmocka_unit_test(test_wrong_changes),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_other_clip),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
