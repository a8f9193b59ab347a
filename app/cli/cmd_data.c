/* cmd_data.c -- `dalle-cl data info` and `data captions`: what a set of pictures with captions holds.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "app/cli/print.h"
#include "app/cli/sets.h"

#include "data/dataset_paths.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"
#include "host/base/utf8.h"
#include "models/kinds.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_LISTED 50 /* files, for people */

/* Adds one to the count of `name` in an object. */
static void count_in(json_t **object, const char *name)
{
    const char *key = *name ? name : "(none)";
    json_tree_put(object, key, json_integer(json_integer_value(json_object_get(*object, key)) + 1));
}

/* What reading every picture tells. */
typedef struct findings {
    json_t *sizes;  /* how many there are of each */
    json_t *broken; /* {"key", "problem"} of those that cannot be read */
} findings;

/* False only where reading has to stop: what is wrong with one picture is noted. */
static bool check_picture(const dataset *d, int64_t i, findings *f, error *err)
{
    image picture = { 0 };
    error problem = { 0 };
    if (dataset_read_picture(d, i, &picture, &problem)) {
        char size[48];
        snprintf(size, sizeof size, "%dx%d", picture.width, picture.height);
        count_in(&f->sizes, size);
        image_free(&picture);
        return true;
    }
    if (problem.code != ERROR_FORMAT && problem.code != ERROR_IO) {
        *err = problem;
        return false;
    }
    dataset_sample known;
    if (!dataset_read(d, i, &known, err)) return false;
    json_t *o = json_object();
    json_tree_put(&o, "key", json_tree_string(known.key));
    dataset_sample_free(&known);
    json_tree_put(&o, "problem", json_tree_string(problem.message));
    json_tree_add(&f->broken, o);
    return true;
}

/* Reads every picture, so that broken ones are found before a training finds them. */
static bool check_pictures(const dataset *d, findings *f, error *err)
{
    for (int64_t i = 0; i < dataset_count(d); ++i) {
        if (*cli_interrupted())
            return error_set(err, ERROR_INTERRUPTED, "stopped after %lld pictures", (long long)i);
        if (!check_picture(d, i, f, err)) return false;
    }
    return true;
}

static json_t *list_left_out(const dataset *d)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < dataset_left_out(d); ++i)
        json_tree_add(&list, json_tree_string(dataset_left_out_at(d, i)));
    return list;
}

/* `first`: the key of the first picture without a caption, which kinds that learn captions leave out, to be
 * freed.  NULL with *err, which has no code before, where a sample cannot be read. */
static json_t *describe(const dataset *d, char **first, error *err)
{
    json_t *splits = json_object();
    int64_t captions = 0, keywords = 0, missing = 0, empty = 0;
    size_t longest = 0;
    *first = NULL;
    for (int64_t i = 0; i < dataset_count(d); ++i) {
        dataset_sample s;
        if (!dataset_read(d, i, &s, err)) break;
        count_in(&splits, s.split);
        captions += s.caption_count;
        keywords += s.keyword_count;
        if (s.caption_count == 0) ++*(s.captioned ? &empty : &missing);
        if (s.caption_count == 0 && !*first && !(*first = strdup(s.key)))
            error_set(err, ERROR_MEMORY, "out of memory for a sample's name");
        for (int c = 0; c < s.caption_count; ++c)
            if (strlen(s.captions[c]) > longest) longest = strlen(s.captions[c]);
        dataset_sample_free(&s);
    }
    if (err->code) return json_decref(splits), NULL;
    char hash[65];
    dataset_hash(d, hash);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:s, s:o}", "pictures",
                     (json_int_t)dataset_count(d), "captions", (json_int_t)captions, "missing_captions",
                     (json_int_t)missing, "empty_captions", (json_int_t)empty, "keywords",
                     (json_int_t)keywords, "longest_caption_bytes", (json_int_t)longest, "splits", splits,
                     "hash", hash, "left_out", list_left_out(d));
}

/* The first of a list's members, one a line, and how many more there are. */
static void print_list(const char *indent, const char *name, const json_t *list)
{
    size_t count = json_array_size(list), shown = count < MOST_LISTED ? count : MOST_LISTED;
    print_line(stdout, "%s%s: %zu", indent, name, count);
    for (size_t i = 0; i < shown; ++i) {
        const json_t *member = json_array_get(list, i);
        const char *text =
            json_string_value(json_is_object(member) ? json_object_get(member, "problem") : member);
        print_line(stdout, "%s  %s", indent, text);
    }
    if (count > shown) print_line(stdout, "%s  and %zu more, which --json lists", indent, count - shown);
}

static void print_people(const json_t *o, const char *indent)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)o, key, value)
    {
        if (json_is_object(value)) {
            print_line(stdout, "%s%s:", indent, key);
            print_people(value, "  ");
        } else if (json_is_array(value)) {
            print_list(indent, key, value);
        } else if (json_is_string(value)) {
            print_line(stdout, "%s%s: %s", indent, key, json_string_value(value));
        } else {
            print_line(stdout, "%s%s: %lld", indent, key, (long long)json_integer_value(value));
        }
    }
}

static bool print_info(const cli_call *call, json_t *o, error *err)
{
    if (!o) return error_set(err, ERROR_MEMORY, "out of memory for a description of the set");
    if (!cli_flag(call, "json")) return print_people(o, ""), true;
    char *text = json_tree_text(json_incref(o), JSON_INDENT(2), "a description of the set", err);
    if (text) puts(text);
    free(text);
    return text != NULL;
}

static void warn_captionless(const char *first)
{
    char kinds[200] = "";
    for (int i = 0, used = 0; model_kinds[i]; ++i)
        if (model_kinds[i]->captions && used < (int)sizeof kinds)
            used += snprintf(kinds + used, sizeof kinds - (size_t)used, "%s%s", used ? ", " : "",
                             model_kinds[i]->name);
    log_warn("'train' leaves out pictures without a caption, such as '%s', for: %s", first, kinds);
}

static bool run_info(const cli_call *call, error *err)
{
    dataset *d = sets_open(call, false, err);
    if (!d) return false;
    char *first;
    error why = { 0 };
    json_t *o = describe(d, &first, &why);
    if (why.code) {
        *err = why;
        free(first);
        dataset_close(d);
        return false;
    }
    findings f = { json_object(), json_array() };
    bool ok = true;
    cli_catch_interrupts();
    if (!cli_flag(call, "fast")) {
        ok = check_pictures(d, &f, err);
        json_tree_put(&o, "sizes", json_incref(f.sizes));
        json_tree_put(&o, "broken", json_incref(f.broken));
    }
    size_t broken = json_array_size(f.broken);
    ok = ok && print_info(call, o, err);
    if (ok && first) warn_captionless(first);
    if (ok && broken)
        ok = error_set(err, ERROR_FORMAT, "%zu of %lld pictures cannot be read", broken,
                       (long long)dataset_count(d));
    json_decref(o);
    json_decref(f.sizes);
    json_decref(f.broken);
    free(first);
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
    char line[DATASET_MAX_CAPTION + 1], *to = line;
    for (const char *c = caption; *c; ++c) *to++ = *c == '\n' || *c == '\r' ? ' ' : *c;
    *to = '\0';
    puts(isatty(STDOUT_FILENO) ? utf8_plain(line) : line);
}

static bool print_captions(const cli_call *call, const dataset *d, const dataset_selection *s, error *err)
{
    for (int64_t i = 0; i < s->count; ++i) {
        int64_t index = dataset_selected(s, i);
        if (i > 0 && index == dataset_selected(s, i - 1)) continue; /* a repeat */
        dataset_sample sample;
        if (!dataset_read(d, index, &sample, err)) return false;
        bool json = cli_flag(call, "json"), ok = !json || print_sample(&sample, err);
        for (int c = 0; !json && c < sample.caption_count; ++c) print_caption(sample.captions[c]);
        dataset_sample_free(&sample);
        if (!ok) return false;
    }
    return true;
}

static bool run_captions(const cli_call *call, error *err)
{
    dataset *d = sets_open(call, true, err);
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
    .arguments = "SET...",
    .least = 1,
    .most = -1,
    .example = "dalle-cl data info emoji.tar",
    .text =
        "A set is a WebDataset tar or a folder: name.png or name.jpg, name.txt with the caption, and "
        "perhaps\n"
        "name.json with \"split\", \"group\", \"keywords\", \"captions\" and \"repeat\".  Of several "
        "captions each\n"
        "stands on a line of its own.  Or it is a folder of tars, shard-{000..099}.tar, a CSV or TSV with "
        "columns\n"
        "of paths and captions, or COCO's captions_*.json; 'x.tar?picture=input.jpg&caption=outputs.txt' "
        "names "
        "the\n"
        "parts of WebDataset's names (docs/data.md).  Pictures that cannot be read are listed; then the "
        "exit\n"
        "status is 1.",
    .options = info_options,
    .option_count = (int)(sizeof info_options / sizeof *info_options),
    .run = run_info,
};

const cli_command cmd_data_captions = {
    .name = "data captions",
    .summary = "print a set's captions, one a line (with --json: all that is known of each sample)",
    .arguments = "SET...",
    .least = 1,
    .most = -1,
    .example = "dalle-cl data captions emoji.tar --split train > captions.txt",
    .options = captions_options,
    .option_count = (int)(sizeof captions_options / sizeof *captions_options),
    .run = run_captions,
};
