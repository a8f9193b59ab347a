/* rule.h -- what tools/make_inception.py makes by rule, and the figures that it stored.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_EVAL_RULE_H
#define DALLE_CL_TESTS_EVAL_RULE_H

#include "data/safetensors.h"
#include "host/base/philox.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Fails the test with the error's text. */
#define OK(call) \
    do { \
        if (!(call)) fail_msg("%s", rule_error.message); \
    } while (0)
static error rule_error;

/* Asserts that a call fails, and that its error has that code and all of these words. */
#define REFUSED(call, wanted, ...) \
    do { \
        rule_error = (error){ 0 }; \
        assert_false(call); \
        assert_int_equal(rule_error.code, wanted); \
        const char *const words[] = { __VA_ARGS__ }; \
        for (size_t word = 0; word < sizeof words / sizeof *words; ++word) \
            if (!strstr(rule_error.message, words[word])) \
                fail_msg("no '%s' in: %s", words[word], rule_error.message); \
    } while (0)

static inline float rule_uniform(const char *name, int64_t element)
{
    const philox p = { 0, 0, philox_stream(name) };
    return philox_uniform(&p, (uint32_t)element);
}

/* features(name, count, width) there; to be freed. */
static inline float *rule_features(const char *name, int64_t count, int64_t width)
{
    float *x = malloc((size_t)(count * width) * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < count; ++i)
        for (int64_t k = 0; k < width; ++k)
            x[i * width + k] = rule_uniform(name, i * width + k) * ((float)(1 + k % 5) * 0.25f) +
                               rule_uniform(name, i * width) * 0.5f;
    return x;
}

static inline safetensors *rule_golden(void)
{
    const char *folder = getenv("DALLE_CL_TEST_DATA");
    char path[512];
    snprintf(path, sizeof path, "%s/golden/inception.safetensors", folder ? folder : "tests");
    safetensors *file;
    OK(file = safetensors_open(path, &rule_error));
    return file;
}

/* The stored figure `name`, or of two the second. */
static inline double rule_figure(const char *name, int index)
{
    safetensors *file = rule_golden();
    const char *text = safetensors_metadata(file, name);
    if (!text) fail_msg("no figure '%s'", name);
    if (index) text = strchr(text, ',') + 1;
    const double value = strtod(text, NULL);
    safetensors_close(file);
    return value;
}

static inline void rule_near(const char *what, double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%s is %.12g, not %.12g within %g", what, value, expected, tolerance);
}

#endif
