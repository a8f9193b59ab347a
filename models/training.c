/* training.c -- see training.h.
 * SPDX-License-Identifier: MIT */
#include "models/training.h"

optimizer_settings training_optimizer(const training_config *c)
{
    return (optimizer_settings){ (float)c->beta1,        (float)c->beta2, (float)c->adam_epsilon,
                                 (float)c->weight_decay, (float)c->clip,  c->ema > 0 };
}

bool training_is_fixed(const training_config *c)
{
    return c->augment == training_augment_none && c->flip != training_flip_yes;
}
