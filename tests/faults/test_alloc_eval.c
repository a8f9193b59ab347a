/* test_alloc_eval.c -- every host allocation of the distances of features is refused once, and of opening and
 * running Inception-v3; and of `dalle-cl eval`, spread over all of them.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/alloc_models.h"

#include "app/eval/frechet.h"
#include "app/eval/inception_score.h"
#include "app/eval/mmd.h"
#include "tests/eval/thin_weights.h"

enum { ROWS = 20, WIDTH = 6 };
static alloc_totals totals;
static float features[2][ROWS * WIDTH];

static bool run_frechet(error *err)
{
    frechet_moments *a = frechet_moments_create(WIDTH, err),
                    *b = a ? frechet_moments_create(WIDTH, err) : NULL;
    frechet_figures f;
    bool ok = b && frechet_moments_add(a, features[0], ROWS, err) &&
              frechet_moments_add(b, features[1], ROWS, err) && frechet_distance(a, b, &f, err);
    frechet_moments_destroy(a);
    frechet_moments_destroy(b);
    return ok;
}

static bool run_mmd(error *err)
{
    mmd_figures f;
    double kid[2];
    const mmd_sets s = { features[0], features[1], ROWS, ROWS, WIDTH };
    return mmd_gaussian(&s, 1, &f, err) && mmd_polynomial(&s, &f, err) &&
           mmd_kid(&s, &(mmd_subsets){ .count = 2, .size = 10, .seed = 1 }, &kid[0], &kid[1], err);
}

static bool run_score(error *err)
{
    double found[2];
    return inception_score(features[0], ROWS, WIDTH, &INCEPTION_SCORE_USUAL, &found[0], &found[1], err);
}

static bool run_network(error *err)
{
    const uint8_t rgb[3 * 3 * 3] = { 1, 2, 3 };
    float found[THIN_FEATURES], logits[THIN_CLASSES];
    device *d = device_open(NULL, err);
    inception *n =
        d ? inception_open(d, path_of("weights"), &(inception_options){ .batch = 1, .thinner = THIN_BY }, err)
          : NULL;
    bool ok = n && inception_run(n, rgb, 1, 3, found, logits, NULL, NULL, err);
    inception_close(n);
    device_close(d);
    return ok;
}

COMMAND(eval, "eval", "-m", path_of("judged"), "--data", path_of("data.tar"), "--captions", "1", "--of", "2",
        "--json", "-o", path_of("out/plots"))

/* A plot that is there is whole. */
static bool check_eval(bool ok, error *err)
{
    return no_leftovers(err) && whole_png(path_of("out/plots/score.png"), ok, err) &&
           whole_png(path_of("out/plots/codes.png"), ok, err) &&
           whole_png(path_of("out/plots/spectrum.png"), ok, err);
}

static bool write_weights(error *err)
{
    device *d = device_open(NULL, err);
    if (d) thin_weights_write(d, path_of("weights"), &(thin_damage){ 0 });
    device_close(d);
    return d != NULL;
}

/* What a program can do without: kernels that are built again, and a device's measured rate. */
static const char *const without[] = { "program_cache_load", "program_cache_save", "file_cache_folder",
                                       "probe_entry", NULL };
/* And a library's transform, which our own then stands in for. */
static const char *const eval_without[] = { "program_cache_load", "program_cache_save", "file_cache_folder",
                                            "probe_entry",        "plan_by_library",    NULL };
static const alloc_scene scenes[] = {
    { "frechet", NULL, run_frechet, NULL, 0, NULL },
    { "mmd", NULL, run_mmd, NULL, 0, NULL },
    { "score", NULL, run_score, NULL, 0, NULL },
    { "inception", NULL, run_network, NULL, 40, without },
    { "eval", empty_out, run_eval, check_eval, 60, eval_without },
};

static void test_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; ++i) alloc_walk(&scenes[i], &totals);
    assert_int_equal(alloc_walk_summary(&totals), 0);
}

static bool make_models(error *err)
{
    return make_all(err) && write_weights(err);
}

static int set_up_eval(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS * WIDTH; ++i) {
        features[0][i] = rule_uniform("a", i);
        features[1][i] = rule_uniform("b", i);
    }
    return set_up_with(make_models);
}

int main(int argc, char **argv)
{
    error err = { 0 };
    if (alloc_walk_apart(find_device, &err)) return run_walk(argc, argv, test_all, set_up_eval);
    printf("skipped: %s\n", err.message);
    return 77;
}
