/* emoji_font.c -- HarfBuzz finds the glyph of a sequence, FreeType gives its picture.
 * SPDX-License-Identifier: MIT */
#include "data/emoji_font.h"
#include "host/base/file.h"
#include <ft2build.h>
#include <stdlib.h>

#include FT_FREETYPE_H
#include FT_MODULE_H
#include <hb-ft.h>

#define GRINNING_FACE 0x1f600 /* no font of emoji is without it */

struct emoji_font {
    FT_Library library;
    FT_Face face;
    hb_font_t *shaper;
    hb_buffer_t *buffer;
    char *bytes;
    int side;
};

void emoji_font_close(emoji_font *font)
{
    if (!font) return;
    hb_buffer_destroy(font->buffer);
    hb_font_destroy(font->shaper);
    if (font->face) FT_Done_Face(font->face);
    if (font->library) FT_Done_FreeType(font->library);
    free(font->bytes);
    free(font);
}

static bool load(emoji_font *font, const char *path, error *err)
{
    size_t size;
    font->bytes = file_read(path, &size, err);
    if (!font->bytes) return false;
    /* Modules that found no memory are missing without a word. */
    if (FT_Init_FreeType(&font->library) || !FT_Get_Module(font->library, "sfnt") ||
        !FT_Get_Module(font->library, "truetype"))
        return error_set(err, ERROR_MEMORY, "no memory to start FreeType");
    FT_Error code =
        FT_New_Memory_Face(font->library, (const FT_Byte *)font->bytes, (FT_Long)size, 0, &font->face);
    if (code == FT_Err_Out_Of_Memory)
        return error_set(err, ERROR_MEMORY, "%s: no memory to open this font", path);
    if (code) return error_set(err, ERROR_FORMAT, "%s: not a font FreeType reads (code %d)", path, (int)code);
    /* A character map that found no memory is missing without a word. */
    if (!FT_Get_Char_Index(font->face, GRINNING_FACE))
        return error_set(err, ERROR_FORMAT, "%s: has no emoji, or there was no memory for its character map",
                         path);
    if (!FT_HAS_COLOR(font->face) || font->face->num_fixed_sizes < 1)
        return error_set(err, ERROR_FORMAT, "%s: holds no colour pictures; it needs to be a CBDT font", path);
    code = FT_Select_Size(font->face, 0);
    if (code)
        return error_set(err, ERROR_FORMAT, "%s: its first strike cannot be used (code %d)", path, (int)code);
    const FT_Bitmap_Size *strike = &font->face->available_sizes[0];
    font->side = strike->width > strike->height ? strike->width : strike->height;
    font->shaper = hb_ft_font_create_referenced(font->face);
    font->buffer = hb_buffer_create();
    if (font->side < 1) return error_set(err, ERROR_FORMAT, "%s: its strike has no size", path);
    if (font->shaper == hb_font_get_empty() || !hb_buffer_allocation_successful(font->buffer))
        return error_set(err, ERROR_MEMORY, "%s: no memory to use this font", path);
    return true;
}

emoji_font *emoji_font_open(const char *path, error *err)
{
    emoji_font *font = calloc(1, sizeof *font);
    if (!font) return error_null(err, ERROR_MEMORY, "no memory to open a font");
    if (load(font, path, err)) return font;
    emoji_font_close(font);
    return NULL;
}

bool emoji_font_glyph(const emoji_font *font, const uint32_t *points, int count, uint32_t *glyph, error *err)
{
    hb_buffer_t *buffer = font->buffer;
    hb_buffer_reset(buffer);
    hb_buffer_set_flags(buffer, HB_BUFFER_FLAG_REMOVE_DEFAULT_IGNORABLES);
    hb_buffer_add_utf32(buffer, points, count, 0, count);
    hb_buffer_set_direction(buffer, HB_DIRECTION_LTR);
    hb_buffer_guess_segment_properties(buffer);
    hb_shape(font->shaper, buffer, NULL, 0);
    unsigned made;
    const hb_glyph_info_t *glyphs = hb_buffer_get_glyph_infos(buffer, &made);
    *glyph = made == 1 ? glyphs[0].codepoint : 0;
    return hb_buffer_allocation_successful(buffer) ||
           error_set(err, ERROR_MEMORY, "no memory to find the glyph of %d code points", count);
}

/* FreeType's colours are blue, green, red, alpha, already multiplied by alpha. */
static void put_on_white(const FT_Bitmap *bitmap, image *out)
{
    int left = (out->width - (int)bitmap->width) / 2, top = (out->height - (int)bitmap->rows) / 2;
    for (int y = 0; y < (int)bitmap->rows; ++y) {
        const unsigned char *from = bitmap->buffer + (ptrdiff_t)y * bitmap->pitch;
        uint8_t *to = out->pixels + ((size_t)(y + top) * (size_t)out->width + (size_t)left) * 3;
        for (int x = 0; x < (int)bitmap->width; ++x, from += 4, to += 3) {
            for (int c = 0; c < 3; ++c) {
                int value = from[2 - c] + 255 - from[3];
                to[c] = (uint8_t)(value > 255 ? 255 : value);
            }
        }
    }
}

bool emoji_font_draw(const emoji_font *font, uint32_t glyph, image *out, error *err)
{
    *out = (image){ 0 };
    FT_Error code = FT_Load_Glyph(font->face, glyph, FT_LOAD_COLOR);
    if (code == FT_Err_Out_Of_Memory) return error_set(err, ERROR_MEMORY, "no memory for glyph %u", glyph);
    if (code) return error_set(err, ERROR_FORMAT, "glyph %u cannot be read (code %d)", glyph, (int)code);
    const FT_Bitmap *bitmap = &font->face->glyph->bitmap;
    if (bitmap->pixel_mode != FT_PIXEL_MODE_BGRA || bitmap->width == 0 || bitmap->rows == 0)
        return error_set(err, ERROR_FORMAT, "glyph %u has no colour picture", glyph);
    int side = font->side;
    if ((int)bitmap->width > side) side = (int)bitmap->width;
    if ((int)bitmap->rows > side) side = (int)bitmap->rows;
    if (!image_create(out, side, side, err)) return false;
    put_on_white(bitmap, out);
    return true;
}
