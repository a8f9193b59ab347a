/* choice.c -- see choice.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/choice.h"

#include "app/cli/pictures.h"
#include "app/cli/print.h"
#include "host/base/json_tree.h"
#include "host/base/log.h"
#include "host/base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* Drawn where nothing is said, for each that is kept where --best alone is, and at most then. */
enum { USUAL = 16, USUAL_MOST = 512 };

/* ---- How many ---- */

static int kept_of(const cli_call *call)
{
    return (int)cli_int(call, cli_given(call, "best") ? "best" : "count");
}

bool choice_check(const cli_call *call, error *err)
{
    bool best = cli_given(call, "best"), of = cli_given(call, "of");
    int kept = kept_of(call);
    if (best && cli_given(call, "count") && cli_int(call, "count") != kept)
        return error_set(
            err, ERROR_USAGE,
            "generate: --best %d and --count %d both say how many pictures are kept; leave one out", kept,
            (int)cli_int(call, "count"));
    if ((best || of) && cli_flag(call, "no-rank"))
        return error_set(err, ERROR_USAGE,
                         "generate: --no-rank takes drawings as they come, --%s the best of them",
                         best ? "best" : "of");
    if (cli_given(call, "near") && cli_int(call, "near") && cli_flag(call, "no-rank"))
        return error_set(
            err, ERROR_USAGE,
            "generate: --no-rank takes drawings as they come; near captions (--near) are drawn to "
            "choose among");
    if (of && cli_int(call, "of") < kept)
        return error_set(err, ERROR_USAGE,
                         "generate: --%s %d is more than --of %d, and only what is drawn can be kept",
                         best ? "best" : "count", kept, (int)cli_int(call, "of"));
    if (cli_given(call, "rows") && cli_given(call, "inpaint"))
        return error_set(err, ERROR_USAGE,
                         "generate: --rows and --inpaint both say what is given; leave one out");
    const char *lone = cli_given(call, "rows") ? "rows" : cli_given(call, "inpaint") ? "inpaint" : NULL;
    return !lone || cli_given(call, "start") ||
           error_set(err, ERROR_USAGE, "generate: --%s needs --start, the picture that it is about", lone);
}

/* As many drawn as kept, and no word of the best: nothing is chosen. */
static int drawn_of(const cli_call *call, const dalle_model_info *info, int kept)
{
    bool best = cli_given(call, "best"), clip = info->clip_parameters > 0;
    if (cli_flag(call, "no-rank")) return 0;
    if (cli_given(call, "of")) {
        int of = (int)cli_int(call, "of");
        return of == kept && !best && clip ? 0 : of;
    }
    if (best) return kept > USUAL_MOST / USUAL ? USUAL_MOST : USUAL * kept;
    /* By diffusion a picture takes long: none is drawn that nobody asked for. */
    if (!clip || info->family == DALLE_DRAWS_BY_DIFFUSION) return 0;
    return kept > USUAL ? kept : USUAL;
}

void choice_counts(const cli_call *call, const dalle_model_info *info, dalle_request *r)
{
    r->count = kept_of(call);
    r->of = drawn_of(call, info, r->count);
}

/* ---- What they start with ---- */

/* A rectangle in the model's pixels.  What is above it is given; what is beside or below it cannot be. */
static bool read_rectangle(const char *text, const dalle_model_info *info, int *rows, error *err)
{
    int x, y, width, height, side = info->side, row = side / info->tokens_side;
    char end;
    /* More digits than a size has would not fit, and what becomes of them nobody promises. */
    if (sscanf(text, "%9d,%9d,%9d,%9d%c", &x, &y, &width, &height, &end) != 4 || x < 0 || y < 0 ||
        width < 1 || height < 1 || x >= side || y >= side || width > side - x || height > side - y)
        return error_set(err, ERROR_USAGE,
                         "generate: --inpaint '%s' is no rectangle X,Y,W,H within %d x %d pixels", text, side,
                         side);
    *rows = y / row;
    if (x == 0 && width == side && y + height == side) {
        if (y % row)
            log_info("a row of tokens is %d pixels high: drawn anew from row %d on", row, *rows * row);
        return true;
    }
    return error_set(err, ERROR_USAGE,
                     "generate: --inpaint %s: this model draws in raster order, row by row, and does not see "
                     "what lies right of a place or below it, so that a rectangle would not fit what is "
                     "around it; draw all from there on with --inpaint 0,%d,%d,%d or --rows %d",
                     text, y, side, side - y, *rows);
}

static bool read_rows(const cli_call *call, const dalle_model_info *info, int *rows, error *err)
{
    if (cli_given(call, "inpaint")) return read_rectangle(cli_text(call, "inpaint"), info, rows, err);
    *rows = cli_given(call, "rows") ? (int)cli_int(call, "rows") : (info->tokens_side + 1) / 2;
    if (*rows < info->tokens_side) return true;
    return error_set(err, ERROR_USAGE,
                     "generate: %d rows of tokens are given, a picture has %d, and nothing is left to draw; "
                     "--rows takes 0 to %d",
                     *rows, info->tokens_side, info->tokens_side - 1);
}

bool choice_start(const cli_call *call, const dalle_model_info *info, dalle_request *r, uint8_t **rgb,
                  error *err)
{
    const char *path = cli_text(call, "start");
    int width, height, side = info->side;
    /* A model that draws nothing is refused for that, later. */
    if (!path || !info->text_tokens) return true;
    if (!read_rows(call, info, &r->start_rows, err)) return false;
    if (!(*rgb = pictures_read_one(path, side, &width, &height, err))) return false;
    r->start_rgb = *rgb;
    if ((width != side || height != side) && !cli_flag(call, "quiet"))
        print_line(stderr, "%s: %d x %d, scaled to %d x %d by its short side, the centre square of it", path,
                   width, height, side, side);
    return true;
}

/* ---- What is said ---- */

const char *choice_said(const dalle_pictures *p, char text[100])
{
    *text = '\0';
    if (!p->score) return text;
    double most = (double)p->score[0], least = (double)p->score[p->count - 1];
    int length = snprintf(text, 100, ", the best of %d by CLIP (score%s %.3f", p->drawn,
                          p->count > 1 ? "s" : "", most);
    if (p->count > 1) length += snprintf(text + length, 100 - (size_t)length, " to %.3f", least);
    snprintf(text + length, 100 - (size_t)length, ")");
    return text;
}

static int shown_of(const dalle_pictures *p, int phrase)
{
    int count = 0;
    for (int i = 0; i < p->count; ++i) count += p->phrase[i] == phrase;
    return count;
}

void choice_tell_near(const dalle_pictures *p, FILE *to)
{
    int own = p->phrase ? shown_of(p, 0) : p->count, told = 0;
    if (own == p->count) return;
    if (p->count == 1)
        fprintf(to, "it is of a caption near it that the model knows:");
    else
        fprintf(to, "%d of the %d are of captions near it that the model knows:", p->count - own, p->count);
    for (int k = 0; k < p->near_count; ++k) {
        int count = shown_of(p, k + 1);
        if (!count) continue;
        fprintf(to, "%s %s", told++ ? "," : "", p->near[k]);
        if (p->count > 1) fprintf(to, " (%d)", count);
    }
    fprintf(to, "\n");
}

static void near_json(const dalle_pictures *p, json_t **to)
{
    json_t *near = json_array(), *phrases = json_array();
    for (int k = 0; k < p->near_count; ++k) json_tree_add(&near, json_string(p->near[k]));
    for (int i = 0; i < p->count; ++i) json_tree_add(&phrases, json_integer(p->phrase[i]));
    json_tree_put(to, "near", near);
    json_tree_put(to, "phrases", phrases);
}

void choice_json(const dalle_pictures *p, json_t **to)
{
    if (p->phrase) near_json(p, to);
    if (!p->score) return;
    json_t *numbers = json_array(), *scores = json_array();
    for (int i = 0; i < p->count; ++i) {
        json_tree_add(&numbers, json_integer(p->number[i]));
        json_tree_add(&scores, json_real((double)p->score[i]));
    }
    json_tree_put(to, "of", json_integer(p->drawn));
    json_tree_put(to, "numbers", numbers);
    json_tree_put(to, "scores", scores);
}

void choice_warn(const cli_call *call, const dalle_request *r, const dalle_pictures *p)
{
    if (!r->of || p->score || !(cli_given(call, "best") || cli_given(call, "of") || r->near > 0)) return;
    fprintf(
        stderr,
        "warning: nothing is left to chance, so that all drawings are alike, and none is the best: "
        "--best, --of and --near need a temperature above 0, more than one token to draw among, and --top-p "
        "above 0\n");
}

/* ---- What stands in the file ---- */

bool choice_model_name(const char *folder, char **name)
{
    size_t end = strlen(folder);
    while (end > 0 && folder[end - 1] == '/') --end;
    size_t from = end;
    while (from > 0 && folder[from - 1] != '/') --from;
    char *found = strndup(folder + from, end - from);
    if (!found) return false;
    if (*found && strcmp(found, ".") != 0 && strcmp(found, "..") != 0 && utf8_check(found) < 0)
        *name = found;
    else
        free(found);
    return true;
}

/* A line for each picture, in their order in the file. */
static char *lines_of(const dalle_pictures *p, bool scores)
{
    enum { LINE = 24 };
    char *text = malloc((size_t)p->count * LINE + 1), *at = text;
    for (int i = 0; text && i < p->count; ++i) {
        const char *end = i + 1 < p->count ? "\n" : "";
        at += scores ? snprintf(at, LINE, "%.4f%s", (double)p->score[i], end)
                     : snprintf(at, LINE, "%d%s", p->number[i], end);
    }
    return text;
}

/* What each picture is of, a line each; "" where all are of the caption itself. */
static char *phrases_of(const dalle_pictures *p, const char *caption)
{
    size_t room = 1;
    for (int i = 0; p->phrase && i < p->count; ++i)
        room += strlen(p->phrase[i] ? p->near[p->phrase[i] - 1] : caption) + 1;
    char *text = calloc(room, 1), *at = text;
    for (int i = 0; text && p->phrase && i < p->count; ++i)
        at += sprintf(at, "%s%s", i ? "\n" : "", p->phrase[i] ? p->near[p->phrase[i] - 1] : caption);
    return text;
}

static void note(choice_notes *n, const char *keyword, const char *text)
{
    n->texts[n->count++] = (dalle_png_text){ keyword, text };
}

bool choice_note(const cli_call *call, const dalle_request *r, const dalle_pictures *p, choice_notes *out,
                 error *err)
{
    enum { SHORT = 32 };
    *out = (choice_notes){ 0 };
    if (!p->score) return true;
    bool named = choice_model_name(cli_text(call, "model"), &out->owned[0]);
    char *numbers = out->owned[1] = lines_of(p, false), *scores = out->owned[2] = lines_of(p, true),
         *seed = out->owned[3] = malloc(2 * SHORT), *model = out->owned[0],
         *phrases = out->owned[4] = phrases_of(p, r->caption);
    if (!named || !numbers || !scores || !seed || !phrases) {
        choice_notes_free(out);
        return error_set(err, ERROR_MEMORY, "out of memory for the texts of a picture");
    }
    snprintf(seed, SHORT, "%llu", (unsigned long long)r->seed);
    snprintf(seed + SHORT, SHORT, "%d", p->drawn);
    note(out, "Description", r->caption);
    note(out, "Software", "dalle-cl " DALLE_CL_VERSION);
    if (model) note(out, "model", model);
    note(out, "seed", seed);
    note(out, "of", seed + SHORT);
    note(out, "number", numbers);
    note(out, "score", scores);
    if (*phrases) note(out, "drawn", phrases);
    return true;
}

void choice_notes_free(choice_notes *n)
{
    for (size_t i = 0; i < sizeof n->owned / sizeof *n->owned; ++i) free(n->owned[i]);
    *n = (choice_notes){ 0 };
}
