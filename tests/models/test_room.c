/* test_room.c -- memory on small devices: what a step is planned to take is what it takes, in buffers of a
 * half and of a quarter of the device too; the batch that is said to fit does, and one more does not; so do
 * the parts.
 * SPDX-License-Identifier: MIT */
#include "models/room.h"
#include "tests/support/device_or_skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static error err;

#define MUST(call) \
    do { \
        if (!(call)) fail_msg("%s", err.message); \
    } while (0)

/* Steps of the preset "tiny". */
typedef struct step {
    const char *kind;
    int64_t given[KIND_GIVEN];
    int64_t batch;
} step;

static const step steps[] = {
    { "dvae", { 0 }, 48 }, { "prior", { 4, 32 }, 24 }, { "clip", { 0 }, 24 }, { "decoder", { 24, 32 }, 12 }
};
enum { STEPS = sizeof steps / sizeof *steps };

/* Its settings, to be freed. */
static void *settings(const step *s, int64_t batch, int64_t parts)
{
    const model_kind *k = kinds_find(s->kind);
    char sets[2][32];
    snprintf(sets[0], sizeof sets[0], "batch=%lld", (long long)batch);
    snprintf(sets[1], sizeof sets[1], "accumulate=%lld", (long long)parts);
    const char *const both[] = { sets[0], sets[1] };
    const train_request r = { .preset = "tiny", .sets = both, .set_count = 2, .seed = -1 };
    void *config = calloc(1, k->settings->size);
    assert_non_null(config);
    MUST(request_config(&r, k->settings, config, &err));
    if (k->fit) k->fit(config, 500);
    return config;
}

static workload *open_step(device *d, const step *s, int64_t batch, int64_t parts)
{
    void *config = settings(s, batch, parts);
    workload *w = kinds_find(s->kind)->step(d, config, s->given, &err);
    free(config);
    if (!w) fail_msg("%s: %s", s->kind, err.message);
    return w;
}

static device *small_device(int64_t memory, int64_t buffer)
{
    device *d = device_open(NULL, &err);
    if (!d) fail_msg("%s", err.message);
    device_info *info = (device_info *)(uintptr_t)device_get_info(d);
    info->memory_bytes = memory;
    info->max_buffer_bytes = buffer;
    return d;
}

static int64_t planned(const step *s, int64_t batch, int64_t parts, int64_t buffer)
{
    device *d = small_device(INT64_C(1) << 40, buffer);
    workload *w = open_step(d, s, batch, parts);
    workload_size size;
    MUST(workload_plan(w, &size, &err));
    workload_destroy(w);
    device_close(d);
    return workload_bytes(&size);
}

/* To 2 %, when it has run. */
static void assert_as_planned(const step *s, int64_t batch, int64_t parts, int64_t buffer)
{
    const int64_t bytes = planned(s, batch, parts, buffer);
    device *d = small_device(bytes + bytes / 64, buffer);
    workload *w = open_step(d, s, batch, parts);
    MUST(workload_ready(w, &err));
    MUST(workload_run(w, &err));
    if (llabs(device_peak_bytes(d) - bytes) * 50 > bytes)
        fail_msg("%s: %lld bytes were planned, %lld taken", s->kind, (long long)bytes,
                 (long long)device_peak_bytes(d));
    workload_destroy(w);
    device_close(d);
}

static void test_plans_are_right(void **state)
{
    (void)state;
    const int count = getenv("DALLE_CL_TINY") ? 2 : STEPS; /* where a stack is slow */
    for (int i = 0; i < count; ++i) {
        const int64_t bytes = planned(steps + i, steps[i].batch, 1, INT64_C(1) << 32);
        assert_as_planned(steps + i, steps[i].batch, 1, INT64_C(1) << 32);
        assert_as_planned(steps + i, steps[i].batch, 1, bytes / 2);
        assert_as_planned(steps + i, steps[i].batch, 2, bytes / 4);
    }
}

/* Whether the step gets its memory on a device of so many bytes. */
static bool has_room(const step *s, int64_t batch, int64_t parts, int64_t bytes)
{
    device *d = small_device(bytes, bytes / 2);
    workload *w = open_step(d, s, batch, parts);
    err = (error){ 0 };
    const bool ok = workload_ready(w, &err);
    assert_true(ok || err.code == ERROR_ROOM);
    workload_destroy(w);
    device_close(d);
    return ok;
}

static void assert_advice(const step *s, int64_t share)
{
    void *config = settings(s, s->batch, 1);
    const int64_t bytes = planned(s, s->batch, 1, INT64_C(1) << 32) / share;
    device *d = small_device(bytes, bytes / 2);
    const room_step asked = { kinds_find(s->kind), d, config, s->given, 1 };
    const room_found found = room_find(&asked, bytes);
    error why = { ERROR_ROOM, "it does not fit" };
    char text[64];
    room_advise(&asked, bytes, &why);
    device_close(d);
    free(config);
    assert_in_range(found.batch, 1, s->batch - 1);
    assert_true(has_room(s, found.batch, 1, bytes));
    assert_false(has_room(s, found.batch + 1, 1, bytes));
    assert_in_range(found.parts, 2, s->batch);
    assert_true(has_room(s, s->batch, found.parts, bytes));
    snprintf(text, sizeof text, "it does not fit; --set batch=%lld fits (", (long long)found.batch);
    assert_non_null(strstr(why.message, text));
    snprintf(text, sizeof text, "--set accumulate=%lld fits with batch %lld (", (long long)found.parts,
             (long long)s->batch);
    assert_non_null(strstr(why.message, text));
}

static void test_advice_is_right(void **state)
{
    (void)state;
    assert_advice(steps, 2);
    if (getenv("DALLE_CL_TINY")) return;
    assert_advice(steps + 1, 2);
    assert_advice(steps + 2, 2);
}

static void test_nothing_fits(void **state)
{
    (void)state;
    void *config = settings(steps, 4, 1);
    device *d = small_device(1 << 16, 1 << 15);
    const room_step asked = { kinds_find("dvae"), d, config, steps->given, 1 };
    error why = { ERROR_ROOM, "it does not fit" };
    room_advise(&asked, 1 << 16, &why);
    assert_non_null(strstr(why.message, "no smaller batch would fit"));
    assert_true(room_bytes(&asked) > 1 << 16);
    device_close(d);
    free(config);
}

int main(void)
{
    device_close(device_or_skip());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans_are_right),
        cmocka_unit_test(test_advice_is_right),
        cmocka_unit_test(test_nothing_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
