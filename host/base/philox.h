/* philox.h -- counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011).
 * cl/random.clh is the same function, bit for bit; a test compares them on every device.
 *
 * One draw is named by (seed, step, stream, element) and needs no state:
 *   key     = { seed low, seed high }
 *   counter = { element / 4, step, stream, 0 };  word element % 4 of the result is used.
 * `stream` is philox_stream("scoped name of the operator or purpose").
 * Names: philox_, philox4x32.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_PHILOX_H
#define DALLE_CL_BASE_PHILOX_H

#include <stdint.h>

typedef struct philox {
    uint64_t seed;
    uint32_t step;
    uint32_t stream;
} philox;

void philox4x32_10(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
uint32_t philox_stream(const char *name); /* 32-bit FNV-1a */

uint32_t philox_bits(const philox *p, uint32_t element);
/* In (0, 1), both ends excluded: (bits >> 9) * 2^-23 + 2^-24, which is exact in float.  (With 24 random
 * bits the largest value would round to 1, and Gumbel noise to infinity.) */
float philox_uniform(const philox *p, uint32_t element);
/* Standard normal by Box-Muller from words 2*(element/2), 2*(element/2)+1: even elements take the
 * cosine, odd ones the sine.  Host only: used to initialise parameters. */
float philox_normal(const philox *p, uint32_t element);
/* An integer in [0, limit), limit >= 1, by multiply-shift. */
uint32_t philox_below(const philox *p, uint32_t element, uint32_t limit);

#endif
