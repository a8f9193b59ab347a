/* clfft.c -- clFFT, a library that makes Fourier transforms, as a provider (fft_provider.h).
 * clFFT 2.12.2, which nobody maintains: fft.c takes it only where fft_check.c finds it right.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"

#ifdef DALLE_CL_CLFFT
#include <clFFT.h>
#include <pthread.h>
#include <stdlib.h>

typedef struct clfft_state {
    device *device;
    clfftPlanHandle plan;
    bool counted, planned;
    device_buffer *workspace;
} clfft_state;

/* Its programs hold their context until it is torn down, which it is with the last plan. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int plans;

static bool failed(clfftStatus status, const char *call, error *err)
{
    return status != CLFFT_SUCCESS && !status_error(err, (cl_int)status, "%s", call);
}

static bool plans_more(error *err)
{
    pthread_mutex_lock(&lock);
    clfftSetupData setup;
    const bool bad = plans == 0 && (failed(clfftInitSetupData(&setup), "clfftInitSetupData", err) ||
                                    failed(clfftSetup(&setup), "clfftSetup", err));
    if (!bad) ++plans;
    pthread_mutex_unlock(&lock);
    return !bad;
}

static void plans_less(void)
{
    pthread_mutex_lock(&lock);
    if (--plans == 0) clfftTeardown();
    pthread_mutex_unlock(&lock);
}

static bool only_small_factors(int64_t size)
{
    static const int factors[] = { 2, 3, 5, 7, 11, 13 };
    for (size_t i = 0; i < sizeof factors / sizeof *factors; ++i)
        while (size % factors[i] == 0) size /= factors[i];
    return size == 1;
}

/* Of one row or column it makes another kind of transform, which is not worth a path of its own. */
static bool clfft_supports(device *d, const fft_desc *f)
{
    (void)d;
    return f->height > 1 && f->width > 1 && only_small_factors(f->height) && only_small_factors(f->width);
}

static bool describe(clfftPlanHandle plan, const fft_desc *f, error *err)
{
    const size_t columns = (size_t)fft_columns(f), rows = (size_t)f->height, width = (size_t)f->width;
    size_t in[] = { 1, width }, out[] = { 1, columns };
    return !failed(clfftSetPlanPrecision(plan, CLFFT_SINGLE), "clfftSetPlanPrecision", err) &&
           !failed(clfftSetLayout(plan, CLFFT_REAL, CLFFT_HERMITIAN_INTERLEAVED), "clfftSetLayout", err) &&
           !failed(clfftSetResultLocation(plan, CLFFT_OUTOFPLACE), "clfftSetResultLocation", err) &&
           !failed(clfftSetPlanInStride(plan, CLFFT_2D, in), "clfftSetPlanInStride", err) &&
           !failed(clfftSetPlanOutStride(plan, CLFFT_2D, out), "clfftSetPlanOutStride", err) &&
           !failed(clfftSetPlanDistance(plan, rows * width, rows * columns), "clfftSetPlanDistance", err) &&
           !failed(clfftSetPlanBatchSize(plan, (size_t)f->count), "clfftSetPlanBatchSize", err);
}

static bool bake(clfft_state *s, const fft_desc *f, error *err)
{
    opencl_device *o = opencl(s->device);
    const size_t lengths[] = { (size_t)f->width, (size_t)f->height };
    size_t bytes = 0;
    if (failed(clfftCreateDefaultPlan(&s->plan, o->context, CLFFT_2D, lengths), "clfftCreateDefaultPlan",
               err))
        return false;
    s->planned = true;
    if (!describe(s->plan, f, err) ||
        failed(clfftBakePlan(s->plan, 1, &o->queue[DEVICE_COMPUTE], NULL, NULL), "clfftBakePlan", err) ||
        failed(clfftGetTmpBufSize(s->plan, &bytes), "clfftGetTmpBufSize", err))
        return false;
    return bytes == 0 || (s->workspace = device_buffer_create(s->device, (int64_t)bytes, err)) != NULL;
}

static void clfft_release(void *state)
{
    clfft_state *s = state;
    if (s->planned) clfftDestroyPlan(&s->plan);
    if (s->counted) plans_less();
    device_buffer_destroy(s->workspace);
    free(s);
}

static void *clfft_plan(device *d, const fft_desc *f, error *err)
{
    clfft_state *s = calloc(1, sizeof *s);
    if (!s) return error_null(err, ERROR_MEMORY, "no memory for a plan");
    s->device = d;
    if ((s->counted = plans_more(err)) && bake(s, f, err)) return s;
    clfft_release(s);
    return NULL;
}

typedef struct clfft_call {
    clfft_state *state;
    cl_mem in, out;
} clfft_call;

static bool enqueue(device *d, void *context, error *err)
{
    clfft_call *c = context;
    const cl_mem work = c->state->workspace ? opencl_memory(c->state->workspace) : NULL;
    return !failed(clfftEnqueueTransform(c->state->plan, CLFFT_FORWARD, 1, &opencl(d)->queue[DEVICE_COMPUTE],
                                         0, NULL, NULL, &c->in, &c->out, work),
                   "clfftEnqueueTransform", err);
}

static bool clfft_record(void *state, device_launches *list, const char *label, device_buffer *in,
                         device_buffer *out, error *err)
{
    clfft_call *c = malloc(sizeof *c);
    if (!c) return error_set(err, ERROR_MEMORY, "%s: no memory for a call", label);
    *c = (clfft_call){ state, opencl_memory(in), opencl_memory(out) };
    return device_launches_add_call(list, label, enqueue, c, err);
}

const fft_provider fft_clfft = { "clfft", clfft_supports, clfft_plan, clfft_record, clfft_release };
#endif
