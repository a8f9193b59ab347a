/* unclip_open.c -- the parts of DALL-E 2 of a model's folder: unclip.h.
 * SPDX-License-Identifier: MIT */
#include "app/api/unclip.h"

#include "host/base/file.h"

static bool open_diffusion(dalle_model *m, error *err)
{
    return (m->diffusion = diffusion_prior_part_open(m->device, m->folder, m->clip, err)) != NULL;
}

static bool open_ar(dalle_model *m, error *err)
{
    return (m->ar = ar_prior_part_open(m->device, m->folder, m->clip, err)) != NULL;
}

/* Each takes what the one before it gives, the first the decoder's. */
static bool check_chain(const dalle_model *m, error *err)
{
    int64_t side = m->decoder->config.size;
    for (int i = 0; i < m->upsamplers; ++i) {
        const upsampler_config *c = &m->upsampler[i]->config;
        if (c->from != side)
            return error_set(err, ERROR_MODEL,
                             "'%s': %s %d takes pictures of %lld x %lld, what stands before it gives %lld x "
                             "%lld; 'dalle-cl train %s --set from=%lld' makes one that fits",
                             m->folder, upsampler_kind.title, i + 1, (long long)c->from, (long long)c->from,
                             (long long)side, (long long)side, upsampler_kind.name, (long long)side);
        side = c->size;
    }
    return true;
}

static bool open_decoder(dalle_model *m, error *err)
{
    if (!(m->decoder = decoder_part_open(m->device, m->folder, m->clip, err))) return false;
    while (m->upsamplers < UPSAMPLERS && upsampler_part_is_there(m->folder, m->upsamplers, err)) {
        m->upsampler[m->upsamplers] = upsampler_part_open(m->device, m->folder, m->upsamplers, err);
        if (!m->upsampler[m->upsamplers++]) return false;
    }
    return err->code == ERROR_NONE && check_chain(m, err);
}

bool unclip_open(dalle_model *m, unsigned wanted, error *err)
{
    return (!(wanted & DALLE_DIFFUSION_PRIOR) || open_diffusion(m, err)) &&
           (!(wanted & DALLE_AR_PRIOR) || open_ar(m, err)) &&
           (!(wanted & DALLE_DECODER) || open_decoder(m, err));
}

void unclip_close(dalle_model *m)
{
    for (int i = 0; i < UPSAMPLERS; ++i) upsampler_part_close(m->upsampler[i]);
    decoder_part_close(m->decoder);
    ar_prior_part_close(m->ar);
    diffusion_prior_part_close(m->diffusion);
}

void unclip_describe(dalle_model *m)
{
    dalle_model_info *i = &m->info;
    if (m->diffusion) i->diffusion_prior_parameters = store_elements(m->diffusion->store, STORE_PARAMETER);
    if (m->ar) i->ar_prior_parameters = store_elements(m->ar->store, STORE_PARAMETER);
    if (!m->decoder) return;
    i->family = DALLE_DRAWS_BY_DIFFUSION;
    i->decoder_side = i->drawn_side = (int)m->decoder->config.size;
    i->decoder_parameters = store_elements(m->decoder->store, STORE_PARAMETER);
    i->fills = m->decoder->config.inpaint;
    i->upsamplers = m->upsamplers;
    for (int u = 0; u < m->upsamplers; ++u) {
        i->drawn_side = (int)m->upsampler[u]->config.size;
        i->upsampler_parameters += store_elements(m->upsampler[u]->store, STORE_PARAMETER);
    }
}
