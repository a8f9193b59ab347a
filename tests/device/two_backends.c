/* two_backends.c -- two implementations of devices in one program: OpenCL's, and one of host memory.  What a
 * device is asked for goes to its own, decided when it is opened; limits, ranges and choices are each
 * device's.
 * SPDX-License-Identifier: MIT */
#include "tests/device/host_device.h"
#include "tests/support/device_or_skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

extern const device_backend opencl_backend;
const device_backend *const device_backends[] = { &opencl_backend, &host_backend, NULL };

static device *opencl_device, *host_device;

static device *open_or_fail(const char *selector)
{
    error err = { 0 };
    device *d = device_open(selector, &err);
    if (!d) fail_msg("'%s': %s", selector ? selector : "", err.message);
    return d;
}

static int setup(void **state)
{
    (void)state;
    opencl_device = device_or_skip();
    host_device = open_or_fail("host memory");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    device_close(opencl_device);
    device_close(host_device);
    return host_device_alive();
}

static void both_are_listed_one_after_the_other(void **state)
{
    (void)state;
    error err = { 0 };
    device_info *infos = NULL;
    const int count = device_list(&infos, true, &err);
    assert_true(count >= 2);
    for (int i = 0; i < count; ++i) {
        assert_int_equal(infos[i].index, i);
        assert_int_equal(strcmp(infos[i].name, "host memory") == 0, i == count - 1);
        assert_int_equal(infos[i].runtime[0] == 0, i == count - 1);
    }
    assert_int_equal(device_get_info(host_device)->index, count - 1);
    assert_int_equal(infos[count - 1].lanes, device_get_info(host_device)->lanes);
    free(infos);
}

static void a_device_of_either_is_selected(void **state)
{
    (void)state;
    error err = { 0 };
    const int own = device_get_info(opencl_device)->index, other = device_get_info(host_device)->index;
    int *chosen = NULL;
    char text[32];
    assert_true(own != other);
    for (int turned = 0; turned < 2; ++turned) {
        snprintf(text, sizeof text, turned ? "%d,host" : "host,%d", own);
        assert_int_equal(device_select(text, &chosen, &err), 2);
        assert_true(chosen[turned] == other && chosen[1 - turned] == own);
        free(chosen);
        device *first = open_or_fail(text);
        assert_int_equal(device_get_info(first)->index, turned ? own : other);
        assert_non_null(strstr(device_choice_reason(first), "first of 2"));
        device_close(first);
    }
    assert_null(device_open("no such device", &err));
    assert_non_null(strstr(err.message, "host memory (host)"));
    assert_non_null(strstr(err.message, device_get_info(opencl_device)->name));
}

/* A copy of 8 numbers, twice over a fill, on a list of its own. */
static void copies(device *d, float first)
{
    error err = { 0 };
    float from[8], to[8] = { 0 };
    for (int i = 0; i < 8; ++i) from[i] = first + (float)i;
    device_buffer *a = device_buffer_create(d, sizeof from, &err),
                  *b = device_buffer_create(d, sizeof to, &err);
    device_launches *list = device_launches_create(d, &err);
    assert_true(a && b && list);
    assert_true(device_launches_add_fill(list, "fill", b, 0, sizeof to, 0, &err));
    assert_true(device_launches_add_copy(list, "copy", b, 8, a, 0, 24, &err));
    assert_int_equal(device_launches_count(list), 2);
    device_launches_defer(list);
    assert_true(device_launches_join(list, NULL, 0, &err));
    assert_false(device_launches_joined(list));
    device_event *written = device_write_begin(d, DEVICE_COMPUTE, a, 0, from, sizeof from, NULL, &err);
    assert_true(written && device_queue_wait(d, DEVICE_COMPUTE, written, &err));
    assert_true(device_profile_start(d, &err) && device_launches_repeat(list, 0, 2, 2, &err));
    char *report = device_profile_report(d, &err);
    assert_true(report && strstr(report, "total"));
    free(report);
    device_event *read = device_read_begin(d, DEVICE_COMPUTE, b, 0, to, sizeof to, written, &err);
    assert_true(read && device_event_wait(read, &err) && device_finish(d, &err));
    device_event_release(written);
    device_event_release(read);
    for (int i = 0; i < 8; ++i) assert_true(to[i] == (i < 2 ? 0 : first + (float)(i - 2)));
    device_launches_destroy(list);
    device_buffer_destroy(a);
    device_buffer_destroy(b);
}

static void each_works_in_its_own_memory(void **state)
{
    (void)state;
    error err = { 0 };
    device_buffer *kept = device_buffer_create(host_device, 100, &err);
    assert_non_null(kept);
    copies(opencl_device, 1);
    copies(host_device, 100);
    copies(opencl_device, -7);
    assert_int_equal(device_allocated_bytes(opencl_device), 0);
    assert_int_equal(device_allocated_bytes(host_device), 100);
    device_buffer_destroy(kept);
    assert_int_equal(device_allocated_bytes(host_device), 0);
}

static void limits_are_the_devices(void **state)
{
    (void)state;
    error err = { 0 };
    device_buffer *most[HOST_MEMORY_BYTES / HOST_BUFFER_BYTES];
    const int count = HOST_MEMORY_BYTES / HOST_BUFFER_BYTES;
    assert_null(device_buffer_create(host_device, HOST_BUFFER_BYTES + 1, &err));
    assert_int_equal(err.code, ERROR_ROOM);
    assert_non_null(strstr(err.message, "'host memory' allows"));
    for (int i = 0; i < count; ++i)
        assert_non_null(most[i] = device_buffer_create(host_device, HOST_BUFFER_BYTES, &err));
    assert_null(device_buffer_create(host_device, 1, &err));
    assert_non_null(strstr(err.message, "are in use"));
    for (int i = 0; i < count; ++i) device_buffer_destroy(most[i]);
    device_buffer *b = device_buffer_create(opencl_device, HOST_BUFFER_BYTES + 1, &err);
    assert_non_null(b);
    device_buffer_destroy(b);
    assert_false(device_set_shape(host_device, 2, 4));
    assert_true(device_measure_rate(host_device, &err) == 0 && strstr(err.message, "cannot be measured"));
}

static gemm_desc product(void)
{
    gemm_desc s = { .m = 20, .n = 24, .k = 40, .batch = { 1, 1 }, .alpha = 1 };
    s.a = (gemm_operand){ .type = DTYPE_F32, .row = 40, .column = 1 };
    s.b = (gemm_operand){ .type = DTYPE_F32, .row = 24, .column = 1 };
    s.c = (gemm_operand){ .type = DTYPE_F32, .row = 24, .column = 1 };
    return s;
}

static void providers_are_the_devices(void **state)
{
    (void)state;
    error err = { 0 };
    const gemm_desc s = product();
    char ways[GEMM_WAYS_MAX][GEMM_WAY_SIZE], hash[65];
    assert_true(gemm_ways(opencl_device, &s, ways) > 1);
    assert_int_equal(gemm_ways(host_device, &s, ways), 1);
    assert_string_equal(ways[0], "plain");
    assert_null(gemm_plan_create_with(host_device, "tile", &s, &err));
    assert_int_equal(err.code, ERROR_USAGE);
    assert_non_null(strstr(err.message, "no gemm provider 'tile'; there are plain"));
    assert_null(gemm_plan_create_with(opencl_device, "magic", &s, &err));
    assert_non_null(strstr(err.message, "there are winograd, tile, clblast, block, thin, plain"));

    assert_true(gemm_choose(opencl_device, &s, "thin", &err));
    gemm_plan *chosen = gemm_plan_create(opencl_device, &s, &err),
              *usual = gemm_plan_create(host_device, &s, &err);
    assert_true(chosen && usual);
    assert_string_equal(gemm_plan_provider(chosen), "thin");
    assert_string_equal(gemm_plan_provider(usual), "plain");
    assert_true(gemm_choices_hash(host_device, hash, &err));
    assert_string_equal(hash, "none");
    gemm_choices_forget(opencl_device);

    device_buffer *b = device_buffer_create(host_device, HOST_BUFFER_BYTES, &err);
    device_launches *list = device_launches_create(host_device, &err);
    const gemm_buffers buffers = { .a = b, .b = b, .c = b };
    assert_false(gemm_plan_record(usual, list, "product", &buffers, &err));
    assert_non_null(strstr(err.message, "'host memory' runs no kernels, so not gemm_plain"));
    device_launches_destroy(list);
    device_buffer_destroy(b);
    gemm_plan_destroy(chosen);
    gemm_plan_destroy(usual);
}

static void kept_files_are_the_devices(void **state)
{
    (void)state;
    error err = { 0 };
    char *own = NULL, *other = NULL;
    assert_true(device_cache_file(opencl_device, "gemm", "key", &own, &err));
    assert_true(device_cache_file(host_device, "gemm", "key", &other, &err));
    if (own) assert_string_not_equal(own, other);
    free(own);
    free(other);
}

/* This program in a process where OpenCL has no driver. */
static void one_alone_is_enough(void **state)
{
    (void)state;
    int status = -1;
    const pid_t child = fork();
    if (child == 0) {
        setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
        setenv("OPENCL_VENDOR_PATH", "/nonexistent", 1);
        unsetenv("DALLE_CL_DEVICE");
        execl("/proc/self/exe", "two_backends", "alone", (char *)NULL);
        _exit(127);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int alone(void)
{
    error err = { 0 };
    device_info *infos = NULL;
    const int count = device_list(&infos, true, &err);
    free(infos);
    device *d = device_open(NULL, &err);
    const bool right = count == 1 && d && strcmp(device_get_info(d)->name, "host memory") == 0 &&
                       strcmp(device_choice_reason(d), "the only device") == 0 &&
                       device_get_info(d)->index == 0 && !device_open("gpu", &err) &&
                       strstr(err.message, "0: host memory (host)");
    if (!right) fprintf(stderr, "%d devices without OpenCL: %s\n", count, err.message);
    device_close(d);
    return right ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "alone") == 0) return alone();
    error err = { 0 };
    device_info *infos = NULL;
    const int count = device_list(&infos, false, &err);
    free(infos);
    if (count < 2) {
        fprintf(stderr, "skipped: no OpenCL device beside the test's own\n");
        return EXIT_SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_are_listed_one_after_the_other),
        cmocka_unit_test(a_device_of_either_is_selected),
        cmocka_unit_test(each_works_in_its_own_memory),
        cmocka_unit_test(limits_are_the_devices),
        cmocka_unit_test(providers_are_the_devices),
        cmocka_unit_test(kept_files_are_the_devices),
        cmocka_unit_test(one_alone_is_enough),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
