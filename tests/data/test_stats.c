/* test_stats.c -- marks of pictures and their groups, against every pair; languages; the counts of a small
 * set.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/language.h"
#include "data/stats.h"

/* ---- Marks ---- */

/* A soft picture, as photographs are: a few waves. */
static image waves(int width, int height, uint32_t seed)
{
    image p;
    assert_true(image_create(&p, width, height, NULL));
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            for (int c = 0; c < 3; ++c) {
                double u = (double)x / width, v = (double)y / height, s = (double)(seed % 97) / 13.0;
                double level = sin(5 * u + s) + cos(7 * v - 2 * s) + sin(9 * u * v + c + 3 * s);
                p.pixels[(y * width + x) * 3 + c] = (uint8_t)(127 + 40 * level);
            }
    return p;
}

static perceptual_hash mark(const image *p)
{
    perceptual_hash m = { 0 };
    assert_true(perceptual_hash_of(p, &m, NULL));
    return m;
}

static void alike_and_not(void **state)
{
    (void)state;
    image a = waves(300, 200, 5), small, other = waves(300, 200, 44), mirrored = waves(300, 200, 5);
    assert_true(image_resize_area(&a, 150, 100, false, &small, NULL));
    perceptual_hash whole = mark(&a), half = mark(&small), far = mark(&other);
    assert_in_range(perceptual_hash_distance(&whole, &half), 0, 2);
    assert_true(perceptual_hash_distance(&whole, &far) > 8);
    for (size_t i = 0; i < 300 * 200 * 3; ++i) /* noise of a bad compression */
        a.pixels[i] = (uint8_t)(a.pixels[i] + ((uint32_t)i * 2654435761u >> 30));
    perceptual_hash noisy = mark(&a);
    assert_in_range(perceptual_hash_distance(&whole, &noisy), 0, 4);
    image_flip(&mirrored);
    perceptual_hash flipped = mark(&mirrored);
    assert_true(perceptual_hash_distance(&whole, &flipped) > 8);
    image_free(&a);
    image_free(&small);
    image_free(&other);
    image_free(&mirrored);
}

/* Pictures that differ in colour alone are not alike, and those of one colour have no frequencies. */
static void colours(void **state)
{
    (void)state;
    image red, blue;
    assert_true(image_create(&red, 20, 20, NULL) && image_create(&blue, 50, 30, NULL));
    for (int i = 0; i < 400; ++i) red.pixels[3 * i + 1] = red.pixels[3 * i + 2] = 0;
    for (int i = 0; i < 1500; ++i) blue.pixels[3 * i] = blue.pixels[3 * i + 1] = 0;
    perceptual_hash r = mark(&red), b = mark(&blue);
    assert_int_equal(r.bits, 0);
    assert_int_equal(b.bits, 0);
    assert_int_equal(perceptual_hash_distance(&r, &b), 65);
    assert_int_equal(perceptual_hash_distance(&r, &r), 0);
    image_free(&red);
    image_free(&blue);
}

static uint64_t drawn;

static uint64_t draw(void)
{
    drawn ^= drawn << 13;
    drawn ^= drawn >> 7;
    return drawn ^= drawn << 17;
}

static int64_t root(const int64_t *group, int64_t i)
{
    while (group[i] != i) i = group[i];
    return i;
}

/* Families of marks a few bits apart; the search finds what comparing all pairs finds. */
static void groups_as_all_pairs(void **state)
{
    (void)state;
    static perceptual_hash marks[3000];
    static int64_t group[3000], slow[3000];
    for (int distance = 0; distance <= PERCEPTUAL_HASH_MOST; distance += distance < 4 ? 1 : 4)
        for (int64_t count = 0; count <= 3000; count = count * 7 + 1) {
            drawn = 88172645463325252u + (uint64_t)distance;
            for (int64_t i = 0; i < count; ++i) {
                marks[i] = (perceptual_hash){ .bits = i % 3 && i ? marks[i - 1].bits : draw(), .sample = i };
                for (int flips = (int)(draw() % 6); i % 3 && flips > 0; --flips)
                    marks[i].bits ^= 1ull << draw() % 64;
                marks[i].colour[3] = (uint8_t)(i % 5 == 4 ? 40 : 0);
            }
            for (int64_t i = 0; i < count; ++i) slow[i] = i;
            for (int64_t i = 0; i < count; ++i)
                for (int64_t k = 0; k < i; ++k)
                    if (perceptual_hash_distance(&marks[i], &marks[k]) <= distance) {
                        int64_t a = root(slow, i), b = root(slow, k);
                        slow[a > b ? a : b] = a > b ? b : a;
                    }
            assert_true(perceptual_hash_group(marks, count, distance, group, NULL));
            for (int64_t i = 0; i < count; ++i) assert_int_equal(group[i], root(slow, i));
        }
}

/* ---- Texts ---- */

static void languages(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code;
    } texts[] = {
        { "a man riding a wave on top of a surfboard", "en" },
        { "ein Hund auf der Wiese", "de" },
        { "un chat noir sur la table", "fr" },
        { "vista da cidade de Lisboa ao entardecer", "pt" },
        { "een man op een fiets in de stad", "nl" },
        { "kimono", "un" },
        { "", "un" },
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i) {
        language_guess g = language_of(texts[i].text);
        assert_string_equal(g.code, texts[i].code);
        assert_true(g.reliable == (strcmp(g.code, "un") != 0) || strcmp(g.code, "un") == 0);
        assert_int_equal(language_is_other(texts[i].text, "en"), i > 0 && i < 5);
    }
    assert_true(language_is_other("\xe7\x8c\xab", "en"));  /* a Chinese cat: no Latin letter */
    assert_false(language_is_other("\xe7\x8c\xab", "ja")); /* too short to say that it is not */
    assert_false(language_is_other("12:30 \xf0\x9f\x98\x80", "en"));
    assert_string_equal(language_find("en"), "en");
    assert_string_equal(language_find("german"), "de");
    assert_null(language_find("klingonish"));
}

static void lengths(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int characters, words;
    } texts[] = {
        { "", 0, 0 },
        { "a", 1, 1 },
        { " a  b ", 6, 2 },
        { "caf\xc3\xa9 au\xc2\xa0lait", 12, 3 },
        { "\xe7\x8c\xab", 1, 1 },
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i) {
        int64_t characters, words;
        stats_measure_text(texts[i].text, &characters, &words);
        assert_int_equal(characters, texts[i].characters);
        assert_int_equal(words, texts[i].words);
    }
}

/* ---- A set ---- */

static void a_set(void **state)
{
    (void)state;
    room r = room_create();
    tar_file t = tar_begin(at(&r, "a.tar"), false);
    for (int i = 0; i < 10; ++i) {
        char name[32], text[64];
        image p = waves(20 * (i + 1), 40, (uint32_t)(i < 8 ? i * 11 : 0)); /* 8 and 9 are 0, wider */
        void *png;
        size_t size;
        assert_true(image_encode_png(&p, &png, &size, NULL));
        snprintf(name, sizeof name, "%d.png", i);
        tar_add(&t, name, png, i == 3 ? size / 2 : size);
        snprintf(name, sizeof name, "%d.txt", i);
        snprintf(text, sizeof text, "a picture of something\nnumber %d", i);
        if (i != 4) tar_add_text(&t, name, text);
        free(png);
        image_free(&p);
    }
    tar_end(&t);
    const char *path = at(&r, "a.tar");
    dataset *d = dataset_open(&path, 1, false, NULL);
    stats s;
    const stats_options o = { .distance = 4, .threads = 3 };
    assert_true(stats_of(d, &o, &s, NULL));
    assert_int_equal(s.samples, 10);
    assert_int_equal(s.unreadable, 1);
    assert_int_equal(s.uncaptioned, 1);
    assert_int_equal(s.captions, 18);
    assert_int_equal(s.width.least, 20);
    assert_int_equal(s.width.most, 200);
    assert_int_equal(stats_quantile(&s.width, 0.5), 120); /* the fifth of 20 40 60 100 120 140 160 180 200 */
    assert_int_equal(stats_quantile(&s.side, 0.5), 40);
    assert_int_equal(s.side.least, 20);
    assert_true(fabs(stats_aspect(s.aspect.most) - 5.0) < 0.05);
    assert_int_equal(stats_quantile(&s.words, 0.5), 2);
    assert_int_equal(s.words.most, 4);
    assert_int_equal(s.format_count, 1);
    assert_string_equal(s.formats[0].name, "png");
    assert_int_equal(s.formats[0].count, 9);
    assert_string_equal(s.languages[0].name, "en");
    assert_int_equal(s.group[8], 0);
    assert_int_equal(s.group[9], 0);
    assert_int_equal(s.group[3], -1);
    assert_int_equal(s.alike, 2);
    stats_free(&s);
    dataset_close(d);
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alike_and_not), cmocka_unit_test(colours), cmocka_unit_test(groups_as_all_pairs),
        cmocka_unit_test(languages),     cmocka_unit_test(lengths), cmocka_unit_test(a_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
