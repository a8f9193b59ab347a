/* training.c -- see training.h.
 * SPDX-License-Identifier: MIT */
#include "models/training.h"

/* Of this rank's share of a batch. */
static int64_t parts_of(const training_config *c)
{
    return c->accumulate > 1 ? c->accumulate : 1;
}

bool training_check(const training_config *c, const char *kind, error *err)
{
    int64_t ranks = comm_count(c->comm), parts = parts_of(c) * ranks, more = parts - c->batch % parts;
    if (more == parts) return true;
    if (ranks > 1)
        return error_set(
            err, ERROR_USAGE,
            "%s: batch %lld is not divisible by %lld, the %lld parts that each of %lld ranks computes it "
            "in; use batch=%lld",
            kind, (long long)c->batch, (long long)parts, (long long)parts_of(c), (long long)ranks,
            (long long)(c->batch + more));
    return error_set(
        err, ERROR_USAGE,
        "%s: batch %lld is not divisible by accumulate %lld, the parts that it is computed in; use "
        "batch=%lld",
        kind, (long long)c->batch, (long long)parts, (long long)(c->batch + more));
}

int64_t training_batch(const training_config *c)
{
    return c->batch / comm_count(c->comm);
}

int64_t training_first(const training_config *c)
{
    return comm_rank(c->comm) * training_batch(c);
}

int64_t training_samples(const training_config *c)
{
    return training_batch(c) / parts_of(c);
}

division training_division(const training_config *c, tensor *random)
{
    return division_among(
        (division){ .parts = parts_of(c), .samples = training_samples(c), .random = random }, c->comm);
}

optimizer_settings training_optimizer(const training_config *c)
{
    return (optimizer_settings){ (float)c->beta1,
                                 (float)c->beta2,
                                 (float)c->adam_epsilon,
                                 (float)c->weight_decay,
                                 (float)c->clip,
                                 c->ema > 0,
                                 NULL };
}

bool training_is_fixed(const training_config *c)
{
    return c->augment == training_augment_none && c->flip != training_flip_yes;
}
