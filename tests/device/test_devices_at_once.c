/* test_devices_at_once.c -- several threads ask for the devices, before anything else has: all are told the
 * same.  A driver that starts up must not have none for those that come meanwhile.
 * SPDX-License-Identifier: MIT */
#include "tests/support/device_or_skip.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { THREADS = 4 };

typedef struct asker {
    pthread_barrier_t *together;
    device_info *infos;
    int count;
    error err;
} asker;

static void *ask(void *of)
{
    asker *a = of;
    pthread_barrier_wait(a->together);
    a->count = device_list(&a->infos, false, &a->err);
    return NULL;
}

static void all_are_told_the_same(void **state)
{
    (void)state;
    pthread_barrier_t together;
    pthread_t threads[THREADS];
    asker askers[THREADS];
    assert_int_equal(pthread_barrier_init(&together, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; ++i) {
        askers[i] = (asker){ .together = &together };
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
    }
    for (int i = 0; i < THREADS; ++i) assert_int_equal(pthread_join(threads[i], NULL), 0);
    pthread_barrier_destroy(&together);
    device_close(device_or_skip());
    for (int i = 0; i < THREADS; ++i) {
        if (askers[i].count <= 0) fail_msg("thread %d: %s", i, askers[i].err.message);
        assert_int_equal(askers[i].count, askers[0].count);
        for (int k = 0; k < askers[i].count; ++k)
            assert_string_equal(askers[i].infos[k].name, askers[0].infos[k].name);
    }
    for (int i = 0; i < THREADS; ++i) free(askers[i].infos);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(all_are_told_the_same) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
