/* labels.h -- what pictures are to be told apart by: a file of labels, or a list, and which of them a
 * picture of a set has by its place.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_LABELS_H
#define DALLE_CL_CLI_LABELS_H

#include "app/cli/collection.h"

typedef struct labels labels;

/* A file with one a line, where an empty line or one that begins with '#' is none, or "a, b, c".  Two at
 * least; one that comes again is said, and counts once. */
labels *labels_open(const char *given, error *err);
void labels_close(labels *l);
int labels_count(const labels *l);
const char *const *labels_list(const labels *l);

/* *label is the label that the text is, or -1.  Case, and which of "_", "-" and space parts words, do not
 * matter.  False: memory was out. */
bool labels_find(const labels *l, const char *text, int *label, error *err);
/* The label that a picture has, or -1: the innermost folder of its key that is one, the folder that was
 * named, or a caption. */
bool labels_of(const labels *l, const collection_item *item, int *label, error *err);

#endif
