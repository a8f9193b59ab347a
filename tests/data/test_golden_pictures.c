/* test_golden_pictures.c -- every filter, and files of every format with and without colour profiles, against
 * what Pillow made of them (tools/make_pictures.py).
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/safetensors.h"
#include "host/base/log.h"

#include <pthread.h>

static safetensors *golden;

static int open_golden(void **state)
{
    (void)state;
    golden = golden_open("pictures");
    return 0;
}

static int close_golden(void **state)
{
    (void)state;
    safetensors_close(golden);
    return 0;
}

static const safetensors_tensor *find(const char *of, const char *what)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", of, what);
    return safetensors_find(golden, name);
}

/* Still the file's. */
static image stored(const char *of, const char *what)
{
    const safetensors_tensor *t = find(of, what);
    if (!t) fail_msg("no %s.%s", of, what);
    return (image){ (int)t->dim[1], (int)t->dim[0], (uint8_t *)(uintptr_t)t->data };
}

/* The largest distance of a level; `unlike` counts levels that differ. */
static int apart(const image *a, const image *b, int *unlike)
{
    int most = 0;
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    for (int i = *unlike = 0; i < a->width * a->height * 3; ++i) {
        int here = abs(a->pixels[i] - b->pixels[i]);
        most = here > most ? here : most;
        *unlike += here > 0;
    }
    return most;
}

static void filters_as_in_pillow(void **state)
{
    (void)state;
    static const char *const names[IMAGE_FILTERS] = { NULL,      "nearest", "box",    "bilinear",
                                                      "hamming", "bicubic", "lanczos" };
    int number = 0, values = 0, all = 0;
    for (char n[16] = "0"; find(n, "in"); snprintf(n, sizeof n, "%d", ++number))
        for (int f = IMAGE_NEAREST; f < IMAGE_FILTERS; ++f) {
            image in = stored(n, "in"), expected = stored(n, names[f]), made;
            int unlike;
            assert_true(image_resize(&in, (image_filter)f, expected.width, expected.height, &made, NULL));
            int most = apart(&made, &expected, &unlike);
            if (most > 1) fail_msg("case %s, %s: %d levels apart", n, names[f], most);
            if (f == IMAGE_NEAREST) assert_int_equal(unlike, 0);
            values += expected.width * expected.height * 3;
            all += unlike;
            image_free(&made);
        }
    assert_int_equal(number, 14);
    assert_true(all * 1000 <= values);
}

/* Box is the mean of the area where whole pixels meet. */
static void box_is_area(void **state)
{
    (void)state;
    image in = noise(24, 36, 8), box, area;
    int unlike;
    assert_true(image_resize(&in, IMAGE_BOX, 6, 12, &box, NULL));
    assert_true(image_resize(&in, IMAGE_AREA, 6, 12, &area, NULL));
    assert_true(apart(&box, &area, &unlike) <= 1);
    image_free(&in);
    image_free(&box);
    image_free(&area);
}

static void files_as_in_pillow(void **state)
{
    (void)state;
    int files = 0;
    for (int i = 0; i < safetensors_count(golden); ++i) {
        const safetensors_tensor *t = safetensors_at(golden, i);
        const char *dot = strchr(t->name, '.');
        if (strcmp(dot, ".file") != 0) continue;
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)(dot - t->name), t->name);
        image expected = stored(name, "rgb"), read;
        error err;
        if (!image_decode(t->data, (size_t)t->bytes, name, &read, &err)) fail_msg("%s", err.message);
        int unlike, most = apart(&read, &expected, &unlike),
                    allowed = *(const uint8_t *)find(name, "apart")->data;
        if (most > allowed) fail_msg("%s: %d levels apart, not %d", name, most, allowed);
        image_free(&read);
        ++files;
    }
    assert_int_equal(files, 17);
}

/* By how much a file's levels change when its profile is not heeded. */
static int without_profile(const char *name)
{
    const safetensors_tensor *t = find(name, "file");
    image_reading how = IMAGE_READING_DEFAULT;
    image with, without;
    int unlike;
    assert_true(image_decode(t->data, (size_t)t->bytes, name, &with, NULL));
    how.ignore_profiles = true;
    assert_true(image_decode_as(t->data, (size_t)t->bytes, name, &how, &without, NULL));
    int most = apart(&with, &without, &unlike);
    image_free(&with);
    image_free(&without);
    return most;
}

static void profiles_can_be_ignored(void **state)
{
    (void)state;
    static const char *const profiled[] = { "png_adobe",       "png_p3",      "png_alpha_p3",
                                            "png_grey",        "png_palette", "jpeg_adobe",
                                            "jpeg_grey",       "jpeg_inks",   "webp_lossless_p3",
                                            "webp_alpha_adobe" };
    for (size_t i = 0; i < sizeof profiled / sizeof *profiled; ++i)
        if (without_profile(profiled[i]) < 10) fail_msg("%s: its profile does nothing", profiled[i]);
    assert_int_equal(without_profile("png_srgb"), 0); /* sRGB pictures keep their levels exactly */
    assert_int_equal(without_profile("webp_lossless"), 0);
}

/* Kept profiles, by several threads at a time, give what opened ones do. */
typedef struct reader {
    image_reading how;
    pthread_t thread;
    int wrong;
} reader;

static void *read_profiled(void *of)
{
    reader *r = of;
    for (int i = 0; i < safetensors_count(golden); ++i) {
        const safetensors_tensor *t = safetensors_at(golden, i);
        image kept, opened;
        if (!strstr(t->name, ".file")) continue;
        if (!image_decode_as(t->data, (size_t)t->bytes, t->name, &r->how, &kept, NULL) ||
            !image_decode(t->data, (size_t)t->bytes, t->name, &opened, NULL))
            return ++r->wrong, NULL;
        r->wrong += memcmp(kept.pixels, opened.pixels, (size_t)kept.width * (size_t)kept.height * 3) != 0;
        image_free(&kept);
        image_free(&opened);
    }
    return NULL;
}

static void profiles_are_kept(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    reader readers[THREADS];
    image_profiles *kept = image_profiles_create(NULL);
    for (int i = 0; i < THREADS; ++i) {
        readers[i] = (reader){ .how = IMAGE_READING_DEFAULT };
        readers[i].how.profiles = kept;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_profiled, &readers[i]), 0);
    }
    for (int i = 0; i < THREADS; ++i) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].wrong, 0);
    }
    image_profiles_destroy(kept);
}

static int said;

static void count_lines(void *context, log_level of, const char *line)
{
    (void)context, (void)of;
    assert_non_null(strstr(line, "its colour profile is ignored: "));
    ++said;
}

/* The profile in a WebP stands in no checksum: any of its bytes may be another.  There is always a picture,
 * and at most one line in the log. */
static void damaged_profiles(void **state)
{
    (void)state;
    const safetensors_tensor *t = find("webp_lossless_p3", "file");
    uint8_t *bytes = malloc((size_t)t->bytes);
    memcpy(bytes, t->data, (size_t)t->bytes);
    uint8_t *profile = memmem(bytes, (size_t)t->bytes, "ICCP", 4);
    assert_non_null(profile);
    size_t size = profile[4] + ((size_t)profile[5] << 8);
    log_set_sink(count_lines, NULL);
    for (size_t i = 8; i < size + 8; i += i < 300 ? 3 : 31)
        for (int way = 0; way < 2; ++way) {
            uint8_t kept = profile[i];
            profile[i] = (uint8_t)(way ? kept ^ 0x80 : 0xff - kept);
            image read;
            assert_true(image_decode(bytes, (size_t)t->bytes, "odd", &read, NULL));
            image_free(&read);
            profile[i] = kept;
        }
    log_set_sink(NULL, NULL);
    assert_int_equal(said, 1);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_as_in_pillow), cmocka_unit_test(box_is_area),
        cmocka_unit_test(files_as_in_pillow),   cmocka_unit_test(profiles_can_be_ignored),
        cmocka_unit_test(profiles_are_kept),    cmocka_unit_test(damaged_profiles),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
