/* allowed.c -- calls whose failure the program may absorb, where, and why.
 * SPDX-License-Identifier: MIT */
#include "tests/faults/walk.h"

#include <stdio.h>
#include <string.h>

typedef struct allowance {
    const char *call;   /* or NULL: any */
    const char *within; /* a function that must be among the callers, or NULL: anywhere */
    const char *why;
} allowance;

static const allowance table[] = {
    /* Nothing can be done about an object that would not go, and nothing depends on it. */
    { "clReleaseContext", NULL, "a release" },
    { "clReleaseCommandQueue", NULL, "a release" },
    { "clReleaseMemObject", NULL, "a release" },
    { "clReleaseProgram", NULL, "a release" },
    { "clReleaseKernel", NULL, "a release" },
    { "clReleaseEvent", NULL, "a release" },
    { "clFinish", "device_close", "all results have been read; the queue is released next" },
    /* Compiled programs are kept to save time; without them they are compiled from source. */
    { "clGetProgramInfo", "program_cache_save", "only says what would be kept" },
    { "clCreateProgramWithBinary", "program_cache_load", "compiled from source instead" },
    { "clBuildProgram(binary)", "program_cache_load", "compiled from source instead" },
    { "clGetProgramBuildInfo", "program_get", "the compiler's log only explains a failure" },
    { "clGetEventProfilingInfo", "launch_repeat", "a launch is then timed by the clock" },
    { "clWaitForEvents", "graph_destroy",
      "nobody reads what was being written; device_event_wait then finishes" },
    { "clGetDeviceInfo", "probe_extension_listed",
      "asked of PoCL and Oclgrind only, whose extensions nothing uses" },
    { NULL, "probe_more", "only shown by `dalle-cl devices`, and then as absent or 0" },
    { NULL, "probe_costs", "the same" },
    { NULL, "joined_create", "the kernels are then launched one by one" },
    { NULL, "probe_joins", "kernels are then launched one by one" },
    { NULL, "prior_sampler_prepare", "for want of memory what is kept goes, and graphs are built again" },
    { NULL, "prior_sampler_prepare_for", "the same" },
    { NULL, "dvae_codec_prepare", "the same, by libdalle" },
    { NULL, "api_rank_prepare", "the same, by libdalle" },
    { NULL, "unclip_prepare", "for want of memory fewer are drawn at once" },
    { "clGetDeviceInfo", "connect_device",
      "work-items per axis: optional, for the largest group is checked too" },
};

const char *allowed(const char *call, const char *callers)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
        if (table[i].call && strcmp(table[i].call, call) != 0) continue;
        char word[128];
        snprintf(word, sizeof word, " %s ", table[i].within ? table[i].within : "");
        if (!table[i].within || strstr(callers, word)) return table[i].why;
    }
    return NULL;
}
