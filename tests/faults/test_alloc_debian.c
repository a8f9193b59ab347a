/* test_alloc_debian.c -- host allocations refused while a set is built out of packages' pictures: there is no
 * tar then, or the whole one.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/alloc_rig.h"

#include "data/dataset.h"
#include "data/debian_set.h"

static alloc_totals totals;

static bool run_debian(error *err)
{
    debian_count counts[DEBIAN_SOURCES];
    const debian_options options = { .root = path_of("packages"), .size = 16 };
    return debian_build(&options, path_of("out/set.tar"), counts, err);
}

static bool check_debian(bool ok, error *err)
{
    const char *path = path_of("out/set.tar");
    if (!no_leftovers(err)) return false;
    if (!file_exists(path)) return !ok || error_set(err, ERROR_IO, "no tar was written");
    dataset *d = dataset_open(&path, 1, true, err);
    bool whole = d && dataset_count(d) == 3 && dataset_at(d, 0)->keyword_count == 1 &&
                 dataset_at(d, 0)->caption_count == 2 && dataset_at(d, 1)->caption_count == 1 &&
                 dataset_at(d, 2)->caption_count == 2;
    dataset_close(d);
    return whole || error_set(err, ERROR_FORMAT, "a part of a set");
}

static const alloc_scene scene = { "debian", empty_out, run_debian, check_debian, 500, NULL };

static void test_all(void **state)
{
    (void)state;
    alloc_walk(&scene, &totals);
    assert_int_equal(alloc_walk_summary(&totals), 0);
}

static void put(const char *folder, const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "%s/packages/usr/share/%s", base.path, folder);
    assert_true(file_make_folders(path, NULL));
    snprintf(path + strlen(path), sizeof path - strlen(path), "/%s", name);
    if (text) {
        assert_true(file_write(path, text, strlen(text), NULL));
        return;
    }
    static uint32_t seed;
    image made = noise(24, 20, ++seed);
    assert_true(image_write_png(&made, path, NULL));
    image_free(&made);
}

static int set_up(void **state)
{
    (void)state;
    base = room_create();
    put("doc/tuxpaint-stamps-default", "copyright",
        "Format: x\n\nFiles: *\nCopyright: Ann\nLicense: GPL-2\n\nFiles: a*\n b*\nCopyright: Ben\nLicense: "
        "MIT\n");
    put("tuxpaint/stamps/animals", "frog.png", NULL);
    put("tuxpaint/stamps/animals", "frog.txt", "A green frog.\n");
    put("tuxpaint/templates", "cliff.jpg", NULL);
    put("openclipart/png/food", "pear_02.png", NULL);
    put("openclipart/svg/food", "pear_02.svg", "<svg><subject><li>fruit</li></subject></svg>");
    return 0;
}

int main(int argc, char **argv)
{
    return run_walk(argc, argv, test_all, set_up);
}
