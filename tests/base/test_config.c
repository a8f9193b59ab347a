/* test_config.c -- settings: defaults, every kind of mistake with its message, and the round trip.
 * SPDX-License-Identifier: MIT */
#include "host/base/config.h"
#include "host/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define SETTINGS \
    CONFIG_INT(layers, 12, 1, 128, "blocks") \
    CONFIG_INT(heads, 8, 1, 256, "attention heads") \
    CONFIG_REAL(rate, 4.5e-4, 0, 1, "learning rate") \
    CONFIG_BOOL(shuffle, true, "draw batches in random order") \
    CONFIG_CHOICE(codes, quantiser, gumbel, "how codes are chosen", gumbel, vq) \
    CONFIG_TEXT(data, "", "folder or archive")

/* What several kinds share, with a default that each sets. */
#define STEPS 100
#define SPEED fast
#define SHARED \
    CONFIG_INT(steps, STEPS, 1, 1000, "updates") \
    CONFIG_SHARED_CHOICE(speed, speed, SPEED, "how fast", slow, fast, faster, fastest)
#define ALL CONFIG_PART(shared, all) SHARED CONFIG_PART_END CONFIG_BOOL(own, no, "its own")

#define CONFIG_AS_SHARED_ENUMS
#include "host/base/config_def.h"
SHARED
#include "host/base/config_undef.h"

typedef struct shared {
#define CONFIG_AS_STRUCT
#include "host/base/config_def.h"
    SHARED
#include "host/base/config_undef.h"
} shared;

typedef struct kind {
#define CONFIG_AS_STRUCT
#include "host/base/config_def.h"
    ALL
#include "host/base/config_undef.h"
} kind;

static const config_field kind_fields[] = {
#define CONFIG_AS_TABLE
#define CONFIG_OF kind
#include "host/base/config_def.h"
    ALL
#include "host/base/config_undef.h"
};
static const config_table kind_table = { "kind", kind_fields, sizeof kind_fields / sizeof *kind_fields,
                                         sizeof(kind), NULL };

#define CONFIG_AS_ENUMS
#include "host/base/config_def.h"
SETTINGS
#include "host/base/config_undef.h"

typedef struct settings {
#define CONFIG_AS_STRUCT
#include "host/base/config_def.h"
    SETTINGS
#include "host/base/config_undef.h"
} settings;

static const config_field fields[] = {
#define CONFIG_AS_TABLE
#define CONFIG_OF settings
#include "host/base/config_def.h"
    SETTINGS
#include "host/base/config_undef.h"
};
static const config_table table = { "tiny", fields, sizeof fields / sizeof *fields, sizeof(settings), NULL };

static void defaults(void **state)
{
    (void)state;
    settings s;
    config_defaults(&table, &s);
    assert_int_equal(s.layers, 12);
    assert_true(s.rate == 4.5e-4 && s.shuffle);
    assert_int_equal(s.quantiser, codes_gumbel);
    assert_string_equal(s.data, "");
    assert_ptr_equal(config_find(&table, "heads"), &fields[1]);
    assert_null(config_find(&table, "head"));
}

static void good_text(void **state)
{
    (void)state;
    settings s;
    error err = { 0 };
    config_defaults(&table, &s);
    const char *text = "# a comment\r\n\n layers=3 # three\r\nrate = 1e-2\nshuffle = off\n"
                       "quantiser = vq\ndata = a folder/b#c";
    assert_true(config_parse(&table, &s, text, "x.cfg", &err));
    assert_int_equal(s.layers, 3);
    assert_true(s.rate == 0.01 && !s.shuffle);
    assert_int_equal(s.quantiser, codes_vq);
    assert_string_equal(s.data, "a folder/b#c");
    assert_true(config_assign(&table, &s, "layers=5", "--set", &err)); /* may override */
    assert_true(config_assign(&table, &s, "data = x # y", "--set", &err));
    assert_int_equal(s.layers, 5);
    assert_string_equal(s.data, "x # y");
}

static void mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "layers = 2\nn_head = 3", "prior/tiny.cfg:2: unknown key 'n_head'; did you mean 'heads'?" },
        { "zzzzzzzzzzzz = 1", "prior/tiny.cfg:1: unknown key 'zzzzzzzzzzzz'; tiny has no key like it" },
        { "heads = 1\n\nheads = 2", "prior/tiny.cfg:3: key 'heads' is repeated; it was first set in line 1" },
        { "layers = 0", "prior/tiny.cfg:1: layers = 0 is outside its range, 1 to 128" },
        { "layers = 99999999999999999999",
          "prior/tiny.cfg:1: layers = 99999999999999999999 is outside its range, 1 to 128" },
        { "rate = 2", "prior/tiny.cfg:1: rate = 2 is outside its range, 0 to 1" },
        { "rate = nan", "prior/tiny.cfg:1: rate = 'nan' is not a number" },
        { "rate = 0x1p-1", "prior/tiny.cfg:1: rate = '0x1p-1' is not a number" },
        { "rate = 0,5", "prior/tiny.cfg:1: rate = '0,5' is not a number" },
        { "rate = 1e400", "prior/tiny.cfg:1: rate = 1e400 is outside its range, 0 to 1" },
        { "layers = 0x10", "prior/tiny.cfg:1: layers = '0x10' is not a whole number" },
        { "layers = \" 3\"", "prior/tiny.cfg:1: layers = ' 3' is not a whole number" },
        { "Layer = 3", "prior/tiny.cfg:1: unknown key 'Layer'; did you mean 'layers'?" },
        { "layers = 3x", "prior/tiny.cfg:1: layers = '3x' is not a whole number" },
        { "layers =", "prior/tiny.cfg:1: layers = '' is not a whole number" },
        { "layers = 1.5", "prior/tiny.cfg:1: layers = '1.5' is not a whole number" },
        { "rate = 0.1 2", "prior/tiny.cfg:1: rate = '0.1 2' is not a number" },
        { "shuffle = maybe", "prior/tiny.cfg:1: shuffle = 'maybe' is neither yes nor no" },
        { "quantiser = g", "prior/tiny.cfg:1: quantiser = 'g' is not one of gumbel|vq" },
        { "quantiser = gumbel|vq", "prior/tiny.cfg:1: quantiser = 'gumbel|vq' is not one of gumbel|vq" },
        { "layers", "prior/tiny.cfg:1: expected 'key = value', found 'layers'" },
        { "= 3", "prior/tiny.cfg:1: expected 'key = value', found '= 3'" },
        { "data = \"a", "prior/tiny.cfg:1: the quoted value has no closing '\"'" },
        { "data = \"a\" b", "prior/tiny.cfg:1: 'b' follows the quoted value" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        settings s, before;
        error err = { 0 };
        config_defaults(&table, &s);
        before = s;
        assert_false(config_parse(&table, &s, cases[i].text, "prior/tiny.cfg", &err));
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(err.code, ERROR_USAGE);
        assert_memory_equal(&s, &before, sizeof s); /* nothing half read */
    }
}

static void numbers(void **state)
{
    (void)state;
    static const char *const whole[] = { "0", "-1", "+5", "007" },
                             *const real[] = { "0.5", ".5", "5.", "-1e-3", "1E+6" },
                             *const none[] = {
                                 "",   " 1",  "1 ",    "-",   "+-1", ".",   "1e",    "1e+",
                                 "e5", "0x1", "1_000", "1,5", "inf", "nan", "1.2.3", "\xd9\xa1"
                             };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; ++i)
        assert_true(config_is_number(whole[i], true) && config_is_number(whole[i], false));
    for (size_t i = 0; i < sizeof real / sizeof *real; ++i)
        assert_true(config_is_number(real[i], false) && !config_is_number(real[i], true));
    for (size_t i = 0; i < sizeof none / sizeof *none; ++i)
        assert_false(config_is_number(none[i], true) || config_is_number(none[i], false));
}

static void nearest(void **state)
{
    (void)state;
    static const char *const names[] = { "generate", "train", "train", "data", "man", "config" };
    static const char *const cases[][2] = { { "gen", "generate" }, { "GENERATE", "generate" },
                                            { "trian", "train" },  { "nothing", NULL },
                                            { "version", NULL },   { "tra", "train" },
                                            { "", NULL },          { "confg", "config" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const char *found = config_nearest(cases[i][0], names, 6);
        if (cases[i][1])
            assert_string_equal(found, cases[i][1]);
        else
            assert_null(found);
    }
}

static void too_long_value(void **state)
{
    (void)state;
    char text[CONFIG_TEXT_SIZE + 8] = "data=";
    memset(text + 5, 'a', CONFIG_TEXT_SIZE);
    settings s;
    error err = { 0 };
    config_defaults(&table, &s);
    assert_false(config_assign(&table, &s, text, NULL, &err));
    assert_string_equal(err.message, "tiny: the value is longer than 255 bytes");
    text[5 + CONFIG_TEXT_SIZE - 1] = '\0';
    assert_true(config_assign(&table, &s, text, NULL, &err));
    assert_int_equal(strlen(s.data), CONFIG_TEXT_SIZE - 1);
}

/* Whole or not at all: neither without what stands behind a zero byte, nor a file of any size. */
static void files(void **state)
{
    (void)state;
    settings s, before;
    error err = { 0 };
    config_defaults(&table, &s);
    before = s;
    assert_true(file_write("tiny-test.cfg", "data = a\n\0data = b", 18, &err));
    assert_false(config_read(&table, &s, "tiny-test.cfg", &err));
    assert_string_equal(err.message, "tiny-test.cfg: holds a zero byte; settings are lines of text");
    assert_int_equal(err.code, ERROR_USAGE);
    assert_int_equal(truncate("tiny-test.cfg", CONFIG_FILE_MOST + 1), 0);
    assert_false(config_read(&table, &s, "tiny-test.cfg", &err));
    assert_non_null(strstr(err.message, "at most 1048576 bytes of such a file are read"));
    assert_memory_equal(&s, &before, sizeof s);
    assert_true(file_write("tiny-test.cfg", "data = a\n", 9, &err));
    assert_true(config_read(&table, &s, "tiny-test.cfg", &err));
    assert_string_equal(s.data, "a");
    assert_int_equal(unlink("tiny-test.cfg"), 0);
    assert_false(config_read(&table, &s, "tiny-test.cfg", &err));
    assert_int_equal(err.code, ERROR_IO);
}

static void round_trip(void **state)
{
    (void)state;
    static const double reals[] = { 0, 1, 0.1, 1.0 / 3, 4.5e-4, 5e-324, 0.30000000000000004 };
    static const char *const texts[] = {
        "", "plain", " space ", "#", "a # b", "say \"x\\y\"", "two\nlines\r"
    };
    for (int i = 0; i < 7; ++i) {
        settings a, b;
        config_defaults(&table, &a);
        config_defaults(&table, &b);
        a.layers = 77;
        a.rate = reals[i];
        a.shuffle = false;
        strcpy(a.data, texts[i]);
        char *text = config_format(&table, &a);
        error err = { 0 };
        assert_true(config_parse(&table, &b, text, "formatted", &err));
        assert_true(a.rate == b.rate && a.layers == b.layers && a.shuffle == b.shuffle);
        assert_string_equal(a.data, b.data);
        free(text);
    }
    settings s;
    config_defaults(&table, &s);
    char *text = config_format(&table, &s), *help = config_help(&table);
    assert_string_equal(
        text, "layers = 12\nheads = 8\nrate = 0.00045\nshuffle = yes\nquantiser = gumbel\ndata = \n");
    assert_non_null(strstr(help, "heads = 8\n    attention heads (1 to 256)\n"));
    free(text);
    free(help);
}

static void choices(void **state)
{
    (void)state;
    settings a, b;
    error err = { 0 };
    config_defaults(&table, &a);
    b = a;
    const config_field *f = config_find(&table, "quantiser");
    assert_string_equal(f->choices, "gumbel|vq");
    assert_true(config_same(f, &a, &b));
    assert_true(config_assign(&table, &b, "quantiser=vq", NULL, &err));
    assert_false(config_same(f, &a, &b));
    config_copy(f, &a, &b);
    assert_int_equal(a.quantiser, codes_vq);
    char *value = config_value(f, &a), *text = config_format(&table, &a);
    assert_string_equal(value, "vq");
    assert_non_null(strstr(text, "\nquantiser = vq\n"));
    free(value);
    free(text);
}

static void shared_settings(void **state)
{
    (void)state;
    kind k;
    error err = { 0 };
    config_defaults(&kind_table, &k);
    assert_true(k.steps == 100 && k.speed == speed_fast && !k.own);
    assert_string_equal(config_find(&kind_table, "steps")->value, "100");
    assert_string_equal(config_find(&kind_table, "speed")->choices, "slow|fast|faster|fastest");
    assert_true(config_parse(&kind_table, &k, "steps = 7\nspeed = fastest\nown = yes", "x", &err));
    const shared *all = &k.all; /* the same settings, for those who know no kind */
    assert_true(all->steps == 7 && all->speed == speed_fastest && k.own);
}

static void other_names(void **state)
{
    (void)state;
    static const config_alias aliases[] = { { "pace", "speed" }, { NULL, NULL } };
    config_table named = kind_table;
    kind k;
    error err;
    named.aliases = aliases;
    config_defaults(&named, &k);
    assert_ptr_equal(config_find(&named, "pace"), config_find(&kind_table, "speed"));
    assert_null(config_find(&kind_table, "pace"));
    assert_true(config_assign(&named, &k, "pace=faster", "test", &err));
    char *value = config_value(config_find(&named, "speed"), &k), *text = config_format(&named, &k);
    assert_string_equal(value, "faster");
    assert_null(strstr(text, "pace"));
    free(value);
    free(text);
    assert_false(config_parse(&named, &k, "speed = slow\npace = fast\n", "text", &err));
    assert_non_null(strstr(err.message, "repeated"));
}

/* In a file, whatever their value, but not where someone sets them now. */
static void former_settings(void **state)
{
    (void)state;
    static const config_alias aliases[] = { { "gait", NULL }, { "pace", "speed" }, { NULL, NULL } };
    config_table named = kind_table;
    kind k;
    error err;
    named.aliases = aliases;
    config_defaults(&named, &k);
    assert_true(config_parse(&named, &k, "gait = 3\ngait=\n gait = \"\nspeed = fast # gait\n", "text", &err));
    assert_int_equal(k.all.speed, speed_fast);
    char *text = config_format(&named, &k);
    assert_null(strstr(text, "gait"));
    free(text);
    assert_null(config_find(&named, "gait"));
    assert_false(config_parse(&named, &k, "gaits = 3\n", "text", &err));
    assert_false(config_parse(&named, &k, "gait\n", "text", &err));
    assert_false(config_assign(&named, &k, "gait=3", "test", &err));
    assert_non_null(strstr(err.message, "unknown key 'gait'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),        cmocka_unit_test(good_text),   cmocka_unit_test(mistakes),
        cmocka_unit_test(numbers),         cmocka_unit_test(nearest),     cmocka_unit_test(too_long_value),
        cmocka_unit_test(round_trip),      cmocka_unit_test(files),       cmocka_unit_test(choices),
        cmocka_unit_test(shared_settings), cmocka_unit_test(other_names), cmocka_unit_test(former_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
