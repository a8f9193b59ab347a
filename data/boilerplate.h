/* boilerplate.h -- captions that say nothing of their picture: "photographed on 3 June 2010", "IMG_1234.JPG".
 * The paper drops those that "consist primarily of boilerplate phrases such as 'photographed on <date>',
 * where <date> matches various formats for dates" (arXiv 2102.12092, appendix C); the phrases are ours.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_BOILERPLATE_H
#define DALLE_CL_DATA_BOILERPLATE_H

#include "host/base/error.h"

/* May be used by any number of threads. */
typedef struct boilerplate boilerplate;
boilerplate *boilerplate_open(error *err);
void boilerplate_close(boilerplate *b);

/* Whether more than half of the caption's letters and digits stand in such phrases. */
bool boilerplate_is(const boilerplate *b, const char *caption);

#endif
