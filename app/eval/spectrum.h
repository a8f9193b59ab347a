/* spectrum.h -- power by spatial frequency of pictures, of what a model makes of them, and of the difference:
 * at which frequencies a codebook loses.  Transforms run on the device (device.h: fft_plan), sums in double.
 *
 * Values are bytes / 255.  A frequency (k, l), in cycles a picture, has the power
 * |F[k][l]|^2 / (side^2 sum w^2) with w the window at each pixel, so that all of them add up to the mean
 * square of the values, weighted by w^2.  It belongs to the radius that sqrt(k^2 + l^2) rounds to.  Radii
 * above side / 2, Nyquist's, hold the corners of the plane alone.
 * The window is Hann's along both axes, (1 - cos(2 pi (x + 1/2) / side)) / 2, because pictures do not wrap
 * around: without it the step from each edge to the opposite one looks like detail.  It spreads each
 * frequency over its next neighbours, the mean of a picture over radii 0 and 1 and no further.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_SPECTRUM_H
#define DALLE_CL_EVAL_SPECTRUM_H

#include "host/device/device.h"
#include <jansson.h>

typedef enum spectrum_of {
    SPECTRUM_ORIGINAL,
    SPECTRUM_RECONSTRUCTION,
    SPECTRUM_DIFFERENCE,
    SPECTRUM_SIGNALS
} spectrum_of;

typedef struct spectrum_settings {
    int64_t side;         /* pixels, 2 to 4096 */
    bool unwindowed;      /* no window: for pictures that wrap around */
    bool channels;        /* the mean over red, green and blue; else luminance, 0.299 R + 0.587 G + 0.114 B */
    bool alone;           /* originals without reconstructions */
    int64_t batch;        /* pictures (pairs, if not alone) a transform; 0: what takes some 100 MB at most */
    const char *provider; /* of fft_plan_create_with; NULL: the best that works */
} spectrum_settings;

typedef struct spectrum spectrum;

spectrum *spectrum_create(device *d, const spectrum_settings *s, error *err);
void spectrum_destroy(spectrum *s); /* NULL is harmless */
/* Pictures [count][side][side][3], and what the model makes of each, or NULL if `alone`. */
bool spectrum_add(spectrum *s, const uint8_t *original, const uint8_t *reconstruction, int64_t count,
                  error *err);
int64_t spectrum_pictures(const spectrum *s); /* so far */
bool spectrum_is_alone(const spectrum *s);
const char *spectrum_provider(const spectrum *s); /* who transforms, */
const char *spectrum_note(const spectrum *s);     /* and why not the device's library, or "" */

int64_t spectrum_nyquist(const spectrum *s); /* side / 2, rounded down */
int64_t spectrum_radii(const spectrum *s);   /* 0 to this - 1, corners among them */
int64_t spectrum_first(const spectrum *s);   /* the least radius that the mean does not reach: 1, or 2 */
int64_t spectrum_frequencies(const spectrum *s, int64_t radius); /* of that radius */
/* Of the pictures so far, 0 if there are none: the mean power of one frequency of a radius; and the power of
 * all those of the radii from <= radius < to (cycles a picture), which is how much of the mean square they
 * make up. */
double spectrum_power(const spectrum *s, spectrum_of which, int64_t radius);
double spectrum_between(const spectrum *s, spectrum_of which, double from, double to);

typedef struct spectrum_loss {
    /* Of the power of the originals, in dB, below and from half of Nyquist's frequency on: what the
     * reconstructions have, and what the difference has.  The mean is left out.  NAN without originals. */
    double kept_low, kept_high, error_low, error_high;
    /* In cycles a picture, between radii as a line in dB would cross: where the reconstruction first has 3 dB
     * less than the original; where the difference first has as much power as the original, from where on
     * nothing is told of it.  NAN: nowhere up to Nyquist's. */
    double lost_3db, drowned;
} spectrum_loss;

spectrum_loss spectrum_lost(const spectrum *s); /* not of one that is `alone` */
double spectrum_db(double power, double of); /* 10 lg (power / of); NAN where there is nothing to compare */

/* All of the above, with the mean power of one frequency by radius up to Nyquist's as arrays; NULL: out of
 * memory.  What is NAN or infinite is null: nothing to compare with, or nothing lost. */
json_t *spectrum_json(const spectrum *s);

#endif
