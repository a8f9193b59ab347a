/* cmd_tokenizer.c -- `dalle-cl tokenizer train|encode|decode|info`.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "app/cli/print.h"

#include "data/dataset_paths.h"
#include "data/tokenizer.h"
#include "host/base/file.h"
#include "host/base/json_tree.h"
#include "host/base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Captions, in one block to be freed with one free(). */
typedef struct captions {
    char **text;
    int64_t count;
} captions;

/* A text file's lines, empty ones left out. */
static bool read_lines(const char *path, captions *out, error *err)
{
    size_t size = 0;
    char *content = file_read(path, &size, err);
    if (!content) return false;
    int64_t most = 1;
    for (size_t i = 0; i < size; ++i) most += content[i] == '\n';
    size_t table = (size_t)most * sizeof(char *);
    char **text = malloc(table + size + 1);
    if (text) {
        char *copy = (char *)text + table, *rest = NULL;
        memcpy(copy, content, size + 1);
        for (char *line = strtok_r(copy, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest))
            text[out->count++] = line;
    }
    free(content);
    out->text = text;
    if (!text) return error_set(err, ERROR_MEMORY, "out of memory for the lines of '%s'", path);
    return out->count > 0 || error_set(err, ERROR_FORMAT, "'%s' holds no captions: every line is one", path);
}

static bool read_dataset(const cli_call *call, captions *out, error *err)
{
    int count;
    dataset_selection selection = { 0 };
    const char *const *paths = cli_list(call, "data", &count);
    dataset *d = dataset_paths_open(paths, count, true, err);
    bool ok = d && dataset_select(d, cli_text(call, "split"), 0, 0, false, &selection, err) &&
              dataset_captions(d, &selection, cli_flag(call, "keywords"), &out->text, &out->count, err);
    dataset_selection_free(&selection);
    dataset_close(d);
    return ok;
}

static bool run_train(const cli_call *call, error *err)
{
    const char *data = cli_text(call, "data"), *lines = cli_text(call, "text"),
               *out = cli_text(call, "output");
    if (!data == !lines)
        return error_set(
            err, ERROR_USAGE,
            "tokenizer train: give either --data (pictures with captions) or --text (a caption a line)");
    captions c = { 0 };
    bool ok = data ? read_dataset(call, &c, err) : read_lines(lines, &c, err);
    ok = ok &&
         tokenizer_train((const char *const *)c.text, c.count, (int)cli_int(call, "vocabulary"), out, err);
    if (ok && cli_flag(call, "json"))
        printf("{\"captions\": %lld, \"vocabulary\": %lld}\n", (long long)c.count,
               (long long)cli_int(call, "vocabulary"));
    else if (ok && !cli_flag(call, "quiet"))
        printf("%s: %lld tokens from %lld captions\n", out, (long long)cli_int(call, "vocabulary"),
               (long long)c.count);
    free(c.text);
    return ok;
}

static bool print_tokens(const cli_call *call, const tokenizer *t, const int32_t *ids, int count, error *err)
{
    if (!cli_flag(call, "json")) {
        for (int i = 0; i < count; ++i)
            if (cli_flag(call, "pieces"))
                print_piece(stdout, "%s%s", i ? " " : "", tokenizer_piece(t, ids[i]));
            else
                printf("%s%d", i ? " " : "", (int)ids[i]);
        fputc('\n', stdout);
        return true;
    }
    json_t *numbers = json_array(), *pieces = json_array();
    for (int i = 0; i < count; ++i) {
        json_tree_add(&numbers, json_integer(ids[i]));
        json_tree_add(&pieces, json_string(tokenizer_piece(t, ids[i])));
    }
    char *text = json_tree_text(json_pack("{s:o, s:o}", "ids", numbers, "pieces", pieces), JSON_COMPACT,
                                "the tokens as JSON", err);
    if (!text) return false;
    puts(text);
    free(text);
    return true;
}

static bool run_encode(const cli_call *call, error *err)
{
    if (!cli_require(call, "model", err)) return false;
    tokenizer *t = tokenizer_open(cli_text(call, "model"), err);
    if (!t) return false;
    bool ok = true;
    for (int i = 0; ok && i < cli_argument_count(call); ++i) {
        int32_t *ids = NULL;
        int count = tokenizer_encode(t, cli_argument(call, i), &ids, err);
        ok = count >= 0 && print_tokens(call, t, ids, count, err);
        if (count >= 0) free(ids);
    }
    tokenizer_close(t);
    return ok;
}

static bool read_ids(const cli_call *call, const tokenizer *t, int32_t *ids, error *err)
{
    for (int i = 0; i < cli_argument_count(call); ++i) {
        char *end;
        const char *word = cli_argument(call, i);
        errno = 0;
        long id = strtol(word, &end, 10);
        if (end == word || *end || errno || id < 0 || id >= tokenizer_vocabulary(t))
            return error_set(err, ERROR_USAGE,
                             "tokenizer decode: '%s' is not a token, a whole number from 0 to %d", word,
                             tokenizer_vocabulary(t) - 1);
        ids[i] = (int32_t)id;
    }
    return true;
}

static bool print_text(const cli_call *call, const char *text, error *err)
{
    if (!cli_flag(call, "json") && isatty(STDOUT_FILENO)) return print_plain("%s\n", text), true;
    if (!cli_flag(call, "json")) return puts(text) >= 0;
    if (utf8_check(text) >= 0)
        return error_set(err, ERROR_FORMAT, "these tokens are no valid UTF-8, which JSON needs");
    char *line = json_tree_text(json_pack("{s:s}", "text", text), JSON_COMPACT, "the text as JSON", err);
    if (!line) return false;
    puts(line);
    free(line);
    return true;
}

static bool run_decode(const cli_call *call, error *err)
{
    if (!cli_require(call, "model", err)) return false;
    tokenizer *t = tokenizer_open(cli_text(call, "model"), err);
    if (!t) return false;
    int count = cli_argument_count(call);
    int32_t *ids = malloc((size_t)count * sizeof *ids);
    bool ok = ids != NULL;
    if (!ok) error_set(err, ERROR_MEMORY, "out of memory for %d tokens", count);
    char *text = ok && read_ids(call, t, ids, err) ? tokenizer_decode(t, ids, count, err) : NULL;
    ok = text && print_text(call, text, err);
    free(text);
    free(ids);
    tokenizer_close(t);
    return ok;
}

static void print_info(const tokenizer *t, const char *kind)
{
    printf("kind: %s\ntokens: %d\n", kind, tokenizer_vocabulary(t));
    if (tokenizer_begin(t) >= 0) printf("begin: %d\n", (int)tokenizer_begin(t));
    if (tokenizer_end(t) >= 0) printf("end: %d\n", (int)tokenizer_end(t));
    printf("sha256: %s\n", tokenizer_hash(t));
}

static bool print_info_json(const tokenizer *t, const char *kind, error *err)
{
    json_t *begin = tokenizer_begin(t) >= 0 ? json_integer(tokenizer_begin(t)) : json_null(),
           *end = tokenizer_end(t) >= 0 ? json_integer(tokenizer_end(t)) : json_null();
    json_t *o = json_pack("{s:s, s:i, s:o, s:o, s:s}", "kind", kind, "tokens", tokenizer_vocabulary(t),
                          "begin", begin, "end", end, "sha256", tokenizer_hash(t));
    char *line = json_tree_text(o, JSON_COMPACT, "the tokenizer as JSON", err);
    if (!line) return false;
    puts(line);
    free(line);
    return true;
}

static bool run_info(const cli_call *call, error *err)
{
    if (!cli_require(call, "model", err)) return false;
    tokenizer *t = tokenizer_open(cli_text(call, "model"), err);
    if (!t) return false;
    const char *kind = tokenizer_end(t) >= 0 ? "merges of CLIP" : "SentencePiece model";
    bool ok = true;
    if (cli_flag(call, "json"))
        ok = print_info_json(t, kind, err);
    else
        print_info(t, kind);
    tokenizer_close(t);
    return ok;
}

static const cli_option train_options[] = {
    { "data", 0, CLI_LIST, "FILE", NULL, 0, 0, "pictures with captions, as for train" },
    { "text", 0, CLI_TEXT, "FILE", NULL, 0, 0, "instead of --data: a text file with a caption a line" },
    { "split", 0, CLI_TEXT, "NAME", NULL, 0, 0, "only samples of this split; otherwise all" },
    { "keywords", 0, CLI_FLAG, NULL, NULL, 0, 0, "also learn from the samples' keywords" },
    { "vocabulary", 0, CLI_INT, "N", "16384", 260, 1000000, "number of tokens" },
    { "output", 'o', CLI_TOKENIZER, "FILE", "tokenizer.model", 0, 0,
      "the model to write, a SentencePiece file" },
};
static const cli_option encode_options[] = {
    { "model", 'm', CLI_TEXT, "FILE", NULL, 0, 0, "the tokenizer: a SentencePiece model or CLIP's merges" },
    { "pieces", 0, CLI_FLAG, NULL, NULL, 0, 0, "show the tokens' text instead of their numbers" },
};
static const cli_option model_options[] = {
    { "model", 'm', CLI_TEXT, "FILE", NULL, 0, 0, "the tokenizer: a SentencePiece model or CLIP's merges" },
};

const cli_command cmd_tokenizer_train = {
    .name = "tokenizer train",
    .summary = "learn byte-pair encoding from captions",
    .arguments = "",
    .example = "dalle-cl tokenizer train --data emoji.tar --vocabulary 2048 -o tokenizer.model",
    .options = train_options,
    .option_count = (int)(sizeof train_options / sizeof *train_options),
    .run = run_train,
};

const cli_command cmd_tokenizer_encode = {
    .name = "tokenizer encode",
    .summary = "turn captions into tokens, a line each",
    .arguments = "CAPTION...",
    .least = 1,
    .most = -1,
    .example = "dalle-cl tokenizer encode -m tokenizer.model \"red apple\"",
    .options = encode_options,
    .option_count = (int)(sizeof encode_options / sizeof *encode_options),
    .run = run_encode,
};

const cli_command cmd_tokenizer_decode = {
    .name = "tokenizer decode",
    .summary = "turn tokens into text",
    .arguments = "TOKEN...",
    .least = 1,
    .most = -1,
    .example = "dalle-cl tokenizer decode -m tokenizer.model 17 4 9",
    .options = model_options,
    .option_count = (int)(sizeof model_options / sizeof *model_options),
    .run = run_decode,
};

const cli_command cmd_tokenizer_info = {
    .name = "tokenizer info",
    .summary = "say what kind of tokenizer a file holds, and how many tokens",
    .arguments = "",
    .example = "dalle-cl tokenizer info -m bpe_simple_vocab_16e6.txt.gz",
    .options = model_options,
    .option_count = (int)(sizeof model_options / sizeof *model_options),
    .run = run_info,
};
