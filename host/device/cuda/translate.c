/* translate.c -- one pass over the text; what stands for itself is copied.
 * SPDX-License-Identifier: MIT */
#include "host/device/cuda/translate.h"
#include "host/base/embedded.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER "cuda/opencl_c.clh"

typedef struct translation {
    const char *start, *at;
    FILE *out;
    char kernel[128]; /* whose end is to come, or "" */
} translation;

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static size_t word_length(const char *at)
{
    size_t length = 0;
    while (is_word(at[length])) ++length;
    return length;
}

static bool begins_with(const char *at, const char *word)
{
    const size_t length = strlen(word);
    return strncmp(at, word, length) == 0 && !is_word(at[length]);
}

static char before(const translation *t)
{
    return t->at == t->start ? '\n' : t->at[-1];
}

static void put(translation *t, const char *text, size_t length)
{
    fwrite(text, 1, length, t->out);
    t->at += length;
}

/* Whether the bracket that opens there has a comma of its own. */
static bool has_parts(const char *open)
{
    int depth = 0;
    for (const char *at = open; *at; ++at) {
        depth += (*at == '(' || *at == '[' || *at == '{') - (*at == ')' || *at == ']' || *at == '}');
        if (depth == 0) return false;
        if (depth == 1 && *at == ',') return true;
    }
    return false;
}

/* "(float4)" before a bracket with several values loses its own.  A bracket behind a word is a call's. */
static bool vector_literal(translation *t)
{
    const size_t length = word_length(t->at + 1);
    const char *behind = t->at + 1 + length;
    if (*t->at != '(' || !length || behind[0] != ')' || behind[1] != '(' || is_word(before(t))) return false;
    if (!has_parts(behind + 1)) return false;
    fwrite(t->at + 1, 1, length, t->out);
    t->at = behind + 1;
    return true;
}

/* A vector's part. */
static bool part_of_vector(translation *t)
{
    const char *word = t->at + 1, last = before(t);
    if (*t->at != '.' || !(is_word(last) || last == ')' || last == ']')) return false;
    const size_t length = word_length(word);
    if (begins_with(word, "lo") || begins_with(word, "hi")) {
        put(t, t->at, 1 + length);
        fputs("()", t->out);
        return true;
    }
    if (length != 2 || word[0] != 's' || !isxdigit((unsigned char)word[1])) return false;
    const char digit[2] = { word[1], 0 };
    fprintf(t->out, ".s[%ld]", strtol(digit, NULL, 16));
    t->at += 1 + length;
    return true;
}

/* Local memory is where an array is declared; a pointer to it is a pointer. */
static bool local_pointer(translation *t)
{
    static const char word[] = "__local";
    if (!begins_with(t->at, word) || is_word(before(t))) return false;
    const char *at = t->at + strlen(word);
    for (int words = 0; words < 2; ++words) { /* `const float`, or a type alone */
        at += strspn(at, " ");
        at += word_length(at);
    }
    if (at[strspn(at, " ")] != '*') return false;
    t->at += strlen(word);
    t->at += strspn(t->at, " ");
    return true;
}

/* At the first line of a kernel, takes down its name: the first word behind `void`. */
static void note_kernel(translation *t)
{
    if (before(t) != '\n' || !begins_with(t->at, "__kernel")) return;
    const char *name = strstr(t->at, "void"), *brace = strchr(t->at, '{');
    if (!name || !brace || name > brace) return;
    name += strlen("void");
    name += strspn(name, " \n");
    const size_t length = word_length(name);
    if (length > 0 && length < sizeof t->kernel && name[length] == '(')
        snprintf(t->kernel, sizeof t->kernel, "%.*s", (int)length, name);
}

/* Behind a kernel's last brace, which stands at a line's start. */
static bool end_of_kernel(translation *t)
{
    if (*t->at != '}' || before(t) != '\n' || !*t->kernel) return false;
    put(t, "}", 1);
    fprintf(t->out, " CUDA_KERNEL(%s)", t->kernel);
    t->kernel[0] = 0;
    return true;
}

static void translate(translation *t)
{
    while (*t->at) {
        note_kernel(t);
        if (vector_literal(t) || part_of_vector(t) || local_pointer(t) || end_of_kernel(t)) continue;
        put(t, t->at, 1);
    }
}

char *cuda_translate(const char *text, const char *name, error *err)
{
    const embedded_file *header = embedded_find(HEADER);
    CHECK(header, "no file '%s' is embedded", HEADER);
    char *result = NULL;
    size_t size = 0;
    translation t = { .start = text, .at = text, .out = open_memstream(&result, &size) };
    bool written = t.out != NULL;
    if (t.out) {
        fprintf(t.out, "#line 1 \"cl/%s\"\n", HEADER);
        fwrite(header->bytes, 1, header->size, t.out);
        fprintf(t.out, "#line 1 \"cl/%s.cl\"\n", name);
        translate(&t);
        written = !ferror(t.out);
        written = fclose(t.out) == 0 && written;
    }
    if (written) return result;
    free(result);
    return error_null(err, ERROR_MEMORY, "out of memory for the kernel file '%s' as CUDA", name);
}

#define OPTIONS "--std=c++17 --device-as-default-execution-space "
const char *cuda_translate_options(const char *text)
{
    return strstr(text, "#pragma OPENCL FP_CONTRACT OFF") ? OPTIONS "--fmad=false" : OPTIONS "--fmad=true";
}
