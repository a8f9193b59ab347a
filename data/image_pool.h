/* image_pool.h -- memory for lcms2, which does not take well to being refused any: it may crash or lose
 * what it has.  A pool therefore never refuses; it jumps out of the library, and its owner frees all.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_IMAGE_POOL_H
#define DALLE_CL_DATA_IMAGE_POOL_H

#include <lcms2.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct image_block image_block;

typedef struct image_pool {
    cmsContext context; /* of the library, whose memory comes from here */
    image_block *blocks;
    unsigned char *reserve; /* of the context itself, whose making must not be left half done */
    size_t reserved, taken;
    jmp_buf full; /* where image_pool_enter's caller goes on */
    bool memory;  /* it was memory that there was none of, not the limit that was passed */
} image_pool;

/* False when memory is out.  The pool stays where it is until it is closed. */
bool image_pool_open(image_pool *p);
void image_pool_close(image_pool *p); /* also one of zeros */

/* Between the two the thread's calls of the library may jump to p->full, which is to be set before. */
void image_pool_enter(image_pool *p);
void image_pool_leave(void);

#endif
