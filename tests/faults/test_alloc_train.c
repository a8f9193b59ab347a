/* test_alloc_train.c -- host allocations refused while a device is opened and both stages train, save and are
 * resumed: folders left behind hold whole files only, and a run that has a checkpoint goes on.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/alloc_models.h"

#include "host/base/json_tree.h"
#include "models/dvae/dvae_train.h"
#include "models/prior/prior_train.h"

static alloc_totals totals;

/* ---- A device ---------------------------------------------------------------------------------- */

static bool run_device(error *err)
{
    float values[64] = { 1 }, again[64] = { 0 };
    device *d = device_open(NULL, err);
    device_buffer *b = d ? device_buffer_create(d, sizeof values, err) : NULL;
    bool ok = b && device_write(d, b, 0, values, sizeof values, err) &&
              device_read(d, b, 0, again, sizeof again, err);
    device_buffer_destroy(b);
    device_close(d);
    return ok;
}
/* The disk caches of programs and of probes: without them, things are compiled and probed again. */
static const char *const device_without[] = { "program_cache_load", "program_cache_save", "file_cache_folder",
                                              "probe_entry", NULL };

/* ---- Training ---------------------------------------------------------------------------------- */

static bool run_dvae(error *err)
{
    return train_tiny("dvae", path_of("data.tar"), NULL, path_of("out/run"), dvae_sets, err);
}

static bool run_prior(error *err)
{
    return train_tiny("prior", path_of("data.tar"), path_of("dvae"), path_of("out/run"), prior_sets, err);
}

static const char *const compressed_sets[] = {
    "steps=2",      "batch=2",           "log_every=1", "save_every=1",        "threads=1",
    "eval_every=0", "compress=powersgd", "rank=8",      "text_vocabulary=300", NULL
};

static bool run_compressed(error *err)
{
    return train_tiny("prior", path_of("data.tar"), path_of("dvae"), path_of("out/run"), compressed_sets,
                      err);
}

static bool resume(const char *kind, const char *const *sets, error *err)
{
    train_request r = { .run = path_of("out/run"), .resume = true, .seed = -1, .quiet = true, .sets = sets };
    while (sets && sets[r.set_count]) ++r.set_count;
    r.force = sets != NULL;
    return kind[0] == 'd' ? dvae_train(&r, err) : prior_train(&r, err);
}

static void copy_to_out(const char *run)
{
    char line[500];
    empty_out();
    snprintf(line, sizeof line, "cp -r '%s' '%s'", path_of(run), path_of("out/run"));
    if (system(line) != 0) abort();
}

static void prepare_resume_dvae(void)
{
    copy_to_out("dvae");
}

static void prepare_resume_prior(void)
{
    copy_to_out("prior");
}

static const char *const one_more[] = { "steps=3", NULL };

static bool run_resume_dvae(error *err)
{
    return resume("dvae", one_more, err);
}

static bool run_resume_prior(error *err)
{
    return resume("prior", one_more, err);
}

/* What --resume reads before it goes on. */
static bool readable(error *err)
{
    const char *path = path_of("out/run/checkpoint.safetensors");
    char *text = file_read(path_of("out/run/config.cfg"), NULL, err);
    json_t *info = text ? json_tree_open(path_of("out/run/run.json"), err) : NULL;
    safetensors *f = info ? safetensors_open(path, err) : NULL;
    const char *state = f ? safetensors_metadata(f, "state") : NULL;
    json_t *own = state ? json_tree_parse(state, strlen(state), path, err) : NULL;
    bool ok = own != NULL;
    json_decref(own);
    safetensors_close(f);
    json_decref(info);
    free(text);
    return ok;
}

/* Whole files; and a run that has a checkpoint goes on from it: tried at every fourth, since it takes as long
 * as the work itself. */
static bool check_run(const char *kind, bool ok, error *err)
{
    static int64_t number;
    bool whole = no_leftovers(err) && whole_safetensors(path_of("out/run/best.safetensors"), err) &&
                 whole_png(path_of("out/run/samples/step-000002.png"), false, err);
    bool started = file_exists(path_of("out/run/checkpoint.safetensors"));
    if (whole && ok && !started) whole = error_set(err, ERROR_IO, "no checkpoint was written");
    if (whole && started) whole = readable(err);
    if (whole && !ok && started && ++number % 4 == 0 && !resume(kind, NULL, err))
        whole = error_prefix(err, "cannot go on");
    return whole;
}

static bool check_dvae(bool ok, error *err)
{
    return check_run("dvae", ok, err);
}

static bool check_prior(bool ok, error *err)
{
    return check_run("prior", ok, err);
}

/* Besides the caches: a grid of samples without captions, one loader thread fewer, a batch made ahead that
 * no step asks for. */
static const char *const training_without[] = {
    "program_cache_load", "program_cache_save", "file_cache_folder", "probe_entry", "label_font_open",
    "label_height",       "label_draw",         "start_threads",     "run",         NULL
};

/* ---- All of it --------------------------------------------------------------------------------- */

COMMAND(train, "train", "dvae", "--preset", "tiny", "--set", "steps=1", "--set", "sample_every=0", "--data",
        path_of("data.tar"), "--run", path_of("out/run"), "--json")

static const alloc_scene scenes[] = {
    { "device", NULL, run_device, NULL, 0, device_without },
    { "dvae training", empty_out, run_dvae, check_dvae, 120, training_without },
    { "prior training", empty_out, run_prior, check_prior, 160, training_without },
    { "prior compressed", empty_out, run_compressed, check_prior, 24, training_without },
    { "dvae resumed", prepare_resume_dvae, run_resume_dvae, check_dvae, 40, training_without },
    { "prior resumed", prepare_resume_prior, run_resume_prior, check_prior, 40, training_without },
    { "train", empty_out, run_train, check_dvae, 40, training_without },
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
