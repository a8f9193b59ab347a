/* test_caption.c -- templates, articles, and what is drawn as a training caption.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/caption.h"

static void articles_suit_the_caption(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "dog", "a dog" },
        { "apple", "an apple" },
        { "Italian flag", "an Italian flag" },
        { "French fries", "French fries" },
        { "French horn", "a French horn" },
        { "Santa Claus", "Santa Claus" },
        { "Italy", "Italy" },
        { "glasses", "glasses" },
        { "glass of milk", "a glass of milk" },
        { "bunch of grapes", "a bunch of grapes" },
        { "grapes", "grapes" },
        { "bus", "a bus" },
        { "octopus", "an octopus" },
        { "woman with bunny ears", "a woman with bunny ears" },
        { "women holding hands", "women holding hands" },
        { "a red apple", "a red apple" },
        { "The dog", "The dog" },
        { "two hearts", "two hearts" },
        { "unicorn", "a unicorn" },
        { "unicycle", "a unicycle" },
        { "uninvited guest", "an uninvited guest" },
        { "umbrella", "an umbrella" },
        { "UFO", "a UFO" },
        { "UK flag", "a UK flag" },
        { "hourglass", "an hourglass" },
        { "horse", "a horse" },
        { "house with garden", "a house with garden" },
        { "one o'clock", "one o'clock" },
        { "8 key", "8 key" },
        { "chess piece, black pawn", "a chess piece, black pawn" },
        { "eye", "an eye" },
        { "European castle", "a European castle" },
        { "ewe", "a ewe" },
        { "anchor", "an anchor" },
        { "thermometer", "a thermometer" },
        { "boy's hat", "a boy's hat" },
        { "Cuba's flag", "Cuba's flag" },
        { "fruit: pear", "fruit: pear" },
        { "", "" },
        { "é", "é" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char with[64];
        snprintf(with, sizeof with, "%s%s", caption_article(cases[i][0]), cases[i][0]);
        assert_string_equal(with, cases[i][1]);
    }
}

static void templates_are_filled(void **state)
{
    (void)state;
    error err = { 0 };
    caption_templates *t =
        caption_templates_read("# ours\n\n  {} on white  \r\na picture of {a}\n\t{a}", "list", &err);
    assert_non_null(t);
    assert_int_equal(caption_templates_count(t), 3);
    static const char *const filled[] = { "red apple on white", "a picture of a red apple", "a red apple" };
    for (int i = 0; i < 3; ++i) {
        char *text = caption_templates_fill(t, i, "red apple");
        assert_string_equal(text, filled[i]);
        free(text);
    }
    caption_templates_close(t);
    t = caption_templates_read(caption_templates_builtin(), "builtin", &err);
    if (!t) fail_msg("%s", err.message);
    assert_true(caption_templates_count(t) >= 25);
    caption_templates_close(t);
    caption_templates_close(NULL);
}

static void mistakes_in_templates_are_placed(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "{}\na picture\n", "list:2: it has no {} or {a}" },
        { "# x\n\n{} and {a}", "list:3: it has more than one place" },
        { "the {caption}", "list:1: a brace belongs to neither" },
        { "{} }", "list:1: a brace belongs to neither" },
        { "{", "list:1: a brace belongs to neither" },
        { "\xff{}", "list:1: it is not valid UTF-8" },
        { "# nothing\n\n", "list: has no template" },
        { "", "list: has no template" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        error err = { 0 };
        assert_null(caption_templates_read(cases[i][0], "list", &err));
        assert_says(&err, cases[i][1]);
    }
    room r = room_create();
    error err = { 0 };
    assert_null(caption_templates_open(at(&r, "none.txt"), &err));
    assert_says(&err, "none.txt");
    assert_true(file_write(at(&r, "zero.txt"), "{}\n\0{}\n", 7, NULL));
    assert_null(caption_templates_open(at(&r, "zero.txt"), &err));
    assert_says(&err, "zero byte");
    room_remove(&r);
}

static const char *const others[] = { "pome", "ripe apple" };
static const char *const keywords[] = { "fruit", "juicy", "tree" };
static const caption_source apple = { "red apple in a bowl", others, 2, keywords, 3, NULL, 0 };

/* How many of 1000 draws are `text`. */
static int count_of(const char *text, const caption_source *s, const caption_odds *odds,
                    const caption_templates *t)
{
    int count = 0;
    for (uint32_t i = 0; i < 1000; ++i) {
        char *drawn = caption_draw(s, odds, t, 7, i / 10, i % 10);
        count += strcmp(drawn, text) == 0;
        free(drawn);
    }
    return count;
}

static void without_odds_the_first_is_drawn(void **state)
{
    (void)state;
    caption_templates *t = caption_templates_read("x {}", "list", NULL);
    const caption_odds none = { 0 };
    assert_int_equal(count_of(apple.caption, &apple, &none, t), 1000);
    /* Nor do odds for what a picture does not have. */
    const caption_source bare = { "bare", NULL, 0, NULL, 0 };
    const caption_odds sources = { .others = 1, .keywords = 1, .templates = 1 };
    assert_int_equal(count_of("bare", &bare, &sources, NULL), 1000);
    caption_templates_close(t);
}

static void odds_are_kept(void **state)
{
    (void)state;
    const caption_odds half = { .others = 0.5 };
    assert_in_range(count_of(apple.caption, &apple, &half, NULL), 450, 550);
    assert_in_range(count_of("pome", &apple, &half, NULL), 200, 300);
    caption_templates *t = caption_templates_read("{} here\nan icon of {a}", "list", NULL);
    const caption_odds placed = { .others = 1, .templates = 0.5 };
    assert_in_range(count_of("pome", &apple, &placed, t), 200, 300);
    assert_in_range(count_of("pome here", &apple, &placed, t), 80, 170);
    assert_in_range(count_of("an icon of a ripe apple", &apple, &placed, t), 80, 170);
    caption_templates_close(t);
    const caption_odds words = { .keywords = 1 };
    assert_in_range(count_of("tree, fruit, juicy", &apple, &words, NULL), 110, 220);
}

static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = text; (at = strstr(at, word)) != NULL; ++at)
        if ((at == text || at[-1] == ' ') && (at[length] == ' ' || !at[length])) return true;
    return false;
}

static void shuffling_keeps_the_words(void **state)
{
    (void)state;
    const caption_odds shuffled = { .shuffle = 1 };
    static const char *const parts[] = { "red", "apple", "in", "a", "bowl" };
    const caption_source punctuated = { "flag: red, apple", NULL, 0, NULL, 0, NULL, 0 };
    for (uint32_t i = 0; i < 100; ++i) {
        char *drawn = caption_draw(&apple, &shuffled, NULL, 1, i, 0);
        assert_int_equal(strlen(drawn), strlen(apple.caption));
        for (int k = 0; k < 5; ++k) assert_true(has_word(drawn, parts[k]));
        free(drawn);
        drawn = caption_draw(&punctuated, &shuffled, NULL, 1, i, 0);
        assert_null(strpbrk(drawn, ",:"));
        assert_int_equal(strlen(drawn), strlen("flag red apple"));
        free(drawn);
    }
    assert_in_range(count_of(apple.caption, &apple, &shuffled, NULL), 0, 30);
}

static void dropping_never_leaves_nothing(void **state)
{
    (void)state;
    const caption_odds most = { .drop_words = 0.9 };
    assert_in_range(count_of("red", &apple, &most, NULL), 600, 720); /* 0.9 to the fourth */
    assert_in_range(count_of("red bowl", &apple, &most, NULL), 40, 110);
    const caption_source one = { "apple", NULL, 0, NULL, 0, NULL, 0 };
    assert_int_equal(count_of("apple", &one, &most, NULL), 1000);
    const caption_source blank = { "", NULL, 0, NULL, 0, NULL, 0 };
    const caption_odds all = { .drop_words = 0.9, .shuffle = 0.5 };
    assert_int_equal(count_of("", &blank, &all, NULL), 1000);
}

static void stray_words_stand_before_or_behind(void **state)
{
    (void)state;
    static const char *const strays[] = { "moon", "king" };
    const caption_odds half = { .stray_words = 0.5 };
    const caption_source source = { "red apple", NULL, 0, NULL, 0, strays, 2 };
    int whole = 0, before = 0, behind = 0;
    for (uint32_t i = 0; i < 1000; ++i) {
        char *drawn = caption_draw(&source, &half, NULL, 3, i, 0), *at = strstr(drawn, "red apple");
        assert_non_null(at);
        bool stray = has_word(drawn, "moon") || has_word(drawn, "king");
        assert_int_equal(stray, strlen(drawn) > strlen("red apple"));
        whole += !stray;
        before += at > drawn;
        behind += stray && at == drawn;
        free(drawn);
    }
    assert_in_range(whole, 450, 550);
    assert_in_range(before, 110, 190);
    assert_int_equal(whole + before + behind, 1000);
}

/* Where further captions are drawn, keywords come with the name's words half of the time. */
static void keywords_join_the_name(void **state)
{
    (void)state;
    const caption_odds both = { .others = 0.5, .keywords = 1 };
    int named = 0;
    for (uint32_t i = 0; i < 1000; ++i) {
        char *drawn = caption_draw(&apple, &both, NULL, 3, i, 0);
        bool name = has_word(drawn, "apple"), keyword = false;
        for (int k = 0; k < 3; ++k) keyword = keyword || strstr(drawn, keywords[k]);
        assert_true(keyword);
        if (!name) assert_int_equal(strlen(drawn), strlen("fruit, juicy, tree"));
        named += name;
        free(drawn);
    }
    assert_in_range(named, 450, 550);
}

static void the_same_place_draws_the_same(void **state)
{
    (void)state;
    const caption_odds odds = {
        .others = 0.5, .keywords = 0.2, .templates = 0.5, .shuffle = 0.2, .drop_words = 0.2
    };
    caption_templates *t = caption_templates_read(caption_templates_builtin(), "builtin", NULL);
    int differ[3] = { 0 };
    for (uint32_t i = 0; i < 200; ++i) {
        char *a = caption_draw(&apple, &odds, t, 1, i, 5), *same = caption_draw(&apple, &odds, t, 1, i, 5);
        char *of[3] = { caption_draw(&apple, &odds, t, 2, i, 5), caption_draw(&apple, &odds, t, 1, i + 1, 5),
                        caption_draw(&apple, &odds, t, 1, i, 6) };
        assert_string_equal(a, same);
        for (int k = 0; k < 3; ++k) differ[k] += strcmp(a, of[k]) != 0;
        for (int k = 0; k < 3; ++k) free(of[k]);
        free(a);
        free(same);
    }
    for (int k = 0; k < 3; ++k) assert_true(differ[k] > 120);
    caption_templates_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(articles_suit_the_caption),
        cmocka_unit_test(templates_are_filled),
        cmocka_unit_test(mistakes_in_templates_are_placed),
        cmocka_unit_test(without_odds_the_first_is_drawn),
        cmocka_unit_test(odds_are_kept),
        cmocka_unit_test(shuffling_keeps_the_words),
        cmocka_unit_test(dropping_never_leaves_nothing),
        cmocka_unit_test(stray_words_stand_before_or_behind),
        cmocka_unit_test(keywords_join_the_name),
        cmocka_unit_test(the_same_place_draws_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
