/* test_emoji.c -- the set built from Debian 12's packages is the one it should be.
 * Skipped where the font and lists are not installed.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/dataset.h"
#include "data/emoji.h"
#include "data/emoji_caption.h"
#include "host/base/hash.h"
#include <strings.h>

#define PLAIN    3655
#define HELD_OUT 365
/* SHA-256 of the lines "key, caption, group, keywords joined by |, split", separated by tabs. */
#define DIGEST "c51105ff91bff827cd3ecb3c4b89dc2f126fda5e522028f838d708d3f5881dab"

static void add_line(hash *h, const dataset_sample *s)
{
    const char *fields[] = { s->key, "\t", s->caption, "\t", s->group, "\t" };
    for (int i = 0; i < 6; ++i) hash_bytes(h, fields[i], strlen(fields[i]));
    for (int i = 0; i < s->keyword_count; ++i) {
        if (i) hash_bytes(h, "|", 1);
        hash_bytes(h, s->keywords[i], strlen(s->keywords[i]));
    }
    hash_bytes(h, "\t", 1);
    hash_bytes(h, s->split, strlen(s->split));
    hash_bytes(h, "\n", 1);
}

static void builds_the_plain_set(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    emoji_options options = { .size = 16, .plain = true }; /* small, to be quick */
    int count = 0;
    if (!emoji_build(&options, at(&r, "e.tar"), &count, &err)) fail_msg("%s", err.message);
    assert_int_equal(count, PLAIN);
    const char *path = at(&r, "e.tar");
    dataset *d = dataset_open(&path, 1, true, &err);
    if (!d) fail_msg("%s", err.message);
    assert_int_equal(dataset_count(d), PLAIN);
    hash h;
    hash_start(&h);
    for (int i = 0; i < PLAIN; ++i) add_line(&h, dataset_at(d, i));
    char hex[65];
    hash_finish(&h, hex);
    assert_string_equal(hex, DIGEST);
    for (int i = 0; i < PLAIN; ++i) {
        assert_int_equal(dataset_at(d, i)->caption_count, 1);
        assert_int_equal(dataset_at(d, i)->repeat, 1);
    }
    dataset_selection held;
    assert_true(dataset_select(d, "val", 0, 0, false, &held, &err));
    assert_int_equal(held.count, HELD_OUT);
    dataset_selection_free(&held);

    int64_t heart = dataset_find(d, "e1f49a");
    assert_string_equal(dataset_at(d, heart)->caption, "green heart");
    image picture;
    assert_true(dataset_read_picture(d, heart, &picture, &err));
    assert_int_equal(picture.width, 16);
    const uint8_t *middle = picture.pixels + (8 * 16 + 8) * 3;
    assert_true(middle[1] > middle[0] + 40 && middle[1] > middle[2] + 40);
    for (int c = 0; c < 3; ++c) assert_int_equal(picture.pixels[c], 255);
    image_free(&picture);
    dataset_close(d);
    room_remove(&r);
}

/* ---- With captions and colours ---- */

static dataset *full;

static int build_full(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    const emoji_options options = { .size = 32 };
    if (!emoji_build(&options, at(&r, "e.tar"), NULL, &err)) fail_msg("%s", err.message);
    const char *path = at(&r, "e.tar");
    full = dataset_open(&path, 1, true, &err);
    if (!full) fail_msg("%s", err.message);
    room_remove(&r); /* the open file stays */
    return 0;
}

static int close_full(void **state)
{
    (void)state;
    dataset_close(full);
    return 0;
}

static bool is_recoloured(const dataset_sample *s)
{
    return strstr(s->key, "-hue-") != NULL;
}

static const dataset_sample *named(const char *caption)
{
    for (int64_t i = 0; i < dataset_count(full); ++i)
        if (strcmp(dataset_at(full, i)->caption, caption) == 0) return dataset_at(full, i);
    fail_msg("there is no '%s'", caption);
    return NULL;
}

static bool may_be_called(const dataset_sample *s, const char *caption)
{
    for (int i = 1; i < s->caption_count; ++i)
        if (strcmp(s->captions[i], caption) == 0) return true;
    return false;
}

/* The rules' kinds, one of each: none is a special case of the program. */
static void captions_are_what_people_type(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "flag: Italy", "Italian flag" },
        { "flag: Italy", "flag of Italy" },
        { "flag: Myanmar (Burma)", "Burmese flag" },
        { "flag: Côte d’Ivoire", "flag of Ivory Coast" },
        { "flag: England", "English flag" },
        { "eggplant", "aubergine" },
        { "red apple", "apple, red" },
        { "dog face", "face of a dog" },
        { "grinning face", "grinning smiley" },
        { "keycap: 7", "number seven" },
        { "one o’clock", "clock showing 1:00" },
        { "six-thirty", "half past six" },
        { "family: man, woman, boy", "family of a man, a woman and a boy" },
        { "kiss: man, man", "two men kissing" },
        { "man: red hair", "red-haired man" },
        { "woman with veil", "bride" },
        { "man’s shoe", "man's shoe" },
        { "t-shirt", "t shirt" },
        { "house with garden", "house and garden" },
        { "waving hand: dark skin tone", "waving hand with dark skin" },
        { "man mage: dark skin tone", "dark-skinned man mage" },
        { "woman: medium-light skin tone, curly hair", "woman with curly hair and medium-light skin" },
        { "man: light skin tone", "light skin tone man" },
        { "lemon", "yellow lemon" },
        { "lemon", "lemons" },
        { "pear", "fruit: pear" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        if (!may_be_called(named(cases[i][0]), cases[i][1]))
            fail_msg("'%s' may not be called '%s'", cases[i][0], cases[i][1]);
}

/* The emoji of a table's row; {who} is a woman, or women. */
static const dataset_sample *of_row(const char *name)
{
    static const char *const people[] = { "woman", "women", "person", "man", "people", "men" };
    const char *place = strstr(name, "{who}");
    for (size_t i = 0; place && i < sizeof people / sizeof *people; ++i) {
        char whole[256];
        snprintf(whole, sizeof whole, "%.*s%s%s", (int)(place - name), name, people[i],
                 place + strlen("{who}"));
        for (int64_t k = 0; k < dataset_count(full); ++k)
            if (strcmp(dataset_at(full, k)->caption, whole) == 0) return dataset_at(full, k);
    }
    return named(name);
}

static int captions_with(const dataset_sample *s, const char *text)
{
    int count = 0;
    for (int k = 1; k < s->caption_count; ++k) count += strstr(s->captions[k], text) != NULL;
    return count;
}

/* Each row of words to put together is an emoji's, and its tails stand behind different nouns. */
static void parts_make_captions(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
#define PARTS(name, nouns, adjectives, tails) { name, tails },
#include "data/emoji_parts.def"
#undef PARTS
    };
    size_t count = sizeof rows / sizeof *rows;
    int rich = 0;
    assert_true(count > 1600);
    for (size_t i = 0; i < count; ++i) {
        char tail[128];
        snprintf(tail, sizeof tail, "%.*s", (int)strcspn(rows[i][1], "|"), rows[i][1]);
        const dataset_sample *s = of_row(rows[i][0]);
        if (strcmp(s->split, "train") == 0 && captions_with(s, "{"))
            fail_msg("'%s' has a place left", s->caption);
        rich += captions_with(s, tail) >= 2;
    }
    assert_true(rich > (int)count * 9 / 10);
    assert_true(may_be_called(named("hot dog"), "sausage in a bun"));
}

static void known_mistakes_are_not_made(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "woman elf", "woman who is a elf" },
        { "maple leaf", "maple leafs" },
        { "man swimming", "blue man swimming" },
        { "Japanese “secret” button", "秘" },
        { "flag: Dominica", "Dominican flag" },
        { "family", "family" },
        { "cat", "pet" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        if (may_be_called(named(cases[i][0]), cases[i][1]))
            fail_msg("'%s' may be called '%s'", cases[i][0], cases[i][1]);
}

static int by_text(const void *left, const void *right)
{
    return strcasecmp(*(const char *const *)left, *(const char *const *)right);
}

static void no_caption_is_of_two_pictures(void **state)
{
    (void)state;
    int64_t count = 0, most = dataset_count(full) * (EMOJI_MOST_CAPTIONS + 1);
    const char **all = malloc((size_t)most * sizeof *all);
    assert_non_null(all);
    for (int64_t i = 0; i < dataset_count(full); ++i) {
        const dataset_sample *s = dataset_at(full, i);
        assert_in_range(s->caption_count, 1, EMOJI_MOST_CAPTIONS + 1);
        assert_string_equal(s->captions[0], s->caption);
        for (int k = 0; k < s->caption_count; ++k) {
            assert_true(strlen(s->captions[k]) <= 96);
            all[count++] = s->captions[k];
        }
    }
    assert_true(count > 20 * dataset_count(full));
    qsort(all, (size_t)count, sizeof *all, by_text);
    for (int64_t i = 1; i < count; ++i)
        if (strcasecmp(all[i - 1], all[i]) == 0) fail_msg("two pictures may be called '%s'", all[i]);
    free(all);
}

static void single_objects_come_more_often(void **state)
{
    (void)state;
    assert_int_equal(named("lemon")->repeat, 3);
    assert_int_equal(named("waving hand")->repeat, 3);
    assert_int_equal(named("waving hand: dark skin tone")->repeat, 1);
    assert_int_equal(named("blue lemon")->repeat, 1);
}

static void held_out_colours_stay_held_out(void **state)
{
    (void)state;
    static const char *const combinations[][2] = { { "heart", "green" },   { "heart", "brown" },
                                                   { "apple", "green" },   { "book", "orange" },
                                                   { "circle", "orange" }, { "circle", "purple" },
                                                   { "square", "yellow" }, { "square", "blue" } };
    for (int64_t i = 0; i < dataset_count(full); ++i) {
        const dataset_sample *s = dataset_at(full, i);
        for (int k = 0; strcmp(s->split, "train") == 0 && k < s->caption_count; ++k)
            for (size_t c = 0; c < 8; ++c) {
                const char *text = s->captions[k];
                if (strstr(text, combinations[c][0]) && strstr(text, combinations[c][1]))
                    fail_msg("'%s' is trained as '%s'", s->caption, text);
            }
    }
}

static void middle_of(const char *key, int colour[3])
{
    image picture;
    error err;
    if (!dataset_read_picture(full, dataset_find(full, key), &picture, &err)) fail_msg("%s", err.message);
    for (int c = 0; c < 3; ++c) colour[c] = picture.pixels[(16 * 32 + 16) * 3 + c];
    for (int c = 0; c < 3; ++c) assert_int_equal(picture.pixels[c], 255); /* the ground stays white */
    image_free(&picture);
}

static void things_get_other_colours(void **state)
{
    (void)state;
    int count = 0, before[3], after[3];
    for (int64_t i = 0; i < dataset_count(full); ++i) {
        const dataset_sample *s = dataset_at(full, i);
        count += is_recoloured(s);
        if (is_recoloured(s) && (strstr(s->caption, "face") || strstr(s->group, "People")))
            fail_msg("'%s' is a face or a person", s->caption);
    }
    assert_in_range(count, 400, 600);
    assert_int_equal(dataset_count(full), PLAIN + count);
    const dataset_sample *lemon = named("blue lemon");
    assert_string_equal(lemon->key, "e1f34b-hue-blue");
    assert_string_equal(lemon->split, "train");
    assert_true(may_be_called(lemon, "lemon in blue"));
    middle_of("e1f34b", before);
    middle_of(lemon->key, after);
    assert_true(before[0] > before[2] + 60 && after[2] > after[0] + 60);
}

static void wrong_files_are_named(void **state)
{
    (void)state;
    room r = room_create();
    error err = { 0 };
    emoji_options missing = { .font = "nowhere.ttf" };
    assert_false(emoji_build(&missing, at(&r, "e.tar"), NULL, &err));
    assert_says(&err, "install the Debian package fonts-noto-color-emoji");
    missing = (emoji_options){ .list = "nowhere.txt" };
    assert_false(emoji_build(&missing, at(&r, "e.tar"), NULL, &err));
    assert_says(&err, "unicode-data");
    missing = (emoji_options){ .words_derived = "nowhere.xml" };
    assert_false(emoji_build(&missing, at(&r, "e.tar"), NULL, &err));
    assert_says(&err, "unicode-cldr-core");
    emoji_options large = { .size = 5000 };
    assert_false(emoji_build(&large, at(&r, "e.tar"), NULL, &err));

    assert_true(file_write(at(&r, "bad"), "1F600 ; fully-qualified # x\n", 28, NULL));
    emoji_options bad = { .list = strdup(at(&r, "bad")) };
    assert_false(emoji_build(&bad, at(&r, "e.tar"), NULL, &err));
    assert_says(&err, "bad:1: an emoji has no name");
    bad = (emoji_options){ .font = bad.list };
    assert_false(emoji_build(&bad, at(&r, "e.tar"), NULL, &err));
    assert_says(&err, "not a font");
    bad = (emoji_options){ .words = bad.font };
    assert_false(emoji_build(&bad, at(&r, "e.tar"), NULL, &err));
    assert_says(&err, "bad:1:");
    assert_false(file_exists(at(&r, "e.tar")));
    free((char *)(uintptr_t)bad.words);
    room_remove(&r);
}

int main(void)
{
    if (!file_exists(EMOJI_FONT) || !file_exists(EMOJI_LIST) || !file_exists(EMOJI_WORDS)) return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_the_plain_set),
        cmocka_unit_test(captions_are_what_people_type),
        cmocka_unit_test(known_mistakes_are_not_made),
        cmocka_unit_test(no_caption_is_of_two_pictures),
        cmocka_unit_test(single_objects_come_more_often),
        cmocka_unit_test(held_out_colours_stay_held_out),
        cmocka_unit_test(things_get_other_colours),
        cmocka_unit_test(wrong_files_are_named),
        cmocka_unit_test(parts_make_captions),
    };
    return cmocka_run_group_tests(tests, build_full, close_full);
}
