/* test_trainer.c -- what the training of every kind shares: step sizes, and state that survives a
 * restart, that of checkpoints written before among it.
 * SPDX-License-Identifier: MIT */
#include "models/trainer.h"

#include "tests/data/fixtures.h"

static const training_config settings = { .steps = 110 };

static trainer open_trainer(const schedule_config *pace)
{
    trainer t;
    trainer_init(&t, NULL, &settings, pace);
    if (!pace) return t;
    t.plateau = (schedule_plateau){ .threshold = 0.01, .patience = 2, .most = 5 };
    schedule_plateau_start(&t.plateau);
    return t;
}

static void rates(void **state)
{
    (void)state;
    schedule_config pace = { .learning_rate = 0.5, .warmup = 10, .schedule = training_schedule_constant };
    trainer t = open_trainer(&pace);
    assert_true(trainer_rate(&t, 0) == 0.5 * 0.1);
    assert_true(trainer_rate(&t, 9) == 0.5 && trainer_rate(&t, 109) == 0.5);
    pace.schedule = training_schedule_cosine;
    assert_true(trainer_rate(&t, 0) == 0.5 * 0.1 && trainer_rate(&t, 10) == 0.5);
    assert_true(fabs(trainer_rate(&t, 60) - 0.25) < 1e-12 && trainer_rate(&t, 110) == 0.0);
    pace.schedule = training_schedule_plateau;
    for (int i = 0; i < 3; ++i) trainer_observe(&t, 1.0);
    assert_true(trainer_rate(&t, 0) == 0.5 * 0.1 * 0.5 && trainer_rate(&t, 60) == 0.25);
}

static bool load(trainer *t, const char *text, error *err)
{
    json_t *state = json_loads(text, 0, NULL);
    assert_non_null(state);
    bool ok = trainer_load(t, state, err);
    json_decref(state);
    return ok;
}

static void restarts(void **state)
{
    (void)state;
    const schedule_config pace = { .learning_rate = 1, .schedule = training_schedule_plateau };
    trainer a = open_trainer(&pace), b = open_trainer(&pace);
    error err;
    for (int round = 0; round < 4; ++round) { /* nothing observed yet; then a figure that never falls */
        json_t *saved = trainer_save(&a);
        assert_true(trainer_load(&b, saved, &err));
        json_decref(saved);
        assert_true(b.plateau.best == a.plateau.best && b.plateau.waited == a.plateau.waited);
        assert_true(trainer_rate(&a, 50) == trainer_rate(&b, 50));
        trainer_observe(&a, 3.0);
    }
    assert_true(trainer_rate(&b, 50) == 0.5);
}

static void checkpoints_written_before(void **state)
{
    (void)state;
    const schedule_config pace = { .learning_rate = 1, .schedule = training_schedule_plateau };
    trainer t = open_trainer(&pace);
    error err;
    assert_true(load(&t, "{\"factor\":0.25,\"best\":2.5,\"waited\":1,\"halvings\":2,\"dvae\":\"x\"}", &err));
    assert_true(t.plateau.best == 2.5 && t.plateau.waited == 1 && trainer_rate(&t, 50) == 0.25);
    assert_true(load(&t, "{\"factor\":1.0,\"best\":1e300,\"waited\":0,\"halvings\":0}", &err));
    assert_true(isinf(t.plateau.best) && trainer_rate(&t, 50) == 1.0);
    assert_false(load(&t, "{\"best\":2.5}", &err));
    assert_int_equal(err.code, ERROR_FORMAT);
}

/* A kind with a course of its own has no plateau to save. */
static void own_course(void **state)
{
    (void)state;
    trainer t = open_trainer(NULL);
    error err;
    json_t *saved = trainer_save(&t);
    assert_int_equal(json_object_size(saved), 0);
    assert_true(trainer_load(&t, saved, &err));
    trainer_observe(&t, 1.0);
    json_decref(saved);
}

/* ---- Pictures as the settings say ---- */

enum { SMALL = 4 };

static void picture_of(const training_config *c, const char *folder, uint8_t *pixels)
{
    const train_request request = { 0 };
    trainer t;
    error err;
    bool good = false;
    trainer_init(&t, &request, c, NULL);
    if (!trainer_open_data(&t, folder, SMALL, false, &err) ||
        !training_data_picture(t.data, 0, pixels, &good, &err))
        fail_msg("%s", err.message);
    assert_true(good);
    trainer_close(&t);
}

static void expect(const training_config *c, const char *folder, const char *file, const image_reading *how,
                   image_filter filter)
{
    uint8_t got[SMALL * SMALL * 3], wanted[SMALL * SMALL * 3];
    char path[600];
    image whole;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    picture_of(c, folder, got);
    assert_true(image_read_as(path, how, &whole, NULL));
    assert_true(augment_by(&whole, SMALL, AUGMENT_NONE, AUGMENT_FLIP_OFF, filter, NULL, wanted, NULL));
    assert_memory_equal(got, wanted, sizeof got);
    image_free(&whole);
}

static void pictures_as_set(void **state)
{
    (void)state;
    static const image_filter filters[] = { IMAGE_AREA,    IMAGE_NEAREST, IMAGE_BOX,    IMAGE_BILINEAR,
                                            IMAGE_HAMMING, IMAGE_BICUBIC, IMAGE_LANCZOS };
    room r = room_create();
    training_config c = { .batch = 1, .threads = 1, .background = "white", .max_pixels = 100000000 };
    image_reading how = IMAGE_READING_DEFAULT;
    assert_true(file_make_folders(at(&r, "a"), NULL) && file_make_folders(at(&r, "b"), NULL));
    write_golden("png_alpha_p3.file", at(&r, "a/x.png"));
    write_golden("jpeg_progressive.file", at(&r, "b/x.jpg"));
    char a[512], b[512];
    snprintf(a, sizeof a, "%s", at(&r, "a"));
    snprintf(b, sizeof b, "%s", at(&r, "b"));
    for (unsigned f = 0; f < IMAGE_FILTERS; ++f) {
        c.resize = f; /* the words stand in the filters' order */
        expect(&c, a, "x.png", &how, filters[f]);
    }
    c.resize = training_resize_area;
    c.colour_profile = training_colour_profile_ignore;
    how.ignore_profiles = true;
    snprintf(c.background, sizeof c.background, "00ff10");
    memcpy(how.background, (uint8_t[]){ 0, 255, 16 }, 3);
    expect(&c, a, "x.png", &how, IMAGE_AREA);
    c.fast_jpeg = true;
    how.enough = 2 * SMALL;
    expect(&c, b, "x.jpg", &how, IMAGE_AREA);
    room_remove(&r);
}

static void pictures_refused(void **state)
{
    (void)state;
    room r = room_create();
    error err;
    training_config c = { .batch = 1, .threads = 1, .background = "white" };
    assert_true(file_make_folders(at(&r, "a"), NULL));
    write_golden("png_p3.file", at(&r, "a/x.png"));
    uint8_t pixels[SMALL * SMALL * 3];
    const train_request request = { 0 };
    bool good = true;
    trainer t;
    trainer_init(&t, &request, &c, NULL);
    c.max_pixels = 100; /* the picture has 23 x 17 */
    c.skip_share = 1;
    assert_true(trainer_open_data(&t, at(&r, "a"), SMALL, false, &err));
    assert_true(!training_data_picture(t.data, 0, pixels, &good, &err) || !good);
    trainer_close(&t);
    trainer_init(&t, &request, &c, NULL);
    snprintf(c.background, sizeof c.background, "pink");
    assert_false(trainer_open_data(&t, at(&r, "a"), SMALL, false, &err));
    assert_int_equal(err.code, ERROR_USAGE);
    assert_non_null(strstr(err.message, "background: 'pink' is no colour"));
    trainer_close(&t);
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates),
        cmocka_unit_test(restarts),
        cmocka_unit_test(pictures_as_set),
        cmocka_unit_test(pictures_refused),
        cmocka_unit_test(checkpoints_written_before),
        cmocka_unit_test(own_course),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
