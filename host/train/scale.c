/* scale.c -- see scale.h.
 * SPDX-License-Identifier: MIT */
#include "host/train/scale.h"

#include "host/graph/graph.h"

#include <math.h>

/* As host/comm/collectives.c sums, so many values at once; and as gradients leave, so many bytes
 * (division.c). */
#define SLICE  1048576.0
#define BUCKET 4194304.0

enum { SUMMED_BYTES = 4 }; /* gradients that are not compressed are F32 */

/* ---- One array ---- */

scale_shard scale_shard_of(const scale_array *a, int64_t shards)
{
    scale_shard s = { a->rows, a->columns, false };
    if (shards <= 1 || !a->last) return s;
    bool rows = a->rows % shards == 0, columns = a->last % shards == 0;
    s.split = rows || columns;
    if (rows && (a->rows >= a->columns || !columns))
        s.rows /= shards;
    else if (columns)
        s.columns /= shards;
    return s;
}

static int64_t count_of(scale_shard s)
{
    return s.rows * s.columns;
}

/* The largest rank at which a matrix still becomes smaller; of those that a whole group holds alike, none. */
static int64_t rank_most(const scale_job *j, const scale_array *a)
{
    const scale_shard s = scale_shard_of(a, j->shards);
    if (a->wide || !a->last || (j->shards > 1 && !s.split)) return 0;
    return (count_of(s) - 1) / (s.rows + s.columns);
}

bool scale_compresses(const scale_job *j, const scale_array *a)
{
    return j->rank > 0 && j->rank <= rank_most(j, a);
}

bool scale_check(const scale_step *s, const scale_job *j, error *err)
{
    int64_t most = 0;
    if (j->ranks % j->shards)
        return error_set(err, ERROR_USAGE, "%lld ranks are no groups of %lld shards; use --ranks %lld",
                         (long long)j->ranks, (long long)j->shards,
                         (long long)((j->ranks / j->shards + 1) * j->shards));
    for (int i = 0; i < s->count; ++i)
        most = rank_most(j, &s->arrays[i]) > most ? rank_most(j, &s->arrays[i]) : most;
    if (!j->rank || j->rank <= most) return true;
    return error_set(
        err, ERROR_USAGE,
        "compressed to rank %lld no gradient of %lld shards becomes smaller; use rank=%lld or less, or "
        "compress=none",
        (long long)j->rank, (long long)j->shards, (long long)most);
}

/* ---- Memory ---- */

static int compressed_bytes(const scale_job *j)
{
    return (int)dtype_bytes(j->compressed);
}

/* Arrays whole, of those that are split. */
static int64_t whole_bytes(const scale_job *j, const scale_array *a)
{
    int64_t each = a->cast ? a->cast : a->parameter;
    return scale_shard_of(a, j->shards).split ? a->rows * a->columns * each : 0;
}

/* Of two blocks that follow one another the most. */
static int64_t gathered_bytes(const scale_step *s, const scale_job *j)
{
    int64_t most = 0, before = 0, now = 0, copies = 0;
    for (int i = 0; i < s->count; ++i) {
        const scale_array *a = &s->arrays[i];
        if (i && a->block != s->arrays[i - 1].block) {
            before = now;
            now = 0;
        }
        now += whole_bytes(j, a);
        if (before + now > most) most = before + now;
        if (j->shards > 1) copies += count_of(scale_shard_of(a, j->shards)) * a->cast;
    }
    return most + copies;
}

static void add_array(const scale_job *j, const scale_array *a, scale_memory *m)
{
    const scale_shard s = scale_shard_of(a, j->shards);
    const int64_t count = count_of(s);
    m->parameters += count * a->parameter;
    m->moments += count * a->moments;
    m->averages += count * a->average;
    if (scale_compresses(j, a)) {
        m->errors += count * compressed_bytes(j);
        m->thin += j->rank * s.columns * compressed_bytes(j);
    } else {
        m->gradients += count * SUMMED_BYTES;
    }
}

/* What is alive when the norm is taken: P and R, F32, R that of the rank as well as of all; and of
 * gradients made of them as many as a node takes. */
static int64_t exchange_bytes(const scale_step *s, const scale_job *j)
{
    int64_t thin = 0, made = 0, most = 0, latest[NODE_INPUTS_MAX] = { 0 };
    const int64_t rs = j->ranks > j->shards ? 2 : 1;
    for (int i = 0, k = 0; i < s->count; ++i) {
        if (!scale_compresses(j, &s->arrays[i])) continue;
        const scale_shard a = scale_shard_of(&s->arrays[i], j->shards);
        thin += j->rank * (a.rows + rs * a.columns);
        made += count_of(a) - latest[k];
        latest[k] = count_of(a);
        k = (k + 1) % NODE_INPUTS_MAX;
        if (made > most) most = made;
    }
    return (thin + most) * SUMMED_BYTES;
}

/* Of one part, among several groups, sums begin while the backward pass is at work (powersgd.h). */
static bool is_early(const scale_job *j)
{
    return j->parts <= 1 && j->ranks > j->shards;
}

/* Every P' and the rank's own R are then on the device until the pass is done. */
static int64_t waiting_bytes(const scale_step *s, const scale_job *j)
{
    int64_t count = 0;
    for (int i = 0; is_early(j) && i < s->count; ++i) {
        const scale_shard a = scale_shard_of(&s->arrays[i], j->shards);
        if (scale_compresses(j, &s->arrays[i])) count += j->rank * (a.rows + a.columns);
    }
    return count * compressed_bytes(j);
}

/* Without the copies of whole arrays, of which a sharded rank holds its shards. */
static int64_t activation_bytes(const scale_step *s, const scale_job *j)
{
    int64_t bytes = s->work_bytes;
    for (int i = 0; j->shards > 1 && i < s->count; ++i)
        bytes -= s->arrays[i].rows * s->arrays[i].columns * s->arrays[i].cast;
    return bytes > 0 ? bytes : 0;
}

scale_memory scale_memory_of(const scale_step *s, const scale_job *j)
{
    scale_memory m = { .state = s->state_bytes, .inputs = s->input_bytes, .gathered = gathered_bytes(s, j) };
    for (int i = 0; i < s->count; ++i) add_array(j, &s->arrays[i], &m);
    const int64_t activations = activation_bytes(s, j) + waiting_bytes(s, j),
                  exchange = exchange_bytes(s, j) - m.gathered;
    m.work = activations > exchange ? activations : exchange;
    m.total = m.parameters + m.moments + m.averages + m.state + m.gradients + m.errors + m.thin + m.gathered +
              m.inputs + m.work;
    return m;
}

/* ---- Traffic ---- */

/* Values that a rank sums: within one sum each with those of the same place in other groups, or with all. */
typedef struct summands {
    double thin_p, thin_r, whole; /* over groups */
    double everyone;              /* over all ranks: of arrays that are not split */
    double uncompressed;          /* what thin_p and thin_r stand for */
} summands;

static summands summands_of(const scale_step *s, const scale_job *j)
{
    summands v = { 0 };
    for (int i = 0; i < s->count; ++i) {
        const scale_array *a = &s->arrays[i];
        const scale_shard shard = scale_shard_of(a, j->shards);
        if (scale_compresses(j, a)) {
            v.thin_p += (double)(j->rank * shard.rows);
            v.thin_r += (double)(j->rank * shard.columns);
            v.uncompressed += (double)count_of(shard);
        } else if (shard.split || j->shards == 1) {
            v.whole += (double)count_of(shard);
        } else {
            v.everyone += (double)count_of(shard);
        }
    }
    return v;
}

static double messages_of(const summands *v, double groups, double ranks)
{
    return 2 * (groups - 1) * ceil(v->whole / SLICE) + 2 * (ranks - 1) * ceil(v->everyone / SLICE);
}

static double thin_messages_of(const summands *v, double groups)
{
    return 2 * (groups - 1) * (ceil(v->thin_p / SLICE) + ceil(v->thin_r / SLICE));
}

scale_traffic scale_traffic_of(const scale_step *s, const scale_job *j)
{
    const double ranks = (double)j->ranks, shards = (double)j->shards, groups = ranks / shards,
                 parts = (double)j->parts, share = 2 * (groups - 1) / groups;
    const summands v = summands_of(s, j);
    scale_traffic t = { .messages = messages_of(&v, groups, ranks) + thin_messages_of(&v, groups) };
    for (int i = 0; i < s->count; ++i) {
        const scale_array *a = &s->arrays[i];
        const scale_shard shard = scale_shard_of(a, j->shards);
        if (!shard.split) continue;
        t.gathered += 2 * parts * (shards - 1) * (double)count_of(shard) * (a->cast ? a->cast : a->parameter);
        t.scattered += parts * (shards - 1) * (double)count_of(shard) * SUMMED_BYTES;
    }
    t.scattered += 2 * (shards - 1) / ranks * v.everyone * SUMMED_BYTES;
    const double rest =
        share * v.whole * SUMMED_BYTES + 2 * (ranks - shards) / ranks * v.everyone * SUMMED_BYTES;
    const double thin = share * (v.thin_p + v.thin_r) * compressed_bytes(j);
    if (!is_early(j)) {
        t.late = thin;
        t.late_messages = thin_messages_of(&v, groups);
    }
    t.summed = thin + rest;
    t.whole = share * v.uncompressed * SUMMED_BYTES + rest;
    return t;
}

double scale_saved(const scale_step *s, const scale_job *j)
{
    const summands v = summands_of(s, j);
    return v.uncompressed > 0 ? 1 - (v.thin_p + v.thin_r) / v.uncompressed : 0;
}

/* ---- Operations, and time ---- */

/* E Q and its reflections, E^T P, what all see of it for the norm and for the update, what the error
 * loses. */
static double exchange_flops(const scale_step *s, const scale_job *j)
{
    double flops = 0, r = (double)j->rank;
    for (int i = 0; i < s->count; ++i) {
        if (!scale_compresses(j, &s->arrays[i])) continue;
        const scale_shard a = scale_shard_of(&s->arrays[i], j->shards);
        flops += 5 * 2 * (double)count_of(a) * r + 4 * (double)a.rows * r * r;
    }
    return flops;
}

double scale_flops(const scale_step *s, const scale_job *j)
{
    return (double)j->parts * (s->forward + s->backward) + s->once + exchange_flops(s, j);
}

/* What a rank sums while the backward pass is at work. */
static double payload_bytes(const scale_step *s, const scale_job *j)
{
    const summands v = summands_of(s, j);
    return (is_early(j) ? v.thin_p + v.thin_r : 0) * compressed_bytes(j) +
           (v.whole + v.everyone) * SUMMED_BYTES;
}

/* Sums in pieces, each as soon as its share of the backward pass is done, one after the other. */
static double overlapped(double backward, double sums, double pieces)
{
    return fmax(backward + sums / pieces, backward / pieces + sums);
}

scale_time scale_time_of(const scale_step *s, const scale_job *j, const scale_links *l)
{
    const scale_traffic t = scale_traffic_of(s, j);
    const double parts = (double)j->parts, gather = t.gathered / (2 * parts) / l->inside,
                 scatter = t.scattered / parts / l->inside,
                 pieces = fmax(1, ceil(payload_bytes(s, j) / BUCKET));
    scale_time a = { .forward = fmax(s->forward / l->flops, gather),
                     .backward = fmax(s->backward / l->flops, gather + scatter),
                     .once = (s->once + exchange_flops(s, j)) / l->flops,
                     .sums = (double)j->shards * t.summed / l->between + t.messages * l->latency,
                     .late = (double)j->shards * t.late / l->between + t.late_messages * l->latency };
    const double before = parts * a.forward + (parts - 1) * a.backward + a.once;
    a.hidden = before + overlapped(a.backward, a.sums - a.late, pieces) + a.late;
    a.after = before + a.backward + a.sums;
    return a;
}

double scale_link_least(const scale_step *s, const scale_job *j, const scale_links *l)
{
    const scale_traffic t = scale_traffic_of(s, j);
    const double left = scale_time_of(s, j, l).backward - t.messages * l->latency;
    if (t.summed <= 0) return 0;
    return left > 0 ? (double)j->shards * t.summed / left : (double)INFINITY;
}
