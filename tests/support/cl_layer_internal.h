/* cl_layer_internal.h -- what the layer's two files share: the list of calls, and the smaller device.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_SUPPORT_CL_LAYER_INTERNAL_H
#define DALLE_CL_TESTS_SUPPORT_CL_LAYER_INTERNAL_H

#include "tests/support/cl_layer.h"

#include <CL/cl_layer.h>

/* Every entry point that is wrapped; the others go straight to the driver.
 * CALL(name, by, parameters, arguments) returns a status; MAKE(kind, type, name, by, ...) returns an object
 * and has `status` last; ENQUEUE(name, by, ...) has an `event` that may be NULL; RETAIN and RELEASE take one
 * object. `by` answers: the driver, or the smaller device before it.  clBuildProgram is written out in
 * cl_layer.c. */
#define CL_LAYER_CALLS(CALL, MAKE, ENQUEUE, RETAIN, RELEASE) \
    CALL(clGetPlatformIDs, layer_below.clGetPlatformIDs, (cl_uint n, cl_platform_id * ids, cl_uint * count), \
         (n, ids, count)) \
    CALL(clGetPlatformInfo, layer_below.clGetPlatformInfo, \
         (cl_platform_id p, cl_platform_info what, size_t size, void *out, size_t *used), \
         (p, what, size, out, used)) \
    CALL(clGetDeviceIDs, layer_below.clGetDeviceIDs, \
         (cl_platform_id p, cl_device_type type, cl_uint n, cl_device_id * ids, cl_uint * count), \
         (p, type, n, ids, count)) \
    CALL(clGetDeviceInfo, small_clGetDeviceInfo, \
         (cl_device_id d, cl_device_info what, size_t size, void *out, size_t *used), \
         (d, what, size, out, used)) \
    CALL(clCreateSubDevices, layer_below.clCreateSubDevices, \
         (cl_device_id d, const cl_device_partition_property *p, cl_uint n, cl_device_id *ids, \
          cl_uint *count), \
         (d, p, n, ids, count)) \
    CALL(clRetainDevice, layer_below.clRetainDevice, (cl_device_id d), (d)) \
    CALL(clReleaseDevice, layer_below.clReleaseDevice, (cl_device_id d), (d)) \
    MAKE(CONTEXTS, cl_context, clCreateContext, layer_below.clCreateContext, \
         (const cl_context_properties *p, cl_uint n, const cl_device_id *ids, \
          void(CL_CALLBACK * notify)(const char *, const void *, size_t, void *), void *user, \
          cl_int *status), \
         (p, n, ids, notify, user, status)) \
    CALL(clGetContextInfo, layer_below.clGetContextInfo, \
         (cl_context c, cl_context_info what, size_t size, void *out, size_t *used), \
         (c, what, size, out, used)) \
    MAKE(QUEUES, cl_command_queue, clCreateCommandQueue, layer_below.clCreateCommandQueue, \
         (cl_context c, cl_device_id d, cl_command_queue_properties p, cl_int * status), (c, d, p, status)) \
    CALL(clGetCommandQueueInfo, layer_below.clGetCommandQueueInfo, \
         (cl_command_queue q, cl_command_queue_info what, size_t size, void *out, size_t *used), \
         (q, what, size, out, used)) \
    MAKE(BUFFERS, cl_mem, clCreateBuffer, small_clCreateBuffer, \
         (cl_context c, cl_mem_flags flags, size_t bytes, void *host, cl_int *status), \
         (c, flags, bytes, host, status)) \
    CALL(clGetMemObjectInfo, layer_below.clGetMemObjectInfo, \
         (cl_mem m, cl_mem_info what, size_t size, void *out, size_t *used), (m, what, size, out, used)) \
    MAKE(PROGRAMS, cl_program, clCreateProgramWithSource, small_clCreateProgramWithSource, \
         (cl_context c, cl_uint n, const char **texts, const size_t *lengths, cl_int *status), \
         (c, n, texts, lengths, status)) \
    MAKE(PROGRAMS, cl_program, clCreateProgramWithBinary, small_clCreateProgramWithBinary, \
         (cl_context c, cl_uint n, const cl_device_id *ids, const size_t *lengths, \
          const unsigned char **binaries, cl_int *each, cl_int *status), \
         (c, n, ids, lengths, binaries, each, status)) \
    CALL(clCompileProgram, layer_below.clCompileProgram, \
         (cl_program p, cl_uint n, const cl_device_id *ids, const char *options, cl_uint headers, \
          const cl_program *texts, const char **names, void(CL_CALLBACK * notify)(cl_program, void *), \
          void *user), \
         (p, n, ids, options, headers, texts, names, notify, user)) \
    MAKE(PROGRAMS, cl_program, clLinkProgram, layer_below.clLinkProgram, \
         (cl_context c, cl_uint n, const cl_device_id *ids, const char *options, cl_uint count, \
          const cl_program *parts, void(CL_CALLBACK * notify)(cl_program, void *), void *user, \
          cl_int *status), \
         (c, n, ids, options, count, parts, notify, user, status)) \
    CALL(clGetProgramInfo, layer_below.clGetProgramInfo, \
         (cl_program p, cl_program_info what, size_t size, void *out, size_t *used), \
         (p, what, size, out, used)) \
    CALL(clGetProgramBuildInfo, small_clGetProgramBuildInfo, \
         (cl_program p, cl_device_id d, cl_program_build_info what, size_t size, void *out, size_t *used), \
         (p, d, what, size, out, used)) \
    MAKE(KERNELS, cl_kernel, clCreateKernel, layer_below.clCreateKernel, \
         (cl_program p, const char *name, cl_int *status), (p, name, status)) \
    CALL(clSetKernelArg, layer_below.clSetKernelArg, \
         (cl_kernel k, cl_uint index, size_t size, const void *value), (k, index, size, value)) \
    CALL(clGetKernelInfo, layer_below.clGetKernelInfo, \
         (cl_kernel k, cl_kernel_info what, size_t size, void *out, size_t *used), \
         (k, what, size, out, used)) \
    CALL( \
        clGetKernelWorkGroupInfo, small_clGetKernelWorkGroupInfo, \
        (cl_kernel k, cl_device_id d, cl_kernel_work_group_info what, size_t size, void *out, size_t *used), \
        (k, d, what, size, out, used)) \
    CALL(clWaitForEvents, layer_below.clWaitForEvents, (cl_uint n, const cl_event *events), (n, events)) \
    CALL(clGetEventInfo, layer_below.clGetEventInfo, \
         (cl_event e, cl_event_info what, size_t size, void *out, size_t *used), (e, what, size, out, used)) \
    CALL(clSetEventCallback, layer_below.clSetEventCallback, \
         (cl_event e, cl_int type, void(CL_CALLBACK * notify)(cl_event, cl_int, void *), void *user), \
         (e, type, notify, user)) \
    CALL(clGetEventProfilingInfo, layer_below.clGetEventProfilingInfo, \
         (cl_event e, cl_profiling_info what, size_t size, void *out, size_t *used), \
         (e, what, size, out, used)) \
    CALL(clFlush, layer_below.clFlush, (cl_command_queue q), (q)) \
    CALL(clFinish, layer_below.clFinish, (cl_command_queue q), (q)) \
    ENQUEUE(clEnqueueReadBuffer, layer_below.clEnqueueReadBuffer, \
            (cl_command_queue q, cl_mem m, cl_bool blocking, size_t at, size_t bytes, void *to, cl_uint n, \
             const cl_event *waits, cl_event *event), \
            (q, m, blocking, at, bytes, to, n, waits, event)) \
    ENQUEUE(clEnqueueWriteBuffer, layer_below.clEnqueueWriteBuffer, \
            (cl_command_queue q, cl_mem m, cl_bool blocking, size_t at, size_t bytes, const void *from, \
             cl_uint n, const cl_event *waits, cl_event *event), \
            (q, m, blocking, at, bytes, from, n, waits, event)) \
    ENQUEUE(clEnqueueCopyBuffer, layer_below.clEnqueueCopyBuffer, \
            (cl_command_queue q, cl_mem from, cl_mem to, size_t from_at, size_t to_at, size_t bytes, \
             cl_uint n, const cl_event *waits, cl_event *event), \
            (q, from, to, from_at, to_at, bytes, n, waits, event)) \
    ENQUEUE(clEnqueueFillBuffer, layer_below.clEnqueueFillBuffer, \
            (cl_command_queue q, cl_mem m, const void *pattern, size_t size, size_t at, size_t bytes, \
             cl_uint n, const cl_event *waits, cl_event *event), \
            (q, m, pattern, size, at, bytes, n, waits, event)) \
    ENQUEUE(clEnqueueMigrateMemObjects, layer_below.clEnqueueMigrateMemObjects, \
            (cl_command_queue q, cl_uint m, const cl_mem *all, cl_mem_migration_flags flags, cl_uint n, \
             const cl_event *waits, cl_event *event), \
            (q, m, all, flags, n, waits, event)) \
    ENQUEUE(clEnqueueNDRangeKernel, small_clEnqueueNDRangeKernel, \
            (cl_command_queue q, cl_kernel k, cl_uint rank, const size_t *offset, const size_t *global, \
             const size_t *local, cl_uint n, const cl_event *waits, cl_event *event), \
            (q, k, rank, offset, global, local, n, waits, event)) \
    ENQUEUE(clEnqueueMarkerWithWaitList, layer_below.clEnqueueMarkerWithWaitList, \
            (cl_command_queue q, cl_uint n, const cl_event *waits, cl_event *event), (q, n, waits, event)) \
    ENQUEUE(clEnqueueBarrierWithWaitList, layer_below.clEnqueueBarrierWithWaitList, \
            (cl_command_queue q, cl_uint n, const cl_event *waits, cl_event *event), (q, n, waits, event)) \
    RETAIN(CONTEXTS, clRetainContext, cl_context) \
    RELEASE(CONTEXTS, clReleaseContext, cl_context) \
    RETAIN(QUEUES, clRetainCommandQueue, cl_command_queue) \
    RELEASE(QUEUES, clReleaseCommandQueue, cl_command_queue) \
    RETAIN(BUFFERS, clRetainMemObject, cl_mem) \
    RELEASE(BUFFERS, clReleaseMemObject, cl_mem) \
    RETAIN(PROGRAMS, clRetainProgram, cl_program) \
    RELEASE(PROGRAMS, clReleaseProgram, cl_program) \
    RETAIN(KERNELS, clRetainKernel, cl_kernel) \
    RELEASE(KERNELS, clReleaseKernel, cl_kernel) \
    RETAIN(EVENTS, clRetainEvent, cl_event) \
    RELEASE(EVENTS, clReleaseEvent, cl_event)

extern cl_icd_dispatch layer_below; /* the driver, or the layer beneath */

/* ---- The smaller device (cl_layer_limits.c) ---- */

void limits_set(unsigned bits);
/* Remembers and asks whether a program was made from a binary, or its build was made to fail; forgets it. */
typedef enum program_mark { PROGRAM_PLAIN, PROGRAM_BINARY, PROGRAM_FAILED } program_mark;
void program_set_mark(cl_program p, program_mark mark);
program_mark program_get_mark(cl_program p);
/* Before a reference is given back: forgets the program with its last one. */
void program_release(cl_program p);
/* A reference to a buffer is given back. */
void buffer_leaves(cl_mem b);
void limits_set_memory(long mib);

#define DECLARE_CALL(name, by, parameters, arguments)             cl_int small_##name parameters;
#define DECLARE_MAKE(kind, type, name, by, parameters, arguments) type small_##name parameters;
#define DECLARE_NONE(kind, name, type)
CL_LAYER_CALLS(DECLARE_CALL, DECLARE_MAKE, DECLARE_CALL, DECLARE_NONE, DECLARE_NONE)

#endif
