/* sets.h -- what the commands that work on sets of pictures with captions share.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_SETS_H
#define DALLE_CL_CLI_SETS_H

#include "app/cli/cli.h"
#include "data/dataset_paths.h"
#include <jansson.h>

#define SETS_ARGUMENTS "SET..."
#define SETS_TEXT      "\nA SET is whatever --data of 'train' may be; 'dalle-cl data info --help' says what."

/* The arguments as paths, to be freed (not the texts); NULL when memory is out. */
const char **sets_paths(const cli_call *call, error *err);
/* The arguments one a line, as --data stands in a run, to be freed; NULL when memory is out. */
char *sets_lines(const cli_call *call, error *err);
/* The set that the arguments name. */
dataset *sets_open(const cli_call *call, bool need_captions, error *err);

/* A line of progress with rate and time left, on a terminal. */
typedef struct sets_meter {
    const char *what, *unit; /* "check", "pictures" */
    double began;
} sets_meter;
sets_meter sets_meter_start(const char *what, const char *unit);
/* `count` of the unit so far; `done` of `all`, in whatever measure, says how far that is. */
void sets_meter_show(const sets_meter *m, int64_t count, int64_t done, int64_t all, const char *more);
/* For the `tell` of passes over samples; the context is the meter. */
void sets_meter_tell(void *meter, int64_t done, int64_t all);

/* "12 MB" */
void sets_bytes(int64_t bytes, char text[32]);
/* Prints a tree, which is taken, as one line; NULL: memory was out. */
bool sets_print(json_t *tree, size_t flags, error *err);

#endif
