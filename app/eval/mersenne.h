/* mersenne.h -- the random orders of NumPy's RandomState(seed), by which others' programs choose and order
 * samples: the Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), integers by masking and rejection,
 * and Fisher and Yates's shuffle from the end.  For figures that are to be theirs; all other random numbers
 * are Philox's.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_MERSENNE_H
#define DALLE_CL_EVAL_MERSENNE_H

#include <stdint.h>

enum { MERSENNE_WORDS = 624 };
typedef struct mersenne {
    uint32_t word[MERSENNE_WORDS];
    int next;
} mersenne;

void mersenne_seed(mersenne *m, uint32_t seed);
uint32_t mersenne_bits(mersenne *m);
/* RandomState.permutation(count), count at most 2^31; its first k are RandomState.choice(count, k,
 * replace=False). */
void mersenne_permutation(mersenne *m, int64_t count, int64_t *order);

#endif
