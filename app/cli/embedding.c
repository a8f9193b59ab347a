/* embedding.c -- see embedding.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/embedding.h"

#include "app/cli/cli.h"
#include "app/cli/pictures.h"
#include "app/cli/sets.h"
#include "data/sweep.h"
#include "host/base/log.h"
#include "host/base/timing.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 64, NAMED = 5 };

/* What a thread makes of a picture. */
typedef struct decoded {
    int64_t index;
    image picture; /* square; empty: it cannot be read */
    error why;
} decoded;

/* A run under way: pictures that were read and wait to be embedded together, in their order. */
typedef struct run {
    embedding_pass *p;
    int64_t first, end;
    int side, dimensions;
    int count;     /* that wait */
    int readable;  /* of them */
    int64_t waits; /* index of the first */
    bool read[BATCH];
    uint8_t *rgb;
    float *embeddings;
} run;

bool embedding_go_on(void *context, int64_t done, int64_t total)
{
    (void)context;
    (void)done;
    (void)total;
    return !*cli_interrupted();
}

/* ---- Reading ---- */

static bool next(void *context, int64_t index, void *item)
{
    const run *r = context;
    ((decoded *)item)->index = r->first + index;
    return r->first + index < r->end;
}

static void work(void *context, void *item)
{
    const run *r = context;
    decoded *d = item;
    image whole = { 0 };
    dalle_error failure;
    if (collection_picture(r->p->pictures, d->index, &whole, &d->why) &&
        image_create(&d->picture, r->side, r->side, &d->why) &&
        !dalle_fit_picture(r->p->model, whole.pixels, whole.width, whole.height, d->picture.pixels,
                           &failure)) {
        pictures_error(&failure, &d->why);
        image_free(&d->picture);
    }
    image_free(&whole);
}

static void drop(void *context, void *item)
{
    (void)context;
    image_free(&((decoded *)item)->picture);
}

static char *name_of(const run *r, int64_t index, error *err)
{
    collection_item item;
    if (!collection_item_read(r->p->pictures, index, &item, err)) return NULL;
    char *name = strdup(item.sample.key);
    dataset_sample_free(&item.sample);
    return name ? name : error_null(err, ERROR_MEMORY, "out of memory for a picture's name");
}

/* The picture's own fault; what is the machine's ends the pass. */
static bool note_unread(run *r, const decoded *d, error *err)
{
    if (error_of_memory(&d->why)) return (*err = d->why), false;
    if (++r->p->unread > NAMED) return true;
    char *name = name_of(r, d->index, err);
    if (!name) return false;
    log_progress(NULL);
    if (strstr(d->why.message, name))
        log_warn("left out: %s", d->why.message);
    else
        log_warn("left out: '%s': %s", name, d->why.message);
    free(name);
    return true;
}

/* ---- Embedding ---- */

/* Which of a batch it is that a failure is about: tried one by one, and named by its key, not its number. */
static bool blame(run *r, const dalle_error *failure, error *err)
{
    static const char number[] = "picture 0: ";
    dalle_error again;
    size_t bytes = (size_t)r->side * (size_t)r->side * 3, at = 0;
    pictures_error(failure, err);
    for (int i = 0; failure->kind == DALLE_MODEL && i < r->count; ++i) {
        if (!r->read[i] || dalle_embed_pictures(r->p->model, r->rgb + at++ * bytes, 1, r->side, NULL, NULL,
                                                r->embeddings, &again))
            continue;
        error none;
        char *name = name_of(r, r->waits + i, &none);
        size_t skipped = strncmp(again.message, number, strlen(number)) == 0 ? strlen(number) : 0;
        error_set(err, ERROR_MODEL, "'%s': %s", name ? name : "", again.message + skipped);
        free(name);
        return false;
    }
    return false;
}

static bool flush(run *r, error *err)
{
    dalle_error failure;
    if (r->readable && !dalle_embed_pictures(r->p->model, r->rgb, r->readable, r->side, embedding_go_on, NULL,
                                             r->embeddings, &failure))
        return blame(r, &failure, err);
    const float *at = r->embeddings;
    for (int i = 0; i < r->count; ++i) {
        if (!r->p->take(r->p->context, r->waits + i, r->read[i] ? at : NULL, err)) return false;
        at += r->read[i] ? r->dimensions : 0;
    }
    r->waits += r->count;
    r->count = r->readable = 0;
    return true;
}

static bool take(void *context, int64_t index, void *item, error *err)
{
    run *r = context;
    const decoded *d = item;
    size_t bytes = (size_t)r->side * (size_t)r->side * 3;
    (void)index;
    r->read[r->count] = d->picture.pixels != NULL;
    if (d->picture.pixels)
        memcpy(r->rgb + (size_t)r->readable++ * bytes, d->picture.pixels, bytes);
    else if (!note_unread(r, d, err))
        return false;
    return ++r->count < BATCH || flush(r, err);
}

static void tell(void *context, int64_t taken)
{
    const run *r = context;
    sets_meter meter = { "embedding", "pictures", r->p->began };
    sets_meter_show(&meter, r->first + taken, r->first + taken, collection_count(r->p->pictures), "");
}

bool embedding_run(embedding_pass *p, int64_t first, int64_t end, error *err)
{
    const dalle_model_info *info = dalle_get_info(p->model);
    run r = { .p = p,
              .first = first,
              .end = end,
              .waits = first,
              .side = info->clip_side,
              .dimensions = info->clip_dimensions };
    const sweep s = { .item_bytes = sizeof(decoded),
                      .context = &r,
                      .next = next,
                      .work = work,
                      .take = take,
                      .drop = drop,
                      .tell = tell,
                      .interrupted = cli_interrupted() };
    if (p->began <= 0) p->began = timing_now();
    r.rgb = malloc((size_t)BATCH * (size_t)r.side * (size_t)r.side * 3);
    r.embeddings = malloc((size_t)BATCH * (size_t)r.dimensions * sizeof *r.embeddings);
    bool ok = r.rgb && r.embeddings ? true
                                    : error_set(err, ERROR_MEMORY, "out of memory for %d pictures of %d x %d",
                                                BATCH, r.side, r.side);
    ok = ok && sweep_run(&s, err) && flush(&r, err);
    if (!ok && err->code == ERROR_INTERRUPTED)
        error_set(err, ERROR_INTERRUPTED, "stopped after %lld of %lld pictures", (long long)r.waits,
                  (long long)collection_count(p->pictures));
    log_progress(NULL);
    free(r.rgb);
    free(r.embeddings);
    return ok;
}

bool embedding_end(const embedding_pass *p, error *err)
{
    int64_t count = collection_count(p->pictures);
    if (p->unread && p->unread == count)
        return error_set(err, ERROR_FORMAT, "none of %lld pictures can be read", (long long)count);
    if (p->unread)
        log_warn("%lld of %lld pictures cannot be read and are left out", (long long)p->unread,
                 (long long)count);
    return true;
}

/* ---- Texts ---- */

bool embedding_warn_cut(const dalle_model *model, const char *text)
{
    enum { MOST = 160 };
    char *lost = dalle_lost_clip_words(model, text);
    if (!lost) return false;
    size_t shown = strlen(lost);
    bool shorter = shown > MOST;
    if (shorter) shown = MOST;
    while (shown > 0 && ((unsigned char)lost[shown] & 0xc0) == 0x80) --shown; /* between characters */
    log_warn("a text is longer than the model's %d text tokens; not read: %.*s%s",
             dalle_get_info(model)->clip_text_tokens, (int)shown, lost, shorter ? " ..." : "");
    dalle_free(lost);
    return true;
}

float *embedding_texts(dalle_model *model, const char *const *texts, int count, error *err)
{
    dalle_error failure;
    size_t one = (size_t)dalle_get_info(model)->clip_dimensions;
    int cut = 0;
    for (int i = 0; i < count && cut < NAMED; ++i) cut += embedding_warn_cut(model, texts[i]);
    float *out = malloc(((size_t)count * one + 1) * sizeof *out);
    if (!out) return error_null(err, ERROR_MEMORY, "out of memory for the embeddings of %d texts", count);
    if (dalle_embed_texts(model, texts, count, embedding_go_on, NULL, out, &failure)) return out;
    pictures_error(&failure, err);
    free(out);
    return NULL;
}
