/* tokenizer_check.h -- looks a SentencePiece file over before the library trusts it.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_TOKENIZER_CHECK_H
#define DALLE_CL_DATA_TOKENIZER_CHECK_H

#include <stddef.h>

/* NULL if the model is byte-pair encoding and its tables stay within themselves, else what is wrong. */
const char *tokenizer_check(const void *model, size_t bytes);
/* Takes out of a checked model, in place, the texts that the library would try it with when it is opened,
 * and print as they are where they come out otherwise.  Returns how many bytes are left. */
size_t tokenizer_check_untested(void *model, size_t bytes);

#endif
