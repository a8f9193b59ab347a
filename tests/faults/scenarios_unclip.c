/* scenarios_unclip.c -- drawing by diffusion as a scenario: see scenarios.h.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/scenarios.h"

#include "app/api/dalle.h"
#include "host/base/file.h"
#include "tests/api/unclip_model.h"

bool scenario_unclip_prepare(error *err)
{
    room base;
    snprintf(base.path, sizeof base.path, "%s", walk_path("unclip"));
    if (file_exists(walk_path("unclip/bare/model.json"))) return true;
    device *d = file_make_folders(base.path, err) ? device_open(NULL, err) : NULL;
    bool ok = d && make_unclip(d, &base, "steps=2", err);
    device_close(d);
    return ok;
}

static bool stay(void *context, const dalle_stage *s)
{
    (void)context;
    return s->share <= 1;
}

static bool draw(dalle_model *m, dalle_error *err)
{
    dalle_request r = DALLE_REQUEST_DEFAULTS;
    r.caption = "a red square";
    r.count = 1;
    r.of = 2;
    r.stages = stay;
    dalle_pictures *p = dalle_generate(m, &r, err);
    dalle_pictures_free(p);
    return p != NULL;
}

static bool mix(dalle_model *m, dalle_error *err)
{
    uint8_t rgb[2][DRAWING_BYTES];
    dalle_change c = two_mixed(rgb);
    c.stages = stay;
    dalle_pictures *p = dalle_mix(m, &c, err);
    dalle_pictures_free(p);
    return p != NULL;
}

bool scenario_unclip(error *err)
{
    dalle_error failure = { 0 };
    dalle_model *m = dalle_open(walk_path("unclip/model"), NULL, &failure);
    bool ok = m && draw(m, &failure) && mix(m, &failure);
    dalle_close(m);
    return ok || error_set(err, failure.status == 2 ? ERROR_USAGE : ERROR_DEVICE, "%s", failure.message);
}
