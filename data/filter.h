/* filter.h -- which samples of a set are fit to learn from: the paper's rules for what it collected from
 * the web (arXiv 2102.12092, appendix C), each of which may be left out, and two of ours.
 * A caption that breaks a rule is left out; a sample goes where its picture breaks one or no caption is left.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_FILTER_H
#define DALLE_CL_DATA_FILTER_H

#include "data/boilerplate.h"
#include "data/dataset.h"
#include <signal.h>

/* name, whether it is one of captions, what it refuses.  In the order in which they are asked. */
#define FILTER_RULES(X) \
    X(CAPTION, "caption", false, "pictures without a caption") \
    X(SHORT, "short", true, "captions of too few words or characters") \
    X(BOILERPLATE, "boilerplate", true, "captions that are mostly a date, a file's name and the like") \
    X(LANGUAGE, "language", true, "captions surely in another language") \
    X(UNREADABLE, "unreadable", false, "pictures that cannot be read") \
    X(ASPECT, "aspect", false, "pictures too wide or too high") \
    X(SIZE, "size", false, "pictures whose shorter side is too small") \
    X(DUPLICATE, "duplicate", false, "pictures that look like one before them")

typedef enum filter_rule {
#define FILTER_ENUM(id, name, text, help) FILTER_##id,
    FILTER_RULES(FILTER_ENUM)
#undef FILTER_ENUM
        FILTER_RULE_COUNT /* also: none */
} filter_rule;
const char *filter_name(filter_rule r);
const char *filter_help(filter_rule r);
bool filter_is_of_captions(filter_rule r);
filter_rule filter_find(const char *name); /* FILTER_RULE_COUNT: there is none of that name */

typedef struct filter_options {
    bool off[FILTER_RULE_COUNT];
    int64_t least_words, least_characters; /* of a caption */
    const char *language;                  /* a code of data/language.h */
    double aspect;      /* the largest width / height, and height / width; itself allowed */
    int64_t least_side; /* pixels of the shorter side */
    int distance;       /* DUPLICATE: bits between marks (data/perceptual_hash.h); below 0: the rule is off */
    int threads;
    const volatile sig_atomic_t *interrupted;
    void (*tell)(void *context, int64_t done, int64_t all);
    void *context;
} filter_options;
/* Those of the paper: at least 2 words and 5 characters (ours, it gives none), English, 1/2 to 2; SIZE and
 * DUPLICATE refuse nothing. */
filter_options filter_defaults(void);

/* The first rule that a caption or picture breaks; FILTER_RULE_COUNT: none. */
filter_rule filter_caption(const filter_options *o, const boilerplate *b, const char *caption);
filter_rule filter_size(const filter_options *o, int width, int height);

/* What went: captions one by one, and samples by the rule of their picture or, where no caption is left,
 * of the first. */
typedef struct filter_counts {
    int64_t samples, kept, captions, captions_kept;
    int64_t samples_by[FILTER_RULE_COUNT], captions_by[FILTER_RULE_COUNT];
} filter_counts;

/* Calls `keep` for each sample that stays, in order, on the caller's thread, with its picture's file and the
 * captions that are left. */
typedef struct filter_sample {
    int64_t index;
    const char *key;
    const void *bytes;
    size_t size;
    const char *const *captions;
    int caption_count;
} filter_sample;
typedef bool (*filter_keep)(void *context, const filter_sample *s, error *err);
bool filter_run(const dataset *d, const filter_options *o, filter_keep keep, void *context,
                filter_counts *out, error *err);

#endif
