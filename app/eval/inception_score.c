/* inception_score.c -- softmax, the mean of a part's probabilities, and the mean divergence from it.
 * SPDX-License-Identifier: MIT */
#include "app/eval/inception_score.h"

#include "app/eval/finite_rows.h"
#include "app/eval/mersenne.h"

#include <math.h>
#include <stdlib.h>

typedef struct rooms {
    int64_t *order;
    double *log_p; /* one picture's */
    double *mean;  /* of a part's probabilities, then its logarithm */
} rooms;

/* log softmax(logits) */
static void log_softmax(const float *logits, int64_t classes, double *log_p)
{
    double most = -INFINITY, sum = 0;
    for (int64_t c = 0; c < classes; ++c) most = fmax(most, (double)logits[c]);
    for (int64_t c = 0; c < classes; ++c) sum += exp((double)logits[c] - most);
    for (int64_t c = 0; c < classes; ++c) log_p[c] = (double)logits[c] - most - log(sum);
}

/* exp(mean KL(p || mean p)) of the pictures order[0] to order[count - 1] */
static double score_of(const float *logits, const int64_t *order, int64_t count, int64_t classes,
                       const rooms *r)
{
    for (int64_t c = 0; c < classes; ++c) r->mean[c] = 0;
    for (int64_t i = 0; i < count; ++i) {
        log_softmax(logits + order[i] * classes, classes, r->log_p);
        for (int64_t c = 0; c < classes; ++c) r->mean[c] += exp(r->log_p[c]) / (double)count;
    }
    double divergence = 0;
    for (int64_t i = 0; i < count; ++i) {
        log_softmax(logits + order[i] * classes, classes, r->log_p);
        for (int64_t c = 0; c < classes; ++c) {
            const double p = exp(r->log_p[c]);
            if (p > 0) divergence += p * (r->log_p[c] - log(r->mean[c]));
        }
    }
    return exp(divergence / (double)count);
}

static void put_in_order(int64_t *order, int64_t count, const inception_score_settings *s)
{
    for (int64_t i = 0; i < count; ++i) order[i] = i;
    if (!s->shuffle) return;
    mersenne m;
    mersenne_seed(&m, s->seed);
    mersenne_permutation(&m, count, order);
}

static void all_parts(const float *logits, int64_t count, int64_t classes, int64_t splits, const rooms *r,
                      double *mean, double *deviation)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < splits; ++i) {
        const int64_t from = i * count / splits, to = (i + 1) * count / splits;
        const double score = score_of(logits, r->order + from, to - from, classes, r);
        /* the deviation by Welford's update, which keeps its digits where the parts are nearly equal */
        const double above = score - sum;
        sum += above / (double)(i + 1);
        squares += above * (score - sum);
    }
    *mean = sum;
    *deviation = sqrt(squares / (double)splits);
}

bool inception_score(const float *logits, int64_t count, int64_t classes,
                     const inception_score_settings *settings, double *mean, double *deviation, error *err)
{
    CHECK(settings->splits >= 1 && classes >= 1, "%lld parts, %lld classes", (long long)settings->splits,
          (long long)classes);
    if (count < settings->splits)
        return error_set(err, ERROR_USAGE,
                         "an Inception score of %lld parts needs at least as many pictures; there are %lld",
                         (long long)settings->splits, (long long)count);
    if (!finite_rows(logits, count, classes, 0, "the logits", err)) return false;
    rooms r = { malloc((size_t)count * sizeof *r.order), malloc((size_t)classes * sizeof *r.log_p),
                malloc((size_t)classes * sizeof *r.mean) };
    const bool ok = r.order && r.log_p && r.mean;
    if (ok) {
        put_in_order(r.order, count, settings);
        all_parts(logits, count, classes, settings->splits, &r, mean, deviation);
    }
    free(r.order);
    free(r.log_p);
    free(r.mean);
    return ok || error_set(err, ERROR_MEMORY, "out of memory for the Inception score of %lld pictures",
                           (long long)count);
}
