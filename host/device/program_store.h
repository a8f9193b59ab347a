/* program_store.h -- compiled programs on disk, for backends: <cache folder>/programs/<key>.bin.
 * Key: device_key of everything the compiler's output depends on, the driver's version included (drivers
 * accept stale binaries and then compute nonsense).  File: magic, version, length, checksum, binary;
 * written under a temporary name and renamed, so that two processes at once are safe.  Nothing here fails:
 * what cannot be kept or read is compiled from source.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_PROGRAM_STORE_H
#define DALLE_CL_DEVICE_PROGRAM_STORE_H

#include "host/device/device.h"

/* A driver may take a minute over a model's kernels: says once why nothing else happens, when a kernel of
 * `file` is about to be compiled.  The probes' kernels are quick and nobody's concern. */
void program_store_announce(device *d, const char *file);
/* Whether binaries are worth keeping. */
bool program_store_keeps(const device *d);
/* A whole, undamaged one, to be freed; NULL: there is none.  A damaged entry is removed. */
void *program_store_load(const device *d, const char key[65], size_t *bytes);
void program_store_keep(const device *d, const char key[65], const void *binary, size_t bytes);
void program_store_drop(const device *d, const char key[65]); /* the driver has no use for it */

#endif
