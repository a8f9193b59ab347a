/* metrics.c -- the figures of a step, as train.h has them.
 * SPDX-License-Identifier: MIT */
#include "host/train/train.h"

#include <stdio.h>
#include <string.h>

void train_metrics_add(train_metrics *m, const char *name, double value, const char *format)
{
    CHECK(m->count < TRAIN_METRICS_MAX, "metric '%s' is number %d", name, m->count + 1);
    m->at[m->count++] = (train_metric){ name, value, format };
}

void train_metrics_list(train_metrics *m, const char *name, const double *values, int count)
{
    CHECK(count <= TRAIN_LIST_MAX, "metric '%s' has %d values", name, count);
    m->list = name;
    m->listed = count;
    memcpy(m->values, values, (size_t)count * sizeof *values);
}

void train_metrics_text(const train_metrics *m, char *text, size_t room)
{
    size_t used = 0;
    *text = '\0';
    for (int i = 0; i < m->count && used < room; ++i)
        used += (size_t)snprintf(text + used, room - used, "%s%s %.6g", i ? ", " : "", m->at[i].name,
                                 m->at[i].value);
}
