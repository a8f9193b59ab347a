/* label.h -- lines of text in a picture, black, in a sans-serif font the system has.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_LABEL_H
#define DALLE_CL_DATA_LABEL_H

#include "data/image.h"

typedef struct label_font label_font;

/* NULL, after a warning, if there is no font: pictures then go without labels.  One thread at a time. */
label_font *label_font_open(int pixels);
void label_font_close(label_font *font);

/* The height of the text when wrapped to `width` pixels, at words if possible.  Bytes that are not UTF-8
 * become question marks, and so do characters the font lacks.  0 for no text or no font. */
int label_height(label_font *font, const char *text, int width);
/* Draws it with its upper left corner at x, y, every line in the middle of the width. */
void label_draw(label_font *font, const char *text, image *onto, int x, int y, int width);

#endif
