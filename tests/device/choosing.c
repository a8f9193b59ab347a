/* choosing.c -- which device is the default, with two backends that only say how fast theirs are: the
 * fastest, and of one card that both list the later backend's, unless it is a tenth slower.
 * SPDX-License-Identifier: MIT */
#include "host/device/backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* What the two measure, and whether theirs is the same card. */
static double rate[2];
static bool same, usable[2];

static bool list(device_listing *l, const device_backend *b, const char *name, error *err)
{
    device_entry *e = device_listing_add(l, b, err);
    if (!e) return false;
    snprintf(e->info.name, sizeof e->info.name, "%s", name);
    e->info.kind = DEVICE_GPU;
    e->info.usable = true;
    return true;
}

static void first_probe(device_entry *at, bool all)
{
    (void)all;
    at->info.probe_gflops = rate[0];
    at->info.usable = usable[0];
}

static void second_probe(device_entry *at, bool all)
{
    (void)all;
    at->info.probe_gflops = rate[1];
    at->info.usable = usable[1];
}

static bool first_list(device_listing *l, error *err);
static bool second_list(device_listing *l, error *err);
static const device_backend first = { .name = "opencl", .list = first_list, .probe = first_probe },
                            second = { .name = "cuda", .list = second_list, .probe = second_probe };
const device_backend *const device_backends[] = { &first, &second, NULL };

static bool first_list(device_listing *l, error *err)
{
    return list(l, &first, "a card", err);
}

static bool second_list(device_listing *l, error *err)
{
    return list(l, &second, same ? "a card" : "another card", err);
}

static void expect(const char *selector, double a, double b, int index)
{
    error err = { 0 };
    int *chosen = NULL;
    rate[0] = a;
    rate[1] = b;
    if (device_select(selector, &chosen, &err) != 1) fail_msg("%s", err.message);
    if (chosen[0] != index) fail_msg("of %g and %g GFLOP/s device %d was chosen", a, b, chosen[0]);
    free(chosen);
}

static void one_card_listed_twice_is_the_later_backends(void **state)
{
    (void)state;
    same = usable[0] = usable[1] = true;
    static const char *const selectors[] = { NULL, "gpu", "a card" };
    for (int i = 0; i < 3; ++i) {
        expect(selectors[i], 1000, 1000, 1);
        expect(selectors[i], 1000, 910, 1);
        expect(selectors[i], 1000, 890, 0);
        expect(selectors[i], 1000, 1100, 1);
    }
    expect("opencl", 1000, 2000, 0);
    expect("cuda", 1000, 10, 1);
    expect("cuda:0", 1000, 10, 1);
    usable[1] = false;
    expect(NULL, 1000, 1000, 0);
}

static void of_two_cards_the_faster_is_taken(void **state)
{
    (void)state;
    same = false;
    usable[0] = usable[1] = true;
    expect(NULL, 1000, 999, 0);
    expect(NULL, 999, 1000, 1);
    expect("another", 1000, 10, 1);
}

int main(void)
{
    unsetenv("DALLE_CL_DEVICE");
    const struct CMUnitTest tests[] = { cmocka_unit_test(one_card_listed_twice_is_the_later_backends),
                                        cmocka_unit_test(of_two_cards_the_faster_is_taken) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
