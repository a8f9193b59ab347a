/* emoji.h -- builds a small text-to-picture data set out of what Debian ships: the pictures of
 * fonts-noto-color-emoji, the list of emoji of unicode-data, the keywords of unicode-cldr-core.
 * The tar (WebDataset) holds per emoji KEY.png, KEY.txt (its name) and KEY.json (codepoints, group,
 * subgroup, keywords, skin_tone, split, further captions, repeat).  Things of one colour are added in others
 * (recoloured).  Only emoji the font draws with one glyph are kept.  The same
 * packages give the same bytes.
 * Split: see emoji_split.h.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_EMOJI_H
#define DALLE_CL_DATA_EMOJI_H

#include "host/base/error.h"

#define EMOJI_FONT          "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
#define EMOJI_LIST          "/usr/share/unicode/emoji/emoji-test.txt"
#define EMOJI_WORDS         "/usr/share/unicode/cldr/common/annotations/en.xml"
#define EMOJI_ENGLISH       "/usr/share/unicode/cldr/common" /* has other kinds of English */
#define EMOJI_WORDS_DERIVED "/usr/share/unicode/cldr/common/annotationsDerived/en.xml"

/* NULL and 0 stand for the defaults above and 64 pixels. */
typedef struct emoji_options {
    const char *font, *list, *words, *words_derived;
    const char *english; /* a folder like EMOJI_ENGLISH; what it lacks is done without */
    int size;
    bool plain; /* the emoji alone, each with its name and no further caption */
} emoji_options;

/* Writes the tar, whole or not at all; *count, if wanted, is the number of emoji.  A missing file is an
 * error that names its Debian package. */
bool emoji_build(const emoji_options *options, const char *tar_path, int *count, error *err);

#endif
