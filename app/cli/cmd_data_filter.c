/* cmd_data_filter.c -- `dalle-cl data filter`: the samples that are fit to learn from.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "app/cli/print.h"
#include "app/cli/sets.h"

#include "data/filter.h"
#include "data/language.h"
#include "data/shard_writer.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- What is asked for ---- */

static bool leave_out(const cli_call *call, filter_options *o, error *err)
{
    int count;
    const char *const *names = cli_list(call, "without", &count);
    for (int i = 0; i < count; ++i) {
        filter_rule r = filter_find(names[i]);
        char list[200] = "";
        for (int k = 0; k < FILTER_RULE_COUNT; ++k) {
            size_t used = strlen(list);
            snprintf(list + used, sizeof list - used, "%s%s", k ? ", " : "", filter_name((filter_rule)k));
        }
        if (r == FILTER_RULE_COUNT)
            return error_set(err, ERROR_USAGE, "data filter: --without '%s' is no rule; there are %s",
                             names[i], list);
        o->off[r] = true;
    }
    return true;
}

static bool read_options(const cli_call *call, filter_options *o, error *err)
{
    *o = filter_defaults();
    o->least_words = cli_int(call, "words");
    o->least_characters = cli_int(call, "characters");
    o->aspect = cli_real(call, "aspect");
    o->least_side = cli_int(call, "side");
    o->distance = cli_given(call, "duplicates") ? (int)cli_int(call, "duplicates") : -1;
    o->threads = (int)cli_int(call, "threads");
    o->interrupted = cli_interrupted();
    o->language = language_find(cli_text(call, "language"));
    if (!o->language)
        return error_set(err, ERROR_USAGE,
                         "data filter: no language '%s' is known; name it by its code, such as en",
                         cli_text(call, "language"));
    if (!cli_flag(call, "list") && !cli_require(call, "output", err)) return false;
    if (cli_flag(call, "list") && cli_given(call, "output"))
        return error_set(err, ERROR_USAGE,
                         "data filter: --list writes keys on standard output and no shards: leave out "
                         "--output, or --list");
    return leave_out(call, o, err);
}

/* ---- What stays ---- */

typedef struct sink {
    const dataset *set;
    shard_writer *shards; /* NULL: keys are listed */
    bool json;
} sink;

/* A line each; a key whose control characters matter is told by JSON. */
static bool list_key(const sink *to, const char *key, error *err)
{
    if (to->json) return sets_print(json_tree_string(key), JSON_ENCODE_ANY, err);
    print_line(stdout, "%s", key);
    return !ferror(stdout) || error_set(err, ERROR_IO, "cannot write standard output: %s", strerror(errno));
}

static bool keep(void *context, const filter_sample *s, error *err)
{
    const sink *to = context;
    char *details;
    if (!to->shards) return list_key(to, s->key, err);
    if (!dataset_read_details(to->set, s->index, &details, err)) return false;
    const shard_sample sample = { s->key, s->bytes, s->size, s->captions, s->caption_count, details };
    bool ok = shard_writer_add(to->shards, &sample, NULL, err);
    free(details);
    return ok;
}

/* ---- The counts ---- */

static bool print_json(const filter_counts *c, int64_t shards, error *err)
{
    json_t *rules = json_object();
    for (int r = 0; r < FILTER_RULE_COUNT; ++r)
        json_tree_put(&rules, filter_name((filter_rule)r),
                      json_pack("{s:I, s:I}", "samples", (json_int_t)c->samples_by[r], "captions",
                                (json_int_t)c->captions_by[r]));
    json_t *o = json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "samples", (json_int_t)c->samples, "kept",
                          (json_int_t)c->kept, "captions", (json_int_t)c->captions, "captions_kept",
                          (json_int_t)c->captions_kept, "shards", (json_int_t)shards, "left_out", rules);
    return sets_print(o, JSON_COMPACT | JSON_PRESERVE_ORDER, err);
}

static void print_counts(FILE *out, const filter_options *o, const filter_counts *c)
{
    fprintf(out, "%lld of %lld samples are kept, with %lld of %lld captions\n", (long long)c->kept,
            (long long)c->samples, (long long)c->captions_kept, (long long)c->captions);
    fprintf(out, "%10s %9s  left out\n", "samples", "captions");
    for (int r = 0; r < FILTER_RULE_COUNT; ++r) {
        bool off = o->off[r] || (r == FILTER_SIZE && o->least_side == 0) ||
                   (r == FILTER_DUPLICATE && o->distance < 0);
        char captions[24] = "";
        if (filter_is_of_captions((filter_rule)r))
            snprintf(captions, sizeof captions, "%lld", (long long)c->captions_by[r]);
        if (!off)
            fprintf(out, "%10lld %9s  %s: %s\n", (long long)c->samples_by[r], captions,
                    filter_name((filter_rule)r), filter_help((filter_rule)r));
    }
}

static bool filter(const cli_call *call, const dataset *d, filter_options *o, error *err)
{
    sets_meter meter = sets_meter_start("filter", "samples");
    shard_options shards = { .folder = cli_text(call, "output"),
                             .samples = cli_int(call, "shard-size"),
                             .replace = cli_flag(call, "force") };
    sink to = { d, NULL, cli_flag(call, "json") };
    filter_counts counts;
    int64_t written = 0;
    o->tell = sets_meter_tell;
    o->context = &meter;
    if (!cli_flag(call, "list") && !(to.shards = shard_writer_open(&shards, err))) return false;
    bool ok = filter_run(d, o, keep, &to, &counts, err);
    log_progress(NULL);
    if (to.shards && ok)
        ok = shard_writer_close(to.shards, NULL, &written, err);
    else
        shard_writer_abandon(to.shards);
    if (!ok) return false;
    bool list = cli_flag(call, "list");
    if (cli_flag(call, "json") && !list) return print_json(&counts, written, err);
    if (!cli_flag(call, "quiet")) print_counts(list ? stderr : stdout, o, &counts);
    return true;
}

static bool run_filter(const cli_call *call, error *err)
{
    filter_options o;
    if (!read_options(call, &o, err)) return false;
    dataset *d = sets_open(call, false, err);
    if (!d) return false;
    cli_catch_interrupts();
    bool ok = filter(call, d, &o, err);
    dataset_close(d);
    return ok;
}

/* clang-format off */
static const cli_option options[] = {
    { "output", 'o', CLI_FOLDER, "FOLDER", NULL, 0, 0, "the folder for shards of what is kept" },
    { "list", 0, CLI_FLAG, NULL, NULL, 0, 0, "instead: print the keys of what is kept, with --json each as a string, and the counts on standard error" },
    { "without", 0, CLI_LIST, "RULE", NULL, 0, 0, "leave a rule out: caption, short, boilerplate, language, unreadable or aspect" },
    { "words", 0, CLI_INT, "N", "2", 0, 8192, "a caption has at least so many words (ours; the paper gives no number)" },
    { "characters", 0, CLI_INT, "N", "5", 0, 8192, "and so many characters" },
    { "language", 0, CLI_TEXT, "CODE", "en", 0, 0, "captions that are surely in another language are left out" },
    { "aspect", 0, CLI_REAL, "X", "2", 1, 1000, "a picture is at most so many times as wide as high, or as high as wide" },
    { "side", 0, CLI_INT, "N", "0", 0, 16384, "a picture's shorter side has at least so many pixels; 0: any" },
    { "duplicates", 0, CLI_INT, "BITS", NULL, 0, 16, "leave out pictures that look like one kept before: their marks differ in at most so many of 64 bits" },
    { "shard-size", 0, CLI_INT, "N", "1000", 1, 1000000, "samples of a shard" },
    { "force", 0, CLI_FLAG, NULL, NULL, 0, 0, "replace shards that are in the folder" },
    { "threads", 0, CLI_INT, "N", "0", 0, 64, "threads that decode; 0 = one for each processor, at most 8" },
};
/* clang-format on */

const cli_command cmd_data_filter = {
    .name = "data filter",
    .summary = "keep the samples that are fit to learn from, by the paper's rules, each counted",
    .arguments = SETS_ARGUMENTS,
    .least = 1,
    .most = -1,
    .example = "dalle-cl data filter photos.tar -o filtered\n"
               "dalle-cl data filter photos.tar --without language --duplicates 4 --list > keys.txt",
    .text =
        "A caption that is too short, mostly boilerplate (\"photographed on 3 June 2010\"), or surely in "
        "another\n"
        "language is left out; a picture goes when none of its captions is left, when it cannot be read, or\n"
        "when it is more than twice as wide as high or as high as wide. What is kept is written as shards:\n"
        "pictures' files byte for byte, descriptions (KEY.json) with all that they say, captions that are "
        "left.\n"
        "Languages are guessed by CLD2. A caption too short for it to be sure, as one word is, counts as "
        "right." SETS_TEXT,
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_filter,
};
