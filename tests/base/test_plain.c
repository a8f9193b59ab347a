/* test_plain.c -- what a terminal would obey reaches neither errors nor the log, whatever names a file holds.
 * SPDX-License-Identifier: MIT */
#include "host/base/error.h"
#include "host/base/log.h"
#include "host/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const struct {
    const char *text, *plain;
} cases[] = {
    { "", "" },
    { "a cat\n\tand \xc3\xbc \xe7\x8c\xab \xf0\x9f\x98\x80",
      "a cat\n\tand \xc3\xbc \xe7\x8c\xab \xf0\x9f\x98\x80" },
    { "\x1b[2J\x07\r\x7f", "?[2J???" },
    { "\xc2\x9b"
      "31m\xc2\x80\xc2\x9f\xc2\xa0",
      "??31m????\xc2\xa0" }, /* the controls of two bytes, and the first character behind them */
    { "\x9b"
      "2J\x80\x9f\xa0\xff",
      "?2J??\xa0\xff" },        /* alone they are no UTF-8, but some terminals obey them */
    { "\xe7\x8c", "\xe7?" },    /* cut within a character */
    { "caf\xe9 ", "caf\xe9 " }, /* Latin-1, as old file names have */
    { "\xc2", "\xc2" },
};

static void control_characters(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char text[64];
        strcpy(text, cases[i].text);
        assert_ptr_equal(utf8_plain(text), text);
        assert_string_equal(text, cases[i].plain);
        for (char *c = text; *c; ++c)
            if (*c == '\t' || *c == '\n') *c = '?';
        char line[64];
        strcpy(line, cases[i].text);
        assert_string_equal(utf8_plain_line(line), text);
    }
    char text[2] = { 0, 0 };
    for (int c = 1; c < 256; ++c) {
        text[0] = (char)c;
        bool kept = utf8_plain(text)[0] == (char)c;
        assert_int_equal(kept, c == '\t' || c == '\n' || c == '?' || (c >= ' ' && c < 0x7f) || c >= 0xa0);
    }
}

static void errors(void **state)
{
    (void)state;
    error err = { 0 };
    error_set(&err, ERROR_FORMAT, "tensor '%s'", "\x1b]0;mine\x07");
    assert_string_equal(err.message, "tensor '?]0;mine?'");
    error_prefix(&err, "%s", "a\x9b.tar");
    assert_string_equal(err.message, "a?.tar: tensor '?]0;mine?'");
}

static void keep_line(void *context, log_level level, const char *line)
{
    (void)level;
    snprintf(context, 64, "%s", line);
}

static void sinks(void **state)
{
    (void)state;
    char line[64];
    log_set_sink(keep_line, line);
    log_warn("'%s' is left out", "\x1b[31ma.png");
    log_set_sink(NULL, NULL);
    assert_string_equal(line, "'?[31ma.png' is left out");
}

/* Lines of any length, on standard error. */
static void lines(void **state)
{
    (void)state;
    char name[5000], read[5200];
    memset(name, 'x', sizeof name);
    name[0] = '\x1b';
    name[4998] = '\x07';
    name[4999] = 0;
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);
    assert_true(file && kept >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    log_warn("%s", "\x1b[2J");
    log_info("%s", name);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    size_t size = fread(read, 1, sizeof read - 1, file);
    read[size] = 0;
    fclose(file);
    assert_int_equal(size, strlen("warning: ?[2J\n") + 4999 + 1);
    assert_memory_equal(read, "warning: ?[2J\n?xxx", 18);
    assert_string_equal(read + size - 4, "xx?\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters),
        cmocka_unit_test(errors),
        cmocka_unit_test(sinks),
        cmocka_unit_test(lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
