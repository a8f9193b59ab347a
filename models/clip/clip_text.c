/* clip_text.c -- see clip_text.h.
 * SPDX-License-Identifier: MIT */
#include "models/clip/clip_text.h"

#include <string.h>

clip_marks clip_marks_of(const tokenizer *t, clip_config *c)
{
    int32_t end = tokenizer_end(t);
    c->end_row = end < 0;
    return (clip_marks){ tokenizer_begin(t), end < 0 ? (int32_t)c->text_vocabulary : end };
}

int64_t clip_marks_count(const clip_marks *m)
{
    return (m->begin >= 0) + 1;
}

int64_t clip_text_marks(const tokenizer *t)
{
    return (tokenizer_begin(t) >= 0) + 1;
}

int64_t clip_text_place(const clip_config *c, const clip_marks *m, const int32_t *ids, int64_t count,
                        int32_t *out)
{
    int64_t at = 0, last = c->text_tokens - 1;
    memset(out, 0, (size_t)c->text_tokens * sizeof *out);
    if (m->begin >= 0) out[at++] = m->begin;
    for (int64_t i = 0; i < count && ids[i] >= 0 && at < last; ++i) out[at++] = ids[i];
    out[at] = m->end;
    return at;
}
