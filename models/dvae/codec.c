/* codec.c -- see codec.h.
 * SPDX-License-Identifier: MIT */
#include "models/dvae/codec.h"

#include "host/base/json_tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct dvae_codec {
    dvae_config config;
    int64_t batch, side;
    store *store;
    bool averages;
    codec_parts parts, ready;
    graph *encode, *decode;
    tensor *pixels, *tokens;  /* encode: U8 in, I32 out */
    tensor *codes, *pictures; /* decode: I32 in, F32 out */
    tensor *real, *nats;      /* with CODEC_SCORE: U8 in, F32 [batch] out */
};

static bool build_encode(dvae_codec *k, error *err)
{
    if (!(k->encode = graph_create(k->store, err))) return false;
    graph *g = k->encode;
    graph_set_trainable(g, false);
    graph_set_averages(g, k->averages);
    int64_t size = k->config.image_size;
    k->pixels = graph_input(g, "pixels", DTYPE_U8, 4, (int64_t[]){ k->batch, size, size, 3 });
    k->tokens =
        dvae_tokens(g, &k->config, dvae_encoder(g, &k->config, dvae_map_pixels(&k->config, k->pixels)));
    graph_keep(k->tokens);
    return graph_sound(g, err);
}

static bool build_decode(dvae_codec *k, error *err)
{
    if (!(k->decode = graph_create(k->store, err))) return false;
    graph *g = k->decode;
    graph_set_trainable(g, false);
    graph_set_averages(g, k->averages);
    k->codes = graph_input(g, "tokens", DTYPE_I32, 3, (int64_t[]){ k->batch, k->side, k->side });
    tensor *stats = dvae_decode_tokens(g, &k->config, k->codes);
    k->pictures = dvae_reconstruction(&k->config, stats);
    graph_keep(k->pictures);
    if ((k->parts & CODEC_SCORE) && dvae_codec_scores(&k->config)) {
        int64_t size = k->config.image_size;
        k->real = graph_input(g, "real", DTYPE_U8, 4, (int64_t[]){ k->batch, size, size, 3 });
        tensor *density = op_logit_laplace(dvae_map_pixels(&k->config, k->real), stats);
        k->nats = op_sum_last(op_reshape(density, 2, (int64_t[]){ k->batch, -1 }));
        graph_keep(k->nats);
    }
    return graph_sound(g, err);
}

/* A graph that could not be compiled is of no use: the next try begins anew. */
static bool compile(dvae_codec *k, codec_parts part, graph **g, bool (*build)(dvae_codec *, error *),
                    const char *knob, error *err)
{
    if (k->ready & part) return true;
    if ((*g || build(k, err)) && graph_compile(*g, (uint64_t)k->config.seed, knob, err)) {
        k->ready |= part;
        return true;
    }
    graph_destroy(*g);
    *g = NULL;
    return false;
}

bool dvae_codec_prepare(dvae_codec *k, codec_parts parts, error *err)
{
    return (!(parts & CODEC_ENCODE) || compile(k, CODEC_ENCODE, &k->encode, build_encode,
                                               "the number of pictures encoded at once", err)) &&
           (!(parts & CODEC_DECODE) || compile(k, CODEC_DECODE, &k->decode, build_decode,
                                               "the number of pictures decoded at once", err));
}

dvae_codec *dvae_codec_create(store *s, const dvae_config *c, codec_parts parts, int64_t batch, bool averages,
                              error *err)
{
    dvae_codec *k = calloc(1, sizeof *k);
    if (!k) return error_null(err, ERROR_MEMORY, "out of memory for a dVAE");
    k->config = *c;
    k->config.recompute = false;
    k->store = s;
    k->averages = averages;
    k->parts = parts;
    k->batch = batch;
    k->side = dvae_tokens_side(c);
    /* Later or not, the parameters have their memory now, for what is read from a file. */
    if (((parts & CODEC_ENCODE) && !build_encode(k, err)) ||
        ((parts & CODEC_DECODE) && !build_decode(k, err)) ||
        ((parts & CODEC_LATER) ? !store_allocate(s, (uint64_t)c->seed, err)
                               : !dvae_codec_prepare(k, parts & CODEC_BOTH, err))) {
        dvae_codec_destroy(k);
        return NULL;
    }
    return k;
}

void dvae_codec_destroy(dvae_codec *k)
{
    if (!k) return;
    graph_destroy(k->encode);
    graph_destroy(k->decode);
    free(k);
}

bool dvae_codec_encode(dvae_codec *k, const uint8_t *pixels, int64_t count, int32_t *tokens, error *err)
{
    CHECK(k->parts & CODEC_ENCODE, "the codec was made without its encoder (%lld)", (long long)count);
    int64_t in = k->config.image_size * k->config.image_size * 3, out = k->side * k->side;
    uint8_t *block = calloc((size_t)(in * k->batch), 1);
    int32_t *found = malloc((size_t)(out * k->batch) * sizeof *found);
    bool ok = block && found ? true
                             : error_set(err, ERROR_MEMORY, "out of memory for encoding %lld pictures",
                                         (long long)k->batch);
    for (int64_t done = 0; ok && done < count; done += k->batch) {
        int64_t now = count - done < k->batch ? count - done : k->batch;
        memcpy(block, pixels + done * in, (size_t)(now * in));
        ok = dvae_codec_prepare(k, CODEC_ENCODE, err) && graph_write(k->pixels, block, err) &&
             graph_run(k->encode, err) && graph_read(k->tokens, found, err);
        if (ok) memcpy(tokens + done * out, found, (size_t)(now * out) * sizeof *found);
    }
    free(block);
    free(found);
    return ok;
}

/* A token outside the codebook would read beyond it. */
static bool tokens_in_range(const dvae_codec *k, const int32_t *tokens, int64_t count, error *err)
{
    for (int64_t i = 0; i < count; ++i)
        if (tokens[i] < 0 || tokens[i] >= k->config.codes)
            return error_set(err, ERROR_USAGE, "token %lld is %d; the codebook has codes 0 to %lld",
                             (long long)i, tokens[i], (long long)k->config.codes - 1);
    return true;
}

bool dvae_codec_scores(const dvae_config *c)
{
    return c->reconstruction != dvae_measure_pixels;
}

dvae_bits dvae_codec_bits(const dvae_config *c, double nats, int64_t pictures)
{
    double values = (double)(c->image_size * c->image_size * 3), side = (double)dvae_tokens_side(c);
    return (dvae_bits){ nats / (log(2) * values * (double)pictures) - log2((1 - 2 * c->epsilon) / 255),
                        side * side * log2((double)c->codes) / values };
}

/* Writes the pictures, if they are to be scored, runs the decoder, and adds the nats of `now` of them. */
static bool run_decoder(dvae_codec *k, const uint8_t *real, int64_t now, double *nats, error *err)
{
    if (!real) return graph_run(k->decode, err);
    int64_t size = k->config.image_size * k->config.image_size * 3;
    uint8_t *block = calloc((size_t)(size * k->batch), 1);
    float *each = malloc((size_t)k->batch * sizeof *each);
    bool ok = block && each
                  ? true
                  : error_set(err, ERROR_MEMORY, "out of memory for scoring %lld pictures", (long long)now);
    if (ok) memcpy(block, real, (size_t)(now * size));
    ok = ok && graph_write(k->real, block, err) && graph_run(k->decode, err) &&
         graph_read_f32(k->nats, each, err);
    for (int64_t i = 0; ok && i < now; ++i) *nats += (double)each[i];
    free(block);
    free(each);
    return ok;
}

/* Where `real` is NULL nothing is scored. */
static bool decode(dvae_codec *k, const int32_t *tokens, const uint8_t *real, int64_t count, uint8_t *pixels,
                   double *nats, error *err)
{
    CHECK(k->parts & CODEC_DECODE, "the codec was made without its decoder (%lld)", (long long)count);
    int64_t in = k->side * k->side, out = k->config.image_size * k->config.image_size * 3;
    if (!tokens_in_range(k, tokens, count * in, err)) return false;
    int32_t *block = calloc((size_t)(in * k->batch), sizeof *block);
    float *drawn = malloc((size_t)(out * k->batch) * sizeof *drawn);
    bool ok = block && drawn ? true
                             : error_set(err, ERROR_MEMORY, "out of memory for decoding %lld pictures",
                                         (long long)k->batch);
    for (int64_t done = 0; ok && done < count; done += k->batch) {
        int64_t now = count - done < k->batch ? count - done : k->batch;
        memcpy(block, tokens + done * in, (size_t)(now * in) * sizeof *block);
        ok = dvae_codec_prepare(k, CODEC_DECODE, err) && graph_write(k->codes, block, err) &&
             run_decoder(k, real ? real + done * out : NULL, now, nats, err) &&
             graph_read_f32(k->pictures, drawn, err);
        for (int64_t i = 0; ok && i < now * out; ++i)
            pixels[done * out + i] = (uint8_t)lrintf(drawn[i] * 255.0f);
    }
    free(block);
    free(drawn);
    return ok;
}

bool dvae_codec_decode(dvae_codec *k, const int32_t *tokens, int64_t count, uint8_t *pixels, error *err)
{
    return decode(k, tokens, NULL, count, pixels, NULL, err);
}

bool dvae_codec_score(dvae_codec *k, const int32_t *tokens, const uint8_t *real, int64_t count,
                      uint8_t *pixels, double *nats, error *err)
{
    CHECK(k->parts & CODEC_SCORE && dvae_codec_scores(&k->config), "nothing is likely here (%lld)",
          (long long)count);
    *nats = 0;
    return decode(k, tokens, real, count, pixels, nats, err);
}

/* ---- Codebook usage ---- */

struct code_counter {
    int64_t codes, total;
    int64_t *counts;
};

code_counter *code_counter_create(int64_t codes, error *err)
{
    code_counter *c = calloc(1, sizeof *c);
    if (c) c->counts = calloc((size_t)codes, sizeof *c->counts);
    if (!c || !c->counts) {
        free(c);
        return error_null(err, ERROR_MEMORY, "out of memory for counting %lld codes", (long long)codes);
    }
    c->codes = codes;
    return c;
}

void code_counter_destroy(code_counter *c)
{
    if (c) free(c->counts);
    free(c);
}

void code_counter_add(code_counter *c, const int32_t *tokens, int64_t count)
{
    for (int64_t i = 0; i < count; ++i)
        if (tokens[i] >= 0 && tokens[i] < c->codes) {
            ++c->counts[tokens[i]];
            ++c->total;
        }
}

code_usage code_counter_usage(const code_counter *c)
{
    code_usage u = { .codes = c->codes };
    for (int64_t i = 0; i < c->codes; ++i) {
        if (!c->counts[i]) continue;
        double p = (double)c->counts[i] / (double)c->total;
        ++u.used;
        u.entropy -= p * log2(p);
    }
    return u;
}

void code_counter_classes(const code_counter *c, double classes[CODE_CLASSES])
{
    memset(classes, 0, CODE_CLASSES * sizeof *classes);
    for (int64_t i = 0; i < c->codes; ++i) {
        double even = c->total ? (double)c->counts[i] * (double)c->codes / (double)c->total : 0;
        int at = even > 0 ? (int)floor(log2(even)) + 6 : 0;
        ++classes[even <= 0 ? 0 : at < 1 ? 1 : at < CODE_CLASSES ? at : CODE_CLASSES - 1];
    }
}

void code_counter_clear(code_counter *c)
{
    memset(c->counts, 0, (size_t)c->codes * sizeof *c->counts);
    c->total = 0;
}

json_t *code_counter_save(const code_counter *c)
{
    json_t *list = json_array();
    for (int64_t i = 0; list && i < c->codes; ++i)
        if (c->counts[i]) json_tree_add(&list, json_pack("[I, I]", (json_int_t)i, (json_int_t)c->counts[i]));
    return json_pack("{s:o}", "codes", list);
}

bool code_counter_load(code_counter *c, const json_t *state, error *err)
{
    size_t at;
    json_t *pair;
    code_counter_clear(c);
    json_array_foreach(json_object_get(state, "codes"), at, pair)
    {
        json_int_t code = json_integer_value(json_array_get(pair, 0)),
                   count = json_integer_value(json_array_get(pair, 1));
        if (code < 0 || code >= c->codes || count < 0)
            return error_set(err, ERROR_FORMAT, "the checkpoint counts a code %lld; the codebook has %lld",
                             (long long)code, (long long)c->codes);
        c->counts[code] = count;
        c->total += count;
    }
    return true;
}

double psnr_of(double mean_squared_error)
{
    return mean_squared_error > 0 ? -10.0 * log10(mean_squared_error) : 99.0;
}
