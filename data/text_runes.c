/* text_runes.c -- growing arrays, and what ICU does with them, which works in UTF-16.
 * SPDX-License-Identifier: MIT */
#include "data/text_runes.h"

#include "host/base/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

void text_runes_free(text_runes *t)
{
    free(t->at);
    *t = (text_runes){ 0 };
}

static bool reserve(text_runes *t, int64_t more)
{
    if (t->failed) return false;
    if (t->room - t->count >= more) return true;
    int64_t room = 2 * t->room + more + 32;
    uint32_t *at = realloc(t->at, (size_t)room * sizeof *at);
    if (!at) return t->failed = TEXT_RUNES_NO_MEMORY, false;
    t->at = at;
    t->room = room;
    return true;
}

void text_runes_put(text_runes *t, uint32_t c)
{
    if (reserve(t, 1)) t->at[t->count++] = c;
}

void text_runes_append(text_runes *t, const uint32_t *runes, int64_t count)
{
    if (count <= 0 || !reserve(t, count)) return;
    memcpy(t->at + t->count, runes, (size_t)count * sizeof *runes);
    t->count += count;
}

void text_runes_read(text_runes *t, const char *utf8)
{
    while (*utf8 && !t->failed) text_runes_put(t, utf8_next(&utf8));
}

void text_runes_read_bytes(text_runes *t, const char *bytes, int64_t count)
{
    const uint8_t *b = (const uint8_t *)bytes;
    for (int32_t i = 0, end = (int32_t)count; i < end && !t->failed;) {
        UChar32 c;
        U8_NEXT_OR_FFFD(b, i, end, c);
        text_runes_put(t, (uint32_t)c);
    }
}

char *text_runes_utf8(const text_runes *t)
{
    char *text = malloc((size_t)t->count * 4 + 1), *end = text;
    if (!text) return NULL;
    for (int64_t i = 0; i < t->count; ++i) end += utf8_put(t->at[i], end);
    *end = '\0';
    return text;
}

void text_runes_take(text_runes *to, text_runes *from)
{
    const char *failed = to->failed ? to->failed : from->failed;
    free(to->at);
    *to = *from;
    to->failed = failed;
    *from = (text_runes){ 0 };
}

bool text_runes_same(const text_runes *a, const text_runes *b)
{
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->at, b->at, (size_t)a->count * sizeof *a->at) == 0);
}

/* Turns UTF-16 into UTF-16, as ICU's functions do: returns how long the result is, whatever `room` is. */
typedef int32_t change(const UChar *text, int32_t length, UChar *out, int32_t room, UErrorCode *code);

static int32_t compose(const UChar *text, int32_t length, UChar *out, int32_t room, UErrorCode *code)
{
    return unorm2_normalize(unorm2_getNFCInstance(code), text, length, out, room, code);
}

static int32_t compatible(const UChar *text, int32_t length, UChar *out, int32_t room, UErrorCode *code)
{
    return unorm2_normalize(unorm2_getNFKCInstance(code), text, length, out, room, code);
}

static int32_t lower(const UChar *text, int32_t length, UChar *out, int32_t room, UErrorCode *code)
{
    return u_strToLower(out, room, text, length, "", code);
}

static int32_t upper(const UChar *text, int32_t length, UChar *out, int32_t room, UErrorCode *code)
{
    return u_strToUpper(out, room, text, length, "", code);
}

static void fail(text_runes *t, UErrorCode code)
{
    if (!t->failed) t->failed = code == U_MEMORY_ALLOCATION_ERROR ? TEXT_RUNES_NO_MEMORY : u_errorName(code);
}

/* Appends what `how` makes of these code points to `out`, which may be where they come from no more. */
static void append_changed(text_runes *out, const uint32_t *runes, int64_t count, change *how)
{
    enum { GROWTH = 4 }; /* most UTF-16 units that one becomes here */
    UErrorCode code = U_ZERO_ERROR;
    int32_t units = 0, length = 0, written = 0, most = (int32_t)count * 2 * GROWTH;
    if (out->failed || count == 0) return;
    UChar *wide = malloc((size_t)count * 2 * sizeof *wide), *changed = malloc((size_t)most * sizeof *changed);
    if (!wide || !changed || !reserve(out, most)) {
        out->failed = TEXT_RUNES_NO_MEMORY;
        goto cleanup;
    }
    u_strFromUTF32(wide, (int32_t)count * 2, &units, (const UChar32 *)runes, (int32_t)count, &code);
    if (U_SUCCESS(code)) length = how(wide, units, changed, most, &code);
    if (U_SUCCESS(code))
        u_strToUTF32((UChar32 *)out->at + out->count, most, &written, changed, length, &code);
    if (code == U_STRING_NOT_TERMINATED_WARNING || U_SUCCESS(code))
        out->count += written;
    else
        fail(out, code);
cleanup:
    free(wide);
    free(changed);
}

static void change_all(text_runes *t, change *how)
{
    text_runes out = { .failed = t->failed };
    append_changed(&out, t->at, t->count, how);
    text_runes_take(t, &out);
}

static bool has_other_than_ascii(const text_runes *t)
{
    for (int64_t i = 0; i < t->count; ++i)
        if (t->at[i] >= 0x80) return true;
    return false;
}

void text_runes_compose(text_runes *t)
{
    if (has_other_than_ascii(t)) change_all(t, compose);
}

void text_runes_lower(text_runes *t)
{
    change_all(t, lower);
}

void text_runes_put_upper(text_runes *t, uint32_t c)
{
    append_changed(t, &c, 1, upper);
}

void text_runes_put_compatible(text_runes *t, uint32_t c)
{
    append_changed(t, &c, 1, compatible);
}

bool text_runes_is_letter(uint32_t c)
{
    return (U_GET_GC_MASK((UChar32)c) & U_GC_L_MASK) != 0;
}

bool text_runes_is_number(uint32_t c)
{
    return (U_GET_GC_MASK((UChar32)c) & U_GC_N_MASK) != 0;
}

bool text_runes_is_digit(uint32_t c)
{
    return (U_GET_GC_MASK((UChar32)c) & U_GC_ND_MASK) != 0;
}

bool text_runes_is_space(uint32_t c)
{
    return (c >= 0x1c && c <= 0x1f) || u_isUWhiteSpace((UChar32)c);
}
