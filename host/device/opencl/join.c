/* join.c -- joined launches (device.h): one kernel that does the work of many.
 * Each kernel of the list with its options, a stage, is compiled by itself, as a function
 * (cl/device/join_stage.cl); cl/device/join.cl calls them by a table, and the linker puts them together.
 * Compiled apart, stages keep their own options and helpers.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/launches.h"
#include "host/device/program_store.h"
#include "host/device/source.h"
#include "host/base/hash.h"
#include "host/base/log.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    JOIN_ROW = 88, /* longs of a launch in the table, as in join.cl */
    JOIN_GIVEN = 4,
    JOIN_LINE = 16, /* ints of a cache line, as in join.cl */
    JOIN_STAGES_MAX = 64,
    JOIN_BUFFERS_MAX = 64,
    JOIN_FIXED = 4 /* arguments before the buffers */
};
_Static_assert(JOIN_ROW >= JOIN_GIVEN + 2 * DEVICE_ARGS_MAX, "a row has room for the arguments");

typedef struct stage {
    const device_launch *like; /* the first of its launches */
    char *source;
} stage;

struct joined {
    device *owner;
    int first, count;
    int64_t most_groups;
    int times; /* the argument's present value */
    cl_kernel kernel;
    device_buffer *table, *state;
};

typedef struct maker {
    const opencl_launches *list;
    int first, count;
    stage stages[JOIN_STAGES_MAX];
    int stage_count;
    device_buffer *buffers[JOIN_BUFFERS_MAX];
    int buffer_count;
    char *caller; /* the source of the kernel */
} maker;

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "out of memory for joining launches");
}

/* ---- Finding stages and buffers -------------------------------------------------------------- */

static bool same_stage(const device_launch *a, const device_launch *b)
{
    return strcmp(a->kernel, b->kernel) == 0 && strcmp(a->file, b->file) == 0 &&
           strcmp(a->options, b->options) == 0;
}

static int stage_of(const maker *m, const device_launch *l)
{
    int s = 0;
    while (s < m->stage_count && !same_stage(m->stages[s].like, l)) ++s;
    return s;
}

static int buffer_of(const maker *m, const device_buffer *b)
{
    int i = 0;
    while (i < m->buffer_count && m->buffers[i] != b) ++i;
    return i;
}

static bool collect(maker *m, error *err)
{
    for (int i = 0; i < m->count; ++i) {
        const device_launch *l = m->list->items[m->first + i].described;
        int s = stage_of(m, l);
        if (s == JOIN_STAGES_MAX)
            return error_set(err, ERROR_DEVICE, "more than %d different kernels", JOIN_STAGES_MAX);
        if (s == m->stage_count) m->stages[m->stage_count++].like = l;
        for (int a = 0; a < l->arg_count; ++a) {
            if (l->args[a].kind != DEVICE_ARG_BUFFER) continue;
            int b = buffer_of(m, l->args[a].buffer);
            if (b == JOIN_BUFFERS_MAX)
                return error_set(err, ERROR_DEVICE, "more than %d buffers", JOIN_BUFFERS_MAX);
            if (b == m->buffer_count) m->buffers[m->buffer_count++] = l->args[a].buffer;
        }
    }
    return true;
}

/* ---- Sources --------------------------------------------------------------------------------- */

/* Ends a stream in memory.  Where memory ran out, it says so in any of three ways. */
static bool close_text(FILE *out, char *const *text, error *err)
{
    bool written = out && !ferror(out);
    bool closed = out && fclose(out) == 0;
    return (written && closed && *text) || no_memory(err);
}

/* Every kernel of the file gets the parameter that says where its group stands. */
static void rename_kernels(FILE *out, const char *source)
{
    static const char word[] = "__kernel";
    for (const char *at = source; (at = strstr(at, word)) != NULL;) {
        at += sizeof word - 1;
        const char *name = strstr(at, "void");
        if (!name) return;
        name += strlen("void");
        name += strspn(name, " \n");
        size_t length = 0;
        while (isalnum((unsigned char)name[length]) || name[length] == '_') ++length;
        fprintf(out, "#define %.*s(...) joined_%.*s(JOINED, __VA_ARGS__)\n", (int)length, name, (int)length,
                name);
    }
}

/* The function that the kernel calls: it takes the arguments from the table. */
static void write_call(FILE *out, int number, const device_launch *l)
{
    fprintf(out,
            "\n#line 1 \"stage %d\"\nvoid joined_stage_%d(JOINED, __global void **buffer, __global const "
            "long *given)\n",
            number, number);
    fprintf(out, "{\n    joined_%s(joined", l->kernel);
    int at = 0;
    for (int a = 0; a < l->arg_count; ++a) {
        switch (l->args[a].kind) {
        case DEVICE_ARG_BUFFER:
            fprintf(out, ", buffer[given[%d]], given[%d]", at, at + 1);
            ++at;
            break;
        case DEVICE_ARG_INT:
            fprintf(out, ", (int)given[%d]", at);
            break;
        case DEVICE_ARG_FLOAT:
            fprintf(out, ", as_float((int)given[%d])", at);
            break;
        case DEVICE_ARG_LONG:
            fprintf(out, ", given[%d]", at);
            break;
        }
        ++at;
    }
    fprintf(out, ");\n}\n");
}

static bool write_stage(maker *m, int number, const char *before, error *err)
{
    stage *s = &m->stages[number];
    char *own = source_load(s->like->file, err);
    if (!own) return false;
    source_keep(own, s->like->kernel);
    size_t size;
    FILE *out = open_memstream(&s->source, &size);
    if (out) {
        fputs(before, out);
        rename_kernels(out, own);
        fputs(own, out);
        write_call(out, number, s->like);
    }
    free(own);
    return close_text(out, &s->source, err);
}

static bool write_caller(maker *m, error *err)
{
    char *own = source_load("device/join", err);
    if (!own) return false;
    size_t size;
    FILE *out = open_memstream(&m->caller, &size);
    if (out) {
        for (int i = 0; i < m->stage_count; ++i)
            fprintf(out,
                    "void joined_stage_%d(const size_t *joined, __global void **buffer, __global const long "
                    "*given);\n",
                    i);
        fputs("#define JOIN_BUFFERS ", out);
        for (int i = 0; i < m->buffer_count; ++i) fprintf(out, ", __global uchar *b%d", i);
        fputs("\n#define JOIN_BASES ", out);
        for (int i = 0; i < m->buffer_count; ++i) fprintf(out, "%s b%d", i ? "," : "", i);
        fputs("\n#define JOIN_STAGES ", out);
        for (int i = 0; i < m->stage_count; ++i)
            fprintf(out, " case %d: joined_stage_%d(joined, buffer, given); break;", i, i);
        fprintf(out, "\n%s", own);
    }
    free(own);
    return close_text(out, &m->caller, err);
}

static bool write_sources(maker *m, error *err)
{
    char *before = source_load("device/join_stage", err);
    bool ok = before != NULL;
    for (int i = 0; ok && i < m->stage_count; ++i) ok = write_stage(m, i, before, err);
    free(before);
    return ok && write_caller(m, err);
}

/* ---- The program ----------------------------------------------------------------------------- */

#define STANDARD "-cl-std=CL1.2"

static cl_program compile(device *d, const char *source, const char *options, error *err)
{
    cl_int status;
    cl_program part = clCreateProgramWithSource(opencl(d)->context, 1, &source, NULL, &status);
    if (status != CL_SUCCESS) {
        status_error(err, status, "clCreateProgramWithSource(joined, '%.200s')", options);
        return NULL;
    }
    status = clCompileProgram(part, 1, &opencl(d)->id, options, 0, NULL, NULL, NULL, NULL);
    if (status == CL_SUCCESS) return part;
    status_error(err, status, "clCompileProgram('%.200s')", options);
    program_add_log(part, opencl(d)->id, err);
    clReleaseProgram(part);
    return NULL;
}

static cl_program compile_stage(device *d, const stage *s, error *err)
{
    size_t size = strlen(s->like->options) + sizeof STANDARD + 1;
    char *options = malloc(size);
    if (!options) {
        no_memory(err);
        return NULL;
    }
    snprintf(options, size, "%s %s", STANDARD, s->like->options);
    cl_program part = compile(d, s->source, options, err);
    free(options);
    return part;
}

static cl_program compile_all(maker *m, error *err)
{
    device *d = m->list->common.owner;
    cl_program parts[JOIN_STAGES_MAX + 1], whole = NULL;
    int count = 0;
    cl_int status;
    for (; count < m->stage_count; ++count)
        if (!(parts[count] = compile_stage(d, &m->stages[count], err))) goto cleanup;
    if (!(parts[count] = compile(d, m->caller, STANDARD, err))) goto cleanup;
    ++count;
    whole =
        clLinkProgram(opencl(d)->context, 1, &opencl(d)->id, "", (cl_uint)count, parts, NULL, NULL, &status);
    if (status != CL_SUCCESS) {
        status_error(err, status, "clLinkProgram(%d parts)", count);
        program_add_log(whole, opencl(d)->id, err);
        if (whole) clReleaseProgram(whole);
        whole = NULL;
    }
cleanup:
    for (int i = 0; i < count; ++i) clReleaseProgram(parts[i]);
    return whole;
}

static void key_of(const maker *m, char key[65])
{
    hash h;
    hash_start(&h);
    hash_text(&h, m->caller);
    for (int i = 0; i < m->stage_count; ++i) {
        hash_text(&h, m->stages[i].like->options);
        hash_text(&h, m->stages[i].source);
    }
    hash_finish(&h, key);
}

/* Owned by the device. */
static cl_program program_of(maker *m, error *err)
{
    device *d = m->list->common.owner;
    char content[65], key[65];
    key_of(m, content);
    const program_name name = { "device/join", "join", content, true };
    cl_program built = program_find(d, &name);
    if (built) return built;
    device_key(d, content, STANDARD, key);
    built = program_cache_load(d, key, STANDARD);
    if (!built) {
        program_store_announce(d, m->stages[0].like->file);
        log_verbose("joining %d launches of %d kernels", m->count, m->stage_count);
        built = compile_all(m, err);
        if (built) program_cache_save(d, key, built);
    }
    return built ? program_remember(d, &name, built, err) : NULL;
}

/* ---- The launch ------------------------------------------------------------------------------ */

static void fill_row(const maker *m, int64_t *row, const device_launch *l)
{
    row[0] = stage_of(m, l);
    for (int i = 0; i < 3; ++i) row[1 + i] = i < l->rank ? (int64_t)l->global[i] : 1;
    int64_t *given = row + JOIN_GIVEN;
    for (int a = 0; a < l->arg_count; ++a) {
        const device_arg *arg = &l->args[a];
        int32_t bits;
        if (arg->kind == DEVICE_ARG_BUFFER) *given++ = buffer_of(m, arg->buffer);
        memcpy(&bits, &arg->real, sizeof bits);
        *given++ = arg->kind == DEVICE_ARG_FLOAT ? bits : arg->integer;
    }
}

static bool fill_table(const maker *m, joined *j, error *err)
{
    const int64_t bytes = (int64_t)m->count * JOIN_ROW * (int64_t)sizeof(int64_t);
    const int64_t state_bytes = (2 * (int64_t)m->count + 1) * JOIN_LINE * (int64_t)sizeof(int32_t);
    int64_t *rows = calloc((size_t)m->count * JOIN_ROW, sizeof *rows);
    if (!rows) return no_memory(err);
    for (int i = 0; i < m->count; ++i) {
        int64_t *row = rows + (int64_t)i * JOIN_ROW;
        fill_row(m, row, m->list->items[m->first + i].described);
        const int64_t groups = row[1] * row[2] * row[3];
        if (groups > j->most_groups) j->most_groups = groups;
    }
    j->table = device_buffer_create(j->owner, bytes, err);
    j->state = j->table ? device_buffer_create(j->owner, state_bytes, err) : NULL;
    bool ok = j->state && device_write(j->owner, j->table, 0, rows, bytes, err) &&
              device_fill(j->owner, j->state, 0, state_bytes, 0, err);
    free(rows);
    if (ok && j->most_groups > INT32_MAX / 2)
        return error_set(err, ERROR_DEVICE, "a launch of %lld groups", (long long)j->most_groups);
    return ok;
}

static bool set_times(joined *j, int times, error *err)
{
    if (times == j->times) return true;
    cl_int value = times, status = clSetKernelArg(j->kernel, JOIN_FIXED - 1, sizeof value, &value);
    if (status != CL_SUCCESS) return status_error(err, status, "clSetKernelArg(join, times)");
    j->times = times;
    return true;
}

static bool make_kernel(const maker *m, joined *j, cl_program built, error *err)
{
    cl_int status, launches = m->count;
    j->kernel = clCreateKernel(built, "join", &status);
    if (status != CL_SUCCESS) {
        j->kernel = NULL;
        return status_error(err, status, "clCreateKernel(join in device/join.cl)");
    }
    const cl_mem fixed[2] = { opencl_memory(j->table), opencl_memory(j->state) };
    for (cl_uint i = 0; status == CL_SUCCESS && i < 2; ++i)
        status = clSetKernelArg(j->kernel, i, sizeof fixed[i], &fixed[i]);
    if (status == CL_SUCCESS) status = clSetKernelArg(j->kernel, 2, sizeof launches, &launches);
    for (int i = 0; status == CL_SUCCESS && i < m->buffer_count; ++i) {
        cl_mem memory = m->buffers[i] ? opencl_memory(m->buffers[i]) : NULL;
        status = clSetKernelArg(j->kernel, (cl_uint)(JOIN_FIXED + i), sizeof memory, &memory);
    }
    if (status != CL_SUCCESS) return status_error(err, status, "clSetKernelArg(join)");
    return set_times(j, 1, err);
}

joined *joined_create(const opencl_launches *list, int first, int count, error *err)
{
    maker *m = calloc(1, sizeof *m);
    joined *j = calloc(1, sizeof *j);
    bool ok = (m && j) || no_memory(err);
    cl_program built = NULL;
    if (ok) {
        m->list = list;
        m->first = j->first = first;
        m->count = j->count = count;
        j->owner = list->common.owner;
        ok = collect(m, err) && write_sources(m, err) && (built = program_of(m, err)) != NULL &&
             fill_table(m, j, err) && make_kernel(m, j, built, err);
    }
    for (int i = 0; m && i < m->stage_count; ++i) free(m->stages[i].source);
    if (m) free(m->caller);
    free(m);
    if (ok) return j;
    joined_destroy(j);
    return NULL;
}

void joined_destroy(joined *j)
{
    if (!j) return;
    if (j->kernel) clReleaseKernel(j->kernel);
    device_buffer_destroy(j->table);
    device_buffer_destroy(j->state);
    free(j);
}

int joined_first(const joined *j)
{
    return j->first;
}

int joined_launches(const joined *j)
{
    return j->count;
}

/* A group for each core: no more could work at once. */
bool joined_enqueue(joined *j, int times, error *err)
{
    const size_t units = j->owner->info.compute_units > 1 ? (size_t)j->owner->info.compute_units : 1, one = 1;
    const int most = (int)(INT32_MAX / 2 / j->most_groups); /* counts are ints */
    while (times > 0) {
        const int now = times < most ? times : most;
        if (!set_times(j, now, err)) return false;
        cl_int status = clEnqueueNDRangeKernel(opencl(j->owner)->queue[DEVICE_COMPUTE], j->kernel, 1, NULL,
                                               &units, &one, 0, NULL, NULL);
        if (status != CL_SUCCESS)
            return status_error(err, status, "clEnqueueNDRangeKernel(join, %d launches)", j->count);
        times -= now;
    }
    return true;
}
