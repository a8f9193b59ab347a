/* fuzz_config.c -- settings as text: what is read is written so that it reads the same, and what is refused
 * leaves the settings as they were.
 * SPDX-License-Identifier: MIT */
#include "host/base/config.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

typedef struct settings {
    int64_t layers, seed;
    double rate;
    bool deep;
    unsigned kind;
    char data[CONFIG_TEXT_SIZE], note[CONFIG_TEXT_SIZE];
} settings;

#define FIELD(type, key, value, low, high, choices) \
    { \
        CONFIG_TYPE_##type, #key, offsetof(settings, key), value, low, high, choices, "help" \
    }
static const config_field fields[] = {
    FIELD(INT, layers, "4", 1, 100, NULL),
    FIELD(INT, seed, "0", 0, 9007199254740992.0, NULL),
    FIELD(REAL, rate, "3e-4", 0, 1e30, NULL),
    FIELD(BOOL, deep, "no", 0, 0, NULL),
    FIELD(CHOICE, kind, "vq", 0, 0, "gumbel|vq|none"),
    FIELD(TEXT, data, "", 0, 0, NULL),
    FIELD(TEXT, note, "", 0, 0, NULL),
};
static const config_table table = { "fuzz", fields, sizeof fields / sizeof *fields, sizeof(settings), NULL };

static void check_same(const settings *a, const settings *b, const char *what)
{
    for (int i = 0; i < table.count; ++i) fuzz_must(config_same(&fields[i], a, b), what);
}

static void write_back(const settings *s)
{
    error err = { 0 };
    settings again;
    char *text = config_format(&table, s);
    config_defaults(&table, &again);
    fuzz_must(text && config_parse(&table, &again, text, NULL, &err),
              "settings are read as they are written");
    check_same(s, &again, "settings that are written and read stay the same");
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    settings s, before;
    error err = { 0 };
    config_defaults(&table, &s);
    before = s;
    if (config_read(&table, &s, fuzz_file(data, size), &err)) {
        write_back(&s);
    } else {
        fuzz_refused(&err);
        check_same(&s, &before, "refused settings are as before");
    }
    char *text = fuzz_text(data, size);
    if (config_assign(&table, &s, text, "--set", &err))
        write_back(&s);
    else
        fuzz_refused(&err);
    free(text);
    return 0;
}
