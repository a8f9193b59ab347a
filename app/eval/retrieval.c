/* retrieval.c -- see retrieval.h.
 * SPDX-License-Identifier: MIT */
#include "app/eval/retrieval.h"

const int retrieval_cuts[RETRIEVAL_CUTS] = { 1, 5, 10 };

enum { LANES = 8 };

float retrieval_similarity(const float *a, const float *b, int64_t width)
{
    float lane[LANES] = { 0 }, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= width; i += LANES)
        for (int k = 0; k < LANES; ++k) lane[k] += a[i + k] * b[i + k];
    for (; i < width; ++i) sum += a[i] * b[i];
    for (int k = 0; k < LANES; ++k) sum += lane[k];
    return sum;
}

double retrieval_chance(int64_t better, int64_t ties, int64_t n)
{
    double places = (double)(n - better); /* left for the tied */
    return places <= 0 ? 0 : places > (double)ties ? 1 : places / (double)(ties + 1);
}

void retrieval_of(const retrieval_side *queries, const int64_t *own, const retrieval_side *gallery,
                  int64_t width, mean found[RETRIEVAL_CUTS])
{
    for (int64_t i = 0; i < queries->count; ++i) {
        const float *query = queries->at + i * width;
        float mine = retrieval_similarity(query, gallery->at + own[i] * width, width);
        int64_t better = 0, ties = 0;
        for (int64_t j = 0; j < gallery->count; ++j) {
            if (j == own[i] || gallery->label[j] == queries->label[i]) continue;
            float other = retrieval_similarity(query, gallery->at + j * width, width);
            better += other > mine;
            ties += other == mine;
        }
        for (int k = 0; k < RETRIEVAL_CUTS; ++k)
            mean_add(&found[k], retrieval_chance(better, ties, retrieval_cuts[k]));
    }
}
