/* emoji_split.h -- which emoji are held out for validation.
 * What is held out combines parts that are all seen in training: of the variants of one emoji by skin
 * tone, the fifth (rounded down) whose keys have the lowest CRC-32; and eight colours of things that
 * training shows in other colours.  Every other emoji is for training.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_EMOJI_SPLIT_H
#define DALLE_CL_DATA_EMOJI_SPLIT_H

#include "data/emoji_list.h"

/* Sets held_out in every entry. */
bool emoji_split(emoji_list *list, error *err);
bool emoji_is_skin_tone(uint32_t point);
/* Whether a thing of this name in this colour is one of the eight, or might be taken for one. */
bool emoji_split_holds_out(const char *name, const char *colour);
/* False of a text that names such a thing and such a colour, of whatever. */
bool emoji_split_may_say(const char *text);

#endif
