/* score_sheet.h -- a sheet of real pictures above drawn ones, with the captions below.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TOOLS_SCORE_SHEET_H
#define DALLE_CL_TOOLS_SCORE_SHEET_H

#include "data/image.h"
#include <stdint.h>

typedef struct score_sheet {
    image *pairs;
    const char **captions; /* borrowed */
    int64_t room, count;
} score_sheet;

bool score_sheet_open(score_sheet *s, int64_t room, error *err);
void score_sheet_close(score_sheet *s);

/* `real` may be empty.  `rank` is how many pictures are nearer than the right one: the drawing gets no frame
 * if none is, a yellow one below five, otherwise a red one; -1, no picture is right, a grey one. */
bool score_sheet_add(score_sheet *s, const image *real, const image *drawn, int64_t rank, const char *caption,
                     error *err);
bool score_sheet_write(const score_sheet *s, const char *path, error *err);

#endif
