/* upsampler_workload.c -- see upsampler_workload.h.
 * SPDX-License-Identifier: MIT */
#include "models/upsampler/upsampler_workload.h"

#include "models/upsampler/enlarge.h"
#include "models/upsampler/upsampler_draw.h"
#include "models/upsampler/upsampler_step.h"

#include <stdlib.h>
#include <string.h>

typedef struct made_up {
    upsampler_config config;
    upsampler_step step;
    upsampler_draw *draw; /* of a drawing */
    float *low, *picture;
} made_up;

/* ---- A step ---- */

static bool build(void *self, store *s, workload_step *out, error *err)
{
    made_up *m = self;
    bool ok = upsampler_step_build(&m->step, s, &m->config, err);
    *out = (workload_step){ m->step.graph, m->step.optimizer, m->step.losses.loss, &m->step.division,
                            UPSAMPLER_STEP_KNOB };
    return ok;
}

/* The pictures themselves stand for small ones brought to size. */
static bool write_pictures(const upsampler_step *s, uint8_t *pixels, float *low, int64_t count, error *err)
{
    workload_pixels(pixels, count);
    enlarge_from_pixels(pixels, count, low);
    return graph_write(s->pixels, pixels, err) && graph_write(s->low, low, err);
}

static bool write_noise(const upsampler_step *s, const upsampler_config *c, error *err)
{
    const int32_t random[4] = { 1, 0, 0, 0 };
    int64_t samples = s->division.samples;
    float *time = malloc((size_t)(samples * (1 + DIFFUSION_COEFFICIENTS)) * sizeof *time);
    diffusion process;
    if (!time) return error_set(err, ERROR_MEMORY, "out of memory for %lld times", (long long)samples);
    bool ok = upsampler_process(c, &process, err);
    if (ok) {
        diffusion_draw_times(&process, 1, 0, 0, samples, time, time + samples);
        diffusion_free(&process);
    }
    ok = ok && graph_write(s->noise.time, time, err) &&
         graph_write(s->noise.coefficients, time + samples, err) && graph_write(s->random, random, err);
    free(time);
    return ok;
}

static bool fill(void *self, error *err)
{
    made_up *m = self;
    int64_t count = tensor_count(m->step.pixels);
    uint8_t *pixels = malloc((size_t)count);
    float *low = malloc((size_t)count * sizeof *low);
    bool ok = pixels && low ? true
                            : error_set(err, ERROR_MEMORY, "out of memory for %lld pixels", (long long)count);
    ok = ok && write_pictures(&m->step, pixels, low, count, err) && write_noise(&m->step, &m->config, err);
    free(pixels);
    free(low);
    return ok;
}

static void destroy(void *self)
{
    made_up *m = self;
    upsampler_draw_destroy(m->draw);
    free(m->low);
    free(m->picture);
    free(m);
}

static const workload_type type = { .build = build, .fill = fill, .destroy = destroy };

static workload *create(device *d, const workload_type *of, const upsampler_config *c, error *err)
{
    if (!upsampler_config_check(c, err)) return NULL;
    made_up *m = calloc(1, sizeof *m);
    if (!m) return error_null(err, ERROR_MEMORY, "out of memory for a workload");
    m->config = *c;
    return workload_create(d, of, m, err);
}

workload *upsampler_workload(device *d, const upsampler_config *c, error *err)
{
    return create(d, &type, c, err);
}

/* ---- A drawing ---- */

static int64_t values_of(int64_t side)
{
    return side * side * 3;
}

static bool build_drawing(void *self, store *s, workload_step *out, error *err)
{
    made_up *m = self;
    (void)out;
    return (m->draw = upsampler_draw_create(s, &m->config, false, err)) != NULL;
}

static bool fill_drawing(void *self, error *err)
{
    made_up *m = self;
    int64_t from = values_of(m->config.from);
    uint8_t *pixels = malloc((size_t)from);
    m->low = malloc((size_t)from * sizeof *m->low);
    m->picture = malloc((size_t)values_of(m->config.size) * sizeof *m->picture);
    bool ok = pixels && m->low && m->picture;
    if (ok) {
        workload_pixels(pixels, from);
        enlarge_from_pixels(pixels, from, m->low);
    } else {
        error_set(err, ERROR_MEMORY, "out of memory for a picture of %lld pixels", (long long)m->config.size);
    }
    free(pixels);
    return ok && upsampler_draw_prepare(m->draw, 1, err);
}

static bool draw(void *self, error *err)
{
    made_up *m = self;
    diffusion_run how = upsampler_draw_how(&m->config);
    how.seed = 1;
    how.stream = upsampler_config_table.name;
    return upsampler_draw_run(m->draw, &how, m->low, 1, m->picture, err);
}

static bool check(void *self, error *err)
{
    made_up *m = self;
    size_t bytes = (size_t)values_of(m->config.size) * sizeof *m->picture;
    if (!draw(m, err)) return false;
    float *first = malloc(bytes);
    if (!first) return error_set(err, ERROR_MEMORY, "out of memory for a second picture");
    memcpy(first, m->picture, bytes);
    bool ok = draw(m, err);
    if (ok && memcmp(first, m->picture, bytes) != 0)
        ok = error_set(err, ERROR_DEVICE, "the same picture is drawn otherwise the second time");
    free(first);
    return ok;
}

static const workload_type drawing_type = {
    .build = build_drawing, .fill = fill_drawing, .draw = draw, .check = check, .destroy = destroy
};

workload *upsampler_workload_drawing(device *d, const upsampler_config *c, error *err)
{
    return create(d, &drawing_type, c, err);
}
