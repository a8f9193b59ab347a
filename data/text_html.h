/* text_html.h -- HTML's character references, "&eacute;" or "&#233;", as the characters they stand for.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_TEXT_HTML_H
#define DALLE_CL_DATA_TEXT_HTML_H

#include "data/text_runes.h"

/* As HTML5 reads text, and Python's html.unescape: old names also without their semicolon ("&ampere"), and
 * numbers that are no characters by the standard's table. */
void text_html_unescape(text_runes *t);

/* Only references that cannot be meant otherwise, as ftfy does: complete ones, and, where the standard has no
 * such name, those whose letters were all made capitals ("&NTILDE;"). */
void text_html_unescape_sure(text_runes *t);

#endif
