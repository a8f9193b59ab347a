/* page.h -- a report on runs as one HTML page that needs nothing else: style, curves (SVG) and sample grids
 * (PNG) stand in it.  It is well-formed XML, too, and whatever comes from a run's files is escaped.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_REPORT_PAGE_H
#define DALLE_CL_REPORT_PAGE_H

#include "app/report/plots.h"

typedef struct page_options {
    double megabytes; /* of sample grids in the page, at most */
    int grids;        /* of each run, at most */
} page_options;

/* Gives the page as text, to be freed. */
char *page_make(const record *runs, int count, const plots *p, const page_options *o, size_t *size,
                error *err);

/* For page.c: sections after the curves. */
bool page_samples(FILE *out, const record *runs, int count, const page_options *o, error *err);
void page_times(FILE *out, const record *runs, int count);
void page_settings(FILE *out, const record *runs, int count);
bool page_origin(FILE *out, const record *runs, int count, error *err);

/* How a run stands, in words: "finished", "training", "stopped by Ctrl-C". */
const char *page_state(const record *r);
/* A square in the run's colour, and its name. */
void page_run_name(FILE *out, const record *runs, int run);

#endif
