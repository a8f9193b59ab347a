/* gemm_launch.c -- build options and arguments common to the matrix multiplication kernels.
 * SPDX-License-Identifier: MIT */
#include "host/device/gemm_launch.h"
#include <stdio.h>

int gemm_launch_window(char *options, size_t size, char operand, const window *w)
{
    const char o = operand;
    int length = snprintf(options, size, "-D%c_KERNEL=%d ", o, (int)w->size[0]);
    if (w->size[0] && !window_is_same(w))
        length += snprintf(options + length, size - (size_t)length,
                           "-D%c_KERNEL_X=%d -D%c_STRIDE_Y=%d -D%c_STRIDE_X=%d -D%c_TOP=%d -D%c_BOTTOM=%d "
                           "-D%c_LEFT=%d -D%c_RIGHT=%d ",
                           o, (int)w->size[1], o, (int)w->stride[0], o, (int)w->stride[1], o,
                           (int)w->before[0], o, (int)w->after[0], o, (int)w->before[1], o, (int)w->after[1]);
    CHECK((size_t)length < size, "%d", length);
    return length;
}

void gemm_launch_options(char options[GEMM_OPTIONS_SIZE], const gemm_desc *desc, const char *format, ...)
{
    char a[GEMM_OPTIONS_SIZE / 2], b[GEMM_OPTIONS_SIZE / 2];
    gemm_launch_window(a, sizeof a, 'A', &desc->a.image.window);
    gemm_launch_window(b, sizeof b, 'B', &desc->b.image.window);
    const int start =
        snprintf(options, GEMM_OPTIONS_SIZE,
                 "-DA_STORE=STORE_%s -DB_STORE=STORE_%s -DC_STORE=STORE_%s -DBIAS_STORE=STORE_%s %s%s"
                 "-DBIAS=%d -DPREACTIVATION=%d -DACCUMULATE=%d -DACTIVATION=%d -DSLOPE=%d -DRESIDUAL=%d ",
                 dtype_name(desc->a.type), dtype_name(desc->b.type), dtype_name(desc->c.type),
                 dtype_name(desc->bias ? desc->bias_type : DTYPE_F32), a, b, desc->bias, desc->preactivation,
                 desc->accumulate, (int)desc->activation, (int)desc->slope, desc->residual);
    CHECK(start < GEMM_OPTIONS_SIZE, "%d", start);
    va_list args;
    va_start(args, format);
    const int more = vsnprintf(options + start, (size_t)(GEMM_OPTIONS_SIZE - start), format, args);
    va_end(args);
    CHECK(start + more < GEMM_OPTIONS_SIZE, "%d", start + more);
}

device_launch gemm_launch_singles(const char *file, const char *kernel, const char *options,
                                  const char *label)
{
    device_launch l = { .file = file, .kernel = kernel, .options = options, .label = label, .rank = 3 };
    for (int i = 0; i < 3; ++i) l.global[i] = l.local[i] = 1;
    return l;
}

static device_arg *next_arg(device_launch *l, device_arg_kind kind)
{
    CHECK(l->arg_count < DEVICE_ARGS_MAX, "%d", l->arg_count);
    device_arg *arg = &l->args[l->arg_count++];
    *arg = (device_arg){ .kind = kind };
    return arg;
}

void gemm_launch_buffer(device_launch *l, device_buffer *buffer, int64_t offset_elements)
{
    device_arg *arg = next_arg(l, DEVICE_ARG_BUFFER);
    arg->buffer = buffer;
    arg->integer = offset_elements;
}

void gemm_launch_int(device_launch *l, int64_t value)
{
    CHECK(value >= INT32_MIN && value <= INT32_MAX, "%lld", (long long)value);
    next_arg(l, DEVICE_ARG_INT)->integer = value;
}

void gemm_launch_long(device_launch *l, int64_t value)
{
    next_arg(l, DEVICE_ARG_LONG)->integer = value;
}

void gemm_launch_float(device_launch *l, float value)
{
    next_arg(l, DEVICE_ARG_FLOAT)->real = value;
}

void gemm_launch_end(device_launch *l, const gemm_desc *desc, const gemm_buffers *buffers)
{
    gemm_launch_buffer(l, buffers->c, buffers->c_offset);
    gemm_launch_buffer(l, desc->bias ? buffers->bias : buffers->c, desc->bias ? buffers->bias_offset : 0);
    gemm_launch_buffer(l, desc->preactivation ? buffers->preactivation : buffers->c,
                       desc->preactivation ? buffers->preactivation_offset : 0);
    gemm_launch_buffer(l, desc->slope ? buffers->point : buffers->c, desc->slope ? buffers->point_offset : 0);
    gemm_launch_buffer(l, desc->residual ? buffers->residual : buffers->c,
                       desc->residual ? buffers->residual_offset : 0);
}

void gemm_launch_operands(device_launch *l, const gemm_desc *desc, const gemm_buffers *buffers)
{
    gemm_launch_buffer(l, buffers->a, buffers->a_offset);
    gemm_launch_buffer(l, buffers->b, buffers->b_offset);
    gemm_launch_end(l, desc, buffers);
}

void gemm_launch_strides(device_launch *l, const gemm_operand *operand)
{
    gemm_launch_long(l, operand->row);
    gemm_launch_long(l, operand->column);
    gemm_launch_long(l, operand->batch[0]);
    gemm_launch_long(l, operand->batch[1]);
}

void gemm_launch_image(device_launch *l, const gemm_image *image)
{
    gemm_launch_int(l, image->height);
    gemm_launch_int(l, image->width);
    gemm_launch_int(l, image->channels);
}
