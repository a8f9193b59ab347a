/* fft.c -- plans of Fourier transforms: who makes them, after looking whether it makes them right.
 * SPDX-License-Identifier: MIT */
#include "host/base/log.h"
#include "host/device/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fft_plan {
    fft_desc desc;
    const fft_provider *by;
    void *state;
    char note[TRIAL_REASON];
};

#define LL(x) ((long long)(x))

/* Products count rows, columns and batches in int, and take twice the height and four times the width. */
static bool check_desc(const fft_desc *f, error *err)
{
    const int64_t most = 1 << 20, places = INT32_MAX / 4;
    if (f->count < 1 || f->height < 1 || f->width < 1 || f->height > most || f->width > most ||
        f->count > places / f->height)
        return error_set(err, ERROR_MODEL,
                         "fft: %lld transforms of %lld x %lld; sizes must be from 1 to %lld, and count times "
                         "height at most %lld",
                         LL(f->count), LL(f->height), LL(f->width), LL(most), LL(places));
    return true;
}

static bool plan_by(fft_plan *p, device *d, const fft_provider *by, error *err)
{
    p->by = by;
    p->state = by->plan(d, &p->desc, err);
    if (p->state) return true;
    return error_prefix(err, "fft of %lld x %lld by '%s'", LL(p->desc.height), LL(p->desc.width), by->name);
}

static bool plan_by_library(fft_plan *p, device *d, const fft_provider *library, error *err)
{
    char reason[TRIAL_REASON];
    if (!library->supports(d, &p->desc))
        return error_set(err, ERROR_USAGE, "%s does not take %lld x %lld", library->name, LL(p->desc.height),
                         LL(p->desc.width));
    if (!fft_trial_passed(d, &p->desc, reason)) return error_set(err, ERROR_DEVICE, "%s", reason);
    if (!plan_by(p, d, library, err)) return false;
    if (fft_check(d, &p->desc, library, p->state, err)) return true;
    library->release(p->state);
    p->state = NULL;
    return error_prefix(err, "%s fails its test on '%s'", library->name, d->info.name);
}

static bool plan_by_best(fft_plan *p, device *d, error *err)
{
    error reason = { .code = ERROR_NONE };
    const fft_provider *library = d->backend->fft;
    if (library && plan_by_library(p, d, library, &reason)) return true;
    if (library) {
        snprintf(p->note, sizeof p->note, "%.500s", reason.message);
        log_verbose("transforms by matrix products: %s", p->note);
    }
    return plan_by(p, d, &fft_products, err);
}

static bool plan_by_name(fft_plan *p, device *d, const char *name, error *err)
{
    const fft_provider *library = d->backend->fft;
    if (strcmp(name, fft_products.name) == 0) return plan_by(p, d, &fft_products, err);
    if (library && strcmp(name, library->name) == 0) {
        if (plan_by_library(p, d, library, err)) return true;
        if (err && err->code != ERROR_USAGE) err->code = ERROR_DEVICE;
        return false;
    }
    return error_set(err, ERROR_USAGE, "device '%s' has no fft provider '%s'; there are %s%s%s", d->info.name,
                     name, library ? library->name : "", library ? ", " : "", fft_products.name);
}

fft_plan *fft_plan_create_with(device *d, const char *provider, const fft_desc *desc, error *err)
{
    if (!check_desc(desc, err)) return NULL;
    fft_plan *p = calloc(1, sizeof *p);
    if (!p) return error_null(err, ERROR_MEMORY, "fft: no memory for a plan");
    p->desc = *desc;
    if (provider ? plan_by_name(p, d, provider, err) : plan_by_best(p, d, err)) return p;
    free(p);
    return NULL;
}

fft_plan *fft_plan_create(device *d, const fft_desc *desc, error *err)
{
    return fft_plan_create_with(d, NULL, desc, err);
}

void fft_plan_destroy(fft_plan *p)
{
    if (!p) return;
    p->by->release(p->state);
    free(p);
}

const char *fft_plan_provider(const fft_plan *p)
{
    return p->by->name;
}

const char *fft_plan_note(const fft_plan *p)
{
    return p->note;
}

bool fft_plan_record(fft_plan *p, device_launches *list, const char *label, device_buffer *in,
                     device_buffer *out, error *err)
{
    CHECK(in != out, "%s: a transform in place", label);
    CHECK(in->bytes >= fft_in_bytes(&p->desc) && out->bytes >= fft_out_bytes(&p->desc),
          "%s: %lld transforms of %lld x %lld from %lld bytes to %lld", label, LL(p->desc.count),
          LL(p->desc.height), LL(p->desc.width), LL(in->bytes), LL(out->bytes));
    return p->by->record(p->state, list, label, in, out, err);
}
