/* test_alloc_report.c -- every host allocation of `report` and `watch` is refused once: they end in a clear
 * error, and leave no half page.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/alloc_rig.h"

static alloc_totals totals;

/* A page ends as one, or is not there. */
static bool check_page(bool ok, error *err)
{
    if (!no_leftovers(err)) return false;
    if (!file_exists(path_of("out/r.html"))) return !ok || error_set(err, ERROR_IO, "no page was written");
    char *text = file_read(path_of("out/r.html"), NULL, err);
    bool whole = text && strstr(text, "</html>") && strstr(text, "aria-label=\"Loss\"") &&
                 strstr(text, "data:image/png;base64,");
    free(text);
    return whole || error_set(err, ERROR_IO, "the page is not whole");
}

static bool check_plots(bool ok, error *err)
{
    return no_leftovers(err) && whole_png(path_of("out/plots/loss.png"), ok, err) &&
           whole_png(path_of("out/plots/code_usage-1.png"), ok, err);
}

COMMAND(report, "report", path_of("one"), path_of("two"), "-o", path_of("out/r.html"), "--quiet", "--json")
COMMAND(plots, "report", path_of("one"), path_of("two"), "--png", path_of("out/plots"), "--json")
COMMAND(watch, "watch", path_of("one"), "--once")
COMMAND(watch_json, "watch", path_of("one"), "--once", "--json")

static const alloc_scene scenes[] = {
    { "report", empty_out, run_report, check_page, 120, NULL },
    { "report --png", empty_out, run_plots, check_plots, 24, NULL },
    { "watch", NULL, run_watch, NULL, 60, NULL },
    { "watch --json", NULL, run_watch_json, NULL, 60, NULL },
};

static void test_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; ++i) alloc_walk(&scenes[i], &totals);
    assert_int_equal(alloc_walk_summary(&totals), 0);
}

static void write_run(const char *name)
{
    char inside[100];
    error err;
    snprintf(inside, sizeof inside, "%s/samples", name);
    assert_true(file_make_folders(path_of(inside), &err));
    image made = noise(20, 20, 5);
    snprintf(inside, sizeof inside, "%s/samples/step-000002.png", name);
    assert_true(image_write_png(&made, path_of(inside), NULL));
    image_free(&made);
    snprintf(inside, sizeof inside, "%s/config.cfg", name);
    write_text(path_of(inside), name[0] == 'o' ? "steps = 2\nseed = 1\n" : "steps = 2\nseed = 2\n");
    snprintf(inside, sizeof inside, "%s/run.json", name);
    write_text(path_of(inside), "{\"kind\":\"toy\",\"device\":{\"name\":\"abacus\"}}");
    snprintf(inside, sizeof inside, "%s/metrics.jsonl", name);
    write_text(path_of(inside), "{\"step\":1,\"loss\":2}\n{\"step\":2,\"loss\":1}\n"
                                "{\"step\":2,\"kind\":\"eval\",\"loss\":1.5,\"code_usage\":[3,1]}\n");
    snprintf(inside, sizeof inside, "%s/times.jsonl", name);
    write_text(path_of(inside),
               "{\"step\":0,\"kind\":\"start\",\"format\":1}\n"
               "{\"step\":2,\"kind\":\"time\",\"steps\":2,\"seconds\":2,\"device\":1,\"data\":1}\n"
               "{\"step\":2,\"kind\":\"end\",\"why\":\"done\"}\n");
}

static int set_up(void **state)
{
    (void)state;
    base = room_create();
    write_run("one");
    write_run("two");
    return 0;
}

int main(int argc, char **argv)
{
    return run_walk(argc, argv, test_all, set_up);
}
