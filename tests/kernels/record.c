/* record.c -- writes down every kernel launch of every preset and of every operator's tests on one dry
 * device: record_kernels DEVICE OUT.  launched.sh sorts the lines and compares them with launched.txt.
 *
 * Presets: training step, validation, encoding, decoding, drawing, of each size, the paper's too.
 * Operators: their tests run with a dry device, whose numbers are wrong; what they launch is not, and
 * covers the storage types that no preset uses.
 * SPDX-License-Identifier: MIT */
#include "models/fit.h"
#include "tests/kernels/record.h"
#include "host/graph/store.h"
#include "models/request.h"
#include "tests/kernels/dry_device.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int (*test_main)(void);
typedef struct operator_test {
    const char *name;
    test_main main;
} operator_test;
extern const operator_test operator_tests[]; /* made by CMake; ends with NULL */

/* Linked in place of the real one (-Wl,--wrap): nobody looks at 12 billion initial values. */
store *__real_store_create(device *d, error *err);
store *__wrap_store_create(device *d, error *err);
store *__wrap_store_create(device *d, error *err)
{
    store *s = __real_store_create(d, err);
    if (s) store_await_values(s);
    return s;
}

/* Likewise: the shape of kernels stays what the device has, as in a model's run. */
bool __wrap_device_set_shape(device *d, int lanes, int vec);
bool __wrap_device_set_shape(device *d, int lanes, int vec)
{
    (void)d;
    (void)lanes;
    (void)vec;
    return true;
}

static int fail(const char *on, const char *what, const error *err)
{
    fprintf(stderr, "%s on %s: %s\n", what, on, err->message);
    return 1;
}

static int record_models(const char *on)
{
    error err = { 0 };
    int failures = 0;
    const char **names = preset_names("dvae");
    for (int i = 0; names && names[i]; ++i) {
        if (!record_dvae(names[i], on, &err)) failures += fail(on, names[i], &err);
    }
    free(names);
    names = preset_names("prior");
    for (int i = 0; names && names[i]; ++i) {
        /* A prior's preset goes with the dVAE's of the same name. */
        dvae_config dvae;
        config_defaults(&dvae_config_table, &dvae);
        bool ok = preset_read(&dvae_config_table, names[i], &dvae, &err);
        dvae_fit(&dvae, RECORD_SET, NULL);
        if (!ok || !record_prior(names[i], &dvae, on, &err)) failures += fail(on, names[i], &err);
    }
    free(names);
    return failures;
}

/* In a process of its own, because a test may end it; silent, because every number is wrong. */
static int record_operator(const char *on, const operator_test *test, FILE *out)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int silent = open("/dev/null", O_WRONLY);
        if (silent < 0 || dup2(silent, 1) < 0 || dup2(silent, 2) < 0) _exit(3);
        setenv("DALLE_CL_DEVICE", on, 1);
        setenv("DALLE_CL_COMPILE_ONLY", "1", 1);
        test->main();
        fflush(out);
        _exit(0);
    }
    int status = -1;
    if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    fprintf(stderr, "%s on %s: its tests ended early (status %d), so not all launches are known\n",
            test->name, on, status);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: record_kernels DEVICE OUT\n");
        return 2;
    }
    /* Freed memory is kept: initial values of the paper's size, touched anew each time, take most of the
     * time. */
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    FILE *out = fopen(argv[2], "w");
    if (!out) {
        perror(argv[2]);
        return 1;
    }
    dry_device_record(out);
    error err = { 0 };
    int failures = record_models(argv[1]);
    if (!record_rest(argv[1], &err)) failures += fail(argv[1], "products and sums", &err);
    for (const operator_test *test = operator_tests; test->name; ++test)
        failures += record_operator(argv[1], test, out);
    dry_device_record(NULL);
    if (fclose(out) != 0) {
        perror(argv[2]);
        return 1;
    }
    return failures ? 1 : 0;
}
