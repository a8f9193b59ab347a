/* stats.h -- what a set holds: sizes, shapes, formats, captions, languages, and pictures that look alike.
 * Counts are exact, and so are quantiles but those of the aspect (to a hundredth); memory does not grow with
 * the set but for some 100 bytes a picture where duplicates are looked for.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_STATS_H
#define DALLE_CL_DATA_STATS_H

#include "data/dataset.h"
#include "data/perceptual_hash.h"
#include "data/tokenizer.h"
#include <signal.h>

/* How often each whole number came; those from `limit` on count as that one. */
typedef struct tally {
    int64_t *count; /* [limit + 1] */
    int64_t limit, total, least, most;
    double sum;
} tally;
/* The smallest number that a `share` of all do not exceed; 0 where there is none. */
int64_t stats_quantile(const tally *t, double share);
double stats_mean(const tally *t);

typedef struct stats_count {
    char name[16];
    int64_t count;
} stats_count;

#define STATS_LANGUAGES 256
#define STATS_FORMATS   8
#define STATS_ASPECTS   1000 /* aspects are counted in steps of 1 / STATS_STEP of an octave */
#define STATS_STEP      70   /* a hundredth */

typedef struct stats {
    int64_t samples, unreadable, uncaptioned, captions;
    tally width, height, side; /* pixels; side: the shorter one */
    tally aspect;              /* width / height: stats_aspect() of the number */
    tally bytes;               /* of picture files, in KiB */
    tally characters, words, tokens;
    tally per_picture;                                              /* captions */
    stats_count formats[STATS_FORMATS], languages[STATS_LANGUAGES]; /* frequent ones first */
    int format_count, language_count;
    int64_t
        *group; /* by sample: the first that looks like it, or itself; -1: unreadable; NULL: not asked for */
    int64_t *linked;     /* how far: distance from the first of the group */
    int64_t alike, same; /* pictures that another before them looks like; those at distance 0 from it */
} stats;

typedef struct stats_options {
    const tokenizer *tokenizer; /* NULL: tokens are not counted */
    int distance;               /* bits; below 0: duplicates are not looked for */
    int threads;
    const volatile sig_atomic_t *interrupted;
    void (*tell)(void *context, int64_t done, int64_t all);
    void *context;
} stats_options;

bool stats_of(const dataset *d, const stats_options *o, stats *out, error *err);
void stats_free(stats *s);

/* Width / height of a number of the tally `aspect`. */
double stats_aspect(int64_t number);

/* What a text has: characters, and runs of others than spaces. */
void stats_measure_text(const char *text, int64_t *characters, int64_t *words);

#endif
