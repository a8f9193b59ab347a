/* source.c -- kernel sources: embedded ones, or, while editing, files under $DALLE_CL_KERNELS (the
 * repository's cl folder), whose includes are inlined here as cmake/embed.cmake does at build time.
 * SPDX-License-Identifier: MIT */
#include "host/device/source.h"
#include "host/base/embedded.h"
#include "host/base/file.h"
#include "host/base/hash.h"
#include "host/device/device.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 32

typedef struct inliner {
    const char *folder;
    FILE *out;
    char *seen[HEADERS_MAX];
    int count;
} inliner;

static bool inline_file(inliner *in, const char *name, error *err);

/* The name in `#include "name.clh"` at the line's start, to be freed, or NULL. */
static char *include_name(const char *line, size_t length)
{
    static const char start[] = "#include \"";
    if (length <= sizeof start || strncmp(line, start, sizeof start - 1) != 0) return NULL;
    const char *name = line + sizeof start - 1;
    const char *quote = memchr(name, '"', length - (sizeof start - 1));
    return quote ? strndup(name, (size_t)(quote - name)) : NULL;
}

static bool inline_header(inliner *in, char *name, error *err)
{
    for (int i = 0; i < in->count; ++i)
        if (strcmp(in->seen[i], name) == 0) {
            free(name);
            fputc('\n', in->out);
            return true;
        }
    if (in->count == HEADERS_MAX) {
        error_set(err, ERROR_FORMAT, "kernel file includes more than %d headers, the last being '%s'",
                  HEADERS_MAX, name);
        free(name);
        return false;
    }
    in->seen[in->count++] = name;
    return inline_file(in, name, err);
}

static bool inline_file(inliner *in, const char *name, error *err)
{
    char *path = file_join(in->folder, name);
    char *text = path ? file_read(path, NULL, err) : NULL;
    bool ok = text != NULL;
    if (!path) error_set(err, ERROR_MEMORY, "out of memory while reading kernel '%s'", name);
    int number = 0;
    if (ok) fprintf(in->out, "#line 1 \"cl/%s\"\n", name);
    for (const char *line = text; ok && *line;) {
        const char *end = strchr(line, '\n');
        size_t length = end ? (size_t)(end - line) : strlen(line);
        char *header = include_name(line, length);
        ++number;
        if (header) {
            ok = inline_header(in, header, err);
            fprintf(in->out, "#line %d \"cl/%s\"\n", number + 1, name);
        } else {
            fprintf(in->out, "%.*s\n", (int)length, line);
        }
        line += length + (end ? 1 : 0);
    }
    free(text);
    free(path);
    return ok;
}

static char *load_from_folder(const char *folder, const char *name, error *err)
{
    char *text = NULL;
    size_t size = 0;
    inliner in = { .folder = folder };
    in.out = open_memstream(&text, &size);
    if (!in.out) return error_null(err, ERROR_MEMORY, "out of memory while reading kernel '%s'", name);
    bool ok = inline_file(&in, name, err);
    if (fclose(in.out) != 0 && ok)
        ok = error_set(err, ERROR_MEMORY, "out of memory while reading kernel '%s'", name);
    for (int i = 0; i < in.count; ++i) free(in.seen[i]);
    if (ok) return text;
    free(text);
    error_prefix(err, "DALLE_CL_KERNELS=%s", folder);
    return NULL;
}

char *source_load(const char *file, error *err)
{
    char name[256];
    snprintf(name, sizeof name, "%s.cl", file);
    const char *folder = getenv("DALLE_CL_KERNELS");
    if (folder && *folder) return load_from_folder(folder, name, err);
    const embedded_file *embedded = embedded_find(name);
    CHECK(embedded, "no kernel file '%s' is embedded", name);
    char *text = malloc(embedded->size + 1);
    if (!text) return error_null(err, ERROR_MEMORY, "out of memory while reading kernel '%s'", name);
    memcpy(text, embedded->bytes, embedded->size + 1);
    return text;
}

void device_kernels_hash(char hex[65])
{
    hash h;
    hash_start(&h);
    for (const embedded_file *const *file = embedded_files; *file; ++file) {
        size_t length = strlen((*file)->name);
        if (length < 3 || strcmp((*file)->name + length - 3, ".cl") != 0) continue;
        hash_text(&h, (*file)->name);
        hash_bytes(&h, (*file)->bytes, (*file)->size + 1);
    }
    hash_finish(&h, hex);
}

/* ---- One kernel of a file -------------------------------------------------------------------- */

/* Where the word stands in [from, end), or NULL. */
static const char *find_word(const char *from, const char *end, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = from; (at = memmem(at, (size_t)(end - at), word, length)) != NULL; ++at) {
        const char before = at == from ? ' ' : at[-1], after = at[length];
        if (!isalnum((unsigned char)before) && before != '_' && !isalnum((unsigned char)after) &&
            after != '_')
            return at;
    }
    return NULL;
}

/* The line after the kernel's last, which begins with a brace, or NULL where a line is no kernel's first. */
static char *end_of_kernel(char *line, const char *line_end)
{
    if (*line == '#' || *line == '/' || isspace((unsigned char)*line) ||
        !find_word(line, line_end, "__kernel"))
        return NULL;
    char *brace = strstr(line, "\n}");
    if (!brace) return NULL;
    char *end = strchr(brace + 1, '\n');
    return end ? end + 1 : brace + strlen(brace);
}

static void blank(char *from, const char *end)
{
    for (; from < end; ++from)
        if (*from != '\n') *from = ' ';
}

/* ---- A kernel as a function ---- */

/* Behind the closing bracket of the one that `open` points at, or NULL. */
static const char *behind_bracket(const char *open)
{
    int depth = 0;
    for (const char *at = open; *at; ++at) {
        depth += (*at == '(') - (*at == ')');
        if (depth == 0) return at + 1;
    }
    return NULL;
}

/* The kernel's parameters with their brackets, or NULL where no caller can be written for them. */
static const char *parameters_of(char *source, const char *kernel, size_t *length)
{
    for (char *line = source; *line;) {
        char *newline = strchr(line, '\n'),
             *end = end_of_kernel(line, newline ? newline : line + strlen(line));
        const char *name = end ? find_word(line, end, kernel) : NULL;
        if (name) {
            const char *open = name + strlen(kernel), *behind = *open == '(' ? behind_bracket(open) : NULL;
            *length = behind ? (size_t)(behind - open) : 0;
            return *length && !memchr(open, '*', *length) && !memchr(open, '#', *length) ? open : NULL;
        }
        if (!newline) return NULL;
        line = newline + 1;
    }
    return NULL;
}

char *source_apart(char *source, const char *kernel, error *err)
{
    size_t length = 0, size;
    const char *parameters = parameters_of(source, kernel, &length);
    if (!parameters) return NULL;
    char *before = source_load("device/join_stage", err),
         *after = before ? source_load("device/apart", err) : NULL;
    char *text = NULL;
    FILE *out = after ? open_memstream(&text, &size) : NULL;
    if (out) {
        fprintf(out, "#define APART\n%s#define %s(...) joined_%s(JOINED, __VA_ARGS__)\n%s", before, kernel,
                kernel, source);
        fprintf(out, "\n#undef %s\n#define APART_KERNEL %s\n#define APART_FUNCTION joined_%s\n", kernel,
                kernel, kernel);
        fprintf(out, "#define APART_PARAMETERS ");
        for (size_t i = 0; i < length; ++i) /* on one line */
            fputc(parameters[i] == '\n' || parameters[i] == '\\' ? ' ' : parameters[i], out);
        fprintf(out, "\n%s", after);
        const bool written = !ferror(out);
        if (fclose(out) != 0 || !written) {
            free(text);
            text = NULL;
        }
    }
    if (after && !text) error_set(err, ERROR_MEMORY, "out of memory for the kernel '%s'", kernel);
    free(before);
    free(after);
    return text;
}

bool source_keep(char *source, const char *kernel)
{
    bool found = false;
    for (int pass = 0; pass < 2 && (pass == 0 || found); ++pass)
        for (char *line = source, *next; line && *line; line = next) {
            char *newline = strchr(line, '\n'),
                 *end = end_of_kernel(line, newline ? newline : line + strlen(line));
            next = end ? end : newline ? newline + 1 : NULL;
            if (!end) continue;
            const bool wanted = find_word(line, strchr(line, '{') ? strchr(line, '{') : end, kernel) != NULL;
            if (pass == 0)
                found = found || wanted;
            else if (!wanted)
                blank(line, end);
        }
    return found;
}
