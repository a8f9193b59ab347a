/* test_alone.c -- a program without MPI trains alone, and says how to have MPI where mpirun has started it.
 * SPDX-License-Identifier: MIT */
#include "host/comm/alone/none.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void forget_mpirun(void)
{
    unsetenv("OMPI_COMM_WORLD_SIZE");
    unsetenv("PMI_SIZE");
    unsetenv("MPI_LOCALNRANKS");
}

static void started_alone(void **state)
{
    (void)state;
    error err;
    comm *c = (comm *)1;
    forget_mpirun();
    assert_true(comm_open_mpi(30, &c, &err));
    assert_null(c);
    setenv("OMPI_COMM_WORLD_SIZE", "1", 1);
    assert_true(comm_open_mpi(30, &c, &err));
    assert_null(c);
}

static void started_among_others(void **state)
{
    (void)state;
    static const char *const names[] = { "OMPI_COMM_WORLD_SIZE", "PMI_SIZE" };
    for (int i = 0; i < 2; ++i) {
        error err = { 0 };
        comm *c = (comm *)1;
        forget_mpirun();
        setenv(names[i], "4", 1);
        assert_false(comm_open_mpi(30, &c, &err));
        assert_null(c);
        assert_int_equal(err.code, ERROR_USAGE);
        if (!strstr(err.message, "one of 4 ranks") || !strstr(err.message, "install libopenmpi-dev"))
            fail_msg("%s", err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(started_alone),
        cmocka_unit_test(started_among_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
