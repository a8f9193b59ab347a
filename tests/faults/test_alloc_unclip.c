/* test_alloc_unclip.c -- host allocations refused while a DALL-E 2 is opened, draws captions and changes
 * pictures, through libdalle and by the commands.
 * SPDX-License-Identifier: MIT */
#include "tests/api/unclip_model.h"
#include "tests/faults/alloc_models.h"

static alloc_totals totals;

/* The lower half is white. */
static bool write_mask(error *err)
{
    image mask = { 0 };
    bool ok = image_create(&mask, 20, 20, err);
    if (ok) memset(mask.pixels, 0, 20 * 10 * 3);
    ok = ok && image_write_png(&mask, path_of("m.png"), err);
    image_free(&mask);
    return ok;
}

static bool make_it(error *err)
{
    device *d = device_open(NULL, err);
    bool ok = d && make_unclip(d, &base, "steps=2", err) && write_mask(err);
    device_close(d);
    return ok;
}

static int set_up_unclip(void **state)
{
    (void)state;
    return set_up_with(make_it);
}

/* ---- Captions and pictures ---- */

static dalle_pictures *draw(dalle_model *m, dalle_error *failure)
{
    dalle_request r = DALLE_REQUEST_DEFAULTS;
    r.caption = "a red square";
    r.count = 1;
    r.of = 2;
    return dalle_generate(m, &r, failure);
}

static dalle_pictures *mix(dalle_model *m, dalle_error *failure)
{
    uint8_t rgb[2][DRAWING_BYTES];
    dalle_change c = two_mixed(rgb);
    return dalle_mix(m, &c, failure);
}

/* A model that found no memory once draws when there is some again. */
static bool spoilt;

static bool use(dalle_pictures *(*by)(dalle_model *m, dalle_error *failure), error *err)
{
    dalle_error failure = { 0 };
    spoilt = false;
    dalle_model *m = dalle_open(path_of("model"), NULL, &failure);
    if (!m) return pass(&failure, err);
    dalle_pictures *p = by(m, &failure), *again = NULL;
    if (!p) {
        alloc_fault_pause(true);
        spoilt = !(again = by(m, NULL));
        alloc_fault_pause(false);
        pass(&failure, err);
    }
    bool ok = p != NULL;
    dalle_pictures_free(again);
    dalle_pictures_free(p);
    dalle_close(m);
    return ok;
}

static bool run_draw(error *err)
{
    return use(draw, err);
}

static bool run_mix(error *err)
{
    return use(mix, err);
}

static bool check_use(bool ok, error *err)
{
    (void)ok;
    return !spoilt || error_set(err, ERROR_MODEL, "the model does not draw any more");
}

/* ---- The command that reads most ---- */

COMMAND(inpaint, "inpaint", "-m", path_of("model"), path_of("a.png"), "a red square", "--mask",
        path_of("m.png"), "-o", path_of("out/drawn.png"), "--json")

static bool check_drawn(bool ok, error *err)
{
    return no_leftovers(err) && whole_png(path_of("out/drawn.png"), ok, err);
}

/* Kernels that are kept are a help only; where memory does not suffice fewer are drawn at once. */
static const char *const without[] = { "program_cache_load", "program_cache_save", "file_cache_folder",
                                       "probe_entry",        "unclip_prepare",     NULL };

static const alloc_scene scenes[] = {
    { "draw", empty_out, run_draw, check_use, 40, without },
    { "mix", empty_out, run_mix, check_use, 25, without },
    { "inpaint", empty_out, run_inpaint, check_drawn, 25, without },
};

static void test_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; ++i) alloc_walk(&scenes[i], &totals);
    assert_int_equal(alloc_walk_summary(&totals), 0);
}

int main(int argc, char **argv)
{
    error err = { 0 };
    if (alloc_walk_apart(find_device, &err)) return run_walk(argc, argv, test_all, set_up_unclip);
    printf("skipped: %s\n", err.message);
    return 77;
}
