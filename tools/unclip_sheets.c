/* unclip_sheets.c -- what a DALL-E 2 makes of a data set's pictures, as contact sheets and figures:
 * variations and how sharp their edges are, mixtures, edits of skin tones, fillings.
 *     unclip_sheets MODEL SET SPLIT FOLDER NUMBER [SHEET...]
 * MODEL is a packed model, SET a tar or a folder with captions, SPLIT as for score_drawings; NUMBER sources
 * of each. Sheets are FOLDER/variations.png and so on, a row for each source; all four unless some are named.
 * SPDX-License-Identifier: MIT */
#include "app/api/dalle.h"
#include "app/eval/spectrum.h"
#include "host/base/file.h"
#include "tools/gallery.h"
#include "tools/wordings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VARIED = 4, MIXED = 5, FILLED = 3, COLUMNS = 8, TONES = 5 };

typedef struct studio {
    dalle_model *model;
    const dalle_model_info *info;
    dataset *set;
    wordings list;
    const char *folder;
    int64_t number;
    int side;
    device *device; /* of the spectra of sources and variations */
    spectrum *real, *drawn;
    /* the sheet under way */
    uint8_t *cells;
    int columns, count;
} studio;

static size_t bytes_of(const studio *s)
{
    return (size_t)s->side * (size_t)s->side * 3;
}

static bool pass(const dalle_error *from, error *err)
{
    return error_set(err, from->status == 2 ? ERROR_USAGE : ERROR_MODEL, "%s", from->message);
}

/* ---- Pictures ---- */

/* The set's picture at the model's size; to be freed. */
static uint8_t *source_of(const studio *s, int64_t index, error *err)
{
    image whole = { 0 }, fitted = { 0 };
    bool ok = dataset_read_picture(s->set, index, &whole, err) && image_fit(&whole, s->side, &fitted, err);
    image_free(&whole);
    if (!ok) image_free(&fitted);
    return fitted.pixels;
}

static bool thumb_of(const studio *s, const uint8_t *rgb, thumb *out, error *err)
{
    const image picture = { s->side, s->side, (uint8_t *)(uintptr_t)rgb }; /* is only read */
    return thumb_make(&picture, out, err);
}

/* Cosines of the first with each of the others, [count] pictures. */
static bool similarities(const studio *s, const uint8_t *first, const uint8_t *rgb, int count, float *out,
                         error *err)
{
    dalle_error failure;
    int n = s->info->clip_dimensions;
    float *all = malloc((size_t)(count + 1) * (size_t)n * sizeof *all);
    bool ok = all ? true : error_set(err, ERROR_MEMORY, "no memory for embeddings");
    ok = ok && ((dalle_embed_pictures(s->model, first, 1, s->side, NULL, NULL, all, &failure) &&
                 dalle_embed_pictures(s->model, rgb, count, s->side, NULL, NULL, all + n, &failure)) ||
                pass(&failure, err));
    for (int i = 0; ok && i < count; ++i) {
        double sum = 0;
        for (int j = 0; j < n; ++j) sum += (double)all[j] * (double)all[(i + 1) * n + j];
        out[i] = (float)sum;
    }
    free(all);
    return ok;
}

/* ---- Sheets ---- */

static bool sheet_begin(studio *s, int64_t rows, int columns, error *err)
{
    free(s->cells);
    s->columns = columns;
    s->count = 0;
    s->cells = malloc((size_t)rows * (size_t)columns * bytes_of(s));
    return s->cells || error_set(err, ERROR_MEMORY, "no memory for a sheet of %lld rows", (long long)rows);
}

static void sheet_add(studio *s, const uint8_t *rgb, int count)
{
    memcpy(s->cells + (size_t)s->count * bytes_of(s), rgb, (size_t)count * bytes_of(s));
    s->count += count;
}

static bool sheet_end(const studio *s, const char *name, error *err)
{
    char path[4096];
    dalle_error failure;
    snprintf(path, sizeof path, "%s/%s.png", s->folder, name);
    return s->count == 0 || dalle_write_png(path, s->cells, s->count, s->side, s->columns, &failure) ||
           pass(&failure, err);
}

/* ---- Changes ---- */

typedef dalle_pictures *change_call(dalle_model *m, const dalle_change *c, dalle_error *err);

static dalle_change change_of(const studio *s, const uint8_t *rgb, int count)
{
    dalle_change c = DALLE_CHANGE_DEFAULTS;
    c.rgb = rgb;
    c.side = s->side;
    c.count = count;
    return c;
}

static dalle_pictures *make(const studio *s, change_call *by, const dalle_change *c, error *err)
{
    dalle_error failure;
    dalle_pictures *p = by(s->model, c, &failure);
    if (!p) pass(&failure, err);
    return p;
}

static int64_t picture_at(const studio *s, int64_t i)
{
    return s->list.items[i * s->list.count / s->number].picture;
}

static bool vary_one(studio *s, int64_t i, double *sum, error *err)
{
    float near[VARIED];
    uint8_t *source = source_of(s, picture_at(s, i), err);
    if (!source) return false;
    dalle_change c = change_of(s, source, VARIED);
    dalle_pictures *p = make(s, dalle_vary, &c, err);
    bool ok = p && similarities(s, source, p->rgb, VARIED, near, err) &&
              spectrum_add(s->real, source, NULL, 1, err) &&
              spectrum_add(s->drawn, p->rgb, NULL, VARIED, err);
    for (int j = 0; ok && j < VARIED; ++j) *sum += (double)near[j];
    if (ok) sheet_add(s, source, 1);
    if (ok) sheet_add(s, p->rgb, VARIED);
    dalle_pictures_free(p);
    free(source);
    return ok;
}

/* Of 64 pixels a side, half of Nyquist's frequency is 16 cycles a picture. */
static void tell_edges(const studio *s)
{
    const double from[] = { 16, 32 };
    for (int i = 0; i < 2 && from[i] < s->side / 2.0; ++i) {
        double real = spectrum_between(s->real, SPECTRUM_ORIGINAL, from[i], 2 * from[i]),
               drawn = spectrum_between(s->drawn, SPECTRUM_ORIGINAL, from[i], 2 * from[i]);
        printf("edges: from %g to %g cycles a picture, variations have %+.1f dB of the sources' power\n",
               from[i], 2 * from[i], 10 * log10(drawn / real));
    }
}

static bool open_spectra(studio *s, error *err)
{
    const spectrum_settings how = { .side = s->side, .alone = true };
    return (s->device = device_open(NULL, err)) && (s->real = spectrum_create(s->device, &how, err)) &&
           (s->drawn = spectrum_create(s->device, &how, err));
}

static bool vary_all(studio *s, error *err)
{
    double sum = 0;
    if (!open_spectra(s, err) || !sheet_begin(s, s->number, 1 + VARIED, err)) return false;
    for (int64_t i = 0; i < s->number; ++i)
        if (!vary_one(s, i, &sum, err)) return false;
    printf("variations: CLIP similarity to the source %.3f on the mean of %lld\n",
           sum / (double)(s->number * VARIED), (long long)(s->number * VARIED));
    tell_edges(s);
    return true;
}

/* Whether the half way is nearer to both ends than these are to each other: by CLIP, and by thumbnails. */
static bool mix_one(studio *s, int64_t i, int *by_clip, int *by_thumbs, error *err)
{
    float near[2], ends;
    thumb t[3];
    uint8_t *a = source_of(s, picture_at(s, i), err),
            *b = a ? source_of(s, picture_at(s, (i + s->number / 2) % s->number), err) : NULL;
    dalle_change c = change_of(s, a, MIXED);
    c.other_rgb = b;
    c.other_side = s->side;
    dalle_pictures *p = b ? make(s, dalle_mix, &c, err) : NULL;
    uint8_t *half = p ? p->rgb + MIXED / 2 * bytes_of(s) : NULL;
    bool ok = p && similarities(s, half, a, 1, near, err) && similarities(s, half, b, 1, near + 1, err) &&
              similarities(s, a, b, 1, &ends, err) && thumb_of(s, a, &t[0], err) &&
              thumb_of(s, half, &t[1], err) && thumb_of(s, b, &t[2], err);
    if (ok) {
        int64_t apart = thumb_difference(&t[0], &t[2]);
        *by_clip += near[0] > ends && near[1] > ends;
        *by_thumbs += thumb_difference(&t[0], &t[1]) < apart && thumb_difference(&t[1], &t[2]) < apart;
        sheet_add(s, a, 1);
        sheet_add(s, p->rgb, MIXED);
        sheet_add(s, b, 1);
    }
    dalle_pictures_free(p);
    free(a);
    free(b);
    return ok;
}

static bool mix_all(studio *s, error *err)
{
    int by_clip = 0, by_thumbs = 0;
    if (!sheet_begin(s, s->number, 2 + MIXED, err)) return false;
    for (int64_t i = 0; i < s->number; ++i)
        if (!mix_one(s, i, &by_clip, &by_thumbs, err)) return false;
    printf(
        "mixtures: the half way is nearer to both ends than they are to each other in %d of %lld by CLIP, in "
        "%d by 16 x 16 pixels\n",
        by_clip, (long long)s->number, by_thumbs);
    return true;
}

/* ---- Edits ---- */

static const char *const tones[TONES] = { "light skin tone", "medium-light skin tone", "medium skin tone",
                                          "medium-dark skin tone", "dark skin tone" };

/* Which of the tones the caption ends with, or -1; the colon keeps "light" from being "medium-light". */
static int tone_of(const char *caption)
{
    const char *colon = strstr(caption, ": ");
    for (int i = 0; colon && i < TONES; ++i)
        if (strcmp(colon + 2, tones[i]) == 0) return i;
    return -1;
}

/* The picture of the same name in another tone, or -1. */
static int64_t find_caption(const studio *s, const char *caption)
{
    for (int64_t i = 0; i < dataset_count(s->set); ++i) {
        const dataset_sample *x = dataset_at(s->set, i);
        if (gallery_is_real(x) && strcmp(x->caption, caption) == 0) return i;
    }
    return -1;
}

/* How far the places go that differ in source and target, 1 = all the way, and how far the others moved, in
 * levels. */
static void measure_edit(const thumb *source, const thumb *target, const thumb *edit, double *way,
                         double *rest)
{
    double along = 0, length = 0, others = 0;
    int count = 0;
    for (int i = 0; i < THUMB_VALUES; ++i) {
        double asked = (double)target->value[i] - source->value[i],
               got = (double)edit->value[i] - source->value[i];
        if (fabs(asked) > 12) {
            along += asked * got;
            length += asked * asked;
        } else {
            others += got * got;
            ++count;
        }
    }
    *way = length > 0 ? along / length : 0;
    *rest = count ? sqrt(others / count) : 0;
}

typedef struct edits {
    int count, moved, mostly; /* towards the target by a quarter of the way, and by half of it */
    double rest;
} edits;

static bool edit_one(studio *s, const wording *w, int tone, edits *e, error *err)
{
    char to[400];
    int other = tone < TONES / 2 ? TONES - 1 : 0;
    thumb t[3];
    double way, rest;
    snprintf(to, sizeof to, "%.*s%s", (int)(strstr(w->text, ": ") + 2 - w->text), w->text, tones[other]);
    int64_t wanted = find_caption(s, to);
    if (wanted < 0) return true;
    uint8_t *source = source_of(s, w->picture, err), *target = source ? source_of(s, wanted, err) : NULL;
    dalle_change c = change_of(s, source, 1);
    c.from = w->text;
    c.caption = to;
    dalle_pictures *p = target ? make(s, dalle_edit, &c, err) : NULL;
    bool same =
        target && !p && err->code == ERROR_USAGE; /* two texts that are one to the CLIP: it goes nowhere */
    e->count += same;
    bool ok = p && thumb_of(s, source, &t[0], err) && thumb_of(s, target, &t[1], err) &&
              thumb_of(s, p->rgb, &t[2], err);
    if (ok) {
        measure_edit(&t[0], &t[1], &t[2], &way, &rest);
        ++e->count;
        e->moved += way >= 0.25;
        e->mostly += way >= 0.5;
        e->rest += rest;
        sheet_add(s, source, 1);
        sheet_add(s, p->rgb, 1);
        sheet_add(s, target, 1);
    }
    dalle_pictures_free(p);
    free(source);
    free(target);
    return ok || same;
}

static bool edit_all(studio *s, error *err)
{
    edits e = { 0 };
    if (!sheet_begin(s, s->number, 3, err)) return false;
    for (int64_t i = 0; i < s->list.count && e.count < s->number; ++i) {
        int tone = tone_of(s->list.items[i].text);
        if (tone >= 0 && !edit_one(s, &s->list.items[i], tone, &e, err)) return false;
    }
    if (e.count == 0) return printf("edits: no caption names a skin tone\n") > 0;
    printf("edits: %d of %d go a quarter of the way or more to the other skin tone, %d half of it; the rest "
           "moves by "
           "%.1f levels\n",
           e.moved, e.count, e.mostly, e.rest / e.count);
    s->columns = 3 * COLUMNS;
    return true;
}

/* ---- Fillings ---- */

/* The right half is drawn anew. */
static bool fill_one(studio *s, int64_t i, uint8_t *mask, error *err)
{
    const wording *w = &s->list.items[i * s->list.count / s->number];
    uint8_t *source = source_of(s, w->picture, err);
    if (!source) return false;
    dalle_change c = change_of(s, source, FILLED);
    c.caption = w->text;
    c.mask = mask;
    c.mask_side = s->side;
    dalle_pictures *p = make(s, dalle_inpaint, &c, err);
    if (p) {
        sheet_add(s, source, 1);
        for (int64_t at = 0; at < (int64_t)s->side * s->side; ++at)
            if (mask[at]) memset(source + at * 3, 160, 3);
        sheet_add(s, source, 1);
        sheet_add(s, p->rgb, FILLED);
    }
    dalle_pictures_free(p);
    free(source);
    return p != NULL;
}

static bool fill_all(studio *s, error *err)
{
    uint8_t *mask = calloc((size_t)s->side, (size_t)s->side);
    bool ok = mask ? sheet_begin(s, s->number, 2 + FILLED, err) : error_set(err, ERROR_MEMORY, "no memory");
    for (int64_t at = 0; ok && at < (int64_t)s->side * s->side; ++at)
        mask[at] = at % s->side >= s->side / 2 ? 255 : 0;
    for (int64_t i = 0; ok && i < s->number; ++i) ok = fill_one(s, i, mask, err);
    free(mask);
    return ok;
}

/* ---- All ---- */

static const struct {
    const char *name;
    bool (*make)(studio *s, error *err);
} sheets[] = {
    { "variations", vary_all }, { "mixtures", mix_all }, { "edits", edit_all }, { "fillings", fill_all }
};
enum { SHEETS = sizeof sheets / sizeof *sheets };

static bool names_sheets(char **names, int count, error *err)
{
    for (int i = 0; i < count; ++i) {
        bool known = false;
        for (int j = 0; j < SHEETS; ++j) known |= strcmp(names[i], sheets[j].name) == 0;
        if (!known)
            return error_set(err, ERROR_USAGE, "'%s' is no sheet: variations, mixtures, edits, fillings",
                             names[i]);
    }
    return true;
}

static bool is_wanted(const char *name, char **names, int count)
{
    for (int i = 0; i < count; ++i)
        if (strcmp(names[i], name) == 0) return true;
    return count == 0;
}

static bool begin(studio *s, char **argv, error *err)
{
    dalle_error failure;
    const char *data = argv[2];
    char *end;
    s->folder = argv[4];
    s->number = strtoll(argv[5], &end, 10);
    if (*end || s->number < 2 || s->number > 1000)
        return error_set(err, ERROR_USAGE, "'%s' is no number of sources, 2 to 1000", argv[5]);
    const dataset_options in_memory = { .need_captions = true, .resident = true };
    if (!file_make_folders(s->folder, err) || !(s->set = dataset_open_with(&data, 1, &in_memory, err)) ||
        !wordings_of_split(&s->list, argv[3], s->set, err))
        return false;
    if (s->list.count < s->number) s->number = s->list.count;
    if (!(s->model = dalle_open(argv[1], NULL, &failure))) return pass(&failure, err);
    s->info = dalle_get_info(s->model);
    s->side = s->info->drawn_side;
    return s->info->family == DALLE_DRAWS_BY_DIFFUSION ||
           error_set(err, ERROR_USAGE, "'%s' does not draw by diffusion", argv[1]);
}

int main(int argc, char **argv)
{
    error err = { 0 };
    studio s = { 0 };
    bool ok = argc >= 6 || error_set(&err, ERROR_USAGE, "MODEL SET SPLIT FOLDER NUMBER are needed");
    ok = ok && names_sheets(argv + 6, argc - 6, &err) && begin(&s, argv, &err);
    for (int i = 0; ok && i < SHEETS; ++i)
        if (is_wanted(sheets[i].name, argv + 6, argc - 6))
            ok = sheets[i].make(&s, &err) && sheet_end(&s, sheets[i].name, &err);
    if (!ok) fprintf(stderr, "unclip_sheets: %s\n", err.message);
    free(s.cells);
    spectrum_destroy(s.real);
    spectrum_destroy(s.drawn);
    device_close(s.device);
    wordings_close(&s.list);
    dalle_close(s.model);
    dataset_close(s.set);
    return ok ? 0 : error_exit_status(&err);
}
