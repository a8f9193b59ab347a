/* test_trial.c -- a GPU is first probed in a process of its own, over stand-ins for CUDA's libraries: one
 * that dies costs the matrix units and nothing else, and what one has found is taken.
 * SPDX-License-Identifier: MIT */
#include "host/base/file.h"
#include "host/base/log.h"
#include "host/device/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/dalle-cl-trial-XXXXXX", said[1024];

static void hear(void *context, log_level level, const char *line)
{
    (void)context;
    if (level == LOG_WARNINGS) snprintf(said, sizeof said, "%s", line);
}

/* The card, opened with nothing known of it, where `script` is the process that is asked. */
static device_info opened_after(const char *name, const char *script)
{
    char text[1024], helper[200], cache[100], self[512] = "";
    error err = { 0 };
    snprintf(cache, sizeof cache, "%s/%s", folder, name);
    snprintf(helper, sizeof helper, "%s/%s.sh", folder, name);
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) fail();
    const int length =
        snprintf(text, sizeof text, "#!/bin/sh\necho \"$@\" >>%s/%s.asked\nself=%s cache=%s\n%s\n", folder,
                 name, self, cache, script);
    if (!file_write(helper, text, (size_t)length, &err)) fail_msg("%s", err.message);
    assert_int_equal(chmod(helper, 0700), 0);
    setenv("DALLE_CL_CACHE", cache, 1);
    setenv("DALLE_CL_HELPER", helper, 1);
    said[0] = 0;
    device *d = device_open("cuda:0", &err);
    setenv("DALLE_CL_HELPER", "off", 1);
    if (!d) fail_msg("%s", err.message);
    const device_info info = *device_get_info(d);
    device_close(d);
    return info;
}

static void expect_asked(const char *name, int times)
{
    char path[200];
    error err = { 0 };
    snprintf(path, sizeof path, "%s/%s.asked", folder, name);
    char *text = file_read(path, NULL, &err);
    if (!text) fail_msg("%s", err.message);
    assert_non_null(strstr(text, " probe\n"));
    for (const char *c = text; *c; ++c) times -= *c == '\n';
    assert_int_equal(times, 0);
    free(text);
}

static void a_death_bars_the_units(void **state)
{
    (void)state;
    for (int i = 0; i < 2; ++i) {
        const device_info info = opened_after("dies", "kill -SEGV $$");
        assert_true(info.usable && info.probe_gflops > 0 && info.matrix_units == DEVICE_MATRIX_NONE);
        if (i == 0 && !strstr(said, "a probe ended its process by signal 11")) fail_msg("said '%s'", said);
        if (i == 1) assert_string_equal(said, "");
        expect_asked("dies", 1); /* at the second time it is known */
    }
}

static void what_another_found_is_taken(void **state)
{
    (void)state;
    const device_info info = opened_after(
        "finds",
        "\"$self\" \"$@\" && sed -i 's/\"gflops\": *[0-9.e+]*/\"gflops\": 4321.5/' $cache/device-*.json");
    expect_asked("finds", 1);
    assert_true(info.usable && info.probe_gflops == 4321.5);
    assert_string_equal(said, "");
}

/* Another program than was thought: the device is probed here. */
static void one_that_knows_nothing_changes_nothing(void **state)
{
    (void)state;
    const device_info info = opened_after("refuses", "exit 1");
    expect_asked("refuses", 1);
    assert_true(info.usable && info.probe_gflops > 0);
    assert_string_equal(said, "");
}

static int begin(void **state)
{
    (void)state;
    log_set_sink(hear, NULL);
    return mkdtemp(folder) == NULL;
}

static int end(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], DEVICE_HELPER_WORD) == 0) return device_help(argc, argv);
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_death_bars_the_units),
                                        cmocka_unit_test(what_another_found_is_taken),
                                        cmocka_unit_test(one_that_knows_nothing_changes_nothing) };
    return cmocka_run_group_tests(tests, begin, end);
}
