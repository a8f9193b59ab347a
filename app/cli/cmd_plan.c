/* cmd_plan.c -- `dalle-cl plan`: what a training step needs in memory and arithmetic, on paper.
 * SPDX-License-Identifier: MIT */
#include "app/cli/output.h"
#include "app/cli/plan.h"
#include "app/cli/print.h"

#include "host/base/json_tree.h"

#include <math.h>
#include <stdlib.h>

typedef struct plan {
    const model_kind *kind;
    const char *preset;
    int64_t batch;
    workload_size size;
    int64_t total_bytes;
    double gflops; /* of the device's multiply-adds */
} plan;

static double gib(int64_t bytes)
{
    return (double)bytes / (double)(1 << 30);
}

static bool measure(const cli_call *call, device *d, plan *p, error *err)
{
    workload *w = stage_open(call, d, &p->batch, err);
    bool ok = w && workload_plan(w, &p->size, err);
    const workload_size *s = &p->size;
    p->total_bytes = workload_bytes(s);
    workload_destroy(w);
    return ok;
}

/* ---- Showing ---- */

static bool print_too_large(const cli_call *call, device *d, double memory, error *err)
{
    error advice = { ERROR_MEMORY, "" };
    const int64_t bytes = room_without_reserve((int64_t)(memory * (double)(1 << 30)));
    if (!stage_room(call, d, bytes, &advice, err)) return false;
    printf("does not fit its %.4g GiB%s\n", memory, advice.message);
    return true;
}

/* A device of which is said whether the step fits; memory in GiB, INFINITY where it is not told. */
typedef struct shown {
    const char *name;
    double gflops, memory, largest;
} shown;

/* A training leaves some of a device's memory free. */
static bool has_room(const plan *p, double memory)
{
    return !isfinite(memory) || p->total_bytes <= room_without_reserve((int64_t)(memory * (double)(1 << 30)));
}

static bool print_device(const cli_call *call, device *d, const plan *p, const shown *s, error *err)
{
    char time[32] = "?";
    printf("%s: ", s->name);
    if (s->gflops > 0) {
        plan_duration(p->size.flops / (1e9 * s->gflops), time);
        printf("at least %s a step (%.0f GFLOP/s of multiply-adds); ", time, s->gflops);
    }
    if (!has_room(p, s->memory)) return print_too_large(call, d, s->memory, err);
    if (s->largest < gib(p->size.largest_bytes))
        printf("fits its %.4g GiB, but one tensor is larger than its largest buffer, %.4g GiB\n", s->memory,
               s->largest);
    else
        printf("fits its %.4g GiB\n", s->memory);
    return true;
}

static void print_plan(const plan *p)
{
    const workload_size *s = &p->size;
    char parameters[32];
    cli_grouped(s->parameters, parameters);
    char parts[48] = "";
    if (s->parts > 1) snprintf(parts, sizeof parts, " in %lld parts", (long long)s->parts);
    print_line(stdout, "a training step of the %s '%s', batch %lld%s: %s parameters", p->kind->title,
               p->preset, (long long)p->batch, parts, parameters);
    printf("%12.3f GiB  parameters\n%12.3f GiB  moments of AdamW\n", gib(s->parameter_bytes),
           gib(s->moment_bytes));
    if (s->ema_bytes) printf("%12.3f GiB  averaged parameters\n", gib(s->ema_bytes));
    if (s->error_bytes) printf("%12.3f GiB  what is kept of compressed gradients\n", gib(s->error_bytes));
    if (s->state_bytes) printf("%12.3f GiB  other state\n", gib(s->state_bytes));
    if (s->sum_bytes) printf("%12.3f GiB  gradients added up over the parts\n", gib(s->sum_bytes));
    printf("%12.3f GiB  inputs\n%12.3f GiB  gradients, activations, scratch\n%12.3f GiB  of these the "
           "largest tensor, of %s\n",
           gib(s->input_bytes), gib(s->work_bytes), gib(s->largest_bytes), s->largest_name);
    printf("%12.3f GiB  in all\n", gib(p->total_bytes));
    printf("%12.4g FLOP, two a multiply-add of the products; %.4g a picture\n", s->flops,
           s->flops / (double)p->batch);
    if (s->compressed.matrices)
        printf("%12.4g numbers that a rank sends of %d compressed gradients instead of %.4g: %.1f %% less\n",
               (double)s->compressed.sent, s->compressed.matrices, (double)s->compressed.whole,
               100 - 100 * (double)s->compressed.sent / (double)s->compressed.whole);
}

static bool print_json(const plan *p, const device_info *d, error *err)
{
    const workload_size *s = &p->size;
    json_t *o = json_pack(
        "{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:f, s:o, "
        "s:f, s:f, s:I, s:I}",
        "model", p->kind->name, "preset", json_tree_string(p->preset), "batch", (json_int_t)p->batch,
        "accumulate", (json_int_t)s->parts, "sum_bytes", (json_int_t)s->sum_bytes, "parameters",
        (json_int_t)s->parameters, "parameter_bytes", (json_int_t)s->parameter_bytes, "moment_bytes",
        (json_int_t)s->moment_bytes, "average_bytes", (json_int_t)s->ema_bytes, "state_bytes",
        (json_int_t)s->state_bytes, "input_bytes", (json_int_t)s->input_bytes, "work_bytes",
        (json_int_t)s->work_bytes, "largest_bytes", (json_int_t)s->largest_bytes, "largest", s->largest_name,
        "total_bytes", (json_int_t)p->total_bytes, "flops", s->flops, "device", json_tree_string(d->name),
        "device_gflops", d->probe_gflops, "least_seconds",
        d->probe_gflops > 0 ? s->flops / (1e9 * d->probe_gflops) : 0.0, "device_memory_bytes",
        (json_int_t)d->memory_bytes, "device_buffer_bytes", (json_int_t)d->max_buffer_bytes);
    char *line = json_tree_text(o, JSON_COMPACT, "a plan as JSON", err);
    if (line) puts(line);
    free(line);
    return line != NULL;
}

static bool plan_alone(const cli_call *call, device *d, plan *p, error *err)
{
    bool ok = measure(call, d, p, err);
    /* The remembered rate may be from a busy moment, and so may this one. */
    if (ok) ok = (p->gflops = device_measure_rate(d, err)) > 0;
    if (ok) p->gflops = fmax(p->gflops, device_get_info(d)->probe_gflops);
    if (!ok) return false;
    if (cli_flag(call, "json")) return print_json(p, device_get_info(d), err);
    const device_info *info = device_get_info(d);
    print_plan(p);
    const bool memory = cli_given(call, "memory"), gflops = cli_given(call, "gflops");
    const shown here = { info->name, p->gflops, gib(info->memory_bytes), gib(info->max_buffer_bytes) },
                as_given = { "a device as given", gflops ? cli_real(call, "gflops") : 0,
                             memory ? cli_real(call, "memory") : (double)INFINITY, (double)INFINITY };
    return print_device(call, d, p, &here, err) &&
           ((!memory && !gflops) || print_device(call, d, p, &as_given, err));
}

/* ---- Many ranks ---- */

/* Of the device as given, or else this one. */
static bool fill_links(const cli_call *call, device *d, plan_job *p, error *err)
{
    double gflops = cli_given(call, "gflops") ? cli_real(call, "gflops") : device_measure_rate(d, err);
    p->links = (scale_links){ .flops = 1e9 * gflops,
                              .inside = 1e9 * cli_real(call, "inside"),
                              .between = 1e9 * cli_real(call, "link"),
                              .latency = 1e-6 * cli_real(call, "latency") };
    p->memory = cli_given(call, "memory") ? cli_real(call, "memory") : gib(device_get_info(d)->memory_bytes);
    return gflops > 0;
}

static bool show_job(const cli_call *call, const plan_job *p, error *err)
{
    const char *plot = cli_text(call, "plot");
    if (plot && !plan_job_plot(p, plot, err)) return false;
    if (!cli_flag(call, "json")) {
        plan_job_print(p);
        return true;
    }
    char *text = json_tree_text(plan_job_json(p), JSON_COMPACT, "a plan as JSON", err);
    if (text) puts(text);
    free(text);
    return text != NULL;
}

static bool plan_together(const cli_call *call, device *d, plan_job *p, error *err)
{
    workload *w =
        scale_check(&p->step, &p->job, err) ? stage_open_job(call, d, &p->batch, &p->job, err) : NULL;
    bool ok = w && workload_scale(w, &p->size, &p->step, err) && scale_check(&p->step, &p->job, err) &&
              fill_links(call, d, p, err) && show_job(call, p, err);
    workload_scale_free(&p->step);
    workload_destroy(w);
    return ok;
}

static bool run_plan(const cli_call *call, error *err)
{
    const model_kind *k = stage_kind(call, err);
    if (!k) return false;
    plan p = { .kind = k, .preset = cli_text(call, "preset") };
    plan_job job = { .kind = k,
                     .preset = p.preset,
                     .job = { .ranks = cli_int(call, "ranks"), .shards = cli_int(call, "shards") } };
    bool together = job.job.ranks > 1 || job.job.shards > 1;
    const char *plot = cli_text(call, "plot");
    if (plot && !together)
        return error_set(err, ERROR_USAGE, "plan: --plot shows a step of many ranks; use --ranks, too");
    if (plot && output_is_stdout(plot))
        return error_set(err, ERROR_USAGE, "plan: --plot %s: a plot goes into a file; use a name", plot);
    device *d = device_open(cli_text(call, "device"), err);
    bool ok = d && (together ? plan_together(call, d, &job, err) : plan_alone(call, d, &p, err));
    device_close(d);
    return ok;
}

static const cli_option options[] = {
    { "gflops", 0, CLI_REAL, "G", NULL, 0.001, 1e9, "also for a device that multiplies and adds so fast" },
    { "memory", 0, CLI_REAL, "GIB", NULL, 0.001, 1e9, "also for a device with so much memory" },
    { "ranks", 0, CLI_INT, "N", "1", 1, 65536, "processes, each with a device, that share the batch" },
    { "shards", 0, CLI_INT, "N", "1", 1, 65536,
      "ranks of a group that holds the model once, split among them" },
    { "link", 0, CLI_REAL, "GB/S", "12.5", 1e-6, 1e6,
      "what a group of ranks sends to others, 10^9 bytes a second" },
    { "inside", 0, CLI_REAL, "GB/S", "12", 1e-6, 1e6, "what a rank sends inside its group" },
    { "latency", 0, CLI_REAL, "US", "10", 0, 1e9, "microseconds that a message takes, however short" },
    { "plot", 0, CLI_PICTURE, "FILE", NULL, 0, 0, "of --ranks: PNG of time a step against link speed" },
};

const cli_command cmd_plan = {
    .name = "plan",
    .summary = "say what training needs in memory, arithmetic and time, without allocating it",
    .least = 1,
    .most = 1,
    .example =
        "dalle-cl plan prior --preset paper --set batch=1 --gflops 60000 --memory 141\n"
        "dalle-cl plan prior --ranks 1024 --shards 8 --set compress=powersgd --set rank=112 --memory 16",
    .text =
        "The graph of a training step is built and its memory laid out as training would, for the device "
        "that "
        "is chosen, but nothing is allocated there.\n"
        "Times are the products' operations over the device's measured rate of multiply-adds: no step is "
        "faster, "
        "most are slower.\n"
        "With --ranks it says what each of them holds, computes and sends, how long a step is for some "
        "links, "
        "and what more or fewer ranks would do; --gflops, --memory, --link, --inside and --latency are then "
        "those of the ranks. docs/scale.md has the formulas.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_plan,
    .fill = stage_fill,
};
