/* store.h -- named tensors that outlive graphs: parameters, moments, averages, caches, counters.
 * Several graphs (train, evaluate, prefill, decode) share one store.  An entry's memory is a range of
 * a device buffer, allocated when the store first needs it; entries never move.
 * What belongs to a parameter points to it, and is found through it: no one looks for kin by name.
 * Names are scoped ("block.3.attention.query.weight") and serve as checkpoint keys.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_GRAPH_STORE_H
#define DALLE_CL_GRAPH_STORE_H

#include "host/device/device.h"

#define TENSOR_RANK_MAX 6

typedef struct store store;

typedef enum store_kind {
    STORE_PARAMETER, /* trained by the optimizer */
    STORE_MEAN,      /* of a parameter: the optimizer's running mean of its gradient */
    STORE_VARIANCE,  /* and of the gradient's square */
    STORE_AVERAGE,   /* of a parameter: its moving average */
    STORE_LEARNT,    /* part of the model like a parameter, but updated by the model itself: a codebook */
    STORE_ERROR,     /* of a parameter: what a rank has not yet sent of its gradients (host/train/powersgd.h);
                      * checkpoints hold the sum over ranks */
    STORE_STATE,     /* what such an update needs and a model in use does not: saved in checkpoints alone */
    STORE_CACHE,     /* KV caches and the like: never saved */
    STORE_FIXED,     /* drawn from the seed, and never changed: never saved */
    STORE_SUM,       /* added up over the parts of a batch: never saved */
    STORE_CONTROL    /* schedules, flags, the step: written by the host before each step; never saved */
} store_kind;

typedef enum store_init { STORE_ZEROS, STORE_ONES, STORE_NORMAL } store_init;

typedef struct store_entry {
    const char *name;
    store_kind kind;
    dtype type;
    int rank;
    int64_t dim[TENSOR_RANK_MAX];
    int64_t count; /* elements */
    bool decay;    /* weight decay applies (false for gains, biases) */
    bool wide;     /* stays F32, its moments too, where training keeps others in 16 bits: gains, biases,
                    * embeddings, unembeddings */
    int block;     /* the residual block, from 1 on, whose gradient scale its gradient carries; 0: none */
    store_init init;
    float deviation;                    /* of STORE_NORMAL */
    device_buffer *buffer;              /* NULL until store_allocate */
    int64_t offset;                     /* elements from the buffer's start; 64-byte aligned */
    struct store_entry *of;             /* the parameter it belongs to; NULL: it stands for itself */
    struct store_entry *kin, *next_kin; /* the first that belongs to it; the next of the same parameter */
} store_entry;

store *store_create(device *d, error *err);
void store_destroy(store *s); /* after the graphs that use it */
device *store_device(const store *s);

/* Finds the entry, or declares it.  A later declaration must agree in type, kind and shape: NULL if not. */
store_entry *store_declare(store *s, const char *name, store_kind kind, dtype type, int rank,
                           const int64_t *dim);
store_entry *store_find(const store *s, const char *name);
/* The same for what belongs to a parameter and has its shape; the name follows from kind and parameter. */
store_entry *store_declare_kin(store *s, store_entry *of, store_kind kind, dtype type);
store_entry *store_kin(const store_entry *of, store_kind kind); /* or NULL */
/* For files, which have names alone: how an entry of this kind that belongs to `parameter` is named in
 * checkpoints, and of which kind an entry so named is (STORE_PARAMETER: of none that has kin's names). */
#define STORE_NAME_MAX 640
void store_kin_name(store_kind kind, const char *parameter, char name[STORE_NAME_MAX]);
store_kind store_kin_named(const char *name);
int store_count(const store *s);
store_entry *store_at(const store *s, int index); /* in order of declaration */
int64_t store_elements(const store *s, store_kind kind);
int64_t store_bytes(const store *s);             /* of all entries, allocated or not */
int64_t store_entry_bytes(const store_entry *e); /* what it takes of a buffer, which is a little more than its
                                                  * elements */

/* Allocates entries that have no memory yet and initialises them: normals from Philox by (seed,
 * stream of the name, element), so that a parameter's start depends on nothing else. */
bool store_allocate(store *s, uint64_t seed, error *err);
/* Every value will be read from a file: from now on all starts at zero, which takes a tenth of the time. */
void store_await_values(store *s);
/* How matrices of linear layers are stored that are declared from now on: F32 unless set.  Arithmetic is in
 * float either way; drawing, which reads every weight for every token, takes less time from fewer bytes. */
void store_set_weight_type(store *s, dtype type);
dtype store_weight_type(const store *s);
/* How parameters of any layer are stored that are declared from now on and are not wide: F32 unless set.
 * For training, which rounds what it updates to this type; a store of another weight type keeps that. */
void store_set_trained_type(store *s, dtype type);
dtype store_trained_type(const store *s);

/* How many ranks there are, whose errors add up to what checkpoints hold: 1 unless set. */
void store_set_ranks(store *s, int ranks);
int store_ranks(const store *s);

/* Host copies; blocking.  `values` are of the entry's type. */
bool store_write(store *s, store_entry *e, const void *values, error *err);
bool store_read(store *s, const store_entry *e, void *values, error *err);
/* The same, converting from or to float. */
bool store_write_f32(store *s, store_entry *e, const float *values, error *err);
bool store_read_f32(store *s, const store_entry *e, float *values, error *err);
/* Elements first .. first + count - 1: what walks a whole store takes STORE_PIECE of them at a time, so
 * that the host never holds an entry as a whole. */
#define STORE_PIECE (1 << 20)
bool store_write_part(store *s, store_entry *e, int64_t first, int64_t count, const void *values, error *err);
bool store_read_part(store *s, const store_entry *e, int64_t first, int64_t count, void *values, error *err);
bool store_write_part_f32(store *s, store_entry *e, int64_t first, int64_t count, const float *values,
                          error *err);
bool store_read_part_f32(store *s, const store_entry *e, int64_t first, int64_t count, float *values,
                         error *err);
/* Gives `to` the values of `from`, which has as many. */
bool store_copy(store *s, store_entry *to, const store_entry *from, error *err);

#endif
