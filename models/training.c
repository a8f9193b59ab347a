/* training.c -- see training.h.
 * SPDX-License-Identifier: MIT */
#include "models/training.h"

/* Of this rank's share of a batch. */
static int64_t parts_of(const training_config *c)
{
    return c->accumulate > 1 ? c->accumulate : 1;
}

bool training_check_split(const training_config *c, const char *kind, error *err)
{
    if (c->precision == training_precision_paper)
        return error_set(
            err, ERROR_USAGE,
            "%s: precision=paper needs a gradient scale in every residual block, which its blocks "
            "do not have; use precision=mixed",
            kind);
    return training_check_scaled(c, kind, err);
}

bool training_check(const training_config *c, const char *kind, error *err)
{
    if (c->shards > 1)
        return error_set(err, ERROR_USAGE, "%s: its parameters cannot be split among ranks; use shards=1",
                         kind);
    return training_check_split(c, kind, err);
}

bool training_check_shards(const training_config *c, const char *kind, int64_t size, error *err)
{
    const int ranks = comm_count(c->comm);
    if (size % c->shards)
        return error_set(
            err, ERROR_USAGE,
            "%s: size %lld cannot be split in %lld shards; use a number of shards that divides it", kind,
            (long long)size, (long long)c->shards);
    if (ranks % c->shards == 0) return true;
    return error_set(err, ERROR_USAGE,
                     "%s: %d rank%s of %lld shards; start %lld or a multiple with mpirun, or use a number "
                     "of shards that divides the ranks",
                     kind, ranks, ranks == 1 ? " is no group" : "s are no groups", (long long)c->shards,
                     (long long)c->shards);
}

bool training_check_scaled(const training_config *c, const char *kind, error *err)
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

dtype training_half_type(const training_config *c)
{
    if (c->precision == training_precision_f32) return DTYPE_F32;
    return c->half == training_half_bf16 ? DTYPE_BF16 : DTYPE_F16;
}

dtype training_stored_type(const training_config *c)
{
    return c->precision == training_precision_paper ? training_half_type(c) : DTYPE_F32;
}

/* The paper's 2^13.  It has this times the number of ranks, by which it divides the loss; here a rank's
 * gradients are those of its own samples' mean, whose size does not depend on how many ranks there are. */
float training_block_start(const training_config *c)
{
    return c->precision == training_precision_paper ? 13.0f : 0.0f;
}

static scaling_settings training_scaling(const training_config *c)
{
    return (scaling_settings){
        .loss_scale = c->precision == training_precision_mixed ? (float)c->loss_scale : 0.0f,
        .loss_scale_every = (int32_t)c->loss_scale_every,
        .block_start = training_block_start(c),
    };
}

static dtype mean_type(const training_config *c)
{
    const dtype usual = c->precision == training_precision_paper ? DTYPE_F169 : DTYPE_F32;
    const dtype types[] = { [training_mean_type_auto] = usual,
                            [training_mean_type_f32] = DTYPE_F32,
                            [training_mean_type_bf16] = DTYPE_BF16,
                            [training_mean_type_f169] = DTYPE_F169 };
    return types[c->mean_type];
}

static dtype variance_type(const training_config *c)
{
    const dtype usual = c->precision == training_precision_paper ? DTYPE_UF610 : DTYPE_F32;
    const dtype types[] = { [training_variance_type_auto] = usual,
                            [training_variance_type_f32] = DTYPE_F32,
                            [training_variance_type_bf16] = DTYPE_BF16,
                            [training_variance_type_f169] = DTYPE_F169,
                            [training_variance_type_uf610] = DTYPE_UF610 };
    return types[c->variance_type];
}

static powersgd_settings compression_of(const training_config *c)
{
    static const dtype types[] = { [training_compress_type_f169] = DTYPE_F169,
                                   [training_compress_type_f32] = DTYPE_F32,
                                   [training_compress_type_f16] = DTYPE_F16,
                                   [training_compress_type_bf16] = DTYPE_BF16 };
    return (powersgd_settings){ .rank = c->compress == training_compress_powersgd ? c->rank : 0,
                                .type = types[c->compress_type],
                                .ranks = c->comm };
}

optimizer_settings training_optimizer(const training_config *c)
{
    return (optimizer_settings){ .beta1 = (float)c->beta1,
                                 .beta2 = (float)c->beta2,
                                 .epsilon = (float)c->adam_epsilon,
                                 .decay = (float)c->weight_decay,
                                 .clip = (float)c->clip,
                                 .ema = c->ema > 0,
                                 .compress = compression_of(c),
                                 .mean_type = mean_type(c),
                                 .variance_type = variance_type(c),
                                 .variance_limit = (float)c->variance_clip,
                                 .stochastic = c->rounding == training_rounding_stochastic,
                                 .seed = (uint64_t)c->seed,
                                 .scaling = training_scaling(c) };
}

bool training_is_fixed(const training_config *c)
{
    return c->augment == training_augment_none && c->flip != training_flip_yes;
}
