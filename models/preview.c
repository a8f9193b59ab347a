/* preview.c -- see preview.h.
 * SPDX-License-Identifier: MIT */
#include "models/preview.h"

#include "data/grid.h"
#include "models/kinds.h"
#include "models/text.h"
#include "models/trainer.h"

#include <stdlib.h>
#include <string.h>

typedef struct preview {
    const preview_request *r;
    void *config; /* of the kind */
    trainer trainer;
    const text_config *text; /* NULL: the kind learns no captions */
    caption_templates *templates;
    words *strays;   /* NULL: none are drawn */
    char **captions; /* of those shown */
    int64_t shown;
} preview;

/* Where a part that kinds share lies in a kind's own settings, by one of its keys. */
static const void *part_at(const preview *p, const char *key, size_t offset)
{
    const config_field *f = config_find(p->r->kind->settings, key);
    CHECK(f, "a %s has no setting %s", p->r->kind->name, key);
    return (const char *)p->config + f->offset - offset;
}

static bool read_settings(preview *p, error *err)
{
    const config_table *table = p->r->kind->settings;
    p->config = calloc(1, table->size);
    if (!p->config)
        return error_set(err, ERROR_MEMORY, "out of memory for the settings of a %s", table->name);
    if (!request_config(p->r->train, table, p->config, err)) return false;
    const training_config *c = part_at(p, "batch", offsetof(training_config, batch));
    trainer_init(&p->trainer, p->r->train, c, NULL);
    if (!p->r->kind->captions) return true;
    p->text = part_at(p, "caption_others", offsetof(text_config, caption_others));
    return text_open_templates(p->text, &p->templates, err);
}

static bool find_size(const preview *p, int64_t *size, error *err)
{
    const model_kind *k = p->r->kind;
    *size = p->r->size;
    if (!*size && config_find(k->settings, "image_size")) *size = kinds_setting(k, p->config, "image_size");
    return *size ||
           error_set(err, ERROR_USAGE,
                     "the settings of a %s do not say how large its pictures are; add --size, as that of "
                     "the part that it needs",
                     k->title);
}

static bool open_data(preview *p, preview_report *out, error *err)
{
    if (!find_size(p, &out->size, err) ||
        !trainer_open_data(&p->trainer, p->r->train->data, out->size, p->r->kind->captions, err))
        return false;
    out->pictures = training_data_selection(p->trainer.data, false)->count;
    if (p->r->kind->fit) p->r->kind->fit(p->config, out->pictures);
    training_data_set_batch(p->trainer.data, p->trainer.config->batch);
    if (!p->text || p->text->caption_stray_words == 0) return true;
    return (p->strays = text_words(p->text, p->templates, p->trainer.data, err)) != NULL;
}

/* What training draws, or for a kind without captions the first that there is. */
static char *caption_of(const preview *p, const loader_batch *b, int64_t i)
{
    const dataset_sample *s = &b->known[i];
    if (!p->text) return strdup(s->caption);
    bool without;
    char *text = text_draw_caption(p->text, p->templates, p->strays, (uint64_t)p->trainer.config->seed, s, i,
                                   b->step, &without);
    if (!without) return text;
    free(text);
    return strdup("(no caption this time)");
}

/* The i-th picture as a cell of the sheet, on white where it is narrower than a caption needs. */
static bool make_cell(preview *p, const loader_batch *b, int64_t i, int size, image *cell, error *err)
{
    enum { LEAST = 96 };
    image picture = { size, size, b->pixels + (size_t)i * (size_t)size * (size_t)size * 3 };
    p->captions[i] = caption_of(p, b, i);
    if (!p->captions[i]) return error_set(err, ERROR_MEMORY, "out of memory for a caption");
    if (!image_create(cell, size < LEAST ? LEAST : size, size, err)) return false;
    image_paste(cell, &picture, (cell->width - size) / 2, 0);
    return true;
}

static bool draw(preview *p, const loader_batch *b, int64_t size, image *sheet, error *err)
{
    enum { PADDING = 6 };
    size_t count = (size_t)p->shown;
    image *cells = calloc(count, sizeof *cells);
    p->captions = calloc(count, sizeof *p->captions);
    bool ok = cells && p->captions;
    if (!ok) error_set(err, ERROR_MEMORY, "out of memory for a sheet of %lld pictures", (long long)p->shown);
    for (int64_t i = 0; ok && i < p->shown; ++i) ok = make_cell(p, b, i, (int)size, &cells[i], err);
    ok = ok && grid_make(cells, (int)p->shown, 0, PADDING, (const char *const *)p->captions, sheet, err);
    for (int64_t i = 0; cells && i < p->shown; ++i) image_free(&cells[i]);
    free(cells);
    return ok;
}

static void clean_up(preview *p)
{
    for (int64_t i = 0; p->captions && i < p->shown; ++i) free(p->captions[i]);
    free(p->captions);
    caption_templates_close(p->templates);
    words_destroy(p->strays);
    trainer_close(&p->trainer);
    free(p->config);
}

bool preview_make(const preview_request *r, image *sheet, preview_report *out, error *err)
{
    *out = (preview_report){ .shown = 0 };
    *sheet = (image){ 0 };
    preview p = { .r = r };
    const loader_batch *b = NULL;
    bool ok = read_settings(&p, err) && open_data(&p, out, err) &&
              (b = training_data_next(p.trainer.data, r->step, err));
    if (ok) {
        out->batch = b->count;
        out->epoch = b->epoch;
        out->shown = p.shown = r->most && r->most < b->count ? r->most : b->count;
        ok = draw(&p, b, out->size, sheet, err);
    }
    clean_up(&p);
    return ok;
}
