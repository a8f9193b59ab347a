/* loader.c -- a ring of batches, filled sample by sample.
 * Work is handed out in order under one lock; where a sample goes and what it becomes was fixed by then,
 * so it does not matter which thread does it.
 * SPDX-License-Identifier: MIT */
#include "data/loader.h"
#include "data/dataset_order.h"
#include "data/picture_cache.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS       4 /* batches in the making or waiting; two of them may be in use */
#define MAX_THREADS 64
#define KEPT_BYTES  ((int64_t)256 << 20) /* of decoded pictures */

typedef struct slot {
    loader_batch batch;
    int left;    /* samples not yet made */
    bool in_use; /* being filled, waiting, or held by the user */
    int failed;  /* the lowest position that failed, or -1 */
    error problem;
} slot;

struct loader {
    const dataset *data;
    const dataset_selection *selection;
    picture_cache *pictures;
    loader_config config;
    int view_count;
    int same_as[LOADER_VIEWS]; /* the view whose part it shows, or -1 */
    int use[LOADER_VIEWS];     /* which of the cache's images it is made from, or -1 */
    order *order;              /* NULL: that of the files */

    pthread_mutex_t lock;
    pthread_cond_t work, ready;
    bool locks, stop; /* the lock and conditions exist; threads shall end */
    pthread_t threads[MAX_THREADS];
    int thread_count;

    slot slots[SLOTS];          /* batch `step` lives in slot step % SLOTS */
    int64_t making, delivering; /* steps */
    int next_sample;            /* of the batch being made */
};

typedef struct task {
    slot *where;
    int position;
    int64_t epoch, nth;    /* of the epoch */
    int64_t shown;         /* which epoch of the sample's source that is */
    int64_t sample, again; /* which of its repeats, from 0 */
} task;

/* Which of the selection is the nth of an epoch.  Under the lock, like all that reads the order. */
static order_draw selected(loader *l, int64_t epoch, int64_t nth)
{
    return l->order ? order_at(l->order, epoch, nth) : (order_draw){ nth, epoch };
}

/* Moves on to the next sample of the epoch that is not known to be broken; false if all are. */
static bool choose_sample(loader *l, task *t)
{
    for (int64_t tried = 0; tried < l->selection->count; ++tried) {
        order_draw draw = selected(l, t->epoch, t->nth);
        t->shown = draw.epoch;
        t->sample = dataset_selected(l->selection, draw.place);
        for (t->again = 0; t->again < draw.place; ++t->again) /* repeats stand side by side */
            if (dataset_selected(l->selection, draw.place - t->again - 1) != t->sample) break;
        if (!l->config.skips || !skips_has(l->config.skips, t->sample)) return true;
        t->nth = (t->nth + 1) % l->selection->count;
    }
    return false;
}

/* False when the next batch has no room yet. */
static bool take_task(loader *l, task *t)
{
    slot *s = &l->slots[l->making % SLOTS];
    if (l->next_sample == 0) {
        if (s->in_use) return false;
        s->in_use = true;
        s->left = l->config.share;
        s->failed = -1;
        s->batch.step = l->making;
    }
    int64_t place = l->making * l->config.batch + l->config.first + l->next_sample,
            count = l->selection->count;
    *t = (task){ .where = s, .position = l->next_sample, .epoch = place / count, .nth = place % count };
    choose_sample(l, t); /* if all are broken, making it says so */
    if (t->position == 0) s->batch.epoch = t->epoch;
    if (++l->next_sample == l->config.share) {
        l->next_sample = 0;
        ++l->making;
    }
    return true;
}

int loader_view_side(const loader_view *v)
{
    return v->window ? v->window : v->size;
}

static size_t view_bytes(const loader_view *v)
{
    return (size_t)loader_view_side(v) * (size_t)loader_view_side(v) * 3;
}

/* A view that shows a part of the sample's picture, from what the cache gave. */
static bool make_part(const loader_view *v, const image *picture, const augment_dice *dice, uint8_t *out,
                      error *err)
{
    if (!v->window) return augment_by(picture, v->size, v->augment, v->flip, v->resize, dice, out, err);
    image whole;
    bool ok = image_create(&whole, v->size, v->size, err) &&
              augment_by(picture, v->size, v->augment, v->flip, v->resize, dice, whole.pixels, err);
    if (ok) augment_window(whole.pixels, v->size, v->window, dice, out);
    image_free(&whole);
    return ok;
}

/* A view that shows what another does. */
static bool make_small(const loader_view *v, const image *large, const augment_dice *dice, uint8_t *out,
                       error *err)
{
    image small;
    if (v->degrade) return degrade(large, v->size, v->degrade, dice, out, err);
    if (!image_resize(large, v->resize, v->size, v->size, &small, err)) return false;
    memcpy(out, small.pixels, view_bytes(v));
    image_free(&small);
    return true;
}

/* View `which` of the sample, from the pictures that the cache gave, or from a view made before it. */
static bool make_view(const loader *l, const task *t, int which, const image *pictures, error *err)
{
    const loader_view *v = &l->config.views[which];
    uint8_t *out = t->where->batch.views[which].pixels + view_bytes(v) * (size_t)t->position;
    int same_as = l->same_as[which];
    uint32_t drawn = (uint32_t)(t->sample + t->again * dataset_count(l->data)); /* repeats draw anew */
    augment_dice dice = { l->config.seed, (uint32_t)t->shown, drawn, v->stream, v->least };
    if (same_as < 0) return make_part(v, &pictures[l->use[which]], &dice, out, err);
    const loader_view *of = &l->config.views[same_as];
    int side = loader_view_side(of);
    image large = { side, side,
                    t->where->batch.views[same_as].pixels + view_bytes(of) * (size_t)t->position };
    return make_small(v, &large, &dice, out, err);
}

static bool make_sample(const loader *l, const task *t, error *err)
{
    loader_batch *b = &t->where->batch;
    dataset_sample *sample = &b->known[t->position];
    dataset_sample_free(sample);
    b->captions[t->position] = b->keys[t->position] = "";
    if (!dataset_read(l->data, t->sample, sample, err)) return false;
    b->captions[t->position] = sample->caption;
    b->keys[t->position] = sample->key;
    b->samples[t->position] = t->sample;
    if (l->config.blind) return true;
    image pictures[LOADER_VIEWS] = { 0 };
    if (!picture_cache_read(l->pictures, t->sample, pictures, err)) return false;
    bool done = true;
    for (int i = 0; i < l->view_count && done; ++i) done = make_view(l, t, i, pictures, err);
    for (int i = 0; i < LOADER_VIEWS; ++i) image_free(&pictures[i]);
    return done || error_prefix(err, "sample '%s'", sample->key);
}

/* Makes the sample, or, while pictures are broken and may be skipped, the one after it. */
static bool make_good_sample(loader *l, task *t, error *err)
{
    while (!make_sample(l, t, err)) {
        if (!l->config.skips || !skips_add(l->config.skips, t->sample, err, err)) return false;
        pthread_mutex_lock(&l->lock);
        bool left = choose_sample(l, t);
        pthread_mutex_unlock(&l->lock);
        if (!left) return error_set(err, ERROR_FORMAT, "none of the selected pictures can be read");
    }
    return true;
}

static void *run(void *user)
{
    loader *l = user;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        task t;
        if (!take_task(l, &t)) {
            pthread_cond_wait(&l->work, &l->lock);
            continue;
        }
        pthread_mutex_unlock(&l->lock);
        error problem;
        bool done = make_good_sample(l, &t, &problem);
        pthread_mutex_lock(&l->lock);
        if (!done && (t.where->failed < 0 || t.position < t.where->failed)) {
            t.where->failed = t.position;
            t.where->problem = problem;
        }
        if (--t.where->left == 0) pthread_cond_broadcast(&l->ready);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- Opening ---- */

/* The view of that name among the first `count`, or -1. */
static int find_view(const loader_view *views, int count, const char *name)
{
    for (int i = 0; i < count; ++i)
        if (views[i].name && strcmp(views[i].name, name) == 0) return i;
    return -1;
}

static bool check_same_as(const loader_view *views, int which, error *err)
{
    const loader_view *v = &views[which];
    int of = find_view(views, which, v->same_as);
    if (of < 0)
        return error_set(err, ERROR_USAGE,
                         "view '%s' is to show what '%s' shows; no view before it is so named", v->name,
                         v->same_as);
    int side = loader_view_side(&views[of]);
    if (v->size > side)
        return error_set(err, ERROR_USAGE, "view '%s' of %d pixels is to show what '%s' shows, which has %d",
                         v->name, v->size, v->same_as, side);
    if (v->degrade && side % v->size)
        return error_set(err, ERROR_USAGE,
                         "view '%s' of %d pixels is to be made of '%s', whose %d are no multiple of it",
                         v->name, v->size, v->same_as, side);
    return (v->augment == AUGMENT_NONE && v->flip == AUGMENT_FLIP_AS_MODE && !v->stream && !v->window) ||
           error_set(err, ERROR_USAGE, "view '%s' shows what '%s' shows, and is not augmented by itself",
                     v->name, v->same_as);
}

static bool check_view(const loader_view *views, int which, error *err)
{
    const loader_view *v = &views[which];
    if (v->size < 1 || v->size > 4096)
        return error_set(err, ERROR_USAGE, "pictures of %d pixels; choose 1 to 4096", v->size);
    if (v->window < 0 || v->window > v->size)
        return error_set(err, ERROR_USAGE, "a window of %d pixels in pictures of %d", v->window, v->size);
    if (which > 0 && !v->name) return error_set(err, ERROR_USAGE, "view %d has no name", which + 1);
    if (v->name && find_view(views, which, v->name) >= 0)
        return error_set(err, ERROR_USAGE, "two views are named '%s'", v->name);
    return !v->same_as || check_same_as(views, which, err);
}

/* Up to the last that has a size or a name; 1 if none has. */
static int count_views(const loader_config *c)
{
    int count = LOADER_VIEWS;
    while (count > 1 && !c->views[count - 1].size && !c->views[count - 1].name) --count;
    return count;
}

static bool check_config(const dataset_selection *selection, const loader_config *c, error *err)
{
    if (selection->count < 1) return error_set(err, ERROR_USAGE, "no sample is selected to load");
    if (c->batch < 1 || c->batch > 65536)
        return error_set(err, ERROR_USAGE, "a batch of %d; choose 1 to 65536", c->batch);
    if (c->first < 0 || c->share < 0 || c->first + c->share > c->batch)
        return error_set(err, ERROR_USAGE, "samples %d to %d of a batch of %d", c->first, c->first + c->share,
                         c->batch);
    if (c->threads < 0 || c->threads > MAX_THREADS)
        return error_set(err, ERROR_USAGE, "%d loader threads; choose 0 to %d", c->threads, MAX_THREADS);
    for (int i = 0; i < count_views(c); ++i)
        if (!check_view(c->views, i, err)) return false;
    if (c->start_step < 0 || c->start_step > INT64_MAX / 2 / c->batch)
        return error_set(err, ERROR_USAGE, "step %lld cannot be a first step", (long long)c->start_step);
    return true;
}

/* Views that want the same of a picture share it. */
static bool open_pictures(loader *l, error *err)
{
    const loader_view *views = l->config.views;
    picture_use uses[PICTURE_USES];
    int count = 0;
    for (int i = 0; i < l->view_count; ++i) {
        l->use[i] = -1;
        l->same_as[i] = views[i].same_as ? find_view(views, i, views[i].same_as) : -1;
        if (l->same_as[i] >= 0) continue;
        bool whole = views[i].augment == AUGMENT_NONE;
        for (int k = 0; k < count; ++k)
            if (uses[k].size == views[i].size && (uses[k].mode == AUGMENT_NONE) == whole &&
                uses[k].filter == views[i].resize)
                l->use[i] = k;
        if (l->use[i] >= 0) continue;
        uses[count] = (picture_use){ views[i].size, views[i].augment, views[i].resize };
        l->use[i] = count++;
    }
    return (l->pictures = picture_cache_create(l->data, uses, count, KEPT_BYTES, err)) != NULL;
}

static bool make_batch(const loader *l, loader_batch *b)
{
    size_t batch = (size_t)l->config.share;
    b->count = l->config.share;
    b->first = l->config.first;
    b->known = calloc(batch, sizeof *b->known);
    b->captions = calloc(batch, sizeof *b->captions);
    b->keys = calloc(batch, sizeof *b->keys);
    b->samples = calloc(batch, sizeof *b->samples);
    bool done = b->known && b->captions && b->keys && b->samples;
    for (b->view_count = 0; b->view_count < l->view_count; ++b->view_count) {
        const loader_view *v = &l->config.views[b->view_count];
        b->views[b->view_count].name = v->name;
        b->views[b->view_count].size = loader_view_side(v);
        b->views[b->view_count].pixels = malloc(batch * view_bytes(v));
        done = done && b->views[b->view_count].pixels;
    }
    b->pixels = b->views[0].pixels;
    return done;
}

static void free_batch(loader_batch *b)
{
    for (int i = 0; i < b->view_count; ++i) free(b->views[i].pixels);
    for (int i = 0; b->known && i < b->count; ++i) dataset_sample_free(&b->known[i]);
    free(b->known);
    free(b->captions);
    free(b->keys);
    free(b->samples);
}

static bool make_slots(loader *l, error *err)
{
    bool done = true;
    int64_t run = l->config.neighbours;
    if (l->config.shuffle && !(l->order = dataset_order(l->data, l->selection, l->config.seed, run, err)))
        return false;
    for (int i = 0; i < SLOTS; ++i) done = make_batch(l, &l->slots[i].batch) && done;
    return done || error_set(err, ERROR_MEMORY, "no memory for %d batches of %d pictures of %d pixels", SLOTS,
                             l->config.share, l->config.views[0].size);
}

/* Signals are for the main thread. */
static bool start_threads(loader *l, error *err)
{
    if (pthread_mutex_init(&l->lock, NULL) || pthread_cond_init(&l->work, NULL) ||
        pthread_cond_init(&l->ready, NULL))
        return error_set(err, ERROR_MEMORY, "no memory to start the loader");
    l->locks = true;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = 0;
    while (code == 0 && l->thread_count < l->config.threads) {
        code = pthread_create(&l->threads[l->thread_count], NULL, run, l);
        if (code == 0) ++l->thread_count;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    /* Fewer threads than asked for are slower, nothing else. */
    return l->thread_count > 0 ||
           error_set(err, ERROR_MEMORY, "cannot start a loader thread: %s", strerror(code));
}

loader *loader_open(const dataset *d, const dataset_selection *selection, const loader_config *config,
                    error *err)
{
    if (!check_config(selection, config, err)) return NULL;
    loader *l = calloc(1, sizeof *l);
    if (!l) return error_null(err, ERROR_MEMORY, "no memory for the loader");
    l->data = d;
    l->selection = selection;
    l->config = *config;
    if (!l->config.share) l->config.share = l->config.batch;
    l->view_count = count_views(config);
    l->making = l->delivering = config->start_step;
    if (l->config.threads == 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        l->config.threads = processors < 1 ? 1 : processors > 8 ? 8 : (int)processors;
    }
    if (open_pictures(l, err) && make_slots(l, err) && start_threads(l, err)) return l;
    loader_close(l);
    return NULL;
}

void loader_close(loader *l)
{
    if (!l) return;
    if (l->locks) {
        pthread_mutex_lock(&l->lock);
        l->stop = true;
        pthread_cond_broadcast(&l->work);
        pthread_mutex_unlock(&l->lock);
        for (int i = 0; i < l->thread_count; ++i) pthread_join(l->threads[i], NULL);
        pthread_cond_destroy(&l->work);
        pthread_cond_destroy(&l->ready);
        pthread_mutex_destroy(&l->lock);
    }
    for (int i = 0; i < SLOTS; ++i) free_batch(&l->slots[i].batch);
    picture_cache_destroy(l->pictures);
    order_destroy(l->order);
    free(l);
}

/* Which of the batch's views has that name. */
static int view_of(const loader_batch *batch, const char *name)
{
    for (int i = 0; i < batch->view_count; ++i)
        if (batch->views[i].name && strcmp(batch->views[i].name, name) == 0) return i;
    CHECK(false, "a batch has no view '%s'", name);
    return 0;
}

const uint8_t *loader_pixels(const loader_batch *batch, const char *name)
{
    return batch->views[view_of(batch, name)].pixels;
}

int loader_side(const loader_batch *batch, const char *name)
{
    return batch->views[view_of(batch, name)].size;
}

bool loader_next(loader *l, loader_batch **batch, error *err)
{
    *batch = NULL;
    pthread_mutex_lock(&l->lock);
    slot *s = &l->slots[l->delivering % SLOTS];
    while (!s->in_use || s->batch.step != l->delivering || s->left > 0) {
        CHECK(!s->in_use || s->batch.step == l->delivering, "more than %d batches held", SLOTS - 1);
        pthread_cond_wait(&l->ready, &l->lock);
    }
    bool done = s->failed < 0;
    if (done) {
        ++l->delivering;
        *batch = &s->batch;
    } else if (err) {
        *err = s->problem;
    }
    pthread_mutex_unlock(&l->lock);
    return done;
}

void loader_release(loader *l, loader_batch *batch)
{
    if (!batch) return;
    pthread_mutex_lock(&l->lock);
    slot *s = &l->slots[batch->step % SLOTS];
    CHECK(&s->batch == batch && s->in_use && s->left == 0, "batch of step %lld released",
          (long long)batch->step);
    s->in_use = false;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
}
