/* near.c -- captions that the model knows and that its CLIP finds near what is asked for.  A CLIP understands
 * wordings that the prior was never told: of a caption that is not known itself as many pictures are drawn of
 * those, and ranking chooses.  Ours; the papers draw the caption alone.
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"

#include <stdlib.h>
#include <string.h>

/* Pictures may be near for another reason than what they are of: to "a bottle of wine" a man who swings a
 * golf club.  Of the nearest pictures only those are taken whose captions are near, too; of the emoji's names
 * one pair in a hundred is so near. */
enum { LOOKED_AT = 16 };
#define ALIKE 0.7

bool near_open(dalle_model *m, error *err)
{
    char sum[65];
    if (!m->prior || !m->clip) return true;
    if (!known_captions_read(&m->known, m->folder, err)) return false;
    if (!m->known.count) return true;
    if (!api_clip_hash(m, sum, err)) return false;
    if (strcmp(sum, m->known.clip) != 0 || m->known.size != m->clip->config.embedding)
        known_captions_free(&m->known);
    return true;
}

/* Of `found` the first `most` whose own words are alike to the caption's, too. */
static bool keep_alike(dalle_model *m, const float *embedding, const int64_t *found, int count, int most,
                       near_list *out, error *err)
{
    const char *texts[LOOKED_AT];
    int64_t size = m->known.size;
    float *rows = malloc((size_t)(LOOKED_AT * size) * sizeof *rows);
    if (!rows) return error_set(err, ERROR_MEMORY, "out of memory for captions' embeddings");
    for (int i = 0; i < count; ++i) texts[i] = m->known.texts[found[i]];
    bool ok = clip_part_texts(m->clip, texts, count, rows, NULL, NULL, NULL, err);
    out->count = 0;
    for (int i = 0; ok && i < count && out->count < most; ++i) {
        double alike = 0;
        for (int64_t j = 0; j < size; ++j) alike += (double)rows[i * size + j] * (double)embedding[j];
        if (alike >= ALIKE) out->known[out->count++] = found[i];
    }
    free(rows);
    return ok;
}

bool near_find(dalle_model *m, const char *caption, const float *embedding, int most, bool alike,
               near_list *out, error *err)
{
    int64_t found[LOOKED_AT];
    int count = known_captions_near(&m->known, embedding, caption, alike ? LOOKED_AT : most, found);
    if (alike) return keep_alike(m, embedding, found, count, most, out, err);
    memcpy(out->known, found, (size_t)count * sizeof *found);
    out->count = count;
    return true;
}

int near_turn(const near_list *l, int64_t number)
{
    return (int)(number % API_MOST_NEAR) % l->count;
}

const char *near_caption(const dalle_model *m, const near_list *l, int which)
{
    return m->known.texts[l->known[which]];
}
