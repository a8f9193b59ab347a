/* order.h -- which sample comes when in an endless run of epochs.
 * A source of any number of samples is shuffled as a whole, in runs that stay together if it says so, or,
 * where it says its shards, in windows (order_window.h).  Of several sources with weights each has epochs of
 * its own: of 65,536 samples in a row each gets its share exactly, in a random order, and no source less than
 * one.
 * All depends on the seed, the epoch and the place alone, so that any place can be the first.  One thread at
 * a time.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_ORDER_H
#define DALLE_CL_DATA_ORDER_H

#include "host/base/error.h"
#include <stdint.h>

#define ORDER_SOURCES 256 /* the most that have weights */

typedef struct order order;

/* Places `first` up to, not with, `first + count` of a selection. */
typedef struct order_source {
    int64_t first, count;
    const int64_t *starts; /* [shards + 1] of places; NULL: shuffled as a whole */
    int64_t shards;
    double weight; /* of several: above 0 */
    /* Of those shuffled as a whole: how many neighbours stay together, at most; 0 and 1: none do.  Where the
     * runs begin is drawn for each epoch.  Neighbours are those in `line`, [count] places counted from
     * `first`, each once. */
    int64_t run;
    const int64_t *line;
} order_source;

typedef struct order_config {
    const order_source *sources; /* at least one, none empty */
    int count;
    uint64_t seed;
    int interleave, window; /* of those with shards */
} order_config;

typedef struct order_draw {
    int64_t place; /* in the selection */
    int64_t epoch; /* of its source */
} order_draw;

/* Everything is copied. */
order *order_create(const order_config *config, error *err);
void order_destroy(order *o);

/* An epoch has as many draws as there are samples. */
order_draw order_at(order *o, int64_t epoch, int64_t nth);

#endif
