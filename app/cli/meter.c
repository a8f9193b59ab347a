/* meter.c -- see meter.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/meter.h"

#include "app/cli/interrupt.h"
#include "host/base/timing.h"

#include <stdio.h>
#include <unistd.h>

meter meter_make(bool quiet)
{
    return (meter){ .wanted = !quiet && isatty(STDERR_FILENO) };
}

static bool show(meter *m)
{
    fflush(stderr);
    m->shown = true;
    return !*cli_interrupted();
}

bool meter_tokens(void *context, int done, int total)
{
    meter *m = context;
    if (m->wanted && m->started <= 0) {
        m->started = timing_now();
        m->before = done;
    } else if (m->wanted && done > m->before) {
        double each = (timing_now() - m->started) / (double)(done - m->before);
        fprintf(stderr, "\r\033[Kdrawing: %d of %d tokens, %.0f tokens/s, %.0f s left", done, total, 1 / each,
                each * (double)(total - done));
        return show(m);
    }
    return !*cli_interrupted();
}

bool meter_judging(void *context, int done, int total)
{
    meter *m = context;
    if (!m->wanted) return !*cli_interrupted();
    fprintf(stderr, "\r\033[Kjudging: %d of %d pictures", done, total);
    return show(m);
}

bool meter_stage(void *context, const dalle_stage *s)
{
    meter *m = context;
    if (!m->wanted) return !*cli_interrupted();
    if (m->started <= 0) {
        m->started = timing_now();
        m->share_before = s->share;
    }
    fprintf(stderr, "\r\033[K%s: step %lld of %lld", s->name, (long long)s->done, (long long)s->total);
    if (s->pictures > 1) fprintf(stderr, ", %d of %d pictures are ready", s->ready, s->pictures);
    if (s->share > m->share_before)
        fprintf(stderr, ", %.0f s left",
                (timing_now() - m->started) / (s->share - m->share_before) * (1 - s->share));
    return show(m);
}

void meter_clear(const meter *m)
{
    if (m->shown) fputs("\r\033[K", stderr);
}
