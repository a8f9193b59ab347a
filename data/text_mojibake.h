/* text_mojibake.h -- text that was read in the wrong character set ("cafÃ©"), found and read again.
 * The method, the groups of characters and the sequences that give it away are those of ftfy 6.3 (Robyn
 * Speer), restated as tables.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_TEXT_MOJIBAKE_H
#define DALLE_CL_DATA_TEXT_MOJIBAKE_H

#include "data/text_runes.h"

/* Are there neighbours in it that hardly anybody would write?  Says so also without memory: t->failed. */
bool text_mojibake_is_likely(text_runes *t);

void text_mojibake_fix(text_runes *t);
void text_mojibake_fix_controls(text_runes *t); /* U+0080 to U+009F as the Windows-1252 that they were */

#endif
