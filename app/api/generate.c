/* generate.c -- libdalle draws captions: a request is checked (request.c), and drawn by the model's family,
 * token by token (draw_tokens.c) or by diffusion (unclip_generate.c); see dalle.h.
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"
#include "app/api/unclip.h"

#include <stdlib.h>

bool api_counter_tell(void *counter, int64_t done, int64_t total)
{
    const api_counter *c = counter;
    return c->tell(c->context, (int)done, (int)total);
}

bool api_pictures_make(dalle_pictures *out, int count, int side, int64_t tokens_each, bool scored, error *err)
{
    size_t number = (size_t)count, tokens = (size_t)tokens_each;
    *out = (dalle_pictures){ .count = count, .side = side, .drawn = count };
    out->rgb = malloc(number * (size_t)side * (size_t)side * 3);
    out->tokens = tokens ? malloc(number * tokens * sizeof *out->tokens) : NULL;
    out->entropy = tokens ? malloc(number * sizeof *out->entropy) : NULL;
    out->number = malloc(number * sizeof *out->number);
    out->score = scored ? malloc(number * sizeof *out->score) : NULL;
    return (out->rgb && out->number && (!tokens || (out->tokens && out->entropy)) &&
            (out->score || !scored)) ||
           error_set(err, ERROR_MEMORY, "out of memory for %zu pictures", number);
}

dalle_pictures *dalle_generate(dalle_model *m, const dalle_request *given, dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    dalle_request r;
    dalle_pictures *out = calloc(1, sizeof *out);
    if (!out) error_set(&err, ERROR_MEMORY, "out of memory for pictures");
    if (out && api_request_take(given, &r, &err) && api_request_check(m, &r, &err) &&
        (m->decoder ? unclip_generate(m, &r, &plain, out, &err) : api_draw_tokens(m, &r, &plain, out, &err)))
        return out;
    dalle_pictures_free(out);
    api_report(failure, &err);
    return NULL;
}

void dalle_pictures_free(dalle_pictures *p)
{
    if (!p) return;
    free(p->rgb);
    free(p->tokens);
    free(p->entropy);
    free(p->number);
    free(p->score);
    for (int i = 0; p->near && i < p->near_count; ++i) free(p->near[i]);
    free(p->near);
    free(p->phrase);
    free(p);
}
