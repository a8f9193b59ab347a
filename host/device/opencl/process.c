/* process.c -- what the program asks of drivers for its whole process; see device_prepare_process.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"

#include <stdlib.h>
#include <unistd.h>

/* PoCL compiles a kernel for the launch's sizes when it is first launched, and for any sizes when its binary
 * is asked for, both as long as the other.  Kernels name the size of their groups, so the second gives the
 * same results as fast: once is enough, and then the binary is all that the next start needs. */
void process_prepare(void)
{
    char path[4096];
    setenv("POCL_WORK_GROUP_SPECIALIZATION", "0", 0);
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) return;
    path[length] = 0;
    setenv("DALLE_CL_HELPER", path, 0);
}
