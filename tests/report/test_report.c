/* test_report.c -- reading runs, also broken, older and growing ones, and the page, plots and lines made of
 * them.
 * SPDX-License-Identifier: MIT */
#include "app/report/page.h"
#include "app/report/watch.h"
#include "host/base/file.h"
#include "tests/train/scratch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static char base[256];

static const char *path_of(const char *run, const char *name)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/%s%s%s", base, run, *name ? "/" : "", name);
    return path;
}

static void put(const char *run, const char *name, const char *text)
{
    error err;
    if (!file_make_folders(path_of(run, "samples"), &err) ||
        !file_write(path_of(run, name), text, strlen(text), &err))
        fail_msg("%s", err.message);
}

static void add(const char *run, const char *name, const char *text)
{
    FILE *f = fopen(path_of(run, name), "a");
    assert_true(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* A folder's name must outlive the record. */
static record open_run(const char *folder)
{
    error err;
    record r;
    if (!record_open(&r, folder, &err)) fail_msg("%s", err.message);
    return r;
}

static char *page_of(const record *runs, int count, double megabytes)
{
    error err;
    plots p;
    size_t size;
    const page_options o = { megabytes, 8 };
    if (!plots_make(&p, runs, count, &err)) fail_msg("%s", err.message);
    char *text = page_make(runs, count, &p, &o, &size, &err);
    if (!text) fail_msg("%s", err.message);
    assert_int_equal(strlen(text), size);
    plots_free(&p);
    return text;
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("'%s' is not in the text", part);
}

static void lacks(const char *text, const char *part)
{
    if (strstr(text, part)) fail_msg("'%s' is in the text", part);
}

static const char times_start[] = "{\"step\":0,\"kind\":\"start\",\"format\":1,\"time\":\"2026-01-02T03:04:"
                                  "05Z\",\"host\":\"elsewhere\",\"pid\":1}\n";

static void put_whole(const char *run)
{
    put(run, "run.json",
        "{\"kind\":\"toy\",\"device\":{\"name\":\"abacus <2>\"},\"data\":{\"pictures\":\"beef\"}}");
    put(run, "config.cfg", "# the settings\nsteps = 40\nlearning_rate  = 0.5\nsplit = \n");
    put(run, "metrics.jsonl",
        "{\"step\":10,\"loss\":2.5,\"psnr\":null}\n{\"step\":20,\"loss\":1.5,\"psnr\":21,\"new\":[1,2]}\n"
        "{\"step\":20,\"kind\":\"eval\",\"error\":0.5,\"code_usage\":[3,0,1]}\n"
        "{\"step\":30,\"loss\":1.25,\"psnr\":22,\"skipped\":true}\n{\"step\":30,\"kind\":\"eval\",\"error\":"
        "0.75}\n");
    put(run, "times.jsonl", times_start);
    add(run, "times.jsonl",
        "{\"step\":20,\"kind\":\"time\",\"steps\":20,\"seconds\":4,\"device\":3,\"data\":1,\"steps_per_"
        "second\":5}\n"
        "{\"step\":30,\"kind\":\"time\",\"steps\":10,\"seconds\":1,\"device\":1,\"data\":0,\"skipped_"
        "pictures\":2}\n");
    put(run, "samples/step-000020.png", "a picture");
    put(run, "samples/step-000030.png", "another");
    put(run, "samples/other.png", "not ours");
}

static void whole(void **state)
{
    (void)state;
    char folder[600];
    put_whole("whole");
    strcpy(folder, path_of("whole", ""));
    record r = open_run(folder);
    double value, step;
    assert_string_equal(record_model(&r), "toy");
    assert_true(r.steps == 40 && r.step == 30 && r.skipped_steps == 1 && r.skipped_pictures == 2);
    assert_true(record_best(&r, &value, &step) && value == 0.5 && step == 20);
    const series *psnr = record_find(&r, RECORD_TRAIN, "psnr");
    assert_true(psnr && psnr->count == 3 && isnan(psnr->value[0]) && series_last(psnr) == 22);
    assert_true(r.part[TIMES_DATA] == 1 && record_seconds(&r) == 5 && r.usage_count == 1 &&
                r.usage[0].of[0] == 3);
    assert_true(r.sample_count == 2 && r.samples[1].step == 30 && r.metrics.broken == 0);
    assert_int_equal(r.state, RECORD_UNKNOWN); /* its process is another machine's */
    char *text = page_of(&r, 1, 10);
    has(text, "abacus &lt;2&gt;");
    has(text, "error 0.5 at 20");
    has(text, "waiting for data</td><td class=\"number\">0:01</td><td class=\"number\">20.00 %");
    has(text, "YSBwaWN0dXJl"); /* "a picture" */
    has(text, "aria-label=\"Loss\"");
    has(text, "class=\"usage\"");
    lacks(text, "cannot be read");
    lacks(text, "id=\"differences\"");
    free(text);
    record_close(&r);
}

static void growing(void **state)
{
    (void)state;
    char folder[600];
    error err;
    bool news;
    put_whole("growing");
    strcpy(folder, path_of("growing", ""));
    record r = open_run(folder);
    assert_true(record_update(&r, &news, &err) && !news);
    add("growing", "metrics.jsonl", "{\"step\":40,\"lo"); /* not yet a line */
    assert_true(record_update(&r, &news, &err) && !news && r.step == 30);
    add("growing", "metrics.jsonl", "ss\":1}\n");
    assert_true(record_update(&r, &news, &err) && news && r.step == 40);
    /* Resumed from step 20: the one file is cut, the other says so. */
    put("growing", "metrics.jsonl", "{\"step\":20,\"loss\":9}\n");
    add("growing", "times.jsonl", "{\"step\":20,\"kind\":\"start\",\"host\":\"elsewhere\",\"pid\":1}\n");
    assert_true(record_update(&r, &news, &err) && news && r.step == 20);
    assert_true(record_find(&r, RECORD_TRAIN, "loss")->count == 1 && r.lost == 1 && record_seconds(&r) == 4);
    add("growing", "times.jsonl", "{\"step\":20,\"kind\":\"end\",\"why\":\"minutes\"}\n");
    assert_true(record_update(&r, &news, &err) && news && r.state == RECORD_ENDED && r.processes == 2);
    record_close(&r);
}

static void processes(void **state)
{
    (void)state;
    char folder[600], line[300], host[80] = "";
    gethostname(host, sizeof host - 1);
    put_whole("process");
    strcpy(folder, path_of("process", ""));
    snprintf(line, sizeof line, "{\"step\":30,\"kind\":\"start\",\"host\":\"%s\",\"pid\":%d}\n", host,
             (int)getpid());
    add("process", "times.jsonl", line);
    record r = open_run(folder);
    assert_int_equal(r.state, RECORD_RUNNING);
    record_close(&r);
    snprintf(line, sizeof line, "{\"step\":30,\"kind\":\"start\",\"host\":\"%s\",\"pid\":%d}\n", host,
             0x3fffffff);
    add("process", "times.jsonl", line);
    r = open_run(folder);
    assert_int_equal(r.state, RECORD_INTERRUPTED);
    char *text = page_of(&r, 1, 10);
    has(text, "killed; --resume goes on");
    free(text);
    record_close(&r);
}

/* Whatever stands in a run's files is shown as it is, and damages nothing. */
static void hostile(void **state)
{
    (void)state;
    char folder[600];
    put("<b>&'\"", "run.json", "{\"kind\":\"</script><script>x\",\"data\":{\"data\":\"a\\u0001\\\"b\"}}");
    put("<b>&'\"", "config.cfg", "a<b = </td>\xff\n");
    put("<b>&'\"", "metrics.jsonl",
        "{\"step\":1,\"<i>\":1,\"../../x\":2}\n\nno "
        "JSON\n[1]\n{\"loss\":1}\n{\"step\":2,\"<i>\":1e300,\"x\":\"y\"}\n"
        "{\"step\":\"3\"}\n{\"step\":3,\"kind\":\"unheard of\",\"loss\":4}\n");
    strcpy(folder, path_of("<b>&'\"", ""));
    record r = open_run(folder);
    assert_true(r.metrics.lines == 8 && r.metrics.broken == 5 && r.metrics.first_broken == 2 && r.count == 2);
    char *text = page_of(&r, 1, 10);
    has(text, "metrics.jsonl:2: 5 of 8 lines cannot be read and are left out");
    has(text, "&lt;b&gt;&amp;&#39;&quot;");
    has(text, "&lt;/script&gt;&lt;script&gt;x");
    has(text, "&lt;/td&gt;?");
    has(text, "Not recorded: there is no times.jsonl");
    lacks(text, "<i>");
    lacks(text, "<b>");
    lacks(text, "</td>\xff");
    free(text);
    error err;
    plots p;
    char out[600];
    snprintf(out, sizeof out, "%s/hostile-plots/deeper", base);
    assert_true(plots_make(&p, &r, 1, &err));
    assert_int_equal(plots_write(&p, &r, 1, out, &err), 2);
    assert_true(file_exists(path_of("hostile-plots/deeper", "______x.png")));
    plots_free(&p);
    record_close(&r);
}

static void nearly_nothing(void **state)
{
    (void)state;
    char folder[600];
    error err;
    record r;
    assert_false(record_open(&r, path_of("absent", ""), &err));
    assert_int_equal(err.code, ERROR_USAGE);
    put("bare", "skipped.txt", "");
    strcpy(folder, path_of("bare", ""));
    assert_false(record_open(&r, folder, &err));
    has(err.message, "holds no run");
    put("empty", "run.json", "{");
    put("empty", "metrics.jsonl", "");
    strcpy(folder, path_of("empty", ""));
    r = open_run(folder);
    char *text = page_of(&r, 1, 10);
    has(text, "metrics.jsonl holds no figure");
    has(text, "run.json:1:");
    lacks(text, "Figures over steps");
    free(text);
    watch_line(stdout, &r);
    watch_frame(stdout, &r, &(watch_look){ 20, true });
    record_close(&r);
}

static void several(void **state)
{
    (void)state;
    char a[600], b[600];
    put_whole("first");
    put_whole("second");
    put("second", "config.cfg", "steps = 40\nlearning_rate = 0.25\nmore = 1\n");
    strcpy(a, path_of("first", ""));
    strcpy(b, path_of("second", ""));
    record runs[2] = { open_run(a), open_run(b) };
    char *text = page_of(runs, 2, 10), *table = strstr(text, "id=\"differences\"");
    assert_non_null(table);
    char *end = strstr(table, "</table>");
    *end = '\0';
    has(table, "<td>learning_rate</td><td class=\"long\">0.5</td><td class=\"long\">0.25</td>");
    has(table, "<td>more</td><td class=\"long\">(not set)</td><td class=\"long\">1</td>");
    lacks(table, "<td>steps</td>");
    free(text);
    text = page_of(runs, 2, 0.00001); /* no sample fits */
    has(text, "not even the last fits");
    lacks(text, "data:image");
    free(text);
    record_close(&runs[0]);
    record_close(&runs[1]);
}

/* A long run's page is no larger than a short one's, and what stands out of its curves is still there. */
static void long_run(void **state)
{
    (void)state;
    enum { LINES = 40000 };
    char folder[600];
    put("long", "run.json", "{\"kind\":\"toy\"}");
    put("long", "metrics.jsonl", "");
    FILE *f = fopen(path_of("long", "metrics.jsonl"), "w");
    assert_non_null(f);
    for (int i = 1; i <= LINES; ++i)
        fprintf(f, "{\"step\":%d,\"loss\":%.4f}\n", i, i == 12345 ? 50.0 : 1 + 1.0 / i);
    fclose(f);
    strcpy(folder, path_of("long", ""));
    record r = open_run(folder);
    assert_int_equal(record_find(&r, RECORD_TRAIN, "loss")->count, LINES);
    char *text = page_of(&r, 1, 10);
    assert_true(strlen(text) < 60000);
    free(text);
    record_close(&r);
    double x[1000], y[1000];
    for (int i = 0; i < 1000; ++i) {
        x[i] = i;
        y[i] = i == 500 ? 7 : i == 501 ? -7 : i % 3 ? 0 : NAN;
    }
    int64_t kept = chart_thin(x, y, 1000, 40);
    bool high = false, low = false;
    for (int64_t i = 0; i < kept; ++i) {
        high |= x[i] == 500 && y[i] == 7;
        low |= x[i] == 501 && y[i] == -7;
        assert_true(isfinite(y[i]) && (!i || x[i] > x[i - 1]));
    }
    assert_true(kept <= 40 && kept > 10 && high && low);
}

static void png(void **state)
{
    (void)state;
    char folder[600], out[600];
    error err;
    plots p;
    put_whole("png");
    strcpy(folder, path_of("png", ""));
    snprintf(out, sizeof out, "%s/plots", base);
    record r = open_run(folder);
    assert_true(plots_make(&p, &r, 1, &err));
    assert_int_equal(plots_write(&p, &r, 1, out, &err), 6); /* loss, psnr, error, speed, waited; usage */
    static const char *const names[] = {
        "loss", "psnr", "error", "steps_per_second", "waited", "code_usage"
    };
    for (size_t i = 0; i < 6; ++i) {
        char name[60];
        size_t size;
        snprintf(name, sizeof name, "%s.png", names[i]);
        char *bytes = file_read(path_of("plots", name), &size, &err);
        if (!bytes) fail_msg("%s", err.message);
        assert_true(size > 1000 &&
                    memcmp(bytes, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\3\x70", 20) == 0); /* 880 wide */
        free(bytes);
    }
    scratch_limit(200);
    int written = plots_write(&p, &r, 1, out, &err);
    scratch_limit(RLIM_INFINITY);
    assert_int_equal(written, -1);
    assert_int_equal(err.code, ERROR_IO);
    plots_free(&p);
    record_close(&r);
}

static char *watched(const record *r, const watch_look *look, int *lines)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    if (look)
        *lines = watch_frame(out, r, look);
    else
        watch_line(out, r);
    fclose(out);
    return text;
}

/* Columns of the longest line, of UTF-8 characters; and how many lines. */
static int widest(const char *text, int *lines)
{
    int most = 0, now = 0;
    for (*lines = 0; *text; ++text) {
        if (*text == '\n') ++*lines;
        now = *text == '\n' ? 0 : now + (((unsigned char)*text & 0xc0) != 0x80);
        if (now > most) most = now;
    }
    return most;
}

static void watching(void **state)
{
    (void)state;
    char folder[600];
    put_whole("watched");
    add("watched", "times.jsonl", "{\"step\":30,\"kind\":\"end\",\"why\":\"interrupted\"}\n");
    strcpy(folder, path_of("watched", ""));
    record r = open_run(folder);
    int lines = 0, counted;
    char *text = watched(&r, NULL, NULL);
    assert_string_equal(
        text, "step 30/40  loss 1.25  psnr 22  6.0 steps/s  waited for data 0%  (stopped and saved)\n");
    free(text);
    for (int width = 5; width < 120; width += 7)
        for (int utf8 = 0; utf8 < 2; ++utf8) {
            text = watched(&r, &(watch_look){ width, utf8 }, &lines);
            assert_true(widest(text, &counted) <= width && counted == lines && lines > 5);
            for (const char *c = text; !utf8 && *c; ++c) assert_true((unsigned char)*c < 0x80);
            free(text);
        }
    text = watched(&r, &(watch_look){ 100, true }, &lines);
    has(text, "█");
    has(text, "validation, last at step 30:");
    has(text, "step-000030.png");
    free(text);
    const double rising[] = { 1, 2, 3, 4, NAN };
    double steps[] = { 1, 2, 3, 4, 5 }, values[5];
    memcpy(values, rising, sizeof values);
    series s = { .count = 5, .step = steps, .value = values };
    char *curve = watch_curve(&s, 5, true), *flat = watch_curve(&s, 5, false);
    assert_string_equal(curve, "▁▃▆█ ");
    assert_string_equal(flat, "_-*@ ");
    free(curve);
    free(flat);
    record_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),          cmocka_unit_test(growing),
        cmocka_unit_test(processes),      cmocka_unit_test(hostile),
        cmocka_unit_test(nearly_nothing), cmocka_unit_test(several),
        cmocka_unit_test(long_run),       cmocka_unit_test(png),
        cmocka_unit_test(watching),
    };
    scratch_make(base);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(base);
    return failed;
}
