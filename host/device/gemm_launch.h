/* gemm_launch.h -- what the providers' launches share: build options and arguments of cl/gemm.clh.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_GEMM_LAUNCH_H
#define DALLE_CL_DEVICE_GEMM_LAUNCH_H

#include "host/device/device.h"
#include <stdarg.h>

#define GEMM_OPTIONS_SIZE 1024

/* Storage types, image kernels and epilogue as -D options, then the provider's own after them. */
void gemm_launch_options(char options[GEMM_OPTIONS_SIZE], const gemm_desc *desc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The window of an operand, 'A' or 'B' (or 'X'), as -D options with a space after them: its size alone where
 * the rest goes without saying (window_is_same).  Returns the length. */
int gemm_launch_window(char *options, size_t size, char operand, const window *w);
void gemm_launch_buffer(device_launch *l, device_buffer *buffer, int64_t offset_elements);
void gemm_launch_int(device_launch *l, int64_t value); /* must fit an int: gemm_plan_create checked it */
void gemm_launch_long(device_launch *l, int64_t value);
void gemm_launch_float(device_launch *l, float value);
/* c, bias, preactivation, point, residual: those not wanted by the descriptor are stood in for by c. */
void gemm_launch_end(device_launch *l, const gemm_desc *desc, const gemm_buffers *buffers);
/* a, b, and these. */
void gemm_launch_operands(device_launch *l, const gemm_desc *desc, const gemm_buffers *buffers);
/* Row, column and batch strides. */
void gemm_launch_strides(device_launch *l, const gemm_operand *operand);
/* height, width, channels */
void gemm_launch_image(device_launch *l, const gemm_image *image);

/* Of work-items that are groups of their own; the caller sets how many. */
device_launch gemm_launch_singles(const char *file, const char *kernel, const char *options,
                                  const char *label);

/* Places of an image's window: lines of them, and places in a line. */
static inline int64_t gemm_places_down(const gemm_image *image)
{
    return window_places(&image->window, 0, image->height);
}
static inline int64_t gemm_places_across(const gemm_image *image)
{
    return window_places(&image->window, 1, image->width);
}
static inline int64_t gemm_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static inline int64_t gemm_most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}
static inline int64_t gemm_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}
static inline int64_t gemm_round_up(int64_t a, int64_t b)
{
    return gemm_ceil_div(a, b) * b;
}

#endif
