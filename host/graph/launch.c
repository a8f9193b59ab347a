/* launch.c -- describes a kernel launch operator by operator: storage types become build options,
 * tensors become buffer and offset.
 * SPDX-License-Identifier: MIT */
#include "host/graph/internal.h"

#include <stdio.h>
#include <string.h>

device *binder_device(const binder *b)
{
    return b->graph->device;
}

error *binder_error(const binder *b)
{
    return b->err;
}

device_launches *binder_launches(const binder *b)
{
    return b->graph->launches;
}

device_buffer *binder_buffer(const binder *b, const tensor *t, int64_t *offset)
{
    (void)b;
    CHECK(t->storage->buffer, "'%s' has no memory", t->storage->name);
    *offset = t->storage->offset_bytes / (int64_t)dtype_bytes(t->type) + t->offset;
    return t->storage->buffer;
}

device_buffer *binder_workspace(const binder *b, const node *n, int64_t *offset_bytes)
{
    (void)b;
    *offset_bytes = n->workspace ? n->workspace->offset_bytes : 0;
    return n->workspace ? n->workspace->buffer : NULL;
}

kernel_call call_begin_in(binder *b, const node *n, const char *file, const char *kernel)
{
    kernel_call c = { .binder = b, .node = n };
    const device_info *d = device_get_info(b->graph->device);
    c.launch.file = file;
    c.launch.kernel = kernel;
    c.launch.label = n->def->name;
    snprintf(c.options, sizeof c.options, "-DLANES=%d -DVEC=%d", d->lanes, d->vec);
    return c;
}

kernel_call call_begin(binder *b, const node *n, const char *kernel)
{
    char file[128];
    snprintf(file, sizeof file, "ops/%s", n->def->name);
    const char *kept = arena_strdup(b->graph->arena, file);
    kernel_call c = call_begin_in(b, n, kept ? kept : "", kernel);
    if (!kept) c.failed = !error_set(b->err, ERROR_MEMORY, "out of memory while binding %s", n->name);
    return c;
}

void call_define(kernel_call *c, const char *format, ...)
{
    size_t used = strlen(c->options);
    CHECK(used + 4 < sizeof c->options, "build options too long: %s", c->options);
    memcpy(c->options + used, " -D", 4);
    used += 3;
    va_list args;
    va_start(args, format);
    int more = vsnprintf(c->options + used, sizeof c->options - used, format, args);
    va_end(args);
    CHECK(more >= 0 && (size_t)more < sizeof c->options - used, "build options too long: %s", c->options);
}

static device_arg *next_arg(kernel_call *c)
{
    CHECK(c->launch.arg_count < DEVICE_ARGS_MAX, "%s has more than %d arguments", c->launch.kernel,
          DEVICE_ARGS_MAX);
    return &c->launch.args[c->launch.arg_count++];
}

void call_tensor_view(kernel_call *c, const char *operand, const tensor *t)
{
    call_define(c, "%s_STORE=STORE_%s", operand, dtype_name(t->type));
    device_arg *a = next_arg(c);
    a->kind = DEVICE_ARG_BUFFER;
    a->buffer = binder_buffer(c->binder, t, &a->integer);
}

void call_tensor(kernel_call *c, const char *operand, const tensor *t)
{
    CHECK(tensor_is_contiguous(t), "%s: operand %s is a view; ask for op_contiguous", c->node->name, operand);
    call_tensor_view(c, operand, t);
}

void call_workspace(kernel_call *c, const char *operand)
{
    call_define(c, "%s_STORE=STORE_F32", operand);
    device_arg *a = next_arg(c);
    int64_t bytes;
    a->kind = DEVICE_ARG_BUFFER;
    a->buffer = binder_workspace(c->binder, c->node, &bytes);
    CHECK(a->buffer, "%s asks for a workspace it did not declare", c->node->name);
    a->integer = bytes / (int64_t)sizeof(float);
}

void call_int(kernel_call *c, int64_t value)
{
    if (value > INT32_MAX || value < INT32_MIN) {
        if (!c->failed)
            error_set(c->binder->err, ERROR_MODEL,
                      "a size of %lld is beyond the kernels' 2^31 elements; lower the batch",
                      (long long)value);
        c->failed = true;
    }
    device_arg *a = next_arg(c);
    a->kind = DEVICE_ARG_INT;
    a->integer = value;
}

void call_uint(kernel_call *c, uint32_t value)
{
    device_arg *a = next_arg(c);
    a->kind = DEVICE_ARG_INT;
    a->integer = (int32_t)value;
}

void call_float(kernel_call *c, float value)
{
    device_arg *a = next_arg(c);
    a->kind = DEVICE_ARG_FLOAT;
    a->real = value;
}

bool call_grid(kernel_call *c, int rank, const size_t *global, const size_t *local)
{
    if (c->failed) return false;
    c->launch.rank = rank;
    for (int i = 0; i < rank; ++i) {
        c->launch.global[i] = global[i];
        c->launch.local[i] = local[i];
    }
    c->launch.options = c->options;
    return device_launches_add(c->binder->graph->launches, &c->launch, c->binder->err);
}

bool call_rows(kernel_call *c, int64_t rows)
{
    size_t lanes = (size_t)device_get_info(c->binder->graph->device)->lanes;
    return call_grid(c, 1, &(size_t){ (size_t)rows * lanes }, &lanes);
}

bool call_elements(kernel_call *c, int64_t count)
{
    const device_info *d = device_get_info(c->binder->graph->device);
    /* Enough groups to balance the load, few enough that each has a stretch worth starting for. */
    int64_t pass = (int64_t)d->lanes * d->vec, per_group = pass * (d->lanes == 1 ? 64 : 1);
    int64_t groups = (count + per_group - 1) / per_group;
    int64_t most = (int64_t)d->compute_units * (d->lanes == 1 ? 4 : 32);
    int64_t least = count / (pass * DEVICE_LONGEST_WALK) + 1;
    if (groups > most) groups = most > least ? most : least;
    size_t lanes = (size_t)d->lanes;
    return call_grid(c, 1, &(size_t){ (size_t)groups * lanes }, &lanes);
}

bool call_items(kernel_call *c, int64_t items)
{
    const device_info *d = device_get_info(c->binder->graph->device);
    /* On a CPU few items are heavy ones, each worth a group; many are light and share one. */
    size_t local = d->kind == DEVICE_CPU ? (items <= 4096 ? 1 : 16) : 64;
    if (local > (size_t)d->max_group) local = (size_t)d->max_group;
    size_t global = ((size_t)items + local - 1) / local * local;
    return call_grid(c, 1, &global, &local);
}
