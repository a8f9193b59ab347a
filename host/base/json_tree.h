/* json_tree.h -- reads and builds libjansson's values so that lack of memory is seen.
 * The library's own reader drops bytes or finds a mistake in the text when memory runs out, and a value
 * that could not be added is missing without a word.  Here reading fails with `memory` set, and a tree
 * that lost anything is NULL.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_JSON_TREE_H
#define DALLE_CL_BASE_JSON_TREE_H

#include "host/base/error.h"
#include <jansson.h>
#include <stddef.h>

typedef struct json_tree_problem {
    int line;    /* counts from 1 */
    size_t byte; /* counts from 0 */
    bool memory; /* ran out; otherwise the text is wrong */
    char text[120];
} json_tree_problem;

/* `size` bytes that hold an object or an array (RFC 8259, UTF-8) and nothing else.  A key that comes again
 * is a mistake, or with `repeats` takes the place of the first.  NULL after filling in *problem. */
json_t *json_tree_read(const char *text, size_t size, bool repeats, json_tree_problem *problem);
/* The same as an error: "where:line: what", or that memory ran out for `where`. */
json_t *json_tree_parse(const char *text, size_t size, const char *where, error *err);
json_t *json_tree_open(const char *path, error *err); /* a file's content */

/* These take `value`.  If it is NULL, or memory runs out, the tree is given back and *tree is NULL; then
 * they do nothing, so that a tree is built without checks and looked at once. */
void json_tree_put(json_t **tree, const char *key, json_t *value); /* into an object */
void json_tree_add(json_t **tree, json_t *value);                  /* to the end of an array */

/* A text for a tree; bytes that are not UTF-8, as a driver's words may hold, become question marks. */
json_t *json_tree_string(const char *text);

/* Takes the tree, which may be NULL, and gives its text form, to be freed; NULL with an error that memory
 * ran out for `what`.  `flags` are those of json_dumps. */
char *json_tree_text(json_t *tree, size_t flags, const char *what, error *err);

#endif
