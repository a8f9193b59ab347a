/* text_fix.c -- the steps, again and again until none changes anything, line by line.
 * SPDX-License-Identifier: MIT */
#include "data/text_fix.h"

#include "data/text_html.h"
#include "data/text_mojibake.h"

#include <stddef.h>

static bool in(uint32_t c, uint32_t first, uint32_t last)
{
    return c >= first && c <= last;
}

/* Of Latin letters; "st" alone would say that the long s is one. */
static const char *ligature(uint32_t c)
{
    static const char *const typographic[] = { "ff", "fi", "fl", "ffi", "ffl", "\u017ft", "st" };
    static const char *const croatian[] = { "D\u017d", "D\u017e", "d\u017e", "LJ", "Lj",
                                            "lj",      "NJ",      "Nj",      "nj" };
    static const char *const dz[] = { "DZ", "Dz", "dz" };
    if (in(c, 0xfb00, 0xfb06)) return typographic[c - 0xfb00];
    if (in(c, 0x01c4, 0x01cc)) return croatian[c - 0x01c4];
    if (in(c, 0x01f1, 0x01f3)) return dz[c - 0x01f1];
    return c == 0x0132 ? "IJ" : c == 0x0133 ? "ij" : c == 0x0149 ? "\u02bcn" : NULL;
}

/* Every step takes the character at `i` and may put something else; *i moves on. */
typedef void step(const text_runes *t, int64_t *i, text_runes *out);

static void split_ligatures(const text_runes *t, int64_t *i, text_runes *out)
{
    uint32_t c = t->at[(*i)++];
    const char *letters = c < 0x100 ? NULL : ligature(c);
    if (letters)
        text_runes_read(out, letters);
    else
        text_runes_put(out, c);
}

static void widen(const text_runes *t, int64_t *i, text_runes *out)
{
    uint32_t c = t->at[(*i)++];
    if (in(c, 0xff01, 0xffef))
        text_runes_put_compatible(out, c);
    else
        text_runes_put(out, c == 0x3000 ? ' ' : c);
}

static void uncurl(const text_runes *t, int64_t *i, text_runes *out)
{
    uint32_t c = t->at[(*i)++];
    bool one = c == 0x02bc || in(c, 0x2018, 0x201b), two = in(c, 0x201c, 0x201f);
    text_runes_put(out, one ? '\'' : two ? '"' : c);
}

static void break_lines(const text_runes *t, int64_t *i, text_runes *out)
{
    uint32_t c = t->at[(*i)++];
    if (c == '\r' && *i < t->count && t->at[*i] == '\n') ++*i;
    text_runes_put(out, c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029 ? '\n' : c);
}

/* A terminal's command, "ESC [ 1 ; 31 m", is `length` characters. */
static int64_t command_length(const text_runes *t, int64_t i)
{
    int64_t start = i;
    if (t->at[i] != 0x1b || i + 1 >= t->count || t->at[i + 1] != '[') return 0;
    for (i += 2; i < t->count && (t->at[i] == ';' || text_runes_is_digit(t->at[i]));) ++i;
    return i < t->count && (in(t->at[i], 'a', 'z') || in(t->at[i], 'A', 'Z')) ? i + 1 - start : 0;
}

static void drop_commands(const text_runes *t, int64_t *i, text_runes *out)
{
    int64_t length = command_length(t, *i);
    if (length == 0) text_runes_put(out, t->at[*i]);
    *i += length ? length : 1;
}

static bool is_control(uint32_t c)
{
    return c < 0x09 || c == 0x0b || in(c, 0x0e, 0x1f) || c == 0x7f || in(c, 0x206a, 0x206f) || c == 0xfeff ||
           in(c, 0xfff9, 0xfffc);
}

static void drop_controls(const text_runes *t, int64_t *i, text_runes *out)
{
    uint32_t c = t->at[(*i)++];
    if (!is_control(c)) text_runes_put(out, c);
}

static void take_steps(text_runes *t)
{
    static step *const steps[] = {
        split_ligatures, widen, uncurl, break_lines, drop_commands, drop_controls
    };
    for (size_t k = 0; k < sizeof steps / sizeof *steps; ++k) {
        text_runes out = { .failed = t->failed };
        for (int64_t i = 0; i < t->count && !out.failed;) steps[k](t, &i, &out);
        text_runes_take(t, &out);
    }
}

/* One round; false when it changed nothing. */
static bool fix_once(text_runes *t, bool html)
{
    text_runes before = { 0 };
    text_runes_append(&before, t->at, t->count);
    if (html) text_html_unescape_sure(t);
    text_mojibake_fix(t);
    text_mojibake_fix_controls(t);
    take_steps(t);
    text_runes_compose(t);
    bool changed = !text_runes_same(&before, t);
    if (before.failed && !t->failed) t->failed = before.failed;
    text_runes_free(&before);
    return changed && !t->failed;
}

static int64_t end_of_line(const text_runes *t, int64_t at)
{
    while (at < t->count && t->at[at] != '\n') ++at;
    return at < t->count ? at + 1 : at;
}

static bool has_tag(const text_runes *t)
{
    for (int64_t i = 0; i < t->count; ++i)
        if (t->at[i] == '<') return true;
    return false;
}

/* From the first line with a '<' on the text is taken to be HTML itself, whose references stay. */
void text_fix(text_runes *t)
{
    text_runes out = { .failed = t->failed };
    bool html = true;
    for (int64_t i = 0; i < t->count && !out.failed;) {
        int64_t end = end_of_line(t, i);
        text_runes line = { 0 };
        text_runes_append(&line, t->at + i, end - i);
        html = html && !has_tag(&line);
        while (fix_once(&line, html)) continue;
        text_runes_append(&out, line.at, line.count);
        if (line.failed) out.failed = line.failed;
        text_runes_free(&line);
        i = end;
    }
    text_runes_take(t, &out);
}
