/* eval_plots.h -- what was measured of models as plots, PNGs in a folder:
 *   score.png       what the best of N scores, where something was drawn and judged
 *   codes.png       how much each code is used, the most used one first
 *   spectrum.png    power by spatial frequency; spectrum-2.png of a second model
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_EVAL_PLOTS_H
#define DALLE_CL_EVAL_EVAL_PLOTS_H

#include "app/eval/evaluation.h"

/* How many were written into the folder, which is made if it is not there; -1 on failure. */
int eval_plots_write(const evaluation *models, int count, const char *folder, error *err);

#endif
