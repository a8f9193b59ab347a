/* clip_part.c -- see clip_part.h.
 * SPDX-License-Identifier: MIT */
#include "models/clip/clip_part.h"

#include "host/base/hash.h"
#include "models/clip/clip_features.h"
#include "models/clip/clip_text.h"
#include "models/clip/published.h"
#include "models/kinds.h"
#include "models/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Opening ---- */

static bool open_text(clip_part *p, const part_files *files, const char *folder, error *err)
{
    const char *model = part_files_role(files, PART_TOKENIZER), *list = part_files_role(files, PART_WORDS);
    if (!model) return error_set(err, ERROR_FORMAT, "'%s' has no tokenizer, which its CLIP needs", folder);
    if (!(p->tokenizer = tokenizer_open(model, err))) return false;
    int vocabulary = tokenizer_vocabulary(p->tokenizer);
    if (vocabulary != p->config.text_vocabulary)
        return error_set(
            err, ERROR_MODEL,
            "'%s' has %d tokens, the CLIP's text_vocabulary is %lld; they were not trained together", model,
            vocabulary, (long long)p->config.text_vocabulary);
    clip_marks_of(p->tokenizer, &p->config);
    return !list || (p->words = words_open(list, err)) != NULL;
}

static bool read_scale(clip_part *p, error *err)
{
    const store_entry *e = store_find(p->store, "log_scale");
    float log_scale;
    if (!store_read_f32(p->store, e, &log_scale, err)) return false;
    p->scale = expf(log_scale);
    if (!isfinite(log_scale))
        return error_set(err, ERROR_MODEL, "the CLIP's temperature is not a number: its file is damaged");
    if (p->scale > CLIP_SCALE_MOST) p->scale = CLIP_SCALE_MOST;
    return true;
}

static bool read_parameters(clip_part *p, const part_files *files, error *err)
{
    bool published;
    if (!clip_published_is(files->weights, &published, err)) return false;
    return published ? clip_published_read(p->store, files->weights, err)
                     : checkpoint_import(p->store, files->weights, files->run, &p->metadata, err);
}

clip_part *clip_part_open(device *d, const char *folder, error *err)
{
    part_files files;
    if (!part_files_find(folder, &clip_kind, &files, err)) return NULL;
    clip_part *p = calloc(1, sizeof *p);
    bool ok = p ? true : error_set(err, ERROR_MEMORY, "out of memory for a CLIP");
    ok = ok && part_files_config(&files, &p->config, err) && clip_config_check(&p->config, err) &&
         open_text(p, &files, folder, err) && (p->store = part_store_create(d, err)) &&
         (p->features = clip_features_create(p->store, &p->config, false, err)) &&
         read_parameters(p, &files, err) && read_scale(p, err);
    part_files_free(&files);
    if (ok) return p;
    clip_part_close(p);
    return NULL;
}

void clip_part_close(clip_part *p)
{
    if (!p) return;
    clip_features_destroy(p->features);
    store_destroy(p->store);
    tokenizer_close(p->tokenizer);
    words_destroy(p->words);
    checkpoint_metadata_free(&p->metadata);
    free(p);
}

/* ---- Features ---- */

static bool go_on(clip_progress *progress, void *context, int64_t done, int64_t total, error *err)
{
    return !progress || progress(context, done, total) ||
           error_set(err, ERROR_INTERRUPTED, "stopped after %lld of %lld", (long long)done, (long long)total);
}

bool clip_part_image_fingerprint(const clip_part *p, char hex[65], error *err)
{
    hash h;
    char tower[65];
    if (!checkpoint_fingerprint_of(p->store, "image.", tower, err)) return false;
    hash_start(&h);
    hash_text(&h, tower);
    hash_text(&h, tokenizer_hash(p->tokenizer));
    hash_finish(&h, hex);
    return true;
}

bool clip_part_prepare(clip_part *p, error *err)
{
    return clip_features_prepare(p->features, err);
}

static int64_t at_once(const clip_part *p, int64_t left)
{
    int64_t batch = clip_features_batch(p->features);
    return left < batch ? left : batch;
}

/* As training resizes what it does not augment. */
static bool resize(const clip_part *p, const uint8_t *rgb, int64_t side, uint8_t *out, error *err)
{
    const image whole = { .width = (int)side, .height = (int)side, .pixels = (uint8_t *)(uintptr_t)rgb };
    return augment_by(&whole, (int)p->config.image_size, AUGMENT_NONE, AUGMENT_FLIP_OFF,
                      trainer_filter(&p->config.training), NULL, out, err);
}

bool clip_part_pictures(clip_part *p, const uint8_t *rgb, int64_t count, int64_t side, float *out,
                        clip_progress *progress, void *context, error *err)
{
    int64_t size = p->config.image_size, one = size * size * 3, given = side * side * 3;
    uint8_t *block = malloc((size_t)(clip_features_batch(p->features) * one));
    bool ok = block ? true : error_set(err, ERROR_MEMORY, "out of memory for a batch of pictures");
    for (int64_t done = 0; ok && done < count;) {
        int64_t now = at_once(p, count - done);
        for (int64_t i = 0; ok && i < now; ++i)
            ok = resize(p, rgb + (done + i) * given, side, block + i * one, err);
        ok = ok && clip_features_pictures(p->features, block, now, out + done * p->config.embedding, err);
        done += now;
        ok = ok && go_on(progress, context, done, count, err);
    }
    free(block);
    return ok;
}

static bool place(const clip_part *p, const clip_marks *marks, const char *caption, int32_t *ids,
                  int64_t *end, int64_t *cut, error *err)
{
    int32_t *found = NULL;
    int count = tokenizer_encode(p->tokenizer, caption, &found, err);
    if (count < 0) return error_prefix(err, "'%.60s'", caption);
    *end = clip_text_place(&p->config, marks, found, count, ids);
    *cut += count > p->config.text_tokens - clip_marks_count(marks);
    free(found);
    return true;
}

bool clip_part_texts(clip_part *p, const char *const *captions, int64_t count, float *out, int64_t *cut,
                     clip_progress *progress, void *context, error *err)
{
    const clip_marks marks = clip_marks_of(p->tokenizer, &p->config);
    int64_t batch = clip_features_batch(p->features), tokens = p->config.text_tokens, longer = 0;
    int32_t *ids = malloc((size_t)(batch * tokens) * sizeof *ids);
    int64_t *ends = malloc((size_t)batch * sizeof *ends);
    bool ok = ids && ends ? true : error_set(err, ERROR_MEMORY, "out of memory for a batch of captions");
    for (int64_t done = 0; ok && done < count;) {
        int64_t now = at_once(p, count - done);
        for (int64_t i = 0; ok && i < now; ++i)
            ok = place(p, &marks, captions[done + i], ids + i * tokens, &ends[i], &longer, err);
        ok = ok && clip_features_texts(p->features, ids, ends, now, out + done * p->config.embedding, err);
        done += now;
        ok = ok && go_on(progress, context, done, count, err);
    }
    free(ids);
    free(ends);
    if (cut) *cut = longer;
    return ok;
}

/* Pieces that begin a word start with U+2581. */
static bool begins_word(const tokenizer *t, int32_t id)
{
    return strncmp(tokenizer_piece(t, id), "\xe2\x96\x81", 3) == 0;
}

bool clip_part_lost(const clip_part *p, const char *caption, char **lost, error *err)
{
    clip_config c = p->config;
    const clip_marks marks = clip_marks_of(p->tokenizer, &c);
    int32_t *ids = NULL;
    *lost = NULL;
    int count = tokenizer_encode(p->tokenizer, caption, &ids, err);
    if (count < 0) return false;
    int first = (int)(c.text_tokens - clip_marks_count(&marks));
    bool cut = count > first;
    while (cut && first > 0 && !begins_word(p->tokenizer, ids[first])) --first;
    if (cut) *lost = tokenizer_decode(p->tokenizer, ids + first, count - first, err);
    free(ids);
    return !cut || *lost;
}
