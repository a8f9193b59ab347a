/* internal.h -- what the files of the graph room share.
 * Names: storage_, staging_, plan_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_GRAPH_INTERNAL_H
#define DALLE_CL_GRAPH_INTERNAL_H

#include "host/graph/graph.h"

enum { STORAGE_ALIGN = 256 };

typedef enum storage_place { STORAGE_PLANNED, STORAGE_INPUT, STORAGE_ENTRY } storage_place;

/* A transfer that has not necessarily finished: the host copy stays until its event is done. */
typedef struct staging {
    void *bytes;
    device_event *done;
} staging;

/* A tensor's reads under way. */
typedef struct reading {
    struct reading *next;
    const tensor *of;
    staging staging[2];
    int oldest, count; /* of those under way */
} reading;

struct storage {
    storage_place place;
    const char *name;   /* of its first tensor, for messages */
    int64_t bytes;      /* padded */
    store_entry *entry; /* STORAGE_ENTRY */
    tensor *whole;      /* the entry's tensor, one for all who ask, so that gradients meet */
    int first, last;    /* live node positions that touch it; first < 0: none */
    bool keep;
    device_buffer *buffer;
    int64_t offset_bytes;
    int slab;
    staging staging[2];
    int next_staging;
    int gradients; /* tensors whose gradient it is, or a part of it, and still to be passed on */
};

/* A tensor and what only autograd needs to know of it. */
typedef struct tensor_record {
    tensor tensor;  /* first, so that a tensor pointer is a record pointer */
    tensor **parts; /* gradient contributions not yet added up */
    int part_count, part_capacity;
    tensor *gradient;
    tensor *twin; /* its recomputed copy */
} tensor_record;

typedef struct name_count {
    const char *name;
    int count;
} name_count;

struct graph {
    arena *arena;
    store *store;
    device *device;
    node **nodes;
    int node_count, node_capacity;
    storage **storages;
    int storage_count, storage_capacity;
    tensor **inputs;
    int input_count, input_capacity;
    char scope[512];
    int scope_marks[32], scope_depth;
    name_count *names;
    int name_count, name_slots;
    int stretch, stretch_count; /* recomputed ones */
    int *breaks;                /* node indices that start a new step segment */
    int break_count, break_capacity;
    dtype half;
    int block;
    bool trainable, averages, failed, compiled, poison_memory, join;
    error failure;
    tensor_record poison;

    graph_plan_info info;
    device_buffer **slabs;
    int64_t *slab_bytes;
    int slab_count, lent_count; /* those that are another graph's come first */
    int64_t reserve, library_bytes;
    device_launches *launches;
    reading *readings;
    int *segment_launch; /* first launch of each step segment, and one past the last */
    int segment_total;
};

struct binder {
    graph *graph;
    error *err;
};

tensor *graph_new_tensor(graph *g, dtype type, int rank, const int64_t *dim);
storage *graph_new_storage(graph *g, storage_place place, const char *name, int64_t bytes);

/* accumulate.c: the two operators that autograd itself needs. */
tensor *graph_fill(graph *g, float value, int rank, const int64_t *dim, dtype type);
tensor *graph_accumulate(graph *g, int count, tensor *const *parts);

void graph_settle(graph *g); /* waits for what nodes have begun beside the device's work (split.h) */
void staging_free(graph *g, staging s[2]); /* waits first */

/* store.c: the graph whose memory those of the store share while it does not run; NULL: none. */
graph *store_lender(const store *s);
void store_set_lender(store *s, graph *lender);

/* plan.c */
bool plan_mark_live(graph *g, error *err);
bool plan_place(graph *g, error *err);

#define GROW(array, count, capacity) \
    ((count) < (capacity) || graph_grow((void **)&(array), &(capacity), sizeof *(array)))
bool graph_grow(void **array, int *capacity, size_t size);

#endif
