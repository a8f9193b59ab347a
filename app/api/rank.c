/* rank.c -- the best of many drawings, as DALL-E's pictures are the best 1 of 512 (arXiv 2102.12092, 2.4):
 * the CLIP scores each by how near its picture is to the caption.  Tokens of all drawings are kept,
 * pictures of a few at a time only, so that memory hardly grows with their number.
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"

#include <stdlib.h>

enum { JUDGED_AT_ONCE = 64 };

bool api_rank_prepare(dalle_model *m, error *err)
{
    if (clip_part_prepare(m->clip, err)) return true;
    if (err->code != ERROR_MEMORY) return false;
    prior_sampler_drop(m->prior->sampler);
    return clip_part_prepare(m->clip, err);
}

/* ---- Scores ---- */

typedef struct jury {
    dalle_model *model;
    api_watch *watch;
    int64_t dimensions, tokens, side; /* of an embedding, and of a picture */
    float *caption, *embeddings;      /* [dimensions], [JUDGED_AT_ONCE][dimensions] */
    uint8_t *rgb;                     /* [JUDGED_AT_ONCE] pictures */
} jury;

static bool jury_seat(jury *j, const char *caption, error *err)
{
    size_t pixels = (size_t)(j->side * j->side * 3);
    j->caption = malloc((size_t)j->dimensions * sizeof *j->caption);
    j->embeddings = malloc((size_t)(JUDGED_AT_ONCE * j->dimensions) * sizeof *j->embeddings);
    j->rgb = malloc(JUDGED_AT_ONCE * pixels);
    if (!j->caption || !j->embeddings || !j->rgb)
        return error_set(err, ERROR_MEMORY, "out of memory for scoring %d pictures at once", JUDGED_AT_ONCE);
    return clip_part_texts(j->model->clip, &caption, 1, j->caption, NULL, NULL, NULL, err);
}

/* In double precision and one order: the same bits whatever else is scored. */
static float jury_score(const jury *j, const float *embedding)
{
    double sum = 0;
    for (int64_t i = 0; i < j->dimensions; ++i) sum += (double)j->caption[i] * (double)embedding[i];
    return (float)sum;
}

static bool jury_hear(jury *j, const int32_t *tokens, int count, float *scores, error *err)
{
    clip_progress *progress = j->watch->progress ? api_watch_tell : NULL;
    if (!dvae_codec_decode(j->model->dvae->codec, tokens, count, j->rgb, err) ||
        !clip_part_pictures(j->model->clip, j->rgb, count, j->side, j->embeddings, progress, j->watch, err))
        return false;
    for (int i = 0; i < count; ++i) scores[i] = jury_score(j, j->embeddings + i * j->dimensions);
    return true;
}

bool api_rank_scores(dalle_model *m, const char *caption, const int32_t *tokens, int count, api_watch *watch,
                     float *scores, error *err)
{
    jury j = { .model = m,
               .watch = watch,
               .dimensions = m->clip->config.embedding,
               .tokens = m->prior->shape.side * m->prior->shape.side,
               .side = m->dvae->config.image_size };
    bool ok = jury_seat(&j, caption, err);
    for (int done = 0; ok && done < count; done += JUDGED_AT_ONCE) {
        int now = count - done < JUDGED_AT_ONCE ? count - done : JUDGED_AT_ONCE;
        watch->before = done;
        ok = jury_hear(&j, tokens + done * j.tokens, now, scores + done, err);
    }
    if (!ok && err->code == ERROR_INTERRUPTED) error_prefix(err, "scoring %d drawings", count);
    free(j.caption);
    free(j.embeddings);
    free(j.rgb);
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
