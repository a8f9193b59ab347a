/* figures.h -- what was measured of a model: figures in groups, in order, and sentences about them.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_FIGURES_H
#define DALLE_CL_EVAL_FIGURES_H

#include "app/eval/mean.h"
#include "host/base/error.h"
#include <stdbool.h>

enum { FIGURES_MOST = 96, FIGURES_NOTES = 48, FIGURES_UNIT = 24 };

/* Texts but `unit` are constants. */
typedef struct figure {
    const char *group, *name; /* of the JSON: "reconstruction", "psnr" */
    const char *title;        /* for people */
    char unit[FIGURES_UNIT];  /* "dB", "of 256", or "" */
    double value;
    double error;   /* standard error; NaN: none */
    int64_t count;  /* it is a mean over, or made of, so many */
    const char *of; /* "pictures" */
    int decimals;
    bool biased; /* too few for the figure: a note says why */
} figure;

typedef struct figures {
    figure at[FIGURES_MOST];
    int count;
    char *notes[FIGURES_NOTES];
    int note_count;
    bool lost; /* memory did not suffice for a note */
} figures;

/* The figure that was added, to be completed; valid until all are freed. */
figure *figures_add(figures *f, const char *group, const char *name, const char *title, int decimals,
                    double value, int64_t count, const char *of);
figure *figures_add_mean(figures *f, const char *group, const char *name, const char *title, int decimals,
                         const mean *m, const char *of);
void figures_unit(figure *of, const char *format, ...) __attribute__((format(printf, 2, 3)));
void figures_note(figures *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
const figure *figures_find(const figures *f, const char *group, const char *name); /* or NULL */
void figures_free(figures *f);

#endif
