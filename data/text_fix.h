/* text_fix.h -- mends what goes wrong with text on its way, as ftfy 6.3's fix_text does with its defaults:
 * HTML in plain text, text read in the wrong character set, terminal commands, ligatures, wide and narrow
 * forms, curly quotes, line ends, control characters, and marks that are apart from their letters (NFC).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_TEXT_FIX_H
#define DALLE_CL_DATA_TEXT_FIX_H

#include "data/text_runes.h"

void text_fix(text_runes *t);

#endif
