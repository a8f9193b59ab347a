/* test_alloc_models.c -- host allocations refused while a model is packed, and while pictures are drawn,
 * encoded and decoded with it through libdalle and by the commands.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/alloc_models.h"

static alloc_totals totals;

/* ---- Packing and drawing ----------------------------------------------------------------------- */

static bool run_pack(error *err)
{
    device *d = device_open(NULL, err);
    bool ok = d && pack_model(d, (const char *const[]){ path_of("dvae"), path_of("prior"), NULL },
                              path_of("out/model"), DTYPE_F16, err);
    device_close(d);
    return ok;
}

/* model.json is written last: with it, the folder opens. */
static bool check_pack(bool ok, error *err)
{
    if (!no_leftovers(err) || !whole_safetensors(path_of("out/model/dvae.safetensors"), err) ||
        !whole_safetensors(path_of("out/model/prior.safetensors"), err))
        return false;
    if (!file_exists(path_of("out/model/model.json")))
        return !ok || error_set(err, ERROR_IO, "no model.json was written");
    dalle_error failure;
    dalle_model *m = dalle_open(path_of("out/model"), NULL, &failure);
    if (!m) error_set(err, ERROR_FORMAT, "the packed model does not open: %s", failure.message);
    dalle_close(m);
    return m != NULL;
}

/* A model that found no memory once draws when there is some again. */
static bool spoilt;

static void draw_again(dalle_model *m, const dalle_request *r)
{
    dalle_pictures *p;
    alloc_fault_pause(true);
    spoilt = !(p = dalle_generate(m, r, NULL));
    dalle_pictures_free(p);
    alloc_fault_pause(false);
}

static bool run_draw(error *err)
{
    spoilt = false;
    dalle_error failure = { 0 };
    dalle_pictures *p = NULL;
    dalle_request r = DALLE_REQUEST_DEFAULTS;
    r.caption = "a red zebra";
    r.count = 2;
    dalle_model *m = dalle_open(path_of("model"), NULL, &failure);
    if (!m) return pass(&failure, err);
    char *unknown = dalle_unknown_words(m, r.caption);
    bool ok = (p = dalle_generate(m, &r, &failure));
    if (!ok) draw_again(m, &r);
    if (ok) {
        int32_t tokens[64];
        ok = dalle_encode(m, p->rgb, 1, tokens, &failure) && dalle_decode(m, tokens, 1, p->rgb, &failure);
    }
    if (!ok) pass(&failure, err);
    image first = { DRAWING_SIDE, DRAWING_SIDE, p ? p->rgb : NULL };
    ok = ok && image_write_png(&first, path_of("out/drawn.png"), err);
    dalle_free(unknown);
    dalle_pictures_free(p);
    dalle_close(m);
    return ok;
}

static bool check_draw(bool ok, error *err)
{
    if (spoilt) return error_set(err, ERROR_MODEL, "the model does not draw any more");
    return no_leftovers(err) && whole_png(path_of("out/drawn.png"), ok, err);
}
/* Words never seen in training, and those that the model has no room for, are hints only.  Graphs are
 * built again when those that are kept have given way. */
static const char *const draw_without[] = {
    "program_cache_load",        "program_cache_save", "file_cache_folder",     "probe_entry",
    "dalle_unknown_words",       "dalle_lost_words",   "dalle_lost_clip_words", "prior_sampler_prepare",
    "prior_sampler_prepare_for", "dvae_codec_prepare", "api_rank_prepare",      NULL
};

/* ---- The commands ------------------------------------------------------------------------------ */

COMMAND(generate, "generate", "-m", path_of("model"), "a red square", "-n", "2", "-o",
        path_of("out/drawn.png"), "--tokens", path_of("out/tokens.json"), "--json")
COMMAND(rank, "generate", "-m", path_of("judged"), "a red square", "--best", "2", "--of", "3", "--near", "2",
        "--start", path_of("a.png"), "--rows", "5", "-o", path_of("out/drawn.png"), "--json")
COMMAND(encode, "encode", "-m", path_of("model"), path_of("a.png"), "-o", path_of("out/tokens.json"))
COMMAND(decode, "decode", "-m", path_of("model"), path_of("tokens.json"), "-o", path_of("out/drawn.png"))
COMMAND(reconstruct, "reconstruct", "-m", path_of("model"), path_of("a.png"), "--json", "-o",
        path_of("out/drawn.png"))
COMMAND(devices, "devices", "--json")
COMMAND(info_model, "info", path_of("model"))
COMMAND(info_run, "info", path_of("prior"), "--json", "--tensors")
/* ---- All of it --------------------------------------------------------------------------------- */

static const alloc_scene scenes[] = {
    { "pack", empty_out, run_pack, check_pack, 120, draw_without },
    { "draw", empty_out, run_draw, check_draw, 160, draw_without },
    { "generate", empty_out, run_generate, check_draw, 100, draw_without },
    { "rank", empty_out, run_rank, check_draw, 80, draw_without },
    { "encode", empty_out, run_encode, NULL, 60, draw_without },
    { "decode", empty_out, run_decode, check_draw, 60, draw_without },
    { "reconstruct", empty_out, run_reconstruct, check_draw, 60, draw_without },
    { "devices", NULL, run_devices, NULL, 100, draw_without },
    { "info of a model", NULL, run_info_model, NULL, 150, NULL },
    { "info of a run", NULL, run_info_run, NULL, 150, NULL },
};

static void test_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; ++i) alloc_walk(&scenes[i], &totals);
    assert_int_equal(alloc_walk_summary(&totals), 0);
}

int main(int argc, char **argv)
{
    return walk_all(argc, argv, test_all);
}
