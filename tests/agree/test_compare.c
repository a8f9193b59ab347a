/* test_compare.c -- the comparer passes what agrees and fails what does not: recordings doctored in one
 * place each.
 * SPDX-License-Identifier: MIT */
#include "tests/agree/recording.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { TOKENS = 4, WEIGHTS = 5 };

typedef struct content {
    float loss[STEPS], norm[STEPS], before[WEIGHTS], gradient[WEIGHTS], bias[1], after[WEIGHTS];
    int32_t tokens[2 * TOKENS], other[2 * TOKENS];
    float top[2 * TOKENS], second[2 * TOKENS], most[2 * TOKENS];
    const char *kernels;
    bool no_gradient;
} content;

static const content good = {
    .loss = { 2.0f, 1.5f, 1.25f },
    .norm = { 1.0f, 0.5f, 0.25f },
    .before = { 1, 2, 3, 4, 5 },
    .gradient = { 0.1f, -0.2f, 0.3f, 0, 0 },
    .bias = { 1e-12f },
    .after = { 1.1f, 2.2f, 2.9f, 4, 5.1f },
    .tokens = { 1, 2, 3, 4, 5, 6, 7, 0 },
    .other = { 2, 3, 4, 5, 6, 7, 0, 1 },
    .top = { 8, 8, 8, 8, 8, 8, 8, 8 },
    .second = { 1, 1, 7.9999f, 1, 1, 1, 1, 1 },
    .most = { 9, 9, 9, 9, 9, 9, 9, 9 },
    .kernels = "the same",
};

static void write_recording(const content *c, const char *path)
{
    error err = { 0 };
    const int64_t steps = STEPS, weights = WEIGHTS, one = 1, tokens[2] = { 2, TOKENS };
    safetensors_writer *w = safetensors_writer_create();
#define ADD(name, type, rank, dim, field) \
    safetensors_add(w, "m." name, DTYPE_##type, rank, dim, c->field, sizeof c->field, &err)
    bool ok = w && ADD("loss", F32, 1, &steps, loss) && ADD("norm", F32, 1, &steps, norm) &&
              ADD("before.w", F32, 1, &weights, before) && ADD("after.w", F32, 1, &weights, after) &&
              (c->no_gradient || ADD("gradient.w", F32, 1, &weights, gradient)) &&
              ADD("gradient.b", F32, 1, &one, bias) && ADD("tokens", I32, 2, tokens, tokens) &&
              ADD("other", I32, 2, tokens, other) && ADD("top", F32, 2, tokens, top) &&
              ADD("second", F32, 2, tokens, second) && ADD("most", F32, 2, tokens, most) &&
              safetensors_add_metadata(w, "kernels", c->kernels, &err) &&
              safetensors_add_metadata(w, "what", "full", &err) && safetensors_write(w, path, &err);
#undef ADD
    if (!ok) fail_msg("%s", err.message);
    safetensors_writer_destroy(w);
}

/* The comparer's exit status for `good` as reference and `c` as the other. */
static int compared(const content *c)
{
    int status = 0;
    write_recording(&good, "compare-reference.safetensors");
    write_recording(c, "compare-other.safetensors");
    pid_t child = fork();
    if (child == 0) {
        execl(COMPARE, "agree_compare", "compare-reference.safetensors", "compare-other.safetensors",
              (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    unlink("compare-reference.safetensors");
    unlink("compare-other.safetensors");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_what_agrees(void **state)
{
    (void)state;
    content c = good;
    assert_int_equal(compared(&c), 0);
    c.loss[1] *= 1.00005f;
    c.norm[2] *= 0.99995f;
    c.gradient[1] += 2e-5f;
    c.bias[0] = -1e-10f; /* nothing but rounding */
    c.after[3] += 5e-4f;
    assert_int_equal(compared(&c), 0);
}

static void test_training_that_differs(void **state)
{
    (void)state;
#define DIFFERS(change) \
    do { \
        content c = good; \
        change; \
        if (compared(&c) != 1) fail_msg("passed: %s", #change); \
    } while (0)
    DIFFERS(c.loss[0] *= 1.0002f);
    DIFFERS(c.loss[2] = NAN);
    DIFFERS(c.norm[1] *= 0.9998f);
    DIFFERS(c.gradient[3] += 4e-5f);
    DIFFERS(c.gradient[0] = NAN);
    DIFFERS(c.bias[0] = 1e-5f);
    DIFFERS(c.after[0] += 5e-3f);
    DIFFERS(c.after[4] = NAN);
    DIFFERS(c.before[2] += 1e-6f);
    DIFFERS(c.no_gradient = true);
    DIFFERS(c.kernels = "others");
}

static void test_tokens_that_differ(void **state)
{
    (void)state;
    DIFFERS(c.tokens[0] = 2);
    DIFFERS(c.tokens[6] = 0);
    DIFFERS(c.tokens[2] = 7); /* near, but no token of the two */
    DIFFERS(c.tokens[2] = 4; c.tokens[5] = 1);
    content c = good;
    c.tokens[2] = 4; /* the second, as near as that */
    c.tokens[3] = 9; /* what follows is another drawing */
    assert_int_equal(compared(&c), 0);
}

static void test_no_recording(void **state)
{
    (void)state;
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        execl(COMPARE, "agree_compare", "no-such-file", "no-such-file", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_agrees),
        cmocka_unit_test(test_training_that_differs),
        cmocka_unit_test(test_tokens_that_differ),
        cmocka_unit_test(test_no_recording),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
