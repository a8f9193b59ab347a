/* evaluation.h -- how good a model is, in figures: docs/evaluation.md says what each means. A model is
 * measured by what it has: a dVAE by its reconstructions, a prior by likelihood and by what it draws, which a
 * CLIP judges, a CLIP by what it finds.  What is missing is said in a note.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_EVALUATION_H
#define DALLE_CL_EVAL_EVALUATION_H

#include "app/eval/eval_set.h"
#include "app/eval/figures.h"
#include "app/eval/spectrum.h"

typedef struct evaluation_options {
    const char *model;     /* a packed model's folder, or a run's */
    const char *judge;     /* the folder that the judging CLIP lies in; NULL: nothing is judged */
    const char *inception; /* the network's safetensors file, or NULL */
    int64_t captions, of;  /* drawn: captions, and pictures of each */
    int64_t most;          /* features that are held of drawings, at most, but for one of each caption */
    uint64_t seed;
    double temperature; /* below 0: the model's own */
    void (*tell)(void *context, const char *what, int64_t done, int64_t all);
    void *context;
} evaluation_options;

enum { EVALUATION_CURVE = 10 }; /* the best of 1, 2, 4 ... 512 */

typedef struct evaluation {
    const char *model;
    int64_t side;                /* pixels of its pictures */
    int64_t pictures, captioned; /* of the set */
    int64_t captions, drawings;  /* drawn */
    figures figures;
    mean curve[EVALUATION_CURVE]; /* what the best of 2^i scores, over the captions; those behind are empty */
    double *codes; /* how often each is used, as a multiple of an even share, descending; NULL: no dVAE */
    int64_t code_count;
    spectrum *spectrum; /* or NULL */
} evaluation;

/* Whether a CLIP lies in the folder; false with an error in *err where it cannot be told. */
bool evaluation_can_judge(const char *folder, error *err);
/* Whether there is anything in the folder to be measured, a dVAE or a CLIP; the error says what it lacks. */
bool evaluation_can_measure(const char *folder, error *err);
/* The set is borrowed for the time; pictures that cannot be read go from it.  `e` is to be freed in either
 * case. */
bool evaluation_run(evaluation *e, device *d, eval_set *set, const evaluation_options *o, error *err);
void evaluation_free(evaluation *e); /* harmless on zeros; the device must still be there */

#endif
