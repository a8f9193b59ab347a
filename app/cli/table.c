/* table.c -- the commands, in the order in which help shows them; what the table of model kinds says of them
 * is put in when they are first asked for.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"

#include "models/kinds.h"

#include <stdarg.h>
#include <stddef.h>

#define COMMANDS(X) \
    X(generate) \
    X(vary) \
    X(mix) \
    X(edit) \
    X(inpaint) \
    X(devices) \
    X(data_emoji) \
    X(data_pictures) \
    X(data_captions) \
    X(data_info) \
    X(data_check) \
    X(data_stats) \
    X(data_preview) \
    X(data_filter) \
    X(data_pack) \
    X(data_index) \
    X(tokenizer_train) \
    X(tokenizer_encode) \
    X(tokenizer_decode) \
    X(tokenizer_info) \
    X(train) \
    X(watch) \
    X(report) \
    X(pack) \
    X(encode) \
    X(decode) \
    X(reconstruct) \
    X(score) \
    X(classify) \
    X(find) \
    X(eval) \
    X(info) \
    X(config) \
    X(plan) \
    X(bench) \
    X(tune) \
    X(completion) \
    X(man)

#define DECLARE(name) extern const cli_command cmd_##name;
COMMANDS(DECLARE)

#define ADDRESS(name) &cmd_##name,
static const cli_command *const written[] = { COMMANDS(ADDRESS) };

enum { MOST = 128, POOL = 1 << 16 };

/* ---- Memory for what is made, as large as the program may need: no start fails for lack of it ---- */

static _Alignas(max_align_t) char pool[POOL];
static size_t used;

void *cli_lasting(size_t bytes)
{
    enum { UNIT = sizeof(max_align_t) };
    char *at = pool + used;
    CHECK(bytes <= POOL - used, "%zu bytes more for the commands, of %d", bytes, POOL);
    used += (bytes + UNIT - 1) / UNIT * UNIT;
    return at;
}

const char *cli_lasting_text(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int length = vsnprintf(pool + used, POOL - used, format, list);
    va_end(list);
    return cli_lasting((size_t)length + 1);
}

const cli_option *cli_join_options(const cli_option *a, int a_count, const cli_option *b, int b_count)
{
    cli_option *all = cli_lasting((size_t)(a_count + b_count) * sizeof *all);
    for (int i = 0; i < a_count; ++i) all[i] = a[i];
    for (int i = 0; i < b_count; ++i) all[a_count + i] = b[i];
    return all;
}

/* ---- The table ---- */

static cli_command made[MOST];
static const cli_command *table[MOST + 1];
static int count;

static void add(const cli_command *c, const model_kind *kind)
{
    CHECK(count < MOST, "more than %d commands", MOST);
    made[count] = *c;
    made[count].kind = kind;
    if (c->fill) c->fill(&made[count]);
    table[count] = &made[count];
    ++count;
}

static void fill_table(void)
{
    for (size_t i = 0; i < sizeof written / sizeof *written; ++i) {
        const cli_command *c = written[i];
        if (!c->each_kind) add(c, NULL);
        for (int k = 0; c->each_kind && model_kinds[k]; ++k)
            if (model_kinds[k]->train) add(c, model_kinds[k]);
    }
}

const cli_command *const *cli_commands(void)
{
    if (count == 0) fill_table();
    return table;
}
