/* cmd_info.c -- `dalle-cl info`: what is in a model folder, a run, or a safetensors file.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "app/cli/print.h"

#include "data/safetensors.h"
#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "models/kinds.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of a packed model's file: whether its kind says that the tensor is no parameter. */
static bool is_learnt(const safetensors *file, const char *name)
{
    const char *word = safetensors_metadata(file, "kind");
    const model_kind *kind = word ? kinds_find(word) : NULL;
    return kind && kind->is_learnt && kind->is_learnt(name);
}

/* Which kind of entry a tensor was: a checkpoint's parameters have moments, what has none is the model's
 * own state. */
static const char *group_of(const safetensors *file, bool checkpoint, const char *name)
{
    store_kind kin = store_kin_named(name);
    if (kin == STORE_AVERAGE) return "averages";
    if (kin != STORE_PARAMETER) return "moments";
    char mean[STORE_NAME_MAX];
    store_kin_name(STORE_MEAN, name, mean);
    bool state = checkpoint ? !safetensors_find(file, mean) : is_learnt(file, name);
    return state ? "state" : "parameters";
}

static bool has_moments(const safetensors *file)
{
    for (int i = 0; i < safetensors_count(file); ++i)
        if (store_kin_named(safetensors_at(file, i)->name) == STORE_MEAN) return true;
    return false;
}

static int64_t elements(const safetensors_tensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->rank; ++i) count *= t->dim[i];
    return count;
}

static json_t *tensor_json(const safetensors_tensor *t)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->rank; ++i) json_tree_add(&shape, json_integer(t->dim[i]));
    return json_pack("{s:s, s:s, s:o}", "name", t->name, "type", t->type_name, "shape", shape);
}

static void add_metadata(json_t **to, const safetensors *file, const char *key)
{
    const char *value = safetensors_metadata(file, key);
    if (value) json_tree_put(to, key, json_string(value));
}

/* Metadata that says how the file came about; the host state is the program's own business. */
static json_t *metadata_json(const safetensors *file)
{
    static const char *const before[] = { "format", "program", "kind",   "model",
                                          "step",   "preset",  "device", NULL },
                             *const behind[] = { "tokenizer", "validation", "config", SAFETENSORS_SUM, NULL };
    json_t *all = json_object();
    for (int i = 0; before[i]; ++i) add_metadata(&all, file, before[i]);
    for (int i = 0; model_kinds[i]; ++i) add_metadata(&all, file, model_kinds[i]->name); /* what it needs */
    for (int i = 0; behind[i]; ++i) add_metadata(&all, file, behind[i]);
    return all;
}

static json_t *file_json(const char *path, bool tensors, error *err)
{
    safetensors *file = safetensors_open_whole(path, NULL, err);
    if (!file) return NULL;
    json_t *groups = json_object(), *list = tensors ? json_array() : NULL;
    int64_t bytes = 0;
    bool checkpoint = has_moments(file);
    for (int i = 0; i < safetensors_count(file); ++i) {
        const safetensors_tensor *t = safetensors_at(file, i);
        const char *group = group_of(file, checkpoint, t->name);
        int64_t before = json_integer_value(json_object_get(groups, group));
        json_tree_put(&groups, group, json_integer(before + elements(t)));
        bytes += t->bytes;
        if (tensors) json_tree_add(&list, tensor_json(t));
    }
    json_t *o = json_pack("{s:o, s:i, s:I, s:o, s:o}", "file", json_tree_string(path), "tensors",
                          safetensors_count(file), "bytes", (json_int_t)bytes, "elements", groups, "metadata",
                          metadata_json(file));
    if (tensors) json_tree_put(&o, "list", list);
    safetensors_close(file);
    if (!o) error_set(err, ERROR_MEMORY, "out of memory for the content of '%s'", path);
    return o;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void forget_parts(char **names, int count)
{
    for (int i = 0; i < count; ++i) free(names[i]);
    free(names);
}

/* Names in the folder that end in .safetensors, sorted; each to be freed. */
static char **list_parts(const char *folder, int *count, error *err)
{
    DIR *dir = opendir(folder);
    if (!dir) return error_null(err, ERROR_IO, "cannot read folder '%s': %s", folder, strerror(errno));
    char **names = calloc(1, sizeof *names);
    *count = 0;
    for (struct dirent *e; names && (e = readdir(dir)) != NULL;) {
        const char *end = strrchr(e->d_name, '.');
        if (!end || strcmp(end, ".safetensors") != 0) continue;
        char **more = realloc(names, (size_t)(*count + 1) * sizeof *names);
        if (more) names = more;
        if (more && (names[*count] = strdup(e->d_name)) != NULL) {
            ++*count;
            continue;
        }
        forget_parts(names, *count);
        names = NULL;
    }
    closedir(dir);
    if (!names) return error_null(err, ERROR_MEMORY, "out of memory for the content of '%s'", folder);
    qsort(names, (size_t)*count, sizeof *names, by_text);
    return names;
}

/* Adds a JSON file of the folder under `key`, if there is one. */
static bool add_document(json_t **to, const char *folder, const char *name, const char *key, error *err)
{
    char *path = file_join(folder, name);
    if (!path) return error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", folder);
    file_kind kind;
    bool ok = file_look(path, &kind, err);
    if (ok && kind != FILE_ABSENT) {
        json_t *content = json_tree_open(path, err);
        ok = content != NULL;
        if (ok) json_tree_put(to, key, content);
    }
    free(path);
    return ok;
}

/* What a kind says of the settings in the file. */
static bool add_described(json_t **to, const model_kind *k, const char *path, error *err)
{
    void *config = calloc(1, k->settings->size);
    if (!config) error_set(err, ERROR_MEMORY, "out of memory for the settings in '%s'", path);
    if (config) config_defaults(k->settings, config);
    bool ok = config && config_read(k->settings, config, path, err);
    if (ok) k->describe(config, to);
    free(config);
    return ok;
}

static bool add_part(json_t **to, const model_kind *k, int number, const char *folder, error *err)
{
    char part[PART_NAME], name[PART_NAME + 8], *path;
    snprintf(name, sizeof name, "%s.cfg", part_name(k, number, part));
    if (!(path = file_join(folder, name)))
        return error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", folder);
    bool ok = !file_exists(path) || add_described(to, k, path, err);
    free(path);
    return ok;
}

/* What the kinds say of a packed model's parts: how it draws unless it is told otherwise. */
static bool add_parts(json_t **to, const char *folder, error *err)
{
    bool ok = true;
    for (int i = 0; ok && model_kinds[i]; ++i)
        for (int n = 0; ok && model_kinds[i]->describe && n < kinds_most(model_kinds[i]); ++n)
            ok = add_part(to, model_kinds[i], n, folder, err);
    return ok;
}

static json_t *folder_json(const char *folder, bool tensors, error *err)
{
    int count = 0;
    char **names = list_parts(folder, &count, err);
    if (!names) return NULL;
    json_t *all = json_object(), *parts = json_array();
    bool ok = add_document(&all, folder, "model.json", "model", err) &&
              add_document(&all, folder, "run.json", "run", err) && add_parts(&all, folder, err);
    if (ok && all && !count && json_object_size(all) == 0)
        ok = error_set(
            err, ERROR_USAGE,
            "'%s' is neither a model nor a run: it has no model.json, run.json or safetensors file", folder);
    for (int i = 0; i < count; ++i) {
        char *path = ok ? file_join(folder, names[i]) : NULL;
        json_t *part = path ? file_json(path, tensors, err) : NULL;
        if (ok && !path) error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", folder);
        ok = part != NULL;
        json_tree_add(&parts, part);
        free(path);
    }
    forget_parts(names, count);
    json_tree_put(&all, "parts", parts);
    if (ok && all) return all;
    json_decref(all);
    return ok ? error_null(err, ERROR_MEMORY, "out of memory for the content of '%s'", folder) : NULL;
}

/* ---- For people -------------------------------------------------------------------------------- */

static void print_indented(const char *text, const char *indent)
{
    while (*text) {
        int length = (int)strcspn(text, "\n");
        print_line(stdout, "%s%.*s", indent, length, text);
        text += length;
        if (*text) ++text;
    }
}

static bool print_value(const char *key, json_t *value, const char *indent, error *err)
{
    const char *text = json_string_value(value);
    if (text && strchr(text, '\n')) {
        print_line(stdout, "%s%s:", indent, key);
        print_indented(text, "      ");
    } else if (text) {
        print_line(stdout, "%s%s: %s", indent, key, text);
    } else {
        char *encoded = json_tree_text(json_incref(value), JSON_ENCODE_ANY | JSON_REAL_PRECISION(6),
                                       "a value as JSON", err);
        if (!encoded) return false;
        print_line(stdout, "%s%s: %s", indent, key, encoded);
        free(encoded);
    }
    return true;
}

static bool print_object(json_t *object, const char *indent, error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (!print_value(key, value, indent, err)) return false;
    }
    return true;
}

/* 53786240 as 53,786,240. */
static void grouped(int64_t number, char text[32])
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)number), at = 0;
    for (int i = 0; i < length; ++i) {
        if (i && (length - i) % 3 == 0) text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
}

static bool print_part(const json_t *part, error *err)
{
    const char *key;
    json_t *value;
    print_line(stdout, "%s: %.2f MB, %lld tensors", json_string_value(json_object_get(part, "file")),
               (double)json_integer_value(json_object_get(part, "bytes")) * 1e-6,
               (long long)json_integer_value(json_object_get(part, "tensors")));
    json_object_foreach(json_object_get(part, "elements"), key, value)
    {
        char number[32];
        grouped(json_integer_value(value), number);
        print_line(stdout, "  %s: %s", key, number);
    }
    if (!print_object(json_object_get(part, "metadata"), "  ", err)) return false;
    size_t index;
    json_array_foreach(json_object_get(part, "list"), index, value)
    {
        char *shape = json_tree_text(json_incref(json_object_get(value, "shape")), JSON_COMPACT,
                                     "a shape as JSON", err);
        if (!shape) return false;
        print_line(stdout, "    %s %s %s", json_string_value(json_object_get(value, "name")),
                   json_string_value(json_object_get(value, "type")), shape);
        free(shape);
    }
    return true;
}

static bool print_people(json_t *all, error *err)
{
    json_t *parts = json_object_get(all, "parts"), *part;
    const char *title;
    json_t *document;
    json_object_foreach(parts ? all : NULL, title, document)
    {
        if (document == parts) continue;
        print_line(stdout, "%s", title);
        if (!print_object(document, "  ", err)) return false;
    }
    size_t index;
    json_array_foreach(parts, index, part)
    {
        if (!print_part(part, err)) return false;
    }
    return parts || print_part(all, err);
}

static bool run_info(const cli_call *call, error *err)
{
    const char *path = cli_argument(call, 0);
    bool tensors = cli_flag(call, "tensors");
    json_t *all = file_is_folder(path) ? folder_json(path, tensors, err) : file_json(path, tensors, err);
    if (!all) return false;
    if (!cli_flag(call, "json")) {
        bool ok = print_people(all, err);
        json_decref(all);
        return ok;
    }
    char *text =
        json_tree_text(all, JSON_INDENT(2) | JSON_REAL_PRECISION(15), "the description as JSON", err);
    if (text) puts(text);
    free(text);
    return text != NULL;
}

static const cli_option options[] = {
    { "tensors", 't', CLI_FLAG, NULL, NULL, 0, 0, "list every tensor with type and shape" },
};

const cli_command cmd_info = {
    .name = "info",
    .summary = "show a model's, a run's or a safetensors file's parts, parameter counts and origin",
    .arguments = "FOLDER|FILE.safetensors",
    .least = 1,
    .most = 1,
    .example = "dalle-cl info models/demo",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_info,
};
