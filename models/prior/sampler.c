/* sampler.c -- drawing: the text is read once, then a replayed graph makes one token at a time.
 *
 * A reader runs one caption, or some that pictures take in turn, and the tokens that are given, in one pass,
 * and leaves every layer's keys and values of these positions, and the next image token's logits: once,
 * however many pictures are drawn.  A drawer puts them into the caches of all its pictures and draws the
 * first token; its step graph takes the token drawn last, which never leaves the device, and draws the next.
 * Readers and drawers are kept, those used last first, so that who goes back to a number of pictures builds
 * nothing.
 *
 * Guidance on the logits (Ho and Salimans, arXiv 2207.12598, said of tokens; ours): every picture has a
 * second row that reads the empty caption and is fed the same tokens, and is drawn from without + g (with -
 * without).
 * SPDX-License-Identifier: MIT */
#include "models/prior/drawer.h"

#include <stdlib.h>
#include <string.h>

/* Tokens between two looks at the clock and at Ctrl-C. */
enum { TOKENS_AT_ONCE = 16 };

/* Drawers kept: for libdalle's three numbers of pictures at once, with guidance and without; and readers:
 * with guidance and without, with tokens given and without.  Captions in turn push others out. */
enum { KEPT = 6, READERS = 4 };

struct prior_sampler {
    drawer_model model;
    int64_t batch; /* pictures at once from now on */
    drawer_reader *readers[READERS];
    drawer *kept[KEPT];
    int reader_count, count, built;
};

/* ---- Keeping ---- */

void prior_sampler_drop(prior_sampler *p)
{
    while (p->count > 0) drawer_destroy(p->kept[--p->count]);
    while (p->reader_count > 0) drawer_reader_destroy(p->readers[--p->reader_count]);
}

static drawer *put_first(prior_sampler *p, drawer *d, int from)
{
    memmove(p->kept + 1, p->kept, (size_t)from * sizeof *p->kept);
    return p->kept[0] = d;
}

static drawer_reader *put_reader_first(prior_sampler *p, drawer_reader *r, int from)
{
    memmove(p->readers + 1, p->readers, (size_t)from * sizeof *p->readers);
    return p->readers[0] = r;
}

/* What graphs are built for. */
typedef struct drawer_kind {
    int64_t batch, texts, each, given;
} drawer_kind;

static drawer_kind kind_of(int64_t batch, int64_t texts, double guidance, int64_t given)
{
    int64_t read = texts > batch ? batch : texts > 1 ? texts : 1;
    CHECK(batch % read == 0, "%lld pictures at once read %lld captions in turn", (long long)batch,
          (long long)texts);
    return (drawer_kind){ batch, read, guidance != 1 ? 2 : 1, given };
}

/* The one that is kept, which then was used last; NULL: none is. */
static drawer_reader *kept_reader(prior_sampler *p, const drawer_kind *k)
{
    for (int i = 0; i < p->reader_count; ++i) {
        drawer_reader *r = p->readers[i];
        if (r->texts == k->texts && r->each == k->each && r->given == k->given)
            return put_reader_first(p, r, i);
    }
    return NULL;
}

/* The reader not used for longest, and what draws from it. */
static void drop_last_reader(prior_sampler *p)
{
    drawer_reader *last = p->readers[--p->reader_count];
    int left = 0;
    for (int i = 0; i < p->count; ++i)
        if (p->kept[i]->reader == last)
            drawer_destroy(p->kept[i]);
        else
            p->kept[left++] = p->kept[i];
    p->count = left;
    drawer_reader_destroy(last);
}

static drawer_reader *reader_for(prior_sampler *p, const drawer_kind *k, error *err)
{
    drawer_reader *r = kept_reader(p, k);
    if (r) return r;
    if (p->reader_count == READERS) drop_last_reader(p);
    r = drawer_reader_create(&p->model, k->texts, k->each, k->given, err);
    return r ? put_reader_first(p, r, p->reader_count++) : NULL;
}

/* In place of the one not used for longest where there is no room for another. */
static drawer *build(prior_sampler *p, const drawer_kind *k, error *err)
{
    drawer_reader *r = reader_for(p, k, err);
    if (!r) return NULL;
    if (p->count == KEPT) drawer_destroy(p->kept[--p->count]);
    drawer *d = drawer_create(&p->model, r, k->batch, err);
    if (!d) return NULL;
    ++p->built;
    return put_first(p, d, p->count++);
}

/* Beside those that are kept, or, where memory does not suffice for that, instead of them. */
static drawer *build_beside(prior_sampler *p, const drawer_kind *k, error *err)
{
    error why = { 0 };
    drawer *d = build(p, k, &why);
    if (!d && why.code == ERROR_ROOM && (p->count > 0 || p->reader_count > 1)) {
        prior_sampler_drop(p);
        return build(p, k, err);
    }
    if (!d && err) *err = why;
    return d;
}

static drawer *drawer_for(prior_sampler *p, drawer_kind k, error *err)
{
    const drawer_reader *r = kept_reader(p, &k);
    for (int i = 0; r && i < p->count; ++i) {
        drawer *d = p->kept[i];
        if (d->batch == k.batch && d->reader == r) return put_first(p, d, i);
    }
    return build_beside(p, &k, err);
}

prior_sampler *prior_sampler_create(store *s, const prior_config *c, const prior_shape *shape, int64_t batch,
                                    bool averages, error *err)
{
    prior_sampler *p = calloc(1, sizeof *p);
    if (!p) return error_null(err, ERROR_MEMORY, "out of memory for a sampler");
    p->model = (drawer_model){ s, *c, *shape, averages };
    p->batch = 1;
    if (batch ? prior_sampler_prepare(p, batch, err) : drawer_declare(&p->model, err)) return p;
    prior_sampler_destroy(p);
    return NULL;
}

void prior_sampler_destroy(prior_sampler *p)
{
    if (!p) return;
    prior_sampler_drop(p);
    free(p);
}

bool prior_sampler_prepare(prior_sampler *p, int64_t batch, error *err)
{
    return prior_sampler_prepare_for(p, batch, 1, p->model.config.guidance, 0, err);
}

bool prior_sampler_prepare_for(prior_sampler *p, int64_t batch, int64_t texts, double guidance, int64_t given,
                               error *err)
{
    if (!drawer_for(p, kind_of(batch, texts, guidance, given), err)) return false;
    p->batch = batch;
    return true;
}

int prior_sampler_built(const prior_sampler *p)
{
    return p->built;
}

bool prior_sampler_joined(const prior_sampler *p)
{
    return p->count > 0 && graph_joined(p->kept[0]->step);
}

/* ---- Drawing ---- */

static int64_t image_tokens(const drawer_model *m)
{
    return m->shape.side * m->shape.side;
}

/* What the step that makes image token `index` needs to know of its place: it is fed token index-1. */
static void place_of(const drawer_model *m, int64_t index, int32_t at[AT_COUNT])
{
    int64_t fed = index - 1, side = m->shape.side;
    at[AT_STREAM] = (int32_t)(m->config.text_tokens + fed);
    at[AT_IMAGE] = (int32_t)index;
    at[AT_ROW] = (int32_t)(fed < 0 ? 0 : fed / side);
    at[AT_COLUMN] = (int32_t)(fed < 0 ? 0 : fed % side);
}

/* Each caption, from number `turn` of `texts` on, and with guidance the empty one behind it; after each the
 * tokens that are given. */
static bool write_read(const drawer *d, const int32_t *text, int64_t texts, int64_t turn,
                       const int32_t *given, error *err)
{
    const drawer_reader *r = d->reader;
    int64_t positions = d->model->config.text_tokens, most = positions > r->given ? positions : r->given;
    int32_t *all = malloc((size_t)(r->captions * most) * sizeof *all);
    if (!all) return error_set(err, ERROR_MEMORY, "out of memory for a caption");
    for (int64_t i = 0; i < r->captions; ++i)
        for (int64_t k = 0; k < positions; ++k)
            all[i * positions + k] = i % r->each ? -1 : text[(turn + i / r->each) % texts * positions + k];
    bool ok = graph_write(r->text, all, err);
    for (int64_t i = 0; i < r->captions * r->given; ++i) all[i] = given[i % r->given];
    ok = ok && (!r->given || graph_write(r->image, all, err));
    free(all);
    return ok;
}

/* Reads what pictures begin with. */
static bool read_all(const drawer *d, const int32_t *text, int64_t texts, int64_t turn, const int32_t *given,
                     error *err)
{
    return write_read(d, text, texts, turn, given, err) && graph_run(d->reader->graph, err);
}

/* Before the first batch, and before another one whose pictures have other captions than the last's. */
static bool read_before(const drawer *w, const prior_draw *d, int64_t before, error *err)
{
    int64_t texts = d->texts > 1 ? d->texts : 1;
    if (before && (texts == 1 || w->batch % texts == 0)) return true;
    return read_all(w, d->text, texts, (d->first + before) % texts, d->given, err);
}

/* Draws the first token behind what was read; a step then makes the second. */
static bool start(drawer *d, const float settings[4], const int32_t random[4], error *err)
{
    int32_t at[AT_COUNT], then[AT_COUNT];
    place_of(d->model, d->reader->given, at);
    place_of(d->model, d->reader->given + 1, then);
    return graph_write(d->first_at, at, err) && graph_write(d->first_random, random, err) &&
           graph_write(d->first_settings, settings, err) && graph_run(d->first, err) &&
           graph_write(d->random, random, err) && graph_write(d->settings, settings, err) &&
           store_write(d->memory, d->place, then, err);
}

/* The tokens given and drawn for the first `count` pictures, and their entropies unless those are NULL,
 * [count][N]. */
static bool collect(const drawer *d, const int32_t *given, int64_t count, int32_t *tokens, float *entropy,
                    error *err)
{
    int64_t n = image_tokens(d->model), all = n * d->batch, known = d->reader->given;
    int32_t *drawn = malloc((size_t)all * sizeof *drawn);
    float *of = malloc((size_t)all * sizeof *of);
    bool ok =
        drawn && of ? true : error_set(err, ERROR_MEMORY, "out of memory for %lld tokens", (long long)all);
    ok = ok && store_read(d->memory, d->history, drawn, err) &&
         (!entropy || store_read(d->memory, d->entropies, of, err));
    for (int64_t b = 0; ok && b < count; ++b)
        for (int64_t i = 0; i < n; ++i) {
            tokens[b * n + i] = i < known ? given[i] : drawn[i * d->batch + b];
            if (entropy) entropy[b * n + i] = i < known ? 0 : of[i * d->batch + b];
        }
    free(drawn);
    free(of);
    return ok;
}

/* One batch of pictures, of which `before` are drawn and `count` wanted. */
static bool draw_batch(drawer *w, const prior_draw *d, int64_t before, int64_t count, int32_t *tokens,
                       error *err)
{
    int64_t n = image_tokens(w->model), each = n - d->given_count, total = d->count * each;
    float settings[4] = { (float)d->temperature, (float)d->top_k, (float)d->top_p, (float)d->guidance };
    int32_t random[4] = { (int32_t)(uint32_t)d->seed, (int32_t)(uint32_t)(d->seed >> 32), 0,
                          (int32_t)(d->first + before) };
    if (!read_before(w, d, before, err) || !start(w, settings, random, err)) return false;
    for (int64_t i = 1; i < each;) {
        int64_t times = each - i < TOKENS_AT_ONCE ? each - i : TOKENS_AT_ONCE;
        if (!graph_run_times(w->step, (int)times, err)) return false;
        i += times;
        int64_t done = before * each + i * count;
        if (!d->progress || i >= each) continue;
        if (!device_finish(store_device(w->memory), err)) return false;
        if (!d->progress(d->context, done, total))
            return error_set(err, ERROR_INTERRUPTED, "drawing was stopped after %lld of %lld tokens",
                             (long long)done, (long long)total);
    }
    return collect(w, d->given, count, tokens + before * n, d->entropy ? d->entropy + before * n : NULL, err);
}

bool prior_sampler_draw(prior_sampler *p, const prior_draw *d, int32_t *tokens, error *err)
{
    int64_t n = image_tokens(&p->model), total = d->count * (n - d->given_count);
    CHECK(d->given_count >= 0 && d->given_count < n, "%lld of %lld tokens are given",
          (long long)d->given_count, (long long)n);
    drawer *w = drawer_for(p, kind_of(p->batch, d->texts, d->guidance, d->given_count), err);
    if (!w) return false;
    for (int64_t done = 0; done < d->count; done += p->batch) {
        int64_t count = d->count - done < p->batch ? d->count - done : p->batch;
        if (!draw_batch(w, d, done, count, tokens, err)) return false;
    }
    if (d->progress) d->progress(d->context, total, total);
    return true;
}

bool prior_sampler_logits(prior_sampler *p, const int32_t *text, const int32_t *image, int64_t given,
                          float *logits, error *err)
{
    int64_t n = image_tokens(&p->model), k = p->model.shape.codes;
    const float settings[4] = { 0.0f, 0.0f, 1.0f, 1.0f };
    const int32_t random[4] = { 0 };
    drawer *d = drawer_for(p, kind_of(p->batch, 1, 1, given), err);
    if (!d) return false;
    int32_t *fed = malloc((size_t)p->batch * sizeof *fed);
    float *all = malloc((size_t)(p->batch * k) * sizeof *all);
    bool ok = fed && all
                  ? true
                  : error_set(err, ERROR_MEMORY, "out of memory for %lld logits", (long long)(p->batch * k));
    ok = ok && read_all(d, text, 1, 0, image, err) && start(d, settings, random, err) &&
         store_read_f32(d->reader->memory, d->reader->logits, logits + given * k, err);
    for (int64_t i = given + 1; ok && i < n; ++i) {
        for (int64_t b = 0; b < p->batch; ++b) fed[b] = image[i - 1];
        ok = store_write(d->memory, d->token, fed, err) && graph_run(d->step, err) &&
             graph_read_f32(d->logits, all, err);
        if (ok) memcpy(logits + i * k, all, (size_t)k * sizeof *all);
    }
    free(fed);
    free(all);
    return ok;
}
