/* test_locale.c -- libdalle in a program whose locale writes 1,5 and has letters of its own: it draws what it
 * draws elsewhere, and the program's locale stays as it was, in its callbacks too.
 * The locales are made here, by localedef; without it, or the sources it reads, the test is skipped.
 * SPDX-License-Identifier: MIT */
#include "app/api/dalle.h"
#include "tests/models/drawings.h"
#include "tests/support/device_or_skip.h"

#include <ctype.h>
#include <locale.h>
#include <pthread.h>

static room base;
static dalle_pictures *plain; /* drawn in the C locale */

/* LC_NUMERIC, and where letters come from. */
typedef struct custom {
    const char *name, *point, *thousands, *letters, *charset;
} custom;
static const custom locales[] = {
    { "xx_comma", ",", ".", "POSIX", "UTF-8" },
    { "xx_dotless", ",", " ", "tr_TR", "ISO-8859-9" }, /* one byte a letter: the lower case of I is not i */
    { "xx_arabic", "<U066B>", "<U066C>", "POSIX", "UTF-8" },
};
enum { LOCALES = sizeof locales / sizeof *locales };

static bool make_locale(const custom *l)
{
    char path[300], text[400], command[700];
    snprintf(path, sizeof path, "%s/%s.src", base.path, l->name);
    snprintf(text, sizeof text,
             "LC_CTYPE\ncopy \"%s\"\nEND LC_CTYPE\nLC_NUMERIC\ndecimal_point \"%s\"\nthousands_sep \"%s\"\n"
             "grouping 3;3\nEND LC_NUMERIC\n",
             l->letters, l->point, l->thousands);
    write_text(path, text);
    snprintf(command, sizeof command, "localedef -c -i '%s' -f %s '%s/%s' >/dev/null 2>&1", path, l->charset,
             base.path, l->name);
    return system(command) <= 256 && setlocale(LC_NUMERIC, l->name) && setlocale(LC_CTYPE, l->name);
}

static void use(const custom *l)
{
    assert_non_null(setlocale(LC_NUMERIC, l ? l->name : "C"));
    assert_non_null(setlocale(LC_CTYPE, l ? l->name : "C"));
}

/* What the program itself sees. */
static void number_text(char text[16])
{
    snprintf(text, 16, "%.1f %c", 1.5, tolower('I'));
}

static bool note_locale(void *context, int done, int total)
{
    (void)done;
    (void)total;
    number_text(context);
    return true;
}

static dalle_pictures *draw(char seen[16])
{
    char folder[200];
    dalle_error err;
    dalle_pictures *p;
    snprintf(folder, sizeof folder, "%s/model", base.path);
    dalle_model *m = dalle_open(folder, NULL, &err);
    if (!m) fail_msg("%s", err.message);
    dalle_request r = DALLE_REQUEST_DEFAULTS;
    r.caption = "A RED SQUARE IN A VOID";
    r.temperature = 0.75;
    r.top_p = 0.95;
    r.progress = note_locale;
    r.context = seen;
    char *unseen = dalle_unknown_words(m, r.caption);
    assert_string_equal(unseen, "in, void");
    dalle_free(unseen);
    if (!(p = dalle_generate(m, &r, &err))) fail_msg("%s", err.message);
    dalle_close(m);
    return p;
}

static void test_locale(void **state)
{
    const custom *l = *state;
    char before[16], seen[16] = "", after[16];
    use(l);
    number_text(before);
    dalle_pictures *p = draw(seen);
    number_text(after);
    use(NULL);
    assert_null(strchr(before, '.')); /* the locale is another indeed */
    assert_string_equal(seen, before);
    assert_string_equal(after, before);
    assert_memory_equal(p->rgb, plain->rgb, DRAWING_BYTES);
    dalle_pictures_free(p);
}

/* A thread that has a locale of its own, and keeps it. */
static void *draw_in_thread(void *at)
{
    locale_t own = newlocale(LC_NUMERIC_MASK, locales[0].name, (locale_t)0);
    char seen[16] = "", after[16];
    if (!own) return NULL;
    uselocale(own);
    *(dalle_pictures **)at = draw(seen);
    number_text(after);
    uselocale(LC_GLOBAL_LOCALE);
    freelocale(own);
    assert_string_equal(seen, "1,5 i");
    assert_string_equal(after, "1,5 i");
    return at;
}

static void test_thread(void **state)
{
    (void)state;
    pthread_t thread;
    void *done = NULL;
    dalle_pictures *p = NULL;
    assert_int_equal(pthread_create(&thread, NULL, draw_in_thread, &p), 0);
    assert_int_equal(pthread_join(thread, &done), 0);
    assert_non_null(done);
    assert_memory_equal(p->rgb, plain->rgb, DRAWING_BYTES);
    dalle_pictures_free(p);
}

static int set_up(void **state)
{
    (void)state;
    char seen[16];
    make_model(&base, "steps=10", "steps=10", DTYPE_F16);
    plain = draw(seen);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dalle_pictures_free(plain);
    room_remove(&base);
    return 0;
}

int main(void)
{
    device_close(device_or_skip());
    base = room_create();
    setenv("LOCPATH", base.path, 1);
    for (int i = 0; i < LOCALES; ++i)
        if (!make_locale(&locales[i])) {
            fprintf(stderr, "skipped: localedef does not make the locale '%s' (package locales)\n",
                    locales[i].name);
            room_remove(&base);
            return EXIT_SKIPPED;
        }
    use(NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_locale, (void *)(uintptr_t)&locales[0]),
        cmocka_unit_test_prestate(test_locale, (void *)(uintptr_t)&locales[1]),
        cmocka_unit_test_prestate(test_locale, (void *)(uintptr_t)&locales[2]),
        cmocka_unit_test(test_thread),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
