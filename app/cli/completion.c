/* completion.c -- shell completion, from the table: `source <(dalle-cl completion bash)`.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"

#include <string.h>

static bool is_path(const cli_option *o)
{
    return o->metavar && (strcmp(o->metavar, "FILE") == 0 || strcmp(o->metavar, "FOLDER") == 0);
}

static bool is_choice(const cli_option *o)
{
    return o->metavar && strchr(o->metavar, '|');
}

/* Arguments that are one of a few words, "dvae|prior", rather than names for what is meant, "FOLDER|FILE". */
static bool has_choices(const cli_command *c)
{
    return strchr(c->arguments, '|') && *c->arguments >= 'a' && *c->arguments <= 'z';
}

/* "a|b|c" as "a b c". */
static void print_choices(FILE *out, const char *choices)
{
    for (; *choices; ++choices) fputc(*choices == '|' ? ' ' : *choices, out);
}

static int first_length(const cli_command *c)
{
    return (int)strcspn(c->name, " ");
}

/* Whether an earlier command has the same first word. */
static bool repeats_first(int index)
{
    int length = first_length(cli_commands()[index]);
    for (int i = 0; i < index; ++i)
        if (first_length(cli_commands()[i]) == length &&
            strncmp(cli_commands()[i]->name, cli_commands()[index]->name, (size_t)length) == 0)
            return true;
    return false;
}

static void print_first_words(FILE *out)
{
    for (int i = 0; cli_commands()[i]; ++i)
        if (!repeats_first(i))
            fprintf(out, "%.*s ", first_length(cli_commands()[i]), cli_commands()[i]->name);
}

/* Second words of the group that command `index` begins. */
static void print_second_words(FILE *out, int index)
{
    int length = first_length(cli_commands()[index]);
    for (int i = index; cli_commands()[i]; ++i) {
        const cli_command *c = cli_commands()[i];
        if (first_length(c) == length && c->name[length] &&
            strncmp(c->name, cli_commands()[index]->name, (size_t)length) == 0)
            fprintf(out, "%s ", c->name + length + 1);
    }
}

static void print_bash_options(FILE *out, const cli_option *options, int count)
{
    for (int i = 0; i < count; ++i) fprintf(out, "--%s ", options[i].name);
}

static void print_bash_values(FILE *out, const cli_command *c)
{
    for (int i = 0; i < c->option_count; ++i) {
        const cli_option *o = &c->options[i];
        if (!is_choice(o) && !is_path(o)) continue;
        fprintf(out, "    '%s --%s'", c->name, o->name);
        if (o->letter) fprintf(out, "|'%s -%c'", c->name, o->letter);
        if (is_choice(o)) {
            fputs(") words=\"", out);
            print_choices(out, o->metavar);
            fputs("\" ;;\n", out);
        } else {
            fputs(") files=1 ;;\n", out);
        }
    }
    if (!has_choices(c)) return;
    fprintf(out, "    '%s %s') [[ $cur == -* ]] || words=\"", c->name, c->name); /* the first argument */
    print_choices(out, c->arguments);
    fputs("\" ;;\n", out);
}

static void bash(FILE *out)
{
    fputs("# bash completion of dalle-cl\n"
          "_dalle_cl() {\n"
          "  local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\" words='' files='' "
          "name=\"${COMP_WORDS[1]}\"\n"
          "  case \"$name\" in\n",
          out);
    for (int i = 0; cli_commands()[i]; ++i) {
        const cli_command *c = cli_commands()[i];
        if (!c->name[first_length(c)] || repeats_first(i)) continue;
        fprintf(out, "    %.*s) if ((COMP_CWORD == 2)); then COMPREPLY=($(compgen -W \"", first_length(c),
                c->name);
        print_second_words(out, i);
        fputs("\" -- \"$cur\")); return; fi; name=\"$name ${COMP_WORDS[2]}\" ;;\n", out);
    }
    fputs("  esac\n  if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W \"", out);
    print_first_words(out);
    fputs("--help --version\" -- \"$cur\")); return; fi\n  case \"$name $prev\" in\n", out);
    for (int i = 0; cli_commands()[i]; ++i) print_bash_values(out, cli_commands()[i]);
    fputs("  esac\n"
          "  if [[ $words ]]; then COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")); return; fi\n"
          "  if [[ $files || $cur != -* ]]; then COMPREPLY=($(compgen -f -- \"$cur\")); return; fi\n"
          "  case \"$name\" in\n",
          out);
    for (int i = 0; cli_commands()[i]; ++i) {
        fprintf(out, "    '%s') words=\"", cli_commands()[i]->name);
        print_bash_options(out, cli_commands()[i]->options, cli_commands()[i]->option_count);
        print_bash_options(out, cli_common, cli_common_count);
        fputs("\" ;;\n", out);
    }
    fputs("  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o filenames -F _dalle_cl "
          "dalle-cl\n",
          out);
}

/* Text inside single quotes; zsh's specifications take [ ] and : for their own. */
static void print_quoted(FILE *out, const char *text, const char *escaped)
{
    for (; *text; ++text) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr(escaped, *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

static void print_zsh_options(FILE *out, const cli_option *options, int count)
{
    for (int i = 0; i < count; ++i) {
        const cli_option *o = &options[i];
        fprintf(out, " \\\n        '%s--%s%s[", o->type == CLI_LIST ? "*" : "", o->name,
                o->type == CLI_FLAG ? "" : "=");
        print_quoted(out, o->help, "[]:\\");
        fputc(']', out);
        if (is_choice(o)) {
            fprintf(out, ":%s:(", o->name);
            print_choices(out, o->metavar);
            fputc(')', out);
        } else if (o->type != CLI_FLAG) {
            fprintf(out, ":%s:%s", o->metavar, is_path(o) ? "_files" : "");
        }
        fputc('\'', out);
    }
}

static void zsh(FILE *out)
{
    fputs("#compdef dalle-cl\n"
          "_dalle_cl() {\n"
          "  local name=$words[2]\n"
          "  if ((CURRENT == 2)); then compadd -- ",
          out);
    print_first_words(out);
    fputs("--help --version; return; fi\n  case $name in\n", out);
    for (int i = 0; cli_commands()[i]; ++i) {
        const cli_command *c = cli_commands()[i];
        if (!c->name[first_length(c)] || repeats_first(i)) continue;
        fprintf(out, "    %.*s) if ((CURRENT == 3)); then compadd -- ", first_length(c), c->name);
        print_second_words(out, i);
        fputs("; return; fi; name=\"$name $words[3]\" ;;\n", out);
    }
    fputs("  esac\n  case $name in\n", out);
    for (int i = 0; cli_commands()[i]; ++i) {
        fprintf(out, "    '%s')\n      _arguments", cli_commands()[i]->name);
        print_zsh_options(out, cli_commands()[i]->options, cli_commands()[i]->option_count);
        print_zsh_options(out, cli_common, cli_common_count);
        if (has_choices(cli_commands()[i])) {
            fputs(" \\\n        '1: :(", out);
            print_choices(out, cli_commands()[i]->arguments);
            fputs(")' ;;\n", out);
        } else {
            fputs(" \\\n        '*:file:_files' ;;\n", out);
        }
    }
    fputs(
        "  esac\n}\n"
        "if [ \"$funcstack[1]\" = _dalle_cl ]; then _dalle_cl \"$@\"; else compdef _dalle_cl dalle-cl; fi\n",
        out);
}

static void print_fish_options(FILE *out, const char *condition, const cli_option *options, int count)
{
    for (int i = 0; i < count; ++i) {
        const cli_option *o = &options[i];
        fprintf(out, "complete -c dalle-cl -n '%s' -l %s", condition, o->name);
        if (o->letter) fprintf(out, " -s %c", o->letter);
        if (is_choice(o)) {
            fputs(" -xa '", out);
            print_choices(out, o->metavar);
            fputc('\'', out);
        } else if (o->type != CLI_FLAG) {
            fputs(is_path(o) ? " -rF" : " -x", out);
        }
        fputs(" -d '", out);
        print_quoted(out, o->help, "\\");
        fputs("'\n", out);
    }
}

static void fish(FILE *out)
{
    fputs("# fish completion of dalle-cl\n", out);
    for (int i = 0; cli_commands()[i]; ++i) {
        const cli_command *c = cli_commands()[i];
        int length = first_length(c);
        if (!repeats_first(i))
            fprintf(out, "complete -c dalle-cl -f -n __fish_use_subcommand -a %.*s -d '%s'\n", length,
                    c->name, c->name[length] ? "" : c->summary);
        if (c->name[length])
            fprintf(out,
                    "complete -c dalle-cl -f -n '__fish_seen_subcommand_from %.*s; and test (count "
                    "(commandline -opc)) -eq 2' -a %s -d '",
                    length, c->name, c->name + length + 1);
        if (c->name[length]) {
            print_quoted(out, c->summary, "\\");
            fputs("'\n", out);
        }
        char condition[160];
        if (c->name[length])
            snprintf(condition, sizeof condition,
                     "__fish_seen_subcommand_from %.*s; and __fish_seen_subcommand_from %s", length, c->name,
                     c->name + length + 1);
        else
            snprintf(condition, sizeof condition, "__fish_seen_subcommand_from %s", c->name);
        if (has_choices(c)) {
            fprintf(out, "complete -c dalle-cl -n '%s' -xa '", condition);
            print_choices(out, c->arguments);
            fputs("'\n", out);
        }
        print_fish_options(out, condition, c->options, c->option_count);
        print_fish_options(out, condition, cli_common, cli_common_count);
    }
}

void cli_completion(FILE *out, const char *shell)
{
    if (strcmp(shell, "bash") == 0) bash(out);
    if (strcmp(shell, "zsh") == 0) zsh(out);
    if (strcmp(shell, "fish") == 0) fish(out);
}
