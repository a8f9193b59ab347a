/* store.h -- named tensors that outlive graphs: parameters, moments, averages, caches, counters.
 * Several graphs (train, evaluate, prefill, decode) share one store.  An entry's memory is a range of
 * a device buffer, allocated when the store first needs it; entries never move.
 * Names are scoped ("block.3.attention.query.weight") and serve as checkpoint keys.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_GRAPH_STORE_H
#define DALLE_CL_GRAPH_STORE_H

#include "host/device/device.h"

#define TENSOR_RANK_MAX 6

typedef struct store store;

typedef enum store_kind {
    STORE_PARAMETER, /* trained by the optimizer */
    STORE_MOMENT,    /* the optimizer's state, named "adam.mean.<parameter>" ... */
    STORE_AVERAGE,   /* EMA of a parameter, named "ema.<parameter>" */
    STORE_STATE,     /* updated by the model itself: codebook statistics; saved in checkpoints */
    STORE_CACHE,     /* KV caches and the like: never saved */
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
    store_init init;
    float deviation;       /* of STORE_NORMAL */
    device_buffer *buffer; /* NULL until store_allocate */
    int64_t offset;        /* elements from the buffer's start; 64-byte aligned */
    int64_t version;       /* counts host writes */
} store_entry;

store *store_create(device *d, error *err);
void store_destroy(store *s); /* after the graphs that use it */
device *store_device(const store *s);

/* Finds the entry, or declares it.  A later declaration must agree in type, kind and shape: NULL if not. */
store_entry *store_declare(store *s, const char *name, store_kind kind, dtype type, int rank,
                           const int64_t *dim);
store_entry *store_find(const store *s, const char *name);
int store_count(const store *s);
store_entry *store_at(const store *s, int index); /* in order of declaration */
int64_t store_elements(const store *s, store_kind kind);
int64_t store_bytes(const store *s); /* of all entries, allocated or not */

/* Allocates entries that have no memory yet and initialises them: normals from Philox by (seed,
 * stream of the name, element), so that a parameter's start depends on nothing else. */
bool store_allocate(store *s, uint64_t seed, error *err);
/* Every value will be read from a file: from now on all starts at zero, which takes a tenth of the time. */
void store_await_values(store *s);
/* How matrices of linear layers are stored that are declared from now on: F32 unless set.  Arithmetic is in float either
 * way; drawing, which reads every weight for every token, takes less time from fewer bytes. */
void store_set_weight_type(store *s, dtype type);
dtype store_weight_type(const store *s);

/* Host copies; blocking.  `values` are of the entry's type. */
bool store_write(store *s, store_entry *e, const void *values, error *err);
bool store_read(store *s, const store_entry *e, void *values, error *err);
/* The same, converting from or to float. */
bool store_write_f32(store *s, store_entry *e, const float *values, error *err);
bool store_read_f32(store *s, const store_entry *e, float *values, error *err);

#endif
