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

static dtype mean_type(const training_config *c)
{
    static const dtype types[] = { [training_mean_type_auto] = DTYPE_F32,
                                   [training_mean_type_f32] = DTYPE_F32,
                                   [training_mean_type_bf16] = DTYPE_BF16,
                                   [training_mean_type_f169] = DTYPE_F169 };
    return types[c->mean_type];
}

static dtype variance_type(const training_config *c)
{
    static const dtype types[] = { [training_variance_type_auto] = DTYPE_F32,
                                   [training_variance_type_f32] = DTYPE_F32,
                                   [training_variance_type_bf16] = DTYPE_BF16,
                                   [training_variance_type_f169] = DTYPE_F169,
                                   [training_variance_type_uf610] = DTYPE_UF610 };
    return types[c->variance_type];
}

optimizer_settings training_optimizer(const training_config *c)
{
    return (optimizer_settings){ .beta1 = (float)c->beta1,
                                 .beta2 = (float)c->beta2,
                                 .epsilon = (float)c->adam_epsilon,
                                 .decay = (float)c->weight_decay,
                                 .clip = (float)c->clip,
                                 .ema = c->ema > 0,
                                 .mean_type = mean_type(c),
                                 .variance_type = variance_type(c),
                                 .variance_limit = (float)c->variance_clip,
                                 .stochastic = c->rounding == training_rounding_stochastic,
                                 .seed = (uint64_t)c->seed };
}

bool training_is_fixed(const training_config *c)
{
    return c->augment == training_augment_none && c->flip != training_flip_yes;
}
