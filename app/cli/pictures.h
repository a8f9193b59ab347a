/* pictures.h -- pictures and tokens between the command line and libdalle.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_PICTURES_H
#define DALLE_CL_CLI_PICTURES_H

#include "app/api/dalle.h"
#include "host/base/error.h"

/* Passes a library error on; returns false. */
bool pictures_error(const dalle_error *from, error *err);

/* `count` pictures of side x side x 3 bytes, left to right, then down, a few pixels apart, as a PNG with
 * these texts (none: NULL and 0); a single one as it is.  columns 0: about as wide as high.  "-": standard
 * output. */
bool pictures_write_grid(const char *path, const uint8_t *rgb, int count, int side, int columns,
                         const dalle_png_text *texts, int text_count, error *err);

/* Reads picture files, each fitted to side x side: [count][side][side][3], to be freed. */
uint8_t *pictures_read(const char *const *paths, int count, int side, error *err);
/* The same of one, whose own size it tells. */
uint8_t *pictures_read_one(const char *path, int side, int *width, int *height, error *err);

/* {"side": 16, "pictures": [[...], ...]}: one array of side x side tokens a picture.  "-": standard
 * output. */
bool pictures_write_tokens(const char *path, const int32_t *tokens, int count, int side, error *err);
/* To be freed; every token is checked against `codes`. */
int32_t *pictures_read_tokens(const char *path, int side, int codes, int *count, error *err);

/* Decibels between two sets of bytes; infinite if equal. */
double pictures_psnr(const uint8_t *a, const uint8_t *b, int64_t bytes);
/* How many of `codes` tokens occur, and the entropy of their use in bits; -1 when memory is out. */
int pictures_code_usage(const int32_t *tokens, int64_t count, int codes, double *entropy, error *err);

#endif
