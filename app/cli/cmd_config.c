/* cmd_config.c -- `dalle-cl config`: the settings of a model and its presets.
 * SPDX-License-Identifier: MIT */
#include "app/cli/stage.h"

#include "host/base/embedded.h"
#include "host/base/json_tree.h"

#include <stdlib.h>
#include <string.h>

/* ---- As JSON ---- */

static json_t *value_json(const config_field *f, const void *config)
{
    const void *at = (const char *)config + f->offset;
    if (f->type == CONFIG_TYPE_INT) return json_integer(*(const int64_t *)at);
    if (f->type == CONFIG_TYPE_REAL) return json_real(*(const double *)at);
    if (f->type == CONFIG_TYPE_BOOL) return json_boolean(*(const bool *)at);
    if (f->type == CONFIG_TYPE_TEXT) return json_tree_string(at);
    char *word = config_value(f, config);
    json_t *value = word ? json_tree_string(word) : NULL;
    free(word);
    return value;
}

static json_t *choices_json(const char *choices)
{
    json_t *list = json_array();
    for (const char *at = choices; *at; at += *at == '|') {
        size_t length = strcspn(at, "|");
        json_tree_add(&list, json_stringn(at, length));
        at += length;
    }
    return list;
}

static json_t *bound_json(const config_field *f, double bound)
{
    return f->type == CONFIG_TYPE_INT ? json_integer((json_int_t)bound) : json_real(bound);
}

static json_t *field_json(const config_field *f, const void *config)
{
    static const char *const types[] = { [CONFIG_TYPE_INT] = "integer",
                                         [CONFIG_TYPE_REAL] = "number",
                                         [CONFIG_TYPE_BOOL] = "boolean",
                                         [CONFIG_TYPE_CHOICE] = "choice",
                                         [CONFIG_TYPE_TEXT] = "text" };
    json_t *o = json_pack("{s:s, s:s, s:s}", "key", f->key, "type", types[f->type], "help", f->help);
    json_tree_put(&o, "value", value_json(f, config));
    if (f->type == CONFIG_TYPE_INT || f->type == CONFIG_TYPE_REAL) {
        json_tree_put(&o, "least", bound_json(f, f->low));
        json_tree_put(&o, "most", bound_json(f, f->high));
    }
    if (f->type == CONFIG_TYPE_CHOICE) json_tree_put(&o, "choices", choices_json(f->choices));
    return o;
}

static bool print_json(const config_table *table, const void *config, const char *model, error *err)
{
    const char **names = preset_names(model);
    json_t *o = names ? json_pack("{s:s}", "model", model) : NULL, *presets = json_array(),
           *settings = json_array();
    for (int i = 0; names && names[i]; ++i) json_tree_add(&presets, json_string(names[i]));
    for (int i = 0; i < table->count; ++i) json_tree_add(&settings, field_json(&table->fields[i], config));
    json_tree_put(&o, "presets", presets);
    json_tree_put(&o, "settings", settings);
    free(names);
    char *line = json_tree_text(o, JSON_COMPACT | JSON_REAL_PRECISION(15), "settings as JSON", err);
    if (!line) return false;
    puts(line);
    free(line);
    return true;
}

/* ---- As text ---- */

static bool print_text(const config_table *table, const void *config, const char *model, error *err)
{
    char *text = config_format(table, config);
    if (!text) return error_set(err, ERROR_MEMORY, "out of memory for the settings of '%s'", model);
    fputs(text, stdout);
    free(text);
    return true;
}

static bool print_resolved(const cli_call *call, const config_table *table, const char *model,
                           const char *preset, error *err)
{
    void *config = calloc(1, table->size);
    if (!config) return error_set(err, ERROR_MEMORY, "out of memory for %zu bytes of settings", table->size);
    config_defaults(table, config);
    bool ok = !preset || preset_read(table, preset, config, err);
    int count;
    const char *const *sets = cli_list(call, "set", &count);
    for (int i = 0; ok && i < count; ++i) ok = config_assign(table, config, sets[i], "--set", err);
    if (ok) ok = (cli_flag(call, "json") ? print_json : print_text)(table, config, model, err);
    free(config);
    return ok;
}

static bool print_reference(const config_table *table, const char *model, error *err)
{
    char *help = config_help(table);
    if (!help) return error_set(err, ERROR_MEMORY, "out of memory for the settings of '%s'", model);
    const char **names = preset_names(model);
    if (!names) {
        free(help);
        return error_set(err, ERROR_MEMORY, "out of memory for the presets of '%s'", model);
    }
    printf("Presets of %s:\n", model);
    for (int i = 0; names[i]; ++i) {
        char path[160];
        snprintf(path, sizeof path, "%s/presets/%s.cfg", model, names[i]);
        const embedded_file *file = embedded_find(path);
        /* A preset's first line says what it is. */
        const char *text = file ? (const char *)file->bytes : "";
        int line = *text == '#' ? (int)strcspn(text, "\n") - 1 : 0;
        printf("  %-14s%.*s\n", names[i], line, text + (*text == '#'));
    }
    free(names);
    printf("\nSettings of %s, for --set key=value or a .cfg file for --preset:\n%s", model, help);
    free(help);
    return true;
}

static bool run_config(const cli_call *call, error *err)
{
    const model_kind *k = stage_kind(call, err);
    const char *preset = cli_text(call, "preset");
    if (!k) return false;
    if (preset || cli_given(call, "set") || cli_flag(call, "json"))
        return print_resolved(call, k->settings, k->name, preset, err);
    return print_reference(k->settings, k->name, err);
}

static const cli_option options[] = {
    { "preset", 'p', CLI_TEXT, "NAME", NULL, 0, 0, "print this preset, or .cfg file, with every setting" },
    { "set", 's', CLI_LIST, "KEY=VALUE", NULL, 0, 0, "change a setting" },
};

const cli_command cmd_config = {
    .name = "config",
    .summary = "show a model's presets and settings",
    .least = 1,
    .most = 1,
    .example = "dalle-cl config dvae\n"
               "dalle-cl config prior --preset emoji > mine.cfg",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_config,
    .fill = stage_fill_kinds,
};
