/* stage.c -- see stage.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/stage.h"

#include <stdlib.h>
#include <string.h>

/* For settings that a preset leaves to the set: here there is none. */
enum { USUAL_PICTURES = 500, OPTIONS_MOST = 34 };

const model_kind *stage_kind(const cli_call *call, error *err)
{
    const char *name = cli_argument(call, 0);
    const model_kind *k = kinds_find(name);
    char list[400];
    if (k) return k;
    kinds_list(list, sizeof list, ", ", kinds_count() == 2 ? " nor " : " or ");
    return error_null(err, ERROR_USAGE, "%s: '%s' is %s %s", cli_call_command(call)->name, name,
                      kinds_count() == 2 ? "neither" : "none of", list);
}

workload *stage_open(const cli_call *call, device *d, int64_t *batch, error *err)
{
    const model_kind *k = stage_kind(call, err);
    train_request r = { .preset = cli_text(call, "preset"), .seed = -1 };
    int64_t given[KIND_GIVEN] = { 0 };
    workload *w = NULL;
    void *config = k ? calloc(1, k->settings->size) : NULL;
    r.sets = cli_list(call, "set", &r.set_count);
    if (k && !k->step)
        error_set(err, ERROR_USAGE, "%s: a %s has no step that stands alone", cli_call_command(call)->name,
                  k->title);
    else if (k && !config)
        error_set(err, ERROR_MEMORY, "out of memory for the settings of '%s'", k->name);
    for (int i = 0; k && k->given && k->given[i].name; ++i) given[i] = cli_int(call, k->given[i].name);
    if (config && k->step && request_config(&r, k->settings, config, err)) {
        if (k->fit) k->fit(config, USUAL_PICTURES);
        *batch = kinds_setting(k, config, "batch");
        w = k->step(d, config, given, err);
    }
    free(config);
    return w;
}

/* ---- The command line ---- */

void stage_fill_kinds(cli_command *c)
{
    char list[400];
    kinds_list(list, sizeof list, "|", "|");
    c->arguments = cli_lasting_text("%s", list);
}

/* Two kinds may ask for a number of the same name: then it is one option, with the first one's range and
 * default. */
static void add_given(cli_option *all, int *count, const model_kind *k, const kind_given *g)
{
    for (int i = 0; i < *count; ++i) {
        if (strcmp(all[i].name, g->name) != 0) continue;
        all[i].help = cli_lasting_text("%s; %s: %s", all[i].help, k->name, g->help);
        return;
    }
    CHECK(*count < OPTIONS_MOST, "more than %d options of a step", OPTIONS_MOST);
    const char *help = cli_lasting_text("%s: %s", k->name, g->help);
    all[(*count)++] = (cli_option){ g->name, 0, CLI_INT, "N", g->value, g->low, g->high, help };
}

void stage_fill(cli_command *c)
{
    cli_option all[OPTIONS_MOST] = {
        { "preset", 'p', CLI_TEXT, "NAME", "paper", 0, 0, "whose settings (dalle-cl config lists them)" },
        { "set", 's', CLI_LIST, "KEY=VALUE", NULL, 0, 0, "a setting over the preset's; may be repeated" },
    };
    int count = 2;
    for (int i = 0; model_kinds[i]; ++i)
        for (const kind_given *g = model_kinds[i]->given; g && g->name; ++g)
            add_given(all, &count, model_kinds[i], g);
    stage_fill_kinds(c);
    c->options = cli_join_options(all, count, c->options, c->option_count);
    c->option_count += count;
}
