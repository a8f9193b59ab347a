/* config.h -- settings described once, in a table.
 * A `config.def` file is one X-macro list (type, key, default, min, max, help).  Including it makes the
 * enums of its choices and the struct; the table made from it parses, checks, prints and documents:
 *
 *     #define CONFIG_AS_ENUMS
 *     #include "host/base/config_def.h"
 *     #include "models/prior/config.def"
 *     #include "host/base/config_undef.h"
 *     typedef struct prior_config {
 *     #define CONFIG_AS_STRUCT
 *     ... the same three lines
 *     } prior_config;
 *
 * CONFIG_CHOICE(prior_attention, attention, sparse, help, sparse, full) is a member `attention` of the type
 * `enum prior_attention { prior_attention_sparse, prior_attention_full }`.
 * Text form: `key = value` lines, '#' starts a comment; an unknown or repeated key or a value outside
 * its range is an error that names the place, the nearest key and the range.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_CONFIG_H
#define DALLE_CL_BASE_CONFIG_H

#include "host/base/error.h"
#include <stddef.h>
#include <stdint.h>

#define CONFIG_TEXT_SIZE 256
#define CONFIG_FILE_MOST (1 << 20) /* bytes */

typedef enum config_type {
    CONFIG_TYPE_INT,    /* int64_t */
    CONFIG_TYPE_REAL,   /* double */
    CONFIG_TYPE_BOOL,   /* bool; yes/no, true/false, on/off, 1/0 */
    CONFIG_TYPE_CHOICE, /* an enum, in the order of `choices` */
    CONFIG_TYPE_TEXT    /* char[CONFIG_TEXT_SIZE] */
} config_type;

typedef struct config_field {
    config_type type;
    const char *key;
    size_t offset;
    const char *value;   /* the default, as text */
    double low, high;    /* INT and REAL */
    const char *choices; /* CHOICE: "gumbel|vq" */
    const char *help;
} config_field;

/* Another name by which a setting may be given; it is printed under its own.  Key NULL: a setting that older
 * files have, and that says nothing any more. */
typedef struct config_alias {
    const char *name, *key;
} config_alias;

typedef struct config_table {
    const char *name; /* "prior": starts error messages that have no file */
    const config_field *fields;
    int count;
    size_t size;                 /* of the struct */
    const config_alias *aliases; /* ends with an empty one; NULL: none */
} config_table;

/* Fills the struct with the defaults. */
void config_defaults(const config_table *table, void *config);
/* Reads `key = value` lines over what the struct holds; `where` names the text in errors. */
bool config_parse(const config_table *table, void *config, const char *text, const char *where, error *err);
/* The same of a file, which has at most CONFIG_FILE_MOST bytes, none of them zero. */
bool config_read(const config_table *table, void *config, const char *path, error *err);
/* One "key=value", as given to --set. */
bool config_assign(const config_table *table, void *config, const char *assignment, const char *where,
                   error *err);
/* All settings as `key = value` lines in table order, so that parse(format(c)) == c; to be freed. */
char *config_format(const config_table *table, const void *config);
/* A reference for people: key, default, range, help; to be freed. */
char *config_help(const config_table *table);
/* One setting of two structs of the same table. */
bool config_same(const config_field *f, const void *a, const void *b);
void config_copy(const config_field *f, void *to, const void *from);
/* Its value as in the text form; to be freed. */
char *config_value(const config_field *f, const void *config);
const config_field *config_find(const config_table *table, const char *key);

/* "-12", and unless `whole` "1.5" and "3e-4": what strtod also takes, " 1", "0x10" and "inf", is none. */
bool config_is_number(const char *text, bool whole);

/* The name among `names` nearest to `word` by edit distance, the only one that it begins,
 * or NULL if none is near.  Capital letters are small ones. */
const char *config_nearest(const char *word, const char *const *names, int count);

#endif
