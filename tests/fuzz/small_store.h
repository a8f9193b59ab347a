/* small_store.h -- a store of a few tensors on a device of host memory.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_FUZZ_SMALL_STORE_H
#define DALLE_CL_TESTS_FUZZ_SMALL_STORE_H

#include "host/graph/store.h"

enum { SMALL_STORE_VALUES = 12 }; /* of "weight", 3 x 4 */

/* "weight" with its mean and average, "codes" (learnt, F16), "count" (state, I32); it lives as long as the
 * process. */
store *small_store(void);
void small_store_fill(store *s, float value);
void small_store_read(store *s, float values[SMALL_STORE_VALUES]);

#endif
