/* request.h -- what `dalle-cl train` asks for, and settling a run's settings from it.
 * Names: request_, preset_, ema_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_REQUEST_H
#define DALLE_CL_MODELS_REQUEST_H

#include "host/base/config.h"
#include "host/train/train.h"

typedef struct model_kind model_kind; /* kinds.h */

/* A trained part of another kind that training needs. */
typedef struct train_part {
    const model_kind *kind;
    const char *folder; /* a run's or a model's; NULL: with resume what the run used */
} train_part;
enum { TRAIN_PARTS = 4 };

typedef struct train_request {
    comm *comm; /* the ranks that train together, each with the same request; NULL: one */
    /* a preset's name or a .cfg file; NULL = the run's own with resume, "small" with init, else "paper"
     * defaults */
    const char *preset;
    const char *const *sets; /* "key=value" over it */
    int set_count;
    const char *data; /* paths, one a line: data/dataset_paths.h; with resume NULL = what the run used */
    train_part parts[TRAIN_PARTS]; /* those that its kind needs */
    const char *tokenizer; /* of a kind that learns captions: to use instead of training one; NULL = train */
    const char *run;       /* the run's folder */
    const char *init;      /* start from this packed model's or run's parameters; NULL = fresh */
    const char *device;    /* selector, or NULL */
    int64_t seed;          /* over the settings' seed; -1 = theirs */
    double minutes;        /* stop and save after that long; 0 = no limit */
    const char *commit;    /* of the program's sources, for run.json; NULL: not known */
    bool resume, force, quiet, json;
    bool tensorboard; /* write event files, too */
    bool profile;     /* end with a table of device time by operator */
    const volatile sig_atomic_t *interrupted;
    void (*reached)(train_stage stage); /* as in train_options */
} train_request;

/* The folder of the part of this kind that the request names, or NULL. */
const char *request_part(const train_request *r, const model_kind *kind);

/* Names of the presets embedded for a kind, NULL-terminated, to be freed (names are borrowed). */
const char **preset_names(const char *kind);
/* Reads a preset by name, or a .cfg file by path, over `config`. */
bool preset_read(const config_table *table, const char *name, void *config, error *err);

/* The request's settings: defaults, preset or the resumed run's config.cfg, then --set and --seed. */
bool request_config(const train_request *r, const config_table *table, void *config, error *err);
/* With --init, a new run's settings named in `sizes` (NULL-terminated) become those of the part of the
 * table's kind that it starts from, said where a preset that was named differs; --set of another value is an
 * error that names both.  Those after an empty name give way to --set.  Call after request_config. */
bool request_take_sizes(const train_request *r, const config_table *table, const char *const *sizes,
                        void *config, error *err);
/* The settings as text, to be freed. */
char *request_config_text(const config_table *table, const void *config, error *err);
/* A path the run recorded in run.json under `key`, when the request resumes without naming one; else
 * `given`, as it is named from everywhere.  Under "data" there may be several, one a line.  NULL with an
 * error when neither is there.  To be freed. */
char *request_path(const train_request *r, const char *key, const char *given, const char *option,
                   error *err);

/* Adds the model that a new run starts from, so that it is known until the first checkpoint holds it. */
bool request_note_origin(const train_request *r, json_t *provenance, error *err);

/* The loop's options as far as the request decides them. */
train_options request_options(const train_request *r, const char *config_text, json_t *provenance);

/* train_run, with a profile around it if the request asks for one. */
bool request_train(const train_request *r, device *d, const train_task *task, const train_options *options,
                   error *err);

/* SHA-256 of a file, for run.json. */
bool request_hash_file(const char *path, char hex[65], error *err);

/* The decay of averaged parameters at a step: they start as a copy and forget that start fast, by
 * step / (step + 10) until that reaches `ema`. (ours) */
double ema_decay_at(double ema, int64_t step);

#endif
