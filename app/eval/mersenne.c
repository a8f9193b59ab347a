/* mersenne.c -- MT19937 as its authors describe it, and NumPy's shuffle.
 * SPDX-License-Identifier: MIT */
#include "app/eval/mersenne.h"

enum { WORDS = MERSENNE_WORDS, MIDDLE = 397 };

void mersenne_seed(mersenne *m, uint32_t seed)
{
    m->word[0] = seed;
    for (uint32_t i = 1; i < WORDS; ++i) {
        const uint32_t before = m->word[i - 1];
        m->word[i] = 1812433253u * (before ^ (before >> 30)) + i;
    }
    m->next = WORDS;
}

/* x[i] = x[i + 397] ^ A (the upper bit of x[i] with the lower bits of x[i + 1]), in place around the ring. */
static void turn(mersenne *m)
{
    for (int i = 0; i < WORDS; ++i) {
        const uint32_t joined = (m->word[i] & 0x80000000u) | (m->word[(i + 1) % WORDS] & 0x7fffffffu);
        m->word[i] = m->word[(i + MIDDLE) % WORDS] ^ (joined >> 1) ^ (joined & 1 ? 0x9908b0dfu : 0);
    }
    m->next = 0;
}

uint32_t mersenne_bits(mersenne *m)
{
    if (m->next == WORDS) turn(m);
    uint32_t y = m->word[m->next++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

/* 0 to most, both included. */
static uint32_t up_to(mersenne *m, uint32_t most)
{
    uint32_t mask = most, value;
    for (int shift = 1; shift < 32; shift *= 2) mask |= mask >> shift;
    do value = mersenne_bits(m) & mask;
    while (value > most);
    return value;
}

void mersenne_permutation(mersenne *m, int64_t count, int64_t *order)
{
    for (int64_t i = 0; i < count; ++i) order[i] = i;
    for (int64_t i = count - 1; i > 0; --i) {
        const int64_t j = up_to(m, (uint32_t)i), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
