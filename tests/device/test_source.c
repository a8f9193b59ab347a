/* test_source.c -- what becomes of a kernel file before a compiler sees it: the other kernels are blanked,
 * and a kernel is made to call a function.  Every kernel of every file is tried.
 * SPDX-License-Identifier: MIT */
#include "tests/support/device_or_skip.h"
#include "host/device/opencl/opencl.h"
#include "host/device/source.h"
#include "host/base/embedded.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static int lines_that(const char *text, const char *start)
{
    int count = 0;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        count += strncmp(line, start, strlen(start)) == 0;
        if (!*line) break;
    }
    return count;
}

static int occurrences(const char *text, char c)
{
    int count = 0;
    for (; *text; ++text) count += *text == c;
    return count;
}

/* Calls `each` with every kernel of the file; returns how many. */
static int for_kernels(const char *file, const char *text, void (*each)(const char *file, const char *name))
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, "\n__kernel")) != NULL; ++at) {
        const char *name = strstr(at, "void") + strlen("void");
        name += strspn(name, " \n");
        size_t length = 0;
        while (isalnum((unsigned char)name[length]) || name[length] == '_') ++length;
        char word[128];
        snprintf(word, sizeof word, "%.*s", (int)length, name);
        each(file, word);
        ++count;
    }
    return count;
}

static char *load(const char *file)
{
    error err = { 0 };
    char *text = source_load(file, &err);
    if (!text) fail_msg("%s", err.message);
    return text;
}

static void keep(const char *file, const char *name)
{
    char *whole = load(file), *kept = load(file), signature[160];
    if (!source_keep(kept, name)) fail_msg("%s: '%s' was not found", file, name);
    assert_int_equal(strlen(kept), strlen(whole));
    assert_int_equal(occurrences(kept, '\n'), occurrences(whole, '\n'));
    if (lines_that(kept, "__kernel") != 1)
        fail_msg("%s: %d kernels stay with '%s'", file, lines_that(kept, "__kernel"), name);
    snprintf(signature, sizeof signature, "%s(", name);
    assert_non_null(strstr(kept, signature));
    assert_int_equal(occurrences(kept, '{'), occurrences(kept, '}'));
    assert_int_equal(lines_that(kept, "#if"), lines_that(kept, "#endif"));
    free(kept);
    free(whole);
}

static device *compiler;

/* The front end takes it. */
static void compile(const char *file, const char *name, const char *source)
{
    cl_int status;
    if (strncmp(file, "graph/", 6) == 0) return; /* without their options these have no kernel */
    cl_program made = clCreateProgramWithSource(opencl(compiler)->context, 1, &source, NULL, &status);
    assert_int_equal(status, CL_SUCCESS);
    error err = { 0 };
    /* Of the products' kernels some take four at a time alone, which is what all do by themselves. */
    const char *options =
        strncmp(file, "gemm/", 5) == 0 ? "-cl-std=CL1.2" : "-cl-std=CL1.2 -DLANES=1 -DVEC=16";
    status = clCompileProgram(made, 1, &opencl(compiler)->id, options, 0, NULL, NULL, NULL, NULL);
    if (status != CL_SUCCESS) program_add_log(made, opencl(compiler)->id, &err);
    if (status != CL_SUCCESS) fail_msg("%s: '%s' as a function: %s", file, name, err.message);
    clReleaseProgram(made);
}

static void put_apart(const char *file, const char *name)
{
    error err = { 0 };
    char *source = load(file), expected[200];
    source_keep(source, name);
    char *apart = source_apart(source, name, &err);
    const char *signature = strstr(strstr(source, "\n__kernel"), name);
    const size_t odd = strcspn(signature, "*#"), body = strcspn(signature, "{");
    if (!apart && err.code == ERROR_NONE && odd < body) {
        /* A pointer by itself has no name that a caller could be written with; lines cannot be joined. */
        free(source);
        return;
    }
    if (!apart) fail_msg("%s: '%s' stays as it is: %s", file, name, err.message);
    snprintf(expected, sizeof expected, "\n#define APART_KERNEL %s\n", name);
    assert_non_null(strstr(apart, expected));
    assert_non_null(strstr(apart, source)); /* unchanged: lines keep their numbers */
    compile(file, name, apart);
    free(apart);
    free(source);
}

static int in_all_files(const char *folder, void (*each)(const char *file, const char *name))
{
    int count = 0;
    for (int i = 0; embedded_files[i]; ++i) {
        char file[128];
        const char *name = embedded_files[i]->name, *end = strstr(name, ".cl");
        if (!end || end[3] || strncmp(name, folder, strlen(folder)) != 0) continue;
        snprintf(file, sizeof file, "%.*s", (int)(end - name), name);
        count += for_kernels(file, (const char *)embedded_files[i]->bytes, each);
    }
    return count;
}

static void one_kernel_stays(void **state)
{
    (void)state;
    assert_true(in_all_files("ops/", keep) > 50);
    assert_true(in_all_files("gemm/", keep) > 8);
    in_all_files("graph/", keep);
}

static void every_kernel_can_be_a_function(void **state)
{
    (void)state;
    assert_true(in_all_files("ops/", put_apart) > 50);
    assert_true(in_all_files("gemm/", put_apart) > 8);
    in_all_files("graph/", put_apart);
}

static void unknown_names_change_nothing(void **state)
{
    (void)state;
    error err = { 0 };
    char *whole = load("ops/activation"), *same = load("ops/activation");
    assert_false(source_keep(same, "activation"));
    assert_string_equal(same, whole);
    assert_null(source_apart(same, "activation_forwards", &err));
    assert_int_equal(err.code, ERROR_NONE);
    free(same);
    free(whole);
}

static void odd_kernels_stay_as_they_are(void **state)
{
    (void)state;
    error err = { 0 };
    char pointer[] = "\n__kernel void f(__global int *x)\n{\n}\n", cut[] = "\n__kernel void f(const int x\n";
    char lines[] = "\n__kernel void f(const int x\n#if Y\n, const int y\n#endif\n)\n{\n}\n";
    char comment[] = "/* a __kernel f */\nint g;\n";
    assert_null(source_apart(pointer, "f", &err));
    assert_null(source_apart(lines, "f", &err));
    assert_null(source_apart(cut, "f", &err));
    assert_false(source_keep(comment, "f"));
    assert_int_equal(err.code, ERROR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_kernel_stays),
        cmocka_unit_test(every_kernel_can_be_a_function),
        cmocka_unit_test(unknown_names_change_nothing),
        cmocka_unit_test(odd_kernels_stay_as_they_are),
    };
    compiler = device_or_skip();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(compiler);
    return failed;
}
