/* gemm.c -- plans of matrix multiplication: checks a descriptor, simplifies it, chooses who does it.
 * The choice looks at shape, kind of device and what `dalle-cl tune` left (gemm_choice.c), never at the
 * clock, so that a resumed run does the same sums.
 * SPDX-License-Identifier: MIT */
#include "host/base/log.h"
#include "host/device/backend.h"
#include "host/device/gemm_choice.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gemm_plan {
    device *device;
    gemm_desc desc;
    const gemm_provider *provider;
    int64_t workspace_bytes;
    void *state;
};

#define LL(x) ((long long)(x))

/* Kernels count pixels, padding among them, in int. */
static bool check_window(const char *which, const window *w, error *err)
{
    const int32_t most = 1 << 20;
    for (int i = 0; i < 2; ++i) {
        if (w->size[i] >= 1 && w->size[i] <= most && w->stride[i] >= 1 && w->stride[i] <= most &&
            abs(w->before[i]) <= most && abs(w->after[i]) <= most)
            continue;
        return error_set(
            err, ERROR_MODEL,
            "gemm: operand %s: a window of %d x %d with strides %d, %d and padding %d, %d, %d, %d; "
            "sizes and strides must be from 1 to %d",
            which, w->size[0], w->size[1], w->stride[0], w->stride[1], w->before[0], w->after[0],
            w->before[1], w->after[1], most);
    }
    return true;
}

static bool check_image(const char *which, const gemm_image *image, int64_t pixels, int64_t taps, error *err)
{
    const window *w = &image->window;
    if (w->size[0] == 0) return true;
    if (!check_window(which, w, err)) return false;
    if (image->height < 1 || image->width < 1 || image->channels < 1)
        return error_set(err, ERROR_MODEL, "gemm: operand %s: image %d x %d with %d channels is empty", which,
                         image->height, image->width, image->channels);
    const int64_t down = window_places(w, 0, image->height), across = window_places(w, 1, image->width);
    const int64_t wanted = (int64_t)w->size[0] * w->size[1] * image->channels;
    if (down < 1 || across < 1)
        return error_set(err, ERROR_MODEL,
                         "gemm: operand %s: a window of %d x %d has no place in %d x %d pixels", which,
                         w->size[0], w->size[1], image->height, image->width);
    if (pixels % (down * across) != 0)
        return error_set(err, ERROR_MODEL,
                         "gemm: operand %s: %lld pixels are no whole number of %lld x %lld images", which,
                         LL(pixels), LL(down), LL(across));
    if (taps != wanted)
        return error_set(err, ERROR_MODEL,
                         "gemm: operand %s: %lld taps, but a window of %d x %d with %d channels has %lld",
                         which, LL(taps), w->size[0], w->size[1], image->channels, LL(wanted));
    return true;
}

static bool check_sizes(const gemm_desc *desc, error *err)
{
    if (desc->m < 1 || desc->n < 1 || desc->k < 1 || desc->batch[0] < 1 || desc->batch[1] < 1)
        return error_set(err, ERROR_MODEL,
                         "gemm: sizes must be at least 1: m %lld, n %lld, k %lld, batch %lld x %lld",
                         LL(desc->m), LL(desc->n), LL(desc->k), LL(desc->batch[0]), LL(desc->batch[1]));
    /* Kernels count rows, columns and k in int, with room for a tile past the end. */
    const int64_t limit = INT32_MAX - 65536;
    if (desc->m > limit || desc->n > limit || desc->k > limit || desc->batch[0] > limit / desc->batch[1])
        return error_set(
            err, ERROR_MODEL, "gemm: m %lld, n %lld, k %lld, batch %lld x %lld: more than %lld along an axis",
            LL(desc->m), LL(desc->n), LL(desc->k), LL(desc->batch[0]), LL(desc->batch[1]), LL(limit));
    return true;
}

static bool check_desc(const gemm_desc *desc, error *err)
{
    if (!check_sizes(desc, err)) return false;
    const gemm_operand *operands[3] = { &desc->a, &desc->b, &desc->c };
    for (int i = 0; i < 3; ++i) {
        if ((unsigned)operands[i]->type >= DTYPE_COUNT || !dtype_is_float(operands[i]->type))
            return error_set(err, ERROR_MODEL, "gemm: operand %c has a type that is not floating point",
                             "ABC"[i]);
    }
    if (desc->bias && ((unsigned)desc->bias_type >= DTYPE_COUNT || !dtype_is_float(desc->bias_type)))
        return error_set(err, ERROR_MODEL, "gemm: the bias has a type that is not floating point");
    if ((unsigned)desc->activation >= ACTIVATION_COUNT || (unsigned)desc->slope >= ACTIVATION_COUNT)
        return error_set(err, ERROR_MODEL, "gemm: unknown activation %d or slope %d", (int)desc->activation,
                         (int)desc->slope);
    if (!check_image("A", &desc->a.image, desc->m, desc->k, err)) return false;
    if (!check_image("B", &desc->b.image, desc->k, desc->n, err)) return false;
    const gemm_operand *c = &desc->c;
    if (gemm_is_image(c)) return error_set(err, ERROR_MODEL, "gemm: operand C cannot be an image");
    const bool repeated = (desc->m > 1 && c->row == 0) || (desc->n > 1 && c->column == 0) ||
                          (desc->batch[0] > 1 && c->batch[0] == 0) ||
                          (desc->batch[1] > 1 && c->batch[1] == 0);
    if (repeated)
        return error_set(
            err, ERROR_MODEL,
            "gemm: C has a stride of 0, so elements would share a place: row %lld, column %lld, batch "
            "%lld, %lld",
            LL(c->row), LL(c->column), LL(c->batch[0]), LL(c->batch[1]));
    return true;
}

/* A 1 x 1 convolution is an ordinary matrix: row = pixel, column = channel. */
static void simplify_operand(gemm_operand *operand)
{
    if (operand->image.window.size[0] == 1 && window_is_same(&operand->image.window)) {
        operand->row = operand->image.channels;
        operand->column = 1;
        operand->image = (gemm_image){ 0 };
    }
    if (!gemm_is_image(operand)) operand->image = (gemm_image){ 0 };
}

/* Strides along axes of one element are never used; giving them the value that reads best lets
 * providers recognise contiguous operands. */
static gemm_desc simplify(const gemm_desc *desc)
{
    gemm_desc s = *desc;
    simplify_operand(&s.a);
    simplify_operand(&s.b);
    gemm_operand *operands[3] = { &s.a, &s.b, &s.c };
    for (int i = 0; i < 3; ++i) {
        if (s.batch[0] == 1) operands[i]->batch[0] = 0;
        if (s.batch[1] == 1) operands[i]->batch[1] = 0;
    }
    if (s.k == 1 && !gemm_is_image(&s.a)) s.a.column = 1;
    if (s.n == 1 && !gemm_is_image(&s.b)) s.b.column = s.b.row == 1 && s.k > 1 ? s.k : 1;
    if (s.n == 1) s.c.column = 1;
    return s;
}

/* With so few rows a B that is read once matters more than registers filled: 1.5 to 3 times on a CPU.  Where
 * B is not walked along k, a group reads only a stretch of each of its rows, which is slow over many. */
#define FEW_ROWS 8
#define LONG_K   4096

static bool few_rows(device *d, const gemm_desc *desc)
{
    return desc->m <= FEW_ROWS && (desc->b.row == 1 || desc->k <= LONG_K) && gemm_thin.supports(d, desc);
}

const gemm_provider *gemm_usual(device *d, const gemm_desc *desc, const gemm_provider *fast)
{
    if (few_rows(d, desc)) return &gemm_thin;
    if (gemm_winograd.supports(d, desc) && gemm_winograd_pays(d, desc)) return &gemm_winograd;
    if (fast->supports(d, desc)) return fast;
    const bool cpu = device_get_info(d)->kind == DEVICE_CPU;
    return !cpu && gemm_block.supports(d, desc) ? &gemm_block : &gemm_plain;
}

static gemm_plan *plan_create(device *d, const gemm_provider *provider, const char *variant,
                              const gemm_desc *desc, error *err)
{
    gemm_plan *p = calloc(1, sizeof *p);
    if (!p) return error_null(err, ERROR_MEMORY, "gemm: no memory for a plan");
    p->device = d;
    p->desc = *desc;
    p->provider = provider;
    if (!provider->plan(d, &p->desc, variant, &p->workspace_bytes, &p->state, err)) {
        error_prefix(err, "gemm %lld x %lld x %lld by '%s'", LL(desc->m), LL(desc->n), LL(desc->k),
                     provider->name);
        free(p);
        return NULL;
    }
    return p;
}

/* Of "provider", or "provider variant". */
static const gemm_provider *provider_of(device *d, const char *way, error *err)
{
    const size_t length = strcspn(way, " ");
    char names[160] = "";
    size_t used = 0;
    for (const gemm_provider *const *p = d->backend->products; *p; ++p) {
        if (strlen((*p)->name) == length && strncmp((*p)->name, way, length) == 0) return *p;
        if (used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", (*p)->name);
    }
    return error_null(err, ERROR_USAGE, "no gemm provider '%s'; there are %s", way, names);
}

static gemm_plan *create_in_way(device *d, const char *way, const gemm_desc *simple, error *err)
{
    const gemm_provider *p = provider_of(d, way, err);
    if (!p) return NULL;
    if (!p->supports(d, simple))
        return error_null(err, ERROR_USAGE, "gemm provider '%s' cannot do %lld x %lld x %lld on '%s'",
                          p->name, LL(simple->m), LL(simple->n), LL(simple->k), device_get_info(d)->name);
    const char *variant = strchr(way, ' ');
    return plan_create(d, p, variant ? variant + 1 : NULL, simple, err);
}

gemm_plan *gemm_plan_create_with(device *d, const char *way, const gemm_desc *desc, error *err)
{
    if (!check_desc(desc, err)) return NULL;
    const gemm_desc simple = simplify(desc);
    return create_in_way(d, way, &simple, err);
}

gemm_plan *gemm_plan_create(device *d, const gemm_desc *desc, error *err)
{
    if (!check_desc(desc, err)) return NULL;
    const gemm_desc simple = simplify(desc);
    gemm_choice_seen(d, desc);
    char shape[GEMM_SHAPE_SIZE];
    const char *way = getenv("DALLE_CL_GEMM"); /* one for all that it can do: tests ask each in turn */
    if (way && *way) {
        const gemm_provider *p = provider_of(d, way, err);
        if (!p) return error_prefix(err, "DALLE_CL_GEMM"), NULL;
        if (p->supports(d, &simple)) return create_in_way(d, way, &simple, err);
    }
    gemm_shape_text(desc, shape);
    if (!gemm_choice_find(d, shape, &way, err)) return NULL;
    if (way) {
        error unfit = { 0 };
        gemm_plan *p = create_in_way(d, way, &simple, &unfit);
        if (p || unfit.code != ERROR_USAGE) {
            if (!p && err) *err = unfit;
            return p;
        }
        /* Another version of this program chose it. */
        log_warn("the way '%s' chosen for %s is ignored: %s; run dalle-cl tune again", way, shape,
                 unfit.message);
        if (!gemm_choice_put(d, shape, NULL, err)) return NULL;
    }
    return plan_create(d, d->backend->product(d, &simple), NULL, &simple, err);
}

/* ---- Ways and shapes ---- */

int gemm_ways(device *d, const gemm_desc *desc, char ways[GEMM_WAYS_MAX][GEMM_WAY_SIZE])
{
    const gemm_desc simple = simplify(desc);
    const gemm_provider *first = d->backend->product(d, &simple);
    int count = 0;
    snprintf(ways[count++], GEMM_WAY_SIZE, "%s", first->name);
    for (const gemm_provider *const *each = d->backend->products; *each; ++each) {
        const gemm_provider *p = *each;
        /* A CPU has nothing for groups of work-items to share: not worth measuring. */
        const bool slow = p == &gemm_plain || (p == &gemm_block && d->info.kind == DEVICE_CPU);
        if (slow || !p->supports(d, &simple)) continue;
        if (p != first && count < GEMM_WAYS_MAX) snprintf(ways[count++], GEMM_WAY_SIZE, "%s", p->name);
        char variant[GEMM_WAY_SIZE];
        for (int j = 0; p->variant && count < GEMM_WAYS_MAX && p->variant(d, &simple, j, variant); ++j)
            snprintf(ways[count++], GEMM_WAY_SIZE, "%s %.24s", p->name, variant);
    }
    return count;
}

static const char *layout_name(const gemm_operand *o)
{
    return o->column == 1 ? "rows" : o->row == 1 ? "columns" : "spaced";
}

static int image_text(const gemm_image *im, char *text, int size)
{
    const window *w = &im->window;
    int at =
        snprintf(text, (size_t)size, "image %dx%dx%d k%d", im->height, im->width, im->channels, w->size[0]);
    if (window_is_same(w)) return at;
    return at + snprintf(text + at, (size_t)(size - at), "x%d s%dx%d p%d,%d,%d,%d", w->size[1], w->stride[0],
                         w->stride[1], w->before[0], w->after[0], w->before[1], w->after[1]);
}

void gemm_shape_text(const gemm_desc *desc, char text[GEMM_SHAPE_SIZE])
{
    const gemm_desc s = simplify(desc);
    const gemm_operand *operands[3] = { &s.a, &s.b, &s.c };
    int at = snprintf(text, GEMM_SHAPE_SIZE, "%lldx%lldx%lld", LL(s.m), LL(s.n), LL(s.k));
    if (s.batch[0] * s.batch[1] > 1)
        at += snprintf(text + at, (size_t)(GEMM_SHAPE_SIZE - at), " in %lldx%lld", LL(s.batch[0]),
                       LL(s.batch[1]));
    for (int i = 0; i < 3; ++i) {
        at += snprintf(text + at, (size_t)(GEMM_SHAPE_SIZE - at), " %c %s ", "ABC"[i],
                       dtype_name(operands[i]->type));
        at += gemm_is_image(operands[i])
                  ? image_text(&operands[i]->image, text + at, GEMM_SHAPE_SIZE - at)
                  : snprintf(text + at, (size_t)(GEMM_SHAPE_SIZE - at), "%s", layout_name(operands[i]));
    }
    if (s.bias || s.activation || s.preactivation || s.accumulate || s.slope || s.residual)
        at += snprintf(text + at, (size_t)(GEMM_SHAPE_SIZE - at), " end %d%d%d%d%d%d", s.bias,
                       (int)s.activation, s.preactivation, s.accumulate, (int)s.slope, s.residual);
    CHECK(at < GEMM_SHAPE_SIZE, "%d", at);
}

bool gemm_choose(device *d, const gemm_desc *desc, const char *way, error *err)
{
    char shape[GEMM_SHAPE_SIZE];
    gemm_shape_text(desc, shape);
    return gemm_choice_put(d, shape, way, err);
}

void gemm_plan_destroy(gemm_plan *p)
{
    if (!p) return;
    free(p->state);
    free(p);
}

const char *gemm_plan_provider(const gemm_plan *p)
{
    return p->provider->name;
}

int64_t gemm_plan_workspace_bytes(const gemm_plan *p)
{
    return p->workspace_bytes;
}

bool gemm_plan_record(gemm_plan *p, device_launches *list, const char *label, const gemm_buffers *buffers,
                      error *err)
{
    const gemm_desc *desc = &p->desc;
    CHECK(buffers->a && buffers->b && buffers->c, "%s: an operand has no buffer", label);
    CHECK(!desc->bias || buffers->bias, "%s: the bias has no buffer", label);
    CHECK(!desc->preactivation || buffers->preactivation, "%s: the pre-activation has no buffer", label);
    CHECK(!desc->slope || buffers->point, "%s: the slope's point has no buffer", label);
    CHECK(!desc->residual || buffers->residual, "%s: the residual has no buffer", label);
    CHECK(p->workspace_bytes == 0 || buffers->workspace, "%s: no workspace of %lld bytes", label,
          LL(p->workspace_bytes));
    CHECK(buffers->workspace_offset % 256 == 0, "%s: workspace at %lld", label,
          LL(buffers->workspace_offset));
    if (p->provider->record(p->device, desc, p->state, list, label, buffers, err)) return true;
    return error_prefix(err, "gemm %lld x %lld x %lld by '%s'", LL(desc->m), LL(desc->n), LL(desc->k),
                        p->provider->name);
}
