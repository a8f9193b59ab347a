/* caption.c -- see caption.h.
 * SPDX-License-Identifier: MIT */
#include "data/caption.h"
#include "host/base/file.h"
#include "host/base/utf8.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Templates ---- */

#define TEMPLATES_MOST (16 << 20) /* bytes of a file */

struct caption_templates {
    char *text; /* its lines end with NUL */
    const char **lines;
    int count;
};

const char *caption_templates_builtin(void)
{
    return "{}\n{}\n{}\n{a}\n{a}\n{a}\nthe {}\n{} emoji\n{a} emoji\n{}, emoji\nemoji of {a}\nan emoji of "
           "{a}\n"
           "emoji: {}\na picture of {a}\npicture of {a}\na picture of {}\nan image of {a}\nimage of {}\n"
           "an icon of {a}\n{} icon\nicon: {}\n{} on white\n{a} on a white background\n{} on white "
           "background\n"
           "a drawing of {a}\ndrawing of {}\na small {}\nlittle {}\na cute {}\n{} please\n{a}, please\ndraw "
           "{a}\n"
           "draw me {a}\ndraw a picture of {a}\nshow me {a}\nthis is {a}\na cartoon of {a}\n{} clipart\n"
           "a simple picture of {a}\n{} symbol\n";
}

void caption_templates_close(caption_templates *t)
{
    if (!t) return;
    free(t->text);
    free(t->lines);
    free(t);
}

/* What is wrong with a template, or NULL. */
static const char *problem_of(const char *line)
{
    int places = 0;
    if (utf8_check(line) >= 0) return "it is not valid UTF-8";
    for (const char *at = strpbrk(line, "{}"); at; at = strpbrk(at, "{}")) {
        size_t length = strncmp(at, "{}", 2) == 0 ? 2 : strncmp(at, "{a}", 3) == 0 ? 3 : 0;
        if (!length) return "a brace belongs to neither {} nor {a}";
        at += length;
        ++places;
    }
    if (places == 1) return NULL;
    return places ? "it has more than one place for the caption" : "it has no {} or {a} for the caption";
}

static char *trim(char *line)
{
    line += strspn(line, " \t\r");
    size_t length = strlen(line);
    while (length && strchr(" \t\r", line[length - 1])) line[--length] = 0;
    return line;
}

static bool read_lines(caption_templates *t, const char *where, error *err)
{
    int number = 0, room = 1;
    for (const char *at = t->text; (at = strchr(at, '\n')) != NULL; ++at) ++room;
    t->lines = malloc((size_t)room * sizeof *t->lines);
    if (!t->lines) return error_set(err, ERROR_MEMORY, "no memory for the templates of '%s'", where);
    for (char *line = t->text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        ++number;
        line = trim(line);
        if (!*line || *line == '#') continue;
        const char *problem = problem_of(line);
        if (problem) return error_set(err, ERROR_FORMAT, "%s:%d: %s: '%.60s'", where, number, problem, line);
        t->lines[t->count++] = line;
    }
    return t->count > 0 || error_set(err, ERROR_FORMAT, "%s: has no template", where);
}

caption_templates *caption_templates_read(const char *text, const char *where, error *err)
{
    caption_templates *t = calloc(1, sizeof *t);
    if (t) t->text = strdup(text);
    bool done = t && t->text ? read_lines(t, where, err)
                             : error_set(err, ERROR_MEMORY, "no memory for the templates of '%s'", where);
    if (done) return t;
    caption_templates_close(t);
    return NULL;
}

caption_templates *caption_templates_open(const char *path, error *err)
{
    size_t size;
    char *text = file_read_most(path, TEMPLATES_MOST, &size, err);
    if (!text) return NULL;
    caption_templates *t = NULL;
    if (strlen(text) == size)
        t = caption_templates_read(text, path, err);
    else
        error_set(err, ERROR_FORMAT, "%s: holds a zero byte; templates are lines of text", path);
    free(text);
    return t;
}

int caption_templates_count(const caption_templates *t)
{
    return t->count;
}

const char *caption_templates_at(const caption_templates *t, int index)
{
    return t->lines[index];
}

char *caption_templates_fill(const caption_templates *t, int index, const char *caption)
{
    const char *line = t->lines[index], *place = strchr(line, '{'), *end = strchr(place, '}') + 1;
    const char *article = place[1] == 'a' ? caption_article(caption) : "";
    char *out = malloc(strlen(line) + strlen(article) + strlen(caption) + 1);
    if (out) sprintf(out, "%.*s%s%s%s", (int)(place - line), line, article, caption, end);
    return out;
}

/* ---- Articles ---- */

static bool starts_with_one_of(const char *text, const char *const *words)
{
    for (; *words; ++words) {
        size_t length = strlen(*words);
        if (strncasecmp(text, *words, length) == 0 && !isalnum((unsigned char)text[length])) return true;
    }
    return false;
}

/* The noun that the article is for: the last word before the first preposition or comma. */
static void head_of(const char *caption, char noun[64])
{
    static const char *const ends[] = { "of",    "with",   "in",      "on",  "from", "at",  "for", "without",
                                        "under", "behind", "showing", "and", "that", "who", NULL };
    noun[0] = 0;
    for (const char *at = caption; *at;) {
        size_t length = strcspn(at, " ,:;");
        if (starts_with_one_of(at, ends) && noun[0]) return;
        if (length && length < 64) snprintf(noun, 64, "%.*s", (int)length, at);
        at += length;
        if (*at == ',' || *at == ':' || *at == ';') return;
        at += strspn(at, " ");
    }
}

static bool is_plural(const char *noun)
{
    static const char *const odd[] = { "people", "men",  "women", "children", "feet",
                                       "teeth",  "mice", "dice",  NULL };
    static const char *const single[] = {
        "bus",        "cactus",   "octopus", "lotus",   "hibiscus", "walrus",     "tennis",   "iris",
        "compass",    "dress",    "cross",   "glass",   "claus",    "abacus",     "bass",     "lens",
        "chess",      "lacrosse", "circus",  "atlas",   "canvas",   "mattress",   "princess", "sorceress",
        "rhinoceros", "grass",    "boss",    "trellis", "minibus",  "trolleybus", NULL
    };
    size_t length = strlen(noun);
    if (starts_with_one_of(noun, odd)) return true;
    if (length < 3 || noun[length - 1] != 's' || starts_with_one_of(noun, single)) return false;
    return noun[length - 2] != 's' && strcmp(noun + length - 2, "'s") != 0;
}

static bool begins_with_one_of(const char *text, const char *const *starts)
{
    for (; *starts; ++starts)
        if (strncasecmp(text, *starts, strlen(*starts)) == 0) return true;
    return false;
}

/* How its first word is said, where the letter misleads. */
static bool sounds_like_vowel(const char *caption)
{
    static const char *const silent[] = { "hour", "honest", "heir", "honour", "honor", NULL };
    static const char *const spelled[] = { "x", "x-ray", "sos", "mri", "nfl", "lgbt", "f1", NULL };
    static const char *const you[] = { "use", "usu", "eu", "uni", "one", "ufo", NULL };
    static const char *const un[] = { "unin", "unim", "unid", NULL };
    static const char *const letters[] = { "u", "uk", "us", "un", "ewe", NULL };
    if (begins_with_one_of(caption, silent) || starts_with_one_of(caption, spelled)) return true;
    if (starts_with_one_of(caption, letters)) return false;
    if (begins_with_one_of(caption, you) && !begins_with_one_of(caption, un)) return false;
    return strchr("aeiouAEIOU", caption[0]) != NULL;
}

const char *caption_article(const char *caption)
{
    static const char *const have[] = { "a",    "an",   "the", "my",   "your", "his",    "her", "its",
                                        "our",  "some", "no",  "this", "that", "two",    "one", "three",
                                        "four", "five", "six", "ten",  "many", "people", NULL };
    char noun[64];
    if (!isalpha((unsigned char)caption[0]) || starts_with_one_of(caption, have) || strchr(caption, ':'))
        return "";
    if (isupper((unsigned char)caption[0]) && strstr(caption, "'s ")) return ""; /* "Cuba's flag" */
    head_of(caption, noun);
    /* A name: the noun itself is written large, which no adjective's capital makes it ("French fries"). */
    if (isupper((unsigned char)noun[0]) && islower((unsigned char)noun[1])) return "";
    if (is_plural(noun)) return "";
    return sounds_like_vowel(caption) ? "an " : "a ";
}

/* ---- Drawing ---- */

typedef struct drawing {
    const caption_source *source;
    const caption_odds *odds;
    philox random;
    uint32_t next; /* element */
} drawing;

static bool chance(drawing *d, double odds)
{
    return odds > 0 && philox_uniform(&d->random, d->next++) < (float)odds;
}

static uint32_t below(drawing *d, uint32_t limit)
{
    return philox_below(&d->random, d->next++, limit);
}

static void shuffle(drawing *d, const char **words, int count)
{
    for (int i = count - 1; i > 0; --i) {
        int k = (int)below(d, (uint32_t)i + 1);
        const char *kept = words[i];
        words[i] = words[k];
        words[k] = kept;
    }
}

static char *join(const char *const *words, int count, const char *between)
{
    size_t room = 1;
    for (int i = 0; i < count; ++i) room += strlen(words[i]) + strlen(between);
    char *out = malloc(room), *at = out;
    if (!out) return NULL;
    *out = 0;
    for (int i = 0; i < count; ++i) at = stpcpy(stpcpy(at, i ? between : ""), words[i]);
    return out;
}

/* Cuts at blanks; commas and colons go, so that any order reads alike.  The words point into *copy. */
static int split(const char *text, bool commas, char **copy, const char ***words)
{
    int count = 0;
    *copy = strdup(text);
    *words = malloc((strlen(text) / 2 + 2) * sizeof **words);
    if (!*copy || !*words) return -1;
    char *rest = NULL;
    for (char *word = strtok_r(*copy, commas ? " \t\n" : " \t\n,:;", &rest); word;
         word = strtok_r(NULL, commas ? " \t\n" : " \t\n,:;", &rest))
        (*words)[count++] = word;
    return count;
}

/* One to three of the keywords among the words of the caption. */
static char *mix(drawing *d, const char *caption)
{
    const caption_source *s = d->source;
    char *copy = NULL, *out = NULL;
    const char **words = NULL;
    int count = split(caption, false, &copy, &words);
    const char **all = count < 0 ? NULL : malloc(((size_t)count + 3) * sizeof *all);
    if (all) {
        for (int i = 0; i < count; ++i) all[i] = words[i];
        int more = 1 + (int)below(d, 3);
        for (int i = 0; i < more && i < s->keyword_count; ++i)
            all[count++] = s->keywords[below(d, (uint32_t)s->keyword_count)];
        shuffle(d, all, count);
        out = join(all, count, " ");
    }
    free(all);
    free(words);
    free(copy);
    return out;
}

static char *all_keywords(drawing *d)
{
    const caption_source *s = d->source;
    const char **all = malloc((size_t)s->keyword_count * sizeof *all);
    if (!all) return NULL;
    for (int i = 0; i < s->keyword_count; ++i) all[i] = s->keywords[i];
    shuffle(d, all, s->keyword_count);
    char *out = join(all, s->keyword_count, ", ");
    free(all);
    return out;
}

/* These take `text`, which may be NULL. */
static char *shuffle_words(drawing *d, char *text)
{
    char *copy = NULL, *out = NULL;
    const char **words = NULL;
    int count = text ? split(text, false, &copy, &words) : -1;
    if (count > 0) {
        shuffle(d, words, count);
        out = join(words, count, " ");
    } else if (count == 0) {
        out = strdup(text);
    }
    free(words);
    free(copy);
    free(text);
    return out;
}

static char *drop_words(drawing *d, char *text)
{
    char *copy = NULL, *out = NULL;
    const char **words = NULL;
    int count = text ? split(text, true, &copy, &words) : -1, kept = 0;
    for (int i = 0; i < count; ++i)
        if (i == 0 || !chance(d, d->odds->drop_words)) words[kept++] = words[i];
    if (count >= 0) out = kept ? join(words, kept, " ") : strdup(text);
    free(words);
    free(copy);
    free(text);
    return out;
}

/* "a rocket" becomes "a rocket for the moon", or "royal a rocket": which of its words name the picture has
 * to be learnt. */
static char *add_stray_words(drawing *d, char *text)
{
    static const char *const links[] = { "with", "for", "in", "on", "and", "of", "to", "like" };
    static const char *const articles[] = { "", " a", " the", " my" };
    const char *const *all = d->source->strays;
    uint32_t count = (uint32_t)d->source->stray_count;
    if (!text || count == 0) return text;
    bool before = chance(d, 0.3), two = chance(d, 0.5);
    const char *first = all[below(d, count)], *second = all[below(d, count)];
    const char *link = links[below(d, sizeof links / sizeof *links)];
    const char *article = articles[below(d, sizeof articles / sizeof *articles)];
    size_t size = strlen(text) + strlen(first) + strlen(second) + 32;
    char *out = malloc(size);
    if (out && before)
        snprintf(out, size, "%s %s", first, text);
    else if (out)
        snprintf(out, size, "%s %s%s %s%s%s", text, link, article, first, two ? " " : "", two ? second : "");
    free(text);
    return out;
}

static char *put_into_template(drawing *d, const caption_templates *t, char *text)
{
    char *out = text ? caption_templates_fill(t, (int)below(d, (uint32_t)t->count), text) : NULL;
    free(text);
    return out;
}

char *caption_draw(const caption_source *source, const caption_odds *odds, const caption_templates *templates,
                   uint64_t seed, uint32_t step, uint32_t position)
{
    drawing d = { source, odds, { seed, step, philox_stream("caption drawing") + position }, 0 };
    const char *caption = source->caption;
    if (source->keyword_count > 0 && chance(&d, odds->keywords))
        return odds->others > 0 && (source->keyword_count < 2 || chance(&d, 0.5)) ? mix(&d, caption)
                                                                                  : all_keywords(&d);
    if (source->caption_count > 0 && chance(&d, odds->others))
        caption = source->captions[below(&d, (uint32_t)source->caption_count)];
    char *text = strdup(caption);
    if (odds->drop_words > 0) text = drop_words(&d, text);
    if (chance(&d, odds->stray_words)) text = add_stray_words(&d, text);
    if (chance(&d, odds->shuffle)) return shuffle_words(&d, text);
    if (templates && chance(&d, odds->templates)) text = put_into_template(&d, templates, text);
    return text;
}
