/* safetensors_sum.c -- checks a file by the checksum that it states; see safetensors.h.
 * SPDX-License-Identifier: MIT */
#include "data/safetensors.h"

#include "host/base/hash.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DIGITS = 64, PIECE = 1 << 20 };

typedef struct sums {
    char stated[DIGITS + 1]; /* "": none */
    char found[DIGITS + 1];
} sums;

/* The first of 64 hexadecimal digits that state the checksum, or NULL. */
static char *find_digits(char *header, size_t length)
{
    const size_t start = strlen(SAFETENSORS_SUM_START);
    char *at = memmem(header, length, SAFETENSORS_SUM_START, start);
    if (!at || (size_t)(header + length - at) <= start + DIGITS || at[start + DIGITS] != '"') return NULL;
    for (size_t i = 0; i < DIGITS; ++i)
        if (!isxdigit((unsigned char)at[start + i])) return NULL;
    return at + start;
}

/* The length of the header, or 0 if the file is too short for what it says. */
static size_t header_length(FILE *in, unsigned char size[8])
{
    struct stat info;
    uint64_t length = 0;
    if (fread(size, 1, 8, in) != 8 || fstat(fileno(in), &info) != 0) return 0;
    for (int i = 7; i >= 0; --i) length = length << 8 | size[i];
    return info.st_size < 8 || length > (uint64_t)info.st_size - 8 ? 0 : (size_t)length;
}

/* The checksum of all bytes, if one is stated.  What is wrong with the header is for others to say. */
static bool sum_file(FILE *in, sums *out, char *room, const char *path, error *err)
{
    unsigned char size[8];
    size_t length = header_length(in, size), count;
    char *header = length ? malloc(length) : NULL, *digits = NULL;
    if (length && !header)
        return error_set(err, ERROR_MEMORY, "%s: out of memory for a header of %zu bytes", path, length);
    if (length && fread(header, 1, length, in) == length) digits = find_digits(header, length);
    if (digits) {
        hash h;
        memcpy(out->stated, digits, DIGITS);
        memset(digits, '0', DIGITS);
        hash_start(&h);
        hash_bytes(&h, size, sizeof size);
        hash_bytes(&h, header, length);
        while ((count = fread(room, 1, PIECE, in)) > 0) hash_bytes(&h, room, count);
        hash_finish(&h, out->found);
    }
    free(header);
    return true;
}

/* By reading, not by a map: of a disk that fails, that is an error and not a signal. */
static bool sum_path(const char *path, sums *out, error *err)
{
    FILE *in = fopen(path, "rbe");
    if (!in)
        return error_set(err, errno == ENOMEM ? ERROR_MEMORY : ERROR_IO, "cannot open '%s': %s", path,
                         strerror(errno));
    char *room = malloc(PIECE);
    bool ok = room ? sum_file(in, out, room, path, err)
                   : error_set(err, ERROR_MEMORY, "memory ran out while opening '%s'", path);
    if (ok && ferror(in) && errno != EISDIR)
        ok = error_set(err, ERROR_FORMAT, "%s: damaged: it cannot be read: %s", path, strerror(errno));
    free(room);
    fclose(in);
    return ok;
}

safetensors *safetensors_open_whole(const char *path, bool *stated, error *err)
{
    sums s = { "", "" };
    safetensors *file = sum_path(path, &s, err) ? safetensors_open(path, err) : NULL;
    if (stated) *stated = *s.stated != '\0';
    if (!file || strcmp(s.stated, s.found) == 0) return file;
    safetensors_close(file);
    return error_null(
        err, ERROR_FORMAT, "%s: damaged: its bytes have the SHA-256 %.12s..., and it says %.12s...%s", path,
        s.found, s.stated, stated ? "" : "; copy it anew, or name another checkpoint of its run");
}
