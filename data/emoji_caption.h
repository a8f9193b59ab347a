/* emoji_caption.h -- further captions of all emoji, so that none is said of two pictures.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_EMOJI_CAPTION_H
#define DALLE_CL_DATA_EMOJI_CAPTION_H

#include "data/emoji_colour.h"
#include "data/emoji_list.h"

#define EMOJI_MOST_CAPTIONS 64 /* further ones of one picture */

/* Fills in `captions` of every entry.  Where several would have the same (articles, commas and case aside),
 * it is that one's whose exact name it is, else that one's with the best claim to it, else nobody's.
 * `colours` has one for each entry. */
bool emoji_captions(emoji_list *list, const emoji_colour *colours, error *err);

/* Appends things of one hue in other colours, at most `most`: not people, faces or flags; nothing that
 * looks like a real emoji, and none of the colours that emoji_split.h holds out. */
bool emoji_recolour(emoji_list *list, const emoji_colour *colours, int most, error *err);

#endif
