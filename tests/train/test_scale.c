/* test_scale.c -- memory, traffic and time of many ranks against numbers worked out by hand, and against
 * what ranks then send and PowerSGD then compresses.
 * SPDX-License-Identifier: MIT */
#include "host/train/powersgd.h"
#include "host/train/scale.h"
#include "tests/support/comm_threads.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static error err;

static void close_to(double got, double wanted)
{
    if (!(fabs(got - wanted) <= 1e-12 * fabs(wanted))) fail_msg("%.17g, not %.17g", got, wanted);
}

/* Two matrices, of which one is read as a copy, a bias, and a matrix that two ranks cannot share. */
static scale_array few[] = {
    { .rows = 8, .columns = 4, .last = 4, .block = 0, .parameter = 2, .moments = 4 },
    { .rows = 8, .columns = 1, .wide = true, .block = 0, .parameter = 4, .moments = 8, .average = 4 },
    { .rows = 4,
      .columns = 12,
      .last = 12,
      .block = 1,
      .parameter = 4,
      .moments = 8,
      .average = 4,
      .cast = 2 },
    { .rows = 3, .columns = 5, .last = 5, .block = 2, .parameter = 4, .moments = 8 },
};
enum { FEW = sizeof few / sizeof *few };

static const scale_step small = { .arrays = few,
                                  .count = FEW,
                                  .forward = 100,
                                  .backward = 300,
                                  .once = 7,
                                  .input_bytes = 11,
                                  .work_bytes = 1000,
                                  .state_bytes = 7 };
static const scale_job six = { .ranks = 6, .shards = 2, .parts = 3, .rank = 1, .compressed = DTYPE_F169 };

/* ---- Arrays ---- */

static void shard(int64_t rows, int64_t columns, int64_t last, int64_t shards, int64_t wanted_rows,
                  int64_t wanted_columns)
{
    const scale_array a = { .rows = rows, .columns = columns, .last = last };
    const scale_shard s = scale_shard_of(&a, shards);
    assert_int_equal(s.rows, wanted_rows);
    assert_int_equal(s.columns, wanted_columns);
    assert_true(s.split == (wanted_rows * wanted_columns != rows * columns));
}

static void test_shards(void **state)
{
    (void)state;
    shard(12, 12, 12, 4, 3, 12);  /* attention: the outputs */
    shard(48, 12, 12, 4, 12, 12); /* the MLP's first matrix too, */
    shard(12, 48, 48, 4, 12, 12); /* of its second what it reads */
    shard(8, 72, 8, 4, 8, 18);    /* a convolution: channels that it reads, */
    shard(8, 72, 8, 16, 8, 72);   /* which are too few here, */
    shard(8, 27, 3, 4, 2, 27);    /* or not divisible */
    shard(7, 12, 12, 4, 7, 3);
    shard(48, 6, 6, 3, 16, 6);
    shard(48, 7, 7, 7, 48, 1);
    shard(5, 7, 7, 4, 5, 7);
    shard(64, 1, 0, 4, 64, 1); /* a vector */
    shard(64, 64, 64, 1, 64, 64);
}

/* Of every shape and rank around the largest the same as powersgd_takes. */
static void test_compresses_what_powersgd_takes(void **state)
{
    (void)state;
    static const store_entry entries[] = {
        { .rank = 2, .dim = { 30, 40 }, .count = 1200 },
        { .rank = 2, .dim = { 30, 40 }, .count = 1200, .wide = true },
        { .rank = 4, .dim = { 6, 3, 3, 5 }, .count = 270 },
        { .rank = 1, .dim = { 70 }, .count = 70 },
        { .rank = 2, .dim = { 2, 2 }, .count = 4 },
        { .rank = 2, .dim = { 1, 9 }, .count = 9 },
    };
    for (size_t i = 0; i < sizeof entries / sizeof *entries; ++i) {
        const store_entry *e = &entries[i];
        const bool vector = e->rank < 2;
        const scale_array a = { .rows = e->dim[0],
                                .columns = e->count / e->dim[0],
                                .last = vector ? 0 : e->dim[e->rank - 1],
                                .wide = e->wide };
        for (int64_t rank = 0; rank < 25; ++rank) {
            const powersgd_settings s = { .rank = rank };
            const scale_job j = { .ranks = 2, .shards = 1, .parts = 1, .rank = rank };
            assert_true(scale_compresses(&j, &a) == powersgd_takes(&s, e));
        }
    }
}

/* Of a shard that is half as large the largest rank is smaller, and of what a group holds alike there is
 * none. */
static void test_compresses_shards(void **state)
{
    (void)state;
    const scale_array a = { .rows = 8, .columns = 4, .last = 4 };
    scale_job j = { .ranks = 4, .shards = 1, .parts = 1, .rank = 2 };
    assert_true(scale_compresses(&j, &a)); /* 2 (8 + 4) < 32 */
    j.shards = 2;
    assert_false(scale_compresses(&j, &a)); /* 2 (4 + 4) = 16 */
    j.rank = 1;
    assert_true(scale_compresses(&j, &a));
    const scale_array whole = { .rows = 33, .columns = 35, .last = 35 };
    assert_false(scale_compresses(&j, &whole));
}

static void test_refusals(void **state)
{
    (void)state;
    scale_job j = six;
    assert_true(scale_check(&small, &j, &err));
    j.rank = 2;
    assert_true(scale_check(&small, &j, &err)); /* 2 (4 + 6) < 24 */
    j.rank = 3;
    assert_false(scale_check(&small, &j, &err));
    assert_non_null(strstr(err.message, "rank=2 or less"));
    j.ranks = 5;
    assert_false(scale_check(&small, &j, &err));
    assert_non_null(strstr(err.message, "5 ranks are no groups of 2 shards; use --ranks 6"));
    assert_int_equal(err.code, ERROR_USAGE);
}

/* ---- By hand ---- */

/* Shards are [4,4], [8], [4,6] and [3,5]. */
static void test_memory(void **state)
{
    (void)state;
    scale_memory m = scale_memory_of(&small, &six);
    assert_int_equal(m.parameters, 16 * 2 + 8 * 4 + 24 * 4 + 15 * 4);
    assert_int_equal(m.moments, 16 * 4 + 8 * 8 + 24 * 8 + 15 * 8);
    assert_int_equal(m.averages, 8 * 4 + 24 * 4);
    assert_int_equal(m.gradients, (8 + 15) * 4);
    assert_int_equal(m.errors, (16 + 24) * 2);
    assert_int_equal(m.thin, (4 + 6) * 2);
    assert_int_equal(m.gathered, 32 * 2 + 48 * 2 + 24 * 2); /* both matrices, and a shard's copy */
    assert_int_equal(m.work, 1000 - 48 * 2);
    assert_int_equal(m.total, 220 + 440 + 128 + 92 + 80 + 20 + 208 + 904 + 11 + 7);
    scale_job undivided = six; /* then P and R are there in the meantime */
    undivided.parts = 1;
    assert_int_equal(scale_memory_of(&small, &undivided).work, 1000 - 48 * 2 + (4 + 4 + 4 + 6) * 2);
    scale_step tight = small;
    tight.work_bytes = 100;
    m = scale_memory_of(&tight, &six); /* P [4] and [4], R [4] and [6] twice, and both gradients */
    assert_int_equal(m.work, (4 + 2 * 4 + 4 + 2 * 6) * 4 + (16 + 24) * 4 - 208);
}

/* All of it on every rank, and nothing compressed. */
static void test_memory_of_copies(void **state)
{
    (void)state;
    const scale_job j = { .ranks = 6, .shards = 1, .parts = 3 };
    const scale_memory m = scale_memory_of(&small, &j);
    assert_int_equal(m.parameters, 32 * 2 + 8 * 4 + 48 * 4 + 15 * 4);
    assert_int_equal(m.gradients, (32 + 8 + 48 + 15) * 4);
    assert_int_equal(m.errors + m.thin + m.gathered, 0);
    assert_int_equal(m.work, 1000);
}

/* A gradient of each of twelve matrices, but of these the norm takes ten at once, of which no more than
 * one is large. */
static void test_memory_of_the_norm(void **state)
{
    (void)state;
    scale_array twelve[12];
    for (int i = 0; i < 12; ++i)
        twelve[i] = (scale_array){ .rows = 8, .columns = i % 11 ? 8 : 16, .last = 8, .parameter = 4 };
    const scale_step s = { .arrays = twelve, .count = 12 };
    const scale_job j = { .ranks = 2, .shards = 1, .parts = 1, .rank = 1, .compressed = DTYPE_F32 };
    const scale_memory m = scale_memory_of(&s, &j);
    assert_int_equal(m.work, 10 * (8 + 2 * 8) * 4 + 2 * (8 + 2 * 16) * 4 + (9 * 64 + 128) * 4);
}

static void test_traffic(void **state)
{
    (void)state;
    scale_traffic t = scale_traffic_of(&small, &six);
    close_to(t.gathered, 2 * 3 * (16 * 2 + 24 * 2));
    close_to(t.scattered, 3 * (16 + 24) * 4 + 2.0 / 6 * 23 * 4);
    const double rest =
        2.0 * 4 / 6 * 23 * 4; /* bias and odd matrix: of six ranks, to the four of other groups */
    close_to(t.summed, 4.0 / 3 * (8 + 10) * 2 + rest);
    close_to(t.whole, 4.0 / 3 * 40 * 4 + rest);
    close_to(t.messages, 2 * 2 * 2 + 2 * 5);
    close_to(t.late, 4.0 / 3 * 18 * 2);
    close_to(t.late_messages, 2 * 2 * 2);
    close_to(scale_saved(&small, &six), 1 - 18.0 / 40);
    close_to(scale_flops(&small, &six), 3 * 400 + 7 + (10 * 16 + 4 * 4) + (10 * 24 + 4 * 4));
    const scale_job alone = { .ranks = 1, .shards = 1, .parts = 2 };
    t = scale_traffic_of(&small, &alone);
    assert_true(t.gathered + t.scattered + t.summed + t.messages == 0);
    const scale_job group = { .ranks = 2, .shards = 2, .parts = 1 };
    t = scale_traffic_of(&small, &group);
    assert_true(t.summed == 0 && t.scattered > 0);
}

/* The paper's three transformers: r and d of its Table 1, over 8 shards: 1 - 5 r / 8 d. */
static void test_paper(void **state)
{
    (void)state;
    static const struct {
        int64_t width, rank;
        double saved;
    } sizes[] = { { 1920, 512, 0.83 }, { 2688, 640, 0.85 }, { 3968, 896, 0.86 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        const int64_t d = sizes[i].width;
        scale_array layer[6];
        for (int k = 0; k < 6; ++k)
            layer[k] = (scale_array){ .rows = k == 4 ? 4 * d : d,
                                      .columns = k == 5 ? 4 * d : d,
                                      .last = k == 5 ? 4 * d : d,
                                      .parameter = 2 };
        const scale_step s = { .arrays = layer, .count = 6 };
        const scale_job j = {
            .ranks = 1024, .shards = 8, .parts = 1, .rank = sizes[i].rank / 8, .compressed = DTYPE_F169
        };
        close_to(scale_saved(&s, &j), 1 - 5.0 * (double)sizes[i].rank / (8.0 * (double)d));
        assert_true(fabs(scale_saved(&s, &j) - sizes[i].saved) < 0.005);
        close_to(scale_traffic_of(&s, &j).summed, 2.0 * 127 / 128 * 2 *
                                                      (5.0 * (double)sizes[i].rank / (8.0 * (double)d)) * 12 *
                                                      (double)(d * d) / 8);
    }
}

/* ---- Time ---- */

/* 8 MiB of gradients between two ranks: two buckets, two slices of two messages each. */
static scale_array eight_mib = { .rows = 2048, .columns = 1024, .last = 1024, .parameter = 4 };
static const scale_step timed = {
    .arrays = &eight_mib, .count = 1, .forward = 10, .backward = 20, .once = 5
};
static const double MIB = 1024 * 1024;

static void test_time(void **state)
{
    (void)state;
    const scale_job j = { .ranks = 2, .shards = 1, .parts = 2 };
    scale_links l = { .flops = 10, .inside = 1, .between = 2 * MIB, .latency = 0.25 };
    scale_time t = scale_time_of(&timed, &j, &l);
    close_to(t.forward, 1);
    close_to(t.backward, 2);
    close_to(t.once, 0.5);
    close_to(t.sums, 4 + 1);
    const double before = 2 * 1 + 2 + 0.5; /* all but the last backward pass */
    close_to(t.hidden, before + 1 + 5);    /* the first bucket leaves after half of it */
    close_to(t.after, before + 2 + 5);
    l.between = 16 * MIB;
    l.latency = 0;
    t = scale_time_of(&timed, &j, &l);
    close_to(t.hidden, before + 2 + 0.25); /* the last bucket comes after all of it */
    close_to(t.after, before + 2 + 0.5);
}

/* P, of two slices, and R, of one, leave in two pieces; of two parts, after the backward pass. */
static void test_time_of_thin_matrices(void **state)
{
    (void)state;
    scale_job j = { .ranks = 2, .shards = 1, .parts = 1, .rank = 600, .compressed = DTYPE_F32 };
    const scale_links l = { .flops = 1e12, .inside = 1, .between = MIB, .latency = 0.25 };
    const double sums = 3072 * 600 * 4 / MIB + 3 * 2 * 0.25;
    scale_time t = scale_time_of(&timed, &j, &l);
    close_to(t.sums, sums);
    close_to(t.late, 0);
    close_to(t.hidden, t.forward + t.once + t.backward / 2 + sums);
    close_to(t.after, t.forward + t.once + t.backward + sums);
    j.parts = 2;
    t = scale_time_of(&timed, &j, &l);
    close_to(t.late, sums);
    close_to(t.hidden, t.after);
}

static void test_least_link(void **state)
{
    (void)state;
    scale_job j = { .ranks = 2, .shards = 1, .parts = 2 };
    scale_links l = { .flops = 10, .inside = 1, .between = 1, .latency = 0.25 };
    l.between = scale_link_least(&timed, &j, &l);
    close_to(l.between, 8 * MIB);
    close_to(scale_time_of(&timed, &j, &l).sums, 2);
    l.latency = 0.5;
    assert_true(isinf(scale_link_least(&timed, &j, &l)));
    j.ranks = 1;
    assert_true(scale_link_least(&timed, &j, &l) == 0);
}

/* A group's link is that of both of its ranks; what a part waits for in its group is longer than it
 * computes. */
static void test_time_in_groups(void **state)
{
    (void)state;
    const scale_links l = { .flops = 100, .inside = 40, .between = 100, .latency = 0 };
    const scale_time t = scale_time_of(&small, &six, &l);
    close_to(t.forward, 480.0 / 6 / 40);
    close_to(t.backward, 480.0 / 6 / 40 + (480 + 2.0 / 6 * 92) / 3 / 40);
    close_to(t.once, (7 + 432) / 100.0);
    close_to(t.sums, 2 * (48 + 2.0 * 4 / 6 * 92) / 100);
    close_to(t.late, 2 * (4.0 / 3 * 18 * 2) / 100);
    close_to(t.after, 3 * (t.forward + t.backward) + t.once + t.sums);
    close_to(t.hidden, t.after); /* in one piece nothing is hidden */
}

/* ---- What is sent ---- */

typedef struct sender {
    int64_t sent;
} sender;

static bool gather_and_scatter(comm *group, const scale_array *a, scale_shard s, error *e)
{
    const int64_t each = a->cast ? a->cast : a->parameter, count = s.rows * s.columns,
                  counts[2] = { count, count }, bytes[2] = { count * each, count * each };
    char part[512] = { 0 }, whole[1024];
    const float gradient[256] = { 0 };
    float own[256];
    return comm_gather(group, part, whole, bytes, e) && comm_gather(group, part, whole, bytes, e) &&
           comm_sum_part(group, gradient, own, counts, e);
}

static bool sum_gradient(comm *all, comm *across, const scale_array *a, scale_shard s, error *e)
{
    float values[256] = { 0 };
    uint16_t thin[256] = { 0 };
    if (!scale_compresses(&six, a))
        return comm_sum(s.split ? across : all, DTYPE_F32, values, s.rows * s.columns, e);
    return comm_sum(across, DTYPE_F169, thin, six.rank * s.rows, e) &&
           comm_sum(across, DTYPE_F169, thin, six.rank * s.columns, e);
}

/* A step, as far as it is sent. */
static bool send_step(comm *c, void *self, error *e)
{
    comm *group = NULL, *across = NULL;
    bool ok = comm_group(c, (int)six.shards, &group, e) && comm_across(c, (int)six.shards, &across, e);
    for (int i = 0; ok && i < FEW; ++i) {
        const scale_shard s = scale_shard_of(&few[i], six.shards);
        for (int part = 0; ok && s.split && part < six.parts; ++part)
            ok = gather_and_scatter(group, &few[i], s, e);
        ok = ok && sum_gradient(c, across, &few[i], s, e);
    }
    ((sender *)self)->sent = comm_bytes_sent(c);
    comm_close(group);
    comm_close(across);
    return ok;
}

static void test_bytes_sent(void **state)
{
    (void)state;
    sender senders[6] = { { 0 } };
    void *selves[6];
    double sent = 0;
    for (int r = 0; r < 6; ++r) selves[r] = &senders[r];
    if (!comm_threads(6, send_step, selves, &err)) fail_msg("%s", err.message);
    for (int r = 0; r < 6; ++r) sent += (double)senders[r].sent;
    const scale_traffic t = scale_traffic_of(&small, &six);
    close_to(sent, 6 * (t.gathered + t.scattered + t.summed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_compresses_what_powersgd_takes),
        cmocka_unit_test(test_compresses_shards),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_memory_of_copies),
        cmocka_unit_test(test_memory_of_the_norm),
        cmocka_unit_test(test_traffic),
        cmocka_unit_test(test_paper),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_time_of_thin_matrices),
        cmocka_unit_test(test_least_link),
        cmocka_unit_test(test_time_in_groups),
        cmocka_unit_test(test_bytes_sent),
    };
    return cmocka_run_group_tests_name("train: scale", tests, NULL, NULL);
}
