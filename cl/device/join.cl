/* join.cl -- does the work of many launches, one after another, `times` over; see host/device/opencl/join.c,
 * which puts the three macros below before it. table: a row for each launch: its stage (a kernel with its
 * options), its groups along three axes, its arguments. state: for each launch, on a cache line each, how
 * many of its groups have begun and how many have ended, counted on from one time to the next; at the end,
 * how many of this kernel's groups have left, the last of which clears it all.
 *
 * Each of this kernel's groups takes the launch's groups one by one until all have begun, then waits for
 * those that others began.  So a group waits only for work that somebody is doing: it does not matter how
 * many of this kernel's groups run at once, and one alone does everything.
 * SPDX-License-Identifier: MIT */
#ifndef JOIN_BUFFERS
#define JOIN_BUFFERS , __global void *b0 /* parameters */
#define JOIN_BASES b0
#define JOIN_STAGES default: (void)buffer, (void)given; /* cases that call stages */
#endif

#define ROW 88 /* longs: JOIN_ROW */
#define GIVEN 4
#define LINE 16 /* ints of a cache line: JOIN_LINE */

/* The next group of a launch that has not begun, or `limit`. */
static inline int take(__global volatile int *begun, const int limit)
{
    int at = *begun;
    while (at < limit) {
        const int seen = atomic_cmpxchg(begun, at, at + 1);
        if (seen == at) return at;
        at = seen;
    }
    return limit;
}

#ifdef POCL_DEVICE_ADDRESS_BITS
#define APART __attribute__((noinline)) /* PoCL puts all that a kernel inlines three times into its program */
#else
#define APART
#endif

static APART void join_all(__global const long *table, __global volatile int *state, const int launches, const int times,
                           __global void **buffer, const int workers)
{
    for (int time = 1; time <= times; ++time) {
        for (int l = 0; l < launches; ++l) {
            __global const long *row = table + (long)l * ROW, *given = row + GIVEN;
            __global volatile int *begun = state + 2 * l * LINE, *ended = begun + LINE;
            size_t joined[6] = { 0, 0, 0, (size_t)row[1], (size_t)row[2], (size_t)row[3] };
            const int groups = (int)(row[1] * row[2] * row[3]), limit = groups * time;
            for (int at; (at = take(begun, limit)) < limit;) {
                const size_t group = (size_t)(at - (limit - groups));
                joined[0] = group % joined[3];
                joined[1] = group / joined[3] % joined[4];
                joined[2] = group / joined[3] / joined[4];
                switch ((int)row[0]) { JOIN_STAGES }
                mem_fence(CLK_GLOBAL_MEM_FENCE);
                atomic_inc(ended);
            }
            while (*ended < limit) {}
            atomic_add(ended, 0); /* a compiler moves nothing across it */
            mem_fence(CLK_GLOBAL_MEM_FENCE);
        }
    }
    if (atomic_inc(state + 2 * launches * LINE) == workers - 1)
        for (int i = 0; i <= 2 * launches; ++i) state[i * LINE] = 0;
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void join(__global const long *table, __global volatile int *state, const int launches, const int times JOIN_BUFFERS)
{
    __global void *buffer[] = { JOIN_BASES };
    join_all(table, state, launches, times, buffer, (int)get_num_groups(0));
}
