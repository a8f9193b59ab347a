/* bpe_unpack.c -- zlib, which checks the sum at the end.
 * SPDX-License-Identifier: MIT */
#include "data/bpe_unpack.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MOST (16u << 20)

bool bpe_unpack_known(const void *file, size_t size)
{
    return size >= 2 && memcmp(file, "\x1f\x8b", 2) == 0;
}

static const char *problem_of(int status, const z_stream *z)
{
    if (status == Z_STREAM_END) return z->avail_in ? "gzip's data goes on behind its end" : NULL;
    if (status == Z_MEM_ERROR) return "memory ran out";
    if (status == Z_OK || status == Z_BUF_ERROR)
        return z->avail_out ? "gzip's data is cut short" : "it is larger than 16 MiB when unpacked";
    return "gzip's data is broken";
}

/* Where there is no more to write to, one byte more tells an exact fit from too much. */
static const char *unpack(const void *file, size_t size, char *out, size_t *unpacked)
{
    z_stream z = {
        .next_in = (Bytef *)file, .avail_in = (uInt)size, .next_out = (Bytef *)out, .avail_out = MOST
    };
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) return "memory ran out";
    int status = inflate(&z, Z_FINISH);
    const char *problem = problem_of(status, &z);
    *unpacked = (size_t)z.total_out;
    inflateEnd(&z);
    return problem;
}

char *bpe_unpack(const char *path, const void *file, size_t size, size_t *unpacked, error *err)
{
    char *out = malloc(MOST);
    const char *problem = out ? unpack(file, size, out, unpacked) : "memory ran out";
    if (!problem) return out;
    free(out);
    bool memory = strcmp(problem, "memory ran out") == 0;
    return error_null(err, memory ? ERROR_MEMORY : ERROR_FORMAT, "%s: not a usable tokenizer: %s", path,
                      problem);
}
