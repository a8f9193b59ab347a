/* test_filter.c -- each rule on both sides of its border, what is boilerplate, and the counts of a set.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/filter.h"

static void borders(void **state)
{
    (void)state;
    filter_options o = filter_defaults();
    boilerplate *b = boilerplate_open(NULL);
    o.least_words = 2;
    o.least_characters = 5;
    static const struct {
        const char *caption;
        filter_rule rule;
    } texts[] = {
        { "sunset", FILTER_SHORT },
        { "a sun", FILTER_RULE_COUNT },
        { "a su", FILTER_SHORT },
        { "ein Hund auf der Wiese", FILTER_LANGUAGE },
        { "a dog on the grass", FILTER_RULE_COUNT },
        { "photographed on 3 June 2010", FILTER_BOILERPLATE },
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i)
        assert_int_equal(filter_caption(&o, b, texts[i].caption), texts[i].rule);
    o.off[FILTER_SHORT] = o.off[FILTER_LANGUAGE] = o.off[FILTER_BOILERPLATE] = true;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i)
        assert_int_equal(filter_caption(&o, b, texts[i].caption), FILTER_RULE_COUNT);
    boilerplate_close(b);

    static const struct {
        int width, height;
        filter_rule rule;
    } sizes[] = {
        { 200, 100, FILTER_RULE_COUNT }, { 201, 100, FILTER_ASPECT },   { 100, 200, FILTER_RULE_COUNT },
        { 100, 201, FILTER_ASPECT },     { 64, 64, FILTER_RULE_COUNT }, { 63, 100, FILTER_SIZE },
        { 100, 63, FILTER_SIZE },
    };
    o.least_side = 64;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        assert_int_equal(filter_size(&o, sizes[i].width, sizes[i].height), sizes[i].rule);
    o.off[FILTER_ASPECT] = o.off[FILTER_SIZE] = true;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        assert_int_equal(filter_size(&o, sizes[i].width, sizes[i].height), FILTER_RULE_COUNT);
    o.off[FILTER_ASPECT] = false;
    o.aspect = 1.5;
    assert_int_equal(filter_size(&o, 150, 100), FILTER_RULE_COUNT);
    assert_int_equal(filter_size(&o, 151, 100), FILTER_ASPECT);
}

static void phrases(void **state)
{
    (void)state;
    static const char *const empty_words[] = {
        "photographed on 3 June 2010",
        "Photo taken on June 3rd, 2010",
        "taken 2010-06-03 14:22:10",
        "03/06/2010",
        "Uploaded on 12.11.09",
        "Picture taken in March 1998",
        "the photo was taken on Monday, 3 May 2004 at 9:15 p.m.",
        "IMG_1234",
        "IMG_1234.JPG",
        "DSC01234",
        "dsc_0042.jpg",
        "20160312_123456",
        "Screenshot 2019-05-01",
        "PICT0007",
        "holiday.jpg",
        "no caption available",
        "No description",
        "untitled",
        "Image 12 of 34",
        "photo 3",
        "https://example.org/a/b.html",
        "www.example.org",
        "All rights reserved",
        "\xc2\xa9 2012",
        "click to enlarge",
        "June 2010",
        "12 Aug",
        "photographed on 1999/12/31 IMG_0001",
    };
    static const char *const saying[] = {
        "a cat on a chair",
        "Dancers on the beach at sunset, photographed on 3 June 2010",
        "march of the penguins",
        "a photo of a man in a hat",
        "may flowers in a vase",
        "image of a dog",
        "2 dogs and 14 cats",
        "route 66",
        "the year 2010 in pictures, a street in Rome",
        "a picture taken by my sister of our old house",
        "Porsche 911",
        "",
        "Boeing 747-400 on the runway",
        "10-12 people at a table",
        "Madonna and child, 1512, oil on wood panel",
        "world war 1 soldiers in a trench",
        "wild horses in the snow, www.example.org",
        "scanned documents on a desk",
        "August Rodin's thinker",
        "dec. 7 sale: a red dress with white dots",
    };
    boilerplate *b = boilerplate_open(NULL);
    for (size_t i = 0; i < sizeof empty_words / sizeof *empty_words; ++i)
        if (!boilerplate_is(b, empty_words[i])) fail_msg("'%s' says something", empty_words[i]);
    for (size_t i = 0; i < sizeof saying / sizeof *saying; ++i)
        if (boilerplate_is(b, saying[i])) fail_msg("'%s' says nothing", saying[i]);
    /* Of letters and digits, "IMG_1234" has 7: with 7 others it is half, and stays; with 6 it goes. */
    assert_false(boilerplate_is(b, "abcdefg IMG_1234"));
    assert_true(boilerplate_is(b, "abcdef IMG_1234"));
    boilerplate_close(b);
}

typedef struct kept {
    char keys[200];
    int64_t captions;
} kept;

static bool note(void *context, const filter_sample *s, error *err)
{
    kept *k = context;
    (void)err;
    assert_non_null(s->bytes);
    snprintf(k->keys + strlen(k->keys), sizeof k->keys - strlen(k->keys), "%d", (int)s->index);
    k->captions += s->caption_count;
    return true;
}

static void add(const tar_file *t, int i, int width, int height, uint32_t seed, const char *captions)
{
    char name[32];
    snprintf(name, sizeof name, "%d.png", i);
    tar_add_noise(t, name, width, height, seed);
    snprintf(name, sizeof name, "%d.txt", i);
    if (captions) tar_add_text(t, name, captions);
}

static void a_set(void **state)
{
    (void)state;
    room r = room_create();
    tar_file t = tar_begin(at(&r, "a.tar"), false);
    add(&t, 0, 40, 40, 1, "a dog on the grass\nein Hund auf der Wiese\nIMG_1234 x");
    add(&t, 1, 40, 40, 1, "the same dog on the grass");
    add(&t, 2, 81, 40, 2, "a very wide picture");
    add(&t, 3, 40, 40, 3, "dog\nIMG_0002 JPG");
    add(&t, 4, 40, 40, 4, NULL);
    add(&t, 5, 12, 20, 5, "a small picture of a dog");
    tar_add_text(&t, "6.png", "broken");
    tar_add_text(&t, "6.txt", "a picture that is broken");
    add(&t, 7, 40, 40, 6, "ein Hund auf der Wiese\na cat");
    add(&t, 8, 40, 40, 3, "the third dog, with a caption");
    tar_end(&t);
    const char *path = at(&r, "a.tar");
    dataset *d = dataset_open(&path, 1, false, NULL);
    filter_options o = filter_defaults();
    filter_counts c;
    kept k = { "" };
    o.threads = 3;
    assert_true(filter_run(d, &o, note, &k, &c, NULL));
    assert_string_equal(k.keys, "01578");
    assert_int_equal(c.samples, 9);
    assert_int_equal(c.kept, 5);
    assert_int_equal(c.captions, 12);
    assert_int_equal(c.captions_kept, k.captions);
    assert_int_equal(k.captions, 5);
    assert_int_equal(c.captions_by[FILTER_SHORT], 1);
    assert_int_equal(c.captions_by[FILTER_BOILERPLATE], 2);
    assert_int_equal(c.captions_by[FILTER_LANGUAGE], 2);
    assert_int_equal(c.samples_by[FILTER_ASPECT], 1);
    assert_int_equal(c.samples_by[FILTER_SHORT], 1); /* of the first caption */
    assert_int_equal(c.samples_by[FILTER_CAPTION], 1);
    assert_int_equal(c.samples_by[FILTER_UNREADABLE], 1);
    assert_int_equal(c.samples_by[FILTER_LANGUAGE], 0);

    /* Of pictures that look alike the first that is kept stays: 8 looks like 3, which went for its
     * captions. */
    o.distance = 0;
    o.least_side = 16;
    k = (kept){ "" };
    assert_true(filter_run(d, &o, note, &k, &c, NULL));
    assert_string_equal(k.keys, "078");
    assert_int_equal(c.samples_by[FILTER_DUPLICATE], 1);
    assert_int_equal(c.samples_by[FILTER_SIZE], 1);

    for (int i = 0; i < FILTER_RULE_COUNT; ++i) o.off[i] = true;
    k = (kept){ "" };
    assert_true(filter_run(d, &o, note, &k, &c, NULL));
    assert_string_equal(k.keys, "012345678");
    assert_int_equal(c.captions_kept, 12);
    dataset_close(d);
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(borders), cmocka_unit_test(phrases),
                                        cmocka_unit_test(a_set) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
