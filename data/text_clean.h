/* text_clean.h -- a caption as CLIP's published tokenizer cleans it before it is cut into words: mended
 * (text_fix.h), HTML resolved twice, runs of white space made one space, lower case.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_TEXT_CLEAN_H
#define DALLE_CL_DATA_TEXT_CLEAN_H

#include "data/text_runes.h"

/* The cleaned text; text.failed says whether it could be done.  To be freed with text_runes_free. */
text_runes text_clean(const char *utf8);

#endif
