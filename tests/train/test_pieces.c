/* test_pieces.c -- ranks that have a model's parameters among them train what one rank does, but for
 * rounding, hold a share of its memory, and write the checkpoints that it writes, which any number of ranks
 * and shards go on from.
 * SPDX-License-Identifier: MIT */
#include "host/nn/nn.h"
#include "host/train/checkpoint.h"
#include "host/train/optimizer.h"
#include "host/train/pieces.h"
#include "host/train/scale.h"
#include "host/train/share.h"
#include "tests/support/comm_threads.h"
#include "tests/support/device_or_skip.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* `up` is split along its first axis, `down` and the embedding along their last. */
enum { BATCH = 8, SIZE = 8, HIDDEN = 16, WORDS = 6, STEPS = 4, RANKS = 4, VALUES = 4096 };

typedef struct job {
    int shards, parts, from, to; /* steps */
    dtype half;
    int64_t compressed; /* to that rank; 0: not */
    bool fails;         /* rank 1 does, in the second step, while the others wait for its pieces */
    bool alone;         /* as a program without pieces: pieces_open is not called */
    bool waits;         /* for each gathering, where it is begun: gather_ahead is not called */
    const char *load, *save;
} job;

typedef struct outcome {
    float loss[STEPS], status[4], values[VALUES];
    int count;
    int64_t elements, bytes; /* of parameters; of the store */
    error err;
} outcome;

typedef struct rig {
    const job *job;
    outcome *out;
    device *device;
    store *store;
    graph *graph;
    division division;
    optimizer *optimizer;
    tensor *ids, *loss;
    int step;
} rig;

/* Two residual blocks of which all is computed again, with weights that are used again. */
static tensor *loss_of(rig *r, graph *g)
{
    tensor *table = nn_embedding(g, "words", 0.5f, WORDS, SIZE);
    linear_weights up = nn_linear_weights(g, "up", SIZE, HIDDEN, true, 0.4f),
                   down = nn_linear_weights(g, "down", HIDDEN, SIZE, true, 0.4f);
    const embedding_term term = { split_whole(table), r->ids };
    tensor *x = op_embedding_sum(1, &term);
    x = nn_half(x);
    for (int i = 0; i < 2; ++i) {
        graph_recompute_begin(g);
        x = op_add(x, nn_linear(&down, op_square(nn_linear(&up, x))));
        graph_recompute_end(g);
    }
    return op_mean_all(op_square(op_cast(x, DTYPE_F32)));
}

static optimizer_settings settings_of(const job *k, comm *c)
{
    optimizer_settings s = { .beta1 = 0.9f,
                             .beta2 = 0.96f,
                             .epsilon = 1e-2f,
                             .decay = 0.01f,
                             .clip = 0.5f,
                             .ema = true,
                             .mean_type = DTYPE_F32,
                             .variance_type = DTYPE_F32 };
    s.compress = (powersgd_settings){ .rank = k->compressed, .type = DTYPE_F32, .ranks = c };
    if (k->half != DTYPE_F32) s.scaling = (scaling_settings){ .loss_scale = 64, .loss_scale_every = 2 };
    return s;
}

static bool build(rig *r, comm *c, error *err)
{
    const job *k = r->job;
    if (!(r->device = device_open(NULL, err)) || !(r->store = store_create(r->device, err)) ||
        (!k->alone && !pieces_open(r->store, c, k->shards, err)) || !(r->graph = graph_create(r->store, err)))
        return false;
    graph *g = r->graph;
    const int64_t samples = BATCH / comm_count(c) / k->parts;
    graph_set_half(g, k->half);
    r->ids = graph_input(g, "ids", DTYPE_I32, 1, (int64_t[]){ samples });
    tensor *random = graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    r->division = division_among((division){ .parts = k->parts, .samples = samples, .random = random }, c);
    r->loss = loss_of(r, g);
    const optimizer_settings s = settings_of(k, c);
    if (k->waits)
        graph_backward(g, scaling_of_loss(&s.scaling, g, r->loss));
    else
        optimizer_backward(g, r->loss, &s);
    r->loss = division_mean(&r->division, "loss", r->loss);
    graph_keep(r->loss);
    r->optimizer = optimizer_append_divided(g, r->loss, &s, &r->division);
    return graph_compile(g, 3, "batch", err);
}

static bool write_part(void *context, int64_t first, error *err)
{
    rig *r = context;
    int32_t ids[BATCH], random[4] = { 1, 0, r->step, (int32_t)first };
    if (r->division.part != r->division.random && !graph_write(r->division.part, random, err)) return false;
    random[3] += (int32_t)r->division.first;
    for (int64_t i = 0; i < r->division.samples; ++i)
        ids[i] = (int32_t)((5 * r->step + 7 * (random[3] + i)) % 11 % WORDS);
    return graph_write(r->division.random, random, err) && graph_write(r->ids, ids, err);
}

static bool run_steps(rig *r, comm *c, error *err)
{
    for (r->step = r->job->from; r->step < r->job->to; ++r->step) {
        if (r->job->fails && r->step == 1 && comm_rank(c) == 1)
            return error_set(err, ERROR_DEVICE, "the device is on fire");
        if (!optimizer_schedule(r->optimizer, r->step, 0.05, 0.9, err) ||
            !division_run(&r->division, r->graph, write_part, r, err) ||
            !graph_read(r->loss, &r->out->loss[r->step], err))
            return false;
    }
    return r->job->from == r->job->to || graph_read(optimizer_status(r->optimizer), r->out->status, err);
}

/* Parameters, moments, averages, errors and state, wholes. */
static bool collect(rig *r, error *err)
{
    for (int i = 0; i < store_count(r->store); ++i) {
        const store_entry *e = store_at(r->store, i);
        if (e->kind > STORE_STATE || e->type != DTYPE_F32) continue;
        const int64_t count = split_count(r->store, e);
        if (r->out->count + count > VALUES) return error_set(err, ERROR_MEMORY, "%d values", r->out->count);
        if (!pieces_read_f32(r->store, e, 0, count, r->out->values + r->out->count, err)) return false;
        r->out->count += (int)count;
    }
    return !r->job->save || checkpoint_save(r->store, r->job->save, NULL, 0, err);
}

static bool load(rig *r, comm *c, error *err)
{
    if (!r->job->load) return true;
    if (comm_rank(c)) return pieces_serve(r->store, c, err);
    return checkpoint_load(r->store, r->job->load, NULL, err) && pieces_dismiss(r->store, err);
}

static bool finish(rig *r, comm *c, error *err)
{
    r->out->elements = store_elements(r->store, STORE_PARAMETER);
    r->out->bytes = store_bytes(r->store);
    if (comm_rank(c)) return pieces_serve(r->store, c, err);
    return collect(r, err) && pieces_dismiss(r->store, err);
}

/* As train.c does. */
static bool follow(rig *r, comm *c, error *err)
{
    return load(r, c, err) && share_store(c, r->store, err) && run_steps(r, c, err) &&
           share_saved(c, r->store, err) && finish(r, c, err);
}

static bool work(comm *c, void *self, error *err)
{
    rig r = *(rig *)self;
    bool ok = build(&r, c, err) && follow(&r, c, err);
    graph_destroy(r.graph);
    store_destroy(r.store);
    if (ok && device_allocated_bytes(r.device))
        ok = error_set(err, ERROR_DEVICE, "memory is left on the device");
    device_close(r.device);
    return ok;
}

/* What rank 0 ends with. */
static bool try_job(int ranks, const job *k, outcome *out, error *err)
{
    static outcome outs[RANKS];
    rig rigs[RANKS];
    void *selves[RANKS];
    memset(outs, 0, sizeof outs);
    for (int r = 0; r < ranks; ++r) {
        rigs[r] = (rig){ .job = k, .out = &outs[r] };
        selves[r] = &rigs[r];
    }
    bool ok = comm_threads(ranks, work, selves, err);
    *out = outs[0];
    return ok;
}

static void train(int ranks, const job *k, outcome *out)
{
    error err = { 0 };
    if (!try_job(ranks, k, out, &err)) fail_msg("%d ranks, %d shards: %s", ranks, k->shards, err.message);
}

static void compare(const outcome *a, const outcome *b, float tolerance)
{
    assert_int_equal(a->count, b->count);
    assert_true(a->count > 0);
    for (int i = 0; i < a->count; ++i)
        if (!(fabsf(a->values[i] - b->values[i]) <= tolerance * fmaxf(1, fabsf(a->values[i]))))
            fail_msg("value %d is %.9g and %.9g", i, (double)a->values[i], (double)b->values[i]);
    for (int i = 0; i < STEPS; ++i) assert_true(fabsf(a->loss[i] - b->loss[i]) <= tolerance);
    for (int i = 0; i < 4; ++i)
        assert_true(fabsf(a->status[i] - b->status[i]) <= tolerance * fmaxf(1, a->status[i]));
}

static const job plain = { .shards = 1, .parts = 1, .to = STEPS, .half = DTYPE_F32 };

static job with(int shards, int parts)
{
    job k = plain;
    k.shards = shards;
    k.parts = parts;
    return k;
}

static outcome one, other;

static void a_start_does_not_depend_on_shards(void **state)
{
    (void)state;
    job k = plain;
    k.to = 0;
    train(1, &k, &one);
    for (int shards = 2; shards <= 4; shards *= 2) {
        k.shards = shards;
        train(4, &k, &other);
        compare(&one, &other, 0);
    }
}

static void one_shard_changes_no_bit(void **state)
{
    (void)state;
    job k = with(1, 2);
    train(2, &k, &one);
    k.alone = true;
    train(2, &k, &other);
    compare(&one, &other, 0);
}

static void shards_are_the_whole(void **state)
{
    (void)state;
    train(1, &plain, &one);
    assert_true(one.status[2] == 1.0f && one.loss[STEPS - 1] < 0.9f * one.loss[0]);
    const int jobs[][3] = { { 2, 2, 1 }, { 4, 2, 1 }, { 4, 4, 1 }, { 2, 2, 2 } };
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; ++i) {
        const job k = with(jobs[i][1], jobs[i][2]);
        train(jobs[i][0], &k, &other);
        compare(&one, &other, 1e-4f);
    }
}

/* One of these steps is skipped, for what does not fit 16 bits on one of the ranks. */
static void halves_and_their_scale_are_of_all_pieces(void **state)
{
    (void)state;
    job k = plain;
    k.half = DTYPE_F16;
    train(4, &k, &one);
    assert_true(one.status[3] == 16);
    k.shards = 2;
    train(4, &k, &other);
    compare(&one, &other, 1e-3f);
}

static void each_rank_holds_its_share(void **state)
{
    (void)state;
    enum { MATRICES = 2 * SIZE * HIDDEN + WORDS * SIZE, VECTORS = HIDDEN + SIZE };
    job k = plain;
    k.to = 1;
    train(1, &k, &one);
    assert_int_equal(one.elements, MATRICES + VECTORS);
    for (int shards = 2; shards <= 4; shards *= 2) {
        k.shards = shards;
        train(4, &k, &other);
        assert_int_equal(other.elements, MATRICES / shards + VECTORS);
        assert_true(other.bytes < one.bytes);
    }
}

static void gathering_ahead_changes_no_bit(void **state)
{
    (void)state;
    const struct {
        int ranks, shards, parts;
        int64_t compressed;
        dtype half;
    } jobs[] = { { 2, 2, 1, 0, DTYPE_F32 },
                 { 4, 2, 2, 0, DTYPE_F32 },
                 { 4, 4, 1, 0, DTYPE_F16 },
                 { 4, 2, 1, 2, DTYPE_F32 } };
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; ++i) {
        job k = with(jobs[i].shards, jobs[i].parts);
        k.compressed = jobs[i].compressed;
        k.half = jobs[i].half;
        train(jobs[i].ranks, &k, &one);
        k.waits = true;
        train(jobs[i].ranks, &k, &other);
        compare(&one, &other, 0);
    }
}

/* Two groups have other gradients each, whose mean is what one group has of the whole batch. */
static void pieces_are_compressed_among_groups(void **state)
{
    (void)state;
    job k = with(2, 1);
    k.compressed = 2;
    train(2, &k, &one);
    assert_true(one.status[2] == 1.0f && one.loss[STEPS - 1] < one.loss[0]);
    train(4, &k, &other);
    compare(&one, &other, 1e-3f);
}

/* ---- Checkpoints ---- */

static char whole_file[64], split_file[64], again_file[64];

static char *content(const char *path, size_t *size)
{
    FILE *in = fopen(path, "rb");
    char *bytes = malloc(1 << 20);
    assert_true(in && bytes);
    *size = fread(bytes, 1, 1 << 20, in);
    fclose(in);
    return bytes;
}

static void same_file(const char *a, const char *b)
{
    size_t first, second;
    char *x = content(a, &first), *y = content(b, &second);
    assert_int_equal(first, second);
    assert_memory_equal(x, y, first);
    free(x);
    free(y);
}

static void checkpoints_hold_wholes(void **state)
{
    (void)state;
    job k = with(2, 1), rest;
    train(2, &k, &one);
    k.to = 2;
    k.save = split_file;
    train(2, &k, &other);
    rest = (job){ .shards = 1, .parts = 1, .half = DTYPE_F32, .from = 2, .to = 2, .load = split_file };
    rest.save = whole_file;
    train(1, &rest, &other);
    same_file(split_file, whole_file);
    rest.shards = 4;
    rest.load = whole_file;
    rest.save = again_file;
    train(4, &rest, &other);
    same_file(split_file, again_file);
    rest.save = NULL;
    rest.to = STEPS;
    for (int shards = 1; shards <= 4; shards *= 2) { /* on as many of both bit for bit */
        rest.shards = shards;
        train(shards, &rest, &other);
        memcpy(other.loss, one.loss, 2 * sizeof *one.loss);
        compare(&one, &other, shards == 2 ? 0 : 1e-4f);
    }
}

static void errors_in_checkpoints_are_of_all_groups(void **state)
{
    (void)state;
    job k = with(2, 1);
    k.compressed = 2;
    k.to = 2;
    k.save = split_file;
    train(4, &k, &one);
    job rest = k;
    rest.from = rest.to;
    rest.load = split_file;
    rest.save = again_file;
    train(2, &rest, &other);
    same_file(split_file, again_file);
    rest.shards = 1;
    train(1, &rest, &other);
    same_file(split_file, again_file);
}

/* ---- What does not fit ---- */

static void sizes_that_cannot_be_split_are_refused(void **state)
{
    (void)state;
    error err = { 0 };
    job k = with(3, 1);
    assert_false(try_job(3, &k, &other, &err));
    assert_non_null(strstr(err.message, "'up.weight'"));
    assert_non_null(strstr(err.message, "cannot be split among 3 ranks"));
    k.shards = 2;
    assert_false(try_job(3, &k, &other, &err));
    assert_non_null(strstr(err.message, "3 ranks are no groups of 2"));
}

static void a_rank_that_fails_ends_its_group(void **state)
{
    (void)state;
    error err = { 0 };
    job k = with(2, 1);
    k.fails = true;
    assert_false(try_job(4, &k, &other, &err));
    assert_string_equal(err.message, "the device is on fire");
}

/* plan works without a store of pieces. */
static void planned_shards_are_those_of_the_store(void **state)
{
    (void)state;
    const int64_t shapes[][2] = { { 8, 8 }, { 8, 4 }, { 4, 8 }, { 6, 8 }, { 8, 6 }, { 12, 9 }, { 5, 4 } };
    device *d = device_or_skip();
    error err;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) {
        const split how = { .count = 4, .place = 1 };
        store *s = store_create(d, &err);
        store_set_split(s, &how);
        const store_entry *e = store_declare(s, "w", STORE_PARAMETER, DTYPE_F32, 2, shapes[i]);
        const scale_array a = { .rows = shapes[i][0], .columns = shapes[i][1], .last = shapes[i][1] };
        const scale_shard planned = scale_shard_of(&a, 4);
        assert_non_null(e);
        assert_true(planned.split);
        assert_int_equal(e->dim[0], planned.rows);
        assert_int_equal(e->dim[1], planned.columns);
        for (int64_t k = 0; k < e->count; ++k)
            assert_int_equal(split_before(s, e, 1, split_index(s, e, k)), k);
        store_destroy(s);
    }
    device_close(d);
}

static int remove_files(void **state)
{
    (void)state;
    return remove(whole_file) | remove(split_file) | remove(again_file);
}

int main(void)
{
    device_close(device_or_skip());
    snprintf(whole_file, sizeof whole_file, "/tmp/test_pieces_%d_whole", (int)getpid());
    snprintf(split_file, sizeof split_file, "/tmp/test_pieces_%d_split", (int)getpid());
    snprintf(again_file, sizeof again_file, "/tmp/test_pieces_%d_again", (int)getpid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planned_shards_are_those_of_the_store),
        cmocka_unit_test(sizes_that_cannot_be_split_are_refused),
        cmocka_unit_test(a_rank_that_fails_ends_its_group),
        cmocka_unit_test(a_start_does_not_depend_on_shards),
        cmocka_unit_test(one_shard_changes_no_bit),
        cmocka_unit_test(shards_are_the_whole),
        cmocka_unit_test(halves_and_their_scale_are_of_all_pieces),
        cmocka_unit_test(gathering_ahead_changes_no_bit),
        cmocka_unit_test(each_rank_holds_its_share),
        cmocka_unit_test(pieces_are_compressed_among_groups),
        cmocka_unit_test(checkpoints_hold_wholes),
        cmocka_unit_test(errors_in_checkpoints_are_of_all_groups),
    };
    return cmocka_run_group_tests(tests, NULL, remove_files);
}
