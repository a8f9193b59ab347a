/* image_profile.c -- colours of an embedded profile to sRGB, through lcms2: perceptual, as Pillow's
 * ImageCms.profileToProfile does.  A profile that changes no colour by more than a level counts as sRGB's own and
 * is not applied, so that sRGB pictures, tagged or not, keep their levels.
 * SPDX-License-Identifier: MIT */
#include "data/image_codec.h"
#include "host/base/log.h"

#include <lcms2.h>
#include <lcms2_plugin.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_MOST = 64 << 20 }; /* bytes that a profile may ask for at once */

struct image_profile {
    cmsContext context;
    cmsHTRANSFORM three, four; /* of 3 and 4 bytes a pixel; the second alone for CMYK */
    bool grey;
    uint8_t levels[256][3]; /* what a grey becomes */
};

void image_profile_note(const image_file *f, const char *why)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&said))
        log_warn("%s: its colour profile is ignored: %s; more such pictures are not mentioned", f->name, why);
}

/* ---- Memory: the library says "no profile" when there is none left, so its allocators keep note ---- */

static _Thread_local bool refused;

static void *get(cmsContext context, cmsUInt32Number size)
{
    (void)context;
    if (size == 0 || size > BLOCK_MOST) return NULL; /* of a damaged profile */
    void *block = malloc(size);
    if (!block) refused = true;
    return block;
}

static void *enlarge(cmsContext context, void *block, cmsUInt32Number size)
{
    (void)context;
    if (size > BLOCK_MOST) return NULL;
    void *larger = realloc(block, size);
    if (!larger) refused = true;
    return larger;
}

static void give(cmsContext context, void *block)
{
    (void)context;
    free(block);
}

static cmsContext create_context(void)
{
    cmsPluginMemHandler memory = { .base = { cmsPluginMagicNumber, 2000, cmsPluginMemHandlerSig, NULL },
                                   .MallocPtr = get,
                                   .FreePtr = give,
                                   .ReallocPtr = enlarge };
    return cmsCreateContext(&memory, NULL);
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
    return cmsCreateTransformTHR(p->context, from, in, to, out, INTENT_PERCEPTUAL, 0);
}

static bool make_grey(image_profile *p, cmsHPROFILE from, cmsHPROFILE to)
{
    uint8_t all[256];
    cmsHTRANSFORM t = transform(p, from, to, TYPE_GRAY_8, TYPE_RGB_8);
    if (!t) return false;
    for (int i = 0; i < 256; ++i) all[i] = (uint8_t)i;
    cmsDoTransform(t, all, p->levels, 256);
    cmsDeleteTransform(t);
    return p->grey = true;
}

static bool make_transforms(image_profile *p, cmsHPROFILE from, image_pixels pixels)
{
    cmsHPROFILE to = cmsCreate_sRGBProfileTHR(p->context);
    bool made = false;
    if (to && cmsGetColorSpace(from) == cmsSigGrayData) {
        made = make_grey(p, from, to);
    } else if (to && pixels == IMAGE_CMYK) {
        made = (p->four = transform(p, from, to, TYPE_CMYK_8, TYPE_RGB_8)) != NULL;
    } else if (to) {
        made = (p->three = transform(p, from, to, TYPE_RGB_8, TYPE_RGB_8)) &&
               (p->four = transform(p, from, to, TYPE_RGBA_8, TYPE_RGBA_8));
    }
    if (to) cmsCloseProfile(to);
    return made;
}

/* Whether greys and, of RGB, a grid of colours and the edges of the cube stay where they are. */
static bool changes_nothing(const image_profile *p)
{
    enum { GRID = 6, SAMPLES = 4 * 256 + GRID * GRID * GRID };
    uint8_t before[SAMPLES][3], after[SAMPLES][3];
    int n = 0;
    for (int i = 0; i < 256; ++i)
        for (int edge = 0; edge < 4; ++edge, ++n)
            for (int c = 0; c < 3; ++c) before[n][c] = (uint8_t)(edge == 3 || edge == c ? i : 0);
    for (int i = 0; i < GRID * GRID * GRID; ++i, ++n) {
        const int parts[3] = { i % GRID, i / GRID % GRID, i / GRID / GRID };
        for (int c = 0; c < 3; ++c) before[n][c] = (uint8_t)(parts[c] * 255 / (GRID - 1));
    }
    if (p->grey)
        for (int i = n = 0; i < 256; ++i, ++n) memset(before[i], i, 3), memcpy(after[i], p->levels[i], 3);
    else
        cmsDoTransform(p->three, before, after, SAMPLES);
    for (int i = 0; i < n; ++i)
        for (int c = 0; c < 3; ++c)
            if (abs(before[i][c] - after[i][c]) > 1) return false;
    return true;
}

/* NULL, and what is said of it. */
static image_profile *open_profile(const void *bytes, size_t size, image_pixels pixels, const char **why)
{
    image_profile *p = calloc(1, sizeof *p);
    if (p) p->context = create_context();
    if (!p || !p->context) {
        refused = true;
        free(p);
        return NULL;
    }
    cmsHPROFILE from = cmsOpenProfileFromMemTHR(p->context, bytes, (cmsUInt32Number)size);
    *why = from ? other_pixels(from, pixels) : "it is damaged";
    bool made = from && !*why && make_transforms(p, from, pixels);
    if (!made && !*why) *why = "it is damaged";
    if (from) cmsCloseProfile(from);
    if (made && (pixels == IMAGE_CMYK || !changes_nothing(p))) return p;
    image_profile_close(p);
    return NULL;
}

bool image_profile_open(image_profile **out, const image_file *f, const void *bytes, size_t size,
                        image_pixels pixels, error *err)
{
    const char *why = NULL;
    *out = NULL;
    if (f->how.ignore_profiles || size == 0) return true;
    refused = false;
    if (size > IMAGE_PROFILE_MOST)
        why = "it is too long";
    else
        *out = open_profile(bytes, size, pixels, &why);
    if (refused) {
        image_profile_close(*out);
        *out = NULL;
        return error_set(err, ERROR_MEMORY, "%s: no memory for its colour profile", f->name);
    }
    if (why) image_profile_note(f, why);
    return true;
}

void image_profile_close(image_profile *p)
{
    if (!p) return;
    if (p->three) cmsDeleteTransform(p->three);
    if (p->four) cmsDeleteTransform(p->four);
    cmsDeleteContext(p->context);
    free(p);
}

/* ---- Use ---- */

void image_profile_apply(const image_profile *p, uint8_t *pixels, int channels, size_t count)
{
    if (!p->grey) {
        cmsDoTransform(channels == 3 ? p->three : p->four, pixels, pixels, (cmsUInt32Number)count);
        return;
    }
    for (size_t i = 0; i < count; ++i, pixels += channels) memcpy(pixels, p->levels[*pixels], 3);
}

void image_profile_apply_cmyk(const image_profile *p, const uint8_t *cmyk, uint8_t *rgb, size_t count)
{
    cmsDoTransform(p->four, cmyk, rgb, (cmsUInt32Number)count);
}
