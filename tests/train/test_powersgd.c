/* test_powersgd.c -- compressed gradients of one, two, three and four ranks against PowerSGD in double
 * precision, whose orthonormal columns are found another way; steps that are skipped, 16 bits, a batch in
 * parts, checkpoints that another number of ranks goes on from, and what is sent.
 * SPDX-License-Identifier: MIT */
#include "tests/train/powersgd_reference.h"
#include "tests/support/device_or_skip.h"

/* ---- Against the reference ---- */

static double distance(const float *got, const double *wanted, int64_t count)
{
    double most = 0, size = 0;
    for (int64_t i = 0; i < count; ++i) {
        most = fmax(most, fabs((double)got[i] - wanted[i]));
        size = fmax(size, fabs(wanted[i]));
        if (!isfinite(got[i])) return INFINITY;
    }
    return size > 0 ? most / size : most;
}

static void compare_step(const job *j, const seen *all, errors e, int step,
                         double gradient[COMPRESSED][COUNT])
{
    for (int k = 0; k < COMPRESSED; ++k)
        for (int r = 0; r < j->ranks; ++r) {
            double g = distance(all[r].gradient[step][k], gradient[k], count_of(k)),
                   kept = distance(all[r].error[step][k], e[r][k], count_of(k));
            if (!(g < 2e-5 && kept < 2e-5))
                fail_msg("step %d, rank %d of %d, gradient %d: it is %g and the error %g away", step, r,
                         j->ranks, k, g, kept);
            assert_memory_equal(all[r].gradient[step][k], all[0].gradient[step][k],
                                sizeof all[0].gradient[0][0]);
        }
}

/* The norm is that of what all see, and of what is not compressed. */
static double reference_norm(const job *j, double gradient[COMPRESSED][COUNT], int rank, int step)
{
    double square = 0;
    for (int k = 0; k < PARAMETERS; ++k)
        for (int64_t i = 0; i < count_of(k); ++i) {
            double g = k < COMPRESSED ? gradient[k][i] : (double)gradient_at(j, rank, step, 0, k, i);
            square += g * g;
        }
    return sqrt(square);
}

static void check_against_reference(const job *j)
{
    static errors e;
    static double gradient[COMPRESSED][COUNT];
    seen *all = run(j);
    memset(e, 0, sizeof e);
    memset(gradient, 0, sizeof gradient);
    for (int step = 0; step < j->steps; ++step) {
        bool sent = step != j->bad_step;
        reference_add(j, e, step);
        for (int k = 0; sent && k < COMPRESSED; ++k) reference_send(j, e, k, all[0].q[k], gradient[k]);
        compare_step(j, all, e, step, gradient);
        for (int r = 0; r < j->ranks; ++r) {
            assert_true(all[r].status[step][2] == (sent ? 1.0f : 0.0f));
            double norm = sent && j->parts == 1 ? reference_norm(j, gradient, r, step) : 0;
            if (norm > 0 && !(fabs((double)all[r].status[step][1] / norm - 1) < 1e-5))
                fail_msg("the norm is %g, not %g", (double)all[r].status[step][1], norm);
        }
    }
    free(all);
}

/* ---- Tests ---- */

static void test_reference(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= RANKS; ++ranks) {
        job j = usual;
        j.ranks = ranks;
        check_against_reference(&j);
    }
}

static void test_parts_of_a_batch(void **state)
{
    (void)state;
    job j = usual;
    j.ranks = 2;
    j.parts = 3;
    check_against_reference(&j);
}

/* Not even the ranks whose gradients are finite update; they lose nothing, and the other what was not
 * finite. */
static void test_skipped_step(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= 2; ++ranks) {
        job j = usual;
        j.ranks = ranks;
        j.bad_step = 1;
        j.bad_rank = ranks - 1;
        check_against_reference(&j);
    }
}

/* All that was given is what all have seen and what is kept, whatever was rounded on the way. */
static void test_sixteen_bits_lose_nothing(void **state)
{
    (void)state;
    static const struct {
        dtype type;
        double tolerance;
    } types[] = { { DTYPE_F16, 4e-3 }, { DTYPE_BF16, 3e-2 }, { DTYPE_F169, 1.5e-2 } };
    for (size_t t = 0; t < sizeof types / sizeof *types; ++t) {
        job j = usual;
        j.type = types[t].type;
        j.ranks = 2;
        seen *all = run(&j);
        for (int k = 0; k < COMPRESSED; ++k) {
            double given[COUNT] = { 0 };
            float accounted[COUNT] = { 0 };
            for (int64_t i = 0; i < count_of(k); ++i) {
                for (int step = 0; step < STEPS; ++step) {
                    accounted[i] += all[0].gradient[step][k][i];
                    for (int r = 0; r < 2; ++r) given[i] += (double)gradient_at(&j, r, step, 0, k, i) / 2;
                }
                accounted[i] += (all[0].error[STEPS - 1][k][i] + all[1].error[STEPS - 1][k][i]) / 2;
            }
            double far = distance(accounted, given, count_of(k));
            if (!(far < types[t].tolerance)) fail_msg("%s: %g is lost", dtype_name(j.type), far);
        }
        free(all);
    }
}

/* What one rank sends in a step: its part of each message to each other, and the sums back. */
static void test_bytes_sent(void **state)
{
    (void)state;
    for (int half = 0; half < 2; ++half) {
        job j = usual;
        j.type = half ? DTYPE_F16 : DTYPE_F32;
        j.ranks = 2;
        seen *all = run(&j);
        int64_t whole = 0, sent = 0, bytes = 0;
        for (int k = 0; k < COMPRESSED; ++k) {
            const int64_t n = shape_of(k).dim[0], m = count_of(k) / n;
            whole += n * m;
            sent += RANK * (n + m);
        }
        assert_int_equal(all[0].size.matrices, COMPRESSED);
        assert_int_equal(all[0].size.whole, whole);
        assert_int_equal(all[0].size.sent, sent);
        for (int r = 0; r < 2; ++r) bytes += all[r].sent;
        assert_int_equal(bytes, 2 * STEPS * sent * (int64_t)dtype_bytes(j.type));
        free(all);
    }
}

static void keep_path(char path[64])
{
    snprintf(path, 64, "powersgd-%ld.safetensors", (long)getpid());
}

/* A run goes on bit for bit. */
static void test_checkpoint(void **state)
{
    (void)state;
    char path[64];
    keep_path(path);
    static const dtype types[] = { DTYPE_F32, DTYPE_F169, DTYPE_BF16 };
    for (int ranks = 1; ranks <= 3; ++ranks) {
        job j = usual;
        j.type = types[ranks - 1];
        j.ranks = ranks;
        j.saved = 2;
        j.path = path;
        seen *whole = run(&j);
        j.saved = -1;
        j.resumed = 2;
        seen *resumed = run(&j);
        for (int r = 0; r < ranks; ++r) {
            assert_memory_equal(resumed[r].gradient[2], whole[r].gradient[2],
                                2 * sizeof whole[r].gradient[2]);
            assert_memory_equal(resumed[r].error[2], whole[r].error[2], 2 * sizeof whole[r].error[2]);
        }
        free(whole);
        free(resumed);
    }
    unlink(path);
}

/* What ranks had kept is shared out among however many there are then. */
static void test_sum_of_errors(void **state)
{
    (void)state;
    char path[64];
    keep_path(path);
    job j = usual;
    j.ranks = 3;
    j.steps = 2;
    j.saved = 2;
    j.path = path;
    seen *before = run(&j);
    for (int ranks = 1; ranks <= 4; ++ranks) {
        error err = { 0 };
        rig r;
        if (!rig_open(&r, &j, NULL, &err)) fail_msg("%s", err.message);
        store_set_ranks(r.store, ranks);
        if (!checkpoint_load(r.store, path, NULL, &err)) fail_msg("%s", err.message);
        for (int k = 0; k < COMPRESSED; ++k) {
            float got[COUNT];
            double wanted[COUNT];
            assert_true(store_read_f32(r.store, kin_of(&r, k, STORE_ERROR), got, &err));
            for (int64_t i = 0; i < count_of(k); ++i) {
                wanted[i] = 0;
                for (int from = 0; from < 3; ++from) wanted[i] += (double)before[from].error[1][k][i] / ranks;
            }
            assert_true(distance(got, wanted, count_of(k)) < 2e-6);
        }
        rig_close(&r);
    }
    free(before);
    unlink(path);
}

/* ---- Which gradients, and how much is sent of them ---- */

static void open_planned(rig *r)
{
    error err = { 0 };
    *r = (rig){ 0 };
    if (!(r->device = device_open(NULL, &err)) || !(r->store = store_create(r->device, &err)) ||
        !(r->graph = graph_create(r->store, &err)))
        fail_msg("%s", err.message);
}

static void add_shard(rig *r, powersgd *p, const char *name, int64_t rows, int64_t columns)
{
    const parameter_spec spec = { STORE_PARAMETER, DTYPE_F32, STORE_NORMAL, 1.0f, true, false };
    const int64_t dim[] = { rows, columns };
    char given[32];
    snprintf(given, sizeof given, "given.%s", name);
    tensor *x = graph_parameter(r->graph, name, spec, 2, dim);
    powersgd_add(p, graph_entry_of(x), graph_input(r->graph, given, DTYPE_F32, 2, dim), NULL, 1);
}

/* Table 1 and appendix E.1 of the paper: 1 - 5 r / 8 d of a block's shards on 8 devices. */
static void test_the_papers_rate(void **state)
{
    (void)state;
    static const struct {
        int64_t d, rank;
        double percent;
    } table[] = { { 1920, 512, 83 }, { 2688, 640, 85 }, { 3968, 896, 86 } };
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
        const int64_t d = table[i].d, part = d / 8;
        const powersgd_settings s = { table[i].rank / 8, DTYPE_BF16, NULL };
        rig r;
        open_planned(&r);
        powersgd *p = powersgd_create(r.graph, &s, 6);
        static const char *const attention[] = { "query", "key", "value", "output" };
        for (int k = 0; k < 4; ++k) add_shard(&r, p, attention[k], d, part);
        add_shard(&r, p, "up", d, 4 * part);
        add_shard(&r, p, "down", 4 * part, d);
        powersgd_leave(p, NULL, 1);
        powersgd_exchange(p);
        const powersgd_size size = powersgd_measure(r.store);
        const double rate = 1 - (double)size.sent / (double)size.whole;
        assert_true(fabs(rate - (1 - 5.0 * (double)table[i].rank / (8.0 * (double)d))) < 1e-12);
        assert_true(fabs(100 * rate - table[i].percent) < 0.7);
        rig_close(&r);
    }
}

static void test_what_is_taken(void **state)
{
    (void)state;
    store_entry e = { .rank = 2, .dim = { 12, 20 }, .count = 240 };
    powersgd_settings s = { 0, DTYPE_F32, NULL };
    assert_false(powersgd_takes(&s, &e));
    s.rank = powersgd_rank_most(&e);
    assert_true(s.rank * 32 < 240 && (s.rank + 1) * 32 >= 240);
    assert_true(powersgd_takes(&s, &e));
    ++s.rank;
    assert_false(powersgd_takes(&s, &e));
    s.rank = 1;
    e.wide = true;
    assert_false(powersgd_takes(&s, &e));
    e = (store_entry){ .rank = 1, .dim = { 240 }, .count = 240 };
    assert_false(powersgd_takes(&s, &e));
    e = (store_entry){ .rank = 2, .dim = { 2, 2 }, .count = 4 }; /* as many, not fewer */
    assert_false(powersgd_takes(&s, &e));
    e = (store_entry){ .rank = 4, .dim = { 6, 3, 3, 4 }, .count = 216 };
    s.rank = 5;
    assert_true(powersgd_takes(&s, &e));
}

static void expect_refusal(int64_t rank, bool wide, const char *what)
{
    error err = { 0 };
    rig r;
    open_planned(&r);
    const parameter_spec spec = { STORE_PARAMETER, DTYPE_F32, STORE_NORMAL, 1.0f, true, wide };
    tensor *p = graph_parameter(r.graph, "layer.weight", spec, 2, (int64_t[]){ 12, 20 });
    tensor *loss = op_sum_all(op_square(p));
    graph_backward(r.graph, loss);
    const optimizer_settings s = { .compress = { rank, DTYPE_F32, NULL } };
    optimizer_append(r.graph, loss, &s);
    assert_false(graph_sound(r.graph, &err));
    if (!strstr(err.message, what)) fail_msg("'%s' does not say '%s'", err.message, what);
    rig_close(&r);
}

static void test_what_would_expand_is_refused(void **state)
{
    (void)state;
    expect_refusal(8, false, "use rank=7, at which that of 'layer.weight' still does");
    expect_refusal(8, true, "use compress=none");
}

int main(void)
{
    device_close(device_or_skip());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_taken),
        cmocka_unit_test(test_what_would_expand_is_refused),
        cmocka_unit_test(test_the_papers_rate),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_parts_of_a_batch),
        cmocka_unit_test(test_skipped_step),
        cmocka_unit_test(test_sixteen_bits_lose_nothing),
        cmocka_unit_test(test_bytes_sent),
        cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_sum_of_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
