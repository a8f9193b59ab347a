/* alike.c -- see alike.h.  What a rank knows is a text of lines "name = value".
 * SPDX-License-Identifier: MIT */
#include "models/alike.h"

#include "host/base/file.h"
#include "host/device/device.h"
#include "host/train/share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HASH = 64 };

static char *facts(const char *commit, const char *config, const json_t *provenance)
{
    char *text = NULL, kernels[HASH + 1];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    device_kernels_hash(kernels);
    fprintf(out, "program = %s %s\nkernels = %s\n", DALLE_CL_VERSION, commit ? commit : "", kernels);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)provenance, key, value)
    {
        const char *hash = json_string_value(value);
        if (hash && strlen(hash) == HASH) fprintf(out, "hash of %s = %s\n", key, hash);
    }
    fputs(config, out);
    return file_stream_text(out, &text);
}

static size_t line_length(const char *line)
{
    return strcspn(line, "\n");
}

/* The first line of `mine` that is not the same line of `first`; false: there is none. */
static bool find_difference(const char *mine, const char *first, char a[160], char b[160])
{
    while (*mine || *first) {
        size_t of_mine = line_length(mine), of_first = line_length(first);
        if (of_mine != of_first || memcmp(mine, first, of_mine) != 0) {
            snprintf(a, 160, "%.*s", (int)of_mine, mine);
            snprintf(b, 160, "%.*s", (int)of_first, first);
            return true;
        }
        mine += of_mine + (mine[of_mine] == '\n');
        first += of_first + (first[of_first] == '\n');
    }
    return false;
}

bool alike_check(comm *c, const char *commit, const char *config, const json_t *provenance, error *err)
{
    if (!c) return true;
    char *mine = facts(commit, config, provenance), *first = mine ? strdup(mine) : NULL;
    char a[160], b[160], complaint[600] = "";
    int rank = comm_rank(c);
    bool ok = first ? true : error_set(err, ERROR_MEMORY, "out of memory for what ranks compare");
    ok = ok && share_text(c, &first, err);
    if (ok && find_difference(mine, first, a, b))
        snprintf(complaint, sizeof complaint,
                 "the ranks differ: rank %d on '%s' has \"%s\", rank 0 on '%s' has \"%s\"; start all alike",
                 rank, comm_host(c, rank), a, comm_host(c, 0), b);
    ok = ok && share_complaint(c, complaint, err);
    free(mine);
    free(first);
    return ok;
}
