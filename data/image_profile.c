/* image_profile.c -- colours of an embedded profile to sRGB, through lcms2: perceptual, as Pillow's
 * ImageCms.profileToProfile does.  A profile that changes no colour by more than a level counts as sRGB's
 * own and is not applied, so that sRGB pictures, tagged or not, keep their levels.
 * SPDX-License-Identifier: MIT */
#include "data/image_codec.h"
#include "data/image_pool.h"
#include "host/base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 16 };

struct image_profile {
    image_pool pool;
    cmsHTRANSFORM transform; /* NULL for grey */
    image_pixels pixels;
    int channels;
    bool nothing;         /* it changes nothing, or cannot be used */
    unsigned char *bytes; /* what it was made from, where it is kept; NULL: it is its user's */
    size_t size;
    uint8_t levels[256][3]; /* what a grey becomes */
};

void image_profile_note(const image_file *f, const char *why)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&said))
        log_warn("%s: its colour profile is ignored: %s; more such pictures are not mentioned", f->name, why);
}

/* ---- Opening ---- */

static const char *other_pixels(cmsHPROFILE profile, image_pixels pixels)
{
    cmsColorSpaceSignature space = cmsGetColorSpace(profile);
    if (pixels == IMAGE_CMYK) return space == cmsSigCmykData ? NULL : "it is not one of CMYK pixels";
    if (space == cmsSigRgbData) return NULL; /* of grey pixels too, which are expanded */
    if (space == cmsSigGrayData) return pixels == IMAGE_GREY ? NULL : "it is one of grey pixels";
    return "it is not one of RGB or grey pixels";
}

static cmsHTRANSFORM transform(const image_profile *p, cmsHPROFILE from, cmsHPROFILE to, cmsUInt32Number in,
                               cmsUInt32Number out)
{
    /* The library's cache of the last pixel would keep threads from using it at a time. */
    return cmsCreateTransformTHR(p->pool.context, from, in, to, out, INTENT_PERCEPTUAL, cmsFLAGS_NOCACHE);
}

static bool make_grey(image_profile *p, cmsHPROFILE from, cmsHPROFILE to)
{
    uint8_t all[256];
    cmsHTRANSFORM t = transform(p, from, to, TYPE_GRAY_8, TYPE_RGB_8);
    if (!t) return false;
    for (int i = 0; i < 256; ++i) all[i] = (uint8_t)i;
    cmsDoTransform(t, all, p->levels, 256);
    cmsDeleteTransform(t);
    return true;
}

static bool make_transform(image_profile *p, cmsHPROFILE from)
{
    cmsHPROFILE to = cmsCreate_sRGBProfileTHR(p->pool.context);
    bool grey = cmsGetColorSpace(from) == cmsSigGrayData, made = false;
    if (to && grey)
        made = make_grey(p, from, to);
    else if (to)
        p->transform = p->pixels == IMAGE_CMYK ? transform(p, from, to, TYPE_CMYK_8, TYPE_RGB_8)
                       : p->channels == 3      ? transform(p, from, to, TYPE_RGB_8, TYPE_RGB_8)
                                               : transform(p, from, to, TYPE_RGBA_8, TYPE_RGBA_8);
    if (to) cmsCloseProfile(to);
    return made || p->transform;
}

static bool stays(const image_profile *p, const uint8_t rgb[3])
{
    uint8_t pixel[4] = { rgb[0], rgb[1], rgb[2], 255 };
    image_profile_apply(p, pixel, 1);
    for (int c = 0; c < 3; ++c)
        if (abs(rgb[c] - pixel[c]) > 1) return false;
    return true;
}

/* Whether greys, the edges from black and a grid of colours stay where they are. */
static bool changes_nothing(const image_profile *p)
{
    for (int level = 0; level < 256; ++level)
        for (int edge = 0; edge < (p->transform ? 4 : 1); ++edge) {
            const uint8_t l = (uint8_t)level, on[4] = { 7, 1, 2, 4 }; /* which channels */
            const uint8_t rgb[3] = { on[edge] & 1 ? l : 0, on[edge] & 2 ? l : 0, on[edge] & 4 ? l : 0 };
            if (!stays(p, rgb)) return false;
        }
    for (int i = 0; p->transform && i < 6 * 6 * 6; ++i) {
        const uint8_t rgb[3] = { (uint8_t)(i % 6 * 51), (uint8_t)(i / 6 % 6 * 51), (uint8_t)(i / 36 * 51) };
        if (!stays(p, rgb)) return false;
    }
    return true;
}

static void destroy(image_profile *p)
{
    if (!p) return;
    if (p->transform) cmsDeleteTransform(p->transform);
    image_pool_close(&p->pool);
    free(p->bytes);
    free(p);
}

/* What is wrong with the profile, or NULL. */
static const char *use(image_profile *p, const void *bytes, size_t size)
{
    cmsHPROFILE from = cmsOpenProfileFromMemTHR(p->pool.context, bytes, (cmsUInt32Number)size);
    if (!from) return "it is damaged";
    const char *why = other_pixels(from, p->pixels);
    if (!why && !make_transform(p, from)) why = "it is damaged";
    cmsCloseProfile(from);
    return why;
}

/* The pool may be full at any of the library's calls, and all that it had goes with it. */
static const char *use_pool(image_profile *p, const void *bytes, size_t size)
{
    if (setjmp(p->pool.full)) {
        image_pool_leave();
        p->transform = NULL;
        return "it takes too much memory";
    }
    image_pool_enter(&p->pool);
    const char *why = use(p, bytes, size);
    image_pool_leave();
    return why;
}

/* NULL when memory is out.  `why` says what is wrong with a profile that cannot be used. */
static image_profile *make(const void *bytes, size_t size, image_pixels pixels, int channels,
                           const char **why)
{
    image_profile *p = calloc(1, sizeof *p);
    if (!p || !image_pool_open(&p->pool)) {
        free(p);
        return NULL;
    }
    p->pixels = pixels;
    p->channels = channels;
    *why = use_pool(p, bytes, size);
    p->nothing = *why || (pixels != IMAGE_CMYK && changes_nothing(p));
    if (!p->pool.memory) return p;
    destroy(p);
    return NULL;
}

/* ---- Keeping ---- */

struct image_profiles {
    pthread_mutex_t lock;
    image_profile *kept[KEPT]; /* they never change */
    int count;
};

image_profiles *image_profiles_create(error *err)
{
    image_profiles *k = calloc(1, sizeof *k);
    if (k && pthread_mutex_init(&k->lock, NULL) == 0) return k;
    free(k);
    return error_null(err, ERROR_MEMORY, "no memory to keep colour profiles");
}

void image_profiles_destroy(image_profiles *k)
{
    if (!k) return;
    for (int i = 0; i < k->count; ++i) destroy(k->kept[i]);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

static image_profile *find(image_profiles *k, const void *bytes, size_t size, image_pixels pixels,
                           int channels)
{
    image_profile *found = NULL;
    pthread_mutex_lock(&k->lock);
    for (int i = 0; i < k->count && !found; ++i) {
        image_profile *p = k->kept[i];
        if (p->size == size && p->pixels == pixels && p->channels == channels &&
            memcmp(p->bytes, bytes, size) == 0)
            found = p;
    }
    pthread_mutex_unlock(&k->lock);
    return found;
}

/* Two threads may both keep the same one; no matter.  Without room it stays its user's. */
static bool keep(image_profiles *k, image_profile *p, const void *bytes, size_t size)
{
    unsigned char *copy = malloc(size);
    if (!copy) return false;
    memcpy(copy, bytes, size);
    pthread_mutex_lock(&k->lock);
    bool room = k->count < KEPT;
    if (room) {
        p->bytes = copy;
        p->size = size;
        k->kept[k->count++] = p;
    }
    pthread_mutex_unlock(&k->lock);
    if (!room) free(copy);
    return true;
}

bool image_profile_open(image_profile **out, const image_file *f, const void *bytes, size_t size,
                        image_pixels pixels, int channels, error *err)
{
    image_profiles *kept = f->how.profiles;
    *out = NULL;
    if (f->how.ignore_profiles || size == 0) return true;
    if (size > IMAGE_PROFILE_MOST) {
        image_profile_note(f, "it is too long");
        return true;
    }
    image_profile *p = kept ? find(kept, bytes, size, pixels, channels) : NULL;
    if (!p) {
        const char *why = NULL;
        p = make(bytes, size, pixels, channels, &why);
        if (!p || (kept && !keep(kept, p, bytes, size))) {
            destroy(p);
            return error_set(err, ERROR_MEMORY, "%s: no memory for its colour profile", f->name);
        }
        if (why) image_profile_note(f, why);
    }
    if (p->nothing)
        image_profile_close(p);
    else
        *out = p;
    return true;
}

void image_profile_close(image_profile *p)
{
    if (p && !p->bytes) destroy(p);
}

/* ---- Use ---- */

void image_profile_apply(const image_profile *p, uint8_t *pixels, size_t count)
{
    if (p->transform)
        cmsDoTransform(p->transform, pixels, pixels, (cmsUInt32Number)count);
    else
        for (size_t i = 0; i < count; ++i, pixels += p->channels) memcpy(pixels, p->levels[*pixels], 3);
}

void image_profile_apply_cmyk(const image_profile *p, const uint8_t *cmyk, uint8_t *rgb, size_t count)
{
    cmsDoTransform(p->transform, cmyk, rgb, (cmsUInt32Number)count);
}
