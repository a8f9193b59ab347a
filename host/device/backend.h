/* backend.h -- what stands behind device.h: an implementation of devices is a table of functions, and its
 * handles begin with the parts below.  Which table serves a device is decided when the device is opened, so
 * that one program can hold several; opencl/ is one, tests/ has others.
 *
 * device.c comes first: it has checked ranges and limits before it calls, fills the parts below, counts what
 * is allocated, and frees the handles.  A backend allocates them, zeroed, and gives back what it put into
 * them alone.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_BACKEND_H
#define DALLE_CL_DEVICE_BACKEND_H

#include "host/device/fft_provider.h"
#include "host/device/gemm_library.h"
#include "host/device/gemm_provider.h"

typedef struct device_backend device_backend;
typedef struct profile profile;           /* profile.c: milliseconds by label */
typedef struct gemm_choices gemm_choices; /* gemm_choice.c's */

/* A device that is listed, and what its backend finds it by. */
typedef struct device_entry {
    const device_backend *backend;
    device_info info;
    void *handle[2];
} device_entry;

typedef struct device_listing {
    device_entry *entries;
    int count;
} device_listing;

/* What every device, buffer, event and list of launches begins with. */
struct device {
    const device_backend *backend;
    device_info info;
    char choice[256];                      /* why it was chosen */
    int64_t allocated;                     /* bytes of the buffers alive */
    int64_t peak;                          /* the most that were */
    int64_t refused;                       /* bytes of the last buffer that there was no room for */
    int64_t library_planned, library_held; /* bytes of a library's scratch: device_library_bytes */
    char *cache_folder;                    /* NULL: nothing is kept on disk */
    bool units_barred;                     /* trying them ended a process */
    bool building;                         /* program_store_announce has said that kernels are compiled */
    bool lost;        /* set by the backend where waiting failed: a transfer may still be under way */
    profile *profile; /* not NULL: the backend times each launch, and says so by profile_add */
    gemm_choices *choices;
};
struct device_buffer {
    device *owner;
    int64_t bytes;
};
struct device_event {
    device *owner;
};
struct device_launches {
    device *owner;
    int count; /* kept by the backend */
};

/* Functions do what device.h says of those named alike; those marked (*) may be NULL. */
struct device_backend {
    const char *name;

    /* For the process. */
    void (*prepare)(void);                                     /* (*) device_prepare_process */
    void (*leave)(void);                                       /* (*) device_leave */
    int (*help)(const device_entry *at, const char *identity); /* (*) device_help; identity: device_key's */

    /* Appends its devices by device_listing_add, unprobed.  False: it has none, with what to do about it, or,
     * with ERROR_MEMORY, nothing can be listed. */
    bool (*list)(device_listing *l, error *err);
    /* (*) Finds by running code what info says of that, `all` of it or what is needed to choose.  No failure
     * is an error: it makes the device unusable and says why. */
    void (*probe)(device_entry *at, bool all);
    /* Begins with device_begin. */
    device *(*open)(const device_entry *at, error *err);
    /* Gives back what open made, as far as it came. */
    void (*close)(device *d);
    double (*measure_rate)(device *d, error *err); /* (*) */

    device_buffer *(*buffer_create)(device *d, int64_t bytes, error *err);
    void (*buffer_release)(device_buffer *b);
    bool (*write)(device *d, device_buffer *to, int64_t offset, const void *from, int64_t bytes, error *err);
    bool (*read)(device *d, const device_buffer *from, int64_t offset, void *to, int64_t bytes, error *err);
    bool (*fill)(device *d, device_buffer *b, int64_t offset, int64_t bytes, uint32_t pattern, error *err);

    device_event *(*write_begin)(device *d, device_queue q, device_buffer *to, int64_t offset,
                                 const void *from, int64_t bytes, device_event *after, error *err);
    device_event *(*read_begin)(device *d, device_queue q, const device_buffer *from, int64_t offset,
                                void *to, int64_t bytes, device_event *after, error *err);
    /* A marker that also comes after `after`, unless that is NULL. */
    device_event *(*event_record)(device *d, device_queue q, device_event *after, error *err);
    bool (*event_wait)(device_event *e, error *err);
    void (*event_release)(device_event *e);
    bool (*queue_wait)(device *d, device_queue q, device_event *e, error *err);
    bool (*finish)(device *d, error *err);

    device_launches *(*launches_create)(device *d, error *err);
    void (*launches_release)(device_launches *list);
    bool (*add)(device_launches *list, const device_launch *launch, error *err);
    bool (*add_copy)(device_launches *list, const char *label, device_buffer *to, int64_t to_offset,
                     const device_buffer *from, int64_t from_offset, int64_t bytes, error *err);
    bool (*add_fill)(device_launches *list, const char *label, device_buffer *to, int64_t offset,
                     int64_t bytes, uint32_t pattern, error *err);
    bool (*add_call)(device_launches *list, const char *label, device_call call, void *context, error *err);
    bool (*repeat)(device_launches *list, int first, int count, int times, error *err);
    void (*defer)(device_launches *list); /* (*) together: it never joins */
    bool (*join)(device_launches *list, const int *ends, int end_count, error *err);
    bool (*joined)(const device_launches *list);
    bool (*timing)(device *d, bool on, error *err); /* (*) before the first and after the last launch timed */

    /* Ways of multiplying, in the order in which they are named and measured; NULL ends them.  `product`
     * chooses by shape and device alone, among them, one that can do it. */
    const gemm_provider *const *products;
    const gemm_provider *(*product)(device *d, const gemm_desc *desc);
    const gemm_library *blas; /* (*) what gemm_library.c's provider calls */
    const fft_provider *fft;  /* (*) a library that transforms, taken where it passes fft_check.c's test */
};

/* The program's, in the order in which their devices are listed; NULL ends them.  CMake makes the table of
 * those that are built (cmake/rooms.cmake); a test may define its own. */
extern const device_backend *const device_backends[];

/* ---- For backends ---- */

/* The next entry, zeroed but for its backend, which stays where it is until the next one; NULL: out of
 * memory. */
device_entry *device_listing_add(device_listing *l, const device_backend *b, error *err);
/* Lowers memory and largest buffer to what $DALLE_CL_MEMORY allows. */
bool device_limit_memory(device_info *info, error *err);
/* Lanes and vec from kind, multiple and largest group. */
void device_default_shape(device_info *info);
/* Fills the common part of a device that is being opened.  False: out of memory; device_close is then due all
 * the same. */
bool device_begin(device *d, const device_entry *at, error *err);
/* A hash of what is named and of all that a compiler's output or a measurement may depend on: device and
 * driver. */
void device_key(const device *d, const char *what, const char *how, char hex[65]);

/* gemm_block_units.c, for backends with the provider block: finds info.matrix_units by products of every unit
 * that the vendor's devices may have.  None is no error; false: out of memory, it may be otherwise later. */
bool gemm_block_units(device *d, error *err);
/* Whether "block ..." gives the right numbers for half and bfloat16 operands. */
bool gemm_block_right(device *d, const char *way, error *err);

/* trial.c: what may crash is done by $DALLE_CL_HELPER first, if there is one, which is given the device and
 * at most TRIAL_WORDS `words`.  False: nothing is known.  Else `reason` is why not, in its own words
 * (trial_say) or, of `what`, by which signal it ended; empty: it went well. */
#define TRIAL_REASON 512
enum { TRIAL_WORDS = 3 };
const char *trial_program(void); /* NULL: there is none */
bool trial_apart(const device *d, const char *what, const char *const *words, char reason[TRIAL_REASON]);
bool trial_say(const char *why); /* in that process */

/* fft_trial.c: whether the library can do it, found out in another process where there is one to ask,
 * which is `serve`; else with the reason. */
bool fft_trial_passed(device *d, const fft_desc *f, char reason[TRIAL_REASON]);
int fft_trial_serve(const device_entry *at, const char *identity, const char *const sizes[3]);

/* probe.c: a device is probed, and what was found is kept, for a process that waits; the exit status. */
int probe_serve(const device_entry *at, const char *identity);

/* profile.c: adds one launch's time; a new label makes a new row. */
void profile_add(profile *p, const char *label, double milliseconds);
void profile_destroy(profile *p);

#endif
