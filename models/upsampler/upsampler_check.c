/* upsampler_check.c -- see upsampler_check.h.
 * SPDX-License-Identifier: MIT */
#include "models/upsampler/upsampler_check.h"

#include "data/image.h"
#include "models/upsampler/enlarge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16, PIXELS = 16 * 64 * 64 }; /* pictures at once; of so many pixels together, or one */

struct upsampler_check {
    upsampler_config config;
    store *store;
    diffusion process;
    enlarger enlarger;
    upsampler_draw *draw;
    graph *graph; /* of the loss of `batch` pictures, or NULL */
    int64_t batch;
    tensor *pixels, *low, *random;
    diffusion_inputs noise;
    diffusion_losses losses;
    float *inputs; /* [batch][S][S][3] */
    float *time;   /* [batch], and the coefficients behind them */
};

static int64_t values_of(int64_t side)
{
    return side * side * 3;
}

static bool open(upsampler_check *k, error *err)
{
    const upsampler_config *c = &k->config;
    return upsampler_process(c, &k->process, err) && enlarge_open(&k->enlarger, c, c->from, c->size, err) &&
           (k->draw = upsampler_draw_create(k->store, c, c->ema > 0, err)) != NULL;
}

upsampler_check *upsampler_check_create(store *s, const upsampler_config *c, error *err)
{
    upsampler_check *k = calloc(1, sizeof *k);
    if (!k) return error_null(err, ERROR_MEMORY, "out of memory for validation");
    k->config = *c;
    k->config.recompute = false;
    k->store = s;
    if (open(k, err)) return k;
    upsampler_check_destroy(k);
    return NULL;
}

static void forget(upsampler_check *k)
{
    graph_destroy(k->graph);
    free(k->inputs);
    free(k->time);
    k->graph = NULL;
    k->inputs = k->time = NULL;
}

void upsampler_check_destroy(upsampler_check *k)
{
    if (!k) return;
    forget(k);
    upsampler_draw_destroy(k->draw);
    enlarge_close(&k->enlarger);
    diffusion_free(&k->process);
    free(k);
}

/* ---- The loss ---- */

static bool build(upsampler_check *k, error *err)
{
    const upsampler_config *c = &k->config;
    const int64_t dim[4] = { k->batch, c->size, c->size, 3 };
    if (!(k->graph = graph_create(k->store, err))) return false;
    graph *g = k->graph;
    graph_set_trainable(g, false);
    graph_set_averages(g, c->ema > 0);
    k->pixels = graph_input(g, "pixels", DTYPE_U8, 4, dim);
    k->low = graph_input(g, "low", DTYPE_F32, 4, dim);
    k->random = graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    k->noise = diffusion_inputs_make(g, k->batch);
    tensor *noise, *x0 = upsampler_map_pixels(k->pixels),
                   *x = diffusion_noise(&k->noise, x0, k->random, &noise),
                   *said = upsampler_apply(g, c, c->size, x, k->low, k->noise.time, NULL);
    k->losses = diffusion_loss(&k->process, &k->noise, x0, noise, x, said);
    graph_keep(k->losses.loss);
    graph_keep(k->losses.error);
    return graph_compile(g, (uint64_t)c->seed, "the size of the model", err);
}

static bool make(upsampler_check *k, int64_t batch, error *err)
{
    k->batch = batch;
    k->inputs = malloc((size_t)(batch * values_of(k->config.size)) * sizeof *k->inputs);
    k->time = malloc((size_t)(batch * (1 + DIFFUSION_COEFFICIENTS)) * sizeof *k->time);
    if (!k->inputs || !k->time)
        return error_set(err, ERROR_MEMORY, "out of memory for validating %lld pictures", (long long)batch);
    return build(k, err);
}

static bool need_graph(upsampler_check *k, int64_t count, error *err)
{
    int64_t most = PIXELS / (k->config.size * k->config.size);
    if (most > MOST) most = MOST;
    if (most < 1) most = 1;
    if (k->graph) return true;
    if (make(k, count < most ? count : most, err)) return true;
    forget(k);
    return false;
}

/* Pictures first .. first + batch - 1, with the times and the noise that are theirs. */
static bool write_batch(upsampler_check *k, const uint8_t *real, const uint8_t *low, int64_t first,
                        error *err)
{
    const upsampler_config *c = &k->config;
    uint64_t seed = (uint64_t)c->seed;
    const int32_t random[4] = { (int32_t)(uint32_t)seed, (int32_t)(uint32_t)(seed >> 32), 0, (int32_t)first };
    diffusion_draw_times(&k->process, seed, 0, first, k->batch, k->time, k->time + k->batch);
    for (int64_t i = 0; i < k->batch; ++i)
        enlarge_pixels(&k->enlarger, low + (first + i) * values_of(c->from),
                       k->inputs + i * values_of(c->size));
    return graph_write(k->pixels, real + first * values_of(c->size), err) &&
           graph_write(k->low, k->inputs, err) && graph_write(k->noise.time, k->time, err) &&
           graph_write(k->noise.coefficients, k->time + k->batch, err) && graph_write(k->random, random, err);
}

/* Whole batches: of many pictures up to 15 do not count. */
static bool sum_losses(upsampler_check *k, const uint8_t *real, const uint8_t *low, int64_t count,
                       double *loss, double *mean_error, error *err)
{
    int64_t batches = count / k->batch;
    *loss = *mean_error = 0;
    for (int64_t i = 0; i < batches; ++i) {
        float now[2];
        if (!write_batch(k, real, low, i * k->batch, err) || !graph_run(k->graph, err) ||
            !graph_read_f32(k->losses.loss, &now[0], err) || !graph_read_f32(k->losses.error, &now[1], err))
            return false;
        *loss += (double)now[0] / (double)batches;
        *mean_error += (double)now[1] / (double)batches;
    }
    return true;
}

bool upsampler_check_loss(upsampler_check *k, const uint8_t *real, int64_t count, double *loss,
                          double *mean_error, error *err)
{
    uint8_t *low = malloc((size_t)(count * values_of(k->config.from)));
    bool ok =
        low ? true : error_set(err, ERROR_MEMORY, "out of memory for %lld small pictures", (long long)count);
    ok = ok && upsampler_check_shrink(&k->config, real, count, low, err) && need_graph(k, count, err) &&
         sum_losses(k, real, low, count, loss, mean_error, err);
    free(low);
    return ok;
}

/* ---- Pictures ---- */

bool upsampler_check_shrink(const upsampler_config *c, const uint8_t *real, int64_t count, uint8_t *low,
                            error *err)
{
    int64_t large = values_of(c->size), small = values_of(c->from);
    for (int64_t i = 0; i < count; ++i) {
        const image one = { (int)c->size, (int)c->size, (uint8_t *)(uintptr_t)(real + i * large) };
        image made;
        if (!image_resize(&one, IMAGE_AREA, (int)c->from, (int)c->from, &made, err)) return false;
        memcpy(low + i * small, made.pixels, (size_t)small);
        image_free(&made);
    }
    return true;
}

bool upsampler_check_plain(const upsampler_config *c, const uint8_t *low, int64_t count, uint8_t *made,
                           error *err)
{
    int64_t large = values_of(c->size), small = values_of(c->from);
    float *values = malloc((size_t)large * sizeof *values);
    enlarger e = { 0 };
    bool ok = values ? true : error_set(err, ERROR_MEMORY, "out of memory for a large picture");
    ok = ok && enlarge_open(&e, c, c->from, c->size, err);
    for (int64_t i = 0; ok && i < count; ++i) {
        enlarge_pixels(&e, low + i * small, values);
        enlarge_to_pixels(values, large, made + i * large);
    }
    enlarge_close(&e);
    free(values);
    return ok;
}

bool upsampler_check_draw(upsampler_check *k, const uint8_t *low, int64_t count, uint8_t *made, error *err)
{
    const upsampler_config *c = &k->config;
    int64_t in = count * values_of(c->from), out = count * values_of(c->size);
    float *small = malloc((size_t)in * sizeof *small), *large = malloc((size_t)out * sizeof *large);
    bool ok = small && large;
    if (!ok) error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)count);
    if (ok) enlarge_from_pixels(low, in, small);
    diffusion_run how = upsampler_draw_how(c);
    how.seed = (uint64_t)c->seed;
    how.stream = upsampler_config_table.name;
    ok = ok && upsampler_draw_run(k->draw, &how, small, count, large, err);
    if (ok) enlarge_to_pixels(large, out, made);
    free(small);
    free(large);
    return ok;
}

/* ---- Figures ---- */

double upsampler_check_psnr(const uint8_t *made, const uint8_t *real, int64_t count, int64_t size)
{
    double sum = 0;
    int64_t values = count * values_of(size);
    for (int64_t i = 0; i < values; ++i) {
        double d = ((double)made[i] - (double)real[i]) / 255.0;
        sum += d * d;
    }
    return sum > 0 ? -10 * log10(sum / (double)values) : 99.0;
}

/* Squares of differences along rows and columns, summed. */
static double differences(const uint8_t *pictures, int64_t count, int64_t size)
{
    double sum = 0;
    int64_t row = size * 3;
    for (int64_t i = 0; i < count * values_of(size); ++i) {
        int64_t at = i % values_of(size);
        double right = at % row < row - 3 ? (double)pictures[i + 3] - (double)pictures[i] : 0;
        double below = at / row < size - 1 ? (double)pictures[i + row] - (double)pictures[i] : 0;
        sum += right * right + below * below;
    }
    return sum;
}

double upsampler_check_detail(const uint8_t *made, const uint8_t *real, int64_t count, int64_t size)
{
    double of_made = differences(made, count, size), of_real = differences(real, count, size);
    return 10 * log10(fmax(of_made, 1e-9) / fmax(of_real, 1e-9));
}
