/* picture_file.c -- see picture_file.h.
 * SPDX-License-Identifier: MIT */
#include "data/picture_file.h"
#include <string.h>

const char *picture_file_ending(const void *bytes, size_t size)
{
    static const struct {
        size_t at, length;
        const char *mark, *ending;
    } marks[] = {
        { 0, 4, "\x89PNG", "png" },
        { 0, 3, "\xff\xd8\xff", "jpg" },
        { 8, 4, "WEBP", "webp" },
        { 0, 4, "GIF8", "gif" },
    };
    for (size_t i = 0; i < sizeof marks / sizeof *marks; ++i)
        if (size >= marks[i].at + marks[i].length &&
            memcmp((const char *)bytes + marks[i].at, marks[i].mark, marks[i].length) == 0)
            return marks[i].ending;
    return "img";
}
