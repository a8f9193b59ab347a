/* choice.h -- what `generate` says of many drawings and of what they start with: how many are drawn and kept,
 * the picture whose rows are given, what stands in the file of those chosen.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_CHOICE_H
#define DALLE_CL_CLI_CHOICE_H

#include "app/api/dalle.h"
#include "app/cli/cli.h"

#include <jansson.h>

/* Options that contradict each other, before a model is opened. */
bool choice_check(const cli_call *call, error *err);
/* How many are drawn and kept: without a word about it, of 16 or more, where the model has a CLIP. */
void choice_counts(const cli_call *call, const dalle_model_info *info, dalle_request *r);
/* --start, --rows and --inpaint; *rgb, the request's picture, is to be freed. */
bool choice_start(const cli_call *call, const dalle_model_info *info, dalle_request *r, uint8_t **rgb,
                  error *err);

/* ", the best of 64 by CLIP (0.312 to 0.287)"; nothing where they were not ranked. */
const char *choice_said(const dalle_pictures *p, char text[100]);
void choice_json(const dalle_pictures *p, json_t **to);
/* Which of those shown are of captions near the one asked for: a line, where there are some. */
void choice_tell_near(const dalle_pictures *p, FILE *to);
/* That nothing was ranked although it was asked for. */
void choice_warn(const cli_call *call, const dalle_request *r, const dalle_pictures *p);

/* The texts of a file of ranked pictures; without a path, whatever the model was called by. */
typedef struct choice_notes {
    int count;
    dalle_png_text texts[8];
    char *owned[5];
} choice_notes;
bool choice_note(const cli_call *call, const dalle_request *r, const dalle_pictures *p, choice_notes *out,
                 error *err);
void choice_notes_free(choice_notes *notes);
/* The last part of the folder's name, to be freed; *name stays NULL if it has none of its own, or one that
 * is no text.  False: memory is out. */
bool choice_model_name(const char *folder, char **name);

#endif
