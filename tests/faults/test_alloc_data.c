/* test_alloc_data.c -- refused allocations in the commands that check, describe, show, filter and pack
 * sets: each ends in a clear error, with no leak, and a shard is whole or not there.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/alloc_rig.h"

#include "data/dataset.h"

static alloc_totals totals;

COMMAND(data_check, "data", "check", "--threads", "1", path_of("data.tar"), path_of("folder"),
        path_of("data.tar.gz"))
COMMAND(data_stats, "data", "stats", "--threads", "1", "--tokenizer", path_of("t.model"), path_of("data.tar"))
COMMAND(data_filter, "data", "filter", "--threads", "1", "--duplicates", "2", "--words", "1", "--force",
        path_of("data.tar"), "-o", path_of("out/shards"))
COMMAND(data_pack, "data", "pack", "--threads", "1", "--size", "8", "--force", path_of("data.tar"), "-o",
        path_of("out/shards"))
COMMAND(data_preview, "data", "preview", "--preset", "tiny", "--set", "batch=2", path_of("data.tar"), "-o",
        path_of("out/sheet.png"))

static bool check_shards(bool ok, error *err)
{
    const char *path = path_of("out/shards/shard-000000.tar");
    if (!file_exists(path)) return !ok || error_set(err, ERROR_IO, "no shard was written");
    dataset *d = dataset_open(&path, 1, false, err);
    bool whole = d && (dataset_count(d) == DRAWINGS || error_set(err, ERROR_FORMAT, "a part of a shard"));
    dataset_close(d);
    return whole && no_leftovers(err);
}

static bool check_sheet(bool ok, error *err)
{
    return whole_png(path_of("out/sheet.png"), ok, err) && no_leftovers(err);
}

/* Without a font there are no captions; the loader may work ahead of what is shown. */
static const char *const preview_without[] = {
    "label_font_open", "label_height", "label_draw", "start_threads", "loader_open", "run", NULL
};

static const alloc_scene scenes[] = {
    { "data check", NULL, run_data_check, NULL, 200, NULL },
    { "data stats", NULL, run_data_stats, NULL, 150, NULL },
    { "data filter", empty_out, run_data_filter, check_shards, 200, NULL },
    { "data pack", empty_out, run_data_pack, check_shards, 150, NULL },
    { "data preview", empty_out, run_data_preview, check_sheet, 100, preview_without },
};

static void test_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; ++i) alloc_walk(&scenes[i], &totals);
    assert_int_equal(alloc_walk_summary(&totals), 0);
}

static int set_up(void **state)
{
    (void)state;
    error err;
    base = room_create();
    drawings_tar(path_of("data.tar"), DRAWINGS);
    drawings_folder(path_of("folder"), DRAWINGS);
    char zip[500];
    snprintf(zip, sizeof zip, "gzip -c '%s' > '%s'", path_of("data.tar"), path_of("data.tar.gz"));
    assert_int_equal(system(zip), 0);
    if (!tokenizer_train(drawing_captions, DRAWINGS, 280, path_of("t.model"), &err))
        fail_msg("%s", err.message);
    return 0;
}

int main(int argc, char **argv)
{
    return run_walk(argc, argv, test_all, set_up);
}
