/* drawing.c -- the likeliest tokens of a prior, and how clear the choice of each was.
 * SPDX-License-Identifier: MIT */
#include "tests/agree/recording.h"

#include "host/base/file.h"
#include "models/dvae/dvae.h"
#include "models/kinds.h"
#include "models/dvae/dvae_part.h"
#include "models/prior/prior_part.h"

#include <math.h>
#include <stdlib.h>

/* What is kept of the logits at every position of every caption. */
typedef struct choices {
    int32_t *tokens, *other;
    float *top, *second, *most;
} choices;

/* The token drawn is one with the largest logit; the second is the largest of the others. */
static void look_at(const float *logits, int64_t codes, int64_t at, choices *c)
{
    int32_t chosen = c->tokens[at], other = chosen == 0 ? 1 : 0;
    float most = 0;
    for (int32_t k = 0; k < codes; ++k) {
        most = fmaxf(most, fabsf(logits[k]));
        if (k != chosen && logits[k] > logits[other]) other = k;
    }
    c->top[at] = logits[chosen];
    c->second[at] = logits[other];
    c->other[at] = other;
    c->most[at] = most;
}

static bool draw_caption(prior_sampler *p, const prior_shape *shape, const int32_t *text, int64_t first,
                         choices *c, error *err)
{
    int64_t n = shape->side * shape->side;
    const prior_draw how = {
        .text = text, .seed = 1, .count = 1, .temperature = 0, .top_p = 1, .guidance = 1
    };
    float *logits = malloc((size_t)(n * shape->codes) * sizeof *logits);
    bool ok = logits ? true : error_set(err, ERROR_MEMORY, "out of memory for logits");
    ok = ok && prior_sampler_draw(p, &how, c->tokens + first, err) &&
         prior_sampler_logits(p, text, c->tokens + first, 0, logits, err);
    for (int64_t i = 0; ok && i < n; ++i) look_at(logits + i * shape->codes, shape->codes, first + i, c);
    free(logits);
    return ok;
}

bool record_tokens(recording *r, const char *model, prior_sampler *p, const prior_shape *shape, int captions,
                   const int32_t *texts, int64_t text_tokens, error *err)
{
    int64_t n = shape->side * shape->side, dim[2] = { captions, n }, total = captions * n;
    choices c = { arena_alloc(r->memory, (size_t)total * 4), arena_alloc(r->memory, (size_t)total * 4),
                  arena_alloc(r->memory, (size_t)total * 4), arena_alloc(r->memory, (size_t)total * 4),
                  arena_alloc(r->memory, (size_t)total * 4) };
    if (!c.tokens || !c.other || !c.top || !c.second || !c.most)
        return error_set(err, ERROR_MEMORY, "out of memory for %lld tokens", (long long)total);
    bool ok = true;
    for (int i = 0; ok && i < captions; ++i)
        ok = draw_caption(p, shape, texts + i * text_tokens, i * n, &c, err);
    return ok && recording_add(r, model, "tokens", DTYPE_I32, 2, dim, c.tokens, err) &&
           recording_add(r, model, "other", DTYPE_I32, 2, dim, c.other, err) &&
           recording_add(r, model, "top", DTYPE_F32, 2, dim, c.top, err) &&
           recording_add(r, model, "second", DTYPE_F32, 2, dim, c.second, err) &&
           recording_add(r, model, "most", DTYPE_F32, 2, dim, c.most, err);
}

/* What the model's dVAE says of its pictures; its graphs are not wanted. */
static bool read_shape(const char *folder, prior_shape *shape, error *err)
{
    part_files files;
    dvae_config c;
    if (!part_files_find(folder, &dvae_kind, &files, err)) return false;
    bool ok = part_files_config(&files, &c, err);
    *shape = (prior_shape){ dvae_tokens_side(&c), c.codes };
    part_files_free(&files);
    return ok;
}

bool record_demo(recording *r, const char *folder, bool one_caption, error *err)
{
    static const char *const captions[] = { "man mage: medium-dark skin tone", "a green heart",
                                            "two words that no emoji has", "" };
    int count = one_caption ? 1 : (int)(sizeof captions / sizeof *captions);
    prior_shape shape;
    prior_part *prior =
        read_shape(folder, &shape, err) ? prior_part_open(r->device, folder, &shape, err) : NULL;
    int32_t *texts = NULL;
    bool ok = prior != NULL;
    if (ok) {
        int64_t length = prior->config.text_tokens;
        texts = calloc((size_t)(count * length), sizeof *texts);
        ok = texts ? true : error_set(err, ERROR_MEMORY, "out of memory for captions");
        for (int i = 0; ok && i < count; ++i) {
            int cut = 0;
            ok = prior_part_tokens(prior, captions[i], texts + i * length, &cut, err);
        }
        ok = ok && record_tokens(r, "demo", prior->sampler, &shape, count, texts, length, err);
    }
    free(texts);
    prior_part_close(prior);
    return ok ? true : error_prefix(err, "%s", folder);
}
