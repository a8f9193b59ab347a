/* chart.h -- curves over steps with axes, and codebook usage as layers, on a canvas.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_REPORT_CHART_H
#define DALLE_CL_REPORT_CHART_H

#include "app/report/canvas.h"
#include "app/report/record.h"

enum { CHART_WIDTH = 440, CHART_HEIGHT = 250, CHART_CURVES = 32 };

typedef struct chart_curve {
    const series *of;
    int colour;
    bool dotted;      /* a validation's: few points, each is shown */
    const char *name; /* for people who point at it */
} chart_curve;

typedef struct chart {
    const char *title, *unit;
    chart_curve curves[CHART_CURVES];
    int count;
    double least, most; /* of the values drawn, set by chart_range: their logarithms where `log` */
    double first, last; /* of the steps */
    bool log;           /* values are positive and far apart */
    bool doubling;      /* set beforehand: steps are 1, 2, 4 ..., as far apart as one another */
    bool plain;         /* likewise: curves are shown as they are, however many points they have */
    const char *across; /* what the steps are, or NULL: below the axis */
} chart;

/* Settles the ranges; false: nothing finite is there. */
bool chart_range(chart *c);
/* Long curves are thinned so that what stands out stays, and smoothed over the thin line of what was. */
bool chart_draw(chart *c, const canvas *on, error *err);
/* What a page's script needs to read values off: data-... attributes. */
void chart_attributes(const chart *c, char text[300]);

/* Keeps of `count` points at most `most`: of each stretch the lowest and the highest.  Points that are not
 * finite are left out.  x and y may be written over; how many are kept. */
int64_t chart_thin(double *x, double *y, int64_t count, int64_t most);

/* How many codes are used how much, layer over layer, over the steps. */
void chart_usage(const record *r, const char *title, const canvas *on);
const char *chart_usage_class(int i); /* in words; "" behind the last */

#endif
