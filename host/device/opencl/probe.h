/* probe.h -- what the probes of OpenCL alone share, beside host/device/probe.h.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_OPENCL_PROBE_H
#define DALLE_CL_DEVICE_OPENCL_PROBE_H

#include "host/device/opencl/opencl.h"
#include "host/device/probe.h"

/* The probe that runs first. */
static const program_name PROBE_PLAIN = { "device/probe", "probe_half_storage", "", true };

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
