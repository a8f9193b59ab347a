/* eval_set.c -- see eval_set.h.
 * SPDX-License-Identifier: MIT */
#include "app/eval/eval_set.h"

#include "data/augment.h"
#include "data/dataset_paths.h"
#include "models/trainer.h"

#include <stdlib.h>
#include <string.h>

/* Of so many places the i-th of `most` that are evenly spread. */
static int64_t spread(int64_t i, int64_t most, int64_t places)
{
    return places <= most ? i : (int64_t)((double)i * ((double)places / (double)most));
}

/* A selection for training holds a sample as often as its `repeat` says, one place after another. */
static int64_t take_once(const dataset_selection *s, int64_t places, int64_t *index)
{
    int64_t count = 0;
    for (int64_t i = 0; i < places; ++i) {
        int64_t sample = dataset_selected(s, spread(i, places, s->count));
        if (!count || index[count - 1] != sample) index[count++] = sample;
    }
    return count;
}

/* Keeps `most` of them, evenly spread; how many there are. */
static int64_t thin(int64_t *index, int64_t count, int64_t most)
{
    for (int64_t i = 0; count > most && i < most; ++i) index[i] = index[spread(i, most, count)];
    return count < most ? count : most;
}

/* Of a set that may be larger than memory a few more than are wanted are looked at, evenly spread. */
static bool list_others(eval_set *s, int64_t most, error *err)
{
    int64_t all = dataset_count(s->set), places = most + s->count < all ? most + s->count : all, at = 0;
    s->other = malloc((size_t)(places + 1) * sizeof *s->other);
    if (!s->other)
        return error_set(err, ERROR_MEMORY, "out of memory for a list of %lld pictures", (long long)places);
    for (int64_t i = 0; i < places; ++i) {
        int64_t sample = spread(i, places, all);
        while (at < s->count && s->index[at] < sample) ++at;
        if (at == s->count || s->index[at] != sample) s->other[s->others++] = sample;
    }
    s->others = thin(s->other, s->others, most);
    return true;
}

static bool select_split(eval_set *s, const eval_set_options *o, error *err)
{
    dataset_selection chosen;
    const char *split = strcmp(o->split, "all") == 0 ? "" : o->split;
    if (!dataset_select(s->set, split, 0, 0, false, &chosen, err)) return false;
    bool large = dataset_is_large(s->set); /* then all cannot be listed, and nothing is repeated */
    int64_t places = large && chosen.count > o->most ? o->most : chosen.count;
    s->index = malloc((size_t)(places + 1) * sizeof *s->index);
    bool ok = s->index ? true
                       : error_set(err, ERROR_MEMORY, "out of memory for a list of %lld pictures",
                                   (long long)places);
    if (ok) {
        s->count = take_once(&chosen, places, s->index);
        s->all = large ? chosen.count : s->count;
        s->count = thin(s->index, s->count, o->most);
    }
    dataset_selection_free(&chosen);
    if (ok && s->count == 0)
        return error_set(err, ERROR_USAGE, "the set has no pictures to measure a model on");
    return ok && (!o->among_all || list_others(s, o->most, err));
}

/* A set without splits is taken whole, whatever was asked for. */
static bool name_split(eval_set *s, const eval_set_options *o, error *err)
{
    dataset_sample first;
    if (!dataset_read(s->set, s->index[0], &first, err)) return false;
    bool of_split = strcmp(o->split, "all") != 0 && *first.split;
    if (of_split) s->split = strdup(o->split);
    dataset_sample_free(&first);
    return !of_split || s->split || error_set(err, ERROR_MEMORY, "out of memory for a split's name");
}

bool eval_set_open(eval_set *s, const eval_set_options *o, error *err)
{
    *s = (eval_set){ 0 };
    s->set = dataset_paths_open(&o->paths, 1, false, err);
    return s->set && select_split(s, o, err) && name_split(s, o, err);
}

void eval_set_close(eval_set *s)
{
    dataset_close(s->set);
    free(s->index);
    free(s->other);
    free(s->split);
    for (int i = 0; i < EVAL_SET_NAMED; ++i) free(s->named[i]);
    *s = (eval_set){ 0 };
}

bool eval_set_reading(eval_set *s, const training_config *c, int64_t side, error *err)
{
    image_reading how;
    if (!trainer_reading(c, &how, err)) return false;
    if (how.enough) how.enough = (int)(2 * side); /* as for pictures that are not augmented: models/data.c */
    dataset_set_reading(s->set, &how);
    s->filter = trainer_filter(c);
    s->side = side;
    return true;
}

static bool name_unreadable(eval_set *s, int64_t index, const error *why, error *err)
{
    dataset_sample sample;
    if (s->unreadable++ >= EVAL_SET_NAMED) return true;
    if (!dataset_read(s->set, index, &sample, err)) return false;
    size_t room = strlen(sample.key) + strlen(why->message) + 3;
    char *text = malloc(room);
    if (text) snprintf(text, room, "%s: %s", sample.key, why->message);
    dataset_sample_free(&sample);
    s->named[s->unreadable - 1] = text;
    return text ? true : error_set(err, ERROR_MEMORY, "out of memory for a picture's name");
}

bool eval_set_picture(eval_set *s, int64_t index, uint8_t *pixels, bool *good, error *err)
{
    image picture = { 0 };
    error why = { 0 };
    *good = dataset_read_picture(s->set, index, &picture, &why) &&
            augment_by(&picture, (int)s->side, AUGMENT_NONE, AUGMENT_FLIP_OFF, s->filter, NULL, pixels, &why);
    image_free(&picture);
    if (*good) return true;
    if (why.code == ERROR_FORMAT) return name_unreadable(s, index, &why, err);
    if (err) *err = why;
    return false;
}

void eval_set_keep(eval_set *s, const bool *keep)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < s->count; ++i)
        if (keep[i]) s->index[kept++] = s->index[i];
    s->count = kept;
}

char *eval_set_caption(const eval_set *s, int64_t index, error *err)
{
    dataset_sample sample;
    if (!dataset_read(s->set, index, &sample, err)) return NULL;
    char *text = strdup(sample.caption);
    dataset_sample_free(&sample);
    return text ? text : error_null(err, ERROR_MEMORY, "out of memory for a caption");
}
