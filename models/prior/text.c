/* text.c -- see text.h.
 * SPDX-License-Identifier: MIT */
#include "models/prior/text.h"

#include "host/base/file.h"
#include "host/base/log.h"

#include <stdlib.h>
#include <string.h>

struct prior_text {
    prior_config config;
    const training_data *data;
    tokenizer *tokenizer;
};

/* ---- Tokenizer and word list ---- */

static bool write_words(char **captions, int64_t count, const char *path, error *err)
{
    words *list = words_collect((const char *const *)captions, count, err);
    bool ok = list && words_save(list, path, err);
    words_destroy(list);
    return ok;
}

static bool make_text_files(const prior_config *c, const char *from, const training_data *data,
                            const char *model, const char *list, error *err)
{
    char **captions = NULL;
    int64_t count = 0;
    bool ok = dataset_captions(training_data_set(data), training_data_selection(data, false),
                               c->keyword_captions > 0, &captions, &count, err) &&
              write_words(captions, count, list, err);
    if (ok && from) {
        tokenizer *given = tokenizer_open(from, err);
        ok = given && tokenizer_save(given, model, err);
        tokenizer_close(given);
    } else if (ok) {
        log_info("training a tokenizer of %lld tokens on %lld texts", (long long)c->text_vocabulary,
                 (long long)count);
        ok = tokenizer_train((const char *const *)captions, count, (int)c->text_vocabulary, model, err) ||
             error_prefix(err, "text_vocabulary");
    }
    free(captions);
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

prior_text *prior_text_open(const prior_config *c, const train_request *r, const char *from,
                            const training_data *data, error *err)
{
    prior_text *t = calloc(1, sizeof *t);
    char *model = file_join(r->run, "tokenizer.model"), *list = file_join(r->run, "words.txt");
    bool ok = t && model && list ? true : error_set(err, ERROR_MEMORY, "out of memory for a tokenizer");
    if (ok) {
        t->config = *c;
        t->data = data;
    }
    if (ok && !r->resume) ok = folder_is_free(r, err) && make_text_files(c, from, data, model, list, err);
    ok = ok && (t->tokenizer = tokenizer_open(model, err));
    if (ok && tokenizer_vocabulary(t->tokenizer) != c->text_vocabulary)
        ok = error_set(err, ERROR_USAGE,
                       "the tokenizer has %d tokens, text_vocabulary is %lld; set text_vocabulary=%d",
                       tokenizer_vocabulary(t->tokenizer), (long long)c->text_vocabulary,
                       tokenizer_vocabulary(t->tokenizer));
    free(model);
    free(list);
    if (ok) return t;
    prior_text_close(t);
    return NULL;
}

void prior_text_close(prior_text *t)
{
    if (!t) return;
    tokenizer_close(t->tokenizer);
    free(t);
}

const tokenizer *prior_text_tokenizer(const prior_text *t)
{
    return t->tokenizer;
}

/* ---- Captions that are cut ---- */

typedef struct cut_count {
    int64_t looked, cut;
    int longest; /* tokens */
    const char *text;
} cut_count;

static bool count_cut(const prior_text *t, char **captions, int64_t count, cut_count *c, error *err)
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
        c->cut += tokens > t->config.text_tokens;
        if (tokens <= c->longest) continue;
        c->longest = tokens;
        c->text = captions[i];
    }
    return true;
}

bool prior_text_warn_cut(const prior_text *t, error *err)
{
    char **captions = NULL;
    int64_t count = 0;
    cut_count c;
    int shown = 60;
    const config_field *f = config_find(&prior_config_table, "text_tokens");
    bool ok = dataset_captions(training_data_set(t->data), training_data_selection(t->data, false),
                               t->config.keyword_captions > 0, &captions, &count, err) &&
              count_cut(t, captions, count, &c, err);
    if (ok && c.cut) {
        bool whole = strlen(c.text) <= (size_t)shown;
        while (!whole && ((unsigned char)c.text[shown] & 0xc0) == 0x80) --shown; /* between characters */
        log_warn("%lld of %lld captions have more than %lld tokens and are cut there; the longest has %d, "
                 "'%.*s%s': --set text_tokens=%.0f reads %s",
                 (long long)c.cut, (long long)c.looked, (long long)t->config.text_tokens, c.longest, shown,
                 c.text, whole ? "" : "...", c.longest < f->high ? (double)c.longest : f->high,
                 c.longest <= f->high ? "them whole, in more time and memory" : "the most there can be");
    }
    free(captions);
    return ok;
}

/* ---- Batches ---- */

bool text_batch_create(text_batch *b, const prior_config *c, error *err)
{
    b->ids = malloc((size_t)(c->batch * c->text_tokens) * sizeof *b->ids);
    b->targets = malloc((size_t)(c->batch * c->text_tokens) * sizeof *b->targets);
    return b->ids && b->targets ? true
                                : error_set(err, ERROR_MEMORY, "out of memory for a batch of captions");
}

void text_batch_free(text_batch *b)
{
    free(b->ids);
    free(b->targets);
    *b = (text_batch){ 0 };
}

/* The keywords in a drawn order, joined by ", "; to be freed.  NULL when memory is out. */
static char *shuffled_keywords(const dataset_sample *s, const philox *p, uint32_t first)
{
    size_t room = 1;
    int *order = malloc((size_t)s->keyword_count * sizeof *order);
    for (int i = 0; i < s->keyword_count; ++i) room += strlen(s->keywords[i]) + 2;
    char *text = calloc(room, 1);
    if (order && text) {
        for (int i = 0; i < s->keyword_count; ++i) order[i] = i;
        for (int i = s->keyword_count - 1; i > 0; --i) {
            int k = (int)philox_below(p, first + (uint32_t)i, (uint32_t)i + 1), kept = order[i];
            order[i] = order[k];
            order[k] = kept;
        }
        for (int i = 0; i < s->keyword_count; ++i) {
            if (i) strcat(text, ", ");
            strcat(text, s->keywords[order[i]]);
        }
    }
    if (!order) {
        free(text);
        text = NULL;
    }
    free(order);
    return text;
}

static int encode_for_training(const prior_text *t, const dataset_sample *s, int64_t at, int64_t step,
                               int32_t **ids, error *err)
{
    const prior_config *c = &t->config;
    philox choice = { (uint64_t)c->seed, (uint32_t)step, philox_stream("caption variant") };
    uint32_t first = (uint32_t)at * 64;
    const char *text = s->caption;
    char *keywords = NULL;
    if (s->keyword_count > 0 && s->keyword_count < 63 &&
        philox_uniform(&choice, first + 63) < (float)c->keyword_captions)
        text = keywords = shuffled_keywords(s, &choice, first);
    philox merges = { (uint64_t)c->seed, (uint32_t)step, philox_stream("bpe dropout") + (uint32_t)at };
    int count = !text ? -1
                : c->bpe_dropout > 0
                    ? tokenizer_encode_dropout(t->tokenizer, text, (float)c->bpe_dropout, &merges, ids, err)
                    : tokenizer_encode(t->tokenizer, text, ids, err);
    if (!text) error_set(err, ERROR_MEMORY, "out of memory for a caption");
    free(keywords);
    return count;
}

bool prior_text_fill(prior_text *t, text_batch *b, int64_t at, int64_t index, int64_t step, error *err)
{
    const dataset_sample *s = dataset_at(training_data_set(t->data), index);
    int32_t *ids = NULL;
    int count = step >= 0 ? encode_for_training(t, s, at, step, &ids, err)
                          : tokenizer_encode(t->tokenizer, s->caption, &ids, err);
    if (count < 0) return error_prefix(err, "'%s'", s->key);
    text_positions(ids, count, t->config.text_tokens, b->ids + at * t->config.text_tokens);
    free(ids);
    return true;
}

void prior_text_finish(const prior_text *t, text_batch *b)
{
    int64_t positions = t->config.text_tokens, targets = 0;
    for (int64_t i = 0; i < t->config.batch; ++i)
        for (int64_t j = 0; j + 1 < positions; ++j) {
            int32_t next = b->ids[i * positions + j + 1];
            b->targets[i * (positions - 1) + j] = next;
            targets += next >= 0;
        }
    b->share = targets ? 1.0f / (float)targets : 0.0f;
}
