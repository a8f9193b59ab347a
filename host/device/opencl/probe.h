/* probe.h -- what the probes share: running one kernel of (out, in, number) and waiting for it.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_OPENCL_PROBE_H
#define DALLE_CL_DEVICE_OPENCL_PROBE_H

#include "host/device/opencl/opencl.h"

#define PROBE_VALUES    256
#define PROBE_OUT_BYTES (1 << 20)
#define PROBE_IN_BYTES  (PROBE_VALUES * 4)

/* The probe that runs first. */
static const program_name PROBE_PLAIN = { "device/probe", "probe_half_storage", "", true };

/* Records one probe kernel (out, in, number) over `global` items in groups of `local`. */
device_launches *probe_record(device *d, const char *file, const char *kernel, const char *options,
                              device_buffer *out, device_buffer *in, int number, size_t global, size_t local,
                              error *err);
bool probe_wait(device *d, device_launches *list, error *err); /* runs the whole list and waits */
bool probe_run(device *d, const char *file, const char *kernel, const char *options, device_buffer *out,
               device_buffer *in, int number, size_t global, size_t local, error *err);

/* PoCL and Oclgrind complain on the terminal about what they cannot compile, so there, and only there,
 * an extension that is not listed is not tried. */
bool probe_worth_trying(const device *d, const char *extension);
bool probe_extension_listed(const device *d, const char *extension);

/* The size of a subgroup whose sums come out right, or 0.  `asked`: the size the kernel asks for; 0: any. */
int probe_subgroup_size(device *d, device_buffer *out, device_buffer *in, int asked);

/* Whether joined launches (device.h) come out right. */
bool probe_joins(device *d, device_buffer *out, device_buffer *in);

/* probe_more.c: what device_list shows and nothing is chosen by. */
void probe_more(device *d, device_buffer *out, device_buffer *in);

#endif
