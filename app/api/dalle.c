/* dalle.c -- libdalle over the models; see dalle.h.
 * SPDX-License-Identifier: MIT */
#include "app/api/internal.h"

#include "host/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CODED = 1000000 };

/* ---- Errors and messages ---- */

static dalle_kind kind_of(error_code code)
{
    switch (code) {
    case ERROR_NONE:
        return DALLE_OK;
    case ERROR_USAGE:
        return DALLE_USAGE;
    case ERROR_IO:
        return DALLE_IO;
    case ERROR_FORMAT:
        return DALLE_FORMAT;
    case ERROR_DEVICE:
        return DALLE_DEVICE;
    case ERROR_MEMORY:
    case ERROR_ROOM:
        return DALLE_MEMORY;
    case ERROR_INTERRUPTED:
        return DALLE_STOPPED;
    case ERROR_MODEL:
    case ERROR_DIVERGED:
        break;
    }
    return DALLE_MODEL;
}

bool api_report(dalle_error *out, const error *err)
{
    if (!out) return false;
    out->status = error_exit_status(err);
    out->kind = kind_of(err->code);
    snprintf(out->message, sizeof out->message, "%s", err->message);
    return false;
}

bool api_missing(const char *what, error *err)
{
    return error_set(err, ERROR_USAGE, "%s is NULL", what);
}

typedef struct ear {
    dalle_listener *listener;
    void *context;
} ear;

static void hear(void *context, log_level level, const char *line)
{
    const ear *e = context;
    e->listener(e->context, level == LOG_WARNINGS ? DALLE_WARNING : DALLE_NEWS, line);
}

void dalle_listen(dalle_listener *listener, void *context)
{
    static ear e; /* of the process, like the log that it hears */
    e = (ear){ listener, context };
    log_set_sink(listener ? hear : NULL, &e);
}

const char *dalle_version(void)
{
    return DALLE_CL_VERSION;
}

/* ---- Captions ---- */

char *dalle_unknown_words(const dalle_model *m, const char *caption)
{
    PLAIN_LOCALE;
    const words *seen = !m ? NULL : m->decoder ? m->clip->words : m->prior ? m->prior->words : NULL;
    if (!seen || !caption) return NULL;
    char **unseen = NULL;
    int count = words_unseen(seen, caption, &unseen, NULL);
    size_t room = 1;
    for (int i = 0; i < count; ++i) room += strlen(unseen[i]) + 2;
    char *text = count > 0 ? calloc(room, 1) : NULL;
    for (int i = 0; text && i < count; ++i) {
        if (i) strcat(text, ", ");
        strcat(text, unseen[i]);
    }
    if (count >= 0) free(unseen);
    return text;
}

char *dalle_lost_words(const dalle_model *m, const char *caption)
{
    PLAIN_LOCALE;
    char *lost = NULL;
    if (m && m->decoder) return dalle_lost_clip_words(m, caption); /* all its parts read the CLIP's tokens */
    if (!m || !m->prior || !caption || !prior_part_lost(m->prior, caption, &lost, NULL)) return NULL;
    return lost;
}

void dalle_free(void *memory)
{
    free(memory);
}

/* ---- Tokens ---- */

bool api_too_small(error *err)
{
    const size_t used = strlen(err->message);
    snprintf(
        err->message + used, sizeof err->message - used,
        ". Not even one picture at a time fits: close other programs that use the device, or choose another");
    return false;
}

/* Where memory does not suffice for a part of the dVAE, the graphs that the prior keeps give way. */
bool api_prepare_codec(dalle_model *m, codec_parts parts, error *err)
{
    if (dvae_codec_prepare(m->dvae->codec, parts, err)) return true;
    if (err->code != ERROR_ROOM) return false;
    if (m->prior) prior_sampler_drop(m->prior->sampler);
    if (m->prior && dvae_codec_prepare(m->dvae->codec, parts, err)) return true;
    return err->code == ERROR_ROOM ? api_too_small(err) : false;
}

static bool check_coding(const dalle_model *m, const void *from, const void *to, int count, error *err)
{
    if (!m) return api_missing("the model", err);
    if (!m->dvae) return api_lacks(m, &dvae_kind, "turns pictures into tokens and back", err);
    if (count < 0 || count > MOST_CODED)
        return error_set(err, ERROR_USAGE, "%d pictures; 0 to %d can be turned at once", count, MOST_CODED);
    return count == 0 || (from && to) ||
           api_missing(from ? "where the result goes" : "what is to be turned", err);
}

bool dalle_encode(dalle_model *m, const uint8_t *rgb, int count, int32_t *tokens, dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    return (check_coding(m, rgb, tokens, count, &err) &&
            (count == 0 || api_prepare_codec(m, CODEC_ENCODE, &err)) &&
            dvae_codec_encode(m->dvae->codec, rgb, count, tokens, &err)) ||
           api_report(failure, &err);
}

bool dalle_decode(dalle_model *m, const int32_t *tokens, int count, uint8_t *rgb, dalle_error *failure)
{
    PLAIN_LOCALE;
    error err = { 0 };
    return (check_coding(m, tokens, rgb, count, &err) &&
            (count == 0 || api_prepare_codec(m, CODEC_DECODE, &err)) &&
            dvae_codec_decode(m->dvae->codec, tokens, count, rgb, &err)) ||
           api_report(failure, &err);
}
