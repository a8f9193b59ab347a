/* near.c -- captions that the model knows and that its CLIP finds near what is asked for.  A CLIP
 * understands wordings that the prior was never told: so pictures of such captions are drawn too, and
 * ranking chooses.  Ours; the papers draw the caption alone.
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"

#include <stdlib.h>
#include <string.h>

bool api_near_open(dalle_model *m, error *err)
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

int api_near_wanted(const dalle_model *m, const dalle_request *r, bool ranks)
{
    if (r->near >= 0) return r->near;
    return ranks && m->known.count ? API_MOST_NEAR : 0;
}

bool api_near_find(dalle_model *m, const char *caption, int most, int64_t places[API_MOST_NEAR], int *count,
                   error *err)
{
    *count = 0;
    if (!most) return true;
    float *embedding = malloc((size_t)m->known.size * sizeof *embedding);
    if (!embedding) return error_set(err, ERROR_MEMORY, "out of memory for a caption's embedding");
    bool ok = clip_part_texts(m->clip, &caption, 1, embedding, NULL, NULL, NULL, err);
    if (ok) *count = known_captions_near(&m->known, embedding, caption, most, places);
    free(embedding);
    return ok;
}

int api_near_of(int number, int near)
{
    int phrase = number % API_PHRASES, which = phrase / 2;
    return phrase % 2 && which < near ? 1 + which : 0;
}
