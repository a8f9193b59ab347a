/* dataset_order.h -- the order (order.h) of a selection, as its set wants it: small sets are shuffled as a
 * whole, large ones in windows, and sources that have weights are mixed by them.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_ORDER_H
#define DALLE_CL_DATA_DATASET_ORDER_H

#include "data/dataset.h"
#include "data/order.h"

order *dataset_order(const dataset *d, const dataset_selection *selection, uint64_t seed, error *err);

#endif
