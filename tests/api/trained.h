/* trained.h -- a model trained a little and packed, which the tests of libdalle share.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_API_TRAINED_H
#define DALLE_CL_TESTS_API_TRAINED_H

#include "app/api/dalle.h"
#include "tests/models/drawings.h"
#include "tests/support/device_or_skip.h"

enum { SIDE = 16, SIDE_TOKENS = 8, TOKENS = SIDE_TOKENS * SIDE_TOKENS };

static room base;
static dalle_model *model;

static const char *path_of(const char *name)
{
    return at(&base, name);
}

static UNUSED dalle_request request_for(const char *caption, int count)
{
    dalle_request r = DALLE_REQUEST_DEFAULTS;
    r.caption = caption;
    r.count = count;
    return r;
}

static UNUSED dalle_pictures *drawn_by(dalle_model *m, const dalle_request *r)
{
    dalle_pictures *p;
    dalle_error err;
    if (!(p = dalle_generate(m, r, &err))) fail_msg("%s", err.message);
    assert_int_equal(p->count, r->count);
    assert_int_equal(p->side, SIDE);
    return p;
}

/* The packed model again as base/bad, to be spoilt. */
static UNUSED void copy_model(void)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf '%s/bad' && cp -r '%s/model' '%s/bad'", base.path, base.path,
             base.path);
    assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
    (void)state;
    dalle_error err;
    base = room_create();
    make_model(&base, "steps=30", "steps=30", DTYPE_F16);
    model = dalle_open(path_of("model"), NULL, &err);
    if (!model) fprintf(stderr, "%s\n", err.message);
    return model ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    dalle_close(model);
    room_remove(&base);
    return 0;
}

#endif
