/* graph.h -- tensors, nodes, reverse-mode autograd, memory plan, replay.
 *
 * A model builds a static graph once per shape by calling builders (host/ops/ops.h).  graph_backward
 * appends the backward pass as ordinary nodes.  graph_compile drops nodes nothing needs, plans memory
 * by liveness, and binds kernels with their arguments; graph_run replays the recorded launches.
 *
 * Nodes run in the order in which they were appended.  That order is what makes in-place state
 * (optimizer, caches, averages) correct: a node sees every update appended before it, and none after.
 *
 * Mistakes in a model (shapes, types) are latched: the first one is kept, builders go on with a
 * poison tensor, and graph_compile reports it.  Model code therefore needs no checks.
 *
 * Ownership: tensors and nodes live in the graph's arena; every pointer is borrowed until
 * graph_destroy.  One thread.
 * Names: graph_, tensor_, node_, binder_, call_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_GRAPH_GRAPH_H
#define DALLE_CL_GRAPH_GRAPH_H

#include "host/base/arena.h"
#include "host/graph/store.h"

typedef struct graph graph;
typedef struct node node;
typedef struct tensor tensor;
typedef struct binder binder;
typedef struct storage storage; /* the memory behind a tensor and its views */

/* Elements that storage is padded to, so that element-wise kernels may run whole vectors. */
#define TENSOR_PAD 16

struct tensor {
    graph *graph;
    node *from;    /* the node that makes it, or NULL */
    int out_index; /* which of its outputs */
    dtype type;
    int rank; /* 0 to TENSOR_RANK_MAX; a scalar is [1] */
    int64_t dim[TENSOR_RANK_MAX];
    int64_t stride[TENSOR_RANK_MAX]; /* in elements */
    int64_t offset;                  /* in elements, from the storage's start */
    storage *storage;
    bool needs_gradient; /* a trained parameter is upstream */
    bool poison;
};

#define NODE_INPUTS_MAX  10
#define NODE_OUTPUTS_MAX 4

typedef struct op_def {
    const char *name;       /* stem of host/ops/<name>.c, cl/ops/<name>.cl, host/ops/cases/<name>.c */
    bool (*infer)(node *n); /* declare outputs; graph_fail and false if wrong */
    bool (*bind)(const node *n, binder *b); /* once, at compile: record launches; NULL for views */
    /* appends nodes; din[i] = NULL: no gradient; dout[i] is NULL where nothing flows back.  NULL = none */
    void (*grad)(node *n, tensor *const *dout, tensor **din);
    int64_t (*workspace)(const node *n, device *d, error *err); /* scratch bytes, or -1; NULL = none */
    double (*flops)(const node *n); /* operations of its products, two a multiply-add; NULL = no product */
} op_def;

#define NODE_RECOMPUTED (-1)

struct node {
    graph *graph;
    const op_def *def;
    const char *name; /* scoped: "block.3.attention.softmax.2"; unique; names the Philox stream */
    int in_count, out_count;
    tensor *in[NODE_INPUTS_MAX];
    tensor *out[NODE_OUTPUTS_MAX];
    void *attributes; /* the operator's own struct, in the arena */
    /* set by infer: an input, so far NULL, that would be added to out[0]; 0 = none.  Sums of gradients then
     * need no pass of their own */
    int addend;
    /* recomputed with others of this number, 0 = not, or NODE_RECOMPUTED: a copy made for the gradient */
    int stretch;
    bool live; /* kept by graph_compile */
    storage *workspace;
    int index;
};

/* ---- Building -------------------------------------------------------------------------------- */

graph *graph_create(store *s, error *err);
void graph_destroy(graph *g);
store *graph_store(const graph *g);
device *graph_device(const graph *g);

/* Scopes name parameters and nodes: push "block.%d", declare "weight", pop. */
void graph_push(graph *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
void graph_pop(graph *g);
/* "scope.name" in the arena. */
const char *graph_scoped(graph *g, const char *name);

/* Zeroed memory that lives as long as the graph; NULL, with the mistake latched, when memory is out. */
void *graph_allocate(graph *g, size_t bytes);

/* A tensor the host writes before runs.  Its memory is its own and keeps its content between runs. */
tensor *graph_input(graph *g, const char *name, dtype type, int rank, const int64_t *dim);
/* The tensor of a store entry, declared in the current scope if new.  STORE_PARAMETER entries get
 * gradients (if graph_set_trainable, the default) and others do not. */
typedef struct parameter_spec {
    store_kind kind;
    dtype type;
    store_init init;
    float deviation;
    bool decay, wide; /* as in store_entry */
} parameter_spec;
tensor *graph_parameter(graph *g, const char *name, parameter_spec spec, int rank, const int64_t *dim);
tensor *graph_entry(graph *g, store_entry *e);
store_entry *graph_entry_of(const tensor *t);       /* NULL if t is not a whole store entry */
void graph_set_trainable(graph *g, bool trainable); /* for parameters asked for from now on */
/* From now on graph_parameter gives the average of a parameter that has one: evaluation. */
void graph_set_averages(graph *g, bool averages);

/* The nodes so far, in order: for those who look for what a graph uses, such as the optimizer. */
int graph_node_count(const graph *g);
node *graph_node_at(const graph *g, int index);
double node_flops(const node *n); /* op_def.flops, or 0 */

/* Appends a node and infers its outputs; returns it, or NULL when an input is poison or infer fails.
 * `attributes` (may be NULL) is copied into the arena.  A NULL input is allowed where the operator
 * says so. */
node *graph_node(graph *g, const op_def *def, int in_count, tensor *const *in, const void *attributes,
                 size_t attributes_size);
/* The first output of the above, or the poison tensor. */
tensor *graph_node1(graph *g, const op_def *def, int in_count, tensor *const *in, const void *attributes,
                    size_t attributes_size);
tensor *graph_poison(graph *g);

/* The storage type of what products read and give, and so of most activations and gradients: F32 unless set,
 * before anything is built.  Layers (host/nn) go by it; operators follow the types of what they are given. */
void graph_set_half(graph *g, dtype type);
dtype graph_half(const graph *g);
/* Parameters asked for from now on belong to this residual block (store_entry); 0, as at first: to none. */
void graph_set_block(graph *g, int block);

/* Called by infer: a new contiguous output; an output that is input `i`'s storage updated in place;
 * an output that is a view of input `i`. */
tensor *node_output(node *n, dtype type, int rank, const int64_t *dim);
tensor *node_output_in_place(node *n, int input);
tensor *node_output_view(node *n, int input, int rank, const int64_t *dim, const int64_t *stride,
                         int64_t offset);

/* Latches a mistake: "scope: message".  Returns false. */
bool graph_fail(graph *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Latches that host memory ran out.  Returns false. */
bool graph_no_memory(graph *g);
/* store_declare into the graph's store; what is declared otherwise already is latched, and NULL. */
store_entry *graph_declare(graph *g, const char *name, store_kind kind, dtype type, int rank,
                           const int64_t *dim);
store_entry *graph_declare_kin(graph *g, store_entry *of, store_kind kind, dtype type); /* alike */

/* The operators between begin and end are computed again in the backward pass instead of being kept
 * (B.2 of arXiv 2102.12092 checkpoints its residual blocks so).  Not nested. */
void graph_recompute_begin(graph *g);
void graph_recompute_end(graph *g);

/* Reverse-mode differentiation of a scalar: appends the backward nodes.  Afterwards graph_gradient
 * gives each trainable parameter's gradient, or NULL if the loss does not depend on it. */
void graph_backward(graph *g, tensor *loss);
tensor *graph_gradient(graph *g, const tensor *t);
/* For grad: the node that has an addend and makes gradient t, or all of what t is a view of, while nothing
 * else has seen it; such a node may be given more to do.  Otherwise NULL. */
node *graph_sole_maker(const tensor *t);

/* Marks a tensor as wanted by the host: it is computed and stays readable until the next run. */
void graph_keep(tensor *t);
/* Marks an in-place update (the node that made t) as wanted. */
void graph_update(tensor *t);
/* Moves the node that made t, the last so far, to directly behind those that made its inputs, so that
 * these need not be kept any longer.  For updates of entries that nothing in between uses. */
void graph_advance(tensor *t);
/* Moves a node to `to`, within its segment: the caller knows that what makes its inputs is before that, and
 * what reads its outputs behind.  The first place of which the former is so; and a place's segment. */
void graph_move(node *n, int to);
int graph_earliest(const node *n);
int graph_segment_of(const graph *g, int index);
/* Starts a new segment of the step here: the host may do something between segments, or repeat one. */
void graph_segment(graph *g);

/* ---- Compiling and running ------------------------------------------------------------------- */

typedef struct graph_plan_info {
    int nodes, launches;
    int64_t store_bytes; /* parameters, moments, averages, caches */
    int64_t input_bytes;
    int64_t work_bytes;    /* activations, gradients and scratch, after reuse */
    int64_t naive_bytes;   /* the same without reuse */
    int64_t largest_bytes; /* of one tensor, which no plan can split */
    const char *largest_name;
    int slabs;
    int64_t library_bytes; /* of a library's scratch that the device has not yet */
} graph_plan_info;

/* Whether what was built so far has no mistake; graph_plan and graph_compile ask this too. */
bool graph_sound(const graph *g, error *err);
/* Plans without allocating: what graph_compile would need, on a device with room enough. */
bool graph_plan(graph *g, graph_plan_info *info, error *err);
/* Plans, compares with the device ("device 'x' has 6.1 GiB, the plan needs 9.8 GiB; lower `batch`"),
 * allocates (the store too, initialised from `seed`) and binds.  `knob` names the setting to lower. */
bool graph_compile(graph *g, uint64_t seed, const char *knob, error *err);
/* Before graph_compile: bytes of the device that are left for what is compiled later. */
void graph_reserve(graph *g, int64_t bytes);
/* Of a compiled graph: others over its store that are compiled later lay what they do not keep into its
 * memory. None of them runs while it does, between its segments either; what is kept of it is read, or its
 * reading begun, before another runs; and it is destroyed after them. */
void graph_lend(graph *g);
bool graph_info(const graph *g, graph_plan_info *info);
int graph_segments(const graph *g);
/* Before graph_compile: what a run launches may be joined (device.h); for graphs of many short kernels. */
void graph_join(graph *g);
bool graph_joined(const graph *g);    /* whether some are */
bool graph_run(graph *g, error *err); /* all segments; does not wait */
/* A graph of one segment, so many times in a row, with nothing from the host between them. */
bool graph_run_times(graph *g, int times, error *err);
bool graph_run_segment(graph *g, int segment, error *err);

/* Blocking.  Shapes are the tensor's; it must be contiguous.  Reading needs graph_keep. */
bool graph_write(tensor *t, const void *values, error *err);
bool graph_read(tensor *t, void *values, error *err);
bool graph_read_f32(tensor *t, float *values, error *err);
/* The same without making the device wait: begin enqueues the read, behind all runs so far and before later
 * ones; end waits for the one begun first of those not ended, of which a tensor may have two.  A step's
 * figures are read so while the next step runs. */
bool graph_read_begin(tensor *t, error *err);
bool graph_read_end(tensor *t, void *values, error *err);
/* Fills all planned work memory with NaN before every run: reads of unwritten memory then show. */
void graph_poison_memory(graph *g, bool on);

/* ---- For operators --------------------------------------------------------------------------- */

int64_t tensor_count(const tensor *t);
bool tensor_is_contiguous(const tensor *t);
bool tensor_same_shape(const tensor *a, const tensor *b);
bool tensor_is_suffix(const tensor *b, const tensor *a); /* b's shape is that of a's last axes */
int64_t tensor_last(const tensor *t);                    /* size of the last axis */
int64_t tensor_rows(const tensor *t);                    /* product of the others */
const char *tensor_shape_text(const tensor *t);          /* "[2,62,1280,64]", in the arena */

device *binder_device(const binder *b);
error *binder_error(const binder *b);
device_launches *binder_launches(const binder *b);
/* A tensor's memory, for operators that talk to device.h directly (GEMM): offset in elements. */
device_buffer *binder_buffer(const binder *b, const tensor *t, int64_t *offset);
device_buffer *binder_workspace(const binder *b, const node *n, int64_t *offset_bytes);

/* A kernel launch being described.  Typical bind:
 *     kernel_call c = call_begin(b, n, "softmax_forward");
 *     call_tensor(&c, "Y", n->out[0]);        adds -DY_STORE=STORE_F32, and buffer + offset arguments
 *     call_tensor(&c, "X", n->in[0]);
 *     call_int(&c, columns);
 *     return call_rows(&c, rows);
 * Arguments go in call order.  LANES and VEC are always defined, from the device.
 * The file is cl/ops/<def name>.cl. */
typedef struct kernel_call {
    binder *binder;
    const node *node;
    device_launch launch;
    char options[512];
    bool failed;
} kernel_call;

kernel_call call_begin(binder *b, const node *n, const char *kernel);
/* Of another file than the operator's own: "ops/conv2d". */
kernel_call call_begin_in(binder *b, const node *n, const char *file, const char *kernel);
void call_define(kernel_call *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));                              /* "HEAD=%d" */
void call_tensor(kernel_call *c, const char *operand, const tensor *t); /* must be contiguous */
void call_tensor_view(kernel_call *c, const char *operand,
                      const tensor *t);                   /* strides are the caller's business */
void call_workspace(kernel_call *c, const char *operand); /* the node's float scratch, as F32 */
void call_int(kernel_call *c, int64_t value);             /* a kernel `int`: latches an error past 2^31-1 */
void call_uint(kernel_call *c, uint32_t value);           /* passed as the same 32 bits */
void call_float(kernel_call *c, float value);
/* One work-group of LANES items per row. */
bool call_rows(kernel_call *c, int64_t rows);
/* As many work-items as suit the device for FOR_VECTORS over `count` elements. */
bool call_elements(kernel_call *c, int64_t count);
/* `items` independent work-items (get_global_id(0) < items must be checked in the kernel), one thread
 * of work each, in groups that suit the device. */
bool call_items(kernel_call *c, int64_t items);
bool call_grid(kernel_call *c, int rank, const size_t *global, const size_t *local);

#endif
