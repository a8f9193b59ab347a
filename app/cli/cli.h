/* cli.h -- the command line as one table: parsing, --help, completion and the manual come from it.
 * A command is a constant cli_command in its own file; table.c lists them, with what the kinds of model
 * (models/kinds.h) add to them.
 * Names are one or two words ("devices", "data info").  Options are long, some with a letter, and take
 * `--name value`, `--name=value`, `-n value` or `-nvalue`; "--" ends them.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_CLI_H
#define DALLE_CL_CLI_CLI_H

#include "host/base/error.h"
#include "app/cli/interrupt.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum cli_type {
    CLI_FLAG,
    CLI_INT,
    CLI_REAL,
    CLI_TEXT,
    CLI_LIST, /* text; may be given more than once */
    /* Text that names what the command writes, looked at before it runs: output.h. */
    CLI_PICTURE,   /* PNG */
    CLI_TOKENS,    /* JSON */
    CLI_TAR,       /* a set of pictures with captions */
    CLI_TOKENIZER, /* a SentencePiece model */
    CLI_PAGE,      /* HTML */
    CLI_FOLDER     /* is made if it is not there */
} cli_type;

typedef struct cli_option {
    const char *name; /* without the dashes */
    char letter;      /* or 0 */
    cli_type type;
    const char
        *metavar;      /* NULL for flags; "a|b|c" is checked as a choice; FILE, FOLDER and DEVICE complete */
    const char *value; /* the default as text, or NULL: not given */
    double low, high;  /* INT and REAL; unchecked when both are 0 */
    const char *help;
} cli_option;

typedef struct cli_call cli_call;
typedef struct cli_command cli_command;
typedef struct model_kind model_kind;

struct cli_command {
    const char *name;
    const char *summary;   /* one line, no full stop */
    const char *arguments; /* "CAPTION", "PICTURE...", or "" */
    int least, most;       /* positional arguments; most -1: any number */
    const char *example;   /* lines, each a command */
    const char *text;      /* paragraphs for help and manual, or NULL */
    const cli_option *options;
    int option_count;
    bool (*run)(const cli_call *call, error *err);
    /* Puts what the table of kinds says into the copy of the command that is shown and run; NULL: nothing. */
    void (*fill)(cli_command *c);
    bool each_kind;         /* stands for a command for each kind that trains, which `fill` finds in `kind` */
    const model_kind *kind; /* NULL: of none alone */
};

const cli_command *const *cli_commands(void); /* ends with NULL; in the order of help */
extern const cli_option cli_common[];         /* --device --seed --quiet --json --help */
extern const int cli_common_count;

/* ---- What a command's run sees --------------------------------------------------------------- */

const char *cli_text(const cli_call *call, const char *option); /* NULL if not given and without default */
int64_t cli_int(const cli_call *call, const char *option);
double cli_real(const cli_call *call, const char *option);
bool cli_flag(const cli_call *call, const char *option);
bool cli_given(const cli_call *call, const char *option);
const char *const *cli_list(const cli_call *call, const char *option, int *count);
int cli_argument_count(const cli_call *call);
const char *cli_argument(const cli_call *call, int index);
const cli_command *cli_call_command(const cli_call *call);
/* --seed, or `otherwise` when it is not given. */
int64_t cli_seed(const cli_call *call, int64_t otherwise);
/* The option must be given: an error that shows the example if not. */
bool cli_require(const cli_call *call, const char *option, error *err);

/* 53786240 as "53,786,240". */
void cli_grouped(int64_t number, char text[32]);

/* ---- The machinery ---------------------------------------------------------------------------- */

/* Of the sources that the program was built from, as far as the build knew; NULL: it did not. */
void cli_set_commit(const char *commit);
const char *cli_commit(void);

/* Parses, runs and reports; returns the exit status. */
int cli_main(int argc, char **argv);

/* Finds the command that argv[0..] names; *words is how many words that took.  NULL: none, err says so. */
const cli_command *cli_find(int argc, char *const *argv, int *words, error *err);

/* table.c: for `fill`: memory that lasts as long as the program, and the first options with others behind
 * them. */
void *cli_lasting(size_t bytes);
const char *cli_lasting_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
const cli_option *cli_join_options(const cli_option *a, int a_count, const cli_option *b, int b_count);

/* help.c */
void cli_help(FILE *out);
void cli_help_command(FILE *out, const cli_command *c);
void cli_help_group(FILE *out, const char *group); /* the commands that start with this word */
void cli_manual(FILE *out);

/* completion.c: shell is "bash", "zsh" or "fish". */
void cli_completion(FILE *out, const char *shell);

#endif
