/* emoji_font.h -- the pictures of a colour font (CBDT: one PNG per glyph).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_EMOJI_FONT_H
#define DALLE_CL_DATA_EMOJI_FONT_H

#include "data/image.h"

typedef struct emoji_font emoji_font;

emoji_font *emoji_font_open(const char *path, error *err);
void emoji_font_close(emoji_font *font);

/* *glyph draws the whole sequence; 0 if the font needs several or has none.  Fails when memory is out. */
bool emoji_font_glyph(const emoji_font *font, const uint32_t *points, int count, uint32_t *glyph, error *err);
/* The glyph's picture on white, in the middle of a square as wide as the font's strike. */
bool emoji_font_draw(const emoji_font *font, uint32_t glyph, image *out, error *err);

#endif
