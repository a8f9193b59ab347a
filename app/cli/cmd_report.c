/* cmd_report.c -- `dalle-cl report`: runs as one HTML page, or as plots.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"

#include "app/cli/output.h"
#include "app/report/page.h"
#include "host/base/json_tree.h"

#include <stdlib.h>
#include <string.h>

/* What is read of the runs; `opened` of them are to be closed. */
typedef struct reading {
    record *runs;
    int count, opened;
    plots plots;
} reading;

static void close_all(reading *r)
{
    plots_free(&r->plots);
    for (int i = 0; i < r->opened; ++i) record_close(&r->runs[i]);
    free(r->runs);
}

static bool open_all(const cli_call *call, reading *r, error *err)
{
    *r = (reading){ .count = cli_argument_count(call) };
    r->runs = calloc((size_t)r->count, sizeof *r->runs);
    if (!r->runs) return error_set(err, ERROR_MEMORY, "out of memory for %d runs", r->count);
    for (int i = 0; i < r->count; ++i) {
        if (!record_open(&r->runs[i], cli_argument(call, i), err)) return false;
        ++r->opened;
    }
    return plots_make(&r->plots, r->runs, r->count, err);
}

static bool write_page(const cli_call *call, const reading *r, const char *path, size_t *size, error *err)
{
    const page_options o = { .megabytes = cli_real(call, "megabytes"), .grids = (int)cli_int(call, "grids") };
    char *text = page_make(r->runs, r->count, &r->plots, &o, size, err);
    bool ok = text && output_write(path, text, *size, err);
    free(text);
    return ok;
}

static bool say(const cli_call *call, const char *page, size_t size, const char *folder, int written,
                error *err)
{
    if (!cli_flag(call, "json")) {
        FILE *talk = page ? output_talk(page) : stdout;
        if (page) fprintf(talk, "wrote %s, %.2f MB\n", output_name(page), (double)size * 1e-6);
        if (folder) fprintf(talk, "wrote %d plots into %s\n", written, folder);
        return true;
    }
    json_t *all = json_object();
    if (page) json_tree_put(&all, "page", json_tree_string(page));
    if (page) json_tree_put(&all, "bytes", json_integer((json_int_t)size));
    if (folder) json_tree_put(&all, "folder", json_tree_string(folder));
    if (folder) json_tree_put(&all, "plots", json_integer(written));
    char *text = json_tree_text(all, JSON_COMPACT, "what was written", err);
    if (text) puts(text);
    free(text);
    return text != NULL;
}

static bool run_report(const cli_call *call, error *err)
{
    const char *folder = cli_text(call, "png"),
               *page = folder && !cli_given(call, "output") ? NULL : cli_text(call, "output");
    reading r;
    size_t size = 0;
    int written = 0;
    bool ok = open_all(call, &r, err) && (!page || write_page(call, &r, page, &size, err)) &&
              (!folder || (written = plots_write(&r.plots, r.runs, r.count, folder, err)) >= 0) &&
              say(call, page, size, folder, written, err);
    close_all(&r);
    return ok;
}

/* clang-format off */
static const cli_option options[] = {
    { "output", 'o', CLI_PAGE, "FILE", "report.html", 0, 0, "the page" },
    { "png", 0, CLI_FOLDER, "FOLDER", NULL, 0, 0, "write each plot as a PNG into this folder; without -o instead of the page" },
    { "grids", 0, CLI_INT, "N", "8", 0, 1000, "sample grids of each run, evenly spread, the first and the last among them" },
    { "megabytes", 0, CLI_REAL, "N", "12", 0, 2000, "sample grids take no more of the page; fewer are shown then" },
};
/* clang-format on */

const cli_command cmd_report = {
    .name = "report",
    .summary = "show runs as one HTML page, or as plots",
    .arguments = "RUN...",
    .least = 1,
    .most = -1,
    .example = "dalle-cl report runs/dvae -o report.html\n"
               "dalle-cl report runs/first runs/second --png plots",
    .text =
        "The page needs nothing besides itself: curves of every figure, several runs over one another, "
        "sample\n"
        "grids through time, how the codebook is used, where the time went, how settings differ, and from\n"
        "which data, program and device the runs came. A run that is still going on is shown as far as it "
        "is.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .run = run_report,
};
