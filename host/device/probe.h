/* probe.h -- for backends: what a device is asked by running small kernels, and what is remembered of it.
 * Buffers `out` and `in` have the sizes below.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_PROBE_H
#define DALLE_CL_DEVICE_PROBE_H

#include "host/device/backend.h"

#define PROBE_VALUES    256
#define PROBE_OUT_BYTES (1 << 20)
#define PROBE_IN_BYTES  (PROBE_VALUES * 4)

/* probe.c: one probe kernel of (out, in, number); recorded over `global` items in groups of `local`; run and
 * waited for. */
device_launch probe_launch(const char *file, const char *kernel, const char *options, device_buffer *out,
                           device_buffer *in, int number, size_t global, size_t local);
device_launches *probe_record(device *d, const char *file, const char *kernel, const char *options,
                              device_buffer *out, device_buffer *in, int number, size_t global, size_t local,
                              error *err);
bool probe_wait(device *d, device_launches *list, error *err); /* runs the whole list and waits */
bool probe_run(device *d, const char *file, const char *kernel, const char *options, device_buffer *out,
               device_buffer *in, int number, size_t global, size_t local, error *err);

/* Whether halves are loaded and stored right, and calculated with. */
bool probe_half_storage(device *d, device_buffer *out, device_buffer *in, error *err);
bool probe_half_arithmetic(device *d, device_buffer *out, device_buffer *in, error *err);
/* 10^9 operations a second in multiply-adds; 0 with *err.  The second is a backend's measure_rate. */
double probe_rate(device *d, device_buffer *out, device_buffer *in, error *err);
double probe_measure_rate(device *d, error *err);

/* A backend's probe, by its steps: a device opened for it; what is needed to choose, where *passing says that
 * something was absent for want of memory, which may be otherwise the next time; and the rest. */
typedef struct probe_steps {
    device *(*connect)(const device_entry *at, error *err);
    void (*choose)(device *d, device_buffer *out, device_buffer *in, bool *passing, error *err);
    void (*more)(device *d, device_buffer *out, device_buffer *in);
} probe_steps;
void probe_entry(device_entry *at, bool all, const probe_steps *by);

/* probe_costs.c: the limits that hold when tried, and what launches and copies cost, into d->info: the
 * last of a device's probes. */
void probe_costs(device *d, device_buffer *out, device_buffer *in);

/* probe_memory.c: the file, to be freed; NULL where nothing is kept.  False: nothing is known. */
char *probe_memory_path(const device *d);
bool probe_memory_recall(const char *path, device_info *info);
void probe_memory_keep(const char *path, const device_info *info);

#endif
