/* dataset_order.h -- the order (order.h) of a selection, as its set wants it: small sets are shuffled as a
 * whole, large ones in windows, and sources that have weights are mixed by them.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_ORDER_H
#define DALLE_CL_DATA_DATASET_ORDER_H

#include "data/dataset.h"
#include "data/order.h"

/* Of small sets, `run` samples that follow one another in the set stay together (order.h), of which none is
 * another's repeat; 1: none do.  Samples of large sets come from a window as it is. */
order *dataset_order(const dataset *d, const dataset_selection *selection, uint64_t seed, int64_t run,
                     error *err);

#endif
