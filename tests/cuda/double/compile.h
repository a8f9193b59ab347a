/* compile.h -- translated kernels as a shared library of the host: what stands in for NVRTC.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CUDA_DOUBLE_COMPILE_H
#define DALLE_CL_CUDA_DOUBLE_COMPILE_H

#include <stdbool.h>
#include <stddef.h>

/* Writes `library`, a path, from what cuda_translate gave.  Of the options those for the preprocessor count.
 * False: the compiler's first words are in `log`, and the text stays as LIBRARY.cc.
 * CUDA_DOUBLE_COMPILER and CUDA_DOUBLE_RUN are the paths of a C++ compiler and of run.h, set by CMake. */
bool double_compile(const char *text, int count, const char *const *options, const char *library, char *log,
                    size_t size);

#endif
