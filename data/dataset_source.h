/* dataset_source.h -- lists what a tar, a folder, a table or COCO's captions hold, for dataset.c.
 * Names: source_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_SOURCE_H
#define DALLE_CL_DATA_DATASET_SOURCE_H

#include "data/dataset_options.h"
#include "host/base/arena.h"
#include "host/base/error.h"
#include <stdint.h>

#define SOURCE_MAX_CAPTIONS (1 << 20) /* bytes of one KEY.txt */
#define SOURCE_MAX_DETAILS  (1 << 20) /* bytes of one KEY.json */
#define SOURCE_MAX_PICTURE  (256 << 20)
#define SOURCE_NOBODYS      "no picture is named so" /* why a text is left out that may be somebody's note */

typedef enum member_kind { MEMBER_PICTURE, MEMBER_CAPTION, MEMBER_DETAILS } member_kind;

typedef struct member {
    const char *name;   /* within the tar or folder */
    const char *key;    /* the name up to the last dot of its last part */
    size_t key_length;  /* of the key */
    size_t stem_length; /* of what stands before the first dot of the last part */
    const char *path;   /* of the file, in a folder or beside a list; NULL in a tar */
    /* Of captions and details: `size` bytes and a NUL, of any encoding; NULL if they are longer than allowed.
     * A list's captions are texts that stand in no file of their own, one a line; then offset < 0. */
    const char *text;
    const void *bytes; /* of pictures in a compressed tar, else NULL */
    int64_t offset, size;
    int64_t head, place; /* where its header and its bytes begin in the tar, as unpacked */
    int64_t order;       /* of appearance */
    int source;
    member_kind kind;
    bool foreign; /* a picture whose ending says that it is neither PNG nor JPEG */
} member;

typedef struct member_list {
    arena *memory; /* holds all texts and bytes */
    member *items;
    int64_t count, room;
    const char **left_out; /* "name: why" */
    int64_t left_out_count, left_out_room;
    bool locate; /* pictures of a compressed tar are not read but only located in what it unpacks to */
    int64_t pictures, held;           /* how many; bytes of texts, and of pictures in compressed tars */
    int64_t most_pictures, most_held; /* where listing stops, with an error and `over`; 0: nowhere */
    bool over;
    /* Of the sources, if there are several: stand before the names of what is left out. */
    const char *const *paths;
    bool lenient;                  /* a tar that is damaged is used as far as it is whole, and named */
    const source_options *options; /* of the source that is being listed; NULL: none */
} member_list;

/* Lists what `path`, with its options, names: it looks at the content.  *file becomes the tar, open for
 * reading, or -1. */
bool source_list(member_list *list, const char *path, int source, int *file, error *err);

/* Whether source_list takes it for a tar, and it has no options. */
bool source_is_tar(const char *path);

/* `file` is the tar, open for reading; a plain tar's pictures stay in it. */
bool source_tar(member_list *list, const char *path, int file, int source, error *err);
bool source_folder(member_list *list, const char *path, int source, error *err);
bool source_table(member_list *list, const char *path, int source, error *err); /* CSV, TSV */
bool source_coco(member_list *list, const char *path, int source, error *err);

void source_free(member_list *list); /* all but its memory */

/* Fills in what the name alone says, the key but for its copy.  False if it is no member's: another ending,
 * or a hidden file or folder, or one that macOS adds. */
bool source_kind(const char *name, member *m);
/* The same by the options of the source that is being listed, which may name parts. */
bool source_kind_in(const member_list *list, const char *name, member *m);
/* Whether the ending is one of pictures. */
bool source_is_picture(const char *name);
bool source_add(member_list *list, const member *m, error *err);
/* Before bytes are held for a member. */
bool source_hold(member_list *list, int64_t bytes, error *err);
/* Notes that a member, or something in it, is in no sample. */
bool source_leave_out(member_list *list, int source, const char *name, const char *why, error *err);
int64_t source_limit(member_kind kind);
/* Reads a part of an open file; `what` names it in the error. */
bool source_read(int file, int64_t offset, int64_t size, void *into, const char *what, error *err);

#endif
