/* dataset_tar_name.h -- what a tar's member is called.
 * Names: tar_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_TAR_NAME_H
#define DALLE_CL_DATA_DATASET_TAR_NAME_H

struct archive_entry;

/* As listing the tar has it: without "./" and the like, to be freed.  NULL when memory is out. */
char *tar_name(struct archive_entry *entry);

#endif
