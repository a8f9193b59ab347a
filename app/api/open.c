/* open.c -- libdalle's model folders: which parts they hold, opening those, what there is to know of them.
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"

#include "host/base/file.h"

#include <stdlib.h>
#include <string.h>

static unsigned bit_of(const model_kind *part)
{
    if (part == &clip_kind) return DALLE_CLIP;
    return part == &prior_kind ? DALLE_PRIOR : DALLE_PRIOR | DALLE_DVAE;
}

bool api_lacks(const dalle_model *m, const model_kind *part, const char *does, error *err)
{
    if (m->parts && !(m->parts & bit_of(part)))
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

/* Whatever the folder holds, of which a dVAE or a CLIP is the least. */
static bool open_all(dalle_model *m, error *err)
{
    bool clip = part_is_there(m->folder, &clip_kind, err);
    if (err->code != ERROR_NONE) return false;
    bool prior = part_is_there(m->folder, &prior_kind, err);
    if (err->code != ERROR_NONE) return false;
    bool codec = !clip || prior || part_is_there(m->folder, &dvae_kind, err);
    if (err->code != ERROR_NONE) return false;
    return (!codec || open_codec(m, err)) && (!prior || open_prior(m, err)) && (!clip || open_clip(m, err));
}

static bool open_wanted(dalle_model *m, error *err)
{
    bool prior = m->parts & DALLE_PRIOR, clip = m->parts & DALLE_CLIP;
    if (clip && !part_is_there(m->folder, &clip_kind, err)) {
        if (err->code != ERROR_NONE) return false;
        return file_is_folder(m->folder) ? api_lacks(m, &clip_kind, "compares pictures and texts", err)
                                         : open_clip(m, err);
    }
    return (!(m->parts & (DALLE_DVAE | DALLE_PRIOR)) || open_codec(m, err)) &&
           (!prior || open_prior(m, err)) && (!clip || open_clip(m, err));
}

static bool open_parts(dalle_model *m, const char *folder, const char *selector, unsigned parts, error *err)
{
    const unsigned known = DALLE_DVAE | DALLE_PRIOR | DALLE_CLIP;
    if (!folder) return error_set(err, ERROR_USAGE, "no model folder is named");
    if (parts & ~known)
        return error_set(err, ERROR_USAGE, "parts 0x%x of a model are wanted; libdalle %s knows 0x%x", parts,
                         DALLE_CL_VERSION, known);
    if (!(m->folder = strdup(folder))) return error_set(err, ERROR_MEMORY, "out of memory for a model");
    if (!(m->device = device_open(selector, err))) return false;
    m->parts = parts;
    return parts ? open_wanted(m, err) : open_all(m, err);
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
    }
    if (m->clip) {
        i->clip_side = (int)m->clip->config.image_size;
        i->clip_dimensions = (int)m->clip->config.embedding;
        i->clip_text_tokens = (int)m->clip->config.text_tokens;
        i->clip_parameters = store_elements(m->clip->store, STORE_PARAMETER);
        i->clip_scale = (double)m->clip->scale;
    }
}

dalle_model *dalle_open_parts(const char *folder, const char *selector, unsigned parts, dalle_error *out)
{
    PLAIN_LOCALE;
    error err = { 0 };
    dalle_model *m = calloc(1, sizeof *m);
    bool ok = m ? true : error_set(&err, ERROR_MEMORY, "out of memory for a model");
    if (ok && open_parts(m, folder, selector, parts, &err)) {
        describe(m);
        return m;
    }
    dalle_close(m);
    api_report(out, &err);
    return NULL;
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
    clip_part_close(m->clip);
    prior_part_close(m->prior);
    dvae_part_close(m->dvae);
    device_close(m->device);
    free(m->folder);
    free(m);
}

const dalle_model_info *dalle_get_info(const dalle_model *m)
{
    return m ? &m->info : NULL;
}
