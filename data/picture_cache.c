/* picture_cache.c -- see picture_cache.h.
 * SPDX-License-Identifier: MIT */
#include "data/picture_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ENOUGH = 3 }; /* times the size: what is kept of larger pictures where parts are cut out */

struct picture_cache {
    const dataset *data;
    picture_use uses[PICTURE_USES];
    int use_count;
    pthread_mutex_t lock;
    int64_t left;    /* bytes that may still be kept */
    image *pictures; /* [index][use]; all of an index are empty where none is kept; NULL: of a large set */
};

picture_cache *picture_cache_create(const dataset *d, const picture_use *uses, int count, int64_t bytes,
                                    error *err)
{
    picture_cache *c = calloc(1, sizeof *c);
    bool large =
        dataset_is_large(d); /* before its pictures come again, others would have taken their place */
    image *pictures = large ? NULL : calloc((size_t)(dataset_count(d) + 1) * (size_t)count, sizeof *pictures);
    CHECK(count >= 1 && count <= PICTURE_USES, "%d uses of a picture", count);
    if (c && (large || pictures) && pthread_mutex_init(&c->lock, NULL) == 0) {
        c->data = d;
        memcpy(c->uses, uses, (size_t)count * sizeof *uses);
        c->use_count = count;
        c->left = bytes;
        c->pictures = pictures;
        return c;
    }
    free(c);
    free(pictures);
    return error_null(err, ERROR_MEMORY, "no memory to keep pictures");
}

static void free_all(image *pictures, int64_t count)
{
    for (int64_t i = 0; i < count; ++i) image_free(&pictures[i]);
}

void picture_cache_destroy(picture_cache *c)
{
    if (!c) return;
    if (c->pictures) free_all(c->pictures, dataset_count(c->data) * c->use_count);
    pthread_mutex_destroy(&c->lock);
    free(c->pictures);
    free(c);
}

bool picture_cache_shrink(const picture_use *u, const image *whole, image *small, error *err)
{
    int side = whole->width < whole->height ? whole->width : whole->height, enough = u->size * ENOUGH;
    *small = (image){ 0 };
    if (u->mode != AUGMENT_NONE)
        return side <= enough || image_resize(whole, u->filter, (int)((int64_t)whole->width * enough / side),
                                              (int)((int64_t)whole->height * enough / side), small, err);
    if (!image_create(small, u->size, u->size, err)) return false;
    if (augment_by(whole, u->size, AUGMENT_NONE, AUGMENT_FLIP_OFF, u->filter, NULL, small->pixels, err))
        return true;
    image_free(small);
    return false;
}

static bool copy(const image *from, image *to, error *err)
{
    if (!image_create(to, from->width, from->height, err)) return false;
    memcpy(to->pixels, from->pixels, (size_t)from->width * (size_t)from->height * 3);
    return true;
}

static bool copy_all(const image *from, int count, image *to, error *err)
{
    for (int i = 0; i < count; ++i)
        if (!copy(&from[i], &to[i], err)) {
            free_all(to, i);
            return false;
        }
    return true;
}

/* An image for each use, of which the last that needs the whole picture takes it over. */
static bool shrink_all(const picture_cache *c, image *whole, image *out, error *err)
{
    int last = -1;
    for (int i = 0; i < c->use_count; ++i) {
        if (!picture_cache_shrink(&c->uses[i], whole, &out[i], err)) return false;
        if (out[i].pixels) continue;
        if (last >= 0 && !copy(whole, &out[last], err)) return false;
        last = i;
    }
    if (last < 0) return true;
    out[last] = *whole;
    *whole = (image){ 0 };
    return true;
}

/* Those that another thread has kept meanwhile stay. */
static bool keep(picture_cache *c, int64_t index, const image *pictures, error *err)
{
    if (!c->pictures) return true;
    image *kept = c->pictures + index * c->use_count, copies[PICTURE_USES];
    int64_t bytes = 0;
    for (int i = 0; i < c->use_count; ++i) bytes += (int64_t)pictures[i].width * pictures[i].height * 3;
    if (!copy_all(pictures, c->use_count, copies, err)) return false;
    pthread_mutex_lock(&c->lock);
    bool room = !kept->pixels && bytes <= c->left;
    if (room) {
        memcpy(kept, copies, (size_t)c->use_count * sizeof *kept);
        c->left -= bytes;
    }
    pthread_mutex_unlock(&c->lock);
    if (!room) free_all(copies, c->use_count);
    return true;
}

bool picture_cache_read(picture_cache *c, int64_t index, image *out, error *err)
{
    const image *kept = c->pictures ? c->pictures + index * c->use_count : NULL;
    memset(out, 0, (size_t)c->use_count * sizeof *out);
    pthread_mutex_lock(&c->lock);
    bool known = kept && kept->pixels != NULL; /* then they never change again */
    pthread_mutex_unlock(&c->lock);
    if (known) return copy_all(kept, c->use_count, out, err);
    image whole;
    if (!dataset_read_picture(c->data, index, &whole, err)) return false;
    bool ok = shrink_all(c, &whole, out, err) && keep(c, index, out, err);
    image_free(&whole);
    if (!ok) free_all(out, c->use_count);
    return ok;
}
