/* clip.c -- the two towers as the published code has them, and their loss.
 * SPDX-License-Identifier: MIT */
#include "models/clip/clip.h"

#include "host/graph/split.h"

#include <math.h>
#include <stdlib.h>

/* ---- Weights ---- */

/* Initial deviations: openai/CLIP, clip/model.py, initialize_parameters; it leaves those of the image tower's
 * blocks to its framework, here they are the text tower's. */
static clip_block declare_block(graph *g, int64_t width, int64_t heads, int64_t factor, int64_t layers,
                                int64_t number)
{
    float in = 1.0f / sqrtf((float)width), out = in / sqrtf(2.0f * (float)layers), up = in / sqrtf(2.0f);
    clip_block w;
    graph_push(g, "block%lld", (long long)number);
    w.norm1 = nn_norm_weights(g, "norm1", width);
    w.attention = nn_attention_weights(g, "attention", width, heads, in, out);
    w.norm2 = nn_norm_weights(g, "norm2", width);
    w.up = nn_linear_weights(g, "up", width, width * factor, true, up);
    w.down = nn_linear_weights(g, "down", width * factor, width, true, out);
    graph_pop(g);
    return w;
}

static clip_block *declare_blocks(graph *g, int64_t width, int64_t heads, int64_t factor, int64_t layers)
{
    clip_block *blocks = graph_allocate(g, (size_t)layers * sizeof *blocks);
    for (int64_t i = 0; blocks && i < layers; ++i)
        blocks[i] = declare_block(g, width, heads, factor, layers, i + 1);
    return blocks;
}

static void declare_image(graph *g, const clip_config *c, clip_weights *w)
{
    int64_t width = c->image_width, numbers = c->patch * c->patch * 3;
    float deviation = 1.0f / sqrtf((float)width);
    graph_push(g, "image");
    w->patch = nn_linear_weights(g, "patch", numbers, width, false, 1.0f / sqrtf((float)numbers));
    w->class_row = nn_embedding(g, "class", deviation, 1, width);
    w->image_position = nn_embedding(g, "position", deviation, clip_patches(c) + 1, width);
    w->image_before = nn_norm_weights(g, "norm_before", width);
    w->image_blocks = declare_blocks(g, width, c->image_heads, c->mlp_factor, c->image_layers);
    w->image_after = nn_norm_weights(g, "norm_after", width);
    w->image_projection = nn_linear_weights(g, "projection", width, c->embedding, false, deviation);
    graph_pop(g);
}

static void declare_text(graph *g, const clip_config *c, clip_weights *w)
{
    int64_t width = c->text_width;
    graph_push(g, "text");
    w->text_table = nn_embedding(g, "embedding", 0.02f, clip_rows(c), width);
    w->text_position = nn_embedding(g, "position", 0.01f, c->text_tokens, width);
    w->text_blocks = declare_blocks(g, width, c->text_heads, c->mlp_factor, c->text_layers);
    w->text_norm = nn_norm_weights(g, "norm", width);
    w->text_projection =
        nn_linear_weights(g, "projection", width, c->embedding, false, 1.0f / sqrtf((float)width));
    graph_pop(g);
}

static void declare_rest(graph *g, const clip_config *c, clip_weights *w)
{
    declare_text(g, c, w);
    w->log_scale = nn_bias(g, "log_scale", 1); /* like a bias, it does not decay */
}

clip_weights clip_declare(graph *g, const clip_config *c)
{
    clip_weights w = { 0 };
    declare_image(g, c, &w);
    declare_rest(g, c, &w);
    return w;
}

clip_weights clip_declare_learning(graph *g, const clip_config *c)
{
    clip_weights w = { 0 };
    graph_set_trainable(g, !c->locked_image);
    declare_image(g, c, &w);
    graph_set_trainable(g, true);
    declare_rest(g, c, &w);
    return w;
}

bool clip_start_scale(store *s, error *err)
{
    store_entry *e = store_find(s, "log_scale");
    CHECK(e, "a store of %d entries has no log_scale", store_count(s));
    const float start = logf(1.0f / 0.07f);
    return store_write_f32(s, e, &start, err);
}

/* ---- Towers ---- */

clip_constants clip_constants_input(graph *g, int64_t samples)
{
    const int64_t colours = 3;
    return (clip_constants){ graph_input(g, "begin", DTYPE_I32, 2, (int64_t[]){ samples, 1 }),
                             graph_input(g, "factor", DTYPE_F32, 1, &colours),
                             graph_input(g, "shift", DTYPE_F32, 1, &colours) };
}

/* `begin` holds zeros, as every input does from its start. */
bool clip_write_constants(const clip_constants *k, error *err)
{
    /* openai/CLIP, clip/clip.py, _transform */
    static const float mean[3] = { 0.48145466f, 0.4578275f, 0.40821073f },
                       deviation[3] = { 0.26862954f, 0.26130258f, 0.27577711f };
    float factor[3], shift[3];
    for (int i = 0; i < 3; ++i) {
        factor[i] = 1.0f / (255.0f * deviation[i]);
        shift[i] = -mean[i] / deviation[i];
    }
    return graph_write(k->factor, factor, err) && graph_write(k->shift, shift, err);
}

static tensor *drop(const clip_config *c, tensor *x, tensor *random)
{
    return random && c->dropout > 0 ? op_dropout(x, (float)c->dropout, random) : x;
}

/* residual + drop(x W^T + bias) */
static tensor *add_branch(const clip_config *c, const linear_weights *w, tensor *x, tensor *residual,
                          tensor *random)
{
    if (random && c->dropout > 0) return op_add(residual, drop(c, nn_linear(w, x), random));
    return nn_linear_add(w, x, residual);
}

static tensor *mlp(const clip_config *c, const clip_block *w, tensor *h, tensor *random)
{
    activation f = c->activation == clip_activation_gelu ? ACTIVATION_GELU : ACTIVATION_QUICK_GELU;
    tensor *wide = op_linear_activation(nn_norm(&w->norm2, h), split_whole(w->up.weight), w->up.bias, f);
    return add_branch(c, &w->down, wide, h, random);
}

static tensor *block(const clip_config *c, const clip_block *w, tensor *x, const mask *pattern,
                     tensor *random)
{
    tensor *mixed = nn_attention(&w->attention, nn_norm(&w->norm1, x), pattern, NULL);
    return mlp(c, w, add_branch(c, &w->attention.output, mixed, x, random), random);
}

/* A tower is read at one row a sample: behind the keys and values of its last block nothing else is computed.
 * What such a row sees: all keys, or the first valid[b]. */
typedef struct clip_reading {
    tensor *(*row)(tensor *x, tensor *ends); /* [b,T,W] -> [b,1,W] */
    tensor *ends, *valid;
} clip_reading;

static tensor *last_block(const clip_config *c, const clip_block *w, tensor *x, const clip_reading *r,
                          tensor *random)
{
    const attention_weights *a = &w->attention;
    const attention_weights asks = { .query = a->query,
                                     .context_key = a->key,
                                     .context_value = a->value,
                                     .heads = a->heads,
                                     .head_size = a->head_size };
    tensor *row = r->row(x, r->ends);
    tensor *mixed = nn_cross_attention(&asks, nn_norm(&w->norm1, row), nn_norm(&w->norm1, x), r->valid, NULL);
    return mlp(c, w, add_branch(c, &a->output, mixed, row, random), random);
}

/* x [b,T,W] -> the row that is read, [b,W] */
static tensor *blocks(graph *g, const clip_config *c, const clip_block *w, int64_t layers, tensor *x,
                      const mask *pattern, const clip_reading *r, tensor *random)
{
    for (int64_t i = 0; w && i < layers; ++i) {
        graph_push(g, "block%lld", (long long)i + 1);
        if (c->recompute) graph_recompute_begin(g);
        x = i + 1 < layers ? block(c, &w[i], x, pattern, random) : last_block(c, &w[i], x, r, random);
        if (c->recompute) graph_recompute_end(g);
        graph_pop(g);
    }
    return op_reshape(x, 2, (int64_t[]){ x->dim[0], tensor_last(x) });
}

/* Rows made 1 long; one of zeros stays so. */
static tensor *unit_rows(tensor *x)
{
    tensor *squares = op_affine(op_sum_last(op_square(x)), 1.0f, 1e-30f);
    return op_mul(x, op_exp(op_scale(op_log(squares), -0.5f)));
}

/* U8 [b,S,S,3] -> [b,N,3 patch^2]: each patch in raster order. */
static tensor *patches(const clip_config *c, const clip_constants *k, tensor *pixels)
{
    int64_t b = pixels->dim[0], p = c->patch, n = c->image_size / p;
    tensor *x = nn_half(op_add(op_mul(op_cast(pixels, DTYPE_F32), k->factor), k->shift));
    x = op_reshape(x, 6, (int64_t[]){ b, n, p, n, p, 3 });
    x = op_permute(x, (int[]){ 0, 1, 3, 2, 4, 5 });
    return op_reshape(x, 3, (int64_t[]){ b, n * n, p * p * 3 });
}

static tensor *class_row(tensor *x, tensor *ends)
{
    (void)ends;
    return op_contiguous(op_slice(x, 1, 0, 1));
}

tensor *clip_picture_features(graph *g, const clip_config *c, const clip_weights *w, const clip_constants *k,
                              tensor *pixels, tensor *random)
{
    const mask all = { .kind = MASK_BIDIRECTIONAL };
    const clip_reading first = { .row = class_row };
    graph_push(g, "image");
    tensor *x = nn_linear(&w->patch, patches(c, k, pixels)); /* [b,N,W] */
    tensor *begin = nn_half(op_embedding(split_whole(w->class_row), k->begin));
    x = op_concat(2, (tensor *[]){ begin, x }, 1); /* [b,N+1,W] */
    x = nn_norm(&w->image_before, drop(c, op_add(x, split_whole(w->image_position)), random));
    x = blocks(g, c, w->image_blocks, c->image_layers, x, &all, &first, random); /* [b,W] */
    x = unit_rows(nn_linear_wide(&w->image_projection, nn_norm(&w->image_after, x)));
    graph_pop(g);
    return x;
}

tensor *clip_ends_input(graph *g, int64_t samples)
{
    return graph_input(g, "ends", DTYPE_I32, 2, (int64_t[]){ 2, samples });
}

bool clip_write_ends(tensor *ends, const int32_t *place, int64_t tokens, error *err)
{
    int64_t samples = ends->dim[1];
    int32_t *both = malloc((size_t)(2 * samples) * sizeof *both);
    if (!both) return error_set(err, ERROR_MEMORY, "out of memory for %lld captions", (long long)samples);
    for (int64_t i = 0; i < samples; ++i) {
        both[i] = (int32_t)(i * tokens + place[i]);
        both[samples + i] = place[i] + 1;
    }
    bool ok = graph_write(ends, both, err);
    free(both);
    return ok;
}

/* Row `which` of ends [2,b]. */
static tensor *ends_row(tensor *ends, int64_t which)
{
    return op_reshape(op_slice(ends, 0, which, 1), 1, (int64_t[]){ ends->dim[1] });
}

static tensor *end_row(tensor *x, tensor *ends)
{
    tensor *rows = op_embedding(op_reshape(x, 2, (int64_t[]){ -1, tensor_last(x) }), ends_row(ends, 0));
    return op_reshape(rows, 3, (int64_t[]){ x->dim[0], 1, tensor_last(x) });
}

tensor *clip_text_features(graph *g, const clip_config *c, const clip_weights *w, tensor *text, tensor *ends,
                           tensor *random)
{
    const mask causal = { .kind = MASK_CAUSAL, .text = (int32_t)c->text_tokens, .side = 1 };
    const clip_reading end = { end_row, ends, ends_row(ends, 1) };
    graph_push(g, "text");
    tensor *x = nn_half(
        op_add(op_embedding(split_whole(w->text_table), text), split_whole(w->text_position))); /* [b,T,W] */
    x = drop(c, x, random);
    x = blocks(g, c, w->text_blocks, c->text_layers, x, &causal, &end, random); /* [b,W] */
    x = unit_rows(nn_linear_wide(&w->text_projection, nn_norm(&w->text_norm, x)));
    graph_pop(g);
    return x;
}

tensor *clip_text_states(graph *g, const clip_config *c, const clip_weights *w, tensor *text)
{
    const mask causal = { .kind = MASK_CAUSAL, .text = (int32_t)c->text_tokens, .side = 1 };
    graph_push(g, "text_states");
    tensor *x = op_add(op_embedding(split_whole(w->text_table), text), split_whole(w->text_position));
    for (int64_t i = 0; w->text_blocks && i < c->text_layers; ++i)
        x = block(c, &w->text_blocks[i], x, &causal, NULL);
    x = nn_norm(&w->text_norm, x);
    graph_pop(g);
    return x;
}

/* ---- The loss ---- */

/* The sum of the cross-entropies of rows of `from` against all of `to`, piece by piece. */
static tensor *one_way(graph *g, const clip_losses *l, tensor *from, tensor *to, tensor *targets,
                       tensor **nearest)
{
    tensor *sum = NULL;
    for (int64_t i = 0; nearest && i < l->pieces; ++i) {
        if (l->pieces > 1) graph_recompute_begin(g);
        tensor *logits = op_matmul_nt(op_slice(from, 0, i * l->rows, l->rows), to); /* [rows,B] */
        tensor *each = op_cross_entropy(logits, op_slice(targets, 0, i * l->rows, l->rows));
        if (l->pieces > 1) graph_recompute_end(g);
        nearest[i] = op_argmax_last(logits);
        sum = sum ? op_add(sum, op_sum_all(each)) : op_sum_all(each);
    }
    return sum ? sum : graph_poison(g);
}

static int64_t rows_at_once(int64_t batch, int64_t most)
{
    int64_t rows = batch;
    while (rows * batch > most && rows % 2 == 0) rows /= 2;
    return rows;
}

clip_losses clip_contrast(graph *g, tensor *pictures, tensor *texts, tensor *log_scale, tensor *targets,
                          int64_t most)
{
    int64_t batch = targets->dim[0];
    clip_losses l = { .scale = op_exp(log_scale), .rows = rows_at_once(batch, most) };
    l.pieces = batch / l.rows;
    for (int i = 0; i < 2; ++i) l.nearest[i] = graph_allocate(g, (size_t)l.pieces * sizeof(tensor *));
    tensor *scaled = op_mul(pictures, l.scale);
    tensor *of_pictures = one_way(g, &l, scaled, texts, targets, l.nearest[0]),
           *of_texts = one_way(g, &l, texts, scaled, targets, l.nearest[1]);
    l.loss = op_scale(op_add(of_pictures, of_texts), 0.5f / (float)batch);
    return l;
}
