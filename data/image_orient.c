/* image_orient.c -- which way up a picture was taken, read from its EXIF block by libexif.
 * A camera stores what its sensor saw and says how to turn it; every viewer does, and so do we.
 * SPDX-License-Identifier: MIT */
#include "data/image_codec.h"
#include <libexif/exif-data.h>
#include <stdlib.h>
#include <string.h>

/* The library goes on without what it could not allocate, and its allocators are told nothing else that could
 * take the news. */
static _Thread_local bool refused;

static void *note(void *block)
{
    if (!block) refused = true;
    return block;
}

static void *get(ExifLong bytes)
{
    return note(calloc(1, bytes));
}

static void *enlarge(void *block, ExifLong bytes)
{
    return note(realloc(block, bytes));
}

/* 1 to 8; 1 where the block has none, or nonsense. */
static int read_orientation(ExifData *exif)
{
    ExifEntry *entry = exif_content_get_entry(exif->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    if (!entry || entry->format != EXIF_FORMAT_SHORT || entry->components < 1) return 1;
    int value = exif_get_short(entry->data, exif_data_get_byte_order(exif));
    return value >= 1 && value <= 8 ? value : 1;
}

static int find_orientation(const void *block, size_t size, bool *memory)
{
    int orientation = 1;
    refused = false;
    ExifMem *allocators = exif_mem_new(get, enlarge, free);
    ExifData *exif = allocators ? exif_data_new_mem(allocators) : NULL;
    if (exif) {
        exif_data_unset_option(exif, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
        exif_data_load_data(exif, block, (unsigned)size);
        orientation = read_orientation(exif);
        exif_data_unref(exif);
    }
    if (allocators) exif_mem_unref(allocators);
    *memory = refused;
    return orientation;
}

/* Values above 4 exchange rows and columns; then columns or rows, or both, run backwards. */
static bool turn(image *picture, int orientation, error *err)
{
    bool swap = orientation > 4;
    bool across = orientation == 2 || orientation == 3 || orientation > 6;
    bool down = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    image turned;
    if (!image_create_any(&turned, swap ? picture->height : picture->width,
                          swap ? picture->width : picture->height, err))
        return false;
    uint8_t *to = turned.pixels;
    for (int y = 0; y < turned.height; ++y)
        for (int x = 0; x < turned.width; ++x, to += 3) {
            int column = swap ? y : x, row = swap ? x : y;
            if (across) column = picture->width - 1 - column;
            if (down) row = picture->height - 1 - row;
            memcpy(to, picture->pixels + ((size_t)row * (size_t)picture->width + (size_t)column) * 3, 3);
        }
    image_free(picture);
    *picture = turned;
    return true;
}

/* The library wants the mark that JPEG has before a block, which PNG leaves out and WebP may. */
static bool find_marked(const unsigned char *block, size_t size, int *orientation, bool *memory)
{
    static const char mark[6] = "Exif\0";
    if (size >= sizeof mark && memcmp(block, mark, sizeof mark) == 0) {
        *orientation = find_orientation(block, size, memory);
        return true;
    }
    unsigned char *marked = malloc(size + sizeof mark);
    if (!marked) return false;
    memcpy(marked, mark, sizeof mark);
    memcpy(marked + sizeof mark, block, size);
    *orientation = find_orientation(marked, size + sizeof mark, memory);
    free(marked);
    return true;
}

bool image_orient(image *picture, const void *block, size_t size, error *err)
{
    bool memory = false;
    int orientation = 1;
    if (size == 0 || size > IMAGE_EXIF_MOST) return true;
    if (!find_marked(block, size, &orientation, &memory) || memory)
        return error_set(err, ERROR_MEMORY, "no memory to read which way up a picture is");
    return orientation == 1 || turn(picture, orientation, err);
}
