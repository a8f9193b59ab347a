/* test_translate.c -- what becomes of a kernel's text on its way to CUDA.
 * SPDX-License-Identifier: MIT */
#include "host/device/cuda/translate.h"
#include "host/device/source.h"
#include "host/base/embedded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* The text behind the header. */
static void check(const char *text, const char *expected)
{
    error err = { 0 };
    char *result = cuda_translate(text, "ops/some", &err);
    assert_non_null(result);
    assert_memory_equal(result, "#line 1 \"cl/cuda/opencl_c.clh\"\n", 31);
    const char *line = "#line 1 \"cl/ops/some.cl\"\n", *own = strstr(result, line);
    assert_non_null(own);
    assert_string_equal(own + strlen(line), expected);
    free(result);
}

static void test_vector_literals(void **state)
{
    (void)state;
    check("return (float4)(a, b, c, d);", "return float4(a, b, c, d);");
    check("x * (int2)(f(a, b), c[i, j]) + y", "x * int2(f(a, b), c[i, j]) + y");
    check("(float8)((float4)(a,\\\n b), v)", "float8(float4(a,\\\n b), v)");
    check("#define BITS (int4)(1, 2, 4, 8)", "#define BITS int4(1, 2, 4, 8)");
    /* One value may stay as it is: C++ makes a vector of it. */
    check("(floatv)(0.0f) + (long)(f(a, b))", "(floatv)(0.0f) + (long)(f(a, b))");
    /* A call's arguments and a macro's parameters are no types. */
    check("f(x)(a, b)", "f(x)(a, b)");
    check("#define F(x) (x, y)", "#define F(x) (x, y)");
}

static void test_parts(void **state)
{
    (void)state;
    check("v.lo + (a * b).hi - w[2].lo", "v.lo() + (a * b).hi() - w[2].lo()");
    check("v.s0 + v.s9 + v.sa + v.sF", "v.s[0] + v.s[9] + v.s[10] + v.s[15]");
    check("p.x, m.low, m.step, m.size, 1.0f, .5f", "p.x, m.low, m.step, m.size, 1.0f, .5f");
}

static void test_local_memory(void **state)
{
    (void)state;
    check("__local float parts[8];", "__local float parts[8];");
    check("f(float v, __local float *p, __local const int * q)", "f(float v, float *p, const int * q)");
    check("#define SHARED __local\n__global float *p", "#define SHARED __local\n__global float *p");
}

static void test_kernels(void **state)
{
    (void)state;
    check("__kernel void one(__global float *p)\n{\n    if (x) {\n    }\n}\nint x;\n",
          "__kernel void one(__global float *p)\n{\n    if (x) {\n    }\n} CUDA_KERNEL(one)\nint x;\n");
    check("__kernel __attribute__((reqd_work_group_size(1, 1, 1)))\nvoid two(ARGUMENTS)\n{\n}\n",
          "__kernel __attribute__((reqd_work_group_size(1, 1, 1)))\nvoid two(ARGUMENTS)\n{\n} "
          "CUDA_KERNEL(two)\n");
    check("static void three(void)\n{\n}\n", "static void three(void)\n{\n}\n");
}

static void test_options(void **state)
{
    (void)state;
    assert_non_null(strstr(cuda_translate_options("int x;"), "--fmad=true"));
    assert_non_null(
        strstr(cuda_translate_options("/* */\n#pragma OPENCL FP_CONTRACT OFF\n"), "--fmad=false"));
}

static int count(const char *text, const char *what)
{
    int found = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what)) ++found;
    return found;
}

/* Of every kernel file: each kernel is named once behind its end, and lines keep their numbers. */
static void test_every_file(void **state)
{
    (void)state;
    int files = 0;
    for (const embedded_file *const *file = embedded_files; *file; ++file) {
        char name[128];
        error err = { 0 };
        if (sscanf((*file)->name, "%127[a-z0-9_/].c", name) != 1 || !strstr((*file)->name, ".cl")) continue;
        if (strcmp((*file)->name + strlen(name), ".cl") != 0) continue;
        if (strcmp(name, "device/apart") == 0) continue; /* PoCL's, with a macro for a name */
        char *source = source_load(name, &err), *text = cuda_translate(source, name, &err);
        assert_non_null(text);
        const embedded_file *header = embedded_find("cuda/opencl_c.clh");
        const char *own = text + header->size;
        assert_int_equal(count(own, " CUDA_KERNEL("), count(source, "\n__kernel"));
        assert_int_equal(count(text, "\n") - count((const char *)header->bytes, "\n") - 2,
                         count(source, "\n"));
        free(text);
        free(source);
        ++files;
    }
    assert_true(files > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vector_literals), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_local_memory),    cmocka_unit_test(test_kernels),
        cmocka_unit_test(test_options),         cmocka_unit_test(test_every_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
