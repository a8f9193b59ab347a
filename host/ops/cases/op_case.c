/* op_case.c -- see op_case.h.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"
#include "host/base/philox.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Cases ---- */

int op_case_inputs(const op_case *c)
{
    int count = c->in_count;
    while (!c->in_count && count < OP_CASE_IN && c->in[count].rank > 0) ++count;
    return count;
}

dtype op_case_type(op_role role, dtype type)
{
    if (role == OP_INTEGER) return DTYPE_I32;
    return role == OP_VALUE || role == OP_FIXED ? type : DTYPE_F32;
}

bool op_case_differentiable(op_role role)
{
    return role == OP_VALUE || role == OP_FLOAT;
}

tensor *op_case_input(graph *g, const op_case *c, int k, dtype type, bool trained)
{
    const op_in *spec = &c->in[k];
    const dtype stored = op_case_type(spec->role, type);
    const bool state = spec->role == OP_STATE;
    char name[32];
    snprintf(name, sizeof name, "in%d", k);
    if (!state && !(trained && op_case_differentiable(spec->role)))
        return graph_input(g, name, stored, spec->rank, spec->dim);
    parameter_spec p = { .kind = state ? STORE_STATE : STORE_PARAMETER, .type = stored };
    return graph_parameter(g, name, p, spec->rank, spec->dim);
}

void op_case_shape(const op_array *a, int rank, ...)
{
    va_list args;
    va_start(args, rank);
    CHECK(a->rank == rank, "the output has %d axes, not %d", a->rank, rank);
    for (int i = 0; i < rank; ++i) {
        int64_t wanted = va_arg(args, int64_t);
        CHECK(a->dim[i] == wanted, "axis %d of the output is %lld, not %lld", i, (long long)a->dim[i],
              (long long)wanted);
    }
    va_end(args);
}

op_in op_case_in(int rank, const int64_t *dim)
{
    op_in in = { .rank = rank, .low = -2, .high = 2 };
    for (int i = 0; i < rank; ++i) in.dim[i] = dim[i];
    return in;
}

void op_case_rows(op_case *c, const int64_t *size)
{
    c->in[0] = op_case_in(2, size);
}

void op_case_picture(op_case *c, const int64_t *size)
{
    c->in[0] = op_case_in(4, size);
}

/* ---- Values ---- */

bool op_case_array(op_array *a, int rank, const int64_t *dim)
{
    *a = (op_array){ .rank = rank, .count = 1, .last = rank ? dim[rank - 1] : 1 };
    for (int i = 0; i < rank; ++i) a->count *= a->dim[i] = dim[i];
    a->to = a->rows = a->count / a->last;
    a->v = calloc((size_t)a->count, sizeof *a->v);
    return a->v != NULL;
}

double op_case_rounded(dtype type, double v)
{
    unsigned char bytes[8];
    dtype_store(type, bytes, 0, (float)v);
    return (double)dtype_load(type, bytes, 0);
}

static double away_from_kinks(const op_case *c, double v)
{
    double distance = c->kink > 0 ? c->kink : 0.01;
    for (int i = 0; i < c->kink_count; ++i)
        if (fabs(v - c->kinks[i]) < distance) v = c->kinks[i] + (v < c->kinks[i] ? -2 : 2) * distance;
    return v;
}

void op_case_fill(op_array *a, const char *table, const op_case *c, int k, dtype type)
{
    const op_in *spec = &c->in[k];
    const philox p = { .seed = philox_stream(table),
                       .step = (uint32_t)k,
                       .stream = philox_stream(c->name ? c->name : "") };
    const dtype stored = op_case_type(spec->role, type);
    double low = spec->low, high = spec->high;
    if (low == 0 && high == 0 && spec->role != OP_INTEGER) low = -1.5, high = 1.5;
    for (int64_t i = 0; i < a->count; ++i) {
        double v;
        if (spec->values)
            v = spec->values[i];
        else if (spec->role == OP_INTEGER)
            v = low + (double)philox_below(&p, (uint32_t)i, (uint32_t)(high - low + 1));
        else
            v = away_from_kinks(c, low + (high - low) * (double)philox_uniform(&p, (uint32_t)i));
        a->v[i] = op_case_rounded(stored, v);
    }
}

bool op_case_write(tensor *to, const double *v, error *err)
{
    const int64_t count = tensor_count(to);
    void *stored = malloc((size_t)count * sizeof(float));
    if (!stored) return error_set(err, ERROR_MEMORY, "out of memory for %lld values", (long long)count);
    for (int64_t i = 0; i < count; ++i) dtype_store(to->type, stored, i, (float)v[i]);
    const store_entry *e = graph_entry_of(to);
    store *s = graph_store(to->graph);
    bool ok = e ? store_write(s, store_find(s, e->name), stored, err) : graph_write(to, stored, err);
    free(stored);
    return ok;
}

double *op_case_read(tensor *from, error *err)
{
    const int64_t count = tensor_count(from);
    void *stored = malloc((size_t)count * sizeof(float));
    double *v = malloc((size_t)count * sizeof *v);
    bool ok = stored && v;
    if (!ok) error_set(err, ERROR_MEMORY, "out of memory for %lld results", (long long)count);
    ok = ok && graph_read(from, stored, err);
    for (int64_t i = 0; ok && i < count; ++i)
        v[i] = from->type == DTYPE_I32 ? (double)((int32_t *)stored)[i]
                                       : (double)dtype_load(from->type, stored, i);
    free(stored);
    if (ok) return v;
    free(v);
    return NULL;
}
