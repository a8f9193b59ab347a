/* cmd_data_stats.c -- `dalle-cl data stats`: what a set holds, in numbers.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "app/cli/print.h"
#include "app/cli/sets.h"

#include "data/stats.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"

#include <stdlib.h>
#include <string.h>

enum { LISTED = 10, BARS = 8, BAR = 40 };

static const double shares[] = { 0, 0.05, 0.25, 0.5, 0.75, 0.95, 1 };
enum { SHARES = sizeof shares / sizeof *shares };

static int64_t quantile(const tally *t, double share)
{
    return share <= 0 ? t->least : share >= 1 ? t->most : stats_quantile(t, share);
}

/* ---- For people ---- */

static void print_row(const char *name, const tally *t)
{
    if (!t->total) return;
    printf("  %-22s", name);
    for (int i = 0; i < SHARES; ++i) printf(" %7lld", (long long)quantile(t, shares[i]));
    printf(" %9.1f\n", stats_mean(t));
}

static void print_aspect(const tally *t)
{
    if (!t->total) return;
    printf("  %-22s", "width / height");
    for (int i = 0; i < SHARES; ++i) printf(" %7.2f", stats_aspect(quantile(t, shares[i])));
    putchar('\n');
}

/* Of what lies between the numbers `edges`, the last one open: a line each with a bar. */
static void print_bars(const tally *t, const int64_t *edges, const char *const *names, int count)
{
    int64_t of[BARS] = { 0 }, largest = 1;
    for (int64_t i = 0; i <= t->limit; ++i) {
        int bar = 0;
        while (bar + 1 < count && i >= edges[bar + 1]) ++bar;
        of[bar] += t->count[i];
    }
    for (int i = 0; i < count; ++i)
        if (of[i] > largest) largest = of[i];
    for (int i = 0; i < count; ++i) {
        int length = (int)((of[i] * BAR + largest - 1) / largest);
        printf("    %-12s %9lld ", names[i], (long long)of[i]);
        for (int k = 0; k < length; ++k) putchar('#');
        putchar('\n');
    }
}

static void print_pictures(const stats *s)
{
    static const int64_t sides[] = { 0, 64, 128, 256, 384, 512, 1024, 2048 };
    static const char *const names[] = { "below 64", "64..",  "128..",  "256..",
                                         "384..",    "512..", "1024..", "2048.." };
    static const double ratios[] = { 0.5, 0.8, 1.25, 2.0 };
    static const char *const shapes[] = { "below 1/2", "1/2 to 4/5", "4/5 to 5/4", "5/4 to 2", "above 2" };
    int64_t edges[5] = { 0 };
    for (int i = 0; i < 4; ++i) /* the last of the middle and of the two outer ones belong inside */
        for (edges[i + 1] = 0; stats_aspect(edges[i + 1]) < ratios[i] * (i < 2 ? 0.9999 : 1.0001);)
            ++edges[i + 1];
    puts("\npictures                   least      5%     25%     50%     75%     95%    most      mean");
    print_row("width", &s->width);
    print_row("height", &s->height);
    print_row("shorter side", &s->side);
    print_aspect(&s->aspect);
    print_row("file, KiB", &s->bytes);
    if (!s->side.total) return;
    puts("  shorter side");
    print_bars(&s->side, sides, names, 8);
    puts("  width / height");
    print_bars(&s->aspect, edges, shapes, 5);
    fputs("  formats:", stdout);
    for (int i = 0; i < s->format_count; ++i)
        printf("%s %s %lld", i ? "," : "", s->formats[i].name, (long long)s->formats[i].count);
    putchar('\n');
}

static void print_captions(const stats *s)
{
    puts("\ncaptions                   least      5%     25%     50%     75%     95%    most      mean");
    print_row("a picture", &s->per_picture);
    print_row("characters", &s->characters);
    print_row("words", &s->words);
    print_row("tokens", &s->tokens);
    fputs("  languages:", stdout);
    for (int i = 0; i < s->language_count && i < LISTED; ++i) {
        bool unknown = strcmp(s->languages[i].name, "un") == 0;
        printf("%s %s %lld", i ? "," : "", unknown ? "too short to tell" : s->languages[i].name,
               (long long)s->languages[i].count);
    }
    puts(s->language_count > LISTED ? ", ..." : "");
}

/* To be freed; NULL: it cannot be read any more. */
static char *key_of(const dataset *d, int64_t index)
{
    dataset_sample s;
    if (!dataset_read(d, index, &s, NULL)) return NULL;
    char *key = strdup(s.key);
    dataset_sample_free(&s);
    return key;
}

static void print_groups(const dataset *d, const stats *s, int distance)
{
    int64_t listed = 0;
    if (!s->group) return;
    printf("\n%lld pictures look like one before them (marks of 64 bits, at most %d differ), %lld of them "
           "the same\n",
           (long long)s->alike, distance, (long long)s->same);
    for (int64_t i = 0; i < s->samples && listed < LISTED; ++i) {
        if (s->group[i] < 0 || s->group[i] == i) continue;
        char *key = key_of(d, i), *like = key_of(d, s->group[i]);
        print_line(stdout, "  %s: like %s (%lld)", key ? key : "?", like ? like : "?",
                   (long long)s->linked[i]);
        free(key);
        free(like);
        ++listed;
    }
    if (s->alike > listed) printf("  and %lld more, which --json lists\n", (long long)(s->alike - listed));
}

static void print_people(const dataset *d, const stats *s, int distance)
{
    printf("%lld samples, %lld captions; %lld samples without one, %lld pictures that cannot be read\n",
           (long long)s->samples, (long long)s->captions, (long long)s->uncaptioned,
           (long long)s->unreadable);
    print_pictures(s);
    print_captions(s);
    print_groups(d, s, distance);
}

/* ---- For programs ---- */

static json_t *json_of(const tally *t, bool aspect)
{
    static const char *const names[] = { "least", "p5", "p25", "p50", "p75", "p95", "most" };
    json_t *o = json_object();
    for (int i = 0; t->total && i < SHARES; ++i) {
        int64_t number = quantile(t, shares[i]);
        json_tree_put(&o, names[i], aspect ? json_real(stats_aspect(number)) : json_integer(number));
    }
    if (t->total && !aspect) json_tree_put(&o, "mean", json_real(stats_mean(t)));
    return o;
}

static json_t *json_of_counts(const stats_count *list, int count)
{
    json_t *o = json_object();
    for (int i = 0; i < count; ++i) json_tree_put(&o, list[i].name, json_integer(list[i].count));
    return o;
}

static json_t *json_of_groups(const dataset *d, const stats *s)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < s->samples; ++i) {
        if (s->group[i] < 0 || s->group[i] == i) continue;
        json_t *o = json_object();
        char *key = key_of(d, i), *like = key_of(d, s->group[i]);
        json_tree_put(&o, "key", key ? json_tree_string(key) : NULL);
        json_tree_put(&o, "like", like ? json_tree_string(like) : NULL);
        free(key);
        free(like);
        json_tree_put(&o, "distance", json_integer(s->linked[i]));
        json_tree_add(&list, o);
    }
    return list;
}

static bool print_json(const dataset *d, const stats *s, error *err)
{
    json_t *o = json_object();
    json_tree_put(&o, "samples", json_integer(s->samples));
    json_tree_put(&o, "captions", json_integer(s->captions));
    json_tree_put(&o, "uncaptioned", json_integer(s->uncaptioned));
    json_tree_put(&o, "unreadable", json_integer(s->unreadable));
    json_tree_put(&o, "width", json_of(&s->width, false));
    json_tree_put(&o, "height", json_of(&s->height, false));
    json_tree_put(&o, "side", json_of(&s->side, false));
    json_tree_put(&o, "aspect", json_of(&s->aspect, true));
    json_tree_put(&o, "kibibytes", json_of(&s->bytes, false));
    json_tree_put(&o, "formats", json_of_counts(s->formats, s->format_count));
    json_tree_put(&o, "captions_each", json_of(&s->per_picture, false));
    json_tree_put(&o, "characters", json_of(&s->characters, false));
    json_tree_put(&o, "words", json_of(&s->words, false));
    if (s->tokens.total) json_tree_put(&o, "tokens", json_of(&s->tokens, false));
    json_tree_put(&o, "languages", json_of_counts(s->languages, s->language_count));
    if (s->group) json_tree_put(&o, "alike", json_of_groups(d, s));
    return sets_print(o, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(4), err);
}

static bool run_stats(const cli_call *call, error *err)
{
    const char *model = cli_text(call, "tokenizer");
    sets_meter meter = sets_meter_start("stats", "samples");
    tokenizer *t = model ? tokenizer_open(model, err) : NULL;
    dataset *d = model && !t ? NULL : sets_open(call, false, err);
    const stats_options o = { .tokenizer = t,
                              .distance =
                                  cli_flag(call, "no-duplicates") ? -1 : (int)cli_int(call, "distance"),
                              .threads = (int)cli_int(call, "threads"),
                              .interrupted = cli_interrupted(),
                              .tell = sets_meter_tell,
                              .context = &meter };
    stats s;
    cli_catch_interrupts();
    bool ok = d && stats_of(d, &o, &s, err);
    log_progress(NULL);
    if (ok) {
        if (cli_flag(call, "json"))
            ok = print_json(d, &s, err);
        else
            print_people(d, &s, o.distance);
        stats_free(&s);
    }
    tokenizer_close(t);
    dataset_close(d);
    return ok;
}

/* clang-format off */
static const cli_option options[] = {
    { "tokenizer", 0, CLI_TEXT, "FILE", NULL, 0, 0, "also count the captions' tokens, by this model" },
    { "distance", 0, CLI_INT, "BITS", "4", 0, PERCEPTUAL_HASH_MOST, "pictures look alike whose marks differ in at most so many of 64 bits" },
    { "no-duplicates", 0, CLI_FLAG, NULL, NULL, 0, 0, "do not look for pictures that look alike" },
    { "threads", 0, CLI_INT, "N", "0", 0, 64, "threads that decode; 0 = one for each processor, at most 8" },
};
/* clang-format on */

const cli_command cmd_data_stats = {
    .name = "data stats",
    .summary = "sizes, shapes, formats, captions, languages, and pictures that look alike",
    .arguments = SETS_ARGUMENTS,
    .least = 1,
    .most = -1,
    .example = "dalle-cl data stats photos.tar",
    .text =
        "Every picture is decoded. Pictures look alike when their marks do, whatever size, format and\n"
        "compression they have: the signs of the 64 lowest frequencies of their brightness, and the mean\n"
        "colours of their quarters. Languages are guessed by CLD2, which says nothing of a word or "
        "two." SETS_TEXT,
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_stats,
};
