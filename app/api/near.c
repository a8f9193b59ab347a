/* near.c -- captions that the model knows and that its CLIP finds near what is asked for.  A CLIP understands
 * wordings that the prior was never told: of a caption that is not known itself as many pictures are drawn of
 * those, and ranking chooses.  Ours; the papers draw the caption alone.
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"

#include <stdlib.h>
#include <string.h>

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

float *near_embed(dalle_model *m, const char *caption, error *err)
{
    float *embedding = malloc((size_t)m->clip->config.embedding * sizeof *embedding);
    if (!embedding) return error_null(err, ERROR_MEMORY, "out of memory for a caption's embedding");
    if (clip_part_texts(m->clip, &caption, 1, embedding, NULL, NULL, NULL, err)) return embedding;
    free(embedding);
    return NULL;
}

void near_find(const dalle_model *m, const char *caption, const float *embedding, int most, near_list *out)
{
    out->count = known_captions_near(&m->known, embedding, caption, most, out->known);
}

double near_doubt(const dalle_model *m, const float *embedding)
{
    return known_captions_doubt(&m->known, embedding, (double)m->clip->scale);
}

int near_turn(const near_list *l, int64_t number)
{
    return (int)(number % API_MOST_NEAR) % l->count;
}

const char *near_caption(const dalle_model *m, const near_list *l, int which)
{
    return m->known.texts[l->known[which]];
}
