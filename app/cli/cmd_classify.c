/* cmd_classify.c -- `dalle-cl classify`: which of some labels a picture has, without training for them.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "app/cli/embedding.h"
#include "app/cli/labels.h"
#include "app/cli/pictures.h"
#include "app/cli/print.h"
#include "app/cli/sets.h"
#include "data/caption.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 4096, FEW = 5 }; /* texts embedded at once; accuracy is also counted among so many */

typedef struct tally {
    int64_t pictures, right, near; /* that have the label; told right; with it among the FEW likeliest */
} tally;

typedef struct classifier {
    const cli_call *call;
    labels *labels;
    caption_templates *templates;
    collection *pictures;
    dalle_model *model;
    float *texts;                        /* the labels' embeddings */
    float *similarities, *probabilities; /* of one picture */
    int *order; /* labels, the likeliest first; as many as are asked for are sorted */
    tally *tallies;
    int top;
    int64_t done;
} classifier;

/* ---- Labels' embeddings: the mean over templates, of length 1 ---- */

static const char builtin[] =
    "{}\n{a}\na photo of {a}.\na photo of the {}.\na picture of {a}.\na bad photo of {a}.\n"
    "a close-up photo of {a}.\na photo of a small {}.\na drawing of {a}.\n";

static bool open_templates(classifier *c, error *err)
{
    const char *given = cli_text(c->call, "templates");
    if (strcmp(given, "builtin") == 0)
        c->templates = caption_templates_read(builtin, given, err);
    else if (strcmp(given, "none") == 0)
        c->templates = caption_templates_read("{}\n", given, err);
    else
        c->templates = caption_templates_open(given, err);
    return c->templates != NULL;
}

static bool fill_texts(const classifier *c, int first, int count, char **texts, error *err)
{
    int each = caption_templates_count(c->templates);
    for (int i = 0; i < count * each; ++i) {
        texts[i] = caption_templates_fill(c->templates, i % each, labels_list(c->labels)[first + i / each]);
        if (!texts[i]) return error_set(err, ERROR_MEMORY, "out of memory for the labels' texts");
    }
    return true;
}

/* The mean of `each` embeddings, brought to length 1. */
static void average(const float *from, int each, int dimensions, float *to)
{
    double length = 0;
    for (int k = 0; k < dimensions; ++k) {
        double sum = 0;
        for (int i = 0; i < each; ++i) sum += (double)from[(int64_t)i * dimensions + k];
        to[k] = (float)sum;
        length += sum * sum;
    }
    for (int k = 0; k < dimensions && length > 0; ++k) to[k] = (float)((double)to[k] / sqrt(length));
}

static bool embed_some(classifier *c, int first, int count, error *err)
{
    int each = caption_templates_count(c->templates), n = dalle_get_info(c->model)->clip_dimensions;
    char **texts = calloc((size_t)(count * each), sizeof *texts);
    bool ok = texts ? true : error_set(err, ERROR_MEMORY, "out of memory for the labels' texts");
    ok = ok && fill_texts(c, first, count, texts, err);
    float *all = ok ? embedding_texts(c->model, (const char *const *)texts, count * each, err) : NULL;
    for (int i = 0; all && i < count; ++i)
        average(all + (int64_t)i * each * n, each, n, c->texts + (int64_t)(first + i) * n);
    for (int i = 0; texts && i < count * each; ++i) free(texts[i]);
    free(texts);
    free(all);
    return all != NULL;
}

static bool embed_labels(classifier *c, error *err)
{
    int count = labels_count(c->labels), each = caption_templates_count(c->templates);
    int some = each < AT_ONCE ? AT_ONCE / each : 1;
    size_t n = (size_t)dalle_get_info(c->model)->clip_dimensions, room = (size_t)count;
    c->texts = malloc(room * n * sizeof *c->texts);
    c->similarities = malloc(room * sizeof *c->similarities);
    c->probabilities = malloc(room * sizeof *c->probabilities);
    c->order = malloc(room * sizeof *c->order);
    c->tallies = calloc(room, sizeof *c->tallies);
    if (!c->texts || !c->similarities || !c->probabilities || !c->order || !c->tallies)
        return error_set(err, ERROR_MEMORY, "out of memory for %d labels", count);
    bool ok = true;
    for (int i = 0; ok && i < count; i += some)
        ok = embed_some(c, i, count - i < some ? count - i : some, err);
    return ok;
}

/* ---- One picture ---- */

/* Puts the `count` likeliest first; of two alike the one that was given first. */
static void sort_first(classifier *c, int count)
{
    int all = labels_count(c->labels);
    for (int i = 0; i < all; ++i) c->order[i] = i;
    for (int i = 0; i < count; ++i) {
        int best = i;
        for (int j = i + 1; j < all; ++j)
            if (c->similarities[c->order[j]] > c->similarities[c->order[best]]) best = j;
        int label = c->order[best];
        memmove(c->order + i + 1, c->order + i, (size_t)(best - i) * sizeof *c->order);
        c->order[i] = label;
    }
}

static void count_one(classifier *c, int truth)
{
    if (truth < 0) return;
    tally *t = &c->tallies[truth];
    ++t->pictures;
    t->right += c->order[0] == truth;
    for (int i = 0; i < FEW && i < labels_count(c->labels); ++i) t->near += c->order[i] == truth;
}

static void print_one(const classifier *c, const char *key, int truth)
{
    const char *const *names = labels_list(c->labels);
    print_piece(stdout, "%s:", key);
    for (int i = 0; i < c->top; ++i)
        print_piece(stdout, "%s %s %.1f %%", i ? "," : "", names[c->order[i]],
                    100 * (double)c->probabilities[c->order[i]]);
    if (truth >= 0 && truth != c->order[0]) print_piece(stdout, " (it is %s)", names[truth]);
    putchar('\n');
}

static bool print_one_json(const classifier *c, const char *key, int truth, error *err)
{
    const char *const *names = labels_list(c->labels);
    json_t *o = json_object(), *top = json_array();
    for (int i = 0; i < c->top; ++i) {
        json_t *one = json_object();
        json_tree_put(&one, "label", json_tree_string(names[c->order[i]]));
        json_tree_put(&one, "similarity", json_real((double)c->similarities[c->order[i]]));
        json_tree_put(&one, "probability", json_real((double)c->probabilities[c->order[i]]));
        json_tree_add(&top, one);
    }
    json_tree_put(&o, "picture", json_tree_string(key));
    json_tree_put(&o, "label", truth < 0 ? json_null() : json_tree_string(names[truth]));
    json_tree_put(&o, "top", top);
    return sets_print(o, JSON_COMPACT | JSON_REAL_PRECISION(6), err);
}

/* Of a picture whose probabilities are known. */
static bool tell(classifier *c, const collection_item *item, error *err)
{
    int count = labels_count(c->labels), sorted = c->top > FEW ? c->top : FEW, truth;
    if (!labels_of(c->labels, item, &truth, err)) return false;
    sort_first(c, sorted < count ? sorted : count);
    count_one(c, truth);
    ++c->done;
    if (cli_flag(c->call, "json")) return print_one_json(c, item->sample.key, truth, err);
    if (cli_flag(c->call, "quiet")) return true;
    log_progress(NULL);
    print_one(c, item->sample.key, truth);
    return true;
}

static bool take(void *context, int64_t index, const float *embedding, error *err)
{
    classifier *c = context;
    dalle_error failure;
    collection_item item;
    int count = labels_count(c->labels);
    if (!embedding) return true;
    if (!dalle_compare(c->model, embedding, 1, c->texts, count, c->similarities, c->probabilities, &failure))
        return pictures_error(&failure, err);
    if (!collection_item_read(c->pictures, index, &item, err)) return false;
    bool ok = tell(c, &item, err);
    dataset_sample_free(&item.sample);
    return ok;
}

/* ---- All ---- */

static tally sum_of(const classifier *c)
{
    tally all = { 0 };
    for (int i = 0; i < labels_count(c->labels); ++i) {
        all.pictures += c->tallies[i].pictures;
        all.right += c->tallies[i].right;
        all.near += c->tallies[i].near;
    }
    return all;
}

static double share(int64_t part, int64_t all)
{
    return all ? (double)part / (double)all : 0;
}

static void print_without(const classifier *c)
{
    int count = 0;
    for (int i = 0; i < labels_count(c->labels); ++i)
        if (!c->tallies[i].pictures)
            print_piece(stdout, "%s %s",
                        count++ ? "," : "labels without pictures:", labels_list(c->labels)[i]);
    if (count) putchar('\n');
}

static void print_people(const classifier *c, bool partly)
{
    const tally all = sum_of(c);
    const bool many = labels_count(c->labels) > FEW;
    if (!all.pictures) return;
    printf("\n%7s %7s%s  label\n", "right", "of", many ? "    in 5" : "");
    for (int i = 0; i < labels_count(c->labels); ++i) {
        const tally *t = &c->tallies[i];
        if (!t->pictures) continue;
        printf("%7lld %7lld", (long long)t->right, (long long)t->pictures);
        if (many) printf(" %7lld", (long long)t->near);
        print_line(stdout, "  %s", labels_list(c->labels)[i]);
    }
    if (!partly) print_without(c);
    if (c->done > all.pictures)
        printf("without any of the labels, by folder or caption, and not counted: %lld\n",
               (long long)(c->done - all.pictures));
    printf("accuracy: %.1f %% of %lld pictures", 100 * share(all.right, all.pictures),
           (long long)all.pictures);
    if (many)
        printf("; the label is among the %d likeliest of %.1f %%", FEW, 100 * share(all.near, all.pictures));
    putchar('\n');
}

static bool print_json(const classifier *c, int64_t unread, error *err)
{
    const tally all = sum_of(c);
    const bool many = labels_count(c->labels) > FEW;
    json_t *o = json_object(), *each = json_array();
    for (int i = 0; i < labels_count(c->labels); ++i) {
        const tally *t = &c->tallies[i];
        json_t *one = json_object();
        json_tree_put(&one, "label", json_tree_string(labels_list(c->labels)[i]));
        json_tree_put(&one, "pictures", json_integer(t->pictures));
        json_tree_put(&one, "right_1", json_integer(t->right));
        if (many) json_tree_put(&one, "right_5", json_integer(t->near));
        json_tree_add(&each, one);
    }
    json_tree_put(&o, "pictures", json_integer(c->done));
    json_tree_put(&o, "unreadable", json_integer(unread));
    json_tree_put(&o, "labelled", json_integer(all.pictures));
    json_tree_put(&o, "accuracy_1", all.pictures ? json_real(share(all.right, all.pictures)) : json_null());
    json_tree_put(&o, "accuracy_5",
                  all.pictures && many ? json_real(share(all.near, all.pictures)) : json_null());
    json_tree_put(&o, "labels", each);
    return sets_print(o, JSON_COMPACT | JSON_REAL_PRECISION(6), err);
}

static bool classify(classifier *c, error *err)
{
    embedding_pass pass = { .model = c->model, .pictures = c->pictures, .take = take, .context = c };
    cli_interrupt_ends("stopped before the first picture");
    bool ok = embed_labels(c, err);
    cli_interrupt_asks("stopping after this batch of pictures");
    ok = ok && embedding_run(&pass, 0, collection_count(c->pictures), err);
    bool partly = !ok && err->code == ERROR_INTERRUPTED && c->done;
    error printing = { 0 };
    if (ok) ok = embedding_end(&pass, err);
    if ((ok || partly) && cli_flag(c->call, "json") && !print_json(c, pass.unread, &printing))
        *err = printing, ok = false;
    if ((ok || partly) && !cli_flag(c->call, "json")) print_people(c, partly);
    return ok;
}

static bool open_all(classifier *c, error *err)
{
    dalle_error failure;
    if (!cli_require(c->call, "model", err) || !cli_require(c->call, "labels", err)) return false;
    const char **paths = NULL;
    bool ok = (c->labels = labels_open(cli_text(c->call, "labels"), err)) && open_templates(c, err) &&
              (paths = sets_paths(c->call, err)) &&
              (c->pictures = collection_open(paths, cli_argument_count(c->call), err));
    if (!ok) return free(paths), false;
    c->model =
        dalle_open_parts(cli_text(c->call, "model"), cli_text(c->call, "device"), DALLE_CLIP, &failure);
    if (!c->model) pictures_error(&failure, err);
    int top = (int)cli_int(c->call, "top");
    c->top = top < labels_count(c->labels) ? top : labels_count(c->labels);
    ok = c->model && classify(c, err);
    free(paths);
    return ok;
}

static bool run_classify(const cli_call *call, error *err)
{
    classifier c = { .call = call };
    cli_catch_interrupts();
    cli_interrupt_ends("stopped before the first picture");
    bool ok = open_all(&c, err);
    dalle_close(c.model);
    collection_close(c.pictures);
    caption_templates_close(c.templates);
    labels_close(c.labels);
    free(c.texts);
    free(c.similarities);
    free(c.probabilities);
    free(c.order);
    free(c.tallies);
    return ok;
}

static const cli_option options[] = {
    { "model", 'm', CLI_TEXT, "FOLDER", NULL, 0, 0, "a packed model with a CLIP, or the run of one" },
    { "labels", 'l', CLI_TEXT, "FILE", NULL, 0, 0, "labels, one a line, or a list: \"cat, dog, red car\"" },
    { "templates", 0, CLI_TEXT, "FILE", "builtin", 0, 0,
      "texts with a place for the label, {} or with its article {a}, one a line; builtin: some for "
      "photographs; "
      "none: the label itself" },
    { "top", 0, CLI_INT, "K", "1", 1, 1000, "how many labels to name for each picture" },
};

const cli_command cmd_classify = {
    .name = "classify",
    .summary = "tell pictures by labels that nothing was trained for",
    .arguments = COLLECTION_ARGUMENTS,
    .least = 1,
    .most = -1,
    .example = "dalle-cl classify -m models/clip photos --labels \"cat, dog, car\"",
    .text =
        "Each label is put into the templates; the mean of what the model sees in those texts is the label\n"
        "that pictures are compared with. A line for each picture (--quiet: none) names the likeliest, with\n"
        "its probability among the labels. Where a picture lies in a folder with a label's name, or has a\n"
        "caption that is a label, accuracy is counted; case, and which of '_', '-' and space parts words, "
        "do\n"
        "not matter. With --json an object a line, the last one the sums." COLLECTION_TEXT,
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_classify,
};
