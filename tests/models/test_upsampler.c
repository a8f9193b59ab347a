/* test_upsampler.c -- upsamplers by their settings, as parts, two in a model, and what they draw.
 * SPDX-License-Identifier: MIT */
#include "host/base/file.h"
#include "models/kinds.h"
#include "models/upsampler/enlarge.h"
#include "models/upsampler/upsampler_check.h"
#include "models/upsampler/upsampler_part.h"
#include "tests/support/device_or_skip.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static error err;
#define OK(call) \
    do { \
        if (!(call)) fail_msg("%s", err.message); \
    } while (0)

static device *opened;
static char room[] = "upsampler-XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[8][256];
    static int turn;
    turn = (turn + 1) % 8;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s", room, name);
    return paths[turn];
}

static upsampler_config config_with(const char *const *sets)
{
    upsampler_config c;
    config_defaults(&upsampler_config_table, &c);
    OK(preset_read(&upsampler_config_table, "tiny", &c, &err));
    for (; *sets; ++sets) OK(config_assign(&upsampler_config_table, &c, *sets, "--set", &err));
    return c;
}
#define CONFIG(...) config_with((const char *const[]){ __VA_ARGS__, NULL })

/* ---- Settings ---- */

static void wrong_settings_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *sets[3], *says;
    } cases[] = {
        { { "size=17" }, "size 17 is no multiple of the 8 pixels" },
        { { "size=8" }, "size 8 is no multiple of the 8 pixels" },
        { { "size=18", "from=9", "mult=1,2,2" }, "3 levels need a multiple of 4" },
        { { "crop=0.45" }, "crop 0.45 of 16 pixels is 7; it must be a multiple of 2" },
        { { "crop=0.01" }, "is 0; it must be" },
        { { "mult=1,,2" }, "mult = 1,,2 is no list" },
        { { "mult=" }, "is no list" },
        { { "blur_sigma_least=2" }, "blur_sigma_least 2 is above the largest, 0.6" },
        { { "noise_least=26" }, "noise_least 26 is above the largest, 25" },
        { { "jpeg_least=96" }, "jpeg_least 96 is above the largest, 95" },
        { { "groups=3" }, "upsampler" },
        { { "accumulate=3" }, "upsampler: batch 4 is not divisible" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        upsampler_config c = config_with(
            (const char *const[]){ cases[i].sets[0], cases[i].sets[1] ? cases[i].sets[1] : "seed=1",
                                   cases[i].sets[2] ? cases[i].sets[2] : "seed=1", NULL });
        if (upsampler_config_check(&c, &err)) fail_msg("%s is let pass", cases[i].sets[0]);
        if (!strstr(err.message, cases[i].says))
            fail_msg("'%s' does not say '%s'", err.message, cases[i].says);
    }
}

/* The settings that are shipped make a network, and squares that can be cut. */
static void presets_make_sense(void **state)
{
    (void)state;
    const char **names = preset_names("upsampler");
    int count = 0;
    for (; names[count]; ++count) {
        upsampler_config c;
        config_defaults(&upsampler_config_table, &c);
        OK(preset_read(&upsampler_config_table, names[count], &c, &err));
        OK(upsampler_config_check(&c, &err));
        assert_int_equal(upsampler_low_window(&c) * c.size, upsampler_window(&c) * c.from);
    }
    assert_int_equal(count, 8);
    free(names);
}

/* ---- Enlarging ---- */

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
    return x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a : 0;
}

static double weight(upsampler_enlarge filter, double x)
{
    return filter == upsampler_enlarge_bicubic    ? cubic(x)
           : filter == upsampler_enlarge_bilinear ? fmax(0, 1 - fabs(x))
                                                  : fabs(x) < 0.5;
}

static void enlarges_as_a_plain_sum(void **state)
{
    (void)state;
    enum { FROM = 5, SIZE = 15 };
    float in[FROM * FROM * 3], out[SIZE * SIZE * 3];
    for (int i = 0; i < FROM * FROM * 3; ++i) in[i] = (float)sin(i * 1.7);
    for (int filter = upsampler_enlarge_bicubic; filter <= upsampler_enlarge_nearest; ++filter) {
        upsampler_config c = CONFIG("seed=1");
        c.enlarge = (upsampler_enlarge)filter;
        enlarger e;
        OK(enlarge_open(&e, &c, FROM, SIZE, &err));
        enlarge_values(&e, in, out);
        enlarge_close(&e);
        for (int y = 0; y < SIZE; ++y)
            for (int x = 0; x < SIZE; ++x) {
                double sum = 0, all = 0;
                for (int j = 0; j < FROM; ++j)
                    for (int i = 0; i < FROM; ++i) {
                        double w = weight(c.enlarge, (x + 0.5) / 3 - 0.5 - i) *
                                   weight(c.enlarge, (y + 0.5) / 3 - 0.5 - j);
                        sum += w * (double)in[(j * FROM + i) * 3 + 1];
                        all += w;
                    }
                assert_true(fabs(sum / all - (double)out[(y * SIZE + x) * 3 + 1]) < 1e-5);
            }
    }
}

static void levels_go_there_and_back(void **state)
{
    (void)state;
    uint8_t levels[256], again[256];
    float values[256];
    const float outside[2] = { -7, 7 };
    for (int i = 0; i < 256; ++i) levels[i] = (uint8_t)i;
    enlarge_from_pixels(levels, 256, values);
    assert_true(values[0] == -1.0f && fabsf(values[255] - 1.0f) < 1e-6f);
    enlarge_to_pixels(values, 256, again);
    assert_memory_equal(levels, again, sizeof levels);
    enlarge_to_pixels(outside, 2, again);
    assert_int_equal(again[0], 0);
    assert_int_equal(again[1], 255);
}

/* ---- Parts ---- */

/* A packed upsampler of random parameters, the last convolution among them, under a name that pack gives. */
static void make_part(const char *folder, const char *name, const upsampler_config *c)
{
    char text[96];
    store *s = store_create(opened, &err);
    upsampler_draw *d = s ? upsampler_draw_create(s, c, false, &err) : NULL;
    if (!d) fail_msg("%s", err.message);
    store_entry *last = store_find(s, "unet.out.weight");
    float *values = malloc((size_t)last->count * sizeof *values);
    for (int64_t i = 0; i < last->count; ++i) values[i] = 0.1f * (float)sin((double)i);
    OK(store_write_f32(s, last, values, &err));
    free(values);
    OK(file_make_folders(path_of(folder), &err));
    snprintf(text, sizeof text, "%s/%s.safetensors", folder, name);
    OK(checkpoint_export(s, path_of(text), false, DTYPE_F32, NULL, 0, &err));
    snprintf(text, sizeof text, "%s/%s.cfg", folder, name);
    char *settings = config_format(&upsampler_config_table, c);
    OK(settings && file_write(path_of(text), settings, strlen(settings), &err));
    free(settings);
    upsampler_draw_destroy(d);
    store_destroy(s);
}

static upsampler_config first_config(void)
{
    return CONFIG("size=16", "from=8");
}

static upsampler_config second_config(void)
{
    return CONFIG("size=32", "from=16", "sampler=ddpm", "variance=beta", "seed=9");
}

/* Handed in the wrong order, they stand in that of their sizes; each is found by its number. */
static void two_stand_in_a_model(void **state)
{
    (void)state;
    upsampler_config first = first_config(), second = second_config();
    make_part("one", "upsampler", &first);
    make_part("two", "upsampler", &second);
    OK(pack_model(opened, (const char *const[]){ path_of("two"), path_of("one"), NULL }, path_of("both"),
                  DTYPE_F32, &err));
    for (int n = 0; n < UPSAMPLERS; ++n) {
        assert_true(upsampler_part_is_there(path_of("both"), n, &err));
        upsampler_part *p = upsampler_part_open(opened, path_of("both"), n, &err);
        if (!p) fail_msg("%s", err.message);
        assert_int_equal(p->config.size, n ? 32 : 16);
        assert_int_equal(p->number, n);
        upsampler_part_close(p);
    }
    OK(pack_model(opened, (const char *const[]){ path_of("both"), path_of("both"), NULL }, path_of("again"),
                  DTYPE_F32, &err));
    assert_true(upsampler_part_is_there(path_of("again"), 1, &err));
    OK(pack_model(opened, (const char *const[]){ path_of("one"), NULL }, path_of("both"), DTYPE_F32, &err));
    err = (error){ 0 };
    assert_true(upsampler_part_is_there(path_of("both"), 0, &err)); /* what the second left is gone */
    assert_false(upsampler_part_is_there(path_of("both"), 1, &err));
    assert_int_equal(err.code, ERROR_NONE);
    assert_null(upsampler_part_open(opened, path_of("both"), 1, &err));
    assert_non_null(strstr(err.message, "upsampler-2.cfg"));
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    upsampler_config other = CONFIG("size=64", "from=32"), alike = first_config();
    make_part("other", "upsampler", &other);
    make_part("alike", "upsampler", &alike);
    static const struct {
        const char *a, *b, *says;
    } cases[] = {
        { "one", "other", "enlarges pictures of 32 pixels a side" },
        { "one", "other", "makes them of 16" },
        { "other", "one", "train one that takes 16" },
        { "one", "alike", "enlarges pictures of 8 pixels a side" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        assert_false(pack_model(opened,
                                (const char *const[]){ path_of(cases[i].a), path_of(cases[i].b), NULL },
                                path_of("none"), DTYPE_F32, &err));
        assert_int_equal(err.code, ERROR_USAGE);
        if (!strstr(err.message, cases[i].says)) fail_msg("%s", err.message);
        assert_false(file_exists(path_of("none")));
    }
    assert_false(pack_model(opened,
                            (const char *const[]){ path_of("one"), path_of("two"), path_of("alike"), NULL },
                            path_of("none"), DTYPE_F32, &err));
}

/* The table says, in the order in which pictures go, what is made of which size and taken by whom. */
static void kinds_hand_on_sizes(void **state)
{
    (void)state;
    int makers = 0;
    for (int i = 0; model_kinds[i]; ++i) {
        const model_kind *k = model_kinds[i];
        assert_true(!k->takes || k->makes);
        if (!k->makes) continue;
        assert_int_equal(config_find(k->settings, k->makes)->type, CONFIG_TYPE_INT);
        if (k->takes) assert_int_equal(config_find(k->settings, k->takes)->type, CONFIG_TYPE_INT);
        assert_true(makers > 0 || !k->takes); /* the first makes pictures of something else */
        ++makers;
    }
    assert_int_equal(makers, 2);
}

/* --init takes the one that makes pictures of the size that is wanted, and else the first. */
static void the_alike_is_found(void **state)
{
    (void)state;
    OK(pack_model(opened, (const char *const[]){ path_of("one"), path_of("two"), NULL }, path_of("both"),
                  DTYPE_F32, &err));
    static const struct {
        const char *set, *ends;
    } cases[] = { { "size=32", "/upsampler-2.safetensors" },
                  { "size=16", "/upsampler.safetensors" },
                  { "size=64", "/upsampler.safetensors" } };
    for (int i = 0; i < 3; ++i) {
        upsampler_config c = CONFIG(cases[i].set);
        part_files f;
        OK(part_files_find_like(path_of("both"), &upsampler_kind, &c, &f, &err));
        assert_non_null(strstr(f.weights, cases[i].ends));
        part_files_free(&f);
    }
}

/* ---- Drawing ---- */

enum { COUNT = 5, FROM = 8, SIZE = 16, IN = FROM * FROM * 3, OUT = SIZE * SIZE * 3 };

static upsampler_request request(int64_t first, int64_t count)
{
    return (upsampler_request){ .count = count, .first = first, .seed = 4, .ddim = -1, .eta = -1 };
}

static void fill_low(float low[COUNT * IN])
{
    for (int i = 0; i < COUNT * IN; ++i) low[i] = (float)sin(i * 0.37);
}

static double farthest(const float *a, const float *b, int64_t count)
{
    double most = 0;
    for (int64_t i = 0; i < count; ++i) most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

/* Picture i is the same alone, among others, and again; another one by another seed, number or place in the
 * model. */
static void a_picture_is_its_own(void **state)
{
    (void)state;
    float low[COUNT * IN], all[COUNT * OUT], again[COUNT * OUT], one[OUT], other[OUT];
    fill_low(low);
    upsampler_part *p = upsampler_part_open(opened, path_of("one"), 0, &err),
                   *q = upsampler_part_open(opened, path_of("one"), 0, &err);
    if (!p || !q) fail_msg("%s", err.message);
    upsampler_request r = request(10, COUNT), alone = request(13, 1);
    OK(upsampler_part_prepare(p, COUNT, &err));
    OK(upsampler_part_draw(p, &r, low, all, &err));
    OK(upsampler_part_draw(p, &r, low, again, &err));
    assert_memory_equal(all, again, sizeof all);
    OK(upsampler_part_draw(q, &alone, low + 3 * IN, one, &err));
    assert_true(farthest(one, all + 3 * OUT, OUT) < 1e-4);
    OK(upsampler_part_draw(p, &alone, low + 3 * IN, other, &err)); /* in a batch that is not full */
    assert_true(farthest(one, other, OUT) < 1e-4);
    for (int i = 0; i < OUT; ++i) assert_true(fabsf(one[i]) <= 1.0001f);
    alone.seed = 5;
    OK(upsampler_part_draw(q, &alone, low + 3 * IN, other, &err));
    assert_true(farthest(one, other, OUT) > 0.05);
    alone = request(14, 1);
    OK(upsampler_part_draw(q, &alone, low + 3 * IN, other, &err));
    assert_true(farthest(one, other, OUT) > 0.05);
    alone = request(13, 1);
    q->number = 1;
    OK(upsampler_part_draw(q, &alone, low + 3 * IN, other, &err));
    assert_true(farthest(one, other, OUT) > 0.05);
    upsampler_part_close(p);
    upsampler_part_close(q);
}

/* What the request says goes before the model's own. */
static void requests_say_how(void **state)
{
    (void)state;
    float low[COUNT * IN], own[OUT], other[OUT];
    fill_low(low);
    upsampler_part *p = upsampler_part_open(opened, path_of("one"), 0, &err);
    if (!p) fail_msg("%s", err.message);
    upsampler_request r = request(0, 1);
    OK(upsampler_part_draw(p, &r, low, own, &err));
    r.spacing = "5";
    r.ddim = 1;
    r.eta = 0;
    OK(upsampler_part_draw(p, &r, low, other, &err));
    assert_memory_equal(own, other, sizeof own);
    r.spacing = "6";
    OK(upsampler_part_draw(p, &r, low, other, &err));
    assert_memory_not_equal(own, other, sizeof own);
    r = request(0, 1);
    r.ddim = 0;
    OK(upsampler_part_draw(p, &r, low, other, &err));
    assert_memory_not_equal(own, other, sizeof own);
    r = request(0, 1);
    r.eta = 1;
    OK(upsampler_part_draw(p, &r, low, other, &err));
    assert_memory_not_equal(own, other, sizeof own);
    r = request(0, 1);
    r.spacing = "1001";
    assert_false(upsampler_part_draw(p, &r, low, other, &err));
    assert_non_null(strstr(err.message, "upsampler 1, 8 to 16 pixels: "));
    upsampler_part_close(p);
}

typedef struct seen {
    int64_t calls, last, total, stop;
} seen;

static bool watch(void *context, int64_t done, int64_t total)
{
    seen *s = context;
    if (done < s->last) fail_msg("progress goes back from %lld to %lld", (long long)s->last, (long long)done);
    s->last = done;
    s->total = total;
    return ++s->calls != s->stop;
}

static void progress_counts_and_stops(void **state)
{
    (void)state;
    float low[COUNT * IN], out[COUNT * OUT];
    fill_low(low);
    upsampler_part *p = upsampler_part_open(opened, path_of("one"), 0, &err);
    if (!p) fail_msg("%s", err.message);
    seen s = { 0 };
    upsampler_request r = request(0, COUNT);
    r.progress = watch;
    r.context = &s;
    OK(upsampler_part_prepare(p, 2, &err)); /* so that there are three batches */
    OK(upsampler_part_draw(p, &r, low, out, &err));
    assert_true(s.calls > 0 && s.last == s.total);
    s = (seen){ .stop = 2 };
    assert_false(upsampler_part_draw(p, &r, low, out, &err));
    assert_int_equal(err.code, ERROR_INTERRUPTED);
    upsampler_part_close(p);
}

/* ---- Figures ---- */

static void figures_are_those_of_the_words(void **state)
{
    (void)state;
    enum { SIDE = 4, VALUES = SIDE * SIDE * 3 };
    uint8_t real[2 * VALUES], made[2 * VALUES];
    for (int i = 0; i < 2 * VALUES; ++i) real[i] = made[i] = (uint8_t)(i / 3 % SIDE * 40);
    assert_true(upsampler_check_psnr(made, real, 2, SIDE) > 98);
    assert_true(fabs(upsampler_check_detail(made, real, 2, SIDE)) < 1e-9);
    for (int i = 0; i < 2 * VALUES; ++i) made[i] = (uint8_t)(real[i] / 2);
    assert_true(fabs(upsampler_check_detail(made, real, 2, SIDE) - 10 * log10(0.25)) < 1e-9);
    for (int i = 0; i < 2 * VALUES; ++i) made[i] = (uint8_t)(real[i] + 51);
    assert_true(fabs(upsampler_check_psnr(made, real, 2, SIDE) - 20 * log10(5)) < 1e-9);
    assert_true(fabs(upsampler_check_detail(made, real, 2, SIDE)) < 1e-9);
}

int main(void)
{
    opened = device_or_skip();
    if (!mkdtemp(room)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_settings_are_refused), cmocka_unit_test(presets_make_sense),
        cmocka_unit_test(enlarges_as_a_plain_sum),    cmocka_unit_test(levels_go_there_and_back),
        cmocka_unit_test(two_stand_in_a_model),       cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(kinds_hand_on_sizes),        cmocka_unit_test(the_alike_is_found),
        cmocka_unit_test(a_picture_is_its_own),       cmocka_unit_test(requests_say_how),
        cmocka_unit_test(progress_counts_and_stops),  cmocka_unit_test(figures_are_those_of_the_words),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", room);
    device_close(opened);
    return system(command) || failed;
}
