/* cmd_data_check.c -- `dalle-cl data check`: everything that a set holds is read, and what is bad is named.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "app/cli/print.h"
#include "app/cli/sets.h"

#include "data/check.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"

#include <stdlib.h>
#include <string.h>

static void tell(void *context, int64_t done, int64_t all, int64_t members, int64_t bad)
{
    char more[40] = "";
    if (bad) snprintf(more, sizeof more, ", %lld bad", (long long)bad);
    sets_meter_show(context, members, done, all, more);
}

/* ---- By reason ---- */

typedef struct reason {
    const char *kind, *text, *first; /* of which member it is first */
    int64_t count;
} reason;

static int by_reason(const void *a, const void *b)
{
    const check_finding *l = *(const check_finding *const *)a, *r = *(const check_finding *const *)b;
    int order = strcmp(l->kind, r->kind);
    if (!order) order = strcmp(l->reason, r->reason);
    return order ? order : (l > r) - (l < r);
}

static int by_count(const void *a, const void *b)
{
    const reason *l = a, *r = b;
    if (l->count != r->count) return l->count > r->count ? -1 : 1;
    int order = strcmp(l->kind, r->kind);
    return order ? order : strcmp(l->text, r->text);
}

/* Frequent ones first; to be freed. */
static reason *list_reasons(const check_report *r, int64_t *count, error *err)
{
    const check_finding **sorted = malloc((size_t)(r->count + 1) * sizeof *sorted);
    reason *list = calloc((size_t)r->count + 1, sizeof *list);
    *count = 0;
    if (!sorted || !list) {
        free(sorted);
        free(list);
        return error_null(err, ERROR_MEMORY, "out of memory for %lld findings", (long long)r->count);
    }
    for (int64_t i = 0; i < r->count; ++i) sorted[i] = &r->findings[i];
    if (r->count) qsort(sorted, (size_t)r->count, sizeof *sorted, by_reason);
    for (int64_t i = 0; i < r->count; ++i) {
        const check_finding *f = sorted[i];
        reason *last = *count ? &list[*count - 1] : NULL;
        if (!last || strcmp(last->kind, f->kind) != 0 || strcmp(last->text, f->reason) != 0)
            *(last = &list[(*count)++]) =
                (reason){ .kind = f->kind, .text = f->reason, .first = *f->member ? f->member : f->source };
        ++last->count;
    }
    free(sorted);
    if (*count) qsort(list, (size_t)*count, sizeof *list, by_count);
    return list;
}

/* ---- For people ---- */

static void print_findings(const check_report *r)
{
    for (int64_t i = 0; i < r->count; ++i) {
        const check_finding *f = &r->findings[i];
        print_line(stdout, "%s%s%s: %s", f->source, *f->member ? ": " : "", f->member, f->problem);
    }
}

static bool print_summary(const check_report *r, error *err)
{
    int64_t count;
    char bytes[32];
    reason *list = list_reasons(r, &count, err);
    if (!list) return false;
    sets_bytes(r->bytes, bytes);
    if (r->count) putchar('\n');
    printf("%lld pictures, %lld captions' files, %lld descriptions, %s read: %lld bad\n",
           (long long)r->pictures, (long long)r->captions, (long long)r->descriptions, bytes,
           (long long)r->count);
    for (int64_t i = 0; i < count; ++i) {
        print_line(stdout, "%7lld  %s: %s (%s%s)", (long long)list[i].count, list[i].kind, list[i].text,
                   list[i].count > 1 ? "first: " : "", list[i].first);
    }
    free(list);
    if (r->samples)
        printf("the set has %lld samples, %lld of them without a caption; %lld files belong to none\n",
               (long long)r->samples, (long long)r->uncaptioned, (long long)r->left_out);
    return true;
}

/* ---- For programs ---- */

static bool print_lines(const check_report *r, error *err)
{
    for (int64_t i = 0; i < r->count; ++i) {
        const check_finding *f = &r->findings[i];
        json_t *o = json_object();
        json_tree_put(&o, "source", json_tree_string(f->source));
        json_tree_put(&o, "member", json_tree_string(f->member));
        json_tree_put(&o, "kind", json_tree_string(f->kind));
        json_tree_put(&o, "reason", json_tree_string(f->reason));
        json_tree_put(&o, "problem", json_tree_string(f->problem));
        if (!sets_print(o, JSON_COMPACT, err)) return false;
    }
    return true;
}

static bool print_json(const check_report *r, error *err)
{
    int64_t count;
    if (!print_lines(r, err)) return false;
    reason *list = list_reasons(r, &count, err);
    json_t *reasons = json_array();
    if (!list) return json_decref(reasons), false;
    for (int64_t i = 0; i < count; ++i) {
        json_t *o = json_object();
        json_tree_put(&o, "kind", json_tree_string(list[i].kind));
        json_tree_put(&o, "reason", json_tree_string(list[i].text));
        json_tree_put(&o, "count", json_integer(list[i].count));
        json_tree_add(&reasons, o);
    }
    free(list);
    json_t *o = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "pictures", (json_int_t)r->pictures, "captions",
        (json_int_t)r->captions, "descriptions", (json_int_t)r->descriptions, "bytes", (json_int_t)r->bytes,
        "bad", (json_int_t)r->count, "samples", (json_int_t)r->samples, "uncaptioned",
        (json_int_t)r->uncaptioned, "left_out", (json_int_t)r->left_out, "reasons", reasons);
    return sets_print(o, JSON_COMPACT, err);
}

static bool print_report(const cli_call *call, const check_report *r, error *err)
{
    if (cli_flag(call, "json")) return print_json(r, err);
    if (!cli_flag(call, "quiet")) print_findings(r);
    return print_summary(r, err);
}

static bool run_check(const cli_call *call, error *err)
{
    sets_meter meter = sets_meter_start("check", "files");
    const check_options o = { (int)cli_int(call, "threads"), cli_interrupted(), tell, &meter };
    const char **paths = sets_paths(call, err);
    if (!paths) return false;
    dataset_paths expanded;
    bool named = dataset_paths_expand(paths, cli_argument_count(call), &expanded, err);
    free(paths);
    if (!named) return false;
    cli_catch_interrupts();
    check_report r;
    bool ok = check_run((const char *const *)expanded.path, expanded.count, &o, &r, err);
    log_progress(NULL);
    bool partly = !ok && err->code == ERROR_INTERRUPTED && r.findings;
    error printing = { .code = ERROR_NONE };
    if ((ok || partly) && !print_report(call, &r, &printing)) *err = printing, ok = false;
    if (ok && r.count)
        ok = error_set(err, ERROR_FORMAT,
                       "%lld bad; %lld files of pictures, captions and descriptions were read",
                       (long long)r.count, (long long)(r.pictures + r.captions + r.descriptions));
    check_report_free(&r);
    dataset_paths_free(&expanded);
    return ok;
}

static const cli_option options[] = {
    { "threads", 0, CLI_INT, "N", "0", 0, 64, "threads that decode; 0 = one for each processor, at most 8" },
};

const cli_command cmd_data_check = {
    .name = "data check",
    .summary = "read everything that a set holds, and name what is bad, with its reason",
    .arguments = SETS_ARGUMENTS,
    .least = 1,
    .most = -1,
    .example = "dalle-cl data check photos.tar",
    .text =
        "Every picture is decoded, every caption and description read, whatever else is damaged: behind an\n"
        "overwritten header in a tar the next one is looked for. A line for each that is bad (--quiet: "
        "none),\n"
        "then how many there are for each reason; --json: an object a line, the last one the sums. The exit\n"
        "status is 0 when all is good, 1 when something is bad." SETS_TEXT,
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_check,
};
