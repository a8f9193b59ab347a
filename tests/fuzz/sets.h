/* sets.h -- what the targets do with a data set that could be opened.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_FUZZ_SETS_H
#define DALLE_CL_TESTS_FUZZ_SETS_H

/* Opens what lies at `path`, and reads all texts and some pictures. */
void sets_read(const char *path);

#endif
