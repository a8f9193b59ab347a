/* parts.h -- trained parts on disk, opening them, and packing them into one folder.
 *
 * A part of a kind of model is found in a packed model folder, which may hold one of each kind, or as many
 * as the kind says, the second as <kind>-2 and so on,
 *     model.json  <kind>.cfg  <kind>.safetensors  and the kind's further files, such as tokenizer.model
 * or in the folder of the run that trained it (config.cfg, best.safetensors or, as the kind says,
 * checkpoint.safetensors, further files), where the averaged parameters are taken.  A file may be named
 * instead of its folder: a run's checkpoint, or a model's <kind>.safetensors for that part alone.
 * Names: part_, pack_, text_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PARTS_H
#define DALLE_CL_MODELS_PARTS_H

#include "data/tokenizer.h"
#include "data/words.h"
#include "host/base/config.h"
#include "host/train/checkpoint.h"
#include <jansson.h>

typedef struct model_kind model_kind; /* kinds.h */

/* A file that parts of a kind have besides settings and parameters. */
typedef struct part_role {
    const char *role, *file; /* what it is for, and its name */
    bool indexed;            /* model.json names it under its role: a part without it is none */
    const char *in_run;      /* its name in a run; NULL: the same */
} part_role;
#define PART_TOKENIZER "tokenizer" /* roles that kinds share */
#define PART_WORDS     "words"
#define PART_FURTHER   4

/* Where a part lies; to be freed with part_files_free. */
typedef struct part_files {
    const model_kind *kind;      /* NULL: nothing was looked for */
    char *config, *weights;      /* paths */
    char *further[PART_FURTHER]; /* in the order of the kind's `files`; NULL where there is none */
    bool run;                    /* a run's folder */
} part_files;
/* A folder that holds the part in neither form is an error that says what is there. */
bool part_files_find(const char *folder, const model_kind *kind, part_files *out, error *err);
/* Whether there is one.  False without an error: the folder has none.  Half of one is an error. */
bool part_is_there(const char *folder, const model_kind *kind, error *err);
/* The same of the one with this number, from 0, of several of a kind; a run has one, which is found by
 * any. */
bool part_files_find_number(const char *folder, const model_kind *kind, int number, part_files *out,
                            error *err);
/* Of several of a kind the one that makes pictures of the size that these settings say, or else the first. */
bool part_files_find_like(const char *folder, const model_kind *kind, const void *config, part_files *out,
                          error *err);
bool part_is_there_number(const char *folder, const model_kind *kind, int number, error *err);
/* What the files of the one with this number are named by: "kind", "kind-2". */
enum { PART_NAME = 80 };
const char *part_name(const model_kind *kind, int number, char name[PART_NAME]);
void part_files_free(part_files *files);
const char *part_files_role(const part_files *files, const char *role); /* a path, or NULL */
/* SHA-256 of the file of parameters: what it states, which was found true when it was opened, or, where it
 * states nothing, of all of it. */
bool part_files_hash(const part_files *files, char hex[65], error *err);
/* The settings: those of the file, over the defaults. */
bool part_files_config(const part_files *files, void *config, error *err);
/* A store for parameters that a file will give. */
store *part_store_create(device *d, error *err);

/* A part, opened.  What it points to is its own `self`'s. */
typedef struct model_part {
    const model_kind *kind;
    void *self;         /* the kind's own */
    const char *folder; /* that it was opened from; the opener's */
    const void *config;
    store *store;
    const checkpoint_metadata *metadata; /* of the file of its parameters */
} model_part;
void part_close(model_part *p);

/* Parts of one model, each after those that it needs. */
enum { PARTS_MAX = 16 };
typedef struct part_list {
    int count;
    model_part at[PARTS_MAX];
} part_list;
const model_part *part_list_find(const part_list *list, const model_kind *kind); /* or NULL */
/* The one with this number, from 0, of several of a kind, or NULL. */
const model_part *part_list_number(const part_list *list, const model_kind *kind, int number);
/* How many of a kind there are that were opened from this folder (NULL: from any): the next one's number. */
int part_list_count(const part_list *list, const model_kind *kind, const char *folder);
void part_list_close(part_list *list);

/* Cuts or pads `count` ids to `positions`, -1 where none is. */
void text_positions(const int32_t *ids, int count, int64_t positions, int32_t *out);

/* ---- pack.c: the parts of runs as one folder that drawing needs, and nothing else ------------------ */

typedef struct pack_request {
    /* Runs or models, NULL-terminated; each gives a part of the first kind in the table that it holds, of
     * which there is room for one more, and whose needs are there.  Several of a kind stand in the order
     * of their sizes. */
    const char *const *runs;
    const char *out;
    dtype type; /* how parameters are stored */
    bool force; /* although parts were not trained together */
} pack_request;

enum { PART_TELL = 160 };
typedef struct pack_report {
    int count;
    struct packed_part {
        const model_kind *kind;
        int number;      /* of its kind, from 0 */
        const char *run; /* the request's */
        int64_t parameters;
        char tell[PART_TELL]; /* what the kind says of it */
    } at[PARTS_MAX];
    int64_t bytes;   /* of all files */
    json_t *figures; /* sizes by name, and "<kind>_parameters" */
} pack_report;
/* A report that is filled in is to be freed; on failure there is nothing to free. */
bool pack_parts(device *d, const pack_request *r, pack_report *made, error *err);
void pack_report_free(pack_report *r);
/* The same, never forced, without a report. */
bool pack_model(device *d, const char *const *runs, const char *out, dtype type, error *err);

#endif
