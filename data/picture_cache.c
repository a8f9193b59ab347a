/* picture_cache.c -- see picture_cache.h.
 * SPDX-License-Identifier: MIT */
#include "data/picture_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ENOUGH = 3 }; /* times the size: what is kept of larger pictures where parts are cut out */

struct picture_cache {
    const dataset *data;
    int size;
    augment_mode mode;
    pthread_mutex_t lock;
    int64_t left;    /* bytes that may still be kept */
    image *pictures; /* by index; empty where none is kept */
};

picture_cache *picture_cache_create(const dataset *d, int size, augment_mode mode, int64_t bytes, error *err)
{
    picture_cache *c = calloc(1, sizeof *c);
    image *pictures = calloc((size_t)dataset_count(d) + 1, sizeof *pictures);
    if (c && pictures && pthread_mutex_init(&c->lock, NULL) == 0) {
        c->data = d;
        c->size = size;
        c->mode = mode;
        c->left = bytes;
        c->pictures = pictures;
        return c;
    }
    free(c);
    free(pictures);
    return error_null(err, ERROR_MEMORY, "no memory to keep pictures");
}

void picture_cache_destroy(picture_cache *c)
{
    if (!c) return;
    for (int64_t i = 0; i < dataset_count(c->data); ++i) image_free(&c->pictures[i]);
    pthread_mutex_destroy(&c->lock);
    free(c->pictures);
    free(c);
}

/* What augment() needs of it at most: without cutting, its own result. */
static bool shrink(const picture_cache *c, image *picture, error *err)
{
    int side = picture->width < picture->height ? picture->width : picture->height, enough = c->size * ENOUGH;
    image small = { 0 };
    if (c->mode == AUGMENT_NONE) {
        if (!image_create(&small, c->size, c->size, err)) return false;
        if (!augment(picture, c->size, AUGMENT_NONE, AUGMENT_FLIP_OFF, 0, 0, 0, small.pixels, err)) {
            image_free(&small);
            return false;
        }
    } else if (side > enough) {
        int width = (int)((int64_t)picture->width * enough / side),
            height = (int)((int64_t)picture->height * enough / side);
        if (!image_resize_area(picture, width, height, false, &small, err)) return false;
    } else {
        return true;
    }
    image_free(picture);
    *picture = small;
    return true;
}

static bool copy(const image *from, image *to, error *err)
{
    if (!image_create(to, from->width, from->height, err)) return false;
    memcpy(to->pixels, from->pixels, (size_t)from->width * (size_t)from->height * 3);
    return true;
}

/* One that another thread has kept meanwhile stays. */
static bool keep(picture_cache *c, int64_t index, const image *picture, error *err)
{
    int64_t bytes = (int64_t)picture->width * picture->height * 3;
    image kept;
    if (!copy(picture, &kept, err)) return false;
    pthread_mutex_lock(&c->lock);
    if (c->pictures[index].pixels || bytes > c->left) {
        image_free(&kept);
    } else {
        c->pictures[index] = kept;
        c->left -= bytes;
    }
    pthread_mutex_unlock(&c->lock);
    return true;
}

bool picture_cache_read(picture_cache *c, int64_t index, image *out, error *err)
{
    pthread_mutex_lock(&c->lock);
    image kept = c->pictures[index]; /* never changes again */
    pthread_mutex_unlock(&c->lock);
    if (kept.pixels) return copy(&kept, out, err);
    if (!dataset_read_picture(c->data, index, out, err)) return false;
    if (shrink(c, out, err) && keep(c, index, out, err)) return true;
    image_free(out);
    return false;
}
