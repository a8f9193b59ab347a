/* rank.c -- the best of many drawings, as DALL-E's pictures are the best 1 of 512 (arXiv 2102.12092, 2.4):
 * the CLIP scores each by how near its picture is to the caption.  Tokens of all drawings are kept,
 * pictures of a few at a time only, so that memory hardly grows with their number.
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"

#include "host/base/dot.h"

#include <stdlib.h>
#include <string.h>

enum { JUDGED_AT_ONCE = 64 };

bool api_rank_prepare(dalle_model *m, error *err)
{
    if (clip_part_prepare(m->clip, err)) return true;
    if (err->code != ERROR_ROOM) return false;
    if (!m->prior) return false;
    prior_sampler_drop(m->prior->sampler);
    return clip_part_prepare(m->clip, err);
}

/* ---- Scores ---- */

struct api_jury {
    dalle_model *model;
    int64_t dimensions;     /* of an embedding */
    float *caption, *meant; /* [dimensions]: the caption's, and what it could mean; NULL: nobody knows */
    float *embeddings;      /* [JUDGED_AT_ONCE][dimensions] */
};

void api_jury_close(api_jury *j)
{
    if (!j) return;
    free(j->caption);
    free(j->meant);
    free(j->embeddings);
    free(j);
}

static bool seat(api_jury *j, const char *caption, error *err)
{
    const dalle_model *m = j->model;
    size_t bytes = (size_t)j->dimensions * sizeof *j->caption;
    j->caption = malloc(bytes);
    j->embeddings = malloc(JUDGED_AT_ONCE * bytes);
    j->meant = m->known.count ? malloc(bytes) : NULL;
    if (!j->caption || !j->embeddings || (m->known.count && !j->meant))
        return error_set(err, ERROR_MEMORY, "out of memory for scoring %d pictures at once", JUDGED_AT_ONCE);
    if (!clip_part_texts(m->clip, &caption, 1, j->caption, NULL, NULL, NULL, err)) return false;
    if (j->meant) known_captions_meant(&m->known, j->caption, (double)m->clip->scale, j->meant);
    return true;
}

api_jury *api_jury_open(dalle_model *m, const char *caption, error *err)
{
    api_jury *j = calloc(1, sizeof *j);
    if (!j) return error_null(err, ERROR_MEMORY, "out of memory for scoring pictures");
    *j = (api_jury){ .model = m, .dimensions = m->clip->config.embedding };
    if (seat(j, caption, err)) return j;
    api_jury_close(j);
    return NULL;
}

const float *api_jury_caption(const api_jury *j)
{
    return j->caption;
}

bool api_jury_scores(api_jury *j, const uint8_t *rgb, int count, int64_t side, api_watch *watch,
                     float *scores, float *sureness, error *err)
{
    clip_progress *progress = watch->progress ? api_watch_tell : NULL;
    CHECK(count <= JUDGED_AT_ONCE, "%d pictures are scored at once", count);
    if (!clip_part_pictures(j->model->clip, rgb, count, side, j->embeddings, progress, watch, err))
        return false;
    for (int i = 0; i < count; ++i) {
        const float *picture = j->embeddings + i * j->dimensions;
        scores[i] = (float)dot(j->caption, picture, j->dimensions);
        if (sureness) sureness[i] = j->meant ? (float)dot(j->meant, picture, j->dimensions) : 0;
    }
    return true;
}

bool api_rank_scores(api_jury *j, const int32_t *tokens, int count, api_watch *watch, float *scores,
                     float *sureness, error *err)
{
    dalle_model *m = j->model;
    int64_t side = m->dvae->config.image_size, each = m->prior->shape.side * m->prior->shape.side;
    uint8_t *rgb = malloc((size_t)(JUDGED_AT_ONCE * side * side * 3));
    bool ok =
        rgb ? true
            : error_set(err, ERROR_MEMORY, "out of memory for scoring %d pictures at once", JUDGED_AT_ONCE);
    for (int done = 0; ok && done < count; done += JUDGED_AT_ONCE) {
        int now = count - done < JUDGED_AT_ONCE ? count - done : JUDGED_AT_ONCE;
        watch->before = done;
        ok = dvae_codec_decode(m->dvae->codec, tokens + done * each, now, rgb, err) &&
             api_jury_scores(j, rgb, now, side, watch, scores + done, sureness + done, err);
    }
    if (!ok && err->code == ERROR_INTERRUPTED) error_prefix(err, "scoring %d drawings", count);
    free(rgb);
    return ok;
}

/* ---- Order ---- */

typedef struct ranked {
    float score;
    int place;
} ranked;

static int compare_ranked(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

bool api_rank_order(const float *scores, int count, int best, int *places, error *err)
{
    ranked *all = malloc((size_t)count * sizeof *all);
    if (!all) return error_set(err, ERROR_MEMORY, "out of memory for ranking %d pictures", count);
    for (int i = 0; i < count; ++i) all[i] = (ranked){ scores[i], i };
    qsort(all, (size_t)count, sizeof *all, compare_ranked);
    for (int i = 0; i < best; ++i) places[i] = all[i].place;
    free(all);
    return true;
}

int api_rank_keep(dalle_pictures *out, int kept, const uint8_t *rgb, float score, int number)
{
    size_t bytes = (size_t)out->side * (size_t)out->side * 3;
    int at = kept;
    while (at > 0 && out->score[at - 1] < score) --at;
    if (at == out->count) return kept;
    size_t moved = (size_t)((kept < out->count ? kept : out->count - 1) - at);
    memmove(out->rgb + (size_t)(at + 1) * bytes, out->rgb + (size_t)at * bytes, moved * bytes);
    memmove(out->score + at + 1, out->score + at, moved * sizeof *out->score);
    memmove(out->number + at + 1, out->number + at, moved * sizeof *out->number);
    memcpy(out->rgb + (size_t)at * bytes, rgb, bytes);
    out->score[at] = score;
    out->number[at] = number;
    return kept < out->count ? kept + 1 : kept;
}
