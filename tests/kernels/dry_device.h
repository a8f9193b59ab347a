/* dry_device.h -- a device that computes nothing and writes down what it is asked to launch.
 *
 * It is the only backend (host/device/backend.h) of the program it is linked to: graphs compile on it as they
 * do on a real device, at any size, because its buffers have no memory; what is read from it is zero.  Its
 * devices are gpu32, gpu64, cpu16, cpu8 and cpu4.  Each launch becomes one line of dry_device_record's file:
 *
 *     cpu ops/softmax softmax_forward 1 -DLANES=1 -DVEC=16 -DY_STORE=STORE_F32 ...
 *
 * device (its kind alone for a CPU), file, kernel, work-items in a group, build options.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_KERNELS_DRY_DEVICE_H
#define DALLE_CL_TESTS_KERNELS_DRY_DEVICE_H

#include "host/device/device.h"
#include <stdio.h>

/* Where lines go from now on; NULL: nowhere.  The file stays the caller's. */
void dry_device_record(FILE *to);

/* From now on the device has this matrix unit; it is opened without one. */
void dry_device_units(device *d, device_matrix matrix);

#endif
