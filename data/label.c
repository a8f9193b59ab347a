/* label.c -- fontconfig finds the font, FreeType draws its characters one by one.
 * SPDX-License-Identifier: MIT */
#include "data/label.h"
#include "host/base/utf8.h"
#include "host/base/log.h"
#include <fontconfig/fontconfig.h>
#include <ft2build.h>
#include <stdlib.h>
#include <string.h>

#include FT_FREETYPE_H

struct label_font {
    FT_Library library;
    FT_Face face;
    int line, ascent; /* pixels */
};

/* A line of text: bytes and pixels. */
typedef struct span {
    const char *begin, *end, *next;
    int width;
} span;

static char *find_font(int *index)
{
    char *path = NULL;
    FcConfig *config = FcInitLoadConfigAndFonts();
    FcPattern *wanted = config ? FcNameParse((const FcChar8 *)"DejaVu Sans,sans-serif:outline=true") : NULL;
    if (wanted) {
        FcResult result;
        FcConfigSubstitute(config, wanted, FcMatchPattern);
        FcDefaultSubstitute(wanted);
        FcPattern *found = FcFontMatch(config, wanted, &result);
        FcChar8 *file;
        if (found && FcPatternGetString(found, FC_FILE, 0, &file) == FcResultMatch)
            path = strdup((const char *)file);
        if (!found || FcPatternGetInteger(found, FC_INDEX, 0, index) != FcResultMatch) *index = 0;
        if (found) FcPatternDestroy(found);
        FcPatternDestroy(wanted);
    }
    if (config) FcConfigDestroy(config);
    return path;
}

label_font *label_font_open(int pixels)
{
    int index = 0;
    char *path = find_font(&index);
    label_font *font = path ? calloc(1, sizeof *font) : NULL;
    bool done = font && FT_Init_FreeType(&font->library) == 0 &&
                FT_New_Face(font->library, path, index, &font->face) == 0 &&
                FT_Set_Pixel_Sizes(font->face, 0, (FT_UInt)pixels) == 0;
    free(path);
    if (done) {
        const FT_Size_Metrics *size = &font->face->size->metrics;
        font->line = (int)((size->height + 63) >> 6);
        font->ascent = (int)((size->ascender + 63) >> 6);
        return font;
    }
    label_font_close(font);
    log_warn("no font was found, so pictures get no labels; install fonts-dejavu-core");
    return NULL;
}

void label_font_close(label_font *font)
{
    if (!font) return;
    if (font->face) FT_Done_Face(font->face);
    if (font->library) FT_Done_FreeType(font->library);
    free(font);
}

static FT_UInt glyph_of(label_font *font, uint32_t character)
{
    FT_UInt glyph = FT_Get_Char_Index(font->face, character);
    return glyph ? glyph : FT_Get_Char_Index(font->face, '?');
}

static int advance_of(label_font *font, uint32_t character)
{
    if (FT_Load_Glyph(font->face, glyph_of(font, character), FT_LOAD_TARGET_LIGHT)) return 0;
    return (int)((font->face->glyph->advance.x + 32) >> 6);
}

/* The longest piece from `text` that fits: up to a space if there is one, and at least one character. */
static span next_line(label_font *font, const char *text, int width)
{
    while (*text == ' ') ++text;
    span line = { text, text, text, 0 }, fits = line;
    for (const char *at = text; *at && *at != '\n';) {
        const char *before = at;
        uint32_t character = utf8_next(&at);
        int wider = line.width + advance_of(font, character);
        if (wider > width && before > text) {
            if (fits.end > text && character != ' ') return fits;
            break;
        }
        if (character == ' ') fits = (span){ text, before, at, line.width };
        line = (span){ text, at, at, wider };
    }
    if (*line.next == '\n') ++line.next;
    return line;
}

/* The text with every bad byte replaced, to be freed. */
static char *clean(const char *text)
{
    char *copy = strdup(text);
    for (int64_t bad; copy && (bad = utf8_check(copy)) >= 0;) copy[bad] = '?';
    return copy;
}

int label_height(label_font *font, const char *text, int width)
{
    char *copy = font && text ? clean(text) : NULL;
    int lines = 0;
    for (const char *at = copy; at && *at; ++lines) at = next_line(font, at, width).next;
    free(copy);
    return font ? lines * font->line : 0;
}

static void draw_glyph(const FT_GlyphSlot glyph, image *onto, int x, int y)
{
    for (int row = 0; row < (int)glyph->bitmap.rows; ++row) {
        for (int column = 0; column < (int)glyph->bitmap.width; ++column) {
            int to_x = x + glyph->bitmap_left + column, to_y = y - glyph->bitmap_top + row;
            if (to_x < 0 || to_y < 0 || to_x >= onto->width || to_y >= onto->height) continue;
            unsigned ink = glyph->bitmap.buffer[(ptrdiff_t)row * glyph->bitmap.pitch + column];
            uint8_t *pixel = onto->pixels + ((size_t)to_y * (size_t)onto->width + (size_t)to_x) * 3;
            for (int c = 0; c < 3; ++c) pixel[c] = (uint8_t)(pixel[c] * (255u - ink) / 255u);
        }
    }
}

static void draw_line(label_font *font, const span *line, image *onto, int x, int baseline)
{
    for (const char *at = line->begin; at < line->end;) {
        uint32_t character = utf8_next(&at);
        if (FT_Load_Glyph(font->face, glyph_of(font, character), FT_LOAD_RENDER | FT_LOAD_TARGET_LIGHT))
            continue;
        const FT_GlyphSlot glyph = font->face->glyph;
        if (glyph->bitmap.pixel_mode == FT_PIXEL_MODE_GRAY) draw_glyph(glyph, onto, x, baseline);
        x += (int)((glyph->advance.x + 32) >> 6);
    }
}

void label_draw(label_font *font, const char *text, image *onto, int x, int y, int width)
{
    char *copy = font && text ? clean(text) : NULL;
    for (const char *at = copy; at && *at; y += font->line) {
        span line = next_line(font, at, width);
        draw_line(font, &line, onto, x + (width > line.width ? (width - line.width) / 2 : 0),
                  y + font->ascent);
        at = line.next;
    }
    free(copy);
}
