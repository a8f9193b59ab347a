/* mean.c -- see mean.h.
 * SPDX-License-Identifier: MIT */
#include "app/eval/mean.h"

#include <math.h>

void mean_add(mean *m, double value)
{
    double off = value - m->value;
    ++m->count;
    m->value += off / (double)m->count;
    m->apart += off * (value - m->value);
}

double mean_error(const mean *m)
{
    return m->count < 2 ? NAN : sqrt(m->apart / (double)(m->count - 1) / (double)m->count);
}
