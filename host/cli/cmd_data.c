/* cmd_data.c -- `dalle-cl data info` and `data captions`: what a set of pictures with captions holds.
 * SPDX-License-Identifier: MIT */
#include "host/cli/cli.h"

#include "data/dataset.h"
#include "host/base/json_tree.h"
#include "host/base/utf8.h"

#include <stdlib.h>
#include <string.h>

static dataset *open_arguments(const cli_call *call, bool need_captions, error *err)
{
    int count = cli_argument_count(call);
    const char **paths = malloc((size_t)count * sizeof *paths);
    if (!paths) return error_null(err, ERROR_MEMORY, "out of memory for %d paths", count);
    for (int i = 0; i < count; ++i) paths[i] = cli_argument(call, i);
    dataset *d = dataset_open(paths, count, need_captions, err);
    free(paths);
    return d;
}

/* Adds one to the count of `name` in an object. */
static void count_in(json_t **object, const char *name)
{
    const char *key = *name ? name : "(none)";
    json_tree_put(object, key, json_integer(json_integer_value(json_object_get(*object, key)) + 1));
}

/* Reads every picture, so that a broken one is found before a training finds it. */
static bool check_pictures(const dataset *d, json_t **sizes, error *err)
{
    for (int64_t i = 0; i < dataset_count(d); ++i) {
        image picture = { 0 };
        if (*cli_interrupted())
            return error_set(err, ERROR_INTERRUPTED, "stopped after %lld pictures", (long long)i);
        if (!dataset_read_picture(d, i, &picture, err)) return false;
        char size[48];
        snprintf(size, sizeof size, "%dx%d", picture.width, picture.height);
        count_in(sizes, size);
        image_free(&picture);
    }
    return true;
}

static json_t *describe(const dataset *d)
{
    json_t *splits = json_object();
    int64_t captions = 0, keywords = 0;
    size_t longest = 0;
    for (int64_t i = 0; i < dataset_count(d); ++i) {
        const dataset_sample *s = dataset_at(d, i);
        count_in(&splits, s->split);
        captions += *s->caption != '\0';
        keywords += s->keyword_count;
        for (int c = 0; c < s->caption_count; ++c)
            if (strlen(s->captions[c]) > longest) longest = strlen(s->captions[c]);
    }
    char hash[65];
    dataset_hash(d, hash);
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:s}", "pictures", (json_int_t)dataset_count(d), "captions",
                     (json_int_t)captions, "keywords", (json_int_t)keywords, "longest_caption_bytes",
                     (json_int_t)longest, "splits", splits, "hash", hash);
}

static void print_people(const json_t *o, const char *indent)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)o, key, value)
    {
        if (json_is_object(value)) {
            printf("%s%s:\n", indent, key);
            print_people(value, "  ");
        } else if (json_is_string(value)) {
            printf("%s%s: %s\n", indent, key, json_string_value(value));
        } else {
            printf("%s%s: %lld\n", indent, key, (long long)json_integer_value(value));
        }
    }
}

static bool run_info(const cli_call *call, error *err)
{
    dataset *d = open_arguments(call, false, err);
    if (!d) return false;
    json_t *o = describe(d), *sizes = json_object();
    bool ok = true;
    cli_catch_interrupts();
    if (!cli_flag(call, "fast")) {
        ok = check_pictures(d, &sizes, err);
        json_tree_put(&o, "sizes", json_incref(sizes));
    }
    if (ok && !o) ok = error_set(err, ERROR_MEMORY, "out of memory for a description of the set");
    char *text = NULL;
    if (ok && cli_flag(call, "json"))
        ok = (text = json_tree_text(json_incref(o), JSON_INDENT(2), "a description of the set", err)) != NULL;
    else if (ok)
        print_people(o, "");
    if (text) puts(text);
    free(text);
    json_decref(o);
    json_decref(sizes);
    dataset_close(d);
    return ok;
}

static json_t *text_list(const char *const *texts, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; ++i) json_tree_add(&list, json_string(texts[i]));
    return list;
}

static bool print_sample(const dataset_sample *s, error *err)
{
    /* All but the key was checked when the set was read. */
    if (utf8_check(s->key) >= 0)
        return error_set(err, ERROR_FORMAT, "sample '%s' is not valid UTF-8, which JSON needs", s->key);
    json_t *o =
        json_pack("{s:s, s:s, s:o, s:s, s:s, s:o, s:i}", "key", s->key, "caption", s->caption, "captions",
                  text_list(s->captions, s->caption_count), "split", s->split, "group", s->group, "keywords",
                  text_list(s->keywords, s->keyword_count), "repeat", s->repeat);
    char *line = json_tree_text(o, JSON_COMPACT, "a sample as JSON", err);
    if (line) puts(line);
    free(line);
    return line != NULL;
}

/* One line whatever the caption holds. */
static void print_caption(const char *caption)
{
    for (const char *c = caption; *c; ++c) putchar(*c == '\n' || *c == '\r' ? ' ' : *c);
    putchar('\n');
}

static bool print_captions(const cli_call *call, const dataset *d, const dataset_selection *s, error *err)
{
    for (int64_t i = 0; i < s->count; ++i) {
        const dataset_sample *sample = dataset_at(d, s->index[i]);
        if (i > 0 && s->index[i] == s->index[i - 1]) continue; /* a repeat */
        if (cli_flag(call, "json") && !print_sample(sample, err)) return false;
        for (int c = 0; !cli_flag(call, "json") && c < sample->caption_count; ++c)
            print_caption(sample->captions[c]);
    }
    return true;
}

static bool run_captions(const cli_call *call, error *err)
{
    dataset *d = open_arguments(call, true, err);
    if (!d) return false;
    dataset_selection selection = { 0 };
    bool ok = dataset_select(d, cli_text(call, "split"), 0, 0, false, &selection, err) &&
              print_captions(call, d, &selection, err);
    dataset_selection_free(&selection);
    dataset_close(d);
    return ok;
}

static const cli_option info_options[] = {
    { "fast", 0, CLI_FLAG, NULL, NULL, 0, 0, "do not read the pictures themselves" },
};
static const cli_option captions_options[] = {
    { "split", 0, CLI_TEXT, "NAME", NULL, 0, 0, "only samples of this split; otherwise all" },
};

const cli_command cmd_data_info = {
    .name = "data info",
    .summary = "describe a set of pictures with captions, and read every picture to see that it can be",
    .arguments = "TAR|FOLDER...",
    .least = 1,
    .most = -1,
    .example = "dalle-cl data info emoji.tar",
    .text = "A set is a WebDataset tar or a folder: name.png or name.jpg, name.txt with the caption, and "
            "perhaps\n"
            "name.json with \"split\", \"group\", \"keywords\", \"captions\" and \"repeat\".  Of several "
            "captions each\n"
            "stands on a line of its own.",
    .options = info_options,
    .option_count = (int)(sizeof info_options / sizeof *info_options),
    .run = run_info,
};

const cli_command cmd_data_captions = {
    .name = "data captions",
    .summary = "print a set's captions, one a line (with --json: all that is known of each sample)",
    .arguments = "TAR|FOLDER...",
    .least = 1,
    .most = -1,
    .example = "dalle-cl data captions emoji.tar --split train > captions.txt",
    .options = captions_options,
    .option_count = (int)(sizeof captions_options / sizeof *captions_options),
    .run = run_captions,
};
