/* gemm_choice.c -- see gemm_choice.h.  File: "<cache folder>/gemm-<key>.json", the key being a hash of
 * device, driver and kernels, so that another driver or another version of the kernels starts without
 * choices.
 * SPDX-License-Identifier: MIT */
#include "host/device/gemm_choice.h"
#include "host/device/backend.h"

#include "host/base/file.h"
#include "host/base/hash.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"

#include <stdlib.h>
#include <string.h>

struct gemm_choices {
    json_t *shapes; /* object: shape as text -> way */
    bool loaded;
    void (*seen)(void *context, const gemm_desc *desc); /* of each plan made */
    void *context;
};

gemm_choices *gemm_choices_create(void)
{
    return calloc(1, sizeof(gemm_choices));
}

void gemm_choices_destroy(gemm_choices *c)
{
    if (c) json_decref(c->shapes);
    free(c);
}

static bool choices_path(const device *d, char **path, error *err)
{
    char kernels[65];
    device_kernels_hash(kernels);
    return device_cache_file(d, "gemm", kernels, path, err);
}

static bool load(device *d, gemm_choices *c, error *err)
{
    char *path;
    error wrong = { 0 };
    if (c->loaded) return true;
    if (!choices_path(d, &path, err)) return false;
    if (path && file_exists(path)) {
        json_t *root = json_tree_open(path, &wrong), *shapes = json_object_get(root, "shapes");
        if (json_is_object(shapes))
            c->shapes = json_incref(shapes);
        else if (wrong.code != ERROR_MEMORY)
            log_warn("%s is damaged and ignored: run dalle-cl tune again", path);
        json_decref(root);
    }
    free(path);
    c->loaded = wrong.code != ERROR_MEMORY;
    return c->loaded || error_set(err, ERROR_MEMORY, "%s", wrong.message);
}

bool gemm_choice_find(device *d, const char *shape, const char **way, error *err)
{
    gemm_choices *c = d->choices;
    if (!load(d, c, err)) return false;
    *way = c->shapes ? json_string_value(json_object_get(c->shapes, shape)) : NULL;
    return true;
}

bool gemm_choice_put(device *d, const char *shape, const char *way, error *err)
{
    gemm_choices *c = d->choices;
    if (!load(d, c, err)) return false;
    if (!way) {
        if (c->shapes) json_object_del(c->shapes, shape);
        return true;
    }
    if (!c->shapes) c->shapes = json_object();
    if (c->shapes && json_object_set_new(c->shapes, shape, json_string(way)) == 0) return true;
    return error_set(err, ERROR_MEMORY, "out of memory for the choice of a matrix product");
}

void gemm_choices_forget(device *d)
{
    gemm_choices *c = d->choices;
    json_decref(c->shapes);
    *c = (gemm_choices){ .loaded = true };
}

bool gemm_choices_save(device *d, char **path, error *err)
{
    gemm_choices *c = d->choices;
    const device_info *info = device_get_info(d);
    if (!choices_path(d, path, err)) return false;
    if (!*path) {
        const char *folder = getenv("DALLE_CL_CACHE");
        return error_set(err, ERROR_IO,
                         "there is no folder to keep the choices in: %s%s; set DALLE_CL_CACHE to a folder "
                         "that can be written",
                         folder ? "DALLE_CL_CACHE is " : "no home folder could be used",
                         folder ? folder : "");
    }
    json_t *root = json_object();
    json_tree_put(&root, "device", json_tree_string(info->name));
    json_tree_put(&root, "driver", json_tree_string(info->driver));
    json_tree_put(&root, "shapes", c->shapes ? json_incref(c->shapes) : json_object());
    char *text = json_tree_text(root, JSON_INDENT(1) | JSON_SORT_KEYS, *path, err);
    bool ok = text && file_write(*path, text, strlen(text), err);
    free(text);
    return ok;
}

bool gemm_choices_hash(device *d, char hex[65], error *err)
{
    gemm_choices *c = d->choices;
    if (!load(d, c, err)) return false;
    memcpy(hex, "none", 5);
    if (!c->shapes || json_object_size(c->shapes) == 0) return true;
    char *text = json_tree_text(json_incref(c->shapes), JSON_COMPACT | JSON_SORT_KEYS, "the choices", err);
    if (!text) return false;
    hash h;
    hash_start(&h);
    hash_text(&h, text);
    hash_finish(&h, hex);
    free(text);
    return true;
}

void gemm_watch(device *d, void (*seen)(void *context, const gemm_desc *desc), void *context)
{
    gemm_choices *c = d->choices;
    c->seen = seen;
    c->context = context;
}

void gemm_choice_seen(device *d, const gemm_desc *desc)
{
    const gemm_choices *c = d->choices;
    if (c->seen) c->seen(c->context, desc);
}
