/* dataset_source.h -- lists what a tar or a folder holds, for dataset.c.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_SOURCE_H
#define DALLE_CL_DATA_DATASET_SOURCE_H

#include "host/base/arena.h"
#include "host/base/error.h"
#include <stdint.h>

#define SOURCE_MAX_CAPTIONS (1 << 20) /* bytes of one KEY.txt */
#define SOURCE_MAX_DETAILS  (1 << 20) /* bytes of one KEY.json */
#define SOURCE_MAX_PICTURE  (256 << 20)

typedef enum member_kind { MEMBER_PICTURE, MEMBER_CAPTION, MEMBER_DETAILS } member_kind;

typedef struct member {
    const char *key;
    const char *path;  /* of the file, in a folder; NULL in a tar */
    const char *text;  /* of captions and details; NULL if they are longer than allowed */
    const void *bytes; /* of pictures in a compressed tar, else NULL */
    int64_t offset, size;
    int64_t order; /* of appearance */
    int source;
    member_kind kind;
} member;

typedef struct member_list {
    arena *memory; /* holds all texts and bytes */
    member *items;
    int64_t count, room;
} member_list;

/* `file` is the tar, open for reading; a plain tar's pictures stay in it. */
bool source_tar(member_list *list, const char *path, int file, int source, error *err);
bool source_folder(member_list *list, const char *path, int source, error *err);

/* Whether the name is that of a member, of which kind, and how long its key is. */
bool source_kind(const char *name, bool first_dot, member_kind *kind, size_t *key_length);
bool source_add(member_list *list, const member *m, error *err);
int64_t source_text_limit(member_kind kind);

#endif
