/* toy.c -- see toy.h.
 * SPDX-License-Identifier: MIT */
#include "models/toy/toy.h"

#include "models/fit.h"

#include <math.h>

static const config_field fields[] = {
#define CONFIG_AS_TABLE
#define CONFIG_OF toy_config
#include "host/base/config_def.h"
#include "models/toy/config.def"
#include "host/base/config_undef.h"
};

const config_table toy_config_table = { "toy", fields, (int)(sizeof fields / sizeof *fields),
                                        sizeof(toy_config), NULL };

/* pixels U8 [B,S,S,3] -> what is to come out, F32 [B,D], and what does. */
static tensor *autoencode(graph *g, const toy_config *c, tensor *pixels, tensor **wanted)
{
    int64_t values = c->image_size * c->image_size * 3;
    float deviation = 1.0f / sqrtf((float)values);
    linear_weights in = nn_linear_weights(g, "encode", values, c->size, true, deviation),
                   out = nn_linear_weights(g, "decode", c->size, values, true, deviation);
    tensor *x = op_affine(op_cast(pixels, DTYPE_F32), 1.0f / 255.0f, 0.0f);
    *wanted = op_reshape(x, 2, (int64_t[]){ pixels->dim[0], values });
    return nn_linear_wide(&out, nn_linear(&in, *wanted));
}

void toy_fit(toy_config *c, int64_t pictures)
{
    fit_training(&c->training, 400, 60, 3, pictures);
}

bool toy_config_check(const toy_config *c, error *err)
{
    return training_check(&c->training, "toy", err);
}

static tensor *pixels_input(graph *g, const toy_config *c)
{
    int64_t dim[4] = { training_samples(&c->training), c->image_size, c->image_size, 3 };
    return graph_input(g, "pixels", DTYPE_U8, 4, dim);
}

bool toy_step_build(toy_step *s, store *st, const toy_config *c, error *err)
{
    if (!(s->graph = graph_create(st, err))) return false;
    const optimizer_settings o = training_optimizer(&c->training);
    graph_set_half(s->graph, training_half_type(&c->training));
    tensor *wanted;
    s->pixels = pixels_input(s->graph, c);
    tensor *made = autoencode(s->graph, c, s->pixels, &wanted);
    tensor *loss = op_mean_all(op_square(op_sub(made, wanted)));
    s->random = graph_input(s->graph, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    optimizer_backward(s->graph, loss, &o);
    s->division = training_division(&c->training, s->random);
    s->loss = division_mean(&s->division, "loss", loss);
    s->optimizer = optimizer_append_divided(s->graph, s->loss, &o, &s->division);
    graph_keep(s->loss);
    return true;
}

bool toy_declare(store *st, const toy_config *c, error *err)
{
    graph *g = graph_create(st, err);
    if (!g) return false;
    tensor *wanted;
    graph_set_trainable(g, false);
    autoencode(g, c, pixels_input(g, c), &wanted);
    bool ok = graph_sound(g, err) && store_allocate(st, (uint64_t)c->seed, err);
    graph_destroy(g);
    return ok;
}
