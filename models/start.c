/* start.c -- see start.h.
 * SPDX-License-Identifier: MIT */
#include "models/start.h"

#include "host/graph/store.h"
#include "models/kinds.h"

#include <stdlib.h>
#include <string.h>

bool start_find(const train_request *r, const model_kind *kind, part_files *from, error *err)
{
    *from = (part_files){ 0 };
    if (!r->init || r->resume) return true;
    if (!part_files_find(r->init, kind, from, err)) return false;
    if (!kinds_has_tokenizer(kind) || part_files_role(from, PART_TOKENIZER)) return true;
    part_files_free(from);
    return error_set(err, ERROR_FORMAT, "'%s' has no tokenizer, which its %s needs", r->init, kind->title);
}

const safetensors_tensor *start_parameter(const start_file *o, const char *name, error *err)
{
    char average[STORE_NAME_MAX];
    store_kin_name(STORE_AVERAGE, name, average);
    const safetensors_tensor *t = safetensors_find(o->file, average);
    if (!t) t = safetensors_find(o->file, name);
    if (t && t->loadable && dtype_is_float(t->type)) return t;
    return error_null(err, ERROR_FORMAT, "'%s' lacks the tensor '%s', or holds no numbers in it", o->path,
                      name);
}

/* The text of a piece, with a space for each mark of one; to be freed. */
static char *plain_piece(const char *piece)
{
    static const char mark[] = "\xe2\x96\x81";
    char *text = calloc(strlen(piece) + 1, 1), *at = text;
    for (; text && *piece; ++piece) {
        bool space = strncmp(piece, mark, 3) == 0;
        *at++ = space ? ' ' : *piece;
        if (space) piece += 2;
    }
    return text;
}

bool start_piece(const start_file *o, float *values, int64_t row, int64_t size, error *err)
{
    char *text = plain_piece(tokenizer_piece(o->grown, (int32_t)row));
    int32_t *ids = NULL;
    if (!text) return error_set(err, ERROR_MEMORY, "out of memory for a piece of text");
    int count = tokenizer_encode(o->old, text, &ids, err);
    free(text);
    if (count < 0) return false;
    for (int i = 0; i < count; ++i)
        for (int64_t j = 0; j < size; ++j) values[row * size + j] += values[ids[i] * size + j] / (float)count;
    free(ids);
    return true;
}
