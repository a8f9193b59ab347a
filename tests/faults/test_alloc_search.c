/* test_alloc_search.c -- host allocations refused while pictures and texts are compared, by libdalle and by
 * the commands.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/alloc_models.h"

static alloc_totals totals;

/* ---- By libdalle ---- */

/* A model that found no memory once compares when there is some again. */
static bool spoilt;

static void score_again(dalle_model *m, const uint8_t *rgb, const char *const *texts)
{
    float similarities[4];
    alloc_fault_pause(true);
    spoilt = !dalle_score(m, rgb, 2, DRAWING_SIDE, texts, 2, NULL, NULL, similarities, NULL, NULL);
    alloc_fault_pause(false);
}

static bool run_library(error *err)
{
    const char *const texts[] = { "a red square",
                                  "a story that is too long for it to be read to its very end" };
    uint8_t rgb[2 * DRAWING_BYTES];
    float similarities[4], probabilities[4];
    dalle_error failure = { 0 };
    spoilt = false;
    for (int i = 0; i < 2; ++i) drawing_pixels(i, rgb + i * DRAWING_BYTES);
    dalle_model *m = dalle_open(path_of("clip"), NULL, &failure);
    if (!m) return pass(&failure, err);
    char hash[65], *lost = dalle_lost_clip_words(m, texts[1]);
    bool ok = dalle_clip_hash(m, hash, &failure) && dalle_score(m, rgb, 2, DRAWING_SIDE, texts, 2, NULL, NULL,
                                                                similarities, probabilities, &failure);
    if (!ok) score_again(m, rgb, texts);
    if (!ok) pass(&failure, err);
    dalle_free(lost);
    dalle_close(m);
    return ok;
}

static bool check_library(bool ok, error *err)
{
    (void)ok;
    return !spoilt || error_set(err, ERROR_MODEL, "the model does not compare any more");
}

/* ---- The commands ---- */

static bool check_found(bool ok, error *err)
{
    return no_leftovers(err) && whole_png(path_of("out/sheet.png"), ok, err) &&
           (!file_exists(path_of("out/kept.safetensors")) ||
            whole_safetensors(path_of("out/kept.safetensors"), err));
}

COMMAND(score, "score", "-m", path_of("clip"), path_of("a.png"), "a red square", "a cat", "--json")
COMMAND(classify, "classify", "-m", path_of("clip"), path_of("data.tar"), path_of("a.png"), "--labels",
        "a red square, a blue square, cat", "--json")
COMMAND(find, "find", "-m", path_of("clip"), path_of("data.tar"), "a red square", "-n", "3", "-o",
        path_of("out/sheet.png"), "--copy", path_of("out/copies"), "--embeddings",
        path_of("out/kept.safetensors"))

/* Cut words, and labels, are hints only; a file that cannot be opened is a picture's by its name; fewer
 * threads do; kernels are compiled again where none are kept. */
static const char *const without[] = {
    "program_cache_load",
    "program_cache_save",
    "file_cache_folder",
    "probe_entry",
    "dalle_lost_clip_words",
    "label_font_open",
    "label_height",
    "label_draw",
    "is_picture_file",
    "collection_tell",
    "start_threads",
    "sweep_run",
    NULL,
};

static const alloc_scene scenes[] = {
    { "library", NULL, run_library, check_library, 30, without },
    { "score", NULL, run_score, NULL, 15, without },
    { "classify", NULL, run_classify, NULL, 30, without },
    { "find", empty_out, run_find, check_found, 50, without },
};

static void test_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; ++i) alloc_walk(&scenes[i], &totals);
    assert_int_equal(alloc_walk_summary(&totals), 0);
}

/* ---- Set up ---- */

static bool make_clip(error *err)
{
    static const char *const sets[] = { "steps=2", "batch=2", "threads=1", "sample_every=0",
                                        "text_vocabulary=300" };
    char run[100], data[100], out[100];
    snprintf(run, sizeof run, "%s", path_of("run"));
    snprintf(data, sizeof data, "%s", path_of("data.tar"));
    snprintf(out, sizeof out, "%s", path_of("clip"));
    train_request r = {
        .preset = "tiny", .sets = sets, .set_count = 5, .data = data, .run = run, .seed = -1
    };
    r.quiet = true;
    if (!kinds_find("clip")->train(&r, err)) return false;
    device *d = device_open(NULL, err);
    bool ok = d && pack_model(d, (const char *const[]){ run, NULL }, out, DTYPE_F16, err);
    device_close(d);
    const char *const given[] = { "score", "-m", out, path_of("a.png"), "a", "--quiet", NULL };
    return ok && command((char *const *)(uintptr_t)given, err); /* kernels are built here */
}

static int set_up_clip(void **state)
{
    (void)state;
    return set_up_with(make_clip);
}

int main(int argc, char **argv)
{
    error err = { 0 };
    if (alloc_walk_apart(find_device, &err)) return run_walk(argc, argv, test_all, set_up_clip);
    printf("skipped: %s\n", err.message);
    return 77;
}
