/* output.c -- see output.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/output.h"

#include "host/base/file.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

typedef struct output_kind {
    cli_type type;
    const char *ending; /* the one a name may have, or NULL: a folder */
    const char *what;
    bool stream; /* may go to standard output */
    bool binary; /* and would make a mess of a terminal */
} output_kind;

static const output_kind kinds[] = {
    { CLI_PICTURE, "png", "pictures are written as PNG", true, true },
    { CLI_TOKENS, "json", "tokens are written as JSON", true, false },
    { CLI_TAR, "tar", "the set is written as a tar, uncompressed", false, true },
    { CLI_TOKENIZER, "model", "the tokenizer is written as a SentencePiece model", false, true },
    { CLI_PAGE, "html", "the report is written as HTML", true, false },
    { CLI_FOLDER, NULL, NULL, false, false },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static const output_kind *kind_of(const cli_option *o)
{
    for (int i = 0; i < KINDS; ++i)
        if (kinds[i].type == o->type) return &kinds[i];
    return NULL;
}

bool output_is(const cli_option *o)
{
    return kind_of(o) != NULL;
}

bool output_is_stdout(const char *path)
{
    static const char *const names[] = { "-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1" };
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        if (strcmp(path, names[i]) == 0) return true;
    return false;
}

FILE *output_talk(const char *path)
{
    return output_is_stdout(path) ? stderr : stdout;
}

const char *output_name(const char *path)
{
    return output_is_stdout(path) ? "standard output" : path;
}

/* What follows the last dot of the name, or NULL; ".png" alone is a name, not an ending. */
static const char *ending_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    return dot && dot != name && dot[1] ? dot + 1 : NULL;
}

static bool check_ending(const cli_call *call, const cli_option *o, const output_kind *k, const char *path,
                         error *err)
{
    const char *ending = ending_of(path);
    if (!ending || strcasecmp(ending, k->ending) == 0) return true;
    size_t stem = (size_t)(ending - 1 - path), own = strlen(k->ending);
    /* "x.tar.gz" becomes "x.tar" */
    if (stem > own + 1 && path[stem - own - 1] == '.' && strncasecmp(path + stem - own, k->ending, own) == 0)
        stem -= own + 1;
    return error_set(err, ERROR_USAGE, "%s: --%s '%s' ends in '.%s', but %s; name it '%.*s.%s'%s",
                     cli_call_command(call)->name, o->name, path, ending, k->what, (int)stem, path, k->ending,
                     k->stream ? ", or - for standard output" : "");
}

static bool check_stdout(const cli_call *call, const cli_option *o, const output_kind *k, const char *path,
                         error *err)
{
    const char *name = cli_call_command(call)->name;
    if (!k->stream)
        return error_set(err, ERROR_USAGE,
                         "%s: --%s cannot be standard output; for a file of the name '%s' write './%s'", name,
                         o->name, path, path);
    if (k->binary && isatty(STDOUT_FILENO))
        return error_set(
            err, ERROR_USAGE,
            "%s: --%s %s would write a picture's bytes to the terminal; send them to a file or a "
            "program, or name a file",
            name, o->name, path);
    if (k->binary && cli_flag(call, "json"))
        return error_set(err, ERROR_USAGE,
                         "%s: --json and the output of --%s %s cannot both be standard output; name a file",
                         name, o->name, path);
    return true;
}

bool output_check(const cli_call *call, const cli_option *o, const char *path, error *err)
{
    const output_kind *k = kind_of(o);
    if (output_is_stdout(path)) return check_stdout(call, o, k, path, err);
    if (k->ending && !check_ending(call, o, k, path, err)) return false;
    if (k->ending ? file_check_writable(path, err) : file_check_folder(path, err)) return true;
    return error_prefix(err, "%s: --%s", cli_call_command(call)->name, o->name);
}

void output_guard(const cli_option *o, const char *path)
{
    char temporary[512];
    if (!kind_of(o)->ending || output_is_stdout(path) || strlen(path) > sizeof temporary - 32) return;
    file_atomic_name(path, temporary, sizeof temporary);
    cli_interrupt_removes(temporary);
}

bool output_write(const char *path, const void *bytes, size_t size, error *err)
{
    if (!output_is_stdout(path)) return file_write(path, bytes, size, err);
    if (fwrite(bytes, 1, size, stdout) == size && fflush(stdout) == 0) return true;
    return error_set(err, ERROR_IO, "cannot write standard output: %s", strerror(errno));
}
