/* published.c -- see published.h.
 * SPDX-License-Identifier: MIT */
#include "models/clip/published.h"

#include "data/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 200 };

bool clip_published_is(const char *path, bool *is, error *err)
{
    safetensors *file = safetensors_open(path, err);
    *is = file && safetensors_find(file, "visual.conv1.weight");
    safetensors_close(file);
    return file != NULL;
}

/* How a published tensor's values become a parameter's. */
typedef enum layout { AS_IS, THIRD, TURNED, PATCHES } layout;

typedef struct place {
    char name[NAME]; /* the published tensor */
    layout layout;
    int third; /* of THIRD: query, key or value */
} place;

typedef struct renaming {
    const char *ours, *theirs;
    layout layout;
    int third;
} renaming;

static const renaming whole_names[] = {
    { "image.patch.weight", "visual.conv1.weight", PATCHES, 0 },
    { "image.class", "visual.class_embedding", AS_IS, 0 },
    { "image.position", "visual.positional_embedding", AS_IS, 0 },
    { "image.norm_before.gain", "visual.ln_pre.weight", AS_IS, 0 },
    { "image.norm_before.bias", "visual.ln_pre.bias", AS_IS, 0 },
    { "image.norm_after.gain", "visual.ln_post.weight", AS_IS, 0 },
    { "image.norm_after.bias", "visual.ln_post.bias", AS_IS, 0 },
    { "image.projection.weight", "visual.proj", TURNED, 0 },
    { "text.embedding", "token_embedding.weight", AS_IS, 0 },
    { "text.position", "positional_embedding", AS_IS, 0 },
    { "text.norm.gain", "ln_final.weight", AS_IS, 0 },
    { "text.norm.bias", "ln_final.bias", AS_IS, 0 },
    { "text.projection.weight", "text_projection", TURNED, 0 },
    { "log_scale", "logit_scale", AS_IS, 0 },
};

static const renaming block_names[] = {
    { "attention.query.weight", "attn.in_proj_weight", THIRD, 0 },
    { "attention.query.bias", "attn.in_proj_bias", THIRD, 0 },
    { "attention.key.weight", "attn.in_proj_weight", THIRD, 1 },
    { "attention.key.bias", "attn.in_proj_bias", THIRD, 1 },
    { "attention.value.weight", "attn.in_proj_weight", THIRD, 2 },
    { "attention.value.bias", "attn.in_proj_bias", THIRD, 2 },
    { "attention.output.weight", "attn.out_proj.weight", AS_IS, 0 },
    { "attention.output.bias", "attn.out_proj.bias", AS_IS, 0 },
    { "norm1.gain", "ln_1.weight", AS_IS, 0 },
    { "norm1.bias", "ln_1.bias", AS_IS, 0 },
    { "norm2.gain", "ln_2.weight", AS_IS, 0 },
    { "norm2.bias", "ln_2.bias", AS_IS, 0 },
    { "up.weight", "mlp.c_fc.weight", AS_IS, 0 },
    { "up.bias", "mlp.c_fc.bias", AS_IS, 0 },
    { "down.weight", "mlp.c_proj.weight", AS_IS, 0 },
    { "down.bias", "mlp.c_proj.bias", AS_IS, 0 },
};

static const renaming *find(const renaming *list, size_t count, const char *ours)
{
    for (size_t i = 0; i < count; ++i)
        if (strcmp(list[i].ours, ours) == 0) return &list[i];
    return NULL;
}

/* "image.block3.up.weight" is "visual.transformer.resblocks.2.mlp.c_fc.weight". */
static void find_place(const char *ours, place *p)
{
    int block, end = 0;
    char tower[8];
    const renaming *r = find(whole_names, sizeof whole_names / sizeof *whole_names, ours);
    if (r) {
        snprintf(p->name, NAME, "%s", r->theirs);
    } else {
        bool is = sscanf(ours, "%7[a-z].block%d.%n", tower, &block, &end) == 2 && end;
        if (is) r = find(block_names, sizeof block_names / sizeof *block_names, ours + end);
        CHECK(r, "'%s' is no parameter of a CLIP", ours);
        snprintf(p->name, NAME, "%stransformer.resblocks.%d.%s", strcmp(tower, "image") == 0 ? "visual." : "",
                 block - 1, r->theirs);
    }
    p->layout = r->layout;
    p->third = r->third;
}

/* What they call query, key and value has three times as many numbers. */
static const safetensors_tensor *find_tensor(const safetensors *file, const char *path, const place *p,
                                             const store_entry *e, error *err)
{
    const safetensors_tensor *t = safetensors_find(file, p->name);
    if (!t || !t->loadable || !dtype_is_float(t->type))
        return error_null(err, ERROR_FORMAT, "'%s' lacks the tensor '%s', or holds no numbers in it", path,
                          p->name);
    int64_t count = 1, wanted = e->count * (p->layout == THIRD ? 3 : 1);
    for (int i = 0; i < t->rank; ++i) count *= t->dim[i];
    bool turned = p->layout != TURNED || (t->rank == 2 && t->dim[0] == e->dim[1] && t->dim[1] == e->dim[0]),
         cut = p->layout != PATCHES ||
               (t->rank == 4 && t->dim[0] == e->dim[0] && t->dim[1] == 3 && t->dim[2] == t->dim[3]);
    if (count == wanted && turned && cut) return t;
    return error_null(err, ERROR_MODEL,
                      "'%s': tensor '%s' has %lld numbers, the settings want %lld or another shape: "
                      "image_size, patch, the widths, text_tokens, text_vocabulary and embedding must be its",
                      path, p->name, (long long)count, (long long)wanted);
}

/* values in their layout to ours, e's. */
static void lay_out(const place *p, const safetensors_tensor *t, const store_entry *e, const float *from,
                    float *to)
{
    int64_t rows = e->dim[0], columns = e->count / rows;
    if (p->layout == TURNED) {
        for (int64_t i = 0; i < e->count; ++i) to[i] = from[i % columns * rows + i / columns];
    } else if (p->layout == PATCHES) { /* [W,3,p,p] to [W,p,p,3] */
        int64_t pixels = t->dim[2] * t->dim[3];
        for (int64_t i = 0; i < e->count; ++i) {
            int64_t at = i % columns;
            to[i] = from[i / columns * columns + at % 3 * pixels + at / 3];
        }
    } else {
        memcpy(to, from + p->third * e->count, (size_t)e->count * sizeof *to);
    }
}

static bool read_entry(store *s, const safetensors *file, const char *path, store_entry *e, error *err)
{
    place p;
    find_place(e->name, &p);
    const safetensors_tensor *t = find_tensor(file, path, &p, e, err);
    if (!t) return false;
    int64_t count = e->count * (p.layout == THIRD ? 3 : 1);
    float *from = malloc((size_t)count * sizeof *from), *to = malloc((size_t)e->count * sizeof *to);
    bool ok = from && to ? true : error_set(err, ERROR_MEMORY, "out of memory for '%s'", e->name);
    if (ok) {
        dtype_convert(DTYPE_F32, from, t->type, t->data, count);
        lay_out(&p, t, e, from, to);
        ok = store_write_f32(s, e, to, err);
    }
    free(from);
    free(to);
    return ok;
}

bool clip_published_read(store *s, const char *path, error *err)
{
    safetensors *file = safetensors_open_whole(path, NULL, err);
    bool ok = file != NULL;
    for (int i = 0; ok && i < store_count(s); ++i)
        if (store_at(s, i)->kind == STORE_PARAMETER) ok = read_entry(s, file, path, store_at(s, i), err);
    safetensors_close(file);
    return ok;
}
