/* recall.h -- how often what belongs to a query is among the nearest of many, by features of length 1. What
 * is as near as what belongs there stands before it by lot, so that features which tell nothing find nothing;
 * what bears the query's own label without being its own (another picture with the same caption) is neither
 * right nor wrong, and is left out.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_RECALL_H
#define DALLE_CL_EVAL_RECALL_H

#include "app/eval/mean.h"

enum { RECALL_CUTS = 3 };
extern const int recall_cuts[RECALL_CUTS]; /* 1, 5, 10 */

/* Features [count][width], and of each what is alike: equal numbers for equal captions. */
typedef struct recall_side {
    const float *at;
    const int64_t *label;
    int64_t count;
} recall_side;

/* The chance that what `better` others surely and `ties` by lot stand before is among the first n. */
double recall_chance(int64_t better, int64_t ties, int64_t n);
/* Query i's own is own[i] of the gallery.  Adds each query's chances. */
void recall_of(const recall_side *queries, const int64_t *own, const recall_side *gallery, int64_t width,
               mean found[RECALL_CUTS]);
/* Of two features; the same bits whatever stands around them. */
float recall_similarity(const float *a, const float *b, int64_t width);

#endif
