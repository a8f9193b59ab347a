/* help.c -- --help and the manual page, from the table.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"

#include "models/kinds.h"

#include <string.h>

/* What is trained, "a, b and c", is the kinds'. */
static void about(char text[600])
{
    snprintf(text, 600, "DALL-E on any OpenCL device: trains ");
    for (int i = 0; model_kinds[i]; ++i) {
        const char *joint = i == 0 ? "" : model_kinds[i + 1] ? ", " : " and ";
        size_t used = strlen(text);
        snprintf(text + used, 600 - used, "%s%s", joint, model_kinds[i]->what);
    }
    size_t used = strlen(text);
    snprintf(text + used, 600 - used, ", and draws captions with them.");
}

/* Calls `each` for every line of `text`. */
static void each_line(const char *text, FILE *out, void (*each)(FILE *out, const char *line, int length))
{
    while (text && *text) {
        int length = (int)strcspn(text, "\n");
        each(out, text, length);
        text += length;
        if (*text) ++text;
    }
}

static void bare_line(FILE *out, const char *line, int length)
{
    fprintf(out, "%.*s\n", length, line);
}

/* "-o, --output FILE" */
static void option_text(const cli_option *o, char *text, size_t room)
{
    char letter[8] = "    ";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(text, room, "%s--%s%s%s", letter, o->name, o->metavar ? " " : "", o->metavar ? o->metavar : "");
}

/* Help wrapped at 100 columns behind a column of option names. */
static void print_wrapped(FILE *out, const char *head, const char *text)
{
    enum { COLUMN = 30, WIDTH = 100 };
    int at = fprintf(out, "  %s", head);
    if (at >= COLUMN) at = (fputc('\n', out), 0);
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (at < COLUMN || at + 1 + word > WIDTH) {
            if (at >= COLUMN) at = (fputc('\n', out), 0);
            at += fprintf(out, "%*s", COLUMN - at, "");
        } else {
            at += fprintf(out, " ");
        }
        at += fprintf(out, "%.*s", word, text);
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void print_option(FILE *out, const cli_option *o)
{
    char head[128], text[600];
    option_text(o, head, sizeof head);
    const char *again = o->type == CLI_LIST ? " (may be given again)" : "";
    if (o->value)
        snprintf(text, sizeof text, "%s%s (default: %s)", o->help, again, o->value);
    else
        snprintf(text, sizeof text, "%s%s", o->help, again);
    print_wrapped(out, head, text);
}

void cli_help_command(FILE *out, const cli_command *c)
{
    each_line(c->example, out, bare_line);
    fprintf(out, "\n%s: %s.\n", c->name, c->summary);
    if (c->text) {
        fputc('\n', out);
        each_line(c->text, out, bare_line);
    }
    fprintf(out, "\nUsage: dalle-cl %s [OPTIONS]%s%s\n", c->name, *c->arguments ? " " : "", c->arguments);
    if (c->option_count) fputs("\nOptions:\n", out);
    for (int i = 0; i < c->option_count; ++i) print_option(out, &c->options[i]);
    fputs("\nOptions of every command:\n", out);
    for (int i = 0; i < cli_common_count; ++i) print_option(out, &cli_common[i]);
}

static void print_commands(FILE *out, const char *group)
{
    size_t length = group ? strlen(group) : 0;
    for (int i = 0; cli_commands()[i]; ++i) {
        const cli_command *c = cli_commands()[i];
        if (group && (strncmp(c->name, group, length) != 0 || c->name[length] != ' ')) continue;
        char head[128];
        snprintf(head, sizeof head, "%s %s", c->name, c->arguments);
        print_wrapped(out, head, c->summary);
    }
}

void cli_help_group(FILE *out, const char *group)
{
    size_t length = strlen(group);
    for (int i = 0; cli_commands()[i]; ++i)
        if (strncmp(cli_commands()[i]->name, group, length) == 0 && cli_commands()[i]->name[length] == ' ')
            each_line(cli_commands()[i]->example, out, bare_line);
    fputs("\nCommands:\n", out);
    print_commands(out, group);
    fprintf(out, "\n'dalle-cl %s COMMAND --help' says more about one.\n", group);
}

void cli_help(FILE *out)
{
    char what[600];
    about(what);
    fputs("dalle-cl generate -m models/demo \"red apple\" -o apple.png\n\n", out);
    fprintf(out, "%s\n\nUsage: dalle-cl COMMAND [OPTIONS] [ARGUMENTS]\n\nCommands:\n", what);
    print_commands(out, NULL);
    fputs("\nOptions of every command:\n", out);
    for (int i = 0; i < cli_common_count; ++i) print_option(out, &cli_common[i]);
    print_wrapped(out, "    --version", "show the version");
    fputs("\n'dalle-cl COMMAND --help' says more about one command, with an example first.\n", out);
}

/* ---- The manual page ---------------------------------------------------------------------------- */

/* Escapes what roff would take for its own. */
static void roff_text(FILE *out, const char *text, int length)
{
    if (length > 0 && (*text == '.' || *text == '\'')) fputs("\\&", out);
    for (int i = 0; i < length; ++i) {
        if (text[i] == '\\')
            fputs("\\e", out);
        else if (text[i] == '-')
            fputs("\\-", out);
        else
            fputc(text[i], out);
    }
}

static void roff(FILE *out, const char *text)
{
    roff_text(out, text, (int)strlen(text));
}

static void roff_line(FILE *out, const char *line, int length)
{
    if (!length) {
        fputs(".PP\n", out);
        return;
    }
    roff_text(out, line, length);
    fputc('\n', out);
}

static void roff_option(FILE *out, const cli_option *o)
{
    fputs(".TP\n", out);
    if (o->letter) fprintf(out, "\\fB\\-%c\\fR, ", o->letter);
    fputs("\\fB\\-\\-", out);
    roff(out, o->name);
    fputs("\\fR", out);
    if (o->metavar) {
        fputs(" \\fI", out);
        roff(out, o->metavar);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    roff(out, o->help);
    if (o->type == CLI_LIST) fputs(" (may be given again)", out);
    if (o->value) {
        fputs(" (default: ", out);
        roff(out, o->value);
        fputc(')', out);
    }
    fputc('\n', out);
}

static void roff_command(FILE *out, const cli_command *c)
{
    fputs(".SS ", out);
    roff(out, c->name);
    fprintf(out, "%s%s\n", *c->arguments ? " " : "", c->arguments);
    roff(out, c->summary);
    fputs(".\n", out);
    if (c->text) {
        fputs(".PP\n", out);
        each_line(c->text, out, roff_line);
    }
    for (int i = 0; i < c->option_count; ++i) roff_option(out, &c->options[i]);
    fputs(".PP\nExample:\n.PP\n.nf\n.RS\n", out);
    each_line(c->example, out, roff_line);
    fputs(".RE\n.fi\n", out);
}

void cli_manual(FILE *out)
{
    char what[600];
    fprintf(out, ".TH DALLE\\-CL 1 \"\" \"dalle\\-cl %s\" \"User Commands\"\n", DALLE_CL_VERSION);
    fputs(".SH NAME\ndalle\\-cl \\- train and run DALL\\-E on any OpenCL device\n", out);
    fputs(".SH SYNOPSIS\n.B dalle\\-cl\n.I COMMAND\n[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n.SH DESCRIPTION\n",
          out);
    about(what);
    roff(out, what);
    fputs("\n.SH COMMANDS\n", out);
    for (int i = 0; cli_commands()[i]; ++i) roff_command(out, cli_commands()[i]);
    fputs(".SH OPTIONS OF EVERY COMMAND\n", out);
    for (int i = 0; i < cli_common_count; ++i) roff_option(out, &cli_common[i]);
    fputs(".SH ENVIRONMENT\n"
          ".TP\n\\fBDALLE_CL_DEVICE\\fR\nThe device when \\fB\\-\\-device\\fR is not given.\n"
          ".TP\n\\fBDALLE_CL_CACHE\\fR\nFolder for compiled kernels and measurements; \"off\" keeps none. "
          "Otherwise\n"
          "\\fI$XDG_CACHE_HOME/dalle\\-cl\\fR or \\fI~/.cache/dalle\\-cl\\fR.\n"
          ".SH EXIT STATUS\n0 on success, 2 when the request was wrong, 1 when it failed, "
          "128 and the signal's number (130 for Ctrl-C) when it was interrupted.\n",
          out);
}
