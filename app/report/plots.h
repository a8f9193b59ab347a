/* plots.h -- which charts a set of runs gives: one a figure, with the runs over one another; a validation's
 * figure of the same name stands in the same chart.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_REPORT_PLOTS_H
#define DALLE_CL_REPORT_PLOTS_H

#include "app/report/chart.h"

typedef struct plots {
    chart *at;
    char **names; /* of the figures, as in the files: "learning_rate" */
    int count;
    int timed;      /* from this one on they are about time */
    series *shares; /* of each run: per cent of the time waited for data */
    int runs;
} plots;

/* The runs are borrowed. */
bool plots_make(plots *p, const record *runs, int count, error *err);
void plots_free(plots *p);

/* The same as PNGs, FOLDER/NAME.png, and FOLDER/code_usage.png of runs that count codes, numbered where
 * there are several runs; how many were written, or -1. */
int plots_write(const plots *p, const record *runs, int count, const char *folder, error *err);

/* A run's name for people: its folder, as it was given. */
const char *plots_run_name(const record *r);

#endif
