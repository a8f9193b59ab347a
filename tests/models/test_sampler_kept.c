/* test_sampler_kept.c -- a sampler keeps what draws each number of pictures, and gives it back.
 * SPDX-License-Identifier: MIT */
#include "tests/models/small_prior.h"
#include "tests/support/device_or_skip.h"

enum { PICTURES = 3, KEPT = 6 };

static device *hardware;

typedef struct rig {
    store *store;
    prior_sampler *sampler;
    int32_t expected[2][PICTURES * TOKENS]; /* without guidance, with: of samplers of their own */
} rig;

static void draw(prior_sampler *p, int64_t batch, bool guided, int32_t *tokens)
{
    error err;
    int32_t text[TEXT];
    small_text(3, text);
    prior_draw how = {
        .text = text, .seed = 77, .first = 2, .count = PICTURES, .temperature = 1, .top_k = 12
    };
    how.top_p = 0.95;
    how.guidance = guided ? 2.5 : 1;
    if (!prior_sampler_prepare(p, batch, &err) || !prior_sampler_draw(p, &how, tokens, &err))
        fail_msg("%s", err.message);
}

static void assert_draws(const rig *r, int64_t batch, bool guided)
{
    int32_t tokens[PICTURES * TOKENS];
    draw(r->sampler, batch, guided, tokens);
    assert_memory_equal(tokens, r->expected[guided], sizeof tokens);
}

static prior_sampler *open_sampler(store *s)
{
    error err;
    prior_config c = small_config((const char *const[]){ "layers=2", NULL });
    prior_sampler *p = prior_sampler_create(s, &c, &small_shape, 1, false, &err);
    if (!p) fail_msg("%s", err.message);
    return p;
}

static rig rig_open(void)
{
    error err;
    rig r = { .store = store_create(hardware, &err) };
    for (int guided = 0; guided < 2; ++guided) {
        prior_sampler *own = open_sampler(r.store);
        draw(own, 1, guided, r.expected[guided]);
        prior_sampler_destroy(own);
    }
    assert_memory_not_equal(r.expected[0], r.expected[1], sizeof r.expected[0]);
    r.sampler = open_sampler(r.store);
    assert_int_equal(prior_sampler_built(r.sampler), 1);
    return r;
}

static void rig_close(rig *r)
{
    prior_sampler_destroy(r->sampler);
    store_destroy(r->store);
}

static void test_going_back_builds_nothing(void **state)
{
    (void)state;
    rig r = rig_open();
    assert_draws(&r, 1, false);
    assert_draws(&r, 16, false);
    assert_int_equal(prior_sampler_built(r.sampler), 2);
    int64_t bytes = device_allocated_bytes(hardware);
    assert_draws(&r, 1, false);
    assert_draws(&r, 16, false);
    assert_int_equal(prior_sampler_built(r.sampler), 2);
    assert_int_equal(device_allocated_bytes(hardware), bytes);
    for (int again = 0; again < 2; ++again) {
        assert_draws(&r, 1, true);
        assert_draws(&r, 16, true);
        assert_draws(&r, 1, false);
        assert_int_equal(prior_sampler_built(r.sampler), 4);
    }
    rig_close(&r);
}

/* The one not used for longest goes, and comes back. */
static void test_bounded(void **state)
{
    (void)state;
    error err;
    rig r = rig_open();
    for (int64_t batch = 1; batch <= KEPT; ++batch)
        assert_true(prior_sampler_prepare(r.sampler, batch, &err));
    assert_true(prior_sampler_prepare(r.sampler, 1, &err));
    assert_int_equal(prior_sampler_built(r.sampler), KEPT);
    assert_draws(&r, KEPT + 1, false);
    assert_draws(&r, 1, false);
    assert_draws(&r, 3, false);
    assert_int_equal(prior_sampler_built(r.sampler), KEPT + 1);
    assert_draws(&r, 2, false);
    assert_int_equal(prior_sampler_built(r.sampler), KEPT + 2);
    rig_close(&r);
}

static void test_dropping_gives_memory_back(void **state)
{
    (void)state;
    rig r = rig_open();
    prior_sampler_drop(r.sampler);
    int64_t parameters = device_allocated_bytes(hardware);
    assert_draws(&r, 4, true);
    assert_draws(&r, 16, false);
    assert_true(device_allocated_bytes(hardware) > parameters);
    for (int i = 0; i < 2; ++i) prior_sampler_drop(r.sampler); /* the second time there is nothing */
    assert_int_equal(device_allocated_bytes(hardware), parameters);
    assert_draws(&r, 16, false);
    assert_draws(&r, 4, true);
    prior_sampler_destroy(r.sampler);
    assert_int_equal(device_allocated_bytes(hardware), parameters);
    r.sampler = NULL;
    rig_close(&r);
}

static void draw_of(prior_sampler *p, const int32_t *text, int64_t texts, bool guided, int64_t first,
                    int64_t count, int32_t *tokens)
{
    error err;
    const prior_draw how = { .text = text,
                             .texts = texts,
                             .seed = 5,
                             .first = first,
                             .count = count,
                             .temperature = 1,
                             .top_p = 1,
                             .guidance = guided ? 2 : 1 };
    if (!prior_sampler_draw(p, &how, tokens, &err)) fail_msg("%s", err.message);
}

/* Picture i is what its own caption, number i mod 4, gives alone, however many are drawn at once. */
static void test_captions_in_turn(void **state)
{
    (void)state;
    enum { TEXTS = 4, FIRST = 3, DRAWN = 7 };
    error err;
    rig r = rig_open();
    int32_t text[TEXTS * TEXT], alone[DRAWN * TOKENS], tokens[DRAWN * TOKENS];
    for (int i = 0; i < TEXTS; ++i) small_text(3 + i, text + i * TEXT);
    for (int guided = 0; guided < 2; ++guided) {
        assert_true(prior_sampler_prepare(r.sampler, 1, &err));
        for (int i = 0; i < DRAWN; ++i)
            draw_of(r.sampler, text + (FIRST + i) % TEXTS * TEXT, 0, guided, FIRST + i, 1,
                    alone + i * TOKENS);
        for (int64_t batch = 1; batch <= 16; batch *= 2) {
            assert_true(prior_sampler_prepare(r.sampler, batch, &err));
            draw_of(r.sampler, text, TEXTS, guided, FIRST, DRAWN, tokens);
            assert_memory_equal(tokens, alone, sizeof alone);
        }
    }
    assert_memory_not_equal(alone, alone + TEXTS * TOKENS, TOKENS * sizeof *alone);
    rig_close(&r);
}

/* Readers of ever other numbers of given tokens: those not used for longest go, with what draws from them. */
static void test_readers_are_bounded(void **state)
{
    (void)state;
    enum { READERS = 4 };
    error err;
    rig r = rig_open();
    int64_t bytes = 0;
    for (int64_t given = 1; given < 3 * READERS; ++given) {
        assert_true(prior_sampler_prepare_for(r.sampler, 2, 1, 1, given, &err));
        assert_true(prior_sampler_prepare_for(r.sampler, 1, 1, 1, given, &err));
        if (given == 2 * READERS) bytes = device_allocated_bytes(hardware);
    }
    /* Of each given token more, what was read grows; nothing else is kept. */
    assert_true(device_allocated_bytes(hardware) < bytes + bytes / 4);
    int built = prior_sampler_built(r.sampler);
    assert_true(prior_sampler_prepare_for(r.sampler, 2, 1, 1, 3 * READERS - 1, &err));
    assert_int_equal(prior_sampler_built(r.sampler), built);
    assert_draws(&r, 1, false);
    assert_draws(&r, 2, true);
    assert_draws(&r, 1, false);
    /* Drawing with guidance is not what was prepared. */
    assert_int_equal(prior_sampler_built(r.sampler), built + 3);
    rig_close(&r);
}

/* What a number of pictures takes when nothing else is kept. */
static int64_t bytes_for(prior_sampler *p, int64_t batch)
{
    error err;
    prior_sampler_drop(p);
    int64_t before = device_allocated_bytes(hardware);
    assert_true(prior_sampler_prepare(p, batch, &err));
    int64_t bytes = device_allocated_bytes(hardware) - before;
    prior_sampler_drop(p);
    return bytes;
}

/* On a device made small: one number of pictures has room, two have not. */
static void test_memory_decides(void **state)
{
    (void)state;
    error err = { 0 };
    device_info *info = (device_info *)(uintptr_t)device_get_info(hardware);
    int64_t whole = info->memory_bytes;
    rig r = rig_open();
    int64_t one = bytes_for(r.sampler, 1), many = bytes_for(r.sampler, 16);
    int64_t parameters = device_allocated_bytes(hardware);
    assert_draws(&r, 1, false);
    info->memory_bytes = parameters + many + one / 8;
    int built = prior_sampler_built(r.sampler);
    assert_draws(&r, 16, false);
    assert_int_equal(device_allocated_bytes(hardware), parameters + many);
    assert_draws(&r, 1, false);
    assert_int_equal(device_allocated_bytes(hardware), parameters + one);
    assert_int_equal(prior_sampler_built(r.sampler), built + 2);

    info->memory_bytes = parameters + one + one / 8;
    assert_false(prior_sampler_prepare(r.sampler, 16, &err));
    assert_int_equal(err.code, ERROR_ROOM);
    assert_non_null(strstr(err.message, info->name));
    int32_t tokens[PICTURES * TOKENS], text[TEXT]; /* as many as before are drawn at once */
    small_text(3, text);
    prior_draw how = {
        .text = text, .seed = 77, .first = 2, .count = PICTURES, .temperature = 1, .top_k = 12
    };
    how.top_p = 0.95;
    how.guidance = 1;
    if (!prior_sampler_draw(r.sampler, &how, tokens, &err)) fail_msg("%s", err.message);
    assert_memory_equal(tokens, r.expected[0], sizeof tokens);
    info->memory_bytes = whole;
    assert_draws(&r, 16, true);
    rig_close(&r);
}

int main(void)
{
    hardware = device_or_skip();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_going_back_builds_nothing),  cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_captions_in_turn),           cmocka_unit_test(test_readers_are_bounded),
        cmocka_unit_test(test_dropping_gives_memory_back), cmocka_unit_test(test_memory_decides),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(hardware);
    return failed;
}
