/* plan.c -- which call fails, and what is alive.
 * SPDX-License-Identifier: MIT */
#include "tests/cuda/double/double.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    long at, calls, alive;
    int status;
    bool always;
    char failed[64];
} plan;
extern long double_replays; /* queue.c's */

static void plan_fail(long at, int status, bool always)
{
    plan.at = at;
    plan.status = status;
    plan.always = always;
    plan.calls = 0;
    plan.failed[0] = 0;
}

static long plan_calls(void)
{
    return plan.calls;
}

static const char *plan_failed(void)
{
    return plan.failed;
}

static long plan_alive(void)
{
    return plan.alive;
}

static long plan_replays(void)
{
    return double_replays;
}

DOUBLE_EXPORT const cuda_double cuda_double_table = { plan_fail, plan_calls, plan_failed, plan_alive,
                                                      plan_replays };

/* What stands behind "name=" or "name:" in a text of words. */
static const char *value_of(const char *text, const char *name, char sign)
{
    const size_t length = strlen(name);
    for (const char *at = text; at && (at = strstr(at, name)) != NULL; ++at)
        if (at[length] == sign) return at + length + 1;
    return NULL;
}

int double_setting(const char *name, int usual)
{
    const char *value = value_of(getenv("CUDA_DOUBLE"), name, '=');
    return value ? atoi(value) : usual;
}

static bool gives_back(const char *call)
{
    return strstr(call, "Destroy") || strstr(call, "Free") || strstr(call, "Release") ||
           strstr(call, "Unload") || strcmp(call, "cuCtxSetCurrent") == 0;
}

int double_status(const char *call)
{
    const char *set = value_of(getenv("CUDA_DOUBLE"), "fail", '='),
               *status = set ? value_of(set, call, ':') : NULL;
    if (status) return atoi(status);
    ++plan.calls;
    const bool later = plan.always && plan.at > 0 && plan.calls > plan.at && !gives_back(call);
    if (plan.calls != plan.at && !later) return 0;
    if (!plan.failed[0]) snprintf(plan.failed, sizeof plan.failed, "%s", call);
    return plan.status;
}

void double_made(int count)
{
    plan.alive += count;
}
