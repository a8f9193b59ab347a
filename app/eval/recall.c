/* recall.c -- see recall.h.
 * SPDX-License-Identifier: MIT */
#include "app/eval/recall.h"

const int recall_cuts[RECALL_CUTS] = { 1, 5, 10 };

enum { LANES = 8 };

float recall_similarity(const float *a, const float *b, int64_t width)
{
    float lane[LANES] = { 0 }, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= width; i += LANES)
        for (int k = 0; k < LANES; ++k) lane[k] += a[i + k] * b[i + k];
    for (; i < width; ++i) sum += a[i] * b[i];
    for (int k = 0; k < LANES; ++k) sum += lane[k];
    return sum;
}

double recall_chance(int64_t better, int64_t ties, int64_t n)
{
    double places = (double)(n - better); /* left for the tied */
    return places <= 0 ? 0 : places > (double)ties ? 1 : places / (double)(ties + 1);
}

void recall_of(const recall_side *queries, const int64_t *own, const recall_side *gallery, int64_t width,
               mean found[RECALL_CUTS])
{
    for (int64_t i = 0; i < queries->count; ++i) {
        const float *query = queries->at + i * width;
        float mine = recall_similarity(query, gallery->at + own[i] * width, width);
        int64_t better = 0, ties = 0;
        for (int64_t j = 0; j < gallery->count; ++j) {
            if (j == own[i] || gallery->label[j] == queries->label[i]) continue;
            float other = recall_similarity(query, gallery->at + j * width, width);
            better += other > mine;
            ties += other == mine;
        }
        for (int k = 0; k < RECALL_CUTS; ++k)
            mean_add(&found[k], recall_chance(better, ties, recall_cuts[k]));
    }
}
