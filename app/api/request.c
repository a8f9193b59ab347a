/* request.c -- libdalle's requests: structures of older and newer programs, and what is wrong with what
 * they ask for; see dalle.h.
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"

#include "data/image.h"
#include "host/base/utf8.h"
#include "models/unclip/diffusion.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

enum { GUIDANCE_MOST = 20 };

/* ---- Structures that programs fill in ---- */

static void start_from(const void *defaults, size_t known, void *to, size_t size)
{
    if (!to) return;
    memset(to, 0, size);
    memcpy(to, defaults, size < known ? size : known);
    if (size >= sizeof size) memcpy(to, &size, sizeof size); /* the first field of each is its size */
}

void dalle_request_init(dalle_request *request, size_t size)
{
    const dalle_request defaults = DALLE_REQUEST_DEFAULTS;
    start_from(&defaults, sizeof defaults, request, size);
}

void dalle_sampling_init(dalle_sampling *sampling, size_t size)
{
    const dalle_sampling defaults = DALLE_SAMPLING_DEFAULTS;
    start_from(&defaults, sizeof defaults, sampling, size);
}

void dalle_change_init(dalle_change *change, size_t size)
{
    const dalle_change defaults = DALLE_CHANGE_DEFAULTS;
    start_from(&defaults, sizeof defaults, change, size);
}

/* `out`, of `known` bytes, from the program's, which has `least` if it is the oldest.  An older program's
 * is shorter: what it does not know is zero, which asks for nothing.  A newer one's is longer, and all
 * right as long as it asks for nothing that is not known here. */
static bool take(const void *given, size_t least, size_t known, const char *what, const char *starts,
                 void *out, error *err)
{
    const size_t most = 65536;
    size_t size;
    memcpy(&size, given, sizeof size);
    if (size < least || size > most)
        return error_set(err, ERROR_USAGE,
                         "the %s says that it has %zu bytes, it has %zu at least: start it from %s", what,
                         size, least, starts);
    for (size_t i = known; i < size; ++i)
        if (((const char *)given)[i])
            return error_set(err, ERROR_USAGE, "the %s asks for something that libdalle %s does not know",
                             what, DALLE_CL_VERSION);
    memset(out, 0, known);
    memcpy(out, given, size < known ? size : known);
    return true;
}

bool api_request_take(const dalle_request *given, dalle_request *r, error *err)
{
    const size_t least = offsetof(dalle_request, context) + sizeof r->context;
    if (!given) return api_missing("the request", err);
    return take(given, least, sizeof *r, "request", "DALLE_REQUEST_DEFAULTS or dalle_request_init", r, err);
}

bool api_change_take(const dalle_change *given, dalle_change *c, error *err)
{
    const size_t least = offsetof(dalle_change, context) + sizeof c->context;
    if (!given) return api_missing("the change", err);
    return take(given, least, sizeof *c, "change", "DALLE_CHANGE_DEFAULTS or dalle_change_init", c, err);
}

/* ---- What both families are asked ---- */

bool api_check_text(const char *text, const char *what, error *err)
{
    if (!text || (utf8_check(text) < 0 && utf8_is_blank(text)))
        return error_set(err, ERROR_USAGE, "%s is empty", what);
    return true;
}

static bool check_counts(int count, int first, error *err)
{
    if (count < 1 || count > API_MOST_PICTURES)
        return error_set(err, ERROR_USAGE, "%d pictures; 1 to %d can be drawn at once", count,
                         API_MOST_PICTURES);
    if (first < 0 || first > INT_MAX - API_MOST_DRAWN)
        return error_set(err, ERROR_USAGE, "the first picture's number is %d; it is 0 to %d", first,
                         INT_MAX - API_MOST_DRAWN);
    return true;
}

static bool check_guidance(double guidance, const char *what, error *err)
{
    if (isnan(guidance) || guidance > GUIDANCE_MOST)
        return error_set(err, ERROR_USAGE, "%s %g; 0 to %d", what, guidance, GUIDANCE_MOST);
    return true;
}

static bool check_numbers(const dalle_request *r, error *err)
{
    if (!check_counts(r->count, r->first, err)) return false;
    if (isnan(r->temperature) || r->temperature > 100)
        return error_set(err, ERROR_USAGE, "temperature %g; 0 to 100", r->temperature);
    if (isnan(r->top_p) || r->top_p > 1)
        return error_set(err, ERROR_USAGE, "top-p %g; it is a probability, 0 to 1", r->top_p);
    return check_guidance(r->guidance, "guidance", err);
}

static bool check_of(const dalle_model *m, const dalle_request *r, error *err)
{
    if (r->of == 0) return true;
    if (r->of < 0 || r->of > API_MOST_DRAWN)
        return error_set(err, ERROR_USAGE, "the best of %d pictures; of at most %d", r->of, API_MOST_DRAWN);
    if (r->of < r->count)
        return error_set(err, ERROR_USAGE,
                         "the best %d of %d pictures are wanted; at least as many must be drawn as are kept",
                         r->count, r->of);
    return m->clip || api_lacks(m, &clip_kind, "chooses the best of many pictures", err);
}

/* ---- Models that draw tokens ---- */

static bool check_start(const dalle_model *m, const dalle_request *r, error *err)
{
    int side = m->info.tokens_side;
    if (r->start_rows == 0) return true;
    if (r->start_rows < 0 || r->start_rows > side)
        return error_set(err, ERROR_USAGE, "%d rows of tokens to start with; a picture has %d", r->start_rows,
                         side);
    if (r->start_rows == side)
        return error_set(err, ERROR_USAGE,
                         "all %d rows of tokens are given, and nothing is left to draw; give %d at most",
                         side, side - 1);
    return r->start_rgb || api_missing("the picture to start with", err);
}

static bool check_near(const dalle_model *m, const dalle_request *r, error *err)
{
    if (r->near <= 0) return true;
    if (r->near > API_MOST_NEAR)
        return error_set(err, ERROR_USAGE, "%d near captions; 0 to %d can be drawn beside the caption",
                         r->near, API_MOST_NEAR);
    if (!m->known.count)
        return error_set(
            err, ERROR_USAGE,
            "'%s' has no known captions that could be near: 'dalle-cl pack' writes them beside a %s "
            "and a %s, from --data",
            m->folder, prior_kind.title, clip_kind.title);
    return r->of > 0 ||
           error_set(
               err, ERROR_USAGE,
               "near captions are drawn where the best of many are chosen, and none are: say of how many");
}

static bool check_tokens(const dalle_model *m, const dalle_request *r, error *err)
{
    if (r->sampling)
        return error_set(err, ERROR_USAGE,
                         "the request says how diffusion draws, and '%s' draws tokens one by one: it has no "
                         "use for a sampling",
                         m->folder);
    return check_near(m, r, err) && check_start(m, r, err);
}

/* ---- Models that draw by diffusion ---- */

/* A text of steps against the process that was trained. */
static bool check_steps(const char *spacing, int64_t steps, const model_kind *of, error *err)
{
    diffusion whole = { 0 }, fewer = { 0 };
    if (!spacing) return true;
    bool ok = diffusion_make(&whole, DIFFUSION_COSINE, steps, DIFFUSION_NOISE, DIFFUSION_POSTERIOR, err) &&
              diffusion_respace(&whole, spacing, &fewer, err);
    diffusion_free(&fewer);
    diffusion_free(&whole);
    return ok || error_prefix(err, "steps of the %s", of->title);
}

static bool check_prior(const dalle_model *m, const dalle_sampling *s, error *err)
{
    bool by_diffusion = s->prior && strcmp(s->prior, "diffusion") == 0,
         ar = s->prior && strcmp(s->prior, "ar") == 0;
    const char *does = "makes a caption the embedding that is drawn";
    if (s->prior && !by_diffusion && !ar)
        return error_set(err, ERROR_USAGE,
                         "'%s' is none of a model's two ways from caption to embedding, "
                         "\"diffusion\" and \"ar\"",
                         s->prior);
    if (by_diffusion && !m->diffusion) return api_lacks(m, &diffusion_prior_kind, does, err);
    if (ar && !m->ar) return api_lacks(m, &ar_prior_kind, does, err);
    if (s->prior_steps && (ar || !m->diffusion))
        return error_set(err, ERROR_USAGE,
                         "steps '%s' of an %s, which draws an embedding's numbers one by one and has none",
                         s->prior_steps, ar_prior_kind.title);
    return !m->diffusion ||
           check_steps(s->prior_steps, m->diffusion->config.noise_steps, &diffusion_prior_kind, err);
}

static bool check_sampler(const dalle_sampling *s, error *err)
{
    bool ddpm = s->sampler && strcmp(s->sampler, "ddpm") == 0;
    if (s->sampler && !ddpm && strcmp(s->sampler, "ddim") != 0)
        return error_set(err, ERROR_USAGE, "the sampler is '%s'; it is \"ddim\" or \"ddpm\"", s->sampler);
    if (isnan(s->eta) || s->eta > 1) return error_set(err, ERROR_USAGE, "eta %g; 0 to 1", s->eta);
    if (ddpm && s->eta >= 0)
        return error_set(err, ERROR_USAGE, "eta %g is for the sampler \"ddim\"; \"ddpm\" has none", s->eta);
    return check_guidance(s->prior_guidance, "prior_guidance", err);
}

static bool check_upsampling(const dalle_model *m, const dalle_sampling *s, error *err)
{
    if (s->upsampler_steps && !m->upsamplers)
        return api_lacks(m, &upsampler_kind, "makes drawings larger", err);
    for (int i = 0; i < m->upsamplers; ++i)
        if (!check_steps(s->upsampler_steps, m->upsampler[i]->config.noise_steps, &upsampler_kind, err))
            return false;
    return true;
}

bool api_sampling_take(const dalle_model *m, const dalle_sampling *given, dalle_sampling *s, error *err)
{
    const size_t least = offsetof(dalle_sampling, prior_guidance) + sizeof s->prior_guidance;
    *s = (dalle_sampling)DALLE_SAMPLING_DEFAULTS;
    return !given || (take(given, least, sizeof *s, "sampling",
                           "DALLE_SAMPLING_DEFAULTS or dalle_sampling_init", s, err) &&
                      check_sampler(s, err) && check_prior(m, s, err) &&
                      check_steps(s->steps, m->decoder->config.noise_steps, &decoder_kind, err) &&
                      check_upsampling(m, s, err));
}

/* Whether the autoregressive prior draws: the one that is named, or the only one. */
static bool draws_numbers(const dalle_model *m, const dalle_request *r)
{
    const char *named = r->sampling ? r->sampling->prior : NULL;
    return named ? strcmp(named, "ar") == 0 : !m->diffusion;
}

static bool check_diffusion(const dalle_model *m, const dalle_request *r, error *err)
{
    dalle_sampling unused;
    if (!m->diffusion && !m->ar)
        return api_lacks(m, &diffusion_prior_kind, "makes a caption the embedding that is drawn", err);
    if (!api_sampling_take(m, r->sampling, &unused, err)) return false;
    if (r->start_rows > 0)
        return error_set(err, ERROR_USAGE,
                         "%d rows of tokens to start with: '%s' draws by diffusion and has no "
                         "tokens; dalle_inpaint draws what a mask covers",
                         r->start_rows, m->folder);
    if (r->top_k > 0 || (r->top_p >= 0 && r->top_p < 1))
        return error_set(err, ERROR_USAGE, "top-k and top-p choose among tokens, and '%s' draws by diffusion",
                         m->folder);
    if (r->near > 0)
        return error_set(
            err, ERROR_USAGE,
            "near captions are drawn by models that draw tokens; '%s' draws by diffusion, and goes by the "
            "CLIP's embedding of the caption",
            m->folder);
    return r->temperature < 0 || draws_numbers(m, r) ||
           error_set(err, ERROR_USAGE, "temperature %g: of '%s' only an %s has one, and a %s draws",
                     r->temperature, m->folder, ar_prior_kind.title, diffusion_prior_kind.title);
}

/* ---- The whole ---- */

static bool can_draw(const dalle_model *m, error *err)
{
    if (!m) return api_missing("the model", err);
    if (m->info.family != DALLE_DRAWS_NOTHING) return true;
    if (m->diffusion || m->ar) return api_lacks(m, &decoder_kind, "draws embeddings", err);
    if (!m->dvae) return api_lacks(m, &prior_kind, "draws captions", err);
    return error_set(err, ERROR_USAGE,
                     "the model has no %s: it encodes and decodes, but draws nothing from captions",
                     prior_kind.name);
}

bool api_request_check(const dalle_model *m, const dalle_request *r, error *err)
{
    return can_draw(m, err) && api_check_text(r->caption, "the caption", err) && check_numbers(r, err) &&
           check_of(m, r, err) && (m->decoder ? check_diffusion(m, r, err) : check_tokens(m, r, err));
}

static bool check_picture(const uint8_t *rgb, int side, const char *what, error *err)
{
    if (!rgb) return api_missing(what, err);
    return (side >= 1 && side <= IMAGE_MAX_SIDE) ||
           error_set(err, ERROR_USAGE, "%s has %d pixels a side; 1 to %d", what, side, IMAGE_MAX_SIDE);
}

bool api_change_check(const dalle_model *m, const dalle_change *c, error *err)
{
    if (!m) return api_missing("the model", err);
    if (!m->decoder) return api_lacks(m, &decoder_kind, "draws embeddings", err);
    return check_picture(c->rgb, c->side, "the picture", err) &&
           (!c->other_rgb || check_picture(c->other_rgb, c->other_side, "the other picture", err)) &&
           check_counts(c->count, c->first, err) && check_guidance(c->guidance, "guidance", err);
}
