/* test_order.c -- orders of samples: every epoch holds all, any place can be the first, weights are kept.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/dataset.h"
#include "data/order.h"
#include "data/order_window.h"

static order *make(const order_source *sources, int count, uint64_t seed, int interleave, int window)
{
    const order_config c = { sources, count, seed, interleave, window };
    error err;
    order *o = order_create(&c, &err);
    if (!o) fail_msg("%s", err.message);
    return o;
}

/* All of an epoch, each place once. */
static void assert_whole(order *o, int64_t epoch, int64_t count, int64_t *places)
{
    bool *seen = calloc((size_t)count, sizeof *seen);
    for (int64_t i = 0; i < count; ++i) {
        order_draw d = order_at(o, epoch, i);
        assert_int_equal(d.epoch, epoch);
        assert_in_range(d.place, 0, count - 1);
        assert_false(seen[d.place]);
        seen[d.place] = true;
        places[i] = d.place;
    }
    free(seen);
}

static const struct {
    int64_t sizes[12], shards;
    int interleave, window;
} shapes[] = {
    { { 1 }, 1, 1, 1 },
    { { 1, 1, 1 }, 3, 2, 2 },
    { { 100, 0, 37, 0, 0, 512, 3 }, 7, 3, 50 },
    { { 0, 5, 1000, 999, 1001, 1, 2, 3, 400, 0 }, 10, 4, 256 },
    { { 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300 }, 12, 4, 600 },
    { { 40, 30 }, 2, 16, 65536 },
};

static int64_t starts_of(size_t shape, int64_t starts[13])
{
    starts[0] = 0;
    for (int64_t i = 0; i < shapes[shape].shards; ++i) starts[i + 1] = starts[i] + shapes[shape].sizes[i];
    return starts[shapes[shape].shards];
}

/* In runs: every epoch holds all; of neighbours in the line most stand side by side, but for where runs
 * end, which is elsewhere each time. */
static void runs_hold_all(void **state)
{
    (void)state;
    enum { COUNT = 103, RUN = 6 };
    int64_t line[COUNT], nth[COUNT], places[COUNT], ends[2] = { 0 };
    for (int64_t i = 0; i < COUNT; ++i) line[i] = i * 40 % COUNT;
    for (int64_t i = 0; i < COUNT; ++i) nth[line[i]] = i;
    const order_source s = { .first = 0, .count = COUNT, .run = RUN, .line = line };
    order *o = make(&s, 1, 5, 0, 0), *again = make(&s, 1, 5, 0, 0);
    for (int64_t epoch = 0; epoch < 12; ++epoch) {
        assert_whole(o, epoch, COUNT, places);
        int64_t together = 0, first = -1;
        for (int64_t i = 0; i + 1 < COUNT; ++i) {
            bool next = nth[places[i + 1]] == nth[places[i]] + 1;
            together += next;
            if (!next && nth[places[i + 1]] && first < 0) first = nth[places[i + 1]] % RUN;
        }
        assert_in_range(together, COUNT - 1 - COUNT / RUN - 2, COUNT - 1);
        assert_true(together < COUNT - 10);
        ends[epoch > 0] |= (int64_t)1 << first;
        assert_int_equal(order_at(again, epoch, 50).place, places[50]);
    }
    assert_true((ends[1] & (ends[1] - 1)) != 0);
    order_destroy(o);
    order_destroy(again);
}

static void windows_hold_all(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; ++k) {
        int64_t starts[13], count = starts_of(k, starts);
        const order_source s = { 0, count, starts, shapes[k].shards, 1 };
        order *o = make(&s, 1, 9, shapes[k].interleave, shapes[k].window), *other;
        int64_t *first = malloc((size_t)count * sizeof *first),
                *second = malloc((size_t)count * sizeof *first);
        assert_whole(o, 0, count, first);
        assert_whole(o, 7, count, second);
        if (count > 20) assert_memory_not_equal(first, second, (size_t)count * sizeof *first);
        for (int64_t i = count - 1; i >= 0; i -= 1 + count / 17) { /* from anywhere */
            other = make(&s, 1, 9, shapes[k].interleave, shapes[k].window);
            assert_int_equal(order_at(other, 7, i).place, second[i]);
            assert_int_equal(order_at(other, 0, i).place, first[i]);
            order_destroy(other);
        }
        order_destroy(o);
        free(first);
        free(second);
    }
}

/* Twelve shards of 300, four at a time, in windows of 600: few shards are read at once, each from its
 * beginning on, and none stays behind. */
static void windows_are_local(void **state)
{
    (void)state;
    int64_t starts[13], count = starts_of(4, starts), places[3600];
    const order_source s = { 0, count, starts, 12, 1 };
    order *o = make(&s, 1, 3, 4, 600);
    assert_whole(o, 2, count, places);
    for (int64_t w = 0; w < 6; ++w) {
        int in_shard[12] = { 0 }, shards = 0, ascending = 0;
        for (int64_t i = 0; i < 600; ++i) {
            int64_t place = places[w * 600 + i], nth = place % 300;
            in_shard[place / 300]++;
            assert_true(w % 2 == 0 ? nth < 150 : nth >= 150); /* a half of each of the four */
            if (i > 0) ascending += place > places[w * 600 + i - 1];
        }
        for (int i = 0; i < 12; ++i) shards += in_shard[i] > 0;
        assert_int_equal(shards, 4);
        assert_in_range(ascending, 200, 400);
    }
    order_destroy(o);
}

/* As it always was. */
static void small_is_a_shuffle(void **state)
{
    (void)state;
    const order_source s = { .count = 1000 };
    order *o = make(&s, 1, 42, 0, 0);
    int64_t expected[1000];
    for (uint32_t epoch = 0; epoch < 3; ++epoch) {
        dataset_shuffle(1000, 42, epoch, expected);
        for (int64_t i = 0; i < 1000; ++i) assert_int_equal(order_at(o, epoch, i).place, expected[i]);
    }
    order_destroy(o);
}

/* One in windows, one as a whole, and a rare one. */
static void weights_are_kept(void **state)
{
    (void)state;
    int64_t starts[13], first = starts_of(3, starts), all = first + 500 + 10;
    const order_source sources[] = { { 0, first, starts, 10, 3 },
                                     { first, 500, NULL, 0, 1 },
                                     { first + 500, 10, NULL, 0, 1e-9 } };
    order *o = make(sources, 3, 5, 4, 256);
    int64_t drawn[3] = { 0 }, draws = 3 * 65536, seen[3][4096] = { { 0 } };
    order_draw *kept = malloc((size_t)draws * sizeof *kept);
    for (int64_t i = 0; i < draws; ++i) {
        kept[i] = order_at(o, i / all, i % all);
        int64_t place = kept[i].place;
        int source = place < first ? 0 : place < first + 500 ? 1 : 2;
        int64_t own = place - sources[source].first;
        /* Each source's epochs are whole ones. */
        assert_int_equal(kept[i].epoch, drawn[source] / sources[source].count);
        assert_int_equal(seen[source][own]++, kept[i].epoch);
        ++drawn[source];
        if (i % 65536 == 65535) {
            assert_in_range(drawn[0], (i + 1) / 4 * 3 - 3, (i + 1) / 4 * 3 + 3);
            assert_in_range(drawn[1], (i + 1) / 4 - 3, (i + 1) / 4 + 3);
            assert_int_equal(drawn[2], (i + 1) / 65536);
        }
    }
    order *other = make(sources, 3, 5, 4, 256);
    for (int64_t i = draws - 1; i > 0; i -= 30011) {
        order_draw d = order_at(other, i / all, i % all);
        assert_int_equal(d.place, kept[i].place);
        assert_int_equal(d.epoch, kept[i].epoch);
    }
    order_destroy(o);
    order_destroy(other);
    free(kept);
}

static void mistakes(void **state)
{
    (void)state;
    error err;
    order_source many[ORDER_SOURCES + 1];
    for (int i = 0; i <= ORDER_SOURCES; ++i) many[i] = (order_source){ .first = i, .count = 1, .weight = 1 };
    order_config c = { .sources = many, .count = ORDER_SOURCES + 1 };
    assert_null(order_create(&c, &err));
    assert_says(&err, "257 sources with weights; at most 256");
    static const double wrong[] = { 0, -1, NAN, INFINITY };
    c.count = 2;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        many[1].weight = wrong[i];
        assert_null(order_create(&c, &err));
        assert_says(&err, "the weight of source 2 is ");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_hold_all),     cmocka_unit_test(windows_hold_all),
        cmocka_unit_test(windows_are_local), cmocka_unit_test(small_is_a_shuffle),
        cmocka_unit_test(weights_are_kept),  cmocka_unit_test(mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
