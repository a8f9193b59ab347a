/* run_compare.h -- whether two runs left the same parameters, moments, averages and metrics.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_TRAIN_RUN_COMPARE_H
#define DALLE_CL_TESTS_TRAIN_RUN_COMPARE_H

#include "data/safetensors.h"
#include "host/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static inline const char *in(const char *folder, const char *name)
{
    static char path[2][400];
    static int turn;
    snprintf(path[turn ^= 1], sizeof path[0], "%s/%s", folder, name);
    return path[turn];
}

static inline char *content(const char *folder, const char *name)
{
    error err;
    char *text = file_read(in(folder, name), NULL, &err);
    if (!text) fail_msg("%s", err.message);
    return text;
}

static inline void assert_same_run(const char *a, const char *b)
{
    error err;
    char *x = content(a, "metrics.jsonl"), *y = content(b, "metrics.jsonl");
    assert_string_equal(x, y);
    free(x);
    free(y);
    for (int best = 0; best < 2; ++best) {
        const char *name = best ? "best.safetensors" : "checkpoint.safetensors";
        safetensors *f = safetensors_open(in(a, name), &err), *g = safetensors_open(in(b, name), &err);
        if (!f || !g) fail_msg("%s", err.message);
        assert_int_equal(safetensors_count(f), safetensors_count(g));
        assert_string_equal(safetensors_metadata(f, "step"), safetensors_metadata(g, "step"));
        for (int i = 0; i < safetensors_count(f); ++i) {
            const safetensors_tensor *t = safetensors_at(f, i), *u = safetensors_find(g, t->name);
            assert_non_null(u);
            assert_int_equal(t->bytes, u->bytes);
            if (memcmp(t->data, u->data, (size_t)t->bytes) != 0)
                fail_msg("%s differs in '%s'", name, t->name);
        }
        safetensors_close(f);
        safetensors_close(g);
    }
}

#endif
