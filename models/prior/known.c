/* known.c -- see known.h.
 * SPDX-License-Identifier: MIT */
#include "models/prior/known.h"

#include "data/safetensors.h"
#include "host/base/dot.h"
#include "host/base/file.h"
#include "host/base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FORMAT "dalle-cl known captions 1"

void known_captions_free(known_captions *k)
{
    for (int64_t i = 0; k->texts && i < k->count; ++i) free(k->texts[i]);
    free(k->texts);
    free(k->embeddings);
    *k = (known_captions){ 0 };
}

bool known_captions_make(known_captions *k, int64_t count, int64_t size, error *err)
{
    *k = (known_captions){ .count = count, .size = size };
    k->texts = calloc((size_t)count + 1, sizeof *k->texts);
    k->embeddings = calloc((size_t)(count * size) + 1, sizeof *k->embeddings);
    if (k->texts && k->embeddings) return true;
    known_captions_free(k);
    return error_set(err, ERROR_MEMORY, "out of memory for %lld known captions", (long long)count);
}

/* ---- Writing ---- */

static void pack_rows(const known_captions *k, uint8_t *rows)
{
    for (int64_t i = 0; i < k->count; ++i) {
        const float *x = k->embeddings + i * k->size;
        float largest = 0;
        for (int64_t j = 0; j < k->size; ++j) largest = fmaxf(largest, fabsf(x[j]));
        float scale = largest > 0 ? 127.0f / largest : 0;
        for (int64_t j = 0; j < k->size; ++j) rows[i * k->size + j] = (uint8_t)(128 + lroundf(x[j] * scale));
    }
}

static int64_t pack_texts(const known_captions *k, char *texts)
{
    int64_t at = 0;
    for (int64_t i = 0; i < k->count; ++i) {
        int64_t bytes = (int64_t)strlen(k->texts[i]) + 1;
        if (texts) memcpy(texts + at, k->texts[i], (size_t)bytes);
        at += bytes;
    }
    return at;
}

static bool write_file(const known_captions *k, const uint8_t *rows, const char *texts, int64_t bytes,
                       const char *path, error *err)
{
    safetensors_writer *w = safetensors_writer_create();
    const int64_t dim[2] = { k->count, k->size };
    bool ok = w ? true : error_set(err, ERROR_MEMORY, "out of memory for '%s'", path);
    ok = ok && safetensors_add(w, "embeddings", DTYPE_U8, 2, dim, rows, k->count * k->size, err) &&
         safetensors_add(w, "captions", DTYPE_U8, 1, &bytes, texts, bytes, err) &&
         safetensors_add_metadata(w, "format", FORMAT, err) &&
         safetensors_add_metadata(w, "seen_by", k->clip, err) && safetensors_add_checksum(w, err) &&
         safetensors_write(w, path, err);
    safetensors_writer_destroy(w);
    return ok;
}

int64_t known_captions_bytes(const known_captions *k)
{
    return pack_texts(k, NULL) + k->count * k->size;
}

bool known_captions_write(const known_captions *k, const char *folder, error *err)
{
    int64_t bytes = pack_texts(k, NULL);
    char *path = file_join(folder, KNOWN_FILE), *texts = malloc((size_t)bytes + 1);
    uint8_t *rows = malloc((size_t)(k->count * k->size) + 1);
    bool ok = path && texts && rows ? true : error_set(err, ERROR_MEMORY, "out of memory for known captions");
    if (ok) {
        pack_rows(k, rows);
        pack_texts(k, texts);
        ok = write_file(k, rows, texts, bytes, path, err);
    }
    free(path);
    free(texts);
    free(rows);
    return ok;
}

/* ---- Reading ---- */

static bool damaged(const char *path, const char *what, error *err)
{
    return error_set(err, ERROR_FORMAT,
                     "%s: %s: it is no list of known captions, or damaged; 'dalle-cl pack' writes one", path,
                     what);
}

static void unpack_row(const uint8_t *row, int64_t size, float *x)
{
    double squares = 0;
    for (int64_t j = 0; j < size; ++j) squares += (row[j] - 128.0) * (row[j] - 128.0);
    double scale = squares > 0 ? 1 / sqrt(squares) : 0;
    for (int64_t j = 0; j < size; ++j) x[j] = (float)((row[j] - 128.0) * scale);
}

static bool unpack_texts(known_captions *k, const safetensors_tensor *t, const char *path, error *err)
{
    const char *at = t->data, *end = at + t->bytes;
    for (int64_t i = 0; i < k->count; ++i) {
        const char *stop = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
        if (!stop || utf8_check(at) >= 0) return damaged(path, "captions are missing or no UTF-8", err);
        if (!(k->texts[i] = strdup(at))) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", path);
        at = stop + 1;
    }
    return at == end || damaged(path, "there are more captions than embeddings", err);
}

static bool unpack(known_captions *k, const safetensors *file, const char *path, error *err)
{
    const safetensors_tensor *rows = safetensors_find(file, "embeddings"),
                             *texts = safetensors_find(file, "captions");
    const char *format = safetensors_metadata(file, "format"), *clip = safetensors_metadata(file, "seen_by");
    if (!format || strcmp(format, FORMAT) != 0 || !clip || strlen(clip) != 64)
        return damaged(path, "its metadata is another", err);
    if (!rows || !texts || !rows->loadable || !texts->loadable || rows->type != DTYPE_U8 ||
        texts->type != DTYPE_U8 || rows->rank != 2 || rows->dim[0] > KNOWN_MOST)
        return damaged(path, "its tensors are others", err);
    if (!known_captions_make(k, rows->dim[0], rows->dim[1], err)) return false;
    memcpy(k->clip, clip, sizeof k->clip);
    for (int64_t i = 0; i < k->count; ++i)
        unpack_row((const uint8_t *)rows->data + i * k->size, k->size, k->embeddings + i * k->size);
    return unpack_texts(k, texts, path, err);
}

bool known_captions_read(known_captions *k, const char *folder, error *err)
{
    *k = (known_captions){ 0 };
    char *path = file_join(folder, KNOWN_FILE);
    if (!path) return error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", folder);
    bool there = file_exists(path), ok = true;
    safetensors *file = there ? safetensors_open_whole(path, NULL, err) : NULL;
    if (there) ok = file && unpack(k, file, path, err);
    safetensors_close(file);
    free(path);
    if (!ok) known_captions_free(k);
    return ok;
}

/* ---- Finding ---- */

static double similarity(const known_captions *k, const float *embedding, int64_t place)
{
    return dot(embedding, k->embeddings + place * k->size, k->size);
}

void known_captions_meant(const known_captions *k, const float *embedding, double scale, float *meant)
{
    double most = -1, sum = 0, softer = KNOWN_MEANT_SHARE * scale;
    for (int64_t i = 0; i < k->count; ++i) most = fmax(most, similarity(k, embedding, i));
    for (int64_t i = 0; i < k->count; ++i) sum += exp(softer * (similarity(k, embedding, i) - most));
    for (int64_t j = 0; j < k->size; ++j) meant[j] = embedding[j] / 3;
    for (int64_t i = 0; i < k->count; ++i) {
        double share = exp(softer * (similarity(k, embedding, i) - most)) / sum;
        for (int64_t j = 0; j < k->size; ++j)
            meant[j] += (float)(2 * share / 3 * (double)k->embeddings[i * k->size + j]);
    }
}

bool known_captions_has(const known_captions *k, const char *caption)
{
    for (int64_t i = 0; i < k->count; ++i)
        if (strcasecmp(k->texts[i], caption) == 0) return true;
    return false;
}

int known_captions_near(const known_captions *k, const float *embedding, const char *but, int most,
                        int64_t *places)
{
    int found = 0;
    for (int64_t i = 0; i < k->count; ++i) {
        if (strcasecmp(k->texts[i], but) == 0) continue;
        double own = similarity(k, embedding, i);
        int at = found;
        while (at > 0 && similarity(k, embedding, places[at - 1]) < own) --at;
        if (at == most) continue;
        int last = found < most ? found++ : most - 1;
        memmove(places + at + 1, places + at, (size_t)(last - at) * sizeof *places);
        places[at] = i;
    }
    return found;
}
