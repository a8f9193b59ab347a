/* host_device.h -- a backend of one device, "host memory", whose memory is malloc's: it copies and fills, has
 * no kernels and multiplies in no way but the plain one.  It shows what a backend has to bring.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_DEVICE_HOST_DEVICE_H
#define DALLE_CL_TESTS_DEVICE_HOST_DEVICE_H

#include "host/device/backend.h"

#define HOST_MEMORY_BYTES (1 << 20)
#define HOST_BUFFER_BYTES (64 << 10) /* the largest */

extern const device_backend host_backend;

/* How many of its devices, buffers, events and lists are alive. */
int host_device_alive(void);

#endif
