/* alloc_models.h -- the runs and the model that refused allocations are tried on, made in a process of their
 * own: a driver's threads do not survive the forks that follow.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_FAULTS_ALLOC_MODELS_H
#define DALLE_CL_TESTS_FAULTS_ALLOC_MODELS_H

#include "tests/faults/alloc_rig.h"

#include "app/api/dalle.h"
#include "models/kinds.h"
#include "models/prior/calibrate.h"

static UNUSED const char *const dvae_sets[] = { "steps=2",      "batch=2",        "log_every=1",
                                                "save_every=1", "eval_every=1",   "holdout=0.25",
                                                "threads=1",    "sample_every=2", NULL };
static UNUSED const char *const prior_sets[] = { "steps=2",
                                                 "batch=2",
                                                 "log_every=1",
                                                 "save_every=1",
                                                 "eval_every=1",
                                                 "holdout=0.25",
                                                 "threads=1",
                                                 "sample_every=2",
                                                 "text_vocabulary=300",
                                                 "keyword_captions=0.3",
                                                 "bpe_dropout=0.2",
                                                 "caption_others=0.5",
                                                 "caption_templates=builtin",
                                                 "caption_shuffle=0.3",
                                                 "caption_drop_words=0.3",
                                                 "caption_stray_words=0.3",
                                                 NULL };

static UNUSED const char *const clip_sets[] = { "steps=2",        "batch=2",
                                                "sample_every=0", "text_vocabulary=300",
                                                "threads=1",      NULL };

static UNUSED bool pass(const dalle_error *failure, error *err)
{
    return error_set(err, ERROR_MEMORY, "%s", failure->message);
}

/* Three short runs, the model packed from the first two, and one of all, a picture and its tokens. */
static UNUSED bool make_all(error *err)
{
    dalle_error failure;
    calibration measured;
    device *d = device_open(NULL, err);
    bool ok =
        d && train_tiny("dvae", path_of("data.tar"), NULL, path_of("dvae"), dvae_sets, err) &&
        train_tiny("prior", path_of("data.tar"), path_of("dvae"), path_of("prior"), prior_sets, err) &&
        pack_model(d, (const char *const[]){ path_of("dvae"), path_of("prior"), NULL }, path_of("model"),
                   DTYPE_F16, err) &&
        train_tiny("clip", path_of("data.tar"), NULL, path_of("clip"), clip_sets, err) &&
        pack_model(d, (const char *const[]){ path_of("model"), path_of("model"), path_of("clip"), NULL },
                   path_of("judged"), DTYPE_F16, err) &&
        calibrate_model(d, path_of("judged"), path_of("data.tar"), 2, &measured, err);
    device_close(d);
    dalle_model *m = ok ? dalle_open(path_of("model"), NULL, &failure) : NULL;
    if (ok && !m) pass(&failure, err);
    dalle_close(m);
    const char *const given[] = {
        "encode", "-m", path_of("model"), path_of("a.png"), "-o", path_of("tokens.json"), NULL
    };
    return m && command((char *const *)(uintptr_t)given, err);
}

static UNUSED bool find_device(error *err)
{
    device *d = device_open(NULL, err);
    device_close(d);
    return d != NULL;
}

/* A room with data and what `make` makes of it. */
static UNUSED int set_up_with(bool (*make)(error *err))
{
    error err = { 0 };
    base = room_create();
    drawings_tar(path_of("data.tar"), DRAWINGS);
    image made = noise(20, 20, 5);
    assert_true(image_write_png(&made, path_of("a.png"), NULL));
    image_free(&made);
    if (alloc_walk_apart(make, &err)) return 0;
    fprintf(stderr, "%s\n", err.message);
    return -1;
}

static UNUSED int set_up(void **state)
{
    (void)state;
    return set_up_with(make_all);
}

/* `test` walks a file's scenes. */
static UNUSED int walk_all(int argc, char **argv, void (*test)(void **state))
{
    error err = { 0 };
    if (alloc_walk_apart(find_device, &err)) return run_walk(argc, argv, test, set_up);
    printf("skipped: %s\n", err.message);
    return 77;
}

#endif
