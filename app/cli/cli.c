/* cli.c -- reads arguments by the table; see cli.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"

#include "host/base/config.h"
#include "host/base/log.h"
#include "app/cli/output.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct given {
    const char **values; /* of a flag: NULL */
    int count;
} given;

struct cli_call {
    const cli_command *command;
    given *given; /* the command's options, then the common ones */
    const char **arguments;
    int argument_count;
};

enum { NAMES_MAX = 256 };

const cli_option cli_common[] = {
    { "device", 'd', CLI_TEXT, "DEVICE", NULL, 0, 0,
      "index, cpu, gpu, a vendor word, or part of a name; otherwise $DALLE_CL_DEVICE, or the fastest" },
    { "seed", 0, CLI_INT, "N", NULL, 0, 9007199254740992.0, "seed of all random numbers" },
    { "quiet", 'q', CLI_FLAG, NULL, NULL, 0, 0, "no progress, only warnings and results" },
    { "json", 0, CLI_FLAG, NULL, NULL, 0, 0, "results as JSON on standard output" },
    { "help", 'h', CLI_FLAG, NULL, NULL, 0, 0, "show this" },
};
const int cli_common_count = (int)(sizeof cli_common / sizeof *cli_common);

static int option_count(const cli_command *c)
{
    return c->option_count + cli_common_count;
}

static const cli_option *option_at(const cli_command *c, int index)
{
    return index < c->option_count ? &c->options[index] : &cli_common[index - c->option_count];
}

/* ---- Finding ----------------------------------------------------------------------------------- */

static bool matches(const char *name, int argc, char *const *argv, int *words)
{
    const char *space = strchr(name, ' ');
    size_t first = space ? (size_t)(space - name) : strlen(name);
    if (argc < 1 || strlen(argv[0]) != first || strncmp(argv[0], name, first) != 0) return false;
    *words = space ? 2 : 1;
    return !space || (argc > 1 && strcmp(argv[1], space + 1) == 0);
}

static bool unknown_command(int argc, char *const *argv, error *err)
{
    if (argv[0][0] == '-')
        return error_set(err, ERROR_USAGE,
                         "'%s' comes before any command; usage: dalle-cl COMMAND [OPTIONS] [ARGUMENTS], and "
                         "'dalle-cl --help' lists the commands",
                         argv[0]);
    const char *names[NAMES_MAX], *group[NAMES_MAX];
    int count = 0, in_group = 0;
    size_t first = strlen(argv[0]);
    for (int i = 0; cli_commands()[i] && count < NAMES_MAX; ++i) {
        const char *name = cli_commands()[i]->name;
        names[count++] = name;
        if (strncmp(name, argv[0], first) == 0 && name[first] == ' ') group[in_group++] = name + first + 1;
    }
    if (in_group) {
        const char *near = argc > 1 ? config_nearest(argv[1], group, in_group) : NULL;
        char list[200] = "";
        for (int i = 0; i < in_group; ++i) {
            size_t used = strlen(list);
            snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", group[i]);
        }
        if (argc < 2 || argv[1][0] == '-')
            return error_set(err, ERROR_USAGE, "'%s' needs one of: %s", argv[0], list);
        if (near)
            return error_set(err, ERROR_USAGE, "'%s' knows no '%s'; did you mean '%s'? It has: %s", argv[0],
                             argv[1], near, list);
        return error_set(err, ERROR_USAGE, "'%s' knows no '%s'; it has: %s", argv[0], argv[1], list);
    }
    /* The first words of groups are names too. */
    char words[NAMES_MAX][32];
    for (int i = 0; i < count; ++i) {
        snprintf(words[i], sizeof words[i], "%.*s", (int)strcspn(names[i], " "), names[i]);
        names[i] = words[i];
    }
    const char *near = config_nearest(argv[0], names, count);
    if (near) return error_set(err, ERROR_USAGE, "unknown command '%s'; did you mean '%s'?", argv[0], near);
    return error_set(err, ERROR_USAGE, "unknown command '%s'; 'dalle-cl --help' lists them", argv[0]);
}

const cli_command *cli_find(int argc, char *const *argv, int *words, error *err)
{
    for (int i = 0; cli_commands()[i]; ++i)
        if (matches(cli_commands()[i]->name, argc, argv, words)) return cli_commands()[i];
    unknown_command(argc, argv, err);
    return NULL;
}

static int find_option(const cli_command *c, const char *name, size_t length)
{
    for (int i = 0; i < option_count(c); ++i)
        if (strlen(option_at(c, i)->name) == length && strncmp(option_at(c, i)->name, name, length) == 0)
            return i;
    return -1;
}

static int find_letter(const cli_command *c, char letter)
{
    for (int i = 0; i < option_count(c); ++i)
        if (option_at(c, i)->letter == letter) return i;
    return -1;
}

/* Whoever has given no word yet may think that words are given by options. */
static bool unknown_option(const cli_call *call, const char *word, error *err)
{
    const cli_command *c = call->command;
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    const char *names[NAMES_MAX];
    int count = 0;
    for (; count < option_count(c) && count < NAMES_MAX; ++count) names[count] = option_at(c, count)->name;
    const char *bare = name + strspn(name, "-"), *near = *bare ? config_nearest(bare, names, count) : NULL;
    if (near)
        return error_set(err, ERROR_USAGE, "%s: unknown option '%s'; did you mean '--%s'?", c->name, name,
                         near);
    const bool missing = c->least > call->argument_count;
    return error_set(err, ERROR_USAGE, "%s: unknown option '%s'%s%s%s; see 'dalle-cl %s --help'", c->name,
                     name, missing ? "; " : "", missing ? c->arguments : "",
                     missing ? " is given without an option" : "", c->name);
}

/* ---- Values ------------------------------------------------------------------------------------ */

static bool is_choice(const cli_option *o)
{
    return o->metavar && strchr(o->metavar, '|');
}

static bool check_choice(const cli_command *c, const cli_option *o, const char *value, error *err)
{
    size_t length = strlen(value);
    for (const char *word = o->metavar; word; word = strchr(word, '|') ? strchr(word, '|') + 1 : NULL)
        if (strcspn(word, "|") == length && strncmp(word, value, length) == 0) return true;
    return error_set(err, ERROR_USAGE, "%s: --%s '%s' is not one of %s", c->name, o->name, value, o->metavar);
}

static bool check_number(const cli_command *c, const cli_option *o, const char *value, error *err)
{
    bool whole = o->type == CLI_INT;
    errno = 0;
    long long count = whole ? strtoll(value, NULL, 10) : 0;
    double number = whole ? (double)count : strtod(value, NULL);
    if (!config_is_number(value, whole))
        return error_set(err, ERROR_USAGE, "%s: --%s '%s' is not a %snumber", c->name, o->name, value,
                         whole ? "whole " : "");
    bool bounded = o->low != 0 || o->high != 0;
    /* Past 2^53 a double does not tell neighbours apart. */
    bool over = whole ? count > (long long)o->high : number > o->high;
    if (!isfinite(number) || (whole && errno == ERANGE) || (bounded && (number < o->low || over)))
        return error_set(err, ERROR_USAGE, "%s: --%s %s is outside its range, %.16g to %.16g", c->name,
                         o->name, value, o->low, o->high);
    return true;
}

static bool take(cli_call *call, int index, const char *value, error *err)
{
    const cli_option *o = option_at(call->command, index);
    given *g = &call->given[index];
    if (g->count && o->type != CLI_LIST && o->type != CLI_FLAG)
        return error_set(err, ERROR_USAGE, "%s: --%s is given twice, as '%s' and '%s'", call->command->name,
                         o->name, g->values[0], value);
    if (o->type != CLI_FLAG && is_choice(o) && !check_choice(call->command, o, value, err)) return false;
    if ((o->type == CLI_INT || o->type == CLI_REAL) && !check_number(call->command, o, value, err))
        return false;
    const char **values = realloc(g->values, (size_t)(g->count + 1) * sizeof *values);
    if (!values) return error_set(err, ERROR_MEMORY, "out of memory for the command line");
    values[g->count++] = value;
    g->values = values;
    return true;
}

/* Reads the option at argv[*at]; moves *at past its value. */
static bool read_option(cli_call *call, int argc, char **argv, int *at, error *err)
{
    const cli_command *c = call->command;
    const char *word = argv[*at], *value = NULL;
    int index;
    if (word[1] == '-') {
        size_t length = strcspn(word + 2, "=");
        index = find_option(c, word + 2, length);
        if (word[2 + length] == '=') value = word + 3 + length;
    } else {
        index = find_letter(c, word[1]);
        if (word[2]) value = word + 2;
    }
    if (index < 0) return unknown_option(call, word, err);
    const cli_option *o = option_at(c, index);
    if (o->type == CLI_FLAG && value)
        return error_set(err, ERROR_USAGE, "%s: --%s takes no value, but was given '%s'", c->name, o->name,
                         value);
    if (o->type == CLI_FLAG) return take(call, index, NULL, err);
    if (!value && *at + 1 >= argc)
        return error_set(err, ERROR_USAGE, "%s: --%s needs a value: --%s %s", c->name, o->name, o->name,
                         o->metavar);
    return take(call, index, value ? value : argv[++*at], err);
}

static bool check_arguments(const cli_call *call, error *err)
{
    const cli_command *c = call->command;
    int count = call->argument_count;
    if (c->most >= 0 && count > c->most)
        return error_set(err, ERROR_USAGE,
                         "%s: '%s' is one argument too many; usage: dalle-cl %s [OPTIONS]%s%s", c->name,
                         call->arguments[c->most], c->name, *c->arguments ? " " : "", c->arguments);
    if (count < c->least)
        return error_set(err, ERROR_USAGE, "%s: %.*s is missing; usage: dalle-cl %s [OPTIONS] %s", c->name,
                         (int)strcspn(c->arguments, ". "), c->arguments, c->name, c->arguments);
    return true;
}

static bool parse(cli_call *call, int argc, char **argv, error *err)
{
    bool options = true;
    for (int i = 0; i < argc; ++i) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            if (!read_option(call, argc, argv, &i, err)) return false;
        } else {
            call->arguments[call->argument_count++] = argv[i];
        }
    }
    return true;
}

/* ---- What a command sees ----------------------------------------------------------------------- */

static const given *given_of(const cli_call *call, const char *option, const cli_option **o)
{
    int index = find_option(call->command, option, strlen(option));
    CHECK(index >= 0, "command '%s' has no option '%s'", call->command->name, option);
    *o = option_at(call->command, index);
    return &call->given[index];
}

const char *cli_text(const cli_call *call, const char *option)
{
    const cli_option *o;
    const given *g = given_of(call, option, &o);
    return g->count ? g->values[0] : o->value;
}

int64_t cli_int(const cli_call *call, const char *option)
{
    const char *text = cli_text(call, option);
    return text ? strtoll(text, NULL, 10) : 0;
}

double cli_real(const cli_call *call, const char *option)
{
    const char *text = cli_text(call, option);
    return text ? strtod(text, NULL) : 0.0;
}

bool cli_flag(const cli_call *call, const char *option)
{
    return cli_given(call, option);
}

bool cli_given(const cli_call *call, const char *option)
{
    const cli_option *o;
    return given_of(call, option, &o)->count > 0;
}

const char *const *cli_list(const cli_call *call, const char *option, int *count)
{
    const cli_option *o;
    const given *g = given_of(call, option, &o);
    *count = g->count;
    return g->values;
}

bool cli_lines(const cli_call *call, const char *option, char **lines, error *err)
{
    int count;
    size_t size = 1;
    const char *const *values = cli_list(call, option, &count);
    *lines = NULL;
    if (count == 0) return true;
    for (int i = 0; i < count; ++i) size += strlen(values[i]) + 1;
    if (!(*lines = calloc(1, size))) return error_set(err, ERROR_MEMORY, "out of memory for --%s", option);
    for (int i = 0; i < count; ++i) {
        if (i) strcat(*lines, "\n");
        strcat(*lines, values[i]);
    }
    return true;
}

int cli_argument_count(const cli_call *call)
{
    return call->argument_count;
}

const char *cli_argument(const cli_call *call, int index)
{
    CHECK(index >= 0 && index < call->argument_count, "argument %d of %d", index, call->argument_count);
    return call->arguments[index];
}

const cli_command *cli_call_command(const cli_call *call)
{
    return call->command;
}

int64_t cli_seed(const cli_call *call, int64_t otherwise)
{
    return cli_given(call, "seed") ? cli_int(call, "seed") : otherwise;
}

bool cli_require(const cli_call *call, const char *option, error *err)
{
    const cli_option *o;
    const given *g = given_of(call, option, &o);
    if (g->count || o->value) return true;
    return error_set(err, ERROR_USAGE, "%s: --%s %s is needed; for example: %.*s", call->command->name,
                     option, o->metavar, (int)strcspn(call->command->example, "\n"), call->command->example);
}

void cli_grouped(int64_t number, char text[32])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)number), at = 0;
    for (int i = 0; i < length; ++i) {
        if (i && (length - i) % 3 == 0) text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = 0;
}

/* ---- Outputs ---- */

/* The output that the option names, or NULL: it is none, or is not wanted. */
static const char *output_of(const cli_call *call, int index)
{
    const cli_option *o = option_at(call->command, index);
    if (!output_is(o)) return NULL;
    return call->given[index].count ? call->given[index].values[0] : o->value;
}

static bool check_outputs(const cli_call *call, error *err)
{
    const cli_command *c = call->command;
    for (int i = 0; i < option_count(c); ++i) {
        const char *path = output_of(call, i);
        if (path && !output_check(call, option_at(c, i), path, err)) return false;
        for (int j = 0; path && j < i; ++j) {
            const char *other = output_of(call, j);
            if (other && strcmp(other, path) == 0)
                return error_set(err, ERROR_USAGE, "%s: --%s and --%s both name '%s'", c->name,
                                 option_at(c, j)->name, option_at(c, i)->name, path);
        }
    }
    return true;
}

/* A command that writes a file has nothing to lose before that; one that fills a folder sees to itself. */
static void guard_outputs(const cli_call *call)
{
    bool any = false;
    for (int i = 0; i < call->command->option_count; ++i) {
        const char *path = output_of(call, i);
        if (!path || call->command->options[i].type == CLI_FOLDER) continue;
        if (!any) {
            cli_catch_interrupts();
            cli_interrupt_ends("stopped; nothing was written");
        }
        any = true;
        output_guard(&call->command->options[i], path);
    }
}

static const char *commit;

void cli_set_commit(const char *name)
{
    commit = name;
}

const char *cli_commit(void)
{
    return commit;
}

/* ---- Running ----------------------------------------------------------------------------------- */

static int report(const error *err)
{
    fflush(stdout);
    if (*err->message) fprintf(stderr, "dalle-cl: %s\n", err->message);
    int number = *cli_interrupted();
    return err->code == ERROR_INTERRUPTED && number ? 128 + number : error_exit_status(err);
}

static int run_command(const cli_command *c, int argc, char **argv)
{
    error err = { .code = ERROR_NONE };
    cli_call call = { .command = c };
    call.given = calloc((size_t)option_count(c), sizeof *call.given);
    call.arguments = calloc((size_t)argc + 1, sizeof *call.arguments);
    bool ok = call.given && call.arguments;
    if (!ok) error_set(&err, ERROR_MEMORY, "out of memory for the command line");
    ok = ok && parse(&call, argc, argv, &err);
    if (ok && cli_flag(&call, "help")) {
        cli_help_command(stdout, c);
    } else if (ok) {
        if (cli_flag(&call, "quiet")) log_set_level(LOG_WARNINGS);
        ok = check_arguments(&call, &err);
        if (ok) guard_outputs(&call); /* before the check, which tries to write */
        ok = ok && check_outputs(&call, &err) && c->run(&call, &err);
    }
    /* A full disk or a closed pipe behind standard output is a failure like any other. */
    if (ok && (fflush(stdout) != 0 || ferror(stdout)))
        ok = error_set(&err, ERROR_IO, "cannot write standard output: %s", strerror(errno));
    for (int i = 0; call.given && i < option_count(c); ++i) free(call.given[i].values);
    free(call.given);
    free(call.arguments);
    return ok ? 0 : report(&err);
}

static bool is_group(const char *word)
{
    size_t length = strlen(word);
    for (int i = 0; cli_commands()[i]; ++i)
        if (strncmp(cli_commands()[i]->name, word, length) == 0 && cli_commands()[i]->name[length] == ' ')
            return true;
    return false;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

int cli_main(int argc, char **argv)
{
    if (argc < 2) {
        cli_help(stderr);
        return 2;
    }
    if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0)) {
        printf("dalle-cl %s\n", DALLE_CL_VERSION);
        return 0;
    }
    bool help = is_help(argv[1]);
    char **words = help ? argv + 2 : argv + 1;
    int count = help ? argc - 2 : argc - 1, used = 0;
    if (!count) {
        cli_help(stdout);
        return 0;
    }
    if (is_group(words[0]) && (count == 1 ? help : is_help(words[1]))) {
        cli_help_group(stdout, words[0]);
        return 0;
    }
    error err = { .code = ERROR_NONE };
    const cli_command *c = cli_find(count, words, &used, &err);
    if (!c) return report(&err);
    if (help && count > used) {
        error_set(&err, ERROR_USAGE, "help: '%s' is one argument too many; usage: dalle-cl help %s",
                  words[used], c->name);
        return report(&err);
    }
    if (help) {
        cli_help_command(stdout, c);
        return 0;
    }
    return run_command(c, count - used, words + used);
}
