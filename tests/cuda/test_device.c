/* test_device.c -- what is CUDA's alone among devices, over stand-ins for its libraries (double/double.h):
 * how cards are named, graphs, products and their ends, what is wrong with an installation, and, with the
 * argument "faults", what becomes of each call of the libraries that fails.
 * SPDX-License-Identifier: MIT */
#include "tests/cuda/double/double.h"
#include "host/device/device.h"

#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define COUNT 100

#define MUST(call) \
    do { \
        if (!(call)) fail_msg("%s: %s", #call, err.message); \
    } while (0)

static const cuda_double *stand_in;

static bool find_stand_in(void)
{
    char path[4096];
    const char *folder = getenv("DALLE_CL_CUDA_LIBRARIES");
    snprintf(path, sizeof path, "%s/libcuda.so.1", folder ? folder : ".");
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library) stand_in = dlsym(library, "cuda_double_table");
    if (!stand_in) fprintf(stderr, "no stand-in for CUDA's driver: %s\n", dlerror());
    return stand_in != NULL;
}

static device *open_card(void)
{
    error err = { 0 };
    device *d = device_open("cuda", &err);
    if (!d) fail_msg("%s", err.message);
    return d;
}

/* x = scale x + shift + wide, of COUNT elements. */
static device_launch affine(device_buffer *b, float scale, int shift)
{
    return (device_launch){ .file = "device/selftest",
                            .kernel = "selftest_affine",
                            .options = "-DVEC=1",
                            .label = "affine",
                            .rank = 1,
                            .global = { 8 },
                            .local = { 2 },
                            .arg_count = 5,
                            .args = { { .kind = DEVICE_ARG_BUFFER, .buffer = b },
                                      { .kind = DEVICE_ARG_INT, .integer = COUNT },
                                      { .kind = DEVICE_ARG_FLOAT, .real = scale },
                                      { .kind = DEVICE_ARG_INT, .integer = shift },
                                      { .kind = DEVICE_ARG_LONG, .integer = 0 } } };
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void cards_come_after_others_and_have_names(void **state)
{
    (void)state;
    error err = { 0 };
    device_info *infos = NULL;
    const int count = device_list(&infos, false, &err);
    assert_true(count >= 1);
    const device_info *card = &infos[count - 1];
    assert_string_equal(card->word, "cuda:0");
    assert_string_equal(card->name, "Stand-in card 0");
    assert_string_equal(card->vendor_word, "nvidia");
    assert_string_equal(card->version, "compute capability 9.0");
    assert_string_equal(card->runtime_version, "driver API 12.4, NVRTC 12.4");
    for (int i = 0; i < count - 1; ++i) assert_true(strncmp(infos[i].word, "opencl:", 7) == 0);
    static const char *const names[] = { "cuda", "cuda:0", "CUDA:0", "nvidia", "stand-in" };
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        device *d = device_open(names[i], &err);
        if (!d) fail_msg("%s: %s", names[i], err.message);
        assert_int_equal(device_get_info(d)->index, count - 1);
        assert_true(device_get_info(d)->half_storage && device_get_info(d)->lanes == 32);
        device_close(d);
    }
    assert_null(device_open("cuda:1", &err));
    assert_int_equal(err.code, ERROR_USAGE);
    assert_non_null(strstr(err.message, "no device 'cuda:1'"));
    free(infos);
}

/* ---- Launches -------------------------------------------------------------------------------- */

static float first_of(device *d, const device_buffer *b)
{
    error err = { 0 };
    float x = 0;
    MUST(device_read(d, b, 0, &x, sizeof x, &err));
    return x;
}

static bool add_one(device *d, void *context, error *err)
{
    device_buffer *b = *(device_buffer **)context;
    float x;
    if (!device_read(d, b, 0, &x, sizeof x, err)) return false;
    ++x;
    return device_write(d, b, 0, &x, sizeof x, err);
}

/* The first run is no graph, later ones are; a call stands between two; a longer list has longer ones. */
static void what_runs_again_is_a_graph(void **state)
{
    (void)state;
    error err = { 0 };
    device *d = open_card();
    device_buffer *b = device_buffer_create(d, COUNT * 4, &err), **context = malloc(sizeof *context);
    device_launches *list = device_launches_create(d, &err);
    const device_launch doubled = affine(b, 2, 0), more = affine(b, 1, 5);
    assert_true(b && context && list);
    *context = b;
    MUST(device_launches_add_fill(list, "one", b, 0, COUNT * 4, 0x3f800000u, &err));
    MUST(device_launches_add(list, &doubled, &err) && device_launches_add(list, &more, &err));
    long before = stand_in->replays();
    MUST(device_launches_run(list, 0, 3, &err));
    assert_true(first_of(d, b) == 7 && stand_in->replays() == before);
    MUST(device_launches_repeat(list, 1, 2, 3, &err));
    assert_true(first_of(d, b) == ((7 * 2 + 5) * 2 + 5) * 2 + 5);
    assert_int_equal(stand_in->replays() - before, 2);

    MUST(device_launches_add_call(list, "call", add_one, context, &err));
    MUST(device_launches_add(list, &doubled, &err) && device_launches_add(list, &doubled, &err));
    before = stand_in->replays();
    for (int i = 0; i < 3; ++i) {
        MUST(device_launches_run(list, 0, 6, &err));
        assert_true(first_of(d, b) == (1 * 2 + 5 + 1) * 4);
    }
    assert_int_equal(stand_in->replays() - before, 2 + 3); /* the first three had run before */

    MUST(device_profile_start(d, &err) && device_launches_run(list, 0, 6, &err));
    char *report = device_profile_report(d, &err);
    assert_true(report && strstr(report, "affine") && strstr(report, "call"));
    assert_int_equal(stand_in->replays() - before, 2 + 3);
    free(report);
    device_launches_destroy(list);
    device_buffer_destroy(b);
    device_close(d);
    assert_int_equal(stand_in->alive(), 0);
}

static void sizes_that_a_card_has_not_are_explained(void **state)
{
    (void)state;
    error err = { 0 };
    device *d = open_card();
    device_buffer *b = device_buffer_create(d, COUNT * 4, &err);
    device_launches *list = device_launches_create(d, &err);
    device_launch wide = affine(b, 1, 0), large = affine(b, 1, 0);
    wide.rank = 2;
    wide.global[1] = 70000;
    wide.local[1] = 1;
    large.global[0] = large.local[0] = 2048;
    assert_true(b && list);
    assert_false(device_launches_add(list, &wide, &err));
    assert_non_null(strstr(err.message, "70000 work-groups along axis 1"));
    assert_false(device_launches_add(list, &large, &err));
    assert_non_null(strstr(err.message, "work-groups of 1024"));
    assert_null(device_buffer_create(d, (int64_t)DOUBLE_MEMORY_BYTES + 4, &err));
    assert_int_equal(err.code, ERROR_ROOM);
    device_launches_destroy(list);
    device_buffer_destroy(b);
    device_close(d);
    assert_int_equal(stand_in->alive(), 0);
}

/* ---- Products -------------------------------------------------------------------------------- */

enum { M = 5, N = 7, K = 9, BATCHES = 2 };

typedef struct product {
    dtype in, out;
    bool bias, columns; /* C lies by columns */
    bool a_columns, b_columns;
    int bias_at; /* an element that is not aligned: the library has no such end */
    activation act;
    bool residual, accumulate;
    int batches;
} product;

static float value(int i)
{
    return (float)((i * 37 + 11) % 17 - 8) / 8.0f;
}

static device_buffer *filled(device *d, dtype type, int count, int salt)
{
    error err = { 0 };
    char host[4 * 1024];
    for (int i = 0; i < count; ++i) dtype_store(type, host, i, value(i + salt));
    const int64_t bytes = count * (int64_t)dtype_bytes(type);
    device_buffer *b = device_buffer_create(d, bytes, &err);
    MUST(b && device_write(d, b, 0, host, bytes, &err));
    return b;
}

static double wanted(const product *p, int batch, int m, int n, int at)
{
    double sum = 0;
    for (int k = 0; k < K; ++k)
        sum += (double)value(batch * M * K + (p->a_columns ? k * M + m : m * K + k) + 1) *
               (double)value(batch * K * N + (p->b_columns ? n * K + k : k * N + n) + 2);
    if (p->bias) sum += (double)value(p->bias_at + n + 4);
    if (p->act == ACTIVATION_RELU && sum < 0) sum = 0;
    if (p->residual) sum += (double)value(at + 5);
    if (p->accumulate) sum += (double)value(at + 3);
    return sum;
}

static int check_product(device *d, const product *p)
{
    error err = { 0 };
    const int each = M * N, batches = p->batches;
    gemm_desc g = {
        .m = M, .n = N, .k = K, .batch = { batches, 1 }, .alpha = 1, .accumulate = p->accumulate
    };
    g.a = (gemm_operand){
        .type = p->in, .row = p->a_columns ? 1 : K, .column = p->a_columns ? M : 1, .batch = { M * K, 0 }
    };
    g.b = (gemm_operand){
        .type = p->in, .row = p->b_columns ? 1 : N, .column = p->b_columns ? K : 1, .batch = { K * N, 0 }
    };
    g.c = (gemm_operand){
        .type = p->out, .row = p->columns ? 1 : N, .column = p->columns ? M : 1, .batch = { each, 0 }
    };
    g.bias = p->bias;
    g.bias_type = p->out;
    g.activation = p->act;
    g.residual = p->residual;
    gemm_plan *plan = gemm_plan_create_with(d, "cublaslt", &g, &err);
    if (!plan) fail_msg("%s", err.message);
    const int64_t work = gemm_plan_workspace_bytes(plan);
    const gemm_buffers buffers = { .a = filled(d, p->in, batches * M * K, 1),
                                   .b = filled(d, p->in, batches * K * N, 2),
                                   .c = filled(d, p->out, batches * each, 3),
                                   .bias = filled(d, p->out, p->bias_at + N, 4),
                                   .bias_offset = p->bias_at,
                                   .residual = filled(d, p->out, batches * each, 5),
                                   .workspace = work ? device_buffer_create(d, work, &err) : NULL };
    device_launches *list = device_launches_create(d, &err);
    MUST(list && gemm_plan_record(plan, list, "product", &buffers, &err));
    MUST(device_launches_run(list, 0, device_launches_count(list), &err));
    char got[4 * BATCHES * M * N];
    MUST(device_read(d, buffers.c, 0, got, batches * each * (int64_t)dtype_bytes(p->out), &err));
    const double allowed = p->out == DTYPE_F32 ? 1e-5 : p->out == DTYPE_F16 ? 4e-3 : 3e-2;
    for (int batch = 0; batch < batches; ++batch)
        for (int m = 0; m < M; ++m)
            for (int n = 0; n < N; ++n) {
                const int at = batch * each + (p->columns ? n * M + m : m * N + n);
                const double right = wanted(p, batch, m, n, at), found = (double)dtype_load(p->out, got, at);
                if (!(fabs(found - right) <= allowed * (1 + fabs(right))))
                    fail_msg("%s to %s, bias %d, act %d, [%d][%d][%d]: %g, not %g", dtype_name(p->in),
                             dtype_name(p->out), p->bias, (int)p->act, batch, m, n, found, right);
            }
    const int launches = device_launches_count(list);
    device_launches_destroy(list);
    gemm_plan_destroy(plan);
    device_buffer *const all[] = { buffers.a,    buffers.b,        buffers.c,
                                   buffers.bias, buffers.residual, buffers.workspace };
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) device_buffer_destroy(all[i]);
    return launches;
}

/* How many launches a product takes says who ends it. */
static void products_and_their_ends(void **state)
{
    (void)state;
    static const struct {
        product p;
        int launches;
    } cases[] = {
        { { .in = DTYPE_F32, .out = DTYPE_F32, .batches = 1 }, 1 },
        { { .in = DTYPE_F32, .out = DTYPE_F32, .batches = 2, .columns = true }, 1 },
        { { .in = DTYPE_F16, .out = DTYPE_F16, .batches = 2, .accumulate = true }, 1 },
        { { .in = DTYPE_BF16, .out = DTYPE_F32, .batches = 1 }, 1 },
        { { .in = DTYPE_F32, .out = DTYPE_F32, .batches = 1, .a_columns = true }, 1 },
        { { .in = DTYPE_F16, .out = DTYPE_F32, .batches = 2, .b_columns = true }, 1 },
        { { .in = DTYPE_F32, .out = DTYPE_F32, .batches = 1, .a_columns = true, .columns = true }, 1 },
        { { .in = DTYPE_F32, .out = DTYPE_F32, .batches = 1, .bias = true }, 1 },
        { { .in = DTYPE_BF16, .out = DTYPE_BF16, .batches = 2, .bias = true, .act = ACTIVATION_RELU }, 1 },
        { { .in = DTYPE_F16, .out = DTYPE_F16, .batches = 1, .act = ACTIVATION_RELU }, 1 },
        { { .in = DTYPE_F16, .out = DTYPE_F16, .batches = 1, .bias = true, .bias_at = 3 }, 2 },
        { { .in = DTYPE_F32, .out = DTYPE_F32, .batches = 1, .bias = true, .columns = true }, 2 },
        { { .in = DTYPE_F16, .out = DTYPE_F16, .batches = 1, .bias = true, .residual = true }, 2 },
        { { .in = DTYPE_F32, .out = DTYPE_F16, .batches = 1 }, 2 },
    };
    device *d = open_card();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const int launches = check_product(d, &cases[i].p);
        if (launches != cases[i].launches)
            fail_msg("case %zu takes %d launches, not %d", i, launches, cases[i].launches);
    }
    device_close(d);
    assert_int_equal(stand_in->alive(), 0);
}

/* ---- Installations that are wrong ------------------------------------------------------------ */

/* This program in a process of its own, whose words are compared. */
static void expect_words(const char *setting, const char *libraries, const char *selector, const char *words)
{
    int ends[2], status = -1;
    char got[2048];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        setenv("CUDA_DOUBLE", setting, 1);
        setenv("DALLE_CL_CACHE", "off", 1);
        if (libraries) setenv("DALLE_CL_CUDA_LIBRARIES", libraries, 1);
        dup2(ends[1], STDOUT_FILENO);
        execl("/proc/self/exe", "test_device", "open", selector, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    size_t used = 0;
    for (ssize_t n; (n = read(ends[0], got + used, sizeof got - 1 - used)) > 0;) used += (size_t)n;
    got[used] = 0;
    close(ends[0]);
    assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    if (WEXITSTATUS(status) != 1 || !strstr(got, words))
        fail_msg("'%s' with '%s': status %d, '%s', where '%s' was expected", selector, setting,
                 WEXITSTATUS(status), got, words);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    char without_blas[] = "/tmp/dalle-cl-cuda-XXXXXX", command[5000];
    expect_words("", "/nonexistent", "cuda", "no device 'cuda': CUDA's driver is not there");
    expect_words("cards=0", NULL, "cuda", "CUDA_ERROR_NO_DEVICE (100); the driver finds no card");
    expect_words("fail=cuInit:803", NULL, "cuda:0", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH");
    expect_words("mode=2", NULL, "cuda", "its compute mode is 'prohibited'");
    expect_words("fail=cuDevicePrimaryCtxRetain:46", NULL, "cuda", "another program holds the card");
    expect_words("fail=cuMemAlloc_v2:2", NULL, "cuda", "CUDA_ERROR_OUT_OF_MEMORY (2); the device or the");
    expect_words("capability=120 fail=cuModuleLoadData:222", NULL, "cuda",
                 "CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222); the driver is older than the compiler's code");
    expect_words("capability=61", NULL, "cuda", "compute capability 7.5 and newer, the card has 6.1");
    assert_non_null(mkdtemp(without_blas));
    snprintf(command, sizeof command, "ln -s %s/libcuda.so.1 %s", getenv("DALLE_CL_CUDA_LIBRARIES"),
             without_blas);
    assert_int_equal(system(command), 0);
    expect_words("", without_blas, "cuda", "libnvrtc is not there");
    snprintf(command, sizeof command, "rm -r %s", without_blas);
    assert_int_equal(system(command), 0);
}

static int open_and_say(const char *selector)
{
    error err = { 0 };
    device *d = device_open(selector, &err);
    printf("%s\n", d ? device_get_info(d)->name : err.message);
    device_close(d);
    return d ? 0 : 1;
}

/* ---- Calls that fail ------------------------------------------------------------------------- */

/* Of everything something: kernel, copy, fill, a graph, a product, events on both queues. */
static bool scenario(float *result, error *err)
{
    float *host = malloc(COUNT * sizeof *host), twice[COUNT];
    bool ok = false;
    device_buffer *a = NULL, *b = NULL, *work = NULL;
    device_launches *list = NULL;
    device_event *written = NULL, *behind = NULL;
    gemm_plan *plan = NULL;
    gemm_desc g = { .m = 5, .n = 4, .k = 5, .batch = { 1, 1 }, .alpha = 1, .bias = true };
    g.a = (gemm_operand){ .type = DTYPE_F32, .row = 5, .column = 1 };
    g.b = g.c = (gemm_operand){ .type = DTYPE_F32, .row = 4, .column = 1 };
    assert_non_null(host);
    for (int i = 0; i < COUNT; ++i) host[i] = 1;
    device *d = device_open("cuda", err);
    if (!d) goto cleanup;
    a = device_buffer_create(d, sizeof twice, err);
    b = a ? device_buffer_create(d, sizeof twice, err) : NULL;
    list = b ? device_launches_create(d, err) : NULL;
    plan = list ? gemm_plan_create_with(d, "cublaslt", &g, err) : NULL;
    if (!plan) goto cleanup;
    const device_launch launch = affine(a, 2, 1);
    const int64_t bytes = gemm_plan_workspace_bytes(plan);
    work = bytes ? device_buffer_create(d, bytes, err) : NULL;
    const gemm_buffers buffers = { .a = a, .b = a, .c = b, .bias = a, .bias_offset = 40, .workspace = work };
    if ((bytes && !work) || !device_launches_add(list, &launch, err) ||
        !gemm_plan_record(plan, list, "product", &buffers, err) ||
        !device_launches_add_copy(list, "copy", b, 100, b, 0, 80, err) ||
        !device_launches_add_fill(list, "fill", b, 0, 4, 0, err))
        goto cleanup;
    written = device_write_begin(d, DEVICE_TRANSFER, a, 0, host, sizeof twice, NULL, err);
    if (!written) { /* then nothing may read there any more */
        device_free_host(d, host);
        host = NULL;
    }
    if (!written || !device_queue_wait(d, DEVICE_COMPUTE, written, err) ||
        !device_launches_repeat(list, 0, device_launches_count(list), 3, err) ||
        !(behind = device_event_record(d, DEVICE_COMPUTE, err)) || !device_event_wait(behind, err) ||
        !device_read(d, b, 0, twice, sizeof twice, err) || !device_finish(d, err))
        goto cleanup;
    *result = twice[0] + twice[25]; /* 15 * 15 * 5 + 15 */
    ok = true;
cleanup:
    if (d && !ok && written) device_event_wait(written, NULL);
    device_event_release(written);
    device_event_release(behind);
    device_launches_destroy(list);
    gemm_plan_destroy(plan);
    device_buffer_destroy(work);
    device_buffer_destroy(b);
    device_buffer_destroy(a);
    device_close(d);
    free(host);
    return ok;
}

/* A failure ends in an error that names a status, or is made up for with the right result; either way
 * everything is given back. */
static void walk_point(long point, int status, bool always)
{
    error err = { 0 };
    float result = 0;
    stand_in->plan(point, status, always);
    const bool ok = scenario(&result, &err);
    char failed[64];
    snprintf(failed, sizeof failed, "%s", stand_in->failed());
    stand_in->plan(0, 0, false);
    if (ok && result != 15 * 15 * 5 + 15)
        fail_msg("call %ld (%s) fails with %d: the result is %g", point, failed, status, (double)result);
    if (!ok && !strstr(err.message, "; ")) fail_msg("call %ld (%s): '%s'", point, failed, err.message);
    if (stand_in->alive() != 0)
        fail_msg("call %ld (%s) fails with %d: %ld things are left (%s)", point, failed, status,
                 stand_in->alive(), err.message);
}

static void each_call_may_fail(void **state)
{
    (void)state;
    error err = { 0 };
    float result = 0;
    MUST(scenario(&result, &err)); /* fills the cache */
    stand_in->plan(0, 0, false);
    MUST(scenario(&result, &err));
    assert_true(result == 15 * 15 * 5 + 15);
    assert_int_equal(stand_in->alive(), 0);
    const long calls = stand_in->calls();
    assert_true(calls > 60);
    for (long point = 1; point <= calls; ++point) {
        walk_point(point, 2, false);
        walk_point(point, 719, true);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "open") == 0) return open_and_say(argv[2]);
    if (!find_stand_in()) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cards_come_after_others_and_have_names),
        cmocka_unit_test(what_runs_again_is_a_graph),
        cmocka_unit_test(sizes_that_a_card_has_not_are_explained),
        cmocka_unit_test(products_and_their_ends),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    const struct CMUnitTest faults[] = { cmocka_unit_test(each_call_may_fail) };
    if (argc == 2 && strcmp(argv[1], "faults") == 0) return cmocka_run_group_tests(faults, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
