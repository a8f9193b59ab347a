/* fft_trial.c -- whether a library works at all: it is first tried in a process of its own (trial.c), and
 * what became of it is remembered by device, driver and sizes.
 * SPDX-License-Identifier: MIT */
#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"
#include "host/device/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The process that tries ------------------------------------------------------------------ */

static bool serve(device *d, const char *identity, const fft_desc *f)
{
    char own[65];
    error err = { .code = ERROR_NONE };
    device_key(d, "", "", own);
    if (strcmp(own, identity) != 0 || !d->backend->fft) return false;
    fft_plan *p = fft_plan_create_with(d, d->backend->fft->name, f, &err);
    const bool said = trial_say(p ? "" : err.message);
    fft_plan_destroy(p);
    return said;
}

int fft_trial_serve(const device_entry *at, const char *identity, const char *const sizes[3])
{
    const fft_desc f = { atoll(sizes[0]), atoll(sizes[1]), atoll(sizes[2]) };
    setenv("DALLE_CL_HELPER", "off", 1);
    device *d = at->backend->open(at, NULL);
    const bool ok = d && serve(d, identity, &f);
    device_close(d);
    return ok ? 0 : 1;
}

/* ---- The process that asks ------------------------------------------------------------------- */

static bool try_apart(device *d, const fft_desc *f, char reason[TRIAL_REASON])
{
    char sizes[3][24];
    const int64_t values[3] = { f->count, f->height, f->width };
    for (int i = 0; i < 3; ++i) snprintf(sizes[i], sizeof sizes[i], "%lld", (long long)values[i]);
    log_verbose("trying transforms by %s in a process of its own", d->backend->fft->name);
    return trial_apart(d, d->backend->fft->name, (const char *const[]){ sizes[0], sizes[1], sizes[2], NULL },
                       reason);
}

static bool recall(const char *path, char reason[TRIAL_REASON])
{
    json_t *root = path && file_exists(path) ? json_tree_open(path, NULL) : NULL;
    const char *text = root ? json_string_value(json_object_get(root, "fails")) : NULL;
    if (text) snprintf(reason, TRIAL_REASON, "%s", text);
    json_decref(root);
    return text != NULL;
}

static void remember(const char *path, const char *reason)
{
    if (!path) return;
    json_t *root = json_object();
    json_tree_put(&root, "fails", json_tree_string(reason));
    char *text = json_tree_text(root, 0, path, NULL);
    if (text && !file_write(path, text, strlen(text), NULL)) log_verbose("could not write %s", path);
    free(text);
}

bool fft_trial_passed(device *d, const fft_desc *f, char reason[TRIAL_REASON])
{
    char key[160], *path = NULL;
    reason[0] = 0;
    if (!trial_program()) return true;
    snprintf(key, sizeof key, "%s %lld %lld %lld", d->backend->fft->name, (long long)f->count,
             (long long)f->height, (long long)f->width);
    if (!device_cache_file(d, "fft", key, &path, NULL)) path = NULL;
    if (!recall(path, reason) && try_apart(d, f, reason)) remember(path, reason);
    free(path);
    return !*reason;
}
