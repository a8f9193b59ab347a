/* training.c -- see training.h.
 * SPDX-License-Identifier: MIT */
#include "models/training.h"

bool training_check(const training_config *c, const char *kind, error *err)
{
    int64_t parts = c->accumulate > 1 ? c->accumulate : 1, more = parts - c->batch % parts;
    if (more == parts) return true;
    return error_set(
        err, ERROR_USAGE,
        "%s: batch %lld is not divisible by accumulate %lld, the parts that it is computed in; use "
        "batch=%lld",
        kind, (long long)c->batch, (long long)parts, (long long)(c->batch + more));
}

int64_t training_samples(const training_config *c)
{
    return c->accumulate > 1 ? c->batch / c->accumulate : c->batch;
}

division training_division(const training_config *c, tensor *random)
{
    return (division){ .parts = c->accumulate > 1 ? c->accumulate : 1,
                       .samples = training_samples(c),
                       .random = random };
}

static powersgd_settings compression_of(const training_config *c)
{
    static const dtype types[] = { [training_compress_type_f32] = DTYPE_F32,
                                   [training_compress_type_f16] = DTYPE_F16,
                                   [training_compress_type_bf16] = DTYPE_BF16 };
    return (powersgd_settings){ .rank = c->compress == training_compress_powersgd ? c->rank : 0,
                                .type = types[c->compress_type] };
}

optimizer_settings training_optimizer(const training_config *c)
{
    return (optimizer_settings){ (float)c->beta1,
                                 (float)c->beta2,
                                 (float)c->adam_epsilon,
                                 (float)c->weight_decay,
                                 (float)c->clip,
                                 c->ema > 0,
                                 NULL,
                                 compression_of(c) };
}

bool training_is_fixed(const training_config *c)
{
    return c->augment == training_augment_none && c->flip != training_flip_yes;
}
