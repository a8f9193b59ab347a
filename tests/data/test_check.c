/* test_check.c -- what a check finds in whole and damaged sets, and in what order; the pass by threads
 * under it.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/check.h"
#include "data/sweep.h"

static const check_options plain = { .threads = 3 };

static check_report check_one(const char *path)
{
    check_report r;
    error err = { 0 };
    if (!check_run(&path, 1, &plain, &r, &err)) fail_msg("%s", err.message);
    return r;
}

static void assert_found(const check_report *r, const char *member, const char *kind, const char *problem)
{
    for (int64_t i = 0; i < r->count; ++i)
        if (strcmp(r->findings[i].member, member) == 0) {
            assert_string_equal(r->findings[i].kind, kind);
            if (!strstr(r->findings[i].problem, problem))
                fail_msg("%s: '%s' does not say '%s'", member, r->findings[i].problem, problem);
            return;
        }
    fail_msg("nothing was found at '%s'", member);
}

static void whole_sets(void **state)
{
    (void)state;
    room r = room_create();
    make_tar(at(&r, "a.tar"), 20, false);
    make_tar(at(&r, "b.tar"), 20, true);
    static const char *const names[] = { "a.tar", "b.tar" };
    for (int i = 0; i < 2; ++i) {
        check_report found = check_one(at(&r, names[i]));
        assert_int_equal(found.count, 0);
        assert_int_equal(found.pictures, 20);
        assert_int_equal(found.captions, 20);
        assert_int_equal(found.descriptions, 20);
        assert_int_equal(found.samples, 20);
        assert_int_equal(found.uncaptioned, 0);
        check_report_free(&found);
    }
    room_remove(&r);
}

/* A tar in a folder is walked through too; a text that is no picture's is nobody's concern. */
static void folders(void **state)
{
    (void)state;
    room r = room_create();
    assert_true(file_make_folders(at(&r, "f/in"), NULL));
    image made = noise(8, 9, 1);
    assert_true(image_write_png(&made, at(&r, "f/in/x.png"), NULL));
    assert_true(file_write(at(&r, "f/in/x.txt"), "caf\xe9", 4, NULL));
    assert_true(file_write(at(&r, "f/notes.txt"), "caf\xe9", 4, NULL));
    assert_true(file_write(at(&r, "f/.hidden.png"), "no", 2, NULL));
    make_tar(at(&r, "f/shard.tar"), 4, false);
    check_report found = check_one(at(&r, "f"));
    assert_int_equal(found.count, 1);
    assert_found(&found, "in/x.txt", "caption", "not UTF-8");
    assert_int_equal(found.pictures, 5);
    check_report_free(&found);
    image_free(&made);
    room_remove(&r);
}

static char *content(const room *r, const char *name, size_t *size)
{
    char *bytes = file_read(at(r, name), size, NULL);
    assert_non_null(bytes);
    return bytes;
}

/* The header of the 5th of 8 members is overwritten, or has a size that ends libarchive's walk. */
static void damaged_headers(void **state)
{
    (void)state;
    room r = room_create();
    size_t size;
    tar_file t = tar_begin(at(&r, "a.tar"), false);
    for (int i = 0; i < 8; ++i) {
        char name[32];
        snprintf(name, sizeof name, "%d.png", i);
        tar_add_noise(&t, name, 10, 10, (uint32_t)i);
    }
    tar_end(&t);
    char *bytes = content(&r, "a.tar", &size);
    size_t member = 512 + (strtoul(bytes + 124, NULL, 8) + 511) / 512 * 512;
    char *header = bytes + 4 * member, kept[512];
    memcpy(kept, header, 512);
    for (int fatal = 0; fatal < 2; ++fatal) {
        memcpy(header, kept, 512);
        memset(header, 'x', fatal ? 0 : 512);
        if (fatal) {
            memset(header + 124, 0xff, 12);
            memset(header + 148, ' ', 8);
            unsigned sum = 0;
            for (int i = 0; i < 512; ++i) sum += (unsigned char)header[i];
            snprintf(header + 148, 8, "%06o", sum);
        }
        assert_true(file_write(at(&r, "b.tar"), bytes, size, NULL));
        check_report found = check_one(at(&r, "b.tar"));
        assert_int_equal(found.pictures, 7);
        assert_int_equal(found.count, 1);
        assert_found(&found, "", "archive", fatal ? "negative size" : "Damaged tar archive");
        check_report_free(&found);
    }
    free(bytes);
    room_remove(&r);
}

/* Cut anywhere, the members before the cut are read, and the end is found missing; other sources go on. */
static void cut_tars(void **state)
{
    (void)state;
    room r = room_create();
    for (int packed = 0; packed < 2; ++packed) {
        tar_file t = tar_begin(at(&r, "a.tar"), packed);
        for (int i = 0; i < 30; ++i) {
            char name[32];
            snprintf(name, sizeof name, "%02d.png", i);
            tar_add_noise(&t, name, 60, 60, (uint32_t)i);
        }
        tar_end(&t);
        size_t size;
        char *bytes = content(&r, "a.tar", &size);
        make_tar(at(&r, "b.tar"), 3, false);
        assert_true(file_write(at(&r, "a.tar"), bytes, size / 2, NULL));
        free(bytes);
        const char *paths[] = { strdup(at(&r, "a.tar")), strdup(at(&r, "b.tar")) };
        check_report found;
        assert_true(check_run(paths, 2, &plain, &found, NULL));
        assert_in_range(found.pictures, 3 + 12, 3 + 17);
        assert_in_range(found.count, 1, 2);
        assert_string_equal(found.findings[0].source, paths[0]);
        check_report_free(&found);
        free((char *)(uintptr_t)paths[0]);
        free((char *)(uintptr_t)paths[1]);
    }
    room_remove(&r);
}

/* Alike damage is one reason, whatever numbers it has. */
static void reasons(void **state)
{
    (void)state;
    room r = room_create();
    tar_file t = tar_begin(at(&r, "a.tar"), false);
    for (int i = 0; i < 2; ++i) {
        char name[32], text[9100];
        snprintf(name, sizeof name, "%d.png", i);
        tar_add_noise(&t, name, 4, 4, 1);
        snprintf(name, sizeof name, "%d.txt", i);
        memset(text, 'a', sizeof text);
        tar_add(&t, name, text, 9000 + (size_t)i);
    }
    tar_add_text(&t, "2.jpg", "x");
    tar_end(&t);
    check_report found = check_one(at(&r, "a.tar"));
    assert_int_equal(found.count, 3);
    assert_string_equal(found.findings[0].member, "0.txt");
    assert_string_not_equal(found.findings[0].problem, found.findings[1].problem);
    assert_string_equal(found.findings[0].reason, found.findings[1].reason);
    assert_string_equal(found.findings[0].reason, "a caption has N bytes");
    check_report_free(&found);
    room_remove(&r);
}

static void what_is_no_set(void **state)
{
    (void)state;
    room r = room_create();
    check_report found = check_one(at(&r, "nowhere"));
    assert_int_equal(found.count, 1);
    assert_found(&found, "", "set", "No such file");
    check_report_free(&found);
    room_remove(&r);
}

/* ---- The pass itself ---- */

typedef struct counting {
    int64_t all, fail_at, taken, dropped;
    volatile sig_atomic_t stop;
} counting;

typedef struct number {
    int64_t value, square;
} number;

static bool next_number(void *context, int64_t index, void *item)
{
    ((number *)item)->value = index;
    return index < ((counting *)context)->all;
}

static void square(void *context, void *item)
{
    number *n = item;
    (void)context;
    if (n->value % 7 == 0) usleep(200); /* out of order */
    n->square = n->value * n->value;
}

static bool take_number(void *context, int64_t index, void *item, error *err)
{
    counting *c = context;
    const number *n = item;
    assert_int_equal(n->value, index);
    assert_int_equal(n->square, index * index);
    assert_int_equal(index, c->taken);
    ++c->taken;
    if (index == c->fail_at) return error_set(err, ERROR_IO, "no further");
    if (c->fail_at < -1 && index == 10) c->stop = 1;
    return true;
}

static void drop_number(void *context, void *item)
{
    (void)item;
    ++((counting *)context)->dropped;
}

static void passes(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 9; threads += 4)
        for (int64_t all = 0; all < 200; all = all * 3 + 1) {
            counting c = { .all = all, .fail_at = -1 };
            const sweep s = { threads,     sizeof(number), &c,   next_number, square,
                              take_number, drop_number,    NULL, NULL };
            assert_true(sweep_run(&s, NULL));
            assert_int_equal(c.taken, all);
            assert_int_equal(c.dropped, all);
        }
}

static void passes_that_end(void **state)
{
    (void)state;
    error err = { 0 };
    counting c = { .all = 1000, .fail_at = 17 };
    sweep s = { 4, sizeof(number), &c, next_number, square, take_number, drop_number, NULL, NULL };
    assert_false(sweep_run(&s, &err));
    assert_string_equal(err.message, "no further");
    assert_int_equal(c.taken, 18);
    assert_true(c.dropped >= 18 && c.dropped <= 18 + 16);
    c = (counting){ .all = 100000, .fail_at = -2 };
    s.interrupted = &c.stop;
    assert_false(sweep_run(&s, &err));
    assert_int_equal(err.code, ERROR_INTERRUPTED);
    assert_int_equal(c.taken, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_sets), cmocka_unit_test(folders),         cmocka_unit_test(damaged_headers),
        cmocka_unit_test(cut_tars),   cmocka_unit_test(reasons),         cmocka_unit_test(what_is_no_set),
        cmocka_unit_test(passes),     cmocka_unit_test(passes_that_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
