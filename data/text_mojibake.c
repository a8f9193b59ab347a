/* text_mojibake.c -- which sequences of characters are most likely misread ones.
 * SPDX-License-Identifier: MIT */
#include "data/text_mojibake.h"

#include <stddef.h>
#include <stdlib.h>
#include <uchar.h>

/* Groups of characters; data/text_mojibake.def says who is in which. */
enum {
    COMMON = 1 << 0, /* in many contexts */
    C1 = 1 << 1,     /* control characters of the second kind */
    BAD = 1 << 2,    /* in hardly anything but misread text */
    LAW = 1 << 3,
    CURRENCY = 1 << 4,
    START = 1 << 5, /* punctuation before a word */
    END = 1 << 6,   /* and behind it */
    NUMERIC = 1 << 7,
    FACE = 1 << 8,     /* letters of which faces are drawn */
    UPPER = 1 << 9,    /* accented capitals */
    LOWER = 1 << 10,   /* accented small letters */
    CAPITAL = 1 << 11, /* other capitals that misread text has */
    SMALL = 1 << 12,
    BOX = 1 << 13,
    /* These are not in the table. */
    LATIN_CAPITAL = 1 << 14,
    LATIN_SMALL = 1 << 15,
    SPACE = 1 << 16,
    WORD = 1 << 17,
    OTHER = 1 << 18,  /* not a Latin letter without accent */
    INLINE = 1 << 19, /* no line end */
    LATIN = LATIN_CAPITAL | LATIN_SMALL,
    MARKED = BAD | LOWER | UPPER | BOX | START | END | CURRENCY | NUMERIC | LAW,
    MARKED_NOT_BAD = MARKED & ~BAD,
    ENCLOSED = C1 | BAD | START | END | CURRENCY,
};

typedef struct group {
    uint16_t first, last;
    uint16_t of;
} group;

static const group groups[] = {
#define GROUP(first, last, of) { first, last, of },
#include "data/text_mojibake.def"
#undef GROUP
};

/* A character of one of these groups, or one of these. */
typedef struct place {
    int of;
    const char16_t *also;
} place;

#define LONGEST 7

typedef struct rule {
    place at[LONGEST];
    int only_first; /* only at the beginning of the text */
} rule;

#define ANY(of) \
    { \
        of, NULL \
    }
#define ONE(text) \
    { \
        0, u##text \
    }
#define EITHER(of, text) \
    { \
        of, u##text \
    }

static const rule rules[] = {
    { { ANY(C1) }, 0 },
    { { ANY(MARKED), ANY(BAD) }, 0 },
    { { ANY(LATIN), ANY(SMALL | CAPITAL), ANY(BAD) }, 0 },
    { { ANY(BAD), ANY(MARKED_NOT_BAD) }, 0 },
    { { ANY(LOWER | SMALL | BOX | END | CURRENCY | NUMERIC), ANY(UPPER) }, 0 },
    { { ANY(BOX | END | CURRENCY | NUMERIC), ANY(LOWER) }, 0 },
    { { ANY(LOWER | BOX | END), ANY(CURRENCY) }, 0 },
    { { ANY(SPACE), ANY(UPPER), ANY(CURRENCY) }, 0 },
    { { ANY(UPPER | BOX), ANY(NUMERIC | LAW) }, 0 },
    { { ANY(LOWER | UPPER | BOX | CURRENCY | END), ANY(START), ANY(NUMERIC) }, 0 },
    { { ANY(LOWER | UPPER | CURRENCY | NUMERIC | BOX | LAW), ANY(END), ANY(START) }, 0 },
    { { ANY(CURRENCY | NUMERIC | BOX), ANY(START) }, 0 },
    { { ANY(LATIN_SMALL), ANY(UPPER), ANY(START | CURRENCY) }, 0 },
    { { ANY(BOX), ANY(FACE) }, 0 },
    { { ANY(LOWER | UPPER | CURRENCY | NUMERIC | START | END | LAW), ANY(BOX) }, 0 },
    { { ANY(BOX), ANY(END) }, 0 },
    { { ANY(LOWER | UPPER), ANY(START | END), ANY(WORD) }, 0 },
    { { ONE("\u0152\u0153"), ANY(OTHER) }, 0 },
    { { ANY(UPPER), ONE("°") }, 0 },
    /* UTF-8 read as Windows-1252: two characters, Arabic, and the first two of three of Indian scripts. */
    { { ONE("ÂÃÎÐ"), EITHER(START | END, "€œŠš¢£Ÿž\u00a0\u00ad®©°·»–—´") }, 0 },
    { { ONE("×"), ONE("²³") }, 0 },
    { { ONE("ØÙ"), EITHER(COMMON | CURRENCY | BAD | NUMERIC | START, "ŸŠ®°µ»"), ONE("ØÙ"),
        EITHER(COMMON | CURRENCY | BAD | NUMERIC | START, "ŸŠ®°µ»") },
      0 },
    { { ONE("à"), ONE("²µ¹¼½¾") }, 0 },
    /* As MacRoman. */
    { { ONE("√"), ONE("±∂†≠®™´≤≥¥µø") }, 0 },
    { { ONE("≈"), ONE("°¢") }, 0 },
    { { ONE("‚"), ONE("Ä"), ONE("ìîïòôúùû†°¢π") }, 0 },
    { { ONE("‚"), ONE("âó"), ONE("àä°ê") }, 0 },
    /* As Windows-1251: punctuation, Cyrillic and Latin 1, and misread twice beside Latin letters. */
    { { ONE("в"), ONE("Ђ") }, 0 },
    { { ONE("ВГРС"), EITHER(ENCLOSED, "°µ"), ONE("ВГРС") }, 0 },
    { { ONE("Г"), ONE("ў"), ONE("В"), ONE("Ђ"), ONE("В"), ANY(INLINE), EITHER(LATIN, " ") }, 0 },
    /* As Windows-1252: a letter with a space that was a no-break space, and that space itself. */
    { { ONE("Ã"), ONE("\u00a0¡") }, 0 },
    { { ANY(LATIN_SMALL), ONE("ÃÂ"), ONE(" ") }, 0 },
    { { ANY(LATIN_SMALL), ANY(SPACE), ONE("ÃÂ"), ONE(" ") }, 0 },
    { { ONE("ÃÂ"), ONE(" ") }, 1 },
    { { EITHER(LATIN_SMALL | END, ".,?!"), ONE("Â"), EITHER(START | END, " ") }, 0 },
    /* As Windows-1253: punctuation, Greek and Latin 1. */
    { { ONE("β"), ONE("€"), ONE("™\u00a0Ά\u00ad®°") }, 0 },
    { { ONE("ΒΓΞΟ"), EITHER(ENCLOSED, "°"), ONE("ΒΓΞΟ") }, 0 },
    /* As Windows-1257. */
    { { ONE("ā"), ONE("€") }, 0 },
};

static int compare(const void *key, const void *element)
{
    uint32_t c = *(const uint32_t *)key;
    const group *g = element;
    return c < g->first ? -1 : c > g->last;
}

static int groups_of(uint32_t c)
{
    int of = c == '\n' ? 0 : INLINE;
    if (c >= 'A' && c <= 'Z') return of | LATIN_CAPITAL | WORD;
    if (c >= 'a' && c <= 'z') return of | LATIN_SMALL | WORD;
    of |= OTHER;
    if (text_runes_is_space(c)) of |= SPACE;
    if (text_runes_is_letter(c) || text_runes_is_number(c) || c == '_') of |= WORD;
    if (c < 0x80) return of;
    const group *g = bsearch(&c, groups, sizeof groups / sizeof *groups, sizeof *groups, compare);
    return g ? of | g->of : of;
}

static bool is_at(const place *p, uint32_t c, int of)
{
    if (p->of & of) return true;
    for (const char16_t *also = p->also; also && *also; ++also)
        if (*also == c) return true;
    return false;
}

static bool holds(const rule *r, const text_runes *t, const int *of, int64_t at)
{
    if (r->only_first && at > 0) return false;
    for (int i = 0; i < LONGEST && (r->at[i].of || r->at[i].also); ++i)
        if (at + i >= t->count || !is_at(&r->at[i], t->at[at + i], of[at + i])) return false;
    return true;
}

static bool any_holds(const text_runes *t, const int *of, int64_t at)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; ++i)
        if (holds(&rules[i], t, of, at)) return true;
    return false;
}

bool text_mojibake_is_likely(text_runes *t)
{
    bool likely = false;
    if (t->failed || t->count == 0) return false;
    int *of = malloc((size_t)t->count * sizeof *of);
    if (!of) return t->failed = TEXT_RUNES_NO_MEMORY, false;
    for (int64_t i = 0; i < t->count; ++i) of[i] = groups_of(t->at[i]);
    for (int64_t i = 0; i < t->count && !likely; ++i) likely = any_holds(t, of, i);
    free(of);
    return likely;
}
