/* unclip_rig.h -- what the tests of drawing by diffusion share: the model of unclip_model.h, opened, and
 * what is asked of it.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_API_UNCLIP_RIG_H
#define DALLE_CL_TESTS_API_UNCLIP_RIG_H

#include "app/api/dalle.h"
#include "tests/api/unclip_model.h"
#include "tests/support/device_or_skip.h"

enum { BYTES = UNCLIP_SIDE * UNCLIP_SIDE * 3, SMALL_BYTES = UNCLIP_SMALL * UNCLIP_SMALL * 3 };

static room base;
static dalle_model *model, *bare; /* with an upsampler, and without */
static uint8_t source[2][DRAWING_BYTES];

static UNUSED const char *path_of(const char *name)
{
    return at(&base, name);
}

static UNUSED dalle_model *opened(const char *name, unsigned parts)
{
    dalle_error err;
    dalle_model *m = dalle_open_parts(path_of(name), NULL, parts, &err);
    if (!m) fail_msg("%s", err.message);
    return m;
}

static UNUSED int set_up(void **state)
{
    (void)state;
    error err;
    base = room_create();
    device *d = device_open(NULL, &err);
    if (!d || !make_unclip(d, &base, "steps=60", &err)) fail_msg("%s", err.message);
    device_close(d);
    model = opened("model", 0);
    bare = opened("bare", 0);
    drawing_pixels(0, source[0]);
    drawing_pixels(6, source[1]);
    return 0;
}

static UNUSED int tear_down(void **state)
{
    (void)state;
    dalle_close(bare);
    dalle_close(model);
    room_remove(&base);
    return 0;
}

static UNUSED dalle_request request(int count)
{
    dalle_request r = DALLE_REQUEST_DEFAULTS;
    r.caption = "a red square";
    r.count = count;
    return r;
}

static UNUSED dalle_pictures *drawn(dalle_model *m, const dalle_request *r)
{
    dalle_error err;
    dalle_pictures *p = dalle_generate(m, r, &err);
    if (!p) fail_msg("%s", err.message);
    assert_int_equal(p->count, r->count);
    assert_null(p->tokens);
    assert_null(p->entropy);
    return p;
}

typedef dalle_pictures *way(dalle_model *m, const dalle_change *c, dalle_error *err);

static UNUSED dalle_change change(int count)
{
    dalle_change c = DALLE_CHANGE_DEFAULTS;
    c.rgb = source[0];
    c.side = DRAWING_SIDE;
    c.count = count;
    return c;
}

static UNUSED dalle_pictures *made(dalle_model *m, way *by, const dalle_change *c)
{
    dalle_error err;
    dalle_pictures *p = by(m, c, &err);
    if (!p) fail_msg("%s", err.message);
    assert_int_equal(p->count, c->count);
    for (int i = 0; i < p->count; ++i) assert_int_equal(p->number[i], c->first + i);
    return p;
}

static UNUSED size_t bytes_of(const dalle_pictures *p)
{
    return (size_t)p->side * (size_t)p->side * 3;
}

static UNUSED bool alike(const dalle_pictures *a, int i, const dalle_pictures *b, int j)
{
    assert_int_equal(a->side, b->side);
    return memcmp(a->rgb + (size_t)i * bytes_of(a), b->rgb + (size_t)j * bytes_of(b), bytes_of(a)) == 0;
}

static UNUSED double apart(const uint8_t *a, const uint8_t *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += fabs((double)a[i] - (double)b[i]);
    return sum / (double)count;
}

#endif
