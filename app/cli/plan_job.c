/* plan_job.c -- see plan.h: tables for people, and JSON.
 * SPDX-License-Identifier: MIT */
#include "app/cli/plan.h"

#include "app/cli/print.h"
#include "host/base/json_tree.h"

#include <math.h>
#include <string.h>

enum { RANKS_MOST = 4096 };

static const struct {
    const char *name;
    double gigabytes; /* a second, in each direction */
} links[] = {
    { "1 Gbit/s", 0.125 },  { "10 Gbit/s", 1.25 }, { "25 Gbit/s", 3.125 },
    { "100 Gbit/s", 12.5 }, { "200 Gbit/s", 25 },  { "400 Gbit/s", 50 },
};
enum { LINKS = sizeof links / sizeof *links };

scale_job plan_job_with(const plan_job *p, int64_t ranks)
{
    const int64_t all = p->job.ranks * p->job.parts;
    scale_job j = p->job;
    j.ranks = ranks;
    j.shards = p->job.shards < ranks ? p->job.shards : ranks;
    j.parts = (all + ranks - 1) / ranks;
    return j;
}

double plan_job_seconds(const plan_job *p, const scale_job *j, double between)
{
    scale_links l = p->links;
    l.between = between;
    return scale_time_of(&p->step, j, &l).hidden;
}

double plan_job_pictures(const plan_job *p, const scale_job *j)
{
    return (double)p->batch / (double)(p->job.ranks * p->job.parts) * (double)(j->ranks * j->parts);
}

/* Of as many times what one group does alone; one group of the same size. */
static double efficiency(const plan_job *p, const scale_job *j, double between)
{
    const scale_job alone = plan_job_with(p, j->shards);
    return plan_job_pictures(p, j) / plan_job_seconds(p, j, between) /
           (plan_job_pictures(p, &alone) / plan_job_seconds(p, &alone, between)) *
           ((double)alone.ranks / (double)j->ranks);
}

/* ---- For people ---- */

void plan_duration(double seconds, char text[32])
{
    if (seconds < 1)
        snprintf(text, 32, "%.3g ms", 1e3 * seconds);
    else if (seconds < 600)
        snprintf(text, 32, "%.3g s", seconds);
    else
        snprintf(text, 32, "%.3g h", seconds / 3600);
}

static double gib(double bytes)
{
    return bytes / (double)(1 << 30);
}

/* "     2.920 GiB", or a smaller unit. */
static void amount(double bytes, char text[32])
{
    static const char *const units[] = { "GiB", "MiB", "KiB" };
    double size = gib(bytes);
    int unit = 0;
    while (unit < 2 && size < 0.1) {
        size *= 1024;
        ++unit;
    }
    snprintf(text, 32, "%12.3f %s", size, units[unit]);
}

static void line(double bytes, const char *what)
{
    char text[32];
    amount(bytes, text);
    if (bytes > 0) printf("%s  %s\n", text, what);
}

static void print_memory(const plan_job *p)
{
    const scale_memory m = scale_memory_of(&p->step, &p->job);
    puts("each rank holds");
    line((double)m.parameters, "parameters");
    line((double)m.moments, "moments of AdamW");
    line((double)m.averages, "averaged parameters");
    line((double)m.gradients, "gradients");
    line((double)m.errors, "errors of compressed gradients");
    line((double)m.thin, "what gradients are compressed by");
    line((double)m.state, "other state");
    line((double)m.gathered, "gathered: the block at work and the next one, whole");
    line((double)m.inputs, "inputs");
    line((double)m.work, "activations, scratch");
    char total[32];
    amount((double)m.total, total);
    printf("%s  in all, which %s %.4g GiB\n", total,
           gib((double)m.total) <= p->memory ? "fits" : "does not fit", p->memory);
}

static void print_traffic(const plan_job *p)
{
    const scale_traffic t = scale_traffic_of(&p->step, &p->job);
    char time[32];
    const double flops = scale_flops(&p->step, &p->job);
    plan_duration(flops / p->links.flops, time);
    printf(
        "each rank computes in a step\n%12.4g FLOP, at least %s at %.0f GFLOP/s\neach rank sends in a step\n",
        flops, time, 1e-9 * p->links.flops);
    line(t.gathered, "parameters to its group, gathered twice a part");
    line(t.scattered, "gradients to its group");
    if (p->job.ranks == p->job.shards) return;
    char summed[32], whole[32];
    amount(t.summed, summed);
    amount(t.whole, whole);
    printf("%s  to other %s", summed, p->job.shards > 1 ? "groups" : "ranks");
    if (p->job.rank)
        printf(", instead of %s: %.1f %% of the compressed matrices' numbers are not sent",
               whole + strspn(whole, " "), 100 * scale_saved(&p->step, &p->job));
    printf("\n%12.0f      messages, one after the other, of these sums\n", t.messages);
}

static void print_link(const plan_job *p, const char *name, double gigabytes)
{
    scale_links l = p->links;
    char sums[32], hidden[32], after[32];
    l.between = 1e9 * gigabytes;
    const scale_time t = scale_time_of(&p->step, &p->job, &l);
    plan_duration(t.sums, sums);
    plan_duration(t.hidden, hidden);
    plan_duration(t.after, after);
    printf("%12s  %9.3f GB/s %12s %12s* %12s\n", name, gigabytes, sums, hidden, after);
}

static bool is_listed(double gigabytes)
{
    for (int i = 0; i < LINKS; ++i)
        if (fabs(links[i].gigabytes - gigabytes) < 1e-9) return true;
    return false;
}

static void print_links(const plan_job *p)
{
    const double least = scale_link_least(&p->step, &p->job, &p->links);
    char backward[32];
    plan_duration(scale_time_of(&p->step, &p->job, &p->links).backward, backward);
    printf("%12s  %14s %12s %13s %13s\n", "link", "", "sums", "during it", "after it");
    if (!is_listed(1e-9 * p->links.between)) print_link(p, "as given", 1e-9 * p->links.between);
    for (int i = 0; i < LINKS; ++i) print_link(p, links[i].name, links[i].gigabytes);
    printf("a step with sums during or after the backward pass; * as this program does\n");
    if (isfinite(least))
        printf("from %.3g GB/s on sums take no longer than a part's backward pass, %s\n", 1e-9 * least,
               backward);
    else
        printf(
            "over no link sums take less than a part's backward pass, %s: their messages alone take longer\n",
            backward);
}

static void print_ranks(const plan_job *p)
{
    printf("%12s  %8s %8s %10s %12s %12s %10s\n", "ranks", "groups", "parts", "batch", "step", "pictures/s",
           "of linear");
    for (int64_t ranks = 1; ranks <= RANKS_MOST; ranks *= 2) {
        const scale_job j = plan_job_with(p, ranks);
        const double seconds = plan_job_seconds(p, &j, p->links.between);
        char time[32];
        plan_duration(seconds, time);
        printf("%12lld  %8lld %8lld %10.0f %12s %12.4g %8.1f %%\n", (long long)ranks,
               (long long)(ranks / j.shards), (long long)j.parts, plan_job_pictures(p, &j), time,
               plan_job_pictures(p, &j) / seconds, 100 * efficiency(p, &j, p->links.between));
    }
    printf("over links of %.3g GB/s\n", 1e-9 * p->links.between);
}

void plan_job_print(const plan_job *p)
{
    char parameters[32], groups[64] = "";
    cli_grouped(p->size.parameters, parameters);
    if (p->job.shards > 1)
        snprintf(groups, sizeof groups, ", %lld x %lld shards", (long long)(p->job.ranks / p->job.shards),
                 (long long)p->job.shards);
    print_line(
        stdout,
        "a training step of the %s '%s', batch %lld on %lld ranks%s, %lld part%s a rank: %s parameters",
        p->kind->title, p->preset, (long long)p->batch, (long long)p->job.ranks, groups,
        (long long)p->job.parts, p->job.parts == 1 ? "" : "s", parameters);
    print_memory(p);
    print_traffic(p);
    if (p->job.ranks > p->job.shards) print_links(p);
    print_ranks(p);
}

/* ---- JSON ---- */

static json_t *memory_json(const scale_memory *m)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "parameter_bytes",
                     (json_int_t)m->parameters, "moment_bytes", (json_int_t)m->moments, "average_bytes",
                     (json_int_t)m->averages, "gradient_bytes", (json_int_t)m->gradients, "error_bytes",
                     (json_int_t)m->errors, "thin_bytes", (json_int_t)m->thin, "state_bytes",
                     (json_int_t)m->state, "gathered_bytes", (json_int_t)m->gathered, "input_bytes",
                     (json_int_t)m->inputs, "work_bytes", (json_int_t)m->work, "total_bytes",
                     (json_int_t)m->total);
}

static json_t *traffic_json(const scale_traffic *t, double saved)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "gathered_bytes", t->gathered, "scattered_bytes",
                     t->scattered, "summed_bytes", t->summed, "uncompressed_bytes", t->whole, "messages",
                     t->messages, "saved", saved);
}

static json_t *link_json(const plan_job *p, double gigabytes)
{
    scale_links l = p->links;
    l.between = 1e9 * gigabytes;
    const scale_time t = scale_time_of(&p->step, &p->job, &l);
    return json_pack("{s:f, s:f, s:f, s:f}", "gigabytes", gigabytes, "sum_seconds", t.sums, "during_seconds",
                     t.hidden, "after_seconds", t.after);
}

static json_t *links_json(const plan_job *p)
{
    json_t *all = json_array();
    if (!is_listed(1e-9 * p->links.between))
        json_array_append_new(all, link_json(p, 1e-9 * p->links.between));
    for (int i = 0; i < LINKS; ++i) json_array_append_new(all, link_json(p, links[i].gigabytes));
    return all;
}

static json_t *ranks_json(const plan_job *p)
{
    json_t *all = json_array();
    for (int64_t ranks = 1; ranks <= RANKS_MOST; ranks *= 2) {
        const scale_job j = plan_job_with(p, ranks);
        json_array_append_new(all, json_pack("{s:I, s:I, s:f, s:f, s:f}", "ranks", (json_int_t)ranks, "parts",
                                             (json_int_t)j.parts, "pictures", plan_job_pictures(p, &j),
                                             "seconds", plan_job_seconds(p, &j, p->links.between),
                                             "of_linear", efficiency(p, &j, p->links.between)));
    }
    return all;
}

/* What is NULL there, out of memory, is found when it is written. */
json_t *plan_job_json(const plan_job *p)
{
    const scale_memory m = scale_memory_of(&p->step, &p->job);
    const scale_traffic t = scale_traffic_of(&p->step, &p->job);
    const double least = scale_link_least(&p->step, &p->job, &p->links);
    return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:f, s:f, s:o, s:o, s:o}", "model",
                     p->kind->name, "preset", json_tree_string(p->preset), "batch", (json_int_t)p->batch,
                     "ranks", (json_int_t)p->job.ranks, "shards", (json_int_t)p->job.shards, "accumulate",
                     (json_int_t)p->job.parts, "compress_rank", (json_int_t)p->job.rank, "parameters",
                     (json_int_t)p->size.parameters, "memory", memory_json(&m), "sends",
                     traffic_json(&t, scale_saved(&p->step, &p->job)), "flops",
                     scale_flops(&p->step, &p->job), "gflops", 1e-9 * p->links.flops, "hides_from_gigabytes",
                     isfinite(least) ? json_real(1e-9 * least) : json_null(), "links", links_json(p),
                     "by_ranks", ranks_json(p));
}
