/* cmd_data_index.c -- `dalle-cl data index`: makes or checks the index of a large set of tars.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"

#include "data/dataset_build.h"
#include "data/dataset_paths.h"
#include "host/base/json_tree.h"

#include <stdlib.h>

static void print_people(const dataset_index *x, const build_report *r)
{
    int64_t samples = index_count(x);
    printf("index: %s\n", r->path);
    printf("samples: %lld in %lld tars\n", (long long)samples, (long long)index_shards(x));
    printf("bytes: %lld, %.1f a sample\n", (long long)index_bytes(x),
           (double)index_bytes(x) / (double)(samples ? samples : 1));
    printf("listed: %lld tars, the others were up to date\n", (long long)r->listed);
    printf("order: %s\n",
           build_is_large(x, BUILD_LIMITS) ? "tars, interleaved, and a window" : "a shuffle of the whole");
}

static bool print_json(const dataset_index *x, const build_report *r, error *err)
{
    json_t *o = json_pack("{s:o, s:I, s:I, s:I, s:I, s:b}", "index", json_tree_string(r->path), "samples",
                          (json_int_t)index_count(x), "tars", (json_int_t)index_shards(x), "bytes",
                          (json_int_t)index_bytes(x), "listed", (json_int_t)r->listed, "large",
                          (int)build_is_large(x, BUILD_LIMITS));
    if (!o) return error_set(err, ERROR_MEMORY, "out of memory for a description of the index");
    char *text = json_tree_text(o, JSON_INDENT(2), "a description of the index", err);
    if (text) puts(text);
    free(text);
    return text != NULL;
}

static bool make_index(const cli_call *call, const char *const *paths, int count, error *err)
{
    build_report report;
    if (!build_can(paths, count))
        return error_set(err, ERROR_USAGE, "an index is of tars that are there: folders and lists have none");
    dataset_index *x = build_open(paths, count, &report, err);
    bool ok = x && (!cli_flag(call, "json") || print_json(x, &report, err));
    if (ok && !cli_flag(call, "json")) print_people(x, &report);
    index_close(x);
    return ok;
}

static bool run_index(const cli_call *call, error *err)
{
    int count = cli_argument_count(call);
    const char **given = malloc((size_t)count * sizeof *given);
    if (!given) return error_set(err, ERROR_MEMORY, "out of memory for %d paths", count);
    for (int i = 0; i < count; ++i) given[i] = cli_argument(call, i);
    dataset_paths p;
    bool ok = dataset_paths_expand(given, count, &p, err);
    free(given);
    if (!ok) return false;
    ok = make_index(call, (const char *const *)p.path, p.count, err);
    dataset_paths_free(&p);
    return ok;
}

const cli_command cmd_data_index = {
    .name = "data index",
    .summary = "make the index of a set of tars, or check it, and say what it holds",
    .arguments = "TAR...",
    .least = 1,
    .most = -1,
    .example = "dalle-cl data index shards/*.tar",
    .text =
        "A set of more than 100,000 pictures, or of more than 64 MiB of texts and compressed pictures, has\n"
        "an index, which training makes by itself when it opens the set; this makes it beforehand.  It is\n"
        "kept beside the first tar or in the cache folder, and tars that changed are listed again.",
    .run = run_index,
};
