/* caption.h -- draws what is trained as a picture's caption: one of its captions or its keywords, perhaps
 * put into a template, shuffled, with words left out, or with words that are none of the picture's.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_CAPTION_H
#define DALLE_CL_DATA_CAPTION_H

#include "host/base/error.h"
#include "host/base/philox.h"

/* Texts with a place for a caption, one a line: `{}` is the caption, `{a}` the caption with its article
 * ("a", "an", or none before a plural, a proper name, "kind: thing", or a caption that has one).  An empty
 * line or one that begins with '#' is none.  May be used by any number of threads. */
typedef struct caption_templates caption_templates;

caption_templates *caption_templates_read(const char *text, const char *where, error *err);
caption_templates *caption_templates_open(const char *path, error *err);
void caption_templates_close(caption_templates *t);
int caption_templates_count(const caption_templates *t);
/* The line without comment; for words that the templates add. */
const char *caption_templates_at(const caption_templates *t, int index);
/* The list that is used where no file is given, as the text of such a file. */
const char *caption_templates_builtin(void);
/* The i-th template with the caption in its place, to be freed; NULL when memory is out. */
char *caption_templates_fill(const caption_templates *t, int index, const char *caption);

/* "a ", "an " or "", as the caption needs. */
const char *caption_article(const char *caption);

typedef struct caption_odds {
    double others; /* one of the further captions instead of the first */
    /* keywords instead: shuffled, or where `others` is above 0 as often some with the caption */
    double keywords;
    double templates;   /* the caption is put into a template */
    double shuffle;     /* the caption's words come in a drawn order */
    double drop_words;  /* each word after the first is left out; the last that is left never is */
    double stray_words; /* one or two of `strays` are put before or behind */
} caption_odds;

/* What may be drawn from. */
typedef struct caption_source {
    const char *caption; /* the first */
    const char *const *captions;
    int caption_count; /* further ones */
    const char *const *keywords;
    int keyword_count;
    const char *const *strays; /* words of all captions, for stray_words */
    int64_t stray_count;
} caption_source;

/* The caption for (seed, step, position in the batch), to be freed; NULL when memory is out.  `templates`
 * may be NULL.  All odds 0 give the first caption. */
char *caption_draw(const caption_source *source, const caption_odds *odds, const caption_templates *templates,
                   uint64_t seed, uint32_t step, uint32_t position);

#endif
