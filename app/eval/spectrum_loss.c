/* spectrum_loss.c -- what a spectrum says of a reconstruction, in a few figures and as JSON.
 * SPDX-License-Identifier: MIT */
#include "app/eval/spectrum.h"
#include "host/base/json_tree.h"

#include <math.h>

double spectrum_db(double power, double of)
{
    return of > 0 && power >= 0 ? 10 * log10(power / of) : NAN;
}

/* Of a signal by the originals' at a radius; of originals that have nothing there, nothing can be said. */
static double ratio_at(const spectrum *s, spectrum_of which, int64_t radius)
{
    return spectrum_db(spectrum_power(s, which, radius), spectrum_power(s, SPECTRUM_ORIGINAL, radius));
}

/* The first crossing of `level` in the direction of `sign`. */
static double crossing(const spectrum *s, spectrum_of which, double level, double sign)
{
    double before = NAN;
    for (int64_t r = spectrum_first(s); r <= spectrum_nyquist(s); ++r) {
        const double now = ratio_at(s, which, r);
        if (sign * (now - level) >= 0) {
            const bool line = isfinite(before) && isfinite(now);
            return line ? (double)(r - 1) + (level - before) / (now - before) : (double)r;
        }
        before = now;
    }
    return NAN;
}

static double range_db(const spectrum *s, spectrum_of which, double from, double to)
{
    return spectrum_db(spectrum_between(s, which, from, to),
                       spectrum_between(s, SPECTRUM_ORIGINAL, from, to));
}

spectrum_loss spectrum_lost(const spectrum *s)
{
    const double first = (double)spectrum_first(s), half = (double)spectrum_nyquist(s) / 2,
                 end = (double)spectrum_radii(s), middle = half > first ? half : first;
    return (spectrum_loss){ .kept_low = range_db(s, SPECTRUM_RECONSTRUCTION, first, middle),
                            .kept_high = range_db(s, SPECTRUM_RECONSTRUCTION, middle, end),
                            .error_low = range_db(s, SPECTRUM_DIFFERENCE, first, middle),
                            .error_high = range_db(s, SPECTRUM_DIFFERENCE, middle, end),
                            .lost_3db = crossing(s, SPECTRUM_RECONSTRUCTION, -3, -1),
                            .drowned = crossing(s, SPECTRUM_DIFFERENCE, 0, 1) };
}

/* JSON has no infinities: nothing at all is left, or nothing is wrong. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *powers(const spectrum *s, spectrum_of which)
{
    json_t *array = json_array();
    for (int64_t r = 0; r <= spectrum_nyquist(s); ++r)
        json_tree_add(&array, number(spectrum_power(s, which, r)));
    return array;
}

static void put_losses(json_t **root, const spectrum *s)
{
    const spectrum_loss l = spectrum_lost(s);
    const struct {
        const char *key;
        double value;
    } all[] = { { "kept_low_db", l.kept_low },   { "kept_high_db", l.kept_high },
                { "error_low_db", l.error_low }, { "error_high_db", l.error_high },
                { "lost_3db_at", l.lost_3db },   { "drowned_at", l.drowned } };
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
        json_tree_put(root, all[i].key, number(all[i].value));
}

json_t *spectrum_json(const spectrum *s)
{
    json_t *root = json_object();
    json_tree_put(&root, "pictures", json_integer(spectrum_pictures(s)));
    json_tree_put(&root, "nyquist", json_integer(spectrum_nyquist(s)));
    json_tree_put(&root, "window", json_string(spectrum_first(s) == 2 ? "hann" : "none"));
    json_tree_put(&root, "transforms", json_tree_string(spectrum_provider(s)));
    json_tree_put(&root, "note", json_tree_string(spectrum_note(s)));
    json_tree_put(&root, "original", powers(s, SPECTRUM_ORIGINAL));
    if (spectrum_is_alone(s)) return root;
    json_tree_put(&root, "reconstruction", powers(s, SPECTRUM_RECONSTRUCTION));
    json_tree_put(&root, "difference", powers(s, SPECTRUM_DIFFERENCE));
    put_losses(&root, s);
    return root;
}
