/* clip_source.c -- see clip_source.h.
 * SPDX-License-Identifier: MIT */
#include "models/unclip/clip_source.h"

#include "models/clip/clip_features.h"
#include "models/clip/clip_text.h"
#include "models/trained_on.h"
#include "models/trainer.h"

#include <stdlib.h>
#include <string.h>

#define VIEW "clip"

static const int64_t CACHE_BYTES = 512 << 20;

struct clip_source {
    clip_part *part;
    clip_marks marks;
    char fingerprint[65], image_fingerprint[65];
    bool fixed;
    int64_t samples; /* that there is room for */
    float *kept;     /* [samples][E] */
    bool *known;     /* [samples] */
};

/* ---- What is kept ---- */

/* Makes room for so many samples.  Where that would be too much, or memory is out, those that there is room
 * for are kept: the others are computed again. */
static void make_room(clip_source *s, int64_t samples)
{
    int64_t size = s->part->config.embedding;
    if (samples <= s->samples || samples > CACHE_BYTES / (size * (int64_t)sizeof *s->kept)) return;
    float *kept = realloc(s->kept, (size_t)(samples * size) * sizeof *kept);
    if (kept) s->kept = kept;
    bool *known = kept ? realloc(s->known, (size_t)samples * sizeof *known) : NULL;
    if (!known) return;
    s->known = known;
    memset(known + s->samples, 0, (size_t)(samples - s->samples) * sizeof *known);
    s->samples = samples;
}

/* Some more than the batch's, so that a set is not copied at every batch. */
static void make_room_for(clip_source *s, const loader_batch *b)
{
    int64_t largest = -1;
    for (int i = 0; i < b->count; ++i)
        if (b->samples[i] > largest) largest = b->samples[i];
    if (!s->fixed || largest < s->samples) return;
    make_room(s, largest + 1 + largest / 2);
    make_room(s, largest + 1);
}

/* ---- Opening ---- */

clip_source *clip_source_open(device *d, const char *folder, bool fixed, int64_t samples, error *err)
{
    clip_source *s = calloc(1, sizeof *s);
    if (!s) return error_null(err, ERROR_MEMORY, "out of memory for a CLIP");
    bool ok = (s->part = clip_part_open(d, folder, err)) &&
              checkpoint_fingerprint(s->part->store, s->fingerprint, err) &&
              clip_part_image_fingerprint(s->part, s->image_fingerprint, err);
    if (ok) {
        s->fixed = fixed;
        if (fixed) make_room(s, samples);
        s->marks = clip_marks_of(s->part->tokenizer, &s->part->config);
        return s;
    }
    clip_source_close(s);
    return NULL;
}

void clip_source_close(clip_source *s)
{
    if (!s) return;
    clip_part_close(s->part);
    free(s->kept);
    free(s->known);
    free(s);
}

clip_part *clip_source_part(const clip_source *s)
{
    return s->part;
}

const char *clip_source_fingerprint(const clip_source *s)
{
    return s->fingerprint;
}

const char *clip_source_image_fingerprint(const clip_source *s)
{
    return s->image_fingerprint;
}

/* ---- Pictures ---- */

loader_view clip_source_view(const clip_source *s, int64_t size)
{
    const clip_config *c = &s->part->config;
    return (loader_view){ .name = VIEW,
                          .size = (int)(c->image_size < size ? c->image_size : size),
                          .same_as = "picture",
                          .resize = trainer_filter(&c->training) };
}

static bool is_kept(const clip_source *s, const loader_batch *b, int i)
{
    return b->samples[i] < s->samples && s->known[b->samples[i]];
}

static void keep(clip_source *s, const loader_batch *b, int i, const float *embedding)
{
    int64_t size = s->part->config.embedding;
    if (b->samples[i] >= s->samples) return;
    memcpy(s->kept + b->samples[i] * size, embedding, (size_t)size * sizeof *embedding);
    s->known[b->samples[i]] = true;
}

/* Those of pictures that are not kept, side by side; how many. */
static int64_t gather(const clip_source *s, const loader_batch *b, uint8_t *pixels)
{
    const uint8_t *all = loader_pixels(b, VIEW);
    int64_t side = loader_side(b, VIEW), picture = side * side * 3, count = 0;
    for (int i = 0; i < b->count; ++i)
        if (!is_kept(s, b, i)) memcpy(pixels + count++ * picture, all + i * picture, (size_t)picture);
    return count;
}

/* From the last on, for those at the front are still to be moved. */
static void spread(clip_source *s, const loader_batch *b, int64_t count, float *out)
{
    int64_t size = s->part->config.embedding;
    for (int i = b->count - 1; i >= 0; --i) {
        const float *from = is_kept(s, b, i) ? s->kept + b->samples[i] * size : out + --count * size;
        memmove(out + i * size, from, (size_t)size * sizeof *out);
    }
    for (int i = 0; i < b->count; ++i) keep(s, b, i, out + i * size);
}

bool clip_source_pictures(clip_source *s, const loader_batch *b, float *out, error *err)
{
    int64_t side = loader_side(b, VIEW);
    make_room_for(s, b);
    uint8_t *pixels = malloc((size_t)(b->count * side * side * 3));
    bool ok = pixels ? true : error_set(err, ERROR_MEMORY, "out of memory for a batch of pictures");
    int64_t count = ok ? gather(s, b, pixels) : 0;
    ok = ok && clip_part_pictures(s->part, pixels, count, side, out, NULL, NULL, err);
    free(pixels);
    if (ok) spread(s, b, count, out);
    return ok;
}

/* ---- Captions ---- */

bool clip_source_texts(clip_source *s, const int32_t *ids, int64_t count, float *out, error *err)
{
    const clip_config *c = &s->part->config;
    int64_t batch = clip_features_batch(s->part->features), tokens = c->text_tokens;
    int32_t *placed = malloc((size_t)(batch * tokens) * sizeof *placed);
    int64_t *ends = malloc((size_t)batch * sizeof *ends);
    bool ok = placed && ends ? true : error_set(err, ERROR_MEMORY, "out of memory for a batch of captions");
    for (int64_t done = 0; ok && done < count; done += batch) {
        int64_t now = count - done < batch ? count - done : batch;
        for (int64_t i = 0; i < now; ++i)
            ends[i] = clip_text_place(c, &s->marks, ids + (done + i) * tokens, tokens, placed + i * tokens);
        ok = clip_features_texts(s->part->features, placed, ends, now, out + done * c->embedding, err);
    }
    free(placed);
    free(ends);
    return ok;
}

bool clip_source_caption(const clip_part *clip, const char *caption, int32_t *ids, bool *cut, error *err)
{
    int32_t *found = NULL;
    int count = tokenizer_encode(clip->tokenizer, caption, &found, err);
    if (count < 0) return error_prefix(err, "'%.60s'", caption);
    text_positions(found, count, clip->config.text_tokens, ids);
    if (cut) *cut = count > clip->config.text_tokens - clip_text_marks(clip->tokenizer);
    free(found);
    return true;
}

/* ---- Which CLIP it was ---- */

bool clip_source_fits(const text_config *text, const clip_part *clip, const char *what,
                      const char *part_folder, error *err)
{
    const clip_config *of = &clip->config;
    return (text->text_tokens == of->text_tokens && text->text_vocabulary == of->text_vocabulary) ||
           error_set(err, ERROR_MODEL,
                     "the %s '%s' reads %lld of %lld tokens, the CLIP %lld of %lld: it was trained with "
                     "another one",
                     what, part_folder, (long long)text->text_tokens, (long long)text->text_vocabulary,
                     (long long)of->text_tokens, (long long)of->text_vocabulary);
}

/* Whether the part's fingerprint under `key` is this one. */
static bool has_fingerprint(const checkpoint_metadata *of_part, const char *part_folder, const char *key,
                            const char *hex, bool *has, error *err)
{
    trained_on t;
    if (!trained_on_find(of_part, part_folder, key, &t, err)) return false;
    *has = strcmp(t.hex, hex) == 0;
    trained_on_free(&t);
    return true;
}

bool clip_source_check(const clip_part *clip, const char *clip_folder, const checkpoint_metadata *of_part,
                       bool image_alone, const char *what, const char *part_folder, error *err)
{
    trained_on t;
    char hex[65], tower[65];
    bool same_image = false;
    if (!checkpoint_fingerprint(clip->store, hex, err) || !clip_part_image_fingerprint(clip, tower, err) ||
        (image_alone && !has_fingerprint(of_part, part_folder, CLIP_IMAGE_KEY, tower, &same_image, err)) ||
        !trained_on_find(of_part, part_folder, CLIP_ORIGIN_KEY, &t, err))
        return false;
    bool ok = strcmp(t.hex, hex) == 0 || same_image;
    if (!ok && !t.hex[0])
        error_set(err, ERROR_MODEL,
                  "nothing in '%s' says with which CLIP its %s was trained, so it cannot be said that '%s' "
                  "is the one: pack it from its run again",
                  part_folder, what, clip_folder);
    else if (!ok)
        error_set(err, ERROR_MODEL,
                  "the %s '%s' was trained with another CLIP than '%s', whose embeddings mean something "
                  "else: with '%s' as it was when that training began.  Name that one, or train the %s with "
                  "this one",
                  what, part_folder, clip_folder, t.name ? t.name : "another CLIP", what);
    trained_on_free(&t);
    return ok;
}
