/* translate.h -- a kernel file's OpenCL C as CUDA C++: cl/cuda/opencl_c.clh before it, which gives CUDA nearly
 * all of its words, and in the text what macros and a template cannot do:
 *     (float4)(a, b, c, d)     float4(a, b, c, d)     C++ would take the last of the four
 *     v.lo, v.s3               v.lo(), v.s[3]
 *     __local float *p         float *p               a pointer has no address space
 * Lines keep their numbers.  Arguments keep order and size; kernels keep their names.
 * Names: cuda_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_CUDA_TRANSLATE_H
#define DALLE_CL_DEVICE_CUDA_TRANSLATE_H

#include "host/base/error.h"

/* What NVRTC must be told for every such text. */
#define CUDA_LANGUAGE_OPTION  "--std=c++17"
#define CUDA_FUNCTIONS_OPTION "--device-as-default-execution-space"

/* `text` is a file's whole text, includes put in (host/device/source.h); `name` is for messages.  To be freed. */
char *cuda_translate(const char *text, const char *name, error *err);

/* The option by which products and sums are fused, or are not where the text has OpenCL's pragma against it. */
const char *cuda_fuse_option(const char *text);

#endif
