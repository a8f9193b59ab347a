/* schedule.c -- see schedule.h.
 * SPDX-License-Identifier: MIT */
#include "host/train/schedule.h"

#include <math.h>

double schedule_cosine(double from, double to, int64_t steps, int64_t step)
{
    if (step >= steps) return to;
    if (step <= 0) return from;
    const double pi = 3.14159265358979323846;
    return to + (from - to) * 0.5 * (1.0 + cos(pi * (double)step / (double)steps));
}

double schedule_warmup(int64_t steps, int64_t step)
{
    return step + 1 >= steps ? 1.0 : (double)(step + 1) / (double)steps;
}

void schedule_plateau_start(schedule_plateau *p)
{
    p->best = INFINITY;
    p->waited = 0;
    p->halvings = 0;
}

double schedule_plateau_observe(schedule_plateau *p, double figure)
{
    /* The threshold is relative to the size of the best figure, which may be negative (a log density).
     * Not-a-number is no improvement. */
    bool first = isinf(p->best) && isfinite(figure);
    if (first || figure < p->best - p->threshold * fabs(p->best)) {
        p->best = figure;
        p->waited = 0;
    } else if (++p->waited >= p->patience && p->halvings < p->most) {
        p->waited = 0;
        p->halvings += 1;
    }
    return schedule_plateau_factor(p);
}

double schedule_plateau_factor(const schedule_plateau *p)
{
    return ldexp(1.0, -p->halvings);
}

json_t *schedule_plateau_save(const schedule_plateau *p)
{
    return json_pack("{s:o, s:i, s:i}", "best", isfinite(p->best) ? json_real(p->best) : json_null(),
                     "waited", p->waited, "halvings", p->halvings);
}

bool schedule_plateau_load(schedule_plateau *p, const json_t *state, error *err)
{
    const json_t *best = json_object_get(state, "best"), *waited = json_object_get(state, "waited"),
                 *halvings = json_object_get(state, "halvings");
    if (!(json_is_number(best) || json_is_null(best)) || !json_is_integer(waited) ||
        !json_is_integer(halvings))
        return error_set(err, ERROR_FORMAT, "the plateau's state lacks 'best', 'waited' or 'halvings'");
    p->best = json_is_null(best) ? INFINITY : json_number_value(best);
    p->waited = (int)json_integer_value(waited);
    p->halvings = (int)json_integer_value(halvings);
    if (p->waited < 0 || p->halvings < 0 || p->halvings > p->most)
        return error_set(err, ERROR_FORMAT,
                         "the plateau's state is out of range: waited %d, halvings %d of %d", p->waited,
                         p->halvings, p->most);
    return true;
}
