/* text.c -- see text.h.
 * SPDX-License-Identifier: MIT */
#include "models/text.h"

#include "data/caption.h"
#include "data/tokenizer_grow.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include "models/fit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text_source {
    text_config config;
    int64_t batch, first;
    uint64_t seed;
    const training_data *data;
    tokenizer *own; /* NULL where another part's is shared */
    const tokenizer *tokenizer;
    int64_t marks;                /* text positions that no caption gets */
    caption_templates *templates; /* or NULL */
    words *words;                 /* that may stray into captions; NULL where none do */
};

/* ---- Tokenizer and word list ---- */

/* With the words that the model it starts from knows. */
static bool write_words(char **captions, int64_t count, const part_files *from, const char *path, error *err)
{
    const char *of_from = from ? part_files_role(from, PART_WORDS) : NULL;
    char *known = of_from ? file_read(of_from, NULL, err) : NULL;
    if (of_from && !known) return false;
    const char **all = malloc((size_t)(count + 1) * sizeof *all);
    bool ok = all ? true : error_set(err, ERROR_MEMORY, "out of memory for %lld captions", (long long)count);
    for (int64_t i = 0; ok && i < count; ++i) all[i] = captions[i];
    if (ok && known) all[count] = known;
    words *list = ok ? words_collect(all, count + (known != NULL), err) : NULL;
    ok = list && words_save(list, path, err);
    words_destroy(list);
    free(all);
    free(known);
    return ok;
}

static bool copy_tokenizer(const char *from, const char *model, error *err)
{
    tokenizer *given = tokenizer_open(from, err);
    bool ok = given && tokenizer_save(given, model, err);
    tokenizer_close(given);
    return ok;
}

/* Texts that training draws from, with some in templates: as many as training will see, each template at
 * least once. */
typedef struct text_list {
    char **texts, **owned; /* `owned` are those in templates */
    int64_t count, owned_count;
} text_list;

static void free_texts(text_list *l)
{
    for (int64_t i = 0; i < l->owned_count; ++i) free(l->owned[i]);
    free(l->owned);
    free(l->texts);
}

static bool add_templates(text_list *l, const text_source *t, char **captions, int64_t count, error *err)
{
    int templates = t->templates ? caption_templates_count(t->templates) : 0;
    int64_t more = templates ? (int64_t)(t->config.caption_template_odds * (double)count) : 0;
    if (more < templates) more = templates;
    if (count == 0) more = 0;
    l->texts = malloc((size_t)(count + more + 1) * sizeof *l->texts);
    l->owned = malloc((size_t)(more + 1) * sizeof *l->owned);
    bool ok = l->texts && l->owned;
    for (int64_t i = 0; ok && i < count; ++i) l->texts[l->count++] = captions[i];
    for (int64_t i = 0; ok && i < more; ++i) {
        char *text = caption_templates_fill(t->templates, (int)(i % templates), captions[i * 7 % count]);
        ok = text != NULL;
        if (ok) l->texts[l->count++] = l->owned[l->owned_count++] = text;
    }
    return ok || error_set(err, ERROR_MEMORY, "out of memory for captions in templates");
}

static bool collect_texts(const text_source *t, text_list *l, char ***captions, error *err)
{
    int64_t count = 0;
    return dataset_captions(training_data_set(t->data), training_data_selection(t->data, false),
                            t->config.keyword_captions > 0, captions, &count, err) &&
           add_templates(l, t, *captions, count, err);
}

/* The text's words that are not in the list, with blanks between them, to be freed; *joined is NULL when
 * it has none. */
static bool join_unseen(const words *known, const char *text, char **joined, error *err)
{
    char **unseen = NULL;
    int count = words_unseen(known, text, &unseen, err);
    *joined = count > 0 ? calloc(2 * strlen(text) + (size_t)count + 1, 1) : NULL;
    char *end = *joined;
    for (int i = 0; end && i < count; ++i) end = stpcpy(i ? stpcpy(end, " ") : end, unseen[i]);
    bool ok = count == 0 || *joined;
    if (count > 0 && !ok) error_set(err, ERROR_MEMORY, "out of memory for the words of a caption");
    free(unseen);
    return ok;
}

/* What the model has never seen of the texts: words that it knows need no new pieces, however often they
 * come. */
typedef struct unseen_list {
    char **texts;
    int64_t count;
} unseen_list;

static bool find_unseen(const char *words_path, const text_list *l, unseen_list *u, error *err)
{
    words *known = words_open(words_path, err);
    bool ok = known != NULL;
    u->texts = malloc((size_t)(l->count + 1) * sizeof *u->texts);
    if (ok && !u->texts)
        ok = error_set(err, ERROR_MEMORY, "out of memory for %lld captions", (long long)l->count);
    for (int64_t i = 0; ok && i < l->count; ++i) {
        char *joined;
        ok = join_unseen(known, l->texts[i], &joined, err);
        if (joined) u->texts[u->count++] = joined;
    }
    words_destroy(known);
    return ok;
}

static bool grow_tokenizer(const part_files *from, const text_list *l, int64_t most, const char *model,
                           error *err)
{
    unseen_list u = { 0 };
    const char *known = part_files_role(from, PART_WORDS);
    tokenizer *given = tokenizer_open(part_files_role(from, PART_TOKENIZER), err);
    bool ok = given && (!known || find_unseen(known, l, &u, err));
    char **texts = known ? u.texts : l->texts;
    int64_t count = known ? u.count : l->count;
    ok = ok && tokenizer_grow(given, (const char *const *)texts, count, (int)most, model, err);
    for (int64_t i = 0; i < u.count; ++i) free(u.texts[i]);
    free(u.texts);
    tokenizer_close(given);
    return ok;
}

/* Embeddings are taken over by number, so the tokenizer named must have the model's pieces first. */
static bool begins_alike(const train_request *r, const part_files *from, error *err)
{
    tokenizer *given = tokenizer_open(r->tokenizer, err),
              *old = given ? tokenizer_open(part_files_role(from, PART_TOKENIZER), err) : NULL;
    bool ok = given && old;
    int count = ok ? tokenizer_vocabulary(old) : 0;
    bool same = ok && tokenizer_vocabulary(given) >= count;
    for (int i = 0; same && i < count; ++i)
        same = strcmp(tokenizer_piece(given, i), tokenizer_piece(old, i)) == 0;
    tokenizer_close(given);
    tokenizer_close(old);
    if (!ok || same) return ok;
    return error_set(
        err, ERROR_USAGE,
        "the pieces of '%s' are not those of '%s', whose parameters belong to its own: leave out "
        "--tokenizer, or --init",
        r->tokenizer, r->init);
}

words *text_words(const text_config *c, caption_templates *templates, const training_data *data, error *err)
{
    const text_source t = { .config = *c, .templates = templates, .data = data };
    char **captions = NULL;
    text_list l = { 0 };
    words *list = NULL;
    if (collect_texts(&t, &l, &captions, err))
        list = words_collect((const char *const *)l.texts, l.count, err);
    free_texts(&l);
    free(captions);
    return list;
}

/* `model` is NULL where the tokenizer is another part's. */
static bool make_text_files(const text_source *t, const train_request *r, const part_files *from,
                            const char *model, const char *list, error *err)
{
    const text_config *c = &t->config;
    char **captions = NULL;
    text_list l = { 0 };
    bool ok = collect_texts(t, &l, &captions, err) && write_words(l.texts, l.count, from, list, err);
    if (ok && model && r->tokenizer) {
        ok = (!from || begins_alike(r, from, err)) && copy_tokenizer(r->tokenizer, model, err);
    } else if (ok && model && from) {
        ok = grow_tokenizer(from, &l, c->text_vocabulary, model, err);
    } else if (ok && model) {
        log_info("training a tokenizer of %lld tokens on %lld texts", (long long)c->text_vocabulary,
                 (long long)l.count);
        ok = tokenizer_fit((const char *const *)l.texts, l.count, (int)c->text_vocabulary, model, err) ||
             error_prefix(err, "text_vocabulary");
    }
    free_texts(&l);
    free(captions);
    return ok;
}

bool text_open_templates(const text_config *c, caption_templates **out, error *err)
{
    const char *name = c->caption_templates;
    *out = NULL;
    if (!*name) return true;
    *out = strcmp(name, "builtin") == 0 ? caption_templates_read(caption_templates_builtin(), name, err)
                                        : caption_templates_open(name, err);
    return *out || error_prefix(err, "caption_templates");
}

/* Reads the templates that the settings name, or when the run resumes its own copy of them. */
static bool read_templates(text_source *t, const char *copy, bool resume, error *err)
{
    const char *name = t->config.caption_templates;
    if (!*name) return true;
    if (resume && !file_exists(copy))
        return error_set(
            err, ERROR_USAGE,
            "caption_templates: '%s' is missing; a run goes on with the templates it began with, "
            "so start a new one to change them (--init takes over the parameters)",
            copy);
    if (!resume) return text_open_templates(&t->config, &t->templates, err);
    return (t->templates = caption_templates_open(copy, err)) || error_prefix(err, "caption_templates");
}

static bool keep_templates(const text_source *t, const char *copy, error *err)
{
    if (!t->templates) return true;
    size_t size = 1;
    int count = caption_templates_count(t->templates);
    for (int i = 0; i < count; ++i) size += strlen(caption_templates_at(t->templates, i)) + 1;
    char *text = malloc(size), *at = text;
    if (!text) return error_set(err, ERROR_MEMORY, "out of memory for templates");
    for (int i = 0; i < count; ++i) at = stpcpy(stpcpy(at, caption_templates_at(t->templates, i)), "\n");
    bool ok = file_write(copy, text, (size_t)(at - text), err);
    free(text);
    return ok;
}

/* A folder that holds a run must not lose its tokenizer to a mistaken second one. */
static bool folder_is_free(const train_request *r, error *err)
{
    char *info = file_join(r->run, "run.json");
    if (!info) return error_set(err, ERROR_MEMORY, "out of memory for a path in '%s'", r->run);
    file_kind kind;
    bool known = file_look(info, &kind, err);
    free(info);
    if (!known) return false;
    if (kind == FILE_ABSENT) return file_make_folders(r->run, err);
    return error_set(err, ERROR_USAGE,
                     "'%s' already holds a run; go on with it by --resume, or name another folder", r->run);
}

/* The settings follow the tokenizer.  A resumed run's must have done so already. */
static bool take_vocabulary(const text_source *t, const train_request *r, const part_files *from,
                            text_config *c, error *err)
{
    int is = tokenizer_vocabulary(t->tokenizer);
    if (is == c->text_vocabulary) return true;
    if (r->resume && !r->preset)
        return error_set(err, ERROR_USAGE,
                         "the tokenizer has %d tokens, text_vocabulary is %lld; set text_vocabulary=%d", is,
                         (long long)c->text_vocabulary, is);
    log_info("text_vocabulary is %d, not %lld: %s", is, (long long)c->text_vocabulary,
             r->resume || r->tokenizer || !t->own ? "so large is the tokenizer"
             : from ? "the model's tokenizer, with at most so many pieces added for these captions"
             : is < c->text_vocabulary ? "these captions allow no more"
                                       : "the characters of these captions need as many");
    c->text_vocabulary = is;
    return true;
}

/* As many positions as the longest text has tokens. */
static bool choose_positions(const text_source *t, text_config *c, error *err)
{
    char **captions = NULL;
    text_list l = { 0 };
    int64_t longest = 0;
    bool ok = collect_texts(t, &l, &captions, err);
    for (int64_t i = 0; ok && i < l.count; ++i) {
        int32_t *ids = NULL;
        int count = tokenizer_encode(t->tokenizer, l.texts[i], &ids, err);
        free(ids);
        ok = count >= 0 || error_prefix(err, "'%.60s'", l.texts[i]);
        if (count > longest) longest = count;
    }
    c->text_tokens = fit_text_tokens(longest + t->marks);
    free_texts(&l);
    free(captions);
    return ok;
}

/* No fewer positions than the model has that the run starts from. */
static bool check_positions(const text_options *o, bool chosen, text_config *c, error *err)
{
    if (chosen && c->text_tokens < o->least_tokens) c->text_tokens = o->least_tokens;
    return c->text_tokens >= o->least_tokens ||
           error_set(
               err, ERROR_USAGE,
               "'%s' has text_tokens = %lld: a run that starts from it cannot have %lld; leave out --set "
               "text_tokens, or choose more",
               o->request->init, (long long)o->least_tokens, (long long)c->text_tokens);
}

/* Those of the part whose tokenizer it is. */
static void share_positions(const text_options *o, text_config *c)
{
    if (!o->shared || c->text_tokens == o->shared_tokens) return;
    if (c->text_tokens)
        log_info("text_tokens is %lld, not %lld: as many as the part has whose tokenizer it is",
                 (long long)o->shared_tokens, (long long)c->text_tokens);
    c->text_tokens = o->shared_tokens;
}

static bool open_files(text_source *t, const text_options *o, error *err)
{
    const train_request *r = o->request;
    char *model = file_join(r->run, "tokenizer.model"), *list = file_join(r->run, "words.txt"),
         *copy = file_join(r->run, "templates.txt");
    bool ok = model && list && copy ? true : error_set(err, ERROR_MEMORY, "out of memory for a tokenizer");
    ok = ok && read_templates(t, copy, r->resume, err);
    if (ok && !r->resume)
        ok = folder_is_free(r, err) && keep_templates(t, copy, err) &&
             make_text_files(t, r, o->from, o->shared ? NULL : model, list, err);
    if (ok && !o->shared) ok = (t->own = tokenizer_open(model, err)) != NULL;
    t->tokenizer = o->shared ? o->shared : t->own;
    if (ok && t->config.caption_stray_words > 0) ok = (t->words = words_open(list, err)) != NULL;
    free(model);
    free(list);
    free(copy);
    return ok;
}

text_source *text_open(text_config *c, const text_options *o, const training_data *data, error *err)
{
    text_source *t = calloc(1, sizeof *t);
    if (!t) return error_null(err, ERROR_MEMORY, "out of memory for a tokenizer");
    *t = (text_source){ .config = *c, .batch = o->batch, .first = o->first, .seed = o->seed, .data = data };
    share_positions(o, c);
    bool open = c->text_tokens == 0,
         ok = open_files(t, o, err) && take_vocabulary(t, o->request, o->from, c, err);
    if (ok && o->marks) t->marks = o->marks(t->tokenizer);
    ok = ok && (!open || choose_positions(t, c, err)) && check_positions(o, open, c, err);
    t->config = *c;
    if (ok) return t;
    text_close(t);
    return NULL;
}

void text_close(text_source *t)
{
    if (!t) return;
    tokenizer_close(t->own);
    caption_templates_close(t->templates);
    words_destroy(t->words);
    free(t);
}

const tokenizer *text_tokenizer(const text_source *t)
{
    return t->tokenizer;
}

/* ---- Captions that are cut ---- */

typedef struct cut_count {
    int64_t looked, cut;
    int longest; /* tokens */
    const char *text;
} cut_count;

static bool count_cut(const text_source *t, char **captions, int64_t count, cut_count *c, error *err)
{
    enum { MOST = 200000 }; /* spread over a larger set: a few seconds */
    int64_t stride = count / MOST + 1;
    *c = (cut_count){ .looked = 0 };
    for (int64_t i = 0; i < count; i += stride) {
        int32_t *ids = NULL;
        int tokens = tokenizer_encode(t->tokenizer, captions[i], &ids, err);
        if (tokens < 0) return error_prefix(err, "caption '%.60s'", captions[i]);
        free(ids);
        ++c->looked;
        c->cut += tokens > t->config.text_tokens - t->marks;
        if (tokens <= c->longest) continue;
        c->longest = tokens;
        c->text = captions[i];
    }
    return true;
}

bool text_warn_cut(const text_source *t, error *err)
{
    char **captions = NULL;
    int64_t count = 0;
    cut_count c;
    int shown = 60;
    bool ok = dataset_captions(training_data_set(t->data), training_data_selection(t->data, false),
                               t->config.keyword_captions > 0, &captions, &count, err) &&
              count_cut(t, captions, count, &c, err);
    if (ok && c.cut) {
        bool whole = strlen(c.text) <= (size_t)shown;
        while (!whole && ((unsigned char)c.text[shown] & 0xc0) == 0x80) --shown; /* between characters */
        int64_t needed = c.longest + t->marks;
        char advice[96] = "";
        if (t->own)
            snprintf(advice, sizeof advice, ": --set text_tokens=%d reads %s",
                     (int)(needed < TEXT_TOKENS_MOST ? needed : TEXT_TOKENS_MOST),
                     needed <= TEXT_TOKENS_MOST ? "them whole, in more time and memory"
                                                : "the most there can be");
        log_warn("%lld of %lld captions have more than %lld tokens and are cut there; the longest has %d, "
                 "'%.*s%s'%s",
                 (long long)c.cut, (long long)c.looked, (long long)(t->config.text_tokens - t->marks),
                 c.longest, shown, c.text, whole ? "" : "...", advice);
    }
    free(captions);
    return ok;
}

/* ---- Batches ---- */

bool text_batch_create(text_batch *b, const text_source *t, error *err)
{
    size_t count = (size_t)(t->batch * t->config.text_tokens);
    b->ids = malloc(count * sizeof *b->ids);
    b->targets = malloc(count * sizeof *b->targets);
    return b->ids && b->targets ? true
                                : error_set(err, ERROR_MEMORY, "out of memory for a batch of captions");
}

void text_batch_free(text_batch *b)
{
    free(b->ids);
    free(b->targets);
    *b = (text_batch){ 0 };
}

char *text_draw_caption(const text_config *c, const caption_templates *templates, const words *strays,
                        uint64_t seed, const dataset_sample *s, int64_t at, int64_t step, bool *without)
{
    philox whether = { seed, (uint32_t)step, philox_stream("caption dropout") };
    *without = philox_uniform(&whether, (uint32_t)at) < (float)c->caption_dropout;
    const caption_source source = { s->caption,
                                    s->captions,
                                    s->caption_count,
                                    s->keywords,
                                    s->keyword_count,
                                    strays ? words_list(strays) : NULL,
                                    strays ? words_count(strays) : 0 };
    const caption_odds odds = { .others = c->caption_others,
                                .keywords = c->keyword_captions,
                                .templates = c->caption_template_odds,
                                .shuffle = c->caption_shuffle,
                                .drop_words = c->caption_drop_words,
                                .stray_words = c->caption_stray_words };
    return caption_draw(&source, &odds, templates, seed, (uint32_t)step, (uint32_t)at);
}

static int encode_for_training(const text_source *t, const dataset_sample *s, int64_t at, int64_t step,
                               int32_t **ids, error *err)
{
    const text_config *c = &t->config;
    bool without;
    char *text = text_draw_caption(c, t->templates, t->words, t->seed, s, at, step, &without);
    if (!text) return error_set(err, ERROR_MEMORY, "out of memory for a caption"), -1;
    if (without) return free(text), 0;
    philox merges = { t->seed, (uint32_t)step, philox_stream("bpe dropout") + (uint32_t)at };
    int count = c->bpe_dropout > 0
                    ? tokenizer_encode_dropout(t->tokenizer, text, (float)c->bpe_dropout, &merges, ids, err)
                    : tokenizer_encode(t->tokenizer, text, ids, err);
    free(text);
    return count;
}

bool text_fill(const text_source *t, text_batch *b, int64_t at, const dataset_sample *s, int64_t step,
               error *err)
{
    int32_t *ids = NULL;
    int count = step >= 0 ? encode_for_training(t, s, t->first + at, step, &ids, err)
                          : tokenizer_encode(t->tokenizer, s->caption, &ids, err);
    if (count < 0) return error_prefix(err, "'%s'", s->key);
    text_positions(ids, count, t->config.text_tokens, b->ids + at * t->config.text_tokens);
    free(ids);
    return true;
}

void text_finish(const text_source *t, text_batch *b)
{
    int64_t positions = t->config.text_tokens, targets = 0;
    for (int64_t i = 0; i < t->batch; ++i)
        for (int64_t j = 0; j + 1 < positions; ++j) {
            int32_t next = b->ids[i * positions + j + 1];
            b->targets[i * (positions - 1) + j] = next;
            targets += next >= 0;
        }
    b->share = (b->counted = targets) ? 1.0f / (float)targets : 0.0f;
}
