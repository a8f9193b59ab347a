/* shards.c -- see shards.h.
 * SPDX-License-Identifier: MIT */
#include "models/shards.h"

#include "data/picture_cache.h"
#include "data/shard_tokens.h"
#include "data/sweep.h"
#include "host/base/log.h"
#include "models/kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 16, WARNED = 5 };

typedef struct packer {
    const dataset *set;
    const shards_options *o;
    shard_writer *shards;
    shards_report *out;
    device *device;
    picture_coder coder; /* .self NULL: none */
    shard_tokens_writer *tokens;
    /* Copies that wait to be turned into tokens together: up to AT_ONCE pictures of one shard. */
    uint8_t *pixels;
    int32_t *codes;
    char *keys[AT_ONCE];
    int waiting;
} packer;

static int64_t picture_bytes(const packer *p)
{
    return p->coder.size * p->coder.size * 3;
}

static int64_t picture_codes(const packer *p)
{
    return p->coder.side * p->coder.side;
}

/* ---- One sample, by a worker ---- */

typedef struct made {
    int64_t index;
    dataset_sample sample;
    error problem;
    void *bytes;
    size_t size;
    uint8_t *copies; /* [copies][size][size][3] */
} made;

static bool next_sample(void *context, int64_t index, void *item)
{
    const packer *p = context;
    ((made *)item)->index = index;
    return index < dataset_count(p->set);
}

/* Brings the picture to the shorter side that is asked for; a smaller one stays as it is. */
static bool shrink(const packer *p, made *m, const image *whole)
{
    int64_t side = whole->width < whole->height ? whole->width : whole->height, wanted = p->o->side;
    image small;
    if (!wanted || side <= wanted) return true;
    if (!image_resize_area(whole, (int)((whole->width * wanted + side / 2) / side),
                           (int)((whole->height * wanted + side / 2) / side), false, &small, &m->problem))
        return false;
    free(m->bytes);
    m->bytes = NULL;
    bool ok = image_encode_png(&small, &m->bytes, &m->size, &m->problem);
    image_free(&small);
    return ok;
}

/* Copy c, as the loader's epoch c would show it. */
static bool cut(const packer *p, made *m, const image *whole, int64_t c)
{
    const shards_options *o = p->o;
    int size = (int)p->coder.size;
    uint8_t *out = m->copies + c * picture_bytes(p);
    const augment_dice dice = { .seed = o->seed, .epoch = (uint32_t)c, .sample = (uint32_t)m->index };
    bool in_turn = o->augment == AUGMENT_NONE && o->flip == AUGMENT_FLIP_ON;
    if (!augment(whole, size, o->augment, in_turn ? AUGMENT_FLIP_OFF : o->flip, &dice, out, &m->problem))
        return false;
    image copy = { size, size, out };
    if (in_turn && c % 2 == 1) image_flip(&copy);
    return true;
}

static bool cut_all(const packer *p, made *m, const image *whole)
{
    if (!p->coder.self) return true;
    const picture_use use = { (int)p->coder.size, p->o->augment, IMAGE_AREA };
    image small;
    m->copies = malloc((size_t)(p->o->copies * picture_bytes(p)));
    if (!m->copies) return error_set(&m->problem, ERROR_MEMORY, "out of memory for a picture's copies");
    bool ok = picture_cache_shrink(&use, whole, &small, &m->problem); /* as the loader begins */
    for (int64_t c = 0; ok && c < p->o->copies; ++c) ok = cut(p, m, small.pixels ? &small : whole, c);
    image_free(&small);
    return ok;
}

static void make(void *context, void *item)
{
    const packer *p = context;
    made *m = item;
    image whole = { 0 };
    if (dataset_read(p->set, m->index, &m->sample, &m->problem) &&
        dataset_read_bytes(p->set, m->index, &m->bytes, &m->size, &m->problem) &&
        image_decode(m->bytes, m->size, m->sample.key, &whole, &m->problem) && cut_all(p, m, &whole))
        shrink(p, m, &whole);
    image_free(&whole);
}

static void drop(void *context, void *item)
{
    made *m = item;
    (void)context;
    free(m->bytes);
    free(m->copies);
    dataset_sample_free(&m->sample);
}

/* ---- Tokens ---- */

/* What waits becomes rows of the shard that is being written. */
static bool encode(packer *p, error *err)
{
    int64_t row = p->o->copies * picture_codes(p);
    bool ok = p->waiting == 0 ||
              p->coder.encode(p->coder.self, p->pixels, p->waiting * p->o->copies, p->codes, err);
    for (int i = 0; i < p->waiting; ++i) {
        ok = ok && shard_tokens_writer_add(p->tokens, p->keys[i], p->codes + i * row, err);
        free(p->keys[i]);
        p->keys[i] = NULL;
    }
    p->waiting = 0;
    return ok;
}

static bool seal(void *context, const char *stem, error *err)
{
    packer *p = context;
    return encode(p, err) && shard_tokens_writer_seal(p->tokens, stem, err);
}

static bool wait_for_tokens(packer *p, const char *key, const made *m, error *err)
{
    size_t bytes = (size_t)(p->o->copies * picture_bytes(p));
    if (p->waiting == AT_ONCE && !encode(p, err)) return false;
    memcpy(p->pixels + (size_t)p->waiting * bytes, m->copies, bytes);
    p->keys[p->waiting] = strdup(key);
    if (!p->keys[p->waiting]) return error_set(err, ERROR_MEMORY, "out of memory for a key");
    ++p->waiting;
    return true;
}

static bool open_coder(packer *p, const char *selector, error *err)
{
    const shards_options *o = p->o;
    if (!o->tokens) return true;
    const model_kind *kind = NULL;
    for (int i = 0; model_kinds[i] && !kind; ++i)
        if (model_kinds[i]->coder) kind = model_kinds[i];
    CHECK(kind, "no kind of %d makes tokens", kinds_count());
    if (!(p->device = device_open(selector, err)) ||
        !kind->coder(p->device, o->tokens, AT_ONCE, &p->coder, err))
        return false;
    shard_tokens_kind k = { p->coder.side, p->coder.codes, o->copies, "", "" };
    static const char *const modes[] = { "none", "listing1", "listing2" }, *const flips[] = { "auto", "no",
                                                                                              "yes" };
    snprintf(k.how, sizeof k.how, "augment=%s flip=%s seed=%llu", modes[o->augment], flips[o->flip],
             (unsigned long long)o->seed);
    memcpy(k.origin, p->coder.origin, sizeof k.origin);
    p->pixels = malloc((size_t)(AT_ONCE * o->copies * picture_bytes(p)));
    p->codes = malloc((size_t)(AT_ONCE * o->copies * picture_codes(p)) * sizeof *p->codes);
    if (!p->pixels || !p->codes)
        return error_set(err, ERROR_MEMORY, "out of memory for %lld copies of %d pictures",
                         (long long)o->copies, AT_ONCE);
    p->out->tokens = picture_codes(p);
    return (p->tokens = shard_tokens_writer_create(&k, err)) != NULL;
}

/* ---- All ---- */

static bool leave_out(packer *p, const made *m, error *err)
{
    if (m->problem.code != ERROR_FORMAT) return (*err = m->problem), false;
    if (++p->out->unreadable <= WARNED) log_warn("left out: %s", m->problem.message);
    if (p->out->unreadable == WARNED)
        log_warn("further pictures that cannot be read are left out without a line here");
    return true;
}

static bool take(void *context, int64_t index, void *item, error *err)
{
    packer *p = context;
    const made *m = item;
    const char *key;
    if (m->problem.code != ERROR_NONE) return leave_out(p, m, err);
    const dataset_sample *s = &m->sample;
    char *details;
    if (!dataset_read_details(p->set, index, &details, err)) return false;
    const shard_sample sample = { s->key, m->bytes, m->size, s->captions, s->caption_count, details };
    bool ok =
        shard_writer_add(p->shards, &sample, &key, err) && (!p->tokens || wait_for_tokens(p, key, m, err));
    free(details);
    return ok;
}

static void tell(void *context, int64_t taken)
{
    const packer *p = context;
    p->o->tell(p->o->context, taken, dataset_count(p->set));
}

static bool pack(packer *p, error *err)
{
    shard_options shards = p->o->shards;
    shards.sealed = p->tokens ? seal : NULL;
    shards.context = p;
    const sweep pass = { .threads = p->o->threads,
                         .item_bytes = sizeof(made),
                         .context = p,
                         .next = next_sample,
                         .work = make,
                         .take = take,
                         .drop = drop,
                         .tell = p->o->tell ? tell : NULL,
                         .interrupted = p->o->interrupted };
    if (!(p->shards = shard_writer_open(&shards, err))) return false;
    bool ok = sweep_run(&pass, err);
    if (ok) return shard_writer_close(p->shards, &p->out->samples, &p->out->shards, err);
    shard_writer_abandon(p->shards);
    return false;
}

bool shards_pack(const dataset *d, const shards_options *o, const char *selector, shards_report *out,
                 error *err)
{
    *out = (shards_report){ .samples = 0 };
    packer p = { .set = d, .o = o, .out = out };
    bool ok = open_coder(&p, selector, err) && pack(&p, err);
    for (int i = 0; i < p.waiting; ++i) free(p.keys[i]);
    shard_tokens_writer_destroy(p.tokens);
    if (p.coder.self) p.coder.close(p.coder.self);
    device_close(p.device);
    free(p.pixels);
    free(p.codes);
    return ok;
}
