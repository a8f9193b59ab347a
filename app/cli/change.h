/* change.h -- what the commands share that make pictures of pictures: reading those, drawing, and what is
 * said and written of it.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_CHANGE_H
#define DALLE_CL_CLI_CHANGE_H

#include "app/api/dalle.h"
#include "app/cli/cli.h"

#include <jansson.h>

/* A picture's file: the centre square of it, and how large it was. */
typedef struct change_file {
    const char *path; /* NULL: none */
    uint8_t *rgb;     /* [side][side][3] */
    int side, width, height;
} change_file;

typedef struct change_call {
    const cli_call *call;
    dalle_change change;
    dalle_sampling sampling;
    change_file picture, other;
    uint8_t *mask; /* as the change's */
} change_call;

typedef dalle_pictures *change_draw(dalle_model *model, const dalle_change *change, dalle_error *err);
/* What a command does beside the rest: `read` fills in its part of the change, before the model is opened;
 * `notes` (may be NULL) says of an opened one what there is to know; `figures` adds to the JSON. */
typedef struct change_command {
    change_draw *draw;
    bool prior; /* captions are drawn */
    bool (*read)(change_call *c, error *err);
    void (*notes)(const change_call *c, const dalle_model_info *info);
    void (*figures)(const change_call *c, json_t **to);
} change_command;
bool change_run(const cli_call *call, const change_command *command, error *err);

/* Reads another picture than the first argument, which is read already. */
bool change_read(change_file *to, const char *path, error *err);
/* The mask of the picture, in its shape: otherwise an error; white is 255. */
bool change_read_mask(change_call *c, const char *path, error *err);

/* Options that all have, for the front of a command's: model, output, count of so many, first, columns. */
#define CHANGE_OPTIONS(output, number, help) \
    { "model", 'm', CLI_TEXT, "FOLDER", NULL, 0, 0, "the model's folder, as 'dalle-cl pack' makes it" }, \
        { "output", 'o', CLI_PICTURE, "FILE", \
          output,   0,   0,           "PNG to write: one picture, or a grid of them; - is standard output" }, \
        { "count", 'n', CLI_INT, "N", number, 1, 512, help }, \
        { "first", 0, \
          CLI_INT, "N", \
          "0",     0, \
          1000000, "number of the first; picture i depends on model, pictures, settings, seed and i only" }, \
    { \
        "columns", 0, CLI_INT, "N", NULL, 1, 512, "columns of the grid; otherwise about square" \
    }

#endif
