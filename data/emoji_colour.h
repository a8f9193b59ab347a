/* emoji_colour.h -- which one colour a picture on white has, and the same picture in another.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_EMOJI_COLOUR_H
#define DALLE_CL_DATA_EMOJI_COLOUR_H

#include "data/image.h"

typedef struct emoji_colour {
    const char *name; /* of what most of the picture shows, or NULL */
    bool one_hue;     /* all that is coloured has one hue, and it is most of the picture */
    float hue;        /* in degrees, if one_hue */
    float value;      /* how bright the coloured part is, 0 to 1 */
} emoji_colour;

emoji_colour emoji_colour_of(const image *picture);

/* The colours that a thing can be given. */
typedef struct emoji_hue {
    const char *name;
    float hue, paler; /* degrees; 0 = as it was, 1 = white */
    bool bright;      /* a dark picture would not look like it: dark orange is brown */
} emoji_hue;
extern const emoji_hue emoji_hues[];
extern const int emoji_hue_count;

/* Moves every hue by the way from `from` (degrees) to the new one. */
void emoji_colour_move(image *picture, float from, const emoji_hue *to);

/* Whether `word`, of `length` bytes, names a colour. */
bool emoji_colour_is_name(const char *word, size_t length);

#endif
