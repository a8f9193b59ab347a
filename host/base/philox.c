/* philox.c -- Philox4x32-10, from "Parallel Random Numbers: As Easy as 1, 2, 3", section 3.3.
 * SPDX-License-Identifier: MIT */
#include "host/base/philox.h"

#include <math.h>

void philox4x32_10(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; ++round) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint32_t philox_stream(const char *name)
{
    uint32_t hash = 2166136261u;
    for (const unsigned char *c = (const unsigned char *)name; *c; ++c) hash = (hash ^ *c) * 16777619u;
    return hash;
}

static void philox_words(const philox *p, uint32_t element, uint32_t words[4])
{
    const uint32_t counter[4] = { element / 4, p->step, p->stream, 0 };
    const uint32_t key[2] = { (uint32_t)p->seed, (uint32_t)(p->seed >> 32) };
    philox4x32_10(counter, key, words);
}

static float uniform_of(uint32_t bits)
{
    return (float)(bits >> 9) * 0x1p-23f + 0x1p-24f;
}

uint32_t philox_bits(const philox *p, uint32_t element)
{
    uint32_t words[4];
    philox_words(p, element, words);
    return words[element % 4];
}

float philox_uniform(const philox *p, uint32_t element)
{
    return uniform_of(philox_bits(p, element));
}

float philox_normal(const philox *p, uint32_t element)
{
    uint32_t words[4];
    philox_words(p, element, words);
    const uint32_t *pair = words + (element & 2u);
    double radius = sqrt(-2.0 * log((double)uniform_of(pair[0])));
    double angle = 6.283185307179586 * (double)uniform_of(pair[1]);
    return (float)(radius * (element & 1u ? sin(angle) : cos(angle)));
}

uint32_t philox_below(const philox *p, uint32_t element, uint32_t limit)
{
    return (uint32_t)((uint64_t)philox_bits(p, element) * limit >> 32);
}
