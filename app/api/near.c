/* near.c -- captions that the model knows and that its CLIP finds near what is asked for.  A CLIP understands
 * wordings that the prior was never told: of a caption that is not known itself as many pictures are drawn of
 * those, and ranking chooses.  Ours; the papers draw the caption alone.
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"

#include "host/base/dot.h"

#include <stdlib.h>
#include <string.h>

/* Pictures may be near for another reason than what they are of: to "a bottle of wine" a man who swings a
 * golf club.  So of the nearest pictures the order is that of their own words, too, and where nobody asked
 * for any those whose words are far are left out: of the emoji's names one pair in 160 is so near. */
enum { LOOKED_AT = 16 };
#define WORDS_COUNT 0.2
#define ALIKE       0.6

typedef struct candidate {
    int64_t place;
    double alike, order; /* its words, and all */
} candidate;

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

static int by_order(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->order != y->order) return x->order > y->order ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* How near the words of `found` are, in order of those and their pictures. */
static bool put_in_order(dalle_model *m, const float *embedding, const int64_t *found, int count,
                         candidate *all, error *err)
{
    const char *texts[LOOKED_AT];
    int64_t size = m->known.size;
    float *rows = malloc((size_t)(LOOKED_AT * size) * sizeof *rows);
    if (!rows) return error_set(err, ERROR_MEMORY, "out of memory for captions' embeddings");
    for (int i = 0; i < count; ++i) texts[i] = m->known.texts[found[i]];
    bool ok = count == 0 || clip_part_texts(m->clip, texts, count, rows, NULL, NULL, NULL, err);
    for (int i = 0; ok && i < count; ++i) {
        double seen = dot(m->known.embeddings + found[i] * size, embedding, size),
               alike = dot(rows + i * size, embedding, size);
        all[i] = (candidate){ found[i], alike, seen + WORDS_COUNT * alike };
    }
    if (ok) qsort(all, (size_t)count, sizeof *all, by_order);
    free(rows);
    return ok;
}

bool near_find(dalle_model *m, const char *caption, const float *embedding, int most, near_list *out,
               error *err)
{
    int64_t found[LOOKED_AT];
    candidate all[LOOKED_AT];
    bool asked = most > 0;
    int count = known_captions_near(&m->known, embedding, caption, LOOKED_AT, found);
    out->count = 0;
    if (!put_in_order(m, embedding, found, count, all, err)) return false;
    for (int i = 0; i < count && out->count < (asked ? most : 1); ++i)
        if (asked || all[i].alike >= ALIKE) out->known[out->count++] = all[i].place;
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
