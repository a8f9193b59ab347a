/* group_norm.cl -- group normalisation of x [samples, rows, columns], `width` neighbouring columns a group,
 * its gain and bias, the sample's scale and shift, and an activation f; and the gradients.
 *
 * What a value becomes depends on its sample and its column only, so that statistics end as a table
 * [samples, 4, columns] of mean, rstd = 1 / deviation, factor and offset: y = f((x - mean) factor + offset).
 * Each pass over x is
 *     sums     part[sample, stretch, 2, columns]: two sums over the rows of a stretch
 *     finish   what the sums of a group say, as a table for each column
 *     values   y or dx of the table
 * On a GPU they are three launches.  On a CPU one work-item may do all three for a sample, which is still in
 * its cache when it is read again: *_whole.
 *
 * Forward sums are of x - pivot and its square, where pivot is the first value of the group in the sample: a
 * difference of large sums would lose the deviations.  With u = (x - mean) factor + offset, du = dy f'(u) and
 * k = factor / rstd, backward ones are D = sum of du and A = rstd times the sum of du (x - mean):
 *     dx = factor du + slope (x - mean) + level
 *     slope = -rstd^2 sum(k A) / n,  level = -rstd sum(k D) / n
 * with sums over the group's columns and n its values.  Slope and level take the place of the first stretch's
 * sums.
 * Options: ACTIVATION; X_STORE, Y_STORE (of y or dx), DY_STORE, GAIN_STORE, BIAS_STORE, SCALE_STORE,
 * SHIFT_STORE; SCALED: there are scale and shift; ADDED: what dx is added to, of dx's type; VECTORS: vectors
 * of columns that one work-item of the sums owns, which divide the columns if more than 1; WHOLE: columns are
 * whole vectors; KEPT: du waits in dx, which is of floats, while the sums are made: f' is long to compute.
 * SPDX-License-Identifier: MIT */
#include "activation.clh"
#include "reduce.clh"

#ifndef ACTIVATION
#define ACTIVATION 0
#endif
#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef DY_STORE
#define DY_STORE STORE_F32
#endif
#ifndef GAIN_STORE
#define GAIN_STORE STORE_F32
#endif
#ifndef BIAS_STORE
#define BIAS_STORE STORE_F32
#endif
#ifndef SCALE_STORE
#define SCALE_STORE STORE_F32
#endif
#ifndef SHIFT_STORE
#define SHIFT_STORE STORE_F32
#endif
#ifndef SCALED
#define SCALED 0
#endif
#ifndef ADDED
#define ADDED 0
#endif
#ifndef VECTORS
#define VECTORS 1
#endif
#ifndef WHOLE
#define WHOLE 0
#endif
#ifndef KEPT
#define KEPT 0
#endif

#define X_TYPE __global const ELEMENT(X_STORE) *
#define Y_TYPE __global ELEMENT(Y_STORE) *
#define DY_TYPE __global const ELEMENT(DY_STORE) *
#define IN_TYPE(store) __global const ELEMENT(store) *

/* The table's rows, of one sample's. */
#define MEAN(table) (table)
#define RSTD(table) ((table) + columns)
#define FACTOR(table) ((table) + 2 * columns)
#define OFFSET(table) ((table) + 3 * columns)

#if LANES > 1
#define SCRATCH_ARGUMENT , __local float *scratch
#define PASS_SCRATCH , scratch
#else
#define SCRATCH_ARGUMENT
#define PASS_SCRATCH
#endif
#define INLINE static inline __attribute__((always_inline))

/* ---- Sums: of one sample's rows begin .. end - 1, in columns c .. last - 1; part is the stretch's ---- */

INLINE void forward_sums(__global float *part, X_TYPE x, const int columns, const int width, const int begin,
                         const int end, int c, const int last)
{
    for (; c + VECTORS * VEC <= last; c += VECTORS * VEC) {
        floatv pivot[VECTORS], sum[VECTORS], squares[VECTORS];
        UNROLLED for (int v = 0; v < VECTORS; ++v)
        {
            float first[VEC];
            for (int j = 0; j < VEC; ++j) first[j] = LOAD(X_STORE, x, (c + v * VEC + j) / width * width);
            pivot[v] = VLOAD_F32(first, 0);
            sum[v] = squares[v] = (floatv)(0.0f);
        }
        for (int r = begin; r < end; ++r)
            UNROLLED for (int v = 0; v < VECTORS; ++v)
            {
                const floatv d = LOAD_VEC(X_STORE, x, (long)r * columns + c + v * VEC) - pivot[v];
                sum[v] += d;
                squares[v] += d * d;
            }
        UNROLLED for (int v = 0; v < VECTORS; ++v)
        {
            VSTORE_F32(sum[v], part, c + v * VEC);
            VSTORE_F32(squares[v], part, columns + c + v * VEC);
        }
    }
    for (; c < last; ++c) {
        const float pivot = LOAD(X_STORE, x, c / width * width);
        float sum = 0.0f, squares = 0.0f;
        for (int r = begin; r < end; ++r) {
            const float d = LOAD(X_STORE, x, (long)r * columns + c) - pivot;
            sum += d;
            squares += d * d;
        }
        part[c] = sum;
        part[columns + c] = squares;
    }
}

INLINE void backward_sums(__global float *part, __global float *kept, DY_TYPE dy, X_TYPE x, IN_TYPE(STORE_F32) table,
                          const int columns, const int begin, const int end, int c, const int last)
{
    for (; c + VECTORS * VEC <= last; c += VECTORS * VEC) {
        floatv mean[VECTORS], factor[VECTORS], offset[VECTORS], sum[VECTORS], dot[VECTORS];
        UNROLLED for (int v = 0; v < VECTORS; ++v)
        {
            mean[v] = VLOAD_F32(MEAN(table), c + v * VEC);
            factor[v] = VLOAD_F32(FACTOR(table), c + v * VEC);
            offset[v] = VLOAD_F32(OFFSET(table), c + v * VEC);
            sum[v] = dot[v] = (floatv)(0.0f);
        }
        for (int r = begin; r < end; ++r)
            UNROLLED for (int v = 0; v < VECTORS; ++v)
            {
                const long at = (long)r * columns + c + v * VEC;
                const floatv d = LOAD_VEC(X_STORE, x, at) - mean[v];
                const floatv du = TIMES_SLOPE_VEC(ACTIVATION, LOAD_VEC(DY_STORE, dy, at), d * factor[v] + offset[v]);
                sum[v] += du;
                dot[v] += du * d;
#if KEPT
                VSTORE_F32(du, kept, at);
#endif
            }
        UNROLLED for (int v = 0; v < VECTORS; ++v)
        {
            VSTORE_F32(sum[v], part, c + v * VEC);
            VSTORE_F32(dot[v], part, columns + c + v * VEC);
        }
    }
    for (; c < last; ++c) {
        float sum = 0.0f, dot = 0.0f;
        for (int r = begin; r < end; ++r) {
            const long at = (long)r * columns + c;
            const float d = LOAD(X_STORE, x, at) - MEAN(table)[c];
            const float u = d * FACTOR(table)[c] + OFFSET(table)[c];
            const float du = TIMES_SLOPE_ONE(ACTIVATION, LOAD(DY_STORE, dy, at), u);
            sum += du;
            dot += du * d;
#if KEPT
            kept[at] = du;
#endif
        }
        part[c] = sum;
        part[columns + c] = dot;
    }
}

/* ---- Finish: one group of a sample; part and table are the sample's, lanes share the columns. ---- */

#define FINISH_SUMS(part, c, first, second) \
    float first = 0.0f, second = 0.0f; \
    for (int k = 0; k < chunks; ++k) { \
        first += (part)[(long)k * 2 * columns + c]; \
        second += (part)[((long)k * 2 + 1) * columns + c]; \
    }

INLINE void forward_finish(__global float *table, IN_TYPE(STORE_F32) part, X_TYPE x, IN_TYPE(GAIN_STORE) gain,
                           IN_TYPE(BIAS_STORE) bias, IN_TYPE(SCALE_STORE) scale, IN_TYPE(SHIFT_STORE) shift,
                           const float epsilon, const int rows, const int columns, const int width, const int chunks,
                           const int group SCRATCH_ARGUMENT)
{
    const int begin = group * width, lane = (int)get_local_id(0);
    const float count = convert_float(rows) * convert_float(width);
    float sum = 0.0f, squares = 0.0f;
    for (int c = begin + lane; c < begin + width; c += LANES) {
        FINISH_SUMS(part, c, first, second)
        sum += first;
        squares += second;
    }
    const float away = reduce_sum(sum, scratch) / count;
    const float variance = fmax(reduce_sum(squares, scratch) / count - away * away, 0.0f);
    const float mean = LOAD(X_STORE, x, begin) + away, rstd = 1.0f / sqrt(variance + epsilon);
    for (int c = begin + lane; c < begin + width; c += LANES) {
        float factor = rstd * LOAD(GAIN_STORE, gain, c), offset = LOAD(BIAS_STORE, bias, c);
#if SCALED
        const float more = 1.0f + LOAD(SCALE_STORE, scale, c);
        factor *= more;
        offset = offset * more + LOAD(SHIFT_STORE, shift, c);
#else
        (void)scale;
        (void)shift;
#endif
        MEAN(table)[c] = mean;
        RSTD(table)[c] = rstd;
        FACTOR(table)[c] = factor;
        OFFSET(table)[c] = offset;
    }
}

/* sums [2, columns] get D and A, dscale and dshift theirs. */
INLINE void backward_finish(__global float *sums, __global ELEMENT(SCALE_STORE) *dscale,
                            __global ELEMENT(SHIFT_STORE) *dshift, __global float *part, IN_TYPE(STORE_F32) table,
                            IN_TYPE(GAIN_STORE) gain, IN_TYPE(BIAS_STORE) bias, IN_TYPE(SCALE_STORE) scale,
                            const int rows, const int columns, const int width, const int chunks,
                            const int group SCRATCH_ARGUMENT)
{
    const int begin = group * width, lane = (int)get_local_id(0);
    const float rstd = RSTD(table)[begin], count = convert_float(rows) * convert_float(width);
    float sum = 0.0f, dot = 0.0f;
    for (int c = begin + lane; c < begin + width; c += LANES) {
        FINISH_SUMS(part, c, plain, first)
        const float times = first * rstd, g = LOAD(GAIN_STORE, gain, c);
        float k = g;
#if SCALED
        k *= 1.0f + LOAD(SCALE_STORE, scale, c);
        STORE(SCALE_STORE, g * times + LOAD(BIAS_STORE, bias, c) * plain, dscale, c);
        STORE(SHIFT_STORE, plain, dshift, c);
#else
        (void)bias;
        (void)scale;
        (void)dscale;
        (void)dshift;
#endif
        sums[c] = plain;
        sums[columns + c] = times;
        sum += k * plain;
        dot += k * times;
    }
    const float level = -rstd * reduce_sum(sum, scratch) / count;
    const float slope = -rstd * rstd * reduce_sum(dot, scratch) / count;
    for (int c = begin + lane; c < begin + width; c += LANES) {
        part[c] = slope;
        part[columns + c] = level;
    }
}

/* ---- Values: a vector, or one, of element i in column c; table and part are the sample's ---- */

#define FORWARD_VALUE(ACTIVATE, LOAD_X, LOAD_TABLE, i, c) \
    ACTIVATE(ACTIVATION, (LOAD_X(X_STORE, x, i) - LOAD_TABLE(MEAN(table), c)) * LOAD_TABLE(FACTOR(table), c) + \
                             LOAD_TABLE(OFFSET(table), c))
#define ONE_OF(p, c) ((p)[c])

INLINE floatv forward_vector(X_TYPE x, IN_TYPE(STORE_F32) table, const int columns, const long i, const int c)
{
    return FORWARD_VALUE(ACTIVATE_VEC, LOAD_VEC, VLOAD_F32, i, c);
}

INLINE float forward_one(X_TYPE x, IN_TYPE(STORE_F32) table, const int columns, const long i, const int c)
{
    return FORWARD_VALUE(ACTIVATE_ONE, LOAD, ONE_OF, i, c);
}

#if KEPT
#define SLOPED(TIMES_SLOPE, LOAD_X, LOAD_TABLE, i, c) LOAD_X(STORE_F32, kept, i)
#else
#define SLOPED(TIMES_SLOPE, LOAD_X, LOAD_TABLE, i, c) \
    TIMES_SLOPE(ACTIVATION, LOAD_X(DY_STORE, dy, i), d * factor + LOAD_TABLE(OFFSET(table), c))
#endif
#define BACKWARD_VALUE(TYPE, TIMES_SLOPE, LOAD_X, LOAD_TABLE, i, c) \
    const TYPE factor = LOAD_TABLE(FACTOR(table), c), d = LOAD_X(X_STORE, x, i) - LOAD_TABLE(MEAN(table), c); \
    const TYPE value = factor * SLOPED(TIMES_SLOPE, LOAD_X, LOAD_TABLE, i, c) + LOAD_TABLE(part, c) * d + \
                       LOAD_TABLE(part + columns, c)
#if ADDED
#define WITH_ADDED(LOAD_X, i) (value + LOAD_X(Y_STORE, added, i))
#else
#define WITH_ADDED(LOAD_X, i) (value)
#endif

INLINE floatv backward_vector(IN_TYPE(STORE_F32) kept, DY_TYPE dy, X_TYPE x, IN_TYPE(Y_STORE) added, IN_TYPE(STORE_F32) table,
                              IN_TYPE(STORE_F32) part, const int columns, const long i, const int c)
{
    BACKWARD_VALUE(floatv, TIMES_SLOPE_VEC, LOAD_VEC, VLOAD_F32, i, c);
    return WITH_ADDED(LOAD_VEC, i);
}

INLINE float backward_one(IN_TYPE(STORE_F32) kept, DY_TYPE dy, X_TYPE x, IN_TYPE(Y_STORE) added, IN_TYPE(STORE_F32) table,
                          IN_TYPE(STORE_F32) part, const int columns, const long i, const int c)
{
    BACKWARD_VALUE(float, TIMES_SLOPE_ONE, LOAD, ONE_OF, i, c);
    return WITH_ADDED(LOAD, i);
}

/* Over all of x: the vector that begins with element i, or, unless columns are WHOLE vectors, its values. */
#define TABLE (table + (long)sample * 4 * columns)
#define PART (part + (long)sample * 2 * columns * chunks)
#if WHOLE
#define FOR_VALUES(i, sample, c, count, rows, columns, VECTOR, ONE) \
    FOR_VECTORS(i, count) \
    { \
        const int row = i / (columns), c = i - row * (columns), sample = row / (rows); \
        VECTOR; \
    }
#else
#define FOR_VALUES(i, sample, c, count, rows, columns, VECTOR, ONE) \
    FOR_VECTORS(first, count) \
    for (int i = first; i < min(first + VEC, count); ++i) { \
        const int row = i / (columns), c = i - row * (columns), sample = row / (rows); \
        ONE; \
    }
#endif

/* ---- Three launches ---- */

/* A work-item's sample, stretch and columns: neighbours have neighbouring columns. */
#define SUMS_BEGIN \
    const int item = (int)get_global_id(0), blocks = (columns + VECTORS * VEC - 1) / (VECTORS * VEC); \
    if (item >= samples * chunks * blocks) return; \
    const int place = item / blocks, c = (item - place * blocks) * VECTORS * VEC; \
    const int sample = place / chunks, begin = (place - sample * chunks) * stretch; \
    const int end = min(begin + stretch, rows), last = min(c + VECTORS * VEC, columns); \
    const long from = (long)sample * rows * columns; \
    part += part_offset + (long)place * 2 * columns

__kernel void group_norm_forward_sums(TENSOR_OUT(STORE_F32, part), TENSOR_IN(X_STORE, x), const int samples,
                                      const int rows, const int columns, const int width, const int stretch,
                                      const int chunks)
{
    SUMS_BEGIN;
    forward_sums(part, x + x_offset + from, columns, width, begin, end, c, last);
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void group_norm_forward_finish(TENSOR_OUT(STORE_F32, table), TENSOR_IN(STORE_F32, part), TENSOR_IN(X_STORE, x),
                               TENSOR_IN(GAIN_STORE, gain), TENSOR_IN(BIAS_STORE, bias), TENSOR_IN(SCALE_STORE, scale),
                               TENSOR_IN(SHIFT_STORE, shift), const float epsilon, const int rows, const int columns,
                               const int width, const int chunks)
{
    REDUCE_DECLARE(scratch);
    const int groups = columns / width, sample = (int)get_group_id(0) / groups;
    const long from = (long)sample * columns;
    forward_finish(table + table_offset + 4 * from, part + part_offset + 2 * from * chunks, x + x_offset + from * rows,
                   gain + gain_offset, bias + bias_offset, scale + scale_offset + from * SCALED,
                   shift + shift_offset + from * SCALED, epsilon, rows, columns, width, chunks,
                   (int)get_group_id(0) - sample * groups PASS_SCRATCH);
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void group_norm_forward_values(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), TENSOR_IN(STORE_F32, table),
                               const int count, const int rows, const int columns)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(table);
    FOR_VALUES(i, sample, c, count, rows, columns, STORE_VEC(Y_STORE, forward_vector(x, TABLE, columns, i, c), y, i),
               STORE(Y_STORE, forward_one(x, TABLE, columns, i, c), y, i))
}

__kernel void group_norm_backward_sums(TENSOR_OUT(STORE_F32, part), TENSOR_IN(DY_STORE, dy), TENSOR_IN(X_STORE, x),
                                       TENSOR_IN(STORE_F32, table), const int samples, const int rows,
                                       const int columns, const int stretch, const int chunks)
{
    SUMS_BEGIN;
    backward_sums(part, 0, dy + dy_offset + from, x + x_offset + from, table + table_offset + (long)sample * 4 * columns,
                  columns, begin, end, c, last);
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void group_norm_backward_finish(TENSOR_OUT(STORE_F32, sums), TENSOR_OUT(SCALE_STORE, dscale),
                                TENSOR_OUT(SHIFT_STORE, dshift), TENSOR_OUT(STORE_F32, part),
                                TENSOR_IN(STORE_F32, table), TENSOR_IN(GAIN_STORE, gain), TENSOR_IN(BIAS_STORE, bias),
                                TENSOR_IN(SCALE_STORE, scale), const int rows, const int columns, const int width,
                                const int chunks)
{
    REDUCE_DECLARE(scratch);
    const int groups = columns / width, sample = (int)get_group_id(0) / groups;
    const long from = (long)sample * columns;
    backward_finish(sums + sums_offset + 2 * from, dscale + dscale_offset + from, dshift + dshift_offset + from,
                    part + part_offset + 2 * from * chunks, table + table_offset + 4 * from, gain + gain_offset,
                    bias + bias_offset, scale + scale_offset + from * SCALED, rows, columns, width, chunks,
                    (int)get_group_id(0) - sample * groups PASS_SCRATCH);
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void group_norm_backward_values(TENSOR_OUT(Y_STORE, dx), TENSOR_IN(DY_STORE, dy), TENSOR_IN(X_STORE, x),
                                TENSOR_IN(Y_STORE, added), TENSOR_IN(STORE_F32, table), TENSOR_IN(STORE_F32, part),
                                const int count, const int rows, const int columns, const int chunks)
{
    TENSOR_BEGIN(dx);
    TENSOR_BEGIN(dy);
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(added);
    TENSOR_BEGIN(table);
    TENSOR_BEGIN(part);
    FOR_VALUES(i, sample, c, count, rows, columns,
               STORE_VEC(Y_STORE, backward_vector(0, dy, x, added, TABLE, PART, columns, i, c), dx, i),
               STORE(Y_STORE, backward_one(0, dy, x, added, TABLE, PART, columns, i, c), dx, i))
}

/* dgain = sum of (1 + scale) A, dbias = that of (1 + scale) D, over samples in order.  An item a column. */
__kernel void group_norm_vectors(TENSOR_OUT(GAIN_STORE, dgain), TENSOR_OUT(BIAS_STORE, dbias),
                                 TENSOR_IN(STORE_F32, sums), TENSOR_IN(SCALE_STORE, scale), const int samples,
                                 const int columns)
{
    TENSOR_BEGIN(sums);
    TENSOR_BEGIN(scale);
    const int c = (int)get_global_id(0);
    if (c >= columns) return;
    float gain = 0.0f, bias = 0.0f;
    for (int b = 0; b < samples; ++b) {
        float more = 1.0f;
#if SCALED
        more += LOAD(SCALE_STORE, scale, (long)b * columns + c);
#endif
        bias += more * sums[(long)b * 2 * columns + c];
        gain += more * sums[((long)b * 2 + 1) * columns + c];
    }
    STORE(GAIN_STORE, gain, dgain, dgain_offset + c);
    STORE(BIAS_STORE, bias, dbias, dbias_offset + c);
}

/* ---- All for one sample by one work-item ---- */

#define FOR_STRETCHES \
    for (int k = 0; k < chunks; ++k) \
        for (int c = 0; c < columns; c += VECTORS * VEC)
#define STRETCH_ROWS k * stretch, min((k + 1) * stretch, rows), c, min(c + VECTORS * VEC, columns)
#define FOR_SAMPLE(VECTOR, ONE) \
    for (int r = 0; r < rows; ++r) { \
        int c = 0; \
        long i = (long)r * columns; \
        for (; c + VEC <= columns; c += VEC, i += VEC) VECTOR; \
        for (; c < columns; ++c, ++i) ONE; \
    }

#if LANES == 1
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void group_norm_forward_whole(TENSOR_OUT(Y_STORE, y), TENSOR_OUT(STORE_F32, table), TENSOR_OUT(STORE_F32, part),
                              TENSOR_IN(X_STORE, x), TENSOR_IN(GAIN_STORE, gain), TENSOR_IN(BIAS_STORE, bias),
                              TENSOR_IN(SCALE_STORE, scale), TENSOR_IN(SHIFT_STORE, shift), const float epsilon,
                              const int rows, const int columns, const int width, const int stretch, const int chunks)
{
    const long from = (long)get_group_id(0) * columns;
    y += y_offset + from * rows;
    x += x_offset + from * rows;
    table += table_offset + 4 * from;
    part += part_offset + 2 * from * chunks;
    FOR_STRETCHES forward_sums(part + (long)k * 2 * columns, x, columns, width, STRETCH_ROWS);
    for (int group = 0; group < columns / width; ++group)
        forward_finish(table, part, x, gain + gain_offset, bias + bias_offset, scale + scale_offset + from * SCALED,
                       shift + shift_offset + from * SCALED, epsilon, rows, columns, width, chunks, group);
    FOR_SAMPLE(STORE_VEC(Y_STORE, forward_vector(x, table, columns, i, c), y, i),
               STORE(Y_STORE, forward_one(x, table, columns, i, c), y, i))
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void group_norm_backward_whole(TENSOR_OUT(Y_STORE, dx), TENSOR_OUT(STORE_F32, sums), TENSOR_OUT(SCALE_STORE, dscale),
                               TENSOR_OUT(SHIFT_STORE, dshift), TENSOR_OUT(STORE_F32, part), TENSOR_IN(DY_STORE, dy),
                               TENSOR_IN(X_STORE, x), TENSOR_IN(Y_STORE, added), TENSOR_IN(STORE_F32, table),
                               TENSOR_IN(GAIN_STORE, gain), TENSOR_IN(BIAS_STORE, bias), TENSOR_IN(SCALE_STORE, scale),
                               const int rows, const int columns, const int width, const int stretch, const int chunks)
{
    const long from = (long)get_group_id(0) * columns;
    dx += dx_offset + from * rows;
    dy += dy_offset + from * rows;
    x += x_offset + from * rows;
    added += added_offset + from * rows;
    table += table_offset + 4 * from;
    part += part_offset + 2 * from * chunks;
    __global float *kept = KEPT ? (__global float *)dx : 0;
    FOR_STRETCHES backward_sums(part + (long)k * 2 * columns, kept, dy, x, table, columns, STRETCH_ROWS);
    for (int group = 0; group < columns / width; ++group)
        backward_finish(sums + sums_offset + 2 * from, dscale + dscale_offset + from, dshift + dshift_offset + from,
                        part, table, gain + gain_offset, bias + bias_offset, scale + scale_offset + from * SCALED, rows,
                        columns, width, chunks, group);
    FOR_SAMPLE(STORE_VEC(Y_STORE, backward_vector(kept, dy, x, added, table, part, columns, i, c), dx, i),
               STORE(Y_STORE, backward_one(kept, dy, x, added, table, part, columns, i, c), dx, i))
}
#endif
