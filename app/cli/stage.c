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

/* ---- Many ranks ---- */

static bool is_set_to(const config_table *t, const void *config, const char *key, const char *value)
{
    char *text = config_value(config_find(t, key), config);
    bool same = text && !strcmp(text, value);
    free(text);
    return same;
}

static dtype compressed_type(const config_table *t, const void *config)
{
    static const struct {
        const char *value;
        dtype type;
    } types[] = { { "f169", DTYPE_F169 }, { "f16", DTYPE_F16 }, { "bf16", DTYPE_BF16 } };
    for (size_t i = 0; i < sizeof types / sizeof *types; ++i)
        if (is_set_to(t, config, "compress_type", types[i].value)) return types[i].type;
    return DTYPE_F32;
}

/* Puts the parts of all ranks into the settings, and takes the compression out of them. */
static bool share_out(const model_kind *k, void *config, scale_job *job, error *err)
{
    const config_table *t = k->settings;
    const int64_t batch = kinds_setting(k, config, "batch");
    char parts[64];
    job->parts = kinds_setting(k, config, "accumulate");
    job->rank = is_set_to(t, config, "compress", "powersgd") ? kinds_setting(k, config, "rank") : 0;
    job->compressed = compressed_type(t, config);
    if (job->shards == 1) job->shards = kinds_setting(k, config, "shards");
    const int64_t all = job->parts * job->ranks;
    if (batch % all)
        return error_set(
            err, ERROR_USAGE,
            "%s: batch %lld is not divisible by %lld, the parts of %lld ranks with accumulate %lld; use "
            "--set batch=%lld",
            k->name, (long long)batch, (long long)all, (long long)job->ranks, (long long)job->parts,
            (long long)((batch / all + 1) * all));
    snprintf(parts, sizeof parts, "accumulate=%lld", (long long)all);
    return config_assign(t, config, parts, "--ranks", err) &&
           config_assign(t, config, "shards=1", "--shards", err) &&
           (!job->rank || config_assign(t, config, "compress=none", "--ranks", err));
}

/* ---- The step ---- */

/* The kind's settings, to be freed, and what its step must be given; NULL with an error. */
static void *settings_of(const cli_call *call, const model_kind *k, int64_t given[KIND_GIVEN], error *err)
{
    train_request r = { .preset = cli_text(call, "preset"), .seed = -1 };
    r.sets = cli_list(call, "set", &r.set_count);
    if (!k->step)
        return error_null(err, ERROR_USAGE, "%s: a %s has no step that stands alone",
                          cli_call_command(call)->name, k->title);
    void *config = calloc(1, k->settings->size);
    if (!config) return error_null(err, ERROR_MEMORY, "out of memory for the settings of '%s'", k->name);
    for (int i = 0; k->given && k->given[i].name; ++i) given[i] = cli_int(call, k->given[i].name);
    if (request_config(&r, k->settings, config, err)) {
        if (k->fit) k->fit(config, USUAL_PICTURES);
        return config;
    }
    free(config);
    return NULL;
}

workload *stage_open_job(const cli_call *call, device *d, int64_t *batch, scale_job *job, error *err)
{
    const model_kind *k = stage_kind(call, err);
    int64_t given[KIND_GIVEN] = { 0 };
    workload *w = NULL;
    void *config = k ? settings_of(call, k, given, err) : NULL;
    if (config) *batch = kinds_setting(k, config, "batch");
    if (config && (!job || share_out(k, config, job, err))) w = k->step(d, config, given, err);
    free(config);
    return w;
}

bool stage_room(const cli_call *call, device *d, int64_t bytes, error *advice, error *err)
{
    const model_kind *k = stage_kind(call, err);
    int64_t given[KIND_GIVEN] = { 0 };
    void *config = k ? settings_of(call, k, given, err) : NULL;
    const room_step step = { k, d, config, given, 1 };
    if (config) room_advise(&step, bytes, advice);
    free(config);
    return config != NULL;
}

workload *stage_open(const cli_call *call, device *d, int64_t *batch, error *err)
{
    return stage_open_job(call, d, batch, NULL, err);
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
