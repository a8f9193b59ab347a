/* translate.h -- a kernel file's OpenCL C as CUDA C++: cl/cuda/opencl_c.clh before it, which gives CUDA
 * nearly all of its words, and in the text what macros and a template cannot do:
 *     (float4)(a, b, c, d)     float4(a, b, c, d)     C++ would take the last of them
 *     v.lo, v.s3               v.lo(), v.s[3]
 *     __local float *p         float *p               a pointer has no address space
 * Lines keep their numbers.  Arguments keep order and size; kernels keep their names.
 * Names: cuda_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_CUDA_TRANSLATE_H
#define DALLE_CL_DEVICE_CUDA_TRANSLATE_H

#include "host/base/error.h"

/* `text` is a file's whole text, includes put in (host/device/source.h); `name`: "ops/softmax".  To free. */
char *cuda_translate(const char *text, const char *name, error *err);

/* What NVRTC must be told besides -D options, words with a blank between: the language, that functions
 * without a word are the device's, and whether products and sums are fused, which a pragma may forbid. */
const char *cuda_translate_options(const char *text);

#endif
