/* memory.c -- how much memory a device has for this program: $DALLE_CL_MEMORY, and what can still be had.
 * SPDX-License-Identifier: MIT */
#include "host/base/config.h"
#include "host/device/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIB         (1024.0 * 1024.0 * 1024.0)
#define LEAST_PIECE ((int64_t)1 << 20)

/* "2" or "2/0.5" in GiB; 0: not said. */
static bool read_gib(const char *text, int64_t *bytes)
{
    const double value = config_is_number(text, false) ? strtod(text, NULL) : 0;
    if (!(value >= 1e-6 && value <= 1e6)) return false;
    *bytes = (int64_t)(value * GIB);
    return true;
}

static void lower(int64_t *value, int64_t most)
{
    if (most > 0 && most < *value) *value = most;
}

bool device_limit_memory(device_info *info, error *err)
{
    const char *said = getenv("DALLE_CL_MEMORY");
    int64_t memory = 0, buffer = 0;
    char text[64];
    if (!said || !*said) return true;
    snprintf(text, sizeof text, "%s", said);
    char *slash = strchr(text, '/');
    if (slash) *slash++ = 0;
    if (strlen(said) >= sizeof text || !read_gib(text, &memory) || (slash && !read_gib(slash, &buffer)))
        return error_set(err, ERROR_USAGE,
                         "DALLE_CL_MEMORY is '%.60s'; it is a number of GiB, such as 2, or two, such as "
                         "2/0.5, of which the second is what one buffer may have",
                         said);
    lower(&info->memory_bytes, memory);
    lower(&info->max_buffer_bytes, buffer);
    lower(&info->max_buffer_bytes, info->memory_bytes);
    return true;
}

int64_t device_peak_bytes(const device *d)
{
    return d->peak;
}

int64_t device_refused_bytes(const device *d)
{
    return d->refused;
}

int64_t device_library_bytes(device *d)
{
    const int64_t bytes = d->library_planned;
    d->library_planned = 0;
    return bytes > d->library_held ? bytes - d->library_held : 0;
}

/* ---- What can still be had ---- */

typedef struct piece {
    device_buffer *buffer;
    struct piece *next;
} piece;

static bool take(device *d, int64_t bytes, piece **all)
{
    piece *p = calloc(1, sizeof *p);
    if (p && (p->buffer = d->backend->buffer_create(d, bytes, NULL))) {
        p->buffer->owner = d;
        p->next = *all;
        *all = p;
        return true;
    }
    free(p);
    return false;
}

static void give_back(piece *all)
{
    while (all) {
        piece *next = all->next;
        all->buffer->owner->backend->buffer_release(all->buffer);
        free(all->buffer);
        free(all);
        all = next;
    }
}

int64_t device_free_bytes(device *d)
{
    const int64_t most = d->info.memory_bytes - d->allocated;
    int64_t had = 0, bytes = d->info.max_buffer_bytes;
    piece *all = NULL;
    while (bytes >= LEAST_PIECE && had < most) {
        const int64_t wanted = bytes < most - had ? bytes : most - had;
        if (take(d, wanted, &all))
            had += wanted;
        else
            bytes = wanted / 2;
    }
    give_back(all);
    return had;
}
