/* cmd_tune.c -- `dalle-cl tune`: times every way of doing each matrix product of a training step, and keeps
 * the fastest.
 * SPDX-License-Identifier: MIT */
#include "app/cli/stage.h"
#include "app/measure/tune.h"

#include "host/base/json_tree.h"
#include "host/base/log.h"

#include <stdlib.h>

static bool collect_products(const cli_call *call, device *d, tune_products *p, error *err)
{
    int64_t batch;
    workload *w = stage_open(call, d, &batch, err);
    bool ok = w && tune_collect(p, w, d, err);
    workload_destroy(w);
    if (cli_given(call, "most") && cli_int(call, "most") < p->count) p->count = (int)cli_int(call, "most");
    return ok;
}

typedef struct sums {
    int changed;
    double before, after; /* seconds of one of each product */
} sums;

static bool report(const cli_call *call, int number, int of, const gemm_desc *desc, const tune_result *r,
                   error *err)
{
    char shape[GEMM_SHAPE_SIZE];
    gemm_shape_text(desc, shape);
    const double ms = 1e3 * r->best_seconds, rules = 1e3 * r->rules_seconds;
    if (!cli_flag(call, "json")) {
        printf("%3d/%d  %s: %s, %.4g ms", number, of, shape, r->best, ms);
        if (r->changed) printf(", for %s, %.4g ms: %.2f times as fast", r->rules, rules, rules / ms);
        puts("");
        fflush(stdout);
        return true;
    }
    json_t *o = json_pack("{s:s, s:s, s:f, s:s, s:f}", "shape", shape, "way", r->best, "ms", ms, "rules",
                          r->rules, "rules_ms", rules);
    char *line = json_tree_text(o, JSON_COMPACT | JSON_REAL_PRECISION(6), "a choice as JSON", err);
    if (line) puts(line);
    free(line);
    return line != NULL;
}

static bool choose(const cli_call *call, device *d, const gemm_desc *desc, int number, int of, sums *s,
                   error *err)
{
    tune_result r;
    if (!tune_product(d, desc, cli_real(call, "seconds"), &r, err)) return false;
    if (r.ways < 2) return true;
    s->changed += r.changed;
    s->before += r.rules_seconds;
    s->after += r.best_seconds;
    return report(call, number, of, desc, &r, err) && gemm_choose(d, desc, r.changed ? r.best : NULL, err);
}

static bool tune(const cli_call *call, device *d, error *err)
{
    tune_products p = { .list = NULL };
    sums s = { 0 };
    int done = 0;
    char *path = NULL;
    /* Saved before, to know at once whether it can be. */
    bool ok = gemm_choices_save(d, &path, err) && collect_products(call, d, &p, err);
    free(path);
    path = NULL;
    if (ok)
        log_info("%d products on '%s', about %.0f s and the building of kernels", p.count,
                 device_get_info(d)->name, 1.2 * p.count * cli_real(call, "seconds"));
    cli_interrupt_asks("stopping after the product that is being measured; a second Ctrl-C ends at once");
    for (; ok && done < p.count && !*cli_interrupted(); ++done)
        ok = choose(call, d, &p.list[done], done + 1, p.count, &s, err);
    /* What was measured is kept also when something stopped the rest. */
    error unsaved = { 0 };
    const bool saved = done == 0 || gemm_choices_save(d, &path, ok ? err : &unsaved);
    if (saved && done > 0)
        log_info("%d of %d products in another way than by the rules: one of each in %.4g ms, %.4g before; "
                 "kept in %s",
                 s.changed, done, 1e3 * s.after, 1e3 * s.before, path);
    if (ok && saved && done < p.count)
        ok = error_set(err, ERROR_INTERRUPTED, "stopped after %d of %d products", done, p.count);
    free(path);
    free(p.list);
    return ok && saved;
}

static bool forget(device *d, error *err)
{
    char *path = NULL;
    gemm_choices_forget(d);
    bool ok = gemm_choices_save(d, &path, err);
    if (ok) log_info("no choices are kept for '%s' any more", device_get_info(d)->name);
    free(path);
    return ok;
}

static bool run_tune(const cli_call *call, error *err)
{
    if (!stage_kind(call, err)) return false;
    cli_catch_interrupts();
    cli_interrupt_ends("stopped; nothing was measured");
    device *d = device_open(cli_text(call, "device"), err);
    bool ok = d && (cli_flag(call, "forget") ? forget(d, err) : tune(call, d, err));
    device_close(d);
    return ok;
}

static const cli_option options[] = {
    { "seconds", 0, CLI_REAL, "S", "1", 0.001, 3600, "time for each product, all its ways together" },
    { "most", 0, CLI_INT, "N", NULL, 1, 100000, "only the N products with most arithmetic" },
    { "forget", 0, CLI_FLAG, NULL, NULL, 0, 0, "forget all choices made for the device" },
};

const cli_command cmd_tune = {
    .name = "tune",
    .summary = "measure which way of doing each matrix product is fastest on a device, and keep it",
    .least = 1,
    .most = 1,
    .example = "dalle-cl tune prior --preset emoji --side 8 --codes 256",
    .text = "Every product and convolution of a training step is done in each way that the program knows: "
            "Winograd's "
            "method, register tiles of several shapes, CLBlast. Where one is at least 5 % faster than what "
            "the built-in "
            "rules take, it is taken from then on, by every command, on that device with that driver.\n"
            "Those with most arithmetic come first; Ctrl-C keeps what was found. Nothing else should run "
            "meanwhile. Sums are then added in another order, so a run that was "
            "begun before "
            "does not go on bit for bit; resuming it says so. --forget returns to the rules.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_tune,
    .fill = stage_fill,
};
