/* filter.c -- see filter.h.
 * SPDX-License-Identifier: MIT */
#include "data/filter.h"
#include "data/language.h"
#include "data/stats.h"
#include "data/sweep.h"
#include <stdlib.h>
#include <string.h>

/* ---- Rules ---- */

static const struct {
    const char *name, *help;
    bool of_captions;
} rules[] = {
#define FILTER_ROW(id, name, text, help) { name, help, text },
    FILTER_RULES(FILTER_ROW)
#undef FILTER_ROW
};

const char *filter_name(filter_rule r)
{
    return rules[r].name;
}

const char *filter_help(filter_rule r)
{
    return rules[r].help;
}

bool filter_is_of_captions(filter_rule r)
{
    return rules[r].of_captions;
}

filter_rule filter_find(const char *name)
{
    int r = 0;
    while (r < FILTER_RULE_COUNT && strcmp(rules[r].name, name) != 0) ++r;
    return (filter_rule)r;
}

filter_options filter_defaults(void)
{
    return (filter_options){
        .least_words = 2, .least_characters = 5, .language = "en", .aspect = 2, .distance = -1
    };
}

filter_rule filter_caption(const filter_options *o, const boilerplate *b, const char *caption)
{
    int64_t characters, words;
    stats_measure_text(caption, &characters, &words);
    if (!o->off[FILTER_SHORT] && (words < o->least_words || characters < o->least_characters))
        return FILTER_SHORT;
    if (!o->off[FILTER_BOILERPLATE] && boilerplate_is(b, caption)) return FILTER_BOILERPLATE;
    if (!o->off[FILTER_LANGUAGE] && language_is_other(caption, o->language)) return FILTER_LANGUAGE;
    return FILTER_RULE_COUNT;
}

filter_rule filter_size(const filter_options *o, int width, int height)
{
    bool odd = width > o->aspect * height || height > o->aspect * width;
    int side = width < height ? width : height;
    if (!o->off[FILTER_ASPECT] && odd) return FILTER_ASPECT;
    if (!o->off[FILTER_SIZE] && side < o->least_side) return FILTER_SIZE;
    return FILTER_RULE_COUNT;
}

/* ---- One sample, by a worker ---- */

typedef struct judged {
    int64_t index;
    bool memory;
    error problem;
    dataset_sample sample;
    filter_rule rule; /* that the sample breaks */
    filter_rule *of_captions;
    const char **captions; /* those left */
    int left;
    void *bytes;
    size_t size;
} judged;

typedef struct filtering {
    const dataset *set;
    const filter_options *o;
    boilerplate *phrases;
    filter_keep keep;
    void *context;
    filter_counts *out;
    int64_t *group; /* by sample, or NULL */
    bool *taken;    /* by the first of a group: one of it is kept */
} filtering;

static bool next_sample(void *context, int64_t index, void *item)
{
    const filtering *f = context;
    ((judged *)item)->index = index;
    return index < dataset_count(f->set);
}

/* The first rule that the texts break, all of them. */
static filter_rule judge_captions(const filtering *f, judged *j, const dataset_sample *s)
{
    j->of_captions = calloc((size_t)s->caption_count + 1, sizeof *j->of_captions);
    j->captions = calloc((size_t)s->caption_count + 1, sizeof *j->captions);
    j->memory = !j->of_captions || !j->captions;
    if (j->memory) return FILTER_RULE_COUNT;
    for (int i = 0; i < s->caption_count; ++i) {
        j->of_captions[i] = filter_caption(f->o, f->phrases, s->captions[i]);
        if (j->of_captions[i] == FILTER_RULE_COUNT) j->captions[j->left++] = s->captions[i];
    }
    if (s->caption_count == 0) return f->o->off[FILTER_CAPTION] ? FILTER_RULE_COUNT : FILTER_CAPTION;
    return j->left ? FILTER_RULE_COUNT : j->of_captions[0];
}

static filter_rule judge_picture(const filtering *f, judged *j, const dataset_sample *s)
{
    image picture = { 0 };
    error err = { 0 };
    bool ok = dataset_read_bytes(f->set, j->index, &j->bytes, &j->size, &err) &&
              image_decode(j->bytes, j->size, s->key, &picture, &err);
    int width = picture.width, height = picture.height;
    image_free(&picture);
    j->memory = err.code == ERROR_MEMORY;
    if (!ok) return f->o->off[FILTER_UNREADABLE] && j->bytes ? FILTER_RULE_COUNT : FILTER_UNREADABLE;
    return filter_size(f->o, width, height);
}

static void judge(void *context, void *item)
{
    const filtering *f = context;
    judged *j = item;
    const dataset_sample *s = &j->sample;
    if (!dataset_read(f->set, j->index, &j->sample, &j->problem)) return;
    j->rule = judge_captions(f, j, s);
    if (j->rule == FILTER_RULE_COUNT && !j->memory) j->rule = judge_picture(f, j, s);
}

static void drop(void *context, void *item)
{
    judged *j = item;
    (void)context;
    free(j->of_captions);
    free(j->captions);
    free(j->bytes);
    dataset_sample_free(&j->sample);
}

/* ---- All of them ---- */

/* Whether one that looks like it is kept already; if not, it is the one. */
static bool is_again(filtering *f, int64_t index)
{
    int64_t first = f->group ? f->group[index] : -1;
    if (first < 0) return false;
    bool again = f->taken[first];
    f->taken[first] = true;
    return again;
}

static bool take(void *context, int64_t index, void *item, error *err)
{
    filtering *f = context;
    judged *j = item;
    const dataset_sample *s = &j->sample;
    if (j->problem.code != ERROR_NONE) return (*err = j->problem), false;
    if (j->memory) return error_set(err, ERROR_MEMORY, "out of memory for sample '%s'", s->key);
    ++f->out->samples;
    f->out->captions += s->caption_count;
    for (int i = 0; i < s->caption_count; ++i)
        if (j->of_captions[i] < FILTER_RULE_COUNT) ++f->out->captions_by[j->of_captions[i]];
    if (j->rule == FILTER_RULE_COUNT && is_again(f, index)) j->rule = FILTER_DUPLICATE;
    if (j->rule < FILTER_RULE_COUNT) return ++f->out->samples_by[j->rule], true;
    ++f->out->kept;
    f->out->captions_kept += j->left;
    const filter_sample kept = { index, s->key, j->bytes, j->size, j->captions, j->left };
    return f->keep(f->context, &kept, err);
}

static void tell(void *context, int64_t taken)
{
    const filtering *f = context;
    f->o->tell(f->o->context, taken, dataset_count(f->set));
}

static bool find_groups(filtering *f, error *err)
{
    const filter_options *o = f->o;
    if (o->off[FILTER_DUPLICATE] || o->distance < 0) return true;
    const stats_options look = { .distance = o->distance,
                                 .threads = o->threads,
                                 .interrupted = o->interrupted,
                                 .tell = o->tell,
                                 .context = o->context };
    stats found;
    if (!stats_of(f->set, &look, &found, err)) return false;
    f->group = found.group;
    found.group = NULL;
    stats_free(&found);
    f->taken = calloc((size_t)dataset_count(f->set) + 1, sizeof *f->taken);
    return f->taken || error_set(err, ERROR_MEMORY, "out of memory for pictures that look alike");
}

bool filter_run(const dataset *d, const filter_options *o, filter_keep keep, void *context,
                filter_counts *out, error *err)
{
    *out = (filter_counts){ .samples = 0 };
    filtering f = { .set = d, .o = o, .keep = keep, .context = context, .out = out };
    const sweep pass = { .threads = o->threads,
                         .item_bytes = sizeof(judged),
                         .context = &f,
                         .next = next_sample,
                         .work = judge,
                         .take = take,
                         .drop = drop,
                         .tell = o->tell ? tell : NULL,
                         .interrupted = o->interrupted };
    bool ok = (f.phrases = boilerplate_open(err)) && find_groups(&f, err) && sweep_run(&pass, err);
    boilerplate_close(f.phrases);
    free(f.group);
    free(f.taken);
    return ok;
}
