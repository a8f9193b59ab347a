/* trainer.h -- what the training of every kind does alike: it opens device, data and store, runs steps with
 * their step size and random numbers, draws sample grids, keeps what must survive a restart, and starts the
 * loop (host/train/train.h).  A kind embeds a trainer and adds its graph, its figures and its drawings.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_TRAINER_H
#define DALLE_CL_MODELS_TRAINER_H

#include "host/train/schedule.h"
#include "models/data.h"
#include "models/room.h"
#include "models/training.h"

enum { TRAINER_VALIDATED = 512 }; /* pictures that a validation looks at, at most */

typedef struct trainer {
    const train_request *request;
    const training_config
        *config; /* of the kind's own settings, which may still change until the store is made */
    const schedule_config *pace; /* NULL: the kind has a course of its own for its step size */
    int64_t neighbours;          /* of the set that stay together in its order; 0: none */
    double crop; /* the smallest share of a picture that a random square shows; 0 or 1: as `augment` says */
    const loader_view *views; /* what batches hold beside each picture (loader.h); NULL: nothing */
    int view_count;
    device *device;
    store *store;
    training_data *data;
    schedule_plateau plateau;     /* of `pace` */
    const ranks_traffic *traffic; /* of the steps' graph, once one was run; NULL: one rank */
    int64_t window; /* of the pictures batches hold a random square of so many pixels; 0: the whole */
    bool no_wholes; /* ranks have pieces, and rank 0 no room for a whole model beside its own */
    int64_t before; /* bytes of the device that were taken when the store was opened */
} trainer;

/* All borrowed; opens nothing.  A zeroed trainer may be closed. */
void trainer_init(trainer *t, const train_request *r, const training_config *c, const schedule_config *pace);
bool trainer_open_device(trainer *t, error *err);
/* Pictures of `size` pixels a side; `captions`: those without one are left out. */
bool trainer_open_data(trainer *t, const char *path, int64_t size, bool captions, error *err);
/* How the settings have pictures read, and resized. */
bool trainer_reading(const training_config *c, image_reading *how, error *err);
image_filter trainer_filter(const training_config *c);
bool trainer_open_store(trainer *t, error *err);
/* Compiles the step, before all other graphs over the store, which share its memory. */
bool trainer_compile(trainer *t, graph *g, const char *knob, error *err);
/* After the kind's graphs are gone. */
void trainer_close(trainer *t);
/* To an error that says that memory ran out, before or in the middle of the training, adds which batch would
 * fit, or into how many parts this one would have to be divided.  `config` is of k's settings, as they have
 * become; `given` as in kinds.h.  Call before anything is closed. */
void trainer_advise(const trainer *t, const model_kind *k, const void *config, const int64_t *given,
                    error *err);

/* ---- A step ---- */

/* The step size by `pace`. */
double trainer_rate(const trainer *t, int64_t step);
/* A kind's step as a graph, and how the part of its inputs is written that begins with sample `first` of the
 * batch, or of this rank's share of it. */
typedef struct trainer_graph {
    graph *graph;
    const division *division;
    optimizer *optimizer;
    bool (*write)(void *self, int64_t first, error *err);
} trainer_graph;
/* Runs step `step` with the random numbers (cl/random.clh) and averages that belong to it, part by part where
 * the batch is divided, and begins to read what trainer_figures gives; does not wait. */
bool trainer_step(trainer *t, const trainer_graph *g, int64_t step, double rate, void *self, error *err);
/* The figures that every step ends with, and whether it was skipped. */
bool trainer_figures(const optimizer *o, double rate, train_metrics *out, error *err);
/* What validation found; it may halve the step size. */
void trainer_observe(trainer *t, double figure);

/* ---- Sample grids ---- */

/* Makes `count` pictures [count][size][size][3] that belong to the first validation pictures `real`. */
typedef bool (*trainer_make)(void *self, const uint8_t *real, int64_t count, uint8_t *made, error *err);
/* What a sampler is built over: the trained store, or, where ranks have pieces of that, one of its own for
 * wholes, to be destroyed once it was drawn from, as the sampler before it. */
typedef struct trainer_source {
    store *store;
    bool averages; /* which graphs over it read */
    bool own;
} trainer_source;
bool trainer_source_open(const trainer *t, trainer_source *s, error *err);
/* Once a sampler is built: the values, on rank 0, while the others of its group stand by (pieces.h). */
bool trainer_source_fill(const trainer *t, const trainer_source *s, error *err);
/* A PNG of validation pictures above those that `make` makes, with their captions if the data has some. */
bool trainer_draw(trainer *t, const char *path, trainer_make make, void *self, error *err);

/* ---- What must survive a restart ---- */

/* A new object, to which the kind adds its own keys; NULL when memory is out. */
json_t *trainer_save(const trainer *t);
bool trainer_load(trainer *t, const json_t *state, error *err);

/* ---- The run ---- */

/* Trains.  `config` is the kind's settings, of `table`; `origin`, taken over, is what run.json says of where
 * the run's parts come from, besides the data at `path`; NULL: nothing.  The task's store is the
 * trainer's. */
bool trainer_run(trainer *t, train_task *task, const config_table *table, const void *config,
                 const char *path, json_t *origin, error *err);

#endif
