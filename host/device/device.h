/* device.h -- the whole contract with hardware: list and choose devices, buffers, compiled kernels,
 * recorded launches, GEMM plans, Fourier transforms, queues, events, profiling.
 * Backends (backend.h) implement it; which one serves a device is decided when the device is opened.
 * Nothing here knows what a tensor is.  A device and all that comes from it belong to one thread.
 * Sizes are bytes where the name says so, else elements.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_DEVICE_H
#define DALLE_CL_DEVICE_DEVICE_H

#include "host/base/activation.h"
#include "host/base/dtype.h"
#include "host/base/error.h"
#include "host/base/window.h"
#include <stddef.h>
#include <stdint.h>

/* ---- Finding devices ------------------------------------------------------------------------- */

typedef enum device_kind { DEVICE_CPU, DEVICE_GPU, DEVICE_OTHER } device_kind;

/* Matrix units that a kernel can reach.  Each has a probe (cl/device/matrix.cl) that multiplies two matrices
 * and compares every element.  What products use is device_matrix. */
#define DEVICE_UNITS(X) \
    X(NVIDIA_MMA, "NVIDIA mma.sync (PTX)") \
    X(INTEL_DPAS, "Intel DPAS") \
    X(AMD_WMMA, "AMD WMMA") \
    X(AMD_MFMA, "AMD MFMA")
typedef enum device_unit {
#define DEVICE_UNIT_ENUM(name, text) DEVICE_UNIT_##name,
    DEVICE_UNITS(DEVICE_UNIT_ENUM)
#undef DEVICE_UNIT_ENUM
        DEVICE_UNIT_COUNT
} device_unit;
const char *device_unit_name(device_unit unit);

/* Which of them products use (cl/gemm/block.cl): found when a device is opened, by a product that gave the
 * right numbers.  A fragment is held by 32, 32, 64, 8 and 16 work-items. */
typedef enum device_matrix {
    DEVICE_MATRIX_NONE,
    DEVICE_MATRIX_NVIDIA,
    DEVICE_MATRIX_WMMA,
    DEVICE_MATRIX_MFMA,
    DEVICE_MATRIX_DPAS_8,
    DEVICE_MATRIX_DPAS_16,
    DEVICE_MATRIX_COUNT
} device_matrix;
const char *device_matrix_name(device_matrix matrix);

/* What became of a probe: not tried (another vendor's unit), tried without a right answer, or it works. */
typedef enum device_found { DEVICE_NOT_TRIED, DEVICE_ABSENT, DEVICE_PRESENT } device_found;

/* What a device says of itself, and what probes that were compiled and run on it found. */
typedef struct device_info {
    int index;     /* in device_list order; accepted by --device */
    char word[24]; /* likewise: "cuda:0", the first of those that CUDA offers */
    device_kind kind;
    char name[128], vendor[128], vendor_word[16]; /* nvidia amd intel pocl mesa oclgrind other */
    char runtime[128], runtime_version[128];      /* the software that offers the device: OpenCL's platform */
    char version[128];                            /* of the interface that it offers: "OpenCL 3.0 CUDA" */
    char driver[128];                             /* its driver's version */
    int compute_units;
    int64_t memory_bytes;     /* usable in all; for a CPU, the machine's memory */
    int64_t max_buffer_bytes; /* largest single buffer */
    int64_t local_bytes;
    int64_t max_group;      /* work-items in a work-group */
    int preferred_multiple; /* work-group size multiple: a hint for LANES, never an assumption */

    bool usable; /* probes passed; if not, `reason` says why and it is never chosen */
    char reason[512];
    bool half_storage;    /* halves are loaded and stored right */
    bool half_arithmetic; /* and calculated with, right */
    int subgroup_size;    /* 0: no working subgroups */
    device_matrix matrix_units;
    bool matrix_copies; /* its operands go to local memory past the registers */
    bool joins;         /* a kernel's groups can wait for each other: device_launches_join */
    int vector_width;   /* preferred float vector, from the driver */

    /* The shape of row- and element-wise kernels (docs/design.md): LANES work-items by vectors of VEC. */
    int lanes, vec;
    double probe_gflops; /* measured multiply-add rate, remembered per device and driver; 0: not measured */

    /* Found by device_list with `measure` alone, because nothing is chosen by them; `measured` says so. */
    bool measured;
    int subgroup_sizes;                    /* bit i: kernels that ask for subgroups of 2^i run right */
    device_found units[DEVICE_UNIT_COUNT]; /* by device_unit */
    device_found command_buffers;          /* the driver records and replays a kernel */
    int64_t probed_buffer_bytes;     /* largest single buffer whose two ends could be written and read */
    int64_t probed_local_bytes;      /* largest local array that a work-group could write and read */
    double launch_us, round_trip_us; /* one of many launches in a row; one launch and the wait for it */
    double copy_gbs;                 /* buffer to buffer: 10^9 bytes read and written a second */
} device_info;

/* Lists every device of every backend into *infos (to be freed); returns how many, or -1.
 * No device at all is an error that names the package to install.
 * `measure` also runs the probes, using and filling the remembered ones. */
int device_list(device_info **infos, bool measure, error *err);

/* Launches give a work-item at most so many elements to walk.  Mesa's llvmpipe ends any loop after its
 * 65,536th pass, silently, which left a large matrix half packed. */
#define DEVICE_LONGEST_WALK 32768

typedef struct device device;

/* `selector`: NULL or "" = $DALLE_CL_DEVICE, else the fastest usable one by the remembered probe;
 * an index, "cpu", "gpu", "opencl", "cuda", "cuda:0", a vendor word, or a part of a name in any case.
 * Unknown: ERROR_USAGE, with the devices there are and the nearest name; none of a kind: why.  A list, "0,1"
 * or "gpu,cpu", names several: each of them must be usable and no two the same, and the first is opened,
 * because one process drives one device. */
device *device_open(const char *selector, error *err);
/* The devices that a list of selectors names, in its order, as indices to be freed; how many, or -1. */
int device_select(const char *selectors, int **indices, error *err);
void device_close(device *d); /* after everything made from it; NULL is harmless */
/* For a process that is about to end by _exit: removes the temporary folder that a driver may have been
 * given. */
void device_leave(void);
const device_info *device_get_info(const device *d);
/* A file of the cache folder that belongs to this device and driver and to `key`:
 * "<folder>/<kind>-<hash>.json", to be freed; NULL where nothing is cached.  False: out of memory. */
bool device_cache_file(const device *d, const char *kind, const char *key, char **path, error *err);
/* Why this device was chosen, one line: "fastest of 2 by measured multiply-add rate". */
const char *device_choice_reason(const device *d);
/* Billions of float operations a second in multiply-adds from registers, now: the best of a few runs.  0:
 * error. */
double device_measure_rate(device *d, error *err);
/* Overrides LANES and VEC for kernels bound later; tests run every legal pair.  False if not legal:
 * lanes a power of two up to max_group, vec one of 1 2 4 8 16. */
bool device_set_shape(device *d, int lanes, int vec);

/* For the program, first in main: `device_prepare_process` asks of drivers, by variables of the
 * environment that are not set, what makes building kernels cheaper, and names the program for helpers
 * ($DALLE_CL_HELPER), processes that build kernels on a CPU's other cores, or try what may crash; one is
 * started with DEVICE_HELPER_WORD as its first argument, and then its status is what `device_help`
 * returns.  A library's caller may set both variables itself. */
#define DEVICE_HELPER_WORD "--build-kernels"
void device_prepare_process(void);
int device_help(int argc, char **argv);

/* ---- Buffers --------------------------------------------------------------------------------- */

typedef struct device_buffer device_buffer;

device_buffer *device_buffer_create(device *d, int64_t bytes, error *err); /* content undefined */
void device_buffer_destroy(device_buffer *b);
int64_t device_buffer_bytes(const device_buffer *b);
int64_t device_allocated_bytes(const device *d); /* by buffers alive now */
int64_t device_peak_bytes(const device *d);      /* the most that this was */
int64_t device_refused_bytes(const device *d);   /* of the last buffer that there was no room for; 0: none */
/* What could be had besides, which the driver is asked for and given back: other programs may hold some of
 * the device's memory. */
int64_t device_free_bytes(device *d);
/* The scratch that a library takes beside buffers, once for all its products, for those planned since the
 * last call; without what it has already. */
int64_t device_library_bytes(device *d);

/* ---- Queues, events, transfers --------------------------------------------------------------- */

/* Two in-order queues.  Work on one is ordered against the other only by events. */
typedef enum device_queue { DEVICE_COMPUTE, DEVICE_TRANSFER } device_queue;
typedef struct device_event device_event;

/* Blocking transfers on the compute queue: they come after all work enqueued before. */
bool device_write(device *d, device_buffer *to, int64_t offset_bytes, const void *from, int64_t bytes,
                  error *err);
bool device_read(device *d, const device_buffer *from, int64_t offset_bytes, void *to, int64_t bytes,
                 error *err);
/* Non-blocking: the host memory must stay until the event is done.  `after` may be NULL. */
device_event *device_write_begin(device *d, device_queue q, device_buffer *to, int64_t offset_bytes,
                                 const void *from, int64_t bytes, device_event *after, error *err);
device_event *device_read_begin(device *d, device_queue q, const device_buffer *from, int64_t offset_bytes,
                                void *to, int64_t bytes, device_event *after, error *err);
/* Fills with a repeated 32-bit pattern, on the compute queue, without waiting. */
bool device_fill(device *d, device_buffer *b, int64_t offset_bytes, int64_t bytes, uint32_t pattern,
                 error *err);
/* A marker of all work enqueued so far on q; and work enqueued on q later waits for an event. */
device_event *device_event_record(device *d, device_queue q, error *err);
bool device_queue_wait(device *d, device_queue q, device_event *e, error *err);
bool device_event_wait(device_event *e, error *err);
void device_event_release(device_event *e); /* NULL is harmless */
bool device_finish(device *d, error *err);  /* waits for both queues */
/* Frees host memory from malloc that a non-blocking transfer has used.  Once waiting for the device has
 * failed, nobody knows whether its driver still reads or writes there: then the memory is kept for good. */
void device_free_host(device *d, void *memory);

/* ---- Kernels and recorded launches ----------------------------------------------------------- */

/* An argument.  A buffer argument becomes two kernel arguments, `__global T *name, long name_offset`,
 * the offset counted in elements (common.clh: TENSOR and TENSOR_BEGIN): no sub-buffers are used. */
typedef enum device_arg_kind {
    DEVICE_ARG_BUFFER,
    DEVICE_ARG_INT,
    DEVICE_ARG_FLOAT,
    DEVICE_ARG_LONG
} device_arg_kind;
typedef struct device_arg {
    device_arg_kind kind;
    device_buffer *buffer;
    int64_t integer; /* the value, or the buffer's element offset */
    float real;
} device_arg;

#define DEVICE_ARGS_MAX 40

typedef struct device_launch {
    const char *file;    /* embedded kernel file without ".cl": "ops/softmax", "gemm/tile" */
    const char *kernel;  /* function in it */
    const char *options; /* build options: "-DLANES=1 -DVEC=16 -DX_STORE=STORE_F32" */
    const char *label;   /* for --profile: the operator's name */
    int rank;            /* 1..3 */
    size_t global[3], local[3];
    int arg_count;
    device_arg args[DEVICE_ARGS_MAX];
} device_launch;

/* A list of launches recorded once (programs compiled, kernel objects made, arguments set) and run
 * many times; running it enqueues on the compute queue and never waits. */
typedef struct device_launches device_launches;

device_launches *device_launches_create(device *d, error *err);
void device_launches_destroy(device_launches *list);
int device_launches_count(const device_launches *list);
bool device_launches_add(device_launches *list, const device_launch *launch, error *err);
bool device_launches_add_copy(device_launches *list, const char *label, device_buffer *to,
                              int64_t to_offset_bytes, const device_buffer *from, int64_t from_offset_bytes,
                              int64_t bytes, error *err);
bool device_launches_add_fill(device_launches *list, const char *label, device_buffer *to,
                              int64_t offset_bytes, int64_t bytes, uint32_t pattern, error *err);
/* A library call that enqueues by itself on the compute queue.  `call` gets `context`,
 * which the list frees with free() at the end. */
typedef bool (*device_call)(device *d, void *context, error *err);
bool device_launches_add_call(device_launches *list, const char *label, device_call call, void *context,
                              error *err);
/* Enqueues launches first .. first+count-1. */
bool device_launches_run(device_launches *list, int first, int count, error *err);

/* Joining: many short kernels, one after another, become one kernel, whose groups share out the work of each
 * in turn and wait for one another.  It saves a CPU's handing over between threads, which for a token's
 * kernels takes longer than the work; the results are the same.  Only where info.joins; elsewhere both calls
 * change nothing.
 *   device_launches_defer  before the first add: kernels of single work-items are described, not built
 *   device_launches_join   after the last: neighbours are joined, across none of `ends` (launches before
 *                          which a run may begin), and what cannot be is built */
void device_launches_defer(device_launches *list);
bool device_launches_join(device_launches *list, const int *ends, int end_count, error *err);
bool device_launches_joined(const device_launches *list); /* whether some are */
/* As if run so many times; all at once where they are joined. */
bool device_launches_repeat(device_launches *list, int first, int count, int times, error *err);

/* Profiling: between start and report, run waits for and adds up each launch by label; none are joined
 * then. */
bool device_profile_start(device *d, error *err);
/* A table (label, launches, ms, share), longest first, to be freed; also ends the profile. */
char *device_profile_report(device *d, error *err);

/* A hash over all embedded kernel sources: a run records it. */
void device_kernels_hash(char hex[65]);

/* ---- GEMM ------------------------------------------------------------------------------------ */

/* Images seen as a matrix without being copied: row = a place of the window (b, y, x), column = tap (ky, kx,
 * c); pixels outside the image are 0.  A window of size 0: an ordinary matrix. */
typedef struct gemm_image {
    window window;
    int32_t height, width, channels; /* images are contiguous [B, Y, X, C] */
} gemm_image;
/* The window of stride 1 with a place for every pixel; `kernel` odd, or 0. */
static inline gemm_image gemm_image_same(int32_t kernel, int32_t height, int32_t width, int32_t channels)
{
    return (gemm_image){ window_same(kernel, kernel), height, width, channels };
}
/* Pixels of the images that have so many places. */
static inline int64_t gemm_image_pixels(const gemm_image *of, int64_t places)
{
    const int64_t down = window_places(&of->window, 0, of->height),
                  across = window_places(&of->window, 1, of->width);
    return places / (down * across) * of->height * of->width;
}

typedef struct gemm_operand {
    dtype type;
    int64_t row, column; /* strides in elements; ignored for an image */
    int64_t batch[2];    /* strides of the two batch axes; 0 repeats the operand */
    gemm_image image;    /* operands A and B only */
} gemm_operand;
static inline bool gemm_is_image(const gemm_operand *o)
{
    return o->image.window.size[0] != 0;
}

/* C[m, n] = act(alpha * (sum_k A[m, k] B[k, n] + bias[n])) * slope'(point[m, n]) + residual[m, n]
 * (+ C[m, n] before, if accumulate), without what is not asked for, for every index of the two batch axes.
 * Sums are in float. */
typedef struct gemm_desc {
    int64_t m, n, k, batch[2]; /* batch axes at least 1 */
    gemm_operand a, b, c;
    float alpha;
    bool accumulate;
    bool bias; /* float32 or c's-type vector of n */
    dtype bias_type;
    activation activation;
    bool preactivation; /* also write the value before act, with C's layout and type */
    activation slope;   /* the function whose derivative it is; identity: none */
    bool residual;      /* and the slope's point: with C's layout and type */
} gemm_desc;

typedef struct gemm_buffers {
    device_buffer *a, *b, *c, *bias, *preactivation, *point, *residual, *workspace;
    int64_t a_offset, b_offset, c_offset, bias_offset, preactivation_offset, point_offset,
        residual_offset;      /* elements */
    int64_t workspace_offset; /* bytes, 256-aligned */
} gemm_buffers;

typedef struct gemm_plan gemm_plan;

/* Chooses the provider; deterministic for a device, so that a resumed run does the same sums. */
gemm_plan *gemm_plan_create(device *d, const gemm_desc *desc, error *err);
/* The same in a named way: a provider of the device ("tile", "plain", ...), or one of gemm_ways; NULL with
 * ERROR_USAGE if the shape cannot be done so. */
gemm_plan *gemm_plan_create_with(device *d, const char *way, const gemm_desc *desc, error *err);
void gemm_plan_destroy(gemm_plan *p);
const char *gemm_plan_provider(const gemm_plan *p);
int64_t gemm_plan_workspace_bytes(const gemm_plan *p);
bool gemm_plan_record(gemm_plan *p, device_launches *list, const char *label, const gemm_buffers *buffers,
                      error *err);

/* Choosing by measurement (`dalle-cl tune`).  What is chosen for a shape stands above gemm_plan_create's own
 * rules, in this process and, once saved, in later ones; a run records gemm_choices_hash. */
#define GEMM_WAY_SIZE   32
#define GEMM_WAYS_MAX   20
#define GEMM_SHAPE_SIZE 384
/* Ways to do a product, the one of gemm_plan_create's rules first; how many. */
int gemm_ways(device *d, const gemm_desc *desc, char ways[GEMM_WAYS_MAX][GEMM_WAY_SIZE]);
/* "1024x512x2048 A F32 rows B F32 columns C F32 rows": equal for products that one choice fits. */
void gemm_shape_text(const gemm_desc *desc, char text[GEMM_SHAPE_SIZE]);
bool gemm_choose(device *d, const gemm_desc *desc, const char *way, error *err); /* way NULL: by the rules */
void gemm_choices_forget(device *d); /* all of the device's, in this process */
bool gemm_choices_save(device *d, char **path,
                       error *err); /* *path: the file, to be freed even after an error */
bool gemm_choices_hash(device *d, char hex[65], error *err); /* or "none" */
/* From now on `seen` is told of each plan that gemm_plan_create makes; NULL ends it. */
void gemm_watch(device *d, void (*seen)(void *context, const gemm_desc *desc), void *context);

/* ---- Fourier transforms ---------------------------------------------------------------------- */

/* So many transforms of real float matrices [height][width], forward, without a factor:
 *   Y[k][l] = sum over y, x of X[y][x] exp(-2 pi i (k y / height + l x / width)),  l = 0 .. width / 2;
 * what is not there is Y[-k][-l] conjugated.  X lies [count][height][width], Y [count][height][width / 2 + 1]
 * as pairs of floats, real part first. */
typedef struct fft_desc {
    int64_t count, height, width;
} fft_desc;
static inline int64_t fft_columns(const fft_desc *f)
{
    return f->width / 2 + 1;
}
static inline int64_t fft_in_bytes(const fft_desc *f)
{
    return f->count * f->height * f->width * 4;
}
static inline int64_t fft_out_bytes(const fft_desc *f)
{
    return f->count * f->height * fft_columns(f) * 8;
}

typedef struct fft_plan fft_plan;

/* By the device's library, if it has one that takes these sizes and whose transform of random matrices agrees
 * with double precision here and now; else by "products", two matrix products that run anywhere.  No failure
 * of the library is an error. */
fft_plan *fft_plan_create(device *d, const fft_desc *desc, error *err);
/* By "products", or by the library of that name; NULL with ERROR_USAGE if there is none or it does not take
 * the sizes, and with ERROR_DEVICE if it fails the test. */
fft_plan *fft_plan_create_with(device *d, const char *provider, const fft_desc *desc, error *err);
void fft_plan_destroy(fft_plan *p); /* after the lists that it was recorded in */
const char *fft_plan_provider(const fft_plan *p);
const char *fft_plan_note(const fft_plan *p); /* why not the library; "" if it is, or the device has none */
/* From the start of `in` to the start of `out`, other buffers; afterwards the content of `in` is
 * undefined. */
bool fft_plan_record(fft_plan *p, device_launches *list, const char *label, device_buffer *in,
                     device_buffer *out, error *err);

#endif
