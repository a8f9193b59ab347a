/* test_dataset_paths.c -- what paths name: braces, patterns, folders of shards, weights, options.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/dataset_options.h"
#include "data/dataset_paths.h"

/* All that a text names, told apart by spaces, "@" and the weight behind those that have one. */
static void assert_paths(const char *given, const char *wanted)
{
    dataset_paths p;
    error err = { 0 };
    char found[2000] = "";
    if (!dataset_paths_expand(&given, 1, &p, &err)) fail_msg("%s", err.message);
    for (int i = 0; i < p.count; ++i) {
        size_t used = strlen(found);
        used += (size_t)snprintf(found + used, sizeof found - used, "%s%s", i ? " " : "", p.path[i]);
        if (p.weight[p.group[i]] != 1)
            snprintf(found + used, sizeof found - used, "@%g", p.weight[p.group[i]]);
    }
    dataset_paths_free(&p);
    assert_string_equal(found, wanted);
}

static void assert_refused(const char *given, error_code code, const char *says)
{
    dataset_paths p;
    error err = { 0 };
    if (dataset_paths_expand(&given, 1, &p, &err)) fail_msg("'%s' was taken", given);
    assert_int_equal(err.code, code);
    assert_int_equal(p.count, 0);
    assert_says(&err, says);
}

static void braces(void **state)
{
    (void)state;
    static const struct {
        const char *given, *wanted;
    } cases[] = {
        { "plain.tar", "plain.tar" },
        { "s-{0..3}.tar", "s-0.tar s-1.tar s-2.tar s-3.tar" },
        { "s-{08..11}", "s-08 s-09 s-10 s-11" },
        { "s-{000..2}", "s-000 s-001 s-002" },
        { "{9..11}", "9 10 11" },
        { "{3..1}x", "3x 2x 1x" },
        { "{0..7..3}", "0 3 6" },
        { "{5..5}", "5" },
        { "{a,b}/{1..2}.tar", "a/1.tar a/2.tar b/1.tar b/2.tar" },
        { "{a,b{1..2},}c", "ac b1c b2c c" },
        { "x{,y}", "x xy" },
        { "{{1..2},{5..6}}", "1 2 5 6" },
        { "a{b}c{1..2}", "a{b}c1 a{b}c2" },
        { "a{b", "a{b" },
        { "a}b{1..2}", "a}b1 a}b2" },
        { "a{1..}", "a{1..}" },
        { "a{..2}", "a{..2}" },
        { "a{1..b}", "a{1..b}" },
        { "a{-1..2}", "a{-1..2}" },
        { "a{1..3..0}", "a{1..3..0}" },
        { "a{1234567890123456789..1}", "a{1234567890123456789..1}" },
        { "one\ntwo{1,2}\n\nthree", "one two1 two2 three" },
        { "t.csv?path=img&caption=txt", "t.csv?path=img&caption=txt" },
        { "{a,b}.csv?path=img", "a.csv?path=img b.csv?path=img" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) assert_paths(cases[i].given, cases[i].wanted);
    assert_refused("{0..100000}", ERROR_USAGE, "more than 100000 sources");
    assert_refused("{0..99999}{0..1}", ERROR_USAGE, "more than 100000 sources");
    const char *several[] = { "b", "{a,c}", "b" };
    dataset_paths p;
    assert_true(dataset_paths_expand(several, 3, &p, NULL));
    assert_int_equal(p.count, 4);
    assert_string_equal(p.path[3], "b");
    static const int groups[] = { 0, 1, 1, 2 };
    assert_memory_equal(p.group, groups, sizeof groups);
    assert_int_equal(p.group_count, 3);
    assert_false(p.weighted);
    dataset_paths_free(&p);
    assert_false(dataset_paths_expand(NULL, 0, &p, NULL));
}

static void touch(const room *r, const char *name)
{
    assert_true(file_write(at(r, name), "x", 1, NULL));
}

static void files_and_folders(void **state)
{
    (void)state;
    room r = room_create();
    char here[400];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(r.path), 0);
    const room in = { "." };
    static const char *const folders[] = { "s/deep", "mixed/in", "list", "e" };
    for (int i = 0; i < 4; ++i) assert_true(file_make_folders(folders[i], NULL));
    static const char *const files[] = { "s/10.tar",
                                         "s/9.tar.gz",
                                         "s/deep/1.tar.zst",
                                         "s/10.parquet",
                                         "s/x.TGZ",
                                         "s/10_stats.json",
                                         "mixed/a.tar",
                                         "mixed/in/p.JPG",
                                         "list/b",
                                         "list/a",
                                         "list/c.parquet",
                                         "a{1..2}",
                                         "a*",
                                         "ab",
                                         "w@2",
                                         "v",
                                         "v@2",
                                         "q?path=x",
                                         "m@home" };
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) touch(&in, files[i]);
    assert_int_equal(symlink("..", "s/loop"), 0);
    static const struct {
        const char *given, *wanted;
    } cases[] = {
        { "s", "s/10.tar s/9.tar.gz s/deep/1.tar.zst s/x.TGZ" },
        { "s@2", "s/10.tar@2 s/9.tar.gz@2 s/deep/1.tar.zst@2 s/x.TGZ@2" },
        { "s/deep?picture=a.jpg@0.5", "s/deep/1.tar.zst?picture=a.jpg@0.5" },
        { "mixed", "mixed" },
        { "e", "e" },
        { "list", "list" },
        { "list/*", "list/a list/b list/c.parquet" },
        { "s/10*", "s/10.tar" }, /* what img2dataset writes beside it is passed over */
        { "s/10.parquet", "s/10.parquet" },
        { "l?st/[ab]", "list/a list/b" },
        { "a{1..2}", "a{1..2}" },
        { "a*", "a*" },
        { "w@2", "w@2" },
        { "w@2@3", "w@2@3" },
        { "v@2@1", "v@2" },
        { "v@2.0", "v@2" },
        { "v@0.25", "v@0.25" },
        { "{v,w@2}@4", "v@4 w@2@4" },
        { "m@home", "m@home" },
        { "none@home", "none@home" },
        { "q?path=x", "q?path=x" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) assert_paths(cases[i].given, cases[i].wanted);
    assert_refused("zz*.tar", ERROR_IO, "'zz*.tar': nothing is named like that");
    assert_refused("v@2", ERROR_USAGE, "write 'v@2@1' for the first, 'v@2.0000' for the second");
    assert_refused("v@0", ERROR_USAGE, "a weight is above 0");
    assert_refused("v@1000001", ERROR_USAGE, "at most 1e+06");
    assert_refused("none@2", ERROR_IO, "cannot open 'none@2', nor 'none' with the weight 2");
    const char *shards[] = { "s/10.parquet", "s/9.tar.gz", "s/10_stats.json", "s/10.tar@3", "s/deep" };
    dataset_paths p;
    assert_true(dataset_paths_expand(shards, 5, &p, NULL));
    static const int groups[] = { 0, 1, 2 };
    assert_int_equal(p.count, 3);
    assert_int_equal(p.group_count, 3);
    assert_memory_equal(p.group, groups, sizeof groups);
    assert_string_equal(p.path[1], "s/10.tar");
    assert_true(p.weight[0] == 1 && p.weight[1] == 3 && p.weight[2] == 1 && p.weighted);
    dataset_paths_free(&p);
    const char *path = "q?path=x";
    assert_null(source_options_find(path));
    assert_string_equal(source_options_find("v?path=x"), "path=x");
    assert_null(source_options_find("v?1.tar"));
    const char *there = "s/1{0,1}.tar";
    error err;
    assert_false(dataset_paths_check(&there, 1, &err));
    assert_says(&err, "there is no data set 's/11.tar'");
    there = "s@3";
    assert_true(dataset_paths_check(&there, 1, &err));

    /* As they mean the same in another folder. */
    char wanted[2000], full[400];
    assert_non_null(getcwd(full, sizeof full));
    char *text = dataset_paths_absolute("s/{9,1*}.tar@2\nv\n../x*\nt.csv?path=a");
    snprintf(wanted, sizeof wanted, "%s/s/{9,1*}.tar@2\n%s/v\n%s/x*\n%s/t.csv?path=a", full, full, here,
             full);
    assert_string_equal(text, wanted);
    free(text);
    assert_int_equal(chdir(here), 0);
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(braces), cmocka_unit_test(files_and_folders) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
