/* spectrum.c -- pictures to the device, transforms back, sums by radius.
 * SPDX-License-Identifier: MIT */
#include "app/eval/spectrum.h"

#include <math.h>
#include <stdlib.h>

enum { SIDE_MOST = 4096 };

struct spectrum {
    spectrum_settings set;
    device *device;
    fft_desc fft;
    fft_plan *plan;
    device_launches *list;
    device_buffer *in, *out;
    float *pixels, *values; /* of a batch, on the host */
    float *window;          /* [side] */
    double window_power;    /* sum of its squares over all pixels */
    int32_t *radius;        /* [side][side / 2 + 1] */
    int64_t radii, pictures;
    double *count; /* frequencies by radius */
    double *sum[SPECTRUM_SIGNALS];
    double *each; /* [SPECTRUM_SIGNALS][radii] of one picture */
};

/* ---- Making and ending ----------------------------------------------------------------------- */

/* A picture's matrices lie together, of each channel the original's and then the difference's, which is so
 * exact however small; a reconstruction's transform is the sum of theirs. */
static int64_t channels_of(const spectrum_settings *set)
{
    return set->channels ? 3 : 1;
}
static int64_t matrices_of(const spectrum_settings *set)
{
    return channels_of(set) * (set->alone ? 1 : 2);
}

/* Products take some 40 bytes a pixel, between and beside. */
static int64_t usual_batch(const spectrum_settings *set)
{
    const int64_t most = 100000000 / (set->side * set->side * 40 * matrices_of(set));
    return most < 1 ? 1 : most > 128 ? 128 : most;
}

static bool check_settings(const spectrum_settings *set, error *err)
{
    if (set->side < 2 || set->side > SIDE_MOST)
        return error_set(err, ERROR_USAGE,
                         "spectrum: pictures of %lld pixels a side; from 2 to %d can be taken",
                         (long long)set->side, SIDE_MOST);
    if (set->batch < 0 || set->batch > 65536)
        return error_set(err, ERROR_USAGE, "spectrum: batches of %lld pictures; 1 to 65536 can be taken",
                         (long long)set->batch);
    return true;
}

/* Frequency k of `side` in cycles a picture, without its direction. */
static int64_t cycles(int64_t k, int64_t side)
{
    return k <= side / 2 ? k : side - k;
}

/* Half of the plane is kept; a column stands for its mirror image too, unless it is that itself. */
static double weight_of(int64_t column, int64_t side)
{
    return column == 0 || 2 * column == side ? 1 : 2;
}

static void fill_tables(spectrum *s)
{
    const int64_t side = s->set.side, columns = fft_columns(&s->fft);
    double power = 0;
    for (int64_t x = 0; x < side; ++x) {
        const double w = 0.5 - 0.5 * cos(2 * acos(-1) * ((double)x + 0.5) / (double)side);
        s->window[x] = s->set.unwindowed ? 1 : (float)w;
        power += (double)s->window[x] * (double)s->window[x];
    }
    s->window_power = power * power;
    for (int64_t k = 0; k < side; ++k)
        for (int64_t l = 0; l < columns; ++l) {
            const long r = lround(hypot((double)cycles(k, side), (double)l));
            s->radius[k * columns + l] = (int32_t)r;
            s->count[r] += weight_of(l, side);
        }
}

static bool make_tables(spectrum *s, error *err)
{
    const size_t side = (size_t)s->set.side, radii = (size_t)s->radii;
    bool ok = (s->pixels = calloc((size_t)fft_in_bytes(&s->fft), 1)) &&
              (s->values = malloc((size_t)fft_out_bytes(&s->fft))) &&
              (s->window = malloc(side * sizeof *s->window)) &&
              (s->radius = malloc(side * (size_t)fft_columns(&s->fft) * sizeof *s->radius)) &&
              (s->count = calloc(radii, sizeof *s->count)) &&
              (s->each = malloc(SPECTRUM_SIGNALS * radii * sizeof *s->each));
    for (int i = 0; ok && i < SPECTRUM_SIGNALS; ++i)
        ok = (s->sum[i] = calloc(radii, sizeof *s->sum[i])) != NULL;
    if (!ok) return error_set(err, ERROR_MEMORY, "out of memory for a spectrum");
    fill_tables(s);
    return true;
}

static bool make_transform(spectrum *s, error *err)
{
    return (s->plan = fft_plan_create_with(s->device, s->set.provider, &s->fft, err)) &&
           (s->in = device_buffer_create(s->device, fft_in_bytes(&s->fft), err)) &&
           (s->out = device_buffer_create(s->device, fft_out_bytes(&s->fft), err)) &&
           (s->list = device_launches_create(s->device, err)) &&
           fft_plan_record(s->plan, s->list, "spectrum", s->in, s->out, err);
}

spectrum *spectrum_create(device *d, const spectrum_settings *set, error *err)
{
    if (!check_settings(set, err)) return NULL;
    spectrum *s = calloc(1, sizeof *s);
    if (!s) return error_null(err, ERROR_MEMORY, "out of memory for a spectrum");
    s->set = *set;
    s->device = d;
    if (s->set.batch == 0) s->set.batch = usual_batch(set);
    s->fft = (fft_desc){ s->set.batch * matrices_of(set), set->side, set->side };
    s->radii = lround(sqrt(2) * (double)(set->side / 2)) + 1;
    if (make_tables(s, err) && make_transform(s, err)) return s;
    spectrum_destroy(s);
    error_prefix(err, "spectrum");
    return NULL;
}

void spectrum_destroy(spectrum *s)
{
    if (!s) return;
    device_launches_destroy(s->list);
    fft_plan_destroy(s->plan);
    device_buffer_destroy(s->in);
    device_buffer_destroy(s->out);
    for (int i = 0; i < SPECTRUM_SIGNALS; ++i) free(s->sum[i]);
    free(s->each);
    free(s->count);
    free(s->radius);
    free(s->window);
    free(s->values);
    free(s->pixels);
    free(s);
}

/* ---- Adding pictures ------------------------------------------------------------------------- */

/* In thousandths of a byte's step, exactly. */
static int32_t pixel_value(const uint8_t *rgb, int64_t channel, bool channels)
{
    if (channels) return 1000 * rgb[channel];
    return 299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2];
}

/* A picture, less another unless that is NULL. */
static void put_matrix(const spectrum *s, const uint8_t *rgb, const uint8_t *less, int64_t channel, float *to)
{
    const int64_t side = s->set.side;
    for (int64_t y = 0; y < side; ++y)
        for (int64_t x = 0; x < side; ++x) {
            const int64_t at = (y * side + x) * 3;
            int32_t value = pixel_value(rgb + at, channel, s->set.channels);
            if (less) value -= pixel_value(less + at, channel, s->set.channels);
            *to++ = (float)value / 255000.0f * s->window[y] * s->window[x];
        }
}

static void put_pictures(spectrum *s, const uint8_t *original, const uint8_t *reconstruction, int64_t count)
{
    const int64_t pixels = s->set.side * s->set.side, channels = channels_of(&s->set);
    float *to = s->pixels;
    for (int64_t i = 0; i < count; ++i)
        for (int64_t c = 0; c < channels; ++c) {
            const uint8_t *a = original + i * pixels * 3;
            put_matrix(s, a, NULL, c, to);
            to += pixels;
            if (s->set.alone) continue;
            put_matrix(s, reconstruction + i * pixels * 3, a, c, to);
            to += pixels;
        }
}

static double square(double re, double im)
{
    return re * re + im * im;
}

static void add_matrices(spectrum *s, const float *original, const float *difference)
{
    const int64_t side = s->set.side, columns = fft_columns(&s->fft);
    for (int64_t i = 0; i < side * columns; ++i) {
        const double weight = weight_of(i % columns, side), re = (double)original[2 * i],
                     im = (double)original[2 * i + 1];
        double *to = s->each + s->radius[i];
        to[SPECTRUM_ORIGINAL * s->radii] += weight * square(re, im);
        if (!difference) continue;
        const double d_re = (double)difference[2 * i], d_im = (double)difference[2 * i + 1];
        to[SPECTRUM_RECONSTRUCTION * s->radii] += weight * square(re + d_re, im + d_im);
        to[SPECTRUM_DIFFERENCE * s->radii] += weight * square(d_re, d_im);
    }
}

/* Each picture is summed by itself, so that it counts the same in any batch. */
static bool add_picture(spectrum *s, const float *values, error *err)
{
    const int64_t floats = s->set.side * fft_columns(&s->fft) * 2, channels = channels_of(&s->set);
    const double side = (double)s->set.side, scale = 1 / (side * side * s->window_power * (double)channels);
    for (int64_t i = 0; i < SPECTRUM_SIGNALS * s->radii; ++i) s->each[i] = 0;
    for (int64_t c = 0; c < channels; ++c) {
        const float *a = values + c * floats * (s->set.alone ? 1 : 2);
        add_matrices(s, a, s->set.alone ? NULL : a + floats);
    }
    for (int64_t i = 0; i < SPECTRUM_SIGNALS * s->radii; ++i)
        if (!isfinite(s->each[i]))
            return error_set(err, ERROR_DEVICE, "spectrum: the transform of picture %lld is not finite",
                             (long long)s->pictures + 1);
    for (int i = 0; i < SPECTRUM_SIGNALS; ++i)
        for (int64_t r = 0; r < s->radii; ++r) s->sum[i][r] += scale * s->each[i * s->radii + r];
    ++s->pictures;
    return true;
}

static bool add_batch(spectrum *s, const uint8_t *original, const uint8_t *reconstruction, int64_t count,
                      error *err)
{
    const int64_t matrices = count * matrices_of(&s->set),
                  per_picture = s->set.side * fft_columns(&s->fft) * 2;
    put_pictures(s, original, reconstruction, count);
    if (!device_write(s->device, s->in, 0, s->pixels, fft_in_bytes(&s->fft), err) ||
        !device_launches_run(s->list, 0, device_launches_count(s->list), err) ||
        !device_read(s->device, s->out, 0, s->values, matrices * per_picture * 4, err))
        return error_prefix(err, "spectrum");
    for (int64_t i = 0; i < count; ++i)
        if (!add_picture(s, s->values + i * matrices_of(&s->set) * per_picture, err)) return false;
    return true;
}

bool spectrum_add(spectrum *s, const uint8_t *original, const uint8_t *reconstruction, int64_t count,
                  error *err)
{
    const int64_t bytes = s->set.side * s->set.side * 3;
    CHECK(s->set.alone == !reconstruction, "reconstructions %d, alone %d", reconstruction != NULL,
          s->set.alone);
    for (int64_t done = 0, next; done < count; done += next) {
        next = count - done < s->set.batch ? count - done : s->set.batch;
        const uint8_t *other = reconstruction ? reconstruction + done * bytes : NULL;
        if (!add_batch(s, original + done * bytes, other, next, err)) return false;
    }
    return true;
}

/* ---- Results --------------------------------------------------------------------------------- */

int64_t spectrum_pictures(const spectrum *s)
{
    return s->pictures;
}

bool spectrum_is_alone(const spectrum *s)
{
    return s->set.alone;
}

const char *spectrum_provider(const spectrum *s)
{
    return fft_plan_provider(s->plan);
}

const char *spectrum_note(const spectrum *s)
{
    return fft_plan_note(s->plan);
}

int64_t spectrum_nyquist(const spectrum *s)
{
    return s->set.side / 2;
}

int64_t spectrum_radii(const spectrum *s)
{
    return s->radii;
}

int64_t spectrum_first(const spectrum *s)
{
    return s->set.unwindowed ? 1 : 2;
}

int64_t spectrum_frequencies(const spectrum *s, int64_t radius)
{
    CHECK(radius >= 0 && radius < s->radii, "radius %lld of %lld", (long long)radius, (long long)s->radii);
    return (int64_t)s->count[radius];
}

double spectrum_power(const spectrum *s, spectrum_of which, int64_t radius)
{
    const int64_t frequencies = spectrum_frequencies(s, radius);
    return s->pictures && frequencies ? s->sum[which][radius] / (double)s->pictures / (double)frequencies : 0;
}

double spectrum_between(const spectrum *s, spectrum_of which, double from, double to)
{
    double sum = 0;
    for (int64_t r = 0; r < s->radii; ++r)
        if ((double)r >= from && (double)r < to) sum += s->sum[which][r];
    return s->pictures ? sum / (double)s->pictures : 0;
}
