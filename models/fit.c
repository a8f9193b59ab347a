/* fit.c -- see fit.h.  A set twice as large gets 1.4 times the steps. (ours; docs/own-pictures.md)
 * SPDX-License-Identifier: MIT */
#include "models/fit.h"

#include <math.h>
#include <stdio.h>

enum { PICTURES = 500, LINES = 60, TIMES = 6 }; /* metric lines; checkpoints and validations */
enum {
    TEXT_LEAST = 24,
    TEXT_MOST = 128,
    SPARE = 4
}; /* a caption that is typed may be longer than those trained on */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A batch that is computed in parts stays divisible. */
static int64_t fit_batch(const training_config *c, int64_t pictures)
{
    int64_t parts = larger(c->accumulate, 1) * comm_count(c->comm), most = larger(pictures, 1);
    return c->batch <= most ? c->batch : larger(most - most % parts, parts);
}

static bool fit_steps(training_config *c, int64_t base, int64_t least, int64_t pictures)
{
    if (c->steps > 0) return false;
    c->steps = larger(llround((double)base * sqrt((double)pictures / PICTURES)), least);
    c->batch = fit_batch(c, pictures);
    return true;
}

/* `times` equal parts, rounded up, so that the last one is the end of the run. */
static void fit_every(int64_t *every, int64_t unset, int64_t steps, int64_t times)
{
    if (*every == unset) *every = (steps + times - 1) / times;
}

bool fit_training(training_config *c, int64_t base, int64_t least, int64_t grids, int64_t pictures)
{
    /* What a step takes is not timed on one rank alone. */
    bool chosen = fit_steps(c, base, least, pictures) && !c->comm;
    fit_every(&c->log_every, 0, c->steps, LINES);
    fit_every(&c->save_every, 0, c->steps, TIMES);
    fit_every(&c->eval_every, -1, c->steps, TIMES);
    fit_every(&c->sample_every, -1, c->steps, grids);
    return chosen;
}

int64_t fit_text_tokens(int64_t longest)
{
    return smaller(larger((longest + SPARE + 7) / 8 * 8, TEXT_LEAST), TEXT_MOST);
}

void fit_duration(double seconds, char text[32])
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {
        { "second", 1 }, { "minute", 60 }, { "hour", 3600 }, { "day", 86400 }, { "year", 31557600 }
    };
    size_t unit = 0;
    while (unit + 1 < sizeof units / sizeof *units && seconds >= 1.5 * units[unit + 1].seconds) ++unit;
    double count = fmax(1, rint(fmin(seconds / units[unit].seconds, 1e15)));
    snprintf(text, 32, "%.0f %s%s", count, units[unit].name, count >= 1.5 ? "s" : "");
}
