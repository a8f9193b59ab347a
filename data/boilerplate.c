/* boilerplate.c -- see boilerplate.h.
 * SPDX-License-Identifier: MIT */
#include "data/boilerplate.h"
#include "data/dataset.h"
#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define MONTH \
    "(jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(" \
    "ember)?|" \
    "dec(ember)?)\\.?"
#define YEAR "(1[89]|20)[0-9][0-9]"
#define NTH  "[0-3]?[0-9](st|nd|rd|th)?"
#define DATE \
    "((" YEAR "[-./:][0-1]?[0-9][-./:][0-3]?[0-9])|([0-3]?[0-9][-./][0-3]?[0-9][-./](" YEAR "|[0-9][0-9]))|" \
    "(" NTH "( of)? " MONTH ",? " YEAR ")|(" MONTH " " NTH ",? " YEAR ")|(" MONTH ",? " YEAR ")|(" NTH \
    "( of)? " MONTH ")|(" MONTH " " NTH "))"
#define TIME "[0-2]?[0-9][:.][0-5][0-9]([:.][0-5][0-9])?( ?[ap]\\.?m\\b\\.?)?"
#define WHEN "((mon|tues|wednes|thurs|fri|satur|sun)day,? )?" DATE "((,| at|T)? ?" TIME ")?"
#define MADE \
    "(taken|photographed|shot|captured|uploaded|posted|scanned|created|added|published|recorded|made)"
#define WORK "(photo(graph)?|picture|image|pic|snapshot|file|scan|shot)"

/* Each a phrase; letters of either case. */
static const char *const patterns[] = {
    "\\b((this |the )?" WORK "( was| is)? )?(" MADE " )?(on |in |at |from |of |dated? |date: )?(the )?" WHEN
    "\\b",
    "\\b((this |the )?" WORK "( was| is)? )" MADE
    "( on| in| at| by| with)\\b( (my |a |an |the )?(camera|phone|"
    "iphone|smartphone|instagram))?",
    "\\b(img|dsc[fn]?|dscf|pict?|mvi|sam|kif|cimg|imgp|pano|vid|gopr|pxl|screenshot|scan|image|photo|picture|"
    "untitled)[-_ ]?[0-9][-_0-9]*(\\.[a-z]{3,4})?\\b",
    "\\b[0-9]{2,}[-_][-_0-9]{3,}(\\.[a-z]{3,4})?\\b",
    "\\b[^ ]+\\.(jpe?g|png|gif|tiff?|bmp|webp|heic|raw|cr2|nef)\\b",
    "\\b(no|without( a)?|add( a)?) (captions?|descriptions?|titles?|alt text)( yet)?( (is |was )?(available|"
    "provided|given|found))?\\b",
    "\\b(untitled|unnamed|image not found|image may contain)\\b",
    "\\b(all rights reserved|copyright( ©)?( " YEAR ")?|creative commons)\\b|©( " YEAR ")?",
    "\\b(click|tap)( here| on (the |this )?" WORK ")? (to|for) (enlarge|zoom|view|see|a larger|full)[a-z ]*",
    "\\bhttps?://[^ ]+|\\bwww\\.[^ ]+",
    "\\b(image|photo|picture|slide|page|figure) ?#?[0-9]+( ?(of|/) ?[0-9]+)?\\b",
};
enum { PATTERNS = sizeof patterns / sizeof *patterns };

struct boilerplate {
    regex_t compiled[PATTERNS];
    int count;
};

boilerplate *boilerplate_open(error *err)
{
    boilerplate *b = calloc(1, sizeof *b);
    int code = 0;
    while (b && b->count < PATTERNS &&
           (code = regcomp(&b->compiled[b->count], patterns[b->count], REG_EXTENDED | REG_ICASE)) == 0)
        ++b->count;
    CHECK(code == 0 || code == REG_ESPACE, "phrase %d is no pattern (%d)", b->count, code);
    if (b && code == 0) return b;
    boilerplate_close(b);
    return error_null(err, ERROR_MEMORY, "out of memory for the phrases of captions that say nothing");
}

void boilerplate_close(boilerplate *b)
{
    for (int i = 0; b && i < b->count; ++i) regfree(&b->compiled[i]);
    free(b);
}

/* Letters of any script, and digits; each byte of a longer character counts. */
static bool counts(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

static void mark(const regex_t *r, const char *caption, char *marks)
{
    regmatch_t found;
    for (const char *at = caption; *at && regexec(r, at, 1, &found, at > caption ? REG_NOTBOL : 0) == 0;) {
        for (regoff_t i = found.rm_so; i < found.rm_eo; ++i) marks[at - caption + i] = 1;
        at += found.rm_eo > 0 ? found.rm_eo : 1;
    }
}

bool boilerplate_is(const boilerplate *b, const char *caption)
{
    char marks[DATASET_MAX_CAPTION + 1] = "", text[DATASET_MAX_CAPTION + 1];
    size_t length = strnlen(caption, DATASET_MAX_CAPTION), all = 0, marked = 0;
    memcpy(text, caption, length);
    text[length] = 0;
    for (int i = 0; i < b->count; ++i) mark(&b->compiled[i], text, marks);
    for (size_t i = 0; i < length; ++i) {
        all += counts(text[i]);
        marked += counts(text[i]) && marks[i];
    }
    return 2 * marked > all;
}
