/* alloc_sets.h -- data sets, held in memory and large, while allocations are refused.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_FAULTS_ALLOC_SETS_H
#define DALLE_CL_TESTS_FAULTS_ALLOC_SETS_H

#include "data/dataset_build.h"
#include "data/dataset_paths.h"
#include "data/loader.h"
#include "tests/faults/alloc_rig.h"

static bool use_set(const char *path, int64_t most_pictures, error *err)
{
    const dataset_options options = { .need_captions = true, .most_pictures = most_pictures };
    dataset_selection kept = { 0 }, held = { 0 };
    image picture = { 0 };
    char hash[65], **texts = NULL;
    int64_t count = 0, first;
    dataset *d =
        most_pictures ? dataset_open_with(&path, 1, &options, err) : dataset_paths_open(&path, 1, true, err);
    bool ok = d && dataset_select(d, NULL, 0.3, 7, false, &kept, err) &&
              dataset_select(d, NULL, 0.3, 7, true, &held, err) &&
              dataset_captions(d, &kept, true, &texts, &count, err) &&
              dataset_read_picture(d, 0, &picture, err);
    if (ok && dataset_keep_captioned(d, &kept, &first) != 0) ok = error_set(err, ERROR_FORMAT, "one is bare");
    if (d) dataset_hash(d, hash);
    if (ok && (dataset_count(d) != DRAWINGS || strlen(hash) != 64))
        ok = error_set(err, ERROR_FORMAT, "%lld samples", (long long)dataset_count(d));
    free(texts);
    image_free(&picture);
    dataset_selection_free(&kept);
    dataset_selection_free(&held);
    dataset_close(d);
    return ok;
}

static UNUSED bool run_tar(error *err)
{
    return use_set(path_of("data.tar"), 0, err);
}

static UNUSED bool run_packed_tar(error *err)
{
    return use_set(path_of("data.tar.gz"), 0, err);
}

/* Its index is made, and then found. */
static bool use_large(const char *path, error *err)
{
    char place[400];
    if (!build_path(&path, 1, false, place, sizeof place)) return error_set(err, ERROR_FORMAT, "no place");
    unlink(place);
    return use_set(path, 2, err) && use_set(path, 2, err);
}

static UNUSED bool run_large(error *err)
{
    return use_large(path_of("data.tar"), err);
}

static UNUSED bool run_large_packed(error *err)
{
    return use_large(path_of("data.tar.gz"), err);
}

static UNUSED bool run_folder(error *err)
{
    return use_set(path_of("folder"), 0, err);
}

static UNUSED bool run_table(error *err)
{
    return use_set(path_of("{table}.csv"), 0, err);
}

static UNUSED bool run_coco(error *err)
{
    return use_set(path_of("captions_folder.js*"), 0, err);
}

static UNUSED bool run_loader(error *err)
{
    const char *path = path_of("odd.tar");
    dataset_selection all = { 0 };
    loader *l = NULL;
    loader_config config = { .batch = 3,
                             .views = { { .name = "cut", .size = 12, .augment = AUGMENT_LISTING1 },
                                        { .name = "small", .size = 5, .same_as = "cut" },
                                        { .name = "whole", .size = 9 } },
                             .threads = 2,
                             .shuffle = true };
    dataset *d = dataset_open(&path, 1, true, err);
    bool ok = d && dataset_select(d, NULL, 0, 7, false, &all, err) &&
              (config.skips = skips_create(d, 2, err)) && (l = loader_open(d, &all, &config, err));
    for (int i = 0; ok && i < 4; ++i) {
        loader_batch *batch = NULL;
        ok = loader_next(l, &batch, err);
        loader_release(l, batch);
    }
    if (ok && skips_count(config.skips) != 1) ok = error_set(err, ERROR_FORMAT, "nothing was skipped");
    ok = ok && skips_write(config.skips, path_of("out/skipped.txt"), true, err);
    loader_close(l);
    skips_destroy(config.skips);
    dataset_selection_free(&all);
    dataset_close(d);
    return ok;
}
/* One thread instead of two; a batch made ahead that nobody asks for. */
static UNUSED const char *const loader_without[] = { "start_threads", "loader_open", "run", NULL };

#endif
