/* diffusion_prior_part.c -- see diffusion_prior_part.h.
 * SPDX-License-Identifier: MIT */
#include "models/diffusion_prior/diffusion_prior_part.h"

#include "models/diffusion_prior/diffusion_prior_draw.h"
#include "models/kinds.h"
#include "models/unclip/clip_source.h"

#include <stdlib.h>
#include <string.h>

/* ---- Opening ---- */

diffusion_prior_part *diffusion_prior_part_read(device *d, const char *folder, clip_part *clip, error *err)
{
    part_files files;
    if (!part_files_find(folder, &diffusion_prior_kind, &files, err)) return NULL;
    diffusion_prior_part *p = calloc(1, sizeof *p);
    bool ok = p ? true : error_set(err, ERROR_MEMORY, "out of memory for a diffusion prior");
    if (ok) p->clip = clip;
    ok = ok && part_files_config(&files, &p->config, err) && diffusion_prior_config_check(&p->config, err) &&
         clip_source_fits(&p->config.text, clip, diffusion_prior_kind.title, folder, err) &&
         (p->store = part_store_create(d, err)) &&
         (p->draw = diffusion_prior_drawer_create(p->store, &p->config, clip->config.embedding, false, err));
    if (ok && !checkpoint_import(p->store, files.weights, files.run, &p->metadata, err))
        ok = error_prefix(err,
                          "the diffusion prior does not fit its CLIP, of embeddings of %lld numbers, or its "
                          "file is damaged",
                          (long long)clip->config.embedding);
    part_files_free(&files);
    if (ok) return p;
    diffusion_prior_part_close(p);
    return NULL;
}

diffusion_prior_part *diffusion_prior_part_open(device *d, const char *folder, clip_part *clip, error *err)
{
    diffusion_prior_part *p = diffusion_prior_part_read(d, folder, clip, err);
    if (!p || clip_source_check(clip, folder, &p->metadata, false, diffusion_prior_kind.title, folder, err))
        return p;
    diffusion_prior_part_close(p);
    return NULL;
}

void diffusion_prior_part_close(diffusion_prior_part *p)
{
    if (!p) return;
    diffusion_prior_drawer_destroy(p->draw);
    store_destroy(p->store);
    checkpoint_metadata_free(&p->metadata);
    free(p);
}

bool diffusion_prior_part_prepare(diffusion_prior_part *p, int64_t count, error *err)
{
    (void)count; /* batches have one size */
    return diffusion_prior_drawer_prepare(p->draw, p->config.guidance, err);
}

/* ---- Drawing ---- */

/* The model's own where the request names none. */
static diffusion_prior_draw draw_of(const diffusion_prior_part *p, const embedding_request *r)
{
    diffusion_prior_draw how = diffusion_prior_draw_by(&p->config);
    how.count = r->count;
    how.first = r->first;
    how.seed = r->seed;
    how.progress = r->progress;
    how.context = r->context;
    if (r->guidance >= 0) how.guidance = r->guidance;
    if (r->spacing) how.spacing = r->spacing;
    if (r->ddim >= 0) how.ddim = r->ddim > 0;
    if (r->eta >= 0) how.eta = r->eta;
    if (r->candidates > 0) how.candidates = r->candidates;
    return how;
}

/* The caption's tokens and embedding; of one without a token both say that there is none. */
static bool read_caption(const diffusion_prior_part *p, const char *caption, int32_t *tokens,
                         float *embedding, error *err)
{
    int64_t size = p->clip->config.embedding;
    const char *text = caption ? caption : "";
    memset(embedding, 0, (size_t)size * sizeof *embedding);
    if (!clip_source_caption(p->clip, text, tokens, NULL, err)) return false;
    return tokens[0] < 0 || clip_part_texts(p->clip, &text, 1, embedding, NULL, NULL, NULL, err);
}

bool diffusion_prior_part_draw(diffusion_prior_part *p, const embedding_request *r, float *embeddings,
                               error *err)
{
    diffusion_prior_draw how = draw_of(p, r);
    int32_t *tokens = malloc((size_t)p->config.text_tokens * sizeof *tokens);
    float *caption = malloc((size_t)p->clip->config.embedding * sizeof *caption);
    bool ok = tokens && caption ? true : error_set(err, ERROR_MEMORY, "out of memory for a caption");
    how.tokens = tokens;
    how.captions = caption;
    ok = ok && read_caption(p, r->caption, tokens, caption, err) &&
         diffusion_prior_drawer_draw(p->draw, &how, embeddings, err);
    free(tokens);
    free(caption);
    return ok;
}
