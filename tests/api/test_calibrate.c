/* test_calibrate.c -- how unsure a packed model is of captions that it knows: measured on those, kept with
 * the model, and what is told of captions by it.
 * SPDX-License-Identifier: MIT */
#include "app/api/dalle.h"
#include "models/prior/calibrate.h"
#include "models/prior/prior.h"
#include "tests/models/drawings.h"
#include "tests/support/device_or_skip.h"

static room base;
static device *hardware;

static const char *path_of(const char *name)
{
    return at(&base, name);
}

static dalle_model *open_model(double *known)
{
    dalle_error err;
    dalle_model *m = dalle_open(path_of("model"), NULL, &err);
    if (!m) fail_msg("%s", err.message);
    *known = dalle_get_info(m)->entropy_known;
    return m;
}

static dalle_pictures *drawn(dalle_model *m, const char *caption, int count)
{
    dalle_error err;
    dalle_request r = DALLE_REQUEST_DEFAULTS;
    dalle_pictures *p;
    r.caption = caption;
    r.count = count;
    if (!(p = dalle_generate(m, &r, &err))) fail_msg("%s", err.message);
    return p;
}

static void set_config(const char *line)
{
    error err;
    char *old = file_read(path_of("model/prior.cfg"), NULL, &err), text[8192];
    prior_config c;
    config_defaults(&prior_config_table, &c);
    bool ok = old && config_parse(&prior_config_table, &c, old, "prior.cfg", &err) &&
              config_assign(&prior_config_table, &c, line, "test", &err);
    char *all = ok ? config_format(&prior_config_table, &c) : NULL;
    if (!all) fail_msg("%s", err.message);
    snprintf(text, sizeof text, "%s", all);
    write_text(path_of("model/prior.cfg"), text);
    free(all);
    free(old);
}

static calibration calibrated(int64_t captions)
{
    error err;
    calibration c;
    if (!calibrate_model(hardware, path_of("model"), path_of("data.tar"), captions, &c, &err))
        fail_msg("%s", err.message);
    print_message("%lld drawn, %lld right, at most %g nats\n", (long long)c.drawn, (long long)c.right,
                  c.limit);
    return c;
}

/* Of few known captions the limit is the largest of their entropies: of those drawn right, or of all if
 * hardly any is.  Which that is, the limit itself must bear out. */
static void test_limit(void **state)
{
    (void)state;
    double known, largest = 0;
    dalle_model *m = open_model(&known);
    assert_true(known == 0);
    bool among = false;
    dalle_pictures *p[DRAWINGS];
    for (int i = 0; i < DRAWINGS; ++i) {
        p[i] = drawn(m, drawing_captions[i], 1);
        assert_false(p[i]->unsure);
        largest = fmax(largest, p[i]->mean_entropy);
    }
    calibration c = calibrated(200);
    assert_int_equal(c.drawn, DRAWINGS);
    for (int i = 0; i < DRAWINGS; ++i) {
        double above = c.limit - p[i]->mean_entropy;
        among = among || (above >= 0 && above < 1.01e-4);
        dalle_pictures_free(p[i]);
    }
    assert_true(among || c.limit == 0.01);
    if (2 * c.right < c.drawn) assert_true(c.limit >= largest);
    dalle_close(m);
    m = open_model(&known);
    assert_true(known == c.limit);
    dalle_close(m);
    assert_true(calibrated(200).limit == c.limit);
    assert_int_equal(calibrated(3).drawn, 3);
}

/* A caption is unsure exactly if its pictures' mean is above what the model has. */
static void test_unsure(void **state)
{
    (void)state;
    double known;
    char line[64];
    dalle_model *m = open_model(&known);
    dalle_pictures *p = drawn(m, "a red square", 3);
    double mean = p->mean_entropy;
    assert_true(mean > 1e-3);
    assert_true(fabs(((double)p->entropy[0] + (double)p->entropy[1] + (double)p->entropy[2]) / 3 - mean) <
                1e-5);
    dalle_pictures_free(p);
    dalle_close(m);
    for (int above = 0; above < 2; ++above) {
        snprintf(line, sizeof line, "entropy_known=%.9g", mean * (above ? 1.001 : 0.999));
        set_config(line);
        m = open_model(&known);
        p = drawn(m, "a red square", 3);
        assert_int_equal(p->unsure, !above);
        dalle_pictures_free(p);
        dalle_close(m);
    }
}

/* Captions kept aside are drawn first, and those of the training part if too few of them come out right. */
static void test_kept_aside(void **state)
{
    (void)state;
    set_config("holdout=0.4");
    calibration c = calibrated(2);
    assert_int_equal(c.drawn, 4);
    c = calibrated(200);
    assert_int_equal(c.drawn, DRAWINGS);
    set_config("holdout=0");
}

static void test_recorded_data(void **state)
{
    (void)state;
    error err;
    char *data = calibrate_recorded_data(path_of("prior"), &err);
    if (!data) fail_msg("%s", err.message);
    assert_non_null(strstr(data, "data.tar"));
    free(data);
    data = calibrate_recorded_data(path_of("prior/checkpoint.safetensors"), &err);
    assert_non_null(data);
    free(data);
    assert_null(calibrate_recorded_data(path_of("model"), &err));
    assert_says(&err, "no run");
    assert_int_equal(rename(path_of("data.tar"), path_of("moved.tar")), 0);
    assert_null(calibrate_recorded_data(path_of("prior"), &err));
    assert_says(&err, "no longer there");
    calibration c;
    assert_false(calibrate_model(hardware, path_of("model"), path_of("data.tar"), 5, &c, &err));
    assert_says(&err, "data.tar");
    assert_int_equal(rename(path_of("moved.tar"), path_of("data.tar")), 0);
    assert_false(calibrate_model(hardware, path_of("dvae"), path_of("data.tar"), 5, &c, &err));
    assert_says(&err, "prior");
}

/* `line` in judged/prior.cfg; whether the best of three is then called unsure, and the limit that is told. */
static bool unsure_with(const char *line, double *limit, double *sure)
{
    char command[700];
    dalle_error failure;
    snprintf(command, sizeof command, "cd '%s' && sed 's/^%.*s.*/%s/' judged.cfg >judged/prior.cfg",
             base.path, (int)strcspn(line, "="), line, line);
    assert_int_equal(system(command), 0);
    dalle_model *m = dalle_open(path_of("judged"), NULL, &failure);
    if (!m) fail_msg("%s", failure.message);
    *limit = dalle_get_info(m)->sureness_known;
    dalle_request r = DALLE_REQUEST_DEFAULTS;
    r.caption = "a red square";
    r.of = 3;
    dalle_pictures *p = dalle_generate(m, &r, &failure);
    if (!p) fail_msg("%s", failure.message);
    bool unsure = p->unsure;
    *sure = p->sureness;
    assert_true(p->mean_score <= (double)p->score[0] && p->mean_score > -1);
    dalle_pictures_free(p);
    r.of = 0; /* nobody looks at what is drawn */
    if (!(p = dalle_generate(m, &r, &failure))) fail_msg("%s", failure.message);
    assert_true(!p->unsure && p->sureness == 0);
    dalle_pictures_free(p);
    dalle_close(m);
    return unsure;
}

/* Beside a CLIP drawings are compared with their captions, too: by that CLIP alone. */
static void test_sureness(void **state)
{
    (void)state;
    static const char *const sets[] = { "steps=30", "text_vocabulary=288", "sample_every=0", NULL };
    error err;
    calibration c;
    char line[100], command[600];
    double limit, sure;
    bool ok = train_tiny("clip", path_of("data.tar"), NULL, path_of("clip"), sets, &err) &&
              pack_model(hardware,
                         (const char *const[]){ path_of("model"), path_of("model"), path_of("clip"), NULL },
                         path_of("judged"), DTYPE_F16, &err) &&
              calibrate_model(hardware, path_of("judged"), path_of("data.tar"), 200, &c, &err);
    if (!ok) fail_msg("%s", err.message);
    assert_true(c.drawn == DRAWINGS && c.sure != 0 && c.sure <= 1);
    snprintf(command, sizeof command,
             "cd '%s' && sed 's/^entropy_known.*/entropy_known=0/' judged/prior.cfg >judged.cfg", base.path);
    assert_int_equal(system(command), 0);
    unsure_with("seed=1", &limit, &sure);
    assert_true(limit == c.sure && sure != 0);
    for (int below = 0; below < 2; ++below) {
        snprintf(line, sizeof line, "sureness_known=%.9g", below ? sure - 0.01 : fmin(sure + 0.01, 1));
        double again;
        bool unsure = unsure_with(line, &limit, &again);
        assert_int_equal(unsure, again < limit);
        assert_int_equal(unsure, !below);
    }
    unsure_with("sureness_by=another", &limit, &sure);
    assert_true(limit == 0);
}

static int set_up(void **state)
{
    (void)state;
    base = room_create();
    make_model(&base, "steps=30", "steps=30", DTYPE_F16);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    room_remove(&base);
    return 0;
}

int main(void)
{
    hardware = device_or_skip();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),      cmocka_unit_test(test_unsure),
        cmocka_unit_test(test_kept_aside), cmocka_unit_test(test_recorded_data),
        cmocka_unit_test(test_sureness),
    };
    int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    device_close(hardware);
    return failed;
}
