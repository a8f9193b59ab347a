/* score_options.h -- what score_drawings is told.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TOOLS_SCORE_OPTIONS_H
#define DALLE_CL_TOOLS_SCORE_OPTIONS_H

#include "app/api/dalle.h"
#include "host/base/error.h"

typedef struct score_options {
    const char *model, *data, *device;
    const char *wordings, *names, *split; /* one of the three */
    const char *results, *sheet, *folder; /* may be NULL */
    const char *label;                    /* of the table's row */
    dalle_request request;                /* all but caption and count */
    dalle_sampling sampling;              /* of a model that draws by diffusion */
    int64_t number, pairs, draws;
    bool header, help;
} score_options;

bool score_options_read(score_options *o, int argc, char **argv, error *err);
void score_options_help(void);

#endif
