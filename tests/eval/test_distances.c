/* test_distances.c -- which distances of Inception's features an evaluation has, of how many pictures, and
 * what it says where there are few.  The features are made up; the network only names itself.
 * SPDX-License-Identifier: MIT */
#include "app/eval/internal.h"
#include "app/eval/mmd.h"
#include "tests/eval/thin_weights.h"
#include "tests/support/device_or_skip.h"

#include <unistd.h>

enum { WIDTH = 4 };

typedef struct rig {
    device *device;
    inception *network;
    evaluation_options options;
    evaluation out;
    eval_work work;
    int64_t told;
} rig;

static void tell(void *context, const char *what, int64_t done, int64_t all)
{
    rig *r = context;
    assert_non_null(strstr(what, "KID"));
    assert_true(done == r->told + 1 && all == 100);
    r->told = done;
}

static void put(eval_seen *s, const char *name, int64_t count, float scale)
{
    float *rows = rule_features(name, count, WIDTH), *to;
    for (int64_t i = 0; i < count * WIDTH; ++i) rows[i] *= scale;
    s->pooled.width = WIDTH;
    OK(s->moments = frechet_moments_create(WIDTH, &rule_error));
    OK(frechet_moments_add(s->moments, rows, count, &rule_error));
    if (count) {
        OK(to = features_add(&s->pooled, count, &rule_error));
        memcpy(to, rows, (size_t)(count * WIDTH) * sizeof *to);
    }
    free(rows);
}

/* Reconstructions and drawings of so many pictures. */
static void measure(rig *r, int64_t real, int64_t again, int64_t drawn)
{
    r->out = (evaluation){ 0 };
    r->options = (evaluation_options){ .tell = tell, .context = r };
    r->work = (eval_work){ .o = &r->options, .device = r->device, .out = &r->out, .network = r->network };
    r->told = 0;
    put(&r->work.seen[EVAL_REAL], "real", real, 1);
    put(&r->work.seen[EVAL_AGAIN], "again", again, 1.25f);
    put(&r->work.seen[EVAL_DRAWN], "drawn", drawn, 2);
    OK(eval_distances(&r->work, &rule_error));
}

static void forget(rig *r)
{
    for (int i = 0; i < EVAL_SHOWN; ++i) {
        features_free(&r->work.seen[i].pooled);
        frechet_moments_destroy(r->work.seen[i].moments);
    }
    figures_free(&r->out.figures);
}

static const figure *found(const rig *r, const char *name)
{
    return figures_find(&r->out.figures, "distance", name);
}

static bool noted(const rig *r, const char *what)
{
    for (int i = 0; i < r->out.figures.note_count; ++i)
        if (strstr(r->out.figures.notes[i], what)) return true;
    return false;
}

static double all_at_once(const rig *r, eval_shown which)
{
    const features *a = &r->work.seen[EVAL_REAL].pooled, *b = &r->work.seen[which].pooled;
    const mmd_sets s = { a->at, b->at, a->count, b->count, WIDTH };
    mmd_figures f;
    OK(mmd_polynomial(&s, &f, &rule_error));
    return f.unbiased;
}

static void test_few(void **state)
{
    rig *r = *state;
    measure(r, 9, 7, 0);
    const figure *kid = found(r, "kid_reconstructions");
    assert_non_null(kid);
    rule_near("KID of few", kid->value, all_at_once(r, EVAL_AGAIN), 1e-12);
    assert_true(isnan(kid->error) && kid->count == 7 &&
                !kid->biased); /* the estimate is unbiased of any number */
    assert_true(noted(r, "KID of reconstructions: of 9 and 7 pictures"));
    assert_true(noted(r, "100 subsets of 1000 pictures"));
    assert_non_null(found(r, "fid_reconstructions"));
    assert_true(found(r, "fid_reconstructions")->biased);
    assert_null(found(r, "kid_drawings"));
    assert_int_equal(r->told, 0);
    forget(r);
}

static void test_one(void **state)
{
    rig *r = *state;
    measure(r, 1, 1, 3);
    assert_null(found(r, "kid_reconstructions"));
    assert_null(found(r, "kid_drawings"));
    assert_true(noted(r, "needs two pictures of each set at least; there are 1 and 3"));
    assert_false(noted(r, "KID"));
    forget(r);
}

/* As torch-fidelity's: the mean of 100 subsets of 1,000, and how far they are apart. */
static void test_enough(void **state)
{
    rig *r = *state;
    if (getenv("DALLE_CL_TINY")) return;
    measure(r, 1000, 999, 1001);
    const figure *drawn = found(r, "kid_drawings"), *again = found(r, "kid_reconstructions");
    assert_non_null(drawn);
    assert_non_null(again);
    assert_int_equal(r->told, 100);
    assert_true(drawn->error > 0 && drawn->error < 0.01 * drawn->value);
    rule_near("KID of many", drawn->value, all_at_once(r, EVAL_DRAWN), 0.01 * drawn->value);
    assert_true(isnan(again->error) && noted(r, "KID of reconstructions") && !noted(r, "KID of drawings"));
    forget(r);
}

static int set_up(void **state)
{
    static rig r;
    char path[] = "dalle-distances-XXXXXX";
    const int file = mkstemp(path);
    if (file < 0 || !(r.device = device_open(NULL, &rule_error))) return -1;
    close(file);
    thin_weights_write(r.device, path, &(thin_damage){ 0 });
    r.network =
        inception_open(r.device, path, &(inception_options){ .batch = 1, .thinner = THIN_BY }, &rule_error);
    unlink(path);
    *state = &r;
    return r.network ? 0 : -1;
}

static int tear_down(void **state)
{
    rig *r = *state;
    inception_close(r->network);
    device_close(r->device);
    return 0;
}

int main(void)
{
    device_close(device_or_skip());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few),
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_enough),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
