/* clip_text.h -- captions as the text tower reads them: [begin,] tokens, end, padding.
 * A tokenizer that has a begin and an end of its own, as CLIP's has, is used as it is; with another one
 * there is no begin, and the end is one id more than it has (end_row).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_CLIP_CLIP_TEXT_H
#define DALLE_CL_MODELS_CLIP_CLIP_TEXT_H

#include "data/tokenizer.h"
#include "models/clip/clip.h"

typedef struct clip_marks {
    int32_t begin, end; /* -1: none */
} clip_marks;
/* Sets end_row by the tokenizer, whose vocabulary text_vocabulary is. */
clip_marks clip_marks_of(const tokenizer *t, clip_config *c);
/* Positions that they take of text_tokens; and those that a tokenizer's will. */
int64_t clip_marks_count(const clip_marks *m);
int64_t clip_text_marks(const tokenizer *t);

/* `count` ids (of which negative ones end the caption) as [text_tokens] with the marks, cut where there is no
 * room, 0 behind the end; returns the end's position. */
int64_t clip_text_place(const clip_config *c, const clip_marks *m, const int32_t *ids, int64_t count,
                        int32_t *out);

#endif
