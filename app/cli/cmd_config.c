/* cmd_config.c -- `dalle-cl config`: the settings of a model and its presets.
 * SPDX-License-Identifier: MIT */
#include "app/cli/stage.h"

#include "host/base/embedded.h"

#include <stdlib.h>
#include <string.h>

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
    char *text = ok ? config_format(table, config) : NULL;
    if (ok && !text) ok = error_set(err, ERROR_MEMORY, "out of memory for the settings of '%s'", model);
    if (ok) fputs(text, stdout);
    free(text);
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
    if (preset || cli_given(call, "set")) return print_resolved(call, k->settings, k->name, preset, err);
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
