/* eval_print.h -- what `eval` measured, for people and for programs.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_EVAL_PRINT_H
#define DALLE_CL_CLI_EVAL_PRINT_H

#include "app/eval/evaluation.h"

/* What was measured, on what: one model or two. */
typedef struct eval_print {
    const evaluation *models;
    int count;
    const eval_set *set;
    const char *data, *split, *judge; /* judge: NULL: none */
    int64_t seed;
} eval_print;

/* A table on standard output: title, each model's value and error, of two their difference, the unit, what
 * it is a mean over; then sentences. */
bool eval_print_table(const eval_print *p, error *err);
bool eval_print_json(const eval_print *p, error *err);

#endif
