/* test_kernels.c -- kernels as CUDA C++ on the host: what the header makes of types, vectors, local memory
 * and barriers, against the host's own.  Skipped where there is no C++ compiler when tests run.
 * SPDX-License-Identifier: MIT */
#include "tests/cuda/double/compile.h"
#include "tests/cuda/double/run.h"
#include "host/device/cuda/translate.h"
#include "host/device/source.h"
#include "host/base/dtype.h"
#include "host/base/philox.h"

#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define OPTIONS_MOST 8

/* A kernel of a text, from a library that stays open until the test ends. */
static cuda_entry *entry_of(const char *text, const char *name, const char *kernel, const char *options)
{
    static int made;
    char path[64], symbol[128], words[512], log[2000];
    const char *list[OPTIONS_MOST];
    int count = 0;
    error err = { 0 };
    char *translated = cuda_translate(text, name, &err);
    assert_non_null(translated);
    snprintf(words, sizeof words, "%s", options);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) list[count++] = word;
    snprintf(path, sizeof path, "/tmp/cuda_kernels.%d.%d.so", (int)getpid(), ++made);
    if (!double_compile(translated, count, list, path, log, sizeof log))
        fail_msg("%s %s: %s", name, options, log);
    free(translated);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    unlink(path);
    if (!library) fail_msg("%s", dlerror());
    snprintf(symbol, sizeof symbol, "%s_launch", kernel);
    void *found = dlsym(library, symbol);
    cuda_entry *entry;
    memcpy(&entry, &found, sizeof entry);
    if (!entry) fail_msg("%s: no %s", name, symbol);
    return entry;
}

static cuda_entry *entry(const char *file, const char *kernel, const char *options)
{
    error err = { 0 };
    char *source = source_load(file, &err);
    assert_non_null(source);
    source_keep(source, kernel);
    cuda_entry *found = entry_of(source, file, kernel, options);
    free(source);
    return found;
}

static uint32_t bits_of(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* ---- Types: every value of sixteen bits, and floats around them, as the host has them ---- */

enum { CODES = 65536 };

static bool same(float a, float b)
{
    return bits_of(a) == bits_of(b) || (isnan(a) && isnan(b));
}

static void check_loads(dtype type, const char *options)
{
    uint16_t *codes = malloc(CODES * sizeof *codes);
    float *values = calloc(CODES, sizeof *values);
    long none = 0;
    int count = CODES;
    void *arguments[] = { &values, &none, &codes, &none, &count };
    for (int i = 0; i < CODES; ++i) codes[i] = (uint16_t)i;
    entry("device/selftest", "selftest_load", options)((unsigned[]){ 3, 1, 1 }, (unsigned[]){ 32, 1, 1 },
                                                       arguments);
    for (int i = 0; i < CODES; ++i)
        if (!same(values[i], dtype_load(type, codes, i)))
            fail_msg("%s %x: %a, not %a", options, (unsigned)i, (double)values[i],
                     (double)dtype_load(type, codes, i));
    free(codes);
    free(values);
}

static void check_stores(dtype type, const char *options)
{
    float *values = malloc(CODES * sizeof *values);
    unsigned char *stored = calloc(CODES, 4), *expected = calloc(CODES, 4);
    long none = 0;
    int count = CODES;
    void *arguments[] = { &stored, &none, &values, &none, &count };
    for (uint32_t i = 0; i < CODES; ++i) { /* exponents of all sizes, ties and their neighbours */
        const uint32_t bits = i << 16 | ((i * 7u & 3u) == 0 ? 0x8000u : (i * 40503u & 0xffffu));
        memcpy(&values[i], &bits, sizeof bits);
        if (isnan(values[i])) values[i] = 0.0f;
        if (i % 5 == 0) values[i] = 0.25f * (float)((int)i % 1200 - 50);
        dtype_store(type, expected, i, values[i]);
    }
    entry("device/selftest", "selftest_store", options)((unsigned[]){ 3, 1, 1 }, (unsigned[]){ 32, 1, 1 },
                                                        arguments);
    for (int64_t i = 0; i < CODES; ++i)
        if (memcmp(stored + i * (int64_t)dtype_bytes(type), expected + i * (int64_t)dtype_bytes(type),
                   dtype_bytes(type)) != 0)
            fail_msg("%s %a: %a, not %a", options, (double)values[i], (double)dtype_load(type, stored, i),
                     (double)dtype_load(type, expected, i));
    free(values);
    free(stored);
    free(expected);
}

static void test_types(void **state)
{
    (void)state;
    check_loads(DTYPE_F16, "-DX_STORE=STORE_F16 -DLANES=32 -DVEC=4");
    check_stores(DTYPE_F16, "-DX_STORE=STORE_F16 -DLANES=32 -DVEC=16");
    check_loads(DTYPE_BF16, "-DX_STORE=STORE_BF16 -DLANES=32 -DVEC=1");
    check_stores(DTYPE_F169, "-DX_STORE=STORE_F169 -DLANES=32 -DVEC=8");
    check_stores(DTYPE_U8, "-DX_STORE=STORE_U8 -DLANES=32 -DVEC=4");
    check_stores(DTYPE_I32, "-DX_STORE=STORE_I32 -DLANES=32 -DVEC=2");
}

/* ---- Places and arguments ---- */

static void test_axes(void **state)
{
    (void)state;
    float y[2 * 3 * 4 + 1] = { 0 }, *p = y;
    long offset = 1;
    void *arguments[] = { &p, &offset };
    entry("device/selftest", "selftest_axes", "-DLANES=1 -DVEC=4")((unsigned[]){ 4, 3, 2 },
                                                                   (unsigned[]){ 1, 1, 1 }, arguments);
    for (int z = 0; z < 2; ++z)
        for (int r = 0; r < 3; ++r)
            for (int x = 0; x < 4; ++x)
                assert_int_equal((int)y[1 + (z * 3 + r) * 4 + x], x + 10 * r + 100 * z);
}

/* ---- Local memory and barriers ---- */

static void test_softmax(void **state)
{
    (void)state;
    enum { ROWS = 3, COLUMNS = 157 };
    float x[ROWS * COLUMNS], y[ROWS * COLUMNS + 16], *to = y, *from = x;
    long none = 0;
    int columns = COLUMNS;
    void *arguments[] = { &to, &none, &from, &none, &columns };
    for (int i = 0; i < ROWS * COLUMNS; ++i) x[i] = (float)(i * 37 % 101) * 0.1f - 4.0f;
    entry("ops/softmax", "softmax_forward", "-DLANES=32 -DVEC=4")((unsigned[]){ ROWS, 1, 1 },
                                                                  (unsigned[]){ 32, 1, 1 }, arguments);
    for (int r = 0; r < ROWS; ++r) {
        double sum = 0.0;
        for (int c = 0; c < COLUMNS; ++c) sum += exp((double)x[r * COLUMNS + c]);
        for (int c = 0; c < COLUMNS; ++c)
            assert_true(fabs((double)y[r * COLUMNS + c] - exp((double)x[r * COLUMNS + c]) / sum) < 1e-7);
    }
}

/* The lowest index of the largest: each lane, each place of a vector and the tree have their part in it. */
static void test_argmax(void **state)
{
    (void)state;
    enum { ROWS = 4, COLUMNS = 1003 };
    static float x[ROWS * COLUMNS];
    float *from = x;
    int found[ROWS], *to = found, columns = COLUMNS;
    const int first[ROWS] = { 0, 517, 1001, 63 };
    long none = 0;
    void *arguments[] = { &to, &none, &from, &none, &columns };
    for (int i = 0; i < ROWS * COLUMNS; ++i) x[i] = -(float)(i % 89);
    for (int r = 0; r < ROWS; ++r) {
        x[r * COLUMNS + first[r]] = 2.0f;
        if (r != 2) x[r * COLUMNS + first[r] + 300] = 2.0f;
    }
    entry("ops/argmax", "argmax_forward", "-DLANES=64 -DVEC=8")((unsigned[]){ ROWS, 1, 1 },
                                                                (unsigned[]){ 64, 1, 1 }, arguments);
    for (int r = 0; r < ROWS; ++r) assert_int_equal(found[r], first[r]);
}

static void test_divergence(void **state)
{
    (void)state;
    cuda_entry *some = entry_of("__kernel void some(const int from)\n{\n"
                                "    if ((int)get_local_id(0) >= from) barrier(CLK_LOCAL_MEM_FENCE);\n}\n",
                                "device/some", "some", "-DLANES=8");
    int from = 0;
    void *arguments[] = { &from };
    some((unsigned[]){ 2, 1, 1 }, (unsigned[]){ 8, 1, 1 }, arguments); /* all wait */
    from = 8;
    some((unsigned[]){ 2, 1, 1 }, (unsigned[]){ 8, 1, 1 }, arguments); /* none does */
    const pid_t child = fork();
    if (child == 0) {
        from = 3;
        if (!freopen("/dev/null", "w", stderr)) _exit(1);
        signal(SIGABRT, SIG_DFL); /* which cmocka has caught */
        some((unsigned[]){ 2, 1, 1 }, (unsigned[]){ 8, 1, 1 }, arguments);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* ---- Vectors of integers ---- */

static void test_random(void **state)
{
    (void)state;
    enum { COUNT = 32 };
    const philox p = { 0x123456789abcdefull, 5, philox_stream("some") };
    int control[4] = { (int)(p.seed & 0xffffffffu), (int)(p.seed >> 32), (int)p.step, 2 }, *random = control;
    float x[COUNT], y[COUNT], *from = x, *to = y, probability = 0.4f, scale = 1.0f;
    long none = 0;
    int count = COUNT, sample = 16;
    uint32_t stream = p.stream;
    void *arguments[] = { &to,    &none,   &from,   &none,        &random, &none,
                          &count, &sample, &stream, &probability, &scale };
    for (int i = 0; i < COUNT; ++i) x[i] = (float)(i + 1);
    const char *const widths[] = { "-DLANES=1 -DVEC=16", "-DLANES=1 -DVEC=4" };
    for (int w = 0; w < 2; ++w) {
        entry("ops/dropout", "dropout_forward", widths[w])((unsigned[]){ 1, 1, 1 }, (unsigned[]){ 1, 1, 1 },
                                                           arguments);
        for (uint32_t i = 0; i < COUNT; ++i)
            assert_int_equal((int)y[i], philox_uniform(&p, 2u * 16u + i) >= probability ? (int)i + 1 : 0);
    }
}

/* A comparison that is true is -1, so that its bits select and `&&` and `?:` are what OpenCL has of them. */
static void test_comparisons(void **state)
{
    (void)state;
    enum { COUNT = 16 };
    float x[COUNT], dy[COUNT], dx[COUNT], *px = x, *pdy = dy, *pdx = dx, low = -1.0f, high = 2.0f;
    long none = 0;
    int count = COUNT;
    void *arguments[] = { &pdx, &none, &px, &none, &pdy, &none, &low, &high, &count };
    for (int i = 0; i < COUNT; ++i) {
        x[i] = 0.5f * (float)(i - 6);
        dy[i] = (float)(i + 1);
    }
    entry("ops/unary", "unary_backward",
          "-DFUNCTION=CLAMP -DLANES=1 -DVEC=8")((unsigned[]){ 1, 1, 1 }, (unsigned[]){ 1, 1, 1 }, arguments);
    for (int i = 0; i < COUNT; ++i) assert_int_equal((int)dx[i], x[i] >= low && x[i] <= high ? i + 1 : 0);
}

int main(void)
{
    if (system(CUDA_DOUBLE_COMPILER " --version >/dev/null 2>&1") != 0) {
        printf("skipped: '%s' is not there to compile kernels with\n", CUDA_DOUBLE_COMPILER);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),       cmocka_unit_test(test_axes),       cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_argmax),      cmocka_unit_test(test_divergence), cmocka_unit_test(test_random),
        cmocka_unit_test(test_comparisons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
