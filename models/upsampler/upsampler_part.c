/* upsampler_part.c -- see upsampler_part.h.
 * SPDX-License-Identifier: MIT */
#include "models/upsampler/upsampler_part.h"

#include "models/kinds.h"
#include "models/upsampler/upsampler_draw.h"

#include <stdio.h>
#include <stdlib.h>

static bool open(upsampler_part *p, device *d, const part_files *files, error *err)
{
    return part_files_config(files, &p->config, err) && upsampler_config_check(&p->config, err) &&
           (p->store = part_store_create(d, err)) &&
           (p->own = upsampler_draw_create(p->store, &p->config, false, err)) &&
           checkpoint_import(p->store, files->weights, files->run, &p->metadata, err);
}

upsampler_part *upsampler_part_open(device *d, const char *folder, int number, error *err)
{
    part_files files;
    CHECK(number >= 0 && number < UPSAMPLERS, "upsampler number %d", number);
    if (!part_files_find_number(folder, &upsampler_kind, number, &files, err)) return NULL;
    upsampler_part *p = calloc(1, sizeof *p);
    bool ok = p ? true : error_set(err, ERROR_MEMORY, "out of memory for an upsampler");
    if (ok) p->number = number;
    ok = ok && open(p, d, &files, err);
    part_files_free(&files);
    if (ok) return p;
    upsampler_part_close(p);
    return NULL;
}

void upsampler_part_close(upsampler_part *p)
{
    if (!p) return;
    upsampler_draw_destroy(p->own);
    store_destroy(p->store);
    checkpoint_metadata_free(&p->metadata);
    free(p);
}

bool upsampler_part_is_there(const char *folder, int number, error *err)
{
    return part_is_there_number(folder, &upsampler_kind, number, err);
}

bool upsampler_part_prepare(upsampler_part *p, int64_t count, error *err)
{
    return upsampler_draw_prepare(p->own, count, err);
}

bool upsampler_part_draw(upsampler_part *p, const upsampler_request *r, const float *low, float *pictures,
                         error *err)
{
    char stream[32];
    snprintf(stream, sizeof stream, "upsampler.%d", p->number);
    diffusion_run how = upsampler_draw_how(&p->config);
    if (r->spacing) how.spacing = r->spacing;
    if (r->ddim >= 0) how.ddim = r->ddim == 1;
    if (r->eta >= 0) how.eta = r->eta;
    how.seed = r->seed;
    how.first = r->first;
    how.stream = stream;
    how.progress = r->progress;
    how.context = r->context;
    return upsampler_draw_run(p->own, &how, low, r->count, pictures, err) ||
           error_prefix(err, "upsampler %d, %lld to %lld pixels", p->number + 1, (long long)p->config.from,
                        (long long)p->config.size);
}
