/* queue_threads.c -- the threads that a driver ends after its queue's release has returned.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* rusticl's name for them, as far as Linux keeps it. */
#define RUSTICL_THREAD "rusticl queue t"
enum { WAIT_MS = 2000 };

static bool is_queue_thread(const char *id)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", id);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    if (!fgets(name, sizeof name, file)) name[0] = '\0';
    fclose(file);
    return !strncmp(name, RUSTICL_THREAD, strlen(RUSTICL_THREAD));
}

int queue_threads(void)
{
    DIR *threads = opendir("/proc/self/task");
    int count = 0;
    for (const struct dirent *entry; threads && (entry = readdir(threads));)
        count += is_queue_thread(entry->d_name);
    if (threads) closedir(threads);
    return count;
}

void queue_threads_await(int left)
{
    const struct timespec step = { .tv_nsec = 1000000 };
    for (int ms = 0; ms < WAIT_MS && queue_threads() > left; ++ms) nanosleep(&step, NULL);
}
