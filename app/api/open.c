/* open.c -- libdalle's model folders: which parts they hold, opening those, what there is to know of them.
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"
#include "app/api/unclip.h"

#include "host/base/file.h"

#include <stdlib.h>
#include <string.h>

/* Of a folder's kinds of parts, what they are called in dalle.h, and what one wanted brings with it. */
static const struct part_bit {
    const model_kind *kind;
    unsigned bit, with;
} part_bits[] = {
    { &dvae_kind, DALLE_DVAE, DALLE_PRIOR },
    { &prior_kind, DALLE_PRIOR, 0 },
    { &clip_kind, DALLE_CLIP, DALLE_DIFFUSION_PRIOR | DALLE_AR_PRIOR | DALLE_DECODER },
    { &diffusion_prior_kind, DALLE_DIFFUSION_PRIOR, 0 },
    { &ar_prior_kind, DALLE_AR_PRIOR, 0 },
    { &decoder_kind, DALLE_DECODER, 0 },
    { &upsampler_kind, 0, DALLE_DECODER },
};
enum {
    PART_BITS = sizeof part_bits / sizeof *part_bits,
    UNCLIP = DALLE_DIFFUSION_PRIOR | DALLE_AR_PRIOR | DALLE_DECODER
};

/* Those that bring it, itself among them. */
static unsigned bits_of(const model_kind *part)
{
    for (int i = 0; i < PART_BITS; ++i)
        if (part_bits[i].kind == part) return part_bits[i].bit | part_bits[i].with;
    return 0;
}

bool api_lacks(const dalle_model *m, const model_kind *part, const char *does, error *err)
{
    if (m->parts && !(m->parts & bits_of(part)))
        return error_set(err, ERROR_USAGE, "'%s' was opened without its %s, which %s", m->folder, part->title,
                         does);
    return error_set(err, ERROR_USAGE,
                     "'%s' has no %s, which %s: 'dalle-cl pack RUNS... -o FOLDER' with the run of one, "
                     "trained by 'dalle-cl train %s', puts one beside what it holds",
                     m->folder, part->title, does, part->name);
}

static bool open_codec(dalle_model *m, error *err)
{
    m->dvae = dvae_part_open(m->device, m->folder, CODEC_BOTH | CODEC_LATER, API_AT_ONCE, err);
    return m->dvae != NULL;
}

static bool open_prior(dalle_model *m, error *err)
{
    prior_shape shape = { dvae_tokens_side(&m->dvae->config), m->dvae->config.codes };
    return (m->prior = prior_part_open(m->device, m->folder, &shape, err)) != NULL;
}

static bool open_clip(dalle_model *m, error *err)
{
    return (m->clip = clip_part_open(m->device, m->folder, err)) != NULL;
}

static bool find_parts(const char *folder, unsigned *parts, error *err)
{
    *parts = 0;
    for (int i = 0; i < PART_BITS; ++i) {
        if (!part_bits[i].bit) continue;
        if (part_is_there(folder, part_bits[i].kind, err)) *parts |= part_bits[i].bit;
        if (err->code != ERROR_NONE) return false;
    }
    return true;
}

/* A part of DALL-E 2 stands beside the CLIP that it was trained with. */
static bool open_with_clip(dalle_model *m, unsigned unclip, error *err)
{
    return m->clip ? unclip_open(m, unclip, err)
                   : api_lacks(m, &clip_kind, "was trained first and gives the others their embeddings", err);
}

/* Whatever the folder holds, of which a dVAE or a CLIP is the least. */
static bool open_all(dalle_model *m, error *err)
{
    unsigned there;
    if (!find_parts(m->folder, &there, err)) return false;
    bool prior = there & DALLE_PRIOR, clip = there & DALLE_CLIP, unclip = there & UNCLIP,
         codec = (!clip && !unclip) || prior || (there & DALLE_DVAE);
    return (!codec || open_codec(m, err)) && (!prior || open_prior(m, err)) && (!clip || open_clip(m, err)) &&
           (!unclip || open_with_clip(m, there & UNCLIP, err));
}

/* What the part would do that is wanted and not there. */
static bool lacks_wanted(const dalle_model *m, const model_kind *k, error *err)
{
    return api_lacks(m, k,
                     k == &clip_kind      ? "compares pictures and texts"
                     : k == &decoder_kind ? "draws embeddings"
                                          : "makes a caption the embedding that is drawn",
                     err);
}

/* Without a folder opening the first one says what is wrong. */
static bool check_wanted(dalle_model *m, unsigned wanted, error *err)
{
    unsigned there;
    if (!file_is_folder(m->folder)) return true;
    if (!find_parts(m->folder, &there, err)) return false;
    for (int i = 0; i < PART_BITS; ++i)
        if (part_bits[i].bit & wanted & ~there & (DALLE_CLIP | UNCLIP))
            return lacks_wanted(m, part_bits[i].kind, err);
    return true;
}

static bool open_wanted(dalle_model *m, error *err)
{
    unsigned unclip = m->parts & UNCLIP, clip = unclip ? DALLE_CLIP : m->parts & DALLE_CLIP;
    return (!clip || check_wanted(m, unclip | clip, err)) &&
           (!(m->parts & (DALLE_DVAE | DALLE_PRIOR)) || open_codec(m, err)) &&
           (!(m->parts & DALLE_PRIOR) || open_prior(m, err)) && (!clip || open_clip(m, err)) &&
           (!unclip || unclip_open(m, unclip, err));
}

static bool open_parts(dalle_model *m, const char *folder, const char *selector, unsigned parts, error *err)
{
    const unsigned known = DALLE_DVAE | DALLE_PRIOR | DALLE_CLIP | UNCLIP;
    if (!folder) return error_set(err, ERROR_USAGE, "no model folder is named");
    if (parts & ~known)
        return error_set(err, ERROR_USAGE, "parts 0x%x of a model are wanted; libdalle %s knows 0x%x", parts,
                         DALLE_CL_VERSION, known);
    if (!(m->folder = strdup(folder))) return error_set(err, ERROR_MEMORY, "out of memory for a model");
    if (!(m->device = device_open(selector, err))) return false;
    m->parts = parts;
    return parts ? open_wanted(m, err) : open_all(m, err);
}

/* What the prior was told by the very CLIP that is beside it. */
static bool find_sureness(dalle_model *m, error *err)
{
    char sum[65];
    const prior_config *c = m->prior ? &m->prior->config : NULL;
    if (!c || !m->known.count || c->sureness_known == 0) return true;
    if (!api_clip_hash(m, sum, err)) return false;
    if (strcmp(sum, c->sureness_by) == 0) m->info.sureness_known = c->sureness_known;
    return true;
}

static void describe(dalle_model *m)
{
    dalle_model_info *i = &m->info;
    i->device = device_get_info(m->device)->name;
    if (m->dvae) {
        i->side = (int)m->dvae->config.image_size;
        i->tokens_side = (int)dvae_tokens_side(&m->dvae->config);
        i->codes = (int)m->dvae->config.codes;
        i->dvae_parameters = store_elements(m->dvae->store, STORE_PARAMETER);
    }
    if (m->prior) {
        i->text_tokens = (int)m->prior->config.text_tokens;
        i->text_vocabulary = (int)m->prior->config.text_vocabulary;
        i->prior_parameters = store_elements(m->prior->store, STORE_PARAMETER);
        i->entropy_known = m->prior->config.entropy_known;
        i->family = DALLE_DRAWS_TOKENS;
        i->drawn_side = i->side;
    }
    if (m->clip) {
        i->clip_side = (int)m->clip->config.image_size;
        i->clip_dimensions = (int)m->clip->config.embedding;
        i->clip_text_tokens = (int)m->clip->config.text_tokens;
        i->clip_parameters = store_elements(m->clip->store, STORE_PARAMETER);
        i->clip_scale = (double)m->clip->scale;
        i->known_captions = (int)m->known.count;
    }
    unclip_describe(m); /* which draws where both families could */
}

dalle_model *dalle_open_parts(const char *folder, const char *selector, unsigned parts, dalle_error *out)
{
    PLAIN_LOCALE;
    error err = { 0 };
    dalle_model *m = calloc(1, sizeof *m);
    bool ok = m ? true : error_set(&err, ERROR_MEMORY, "out of memory for a model");
    if (ok && open_parts(m, folder, selector, parts, &err) && near_open(m, &err) && find_sureness(m, &err)) {
        describe(m);
        return m;
    }
    dalle_close(m);
    api_report(out, &err);
    return NULL;
}

bool dalle_find_parts(const char *folder, unsigned *parts, dalle_error *out)
{
    PLAIN_LOCALE;
    error err = { 0 };
    return (folder && parts ? find_parts(folder, parts, &err)
                            : api_missing(folder ? "where the parts go" : "the model's folder", &err)) ||
           api_report(out, &err);
}

dalle_model *dalle_open(const char *folder, const char *selector, dalle_error *out)
{
    PLAIN_LOCALE;
    return dalle_open_parts(folder, selector, 0, out);
}

void dalle_close(dalle_model *m)
{
    PLAIN_LOCALE;
    if (!m) return;
    unclip_close(m);
    clip_part_close(m->clip);
    prior_part_close(m->prior);
    dvae_part_close(m->dvae);
    device_close(m->device);
    known_captions_free(&m->known);
    free(m->folder);
    free(m);
}

const dalle_model_info *dalle_get_info(const dalle_model *m)
{
    return m ? &m->info : NULL;
}
