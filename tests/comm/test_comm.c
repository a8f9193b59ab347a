/* test_comm.c -- what ranks give each other, with threads for ranks.
 * SPDX-License-Identifier: MIT */
#include "tests/support/comm_threads.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Values that no two orders of summation add up to the same. */
static float value_of(int rank, int64_t i)
{
    return (float)sin(1.0 + (double)i * 0.37 + rank * 1.7) * powf(10.0f, (float)((i + rank) % 7 - 3));
}

#define RETURN_UNLESS(condition) \
    if (!(condition)) return error_set(err, ERROR_MODEL, "rank %d: not so: %s", comm_rank(c), #condition)

static float sum_in_order(int ranks, int64_t i, dtype type)
{
    float sum = 0;
    for (int r = 0; r < ranks; ++r) {
        float rounded = value_of(r, i);
        char stored[8];
        dtype_store(type, stored, 0, rounded);
        sum = r ? sum + dtype_load(type, stored, 0) : dtype_load(type, stored, 0);
    }
    char stored[8];
    dtype_store(type, stored, 0, sum);
    return dtype_load(type, stored, 0);
}

typedef struct sum_case {
    dtype type;
    int64_t count;
} sum_case;

static bool check_sum(comm *c, void *self, error *err)
{
    const sum_case *k = self;
    char *values = malloc((size_t)(k->count + 1) * dtype_bytes(k->type));
    for (int64_t i = 0; i < k->count; ++i) dtype_store(k->type, values, i, value_of(comm_rank(c), i));
    bool ok = comm_sum(c, k->type, values, k->count, err);
    for (int64_t i = 0; ok && i < k->count; ++i)
        if (dtype_load(k->type, values, i) != sum_in_order(comm_count(c), i, k->type))
            ok = error_set(err, ERROR_MODEL, "rank %d: value %lld differs", comm_rank(c), (long long)i);
    free(values);
    return ok;
}

static void sums_are_in_the_order_of_ranks(void **state)
{
    (void)state;
    const sum_case cases[] = { { DTYPE_F32, 0 },      { DTYPE_F32, 1 },   { DTYPE_F32, 3 },
                               { DTYPE_F32, 1000 },   { DTYPE_F16, 777 }, { DTYPE_BF16, 778 },
                               { DTYPE_F32, 1100001 } };
    for (int ranks = 1; ranks <= 5; ++ranks)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
            if (ranks > 2 && cases[i].count > 100000) continue;
            void *selves[5];
            for (int r = 0; r < ranks; ++r) selves[r] = (void *)&cases[i];
            error err = { 0 };
            if (!comm_threads(ranks, check_sum, selves, &err)) fail_msg("%d ranks: %s", ranks, err.message);
        }
}

static bool check_parts(comm *c, void *self, error *err)
{
    (void)self;
    int n = comm_count(c), me = comm_rank(c);
    int64_t counts[8], bytes[8], all = 0, first = 0;
    for (int r = 0; r < n; ++r) {
        counts[r] = r == 1 ? 0 : 5 + 3 * r;
        bytes[r] = counts[r] * 4;
        if (r < me) first += counts[r];
        all += counts[r];
    }
    float whole[200], part[64];
    for (int64_t i = 0; i < all; ++i) whole[i] = value_of(me, i);
    if (!comm_sum_part(c, whole, part, counts, err)) return false;
    for (int64_t i = 0; i < counts[me]; ++i) RETURN_UNLESS(part[i] == sum_in_order(n, first + i, DTYPE_F32));
    memset(whole, 0, sizeof whole);
    if (!comm_gather(c, part, whole, bytes, err)) return false;
    for (int64_t i = 0; i < all; ++i) RETURN_UNLESS(whole[i] == sum_in_order(n, i, DTYPE_F32));
    return comm_gather(c, whole + first, whole, bytes, err);
}

static void parts_of_sums_are_scattered_and_gathered(void **state)
{
    (void)state;
    error err = { 0 };
    for (int ranks = 1; ranks <= 5; ++ranks)
        if (!comm_threads(ranks, check_parts, NULL, &err)) fail_msg("%d ranks: %s", ranks, err.message);
}

static bool check_tellings(comm *c, void *self, error *err)
{
    (void)self;
    for (int from = 0; from < comm_count(c); ++from) {
        int told[3] = { comm_rank(c), comm_rank(c), comm_rank(c) };
        if (!comm_broadcast(c, told, sizeof told, from, err) || !comm_barrier(c, err)) return false;
        RETURN_UNLESS(told[0] == from && told[2] == from);
    }
    return true;
}

static void all_are_told(void **state)
{
    (void)state;
    error err = { 0 };
    for (int ranks = 1; ranks <= 7; ++ranks)
        if (!comm_threads(ranks, check_tellings, NULL, &err)) fail_msg("%d ranks: %s", ranks, err.message);
}

static bool check_groups(comm *c, void *self, error *err)
{
    (void)self;
    comm *near = NULL, *far = NULL;
    int me = comm_rank(c);
    bool ok = comm_group(c, 2, &near, err) && comm_across(c, 2, &far, err);
    float one = (float)me, two = (float)me;
    ok = ok && comm_sum(near, DTYPE_F32, &one, 1, err) && comm_sum(far, DTYPE_F32, &two, 1, err);
    int near_rank = comm_rank(near), near_count = comm_count(near), far_rank = comm_rank(far),
        far_count = comm_count(far);
    comm_close(near);
    comm_close(far);
    if (!ok) return false;
    RETURN_UNLESS(near_rank == me % 2 && near_count == 2 && far_rank == me / 2 && far_count == 3);
    RETURN_UNLESS(one == (float)(me / 2 * 4 + 1));
    RETURN_UNLESS(two == (float)(me % 2 ? 1 + 3 + 5 : 0 + 2 + 4));
    error refused;
    comm *none = NULL;
    RETURN_UNLESS(!comm_group(c, 4, &none, &refused) &&
                  strstr(refused.message, "6 ranks are no groups of 4"));
    RETURN_UNLESS(comm_group(c, 1, &none, err) && !none && comm_across(c, 6, &none, err) && !none);
    return true;
}

static void groups_are_comms(void **state)
{
    (void)state;
    error err = { 0 };
    if (!comm_threads(6, check_groups, NULL, &err)) fail_msg("%s", err.message);
}

static bool check_bytes(comm *c, void *self, error *err)
{
    (void)self;
    float values[400] = { 0 };
    if (!comm_sum(c, DTYPE_F32, values, 400, err)) return false;
    RETURN_UNLESS(comm_bytes_sent(c) == (comm_count(c) - 1) * 2 * 400 * 4 / comm_count(c));
    return true;
}

static void a_sum_sends_twice_what_it_sums_at_most(void **state)
{
    (void)state;
    error err = { 0 };
    for (int ranks = 1; ranks <= 4; ranks *= 2)
        if (!comm_threads(ranks, check_bytes, NULL, &err)) fail_msg("%d ranks: %s", ranks, err.message);
}

typedef struct sum_job {
    comm *comm;
    float value;
} sum_job;

static bool sum_one(void *self, error *err)
{
    sum_job *j = self;
    return comm_sum(j->comm, DTYPE_F32, &j->value, 1, err);
}

static bool check_jobs(comm *c, void *self, error *err)
{
    (void)self;
    sum_job jobs[8];
    comm_job *begun[8];
    for (int i = 0; i < 8; ++i) {
        jobs[i] = (sum_job){ c, (float)(comm_rank(c) + i) };
        if (!(begun[i] = comm_begin(c, sum_one, &jobs[i], err))) return false;
    }
    float beside = 1;
    bool ok = comm_sum(c, DTYPE_F32, &beside, 1, err);
    for (int i = 0; i < 8; ++i) ok = comm_end(begun[i], ok ? err : NULL) && ok;
    if (!ok) return false;
    int n = comm_count(c);
    RETURN_UNLESS(beside == (float)n);
    for (int i = 0; i < 8; ++i) RETURN_UNLESS(jobs[i].value == (float)(n * (n - 1) / 2 + n * i));
    return true;
}

static void jobs_are_done_one_after_the_other(void **state)
{
    (void)state;
    error err = { 0 };
    for (int ranks = 1; ranks <= 4; ++ranks)
        if (!comm_threads(ranks, check_jobs, NULL, &err)) fail_msg("%d ranks: %s", ranks, err.message);
}

static bool fail_at_rank_2(comm *c, void *self, error *err)
{
    error *why = self;
    if (comm_rank(c) == 2) return error_set(err, ERROR_DEVICE, "the device is on fire");
    if (comm_barrier(c, why)) return error_set(err, ERROR_MODEL, "a barrier without all");
    error again;
    RETURN_UNLESS(!comm_barrier(c, &again) && !strcmp(again.message, why->message));
    *err = *why;
    return false;
}

static void who_fails_ends_all(void **state)
{
    (void)state;
    error err = { 0 }, whys[4] = { { 0 } };
    void *selves[4] = { &whys[0], &whys[1], &whys[2], &whys[3] };
    assert_false(comm_threads(4, fail_at_rank_2, selves, &err));
    assert_string_equal(err.message, "the device is on fire");
    for (int r = 0; r < 4; ++r)
        if (r != 2)
            assert_string_equal(whys[r].message, "rank 2 on this process ended: the device is on fire");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_in_the_order_of_ranks),
        cmocka_unit_test(parts_of_sums_are_scattered_and_gathered),
        cmocka_unit_test(all_are_told),
        cmocka_unit_test(groups_are_comms),
        cmocka_unit_test(a_sum_sends_twice_what_it_sums_at_most),
        cmocka_unit_test(jobs_are_done_one_after_the_other),
        cmocka_unit_test(who_fails_ends_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
