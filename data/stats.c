/* stats.c -- see stats.h.
 * SPDX-License-Identifier: MIT */
#include "data/stats.h"
#include "data/language.h"
#include "data/picture_file.h"
#include "data/sweep.h"
#include "host/base/utf8.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tallies ---- */

static void count_in(tally *t, int64_t number)
{
    int64_t place = number < 0 ? 0 : number > t->limit ? t->limit : number;
    ++t->count[place];
    if (!t->total || number < t->least) t->least = number;
    if (!t->total || number > t->most) t->most = number;
    ++t->total;
    t->sum += (double)number;
}

int64_t stats_quantile(const tally *t, double share)
{
    int64_t wanted = (int64_t)ceil(share * (double)t->total), seen = 0;
    if (wanted < 1) return t->least;
    for (int64_t i = 0; i <= t->limit; ++i)
        if ((seen += t->count[i]) >= wanted) return i;
    return 0;
}

double stats_mean(const tally *t)
{
    return t->total ? t->sum / (double)t->total : 0;
}

static void count_name(stats_count *list, int *count, int room, const char *name, int64_t times)
{
    int i = 0;
    while (i < *count && strcmp(list[i].name, name) != 0) ++i;
    if (i == room) return;
    if (i == *count) list[(*count)++] = (stats_count){ .count = 0 };
    for (size_t c = 0; c + 1 < sizeof list[i].name && name[c]; ++c) list[i].name[c] = name[c];
    list[i].count += times;
}

static int by_count(const void *a, const void *b)
{
    const stats_count *l = a, *r = b;
    if (l->count != r->count) return l->count > r->count ? -1 : 1;
    return strcmp(l->name, r->name);
}

void stats_measure_text(const char *text, int64_t *characters, int64_t *words)
{
    bool inside = false;
    *characters = *words = 0;
    while (*text) {
        uint32_t c = utf8_next(&text);
        char one[5] = "";
        one[utf8_put(c, one)] = 0;
        bool space = utf8_is_blank(one);
        ++*characters;
        *words += !space && !inside;
        inside = !space;
    }
}

double stats_aspect(int64_t number)
{
    return exp2((double)(number - STATS_ASPECTS / 2) / STATS_STEP);
}

static int64_t aspect_number(int width, int height)
{
    return STATS_ASPECTS / 2 + lrint(STATS_STEP * log2((double)width / height));
}

/* ---- One sample, by a worker ---- */

typedef struct found {
    int64_t index;
    bool memory, readable;
    error problem; /* with its texts */
    int width, height;
    int64_t bytes;
    const char *format;
    perceptual_hash mark;
    int caption_count;
    struct of_caption {
        int64_t characters, words, tokens;
        const char *language;
    } * captions;
} found;

typedef struct surveyor {
    const dataset *set;
    const stats_options *o;
    stats *out;
    perceptual_hash *marks;
    int64_t mark_count;
} surveyor;

static bool next_sample(void *context, int64_t index, void *item)
{
    const surveyor *s = context;
    ((found *)item)->index = index;
    return index < dataset_count(s->set);
}

static bool is_memory(const error *err)
{
    return err->code == ERROR_MEMORY;
}

static void look_at_picture(const surveyor *s, found *f)
{
    error err = { 0 };
    void *bytes = NULL;
    size_t size = 0;
    image picture = { 0 };
    f->readable = dataset_read_bytes(s->set, f->index, &bytes, &size, &err) &&
                  image_decode(bytes, size, "?", &picture, &err) &&
                  (s->o->distance < 0 || perceptual_hash_of(&picture, &f->mark, &err));
    f->memory = is_memory(&err);
    f->width = picture.width;
    f->height = picture.height;
    f->bytes = (int64_t)size;
    f->format = bytes ? picture_file_ending(bytes, size) : "";
    f->mark.sample = f->index;
    image_free(&picture);
    free(bytes);
}

static bool look_at_caption(const surveyor *s, const char *text, struct of_caption *c)
{
    stats_measure_text(text, &c->characters, &c->words);
    language_guess guess = language_of(text);
    c->language = guess.reliable ? guess.code : LANGUAGE_UNKNOWN;
    if (!s->o->tokenizer) return true;
    int32_t *ids = NULL;
    c->tokens = tokenizer_encode(s->o->tokenizer, text, &ids, NULL);
    if (c->tokens >= 0) free(ids);
    return c->tokens >= 0;
}

static void look(void *context, void *item)
{
    const surveyor *s = context;
    found *f = item;
    dataset_sample sample;
    look_at_picture(s, f);
    if (!dataset_read(s->set, f->index, &sample, &f->problem)) return;
    f->captions = calloc((size_t)sample.caption_count + 1, sizeof *f->captions);
    if (!f->captions) f->memory = true;
    for (int i = 0; f->captions && i < sample.caption_count; ++i)
        if (!look_at_caption(s, sample.captions[i], &f->captions[f->caption_count++])) f->memory = true;
    dataset_sample_free(&sample);
}

static void drop(void *context, void *item)
{
    (void)context;
    free(((found *)item)->captions);
}

/* ---- All of them ---- */

static void take_captions(stats *out, const found *f, bool tokens)
{
    count_in(&out->per_picture, f->caption_count);
    out->uncaptioned += f->caption_count == 0;
    out->captions += f->caption_count;
    for (int i = 0; i < f->caption_count; ++i) {
        const struct of_caption *c = &f->captions[i];
        count_in(&out->characters, c->characters);
        count_in(&out->words, c->words);
        if (tokens) count_in(&out->tokens, c->tokens);
        count_name(out->languages, &out->language_count, STATS_LANGUAGES, c->language, 1);
    }
}

static bool take(void *context, int64_t index, void *item, error *err)
{
    surveyor *s = context;
    const found *f = item;
    stats *out = s->out;
    (void)index;
    if (f->problem.code != ERROR_NONE) return (*err = f->problem), false;
    if (f->memory)
        return error_set(err, ERROR_MEMORY, "out of memory for looking at sample %lld", (long long)f->index);
    ++out->samples;
    take_captions(out, f, s->o->tokenizer != NULL);
    out->unreadable += !f->readable;
    if (!f->readable) return true;
    count_in(&out->width, f->width);
    count_in(&out->height, f->height);
    count_in(&out->side, f->width < f->height ? f->width : f->height);
    count_in(&out->aspect, aspect_number(f->width, f->height));
    count_in(&out->bytes, (f->bytes + 1023) / 1024);
    count_name(out->formats, &out->format_count, STATS_FORMATS, f->format, 1);
    if (s->marks) s->marks[s->mark_count++] = f->mark;
    return true;
}

static void tell(void *context, int64_t taken)
{
    const surveyor *s = context;
    s->o->tell(s->o->context, taken, dataset_count(s->set));
}

static bool survey(surveyor *s, error *err)
{
    const sweep pass = { .threads = s->o->threads,
                         .item_bytes = sizeof(found),
                         .context = s,
                         .next = next_sample,
                         .work = look,
                         .take = take,
                         .drop = drop,
                         .tell = s->o->tell ? tell : NULL,
                         .interrupted = s->o->interrupted };
    return sweep_run(&pass, err);
}

static bool find_alike(surveyor *s, error *err)
{
    stats *out = s->out;
    int64_t count = dataset_count(s->set), *group = malloc((size_t)(s->mark_count + 1) * sizeof *group);
    out->group = malloc((size_t)(count + 1) * sizeof *out->group);
    out->linked = calloc((size_t)count + 1, sizeof *out->linked);
    bool ok =
        group && out->group && out->linked
            ? perceptual_hash_group(s->marks, s->mark_count, s->o->distance, group, err)
            : error_set(err, ERROR_MEMORY, "out of memory for comparing %lld pictures", (long long)count);
    for (int64_t i = 0; ok && i < count; ++i) out->group[i] = -1;
    for (int64_t i = 0; ok && i < s->mark_count; ++i) {
        const perceptual_hash *m = &s->marks[i], *first = &s->marks[group[i]];
        out->group[m->sample] = first->sample;
        out->linked[m->sample] = __builtin_popcountll(m->bits ^ first->bits);
        out->alike += m != first;
        out->same += m != first && perceptual_hash_distance(m, first) == 0;
    }
    free(group);
    return ok;
}

static bool make_tally(tally *t, int64_t limit)
{
    t->limit = limit;
    return (t->count = calloc((size_t)limit + 1, sizeof *t->count)) != NULL;
}

bool stats_of(const dataset *d, const stats_options *o, stats *out, error *err)
{
    *out = (stats){ .samples = 0 };
    surveyor s = { .set = d, .o = o, .out = out };
    bool ok = make_tally(&out->width, IMAGE_MAX_SIDE) && make_tally(&out->height, IMAGE_MAX_SIDE) &&
              make_tally(&out->side, IMAGE_MAX_SIDE) && make_tally(&out->aspect, STATS_ASPECTS) &&
              make_tally(&out->bytes, 1 << 18) && make_tally(&out->characters, DATASET_MAX_CAPTION) &&
              make_tally(&out->words, DATASET_MAX_CAPTION) && make_tally(&out->tokens, TOKENIZER_MAX_TEXT) &&
              make_tally(&out->per_picture, 1 << 16);
    if (ok && o->distance >= 0)
        ok = (s.marks = malloc((size_t)(dataset_count(d) + 1) * sizeof *s.marks)) != NULL;
    if (!ok)
        error_set(err, ERROR_MEMORY, "out of memory for counting %lld samples", (long long)dataset_count(d));
    ok = ok && survey(&s, err) && (o->distance < 0 || find_alike(&s, err));
    free(s.marks);
    qsort(out->formats, (size_t)out->format_count, sizeof *out->formats, by_count);
    qsort(out->languages, (size_t)out->language_count, sizeof *out->languages, by_count);
    if (!ok) stats_free(out);
    return ok;
}

void stats_free(stats *s)
{
    tally *all[] = { &s->width,      &s->height, &s->side,   &s->aspect,     &s->bytes,
                     &s->characters, &s->words,  &s->tokens, &s->per_picture };
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) free(all[i]->count);
    free(s->group);
    free(s->linked);
    *s = (stats){ .samples = 0 };
}
