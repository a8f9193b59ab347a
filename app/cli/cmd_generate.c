/* cmd_generate.c -- `dalle-cl generate`: a caption becomes pictures.  Of the models it knows dalle.h only.
 * SPDX-License-Identifier: MIT */
#include "app/cli/choice.h"
#include "app/cli/cli.h"
#include "app/cli/meter.h"
#include "app/cli/output.h"
#include "app/cli/pictures.h"
#include "app/cli/sampling.h"
#include "app/cli/print.h"
#include "app/api/dalle.h"
#include "host/base/json_tree.h"
#include "host/base/timing.h"
#include "host/base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void warn_unknown(const dalle_model *model, const char *caption)
{
    char *words = dalle_unknown_words(model, caption);
    if (words) print_line(stderr, "warning: never seen in training: %s", words);
    dalle_free(words);
}

/* The first and last bytes of a long text, cut between characters. */
static void shorten(const char *text, char out[200])
{
    enum { MOST = 160, HEAD = 90, TAIL = 60 };
    size_t length = strlen(text), head = HEAD, tail = length - TAIL;
    if (length <= MOST) {
        snprintf(out, 200, "%s", text);
        return;
    }
    while (((unsigned char)text[head] & 0xc0) == 0x80) --head;
    while (((unsigned char)text[tail] & 0xc0) == 0x80) ++tail;
    snprintf(out, 200, "%.*s ... %s", (int)head, text, text + tail);
}

/* What has no room: `lost`, which is freed. */
static void warn_cut(char *lost, const char *whose, int positions, const char *missed)
{
    char text[200];
    if (!lost) return;
    shorten(lost, text);
    print_line(stderr, "warning: the caption is longer than %s %d text tokens; not %s: %s", whose, positions,
               missed, text);
    dalle_free(lost);
}

/* What of the caption is not understood. */
static void warn_of_caption(const dalle_model *model, const dalle_request *r)
{
    const dalle_model_info *info = dalle_get_info(model);
    warn_unknown(model, r->caption);
    bool diffuses = info->family == DALLE_DRAWS_BY_DIFFUSION; /* by its CLIP's tokens */
    warn_cut(dalle_lost_words(model, r->caption), diffuses ? "its CLIP's" : "the model's",
             diffuses ? info->clip_text_tokens : info->text_tokens, "drawn");
    if (r->of && !diffuses)
        warn_cut(dalle_lost_clip_words(model, r->caption), "its CLIP's", info->clip_text_tokens, "judged");
}

static void warn_unsure(const dalle_pictures *p, const dalle_model_info *info)
{
    char why[200];
    if (!p->unsure) return;
    if (p->score && info->sureness_known != 0)
        snprintf(why, sizeof why,
                 "its CLIP is %.2f sure of the best drawing, of known captions seldom less than %.2f",
                 p->sureness, info->sureness_known);
    else
        snprintf(why, sizeof why,
                 "its tokens' mean entropy is %.2f nats, known captions seldom have more than %.2f",
                 p->mean_entropy, info->entropy_known);
    fprintf(
        stderr,
        "warning: the model is unsure of this caption: %s; expect mush, or try words nearer to a training "
        "caption\n",
        why);
}

/* What say_done adds to the JSON: how unsure the model was, and of what it would be. */
static json_t *entropy_json(const dalle_pictures *p, double known)
{
    json_t *each = json_array();
    for (int i = 0; i < p->count; ++i) json_tree_add(&each, json_real((double)p->entropy[i]));
    return json_pack("{s:f, s:o, s:o, s:b}", "mean", p->mean_entropy, "pictures", each, "known",
                     known > 0 ? json_real(known) : json_null(), "unsure", p->unsure);
}

static dalle_request request_of(const cli_call *call, meter *m, const dalle_sampling *sampling)
{
    dalle_request r = DALLE_REQUEST_DEFAULTS;
    r.caption = cli_argument(call, 0);
    r.first = (int)cli_int(call, "first");
    r.seed = (uint64_t)cli_seed(call, 1);
    if (cli_given(call, "temperature")) r.temperature = cli_real(call, "temperature");
    if (cli_given(call, "top-k")) r.top_k = (int)cli_int(call, "top-k");
    if (cli_given(call, "top-p")) r.top_p = cli_real(call, "top-p");
    if (cli_given(call, "guidance")) r.guidance = cli_real(call, "guidance");
    if (cli_given(call, "near")) r.near = (int)cli_int(call, "near");
    r.sampling = sampling;
    r.progress = meter_tokens;
    r.judging = meter_judging;
    r.stages = meter_stage;
    r.context = m;
    return r;
}

static bool say_done(const cli_call *call, const dalle_request *r, const dalle_pictures *p,
                     const dalle_model_info *info, double seconds, error *err)
{
    const char *path = cli_text(call, "output");
    if (!cli_flag(call, "json")) {
        char chosen[100];
        if (cli_flag(call, "quiet")) return true;
        fprintf(output_talk(path), "%s: %d picture%s of %d x %d%s, seed %llu, %.1f s on %s\n",
                output_name(path), p->count, p->count == 1 ? "" : "s", p->side, p->side,
                choice_said(p, chosen), (unsigned long long)r->seed, seconds, info->device);
        choice_tell_near(p, output_talk(path));
        return true;
    }
    if (utf8_check(path) >= 0 || utf8_check(r->caption) >= 0)
        return error_set(err, ERROR_USAGE,
                         "generate: a path or the caption is not valid UTF-8, which JSON needs");
    json_t *o = json_pack("{s:s, s:s, s:i, s:i, s:i, s:I, s:f, s:s}", "file", path, "caption", r->caption,
                          "count", p->count, "first", r->first, "side", p->side, "seed", (json_int_t)r->seed,
                          "seconds", seconds, "device", info->device);
    if (p->entropy) json_tree_put(&o, "entropy", entropy_json(p, info->entropy_known));
    if (p->score)
        json_tree_put(&o, "similarity",
                      json_pack("{s:f, s:f, s:o}", "mean", p->mean_score, "sureness", p->sureness, "known",
                                info->sureness_known != 0 ? json_real(info->sureness_known) : json_null()));
    choice_json(p, &o);
    if (r->start_rows) json_tree_put(&o, "start_rows", json_integer(r->start_rows));
    char *text = json_tree_text(o, JSON_COMPACT | JSON_REAL_PRECISION(6), "the result as JSON", err);
    if (!text) return false;
    puts(text);
    free(text);
    return true;
}

static bool write_files(const cli_call *call, const dalle_request *r, const dalle_pictures *p,
                        const dalle_model_info *info, error *err)
{
    const char *tokens = cli_text(call, "tokens");
    choice_notes notes;
    if (!choice_note(call, r, p, &notes, err)) return false;
    bool ok = pictures_write_grid(cli_text(call, "output"), p->rgb, p->count, p->side,
                                  (int)cli_int(call, "columns"), notes.texts, notes.count, err) &&
              (!tokens || pictures_write_tokens(tokens, p->tokens, p->count, info->tokens_side, err));
    choice_notes_free(&notes);
    return ok;
}

static bool draw_as(const cli_call *call, dalle_model *model, const dalle_request *r, const meter *m,
                    error *err)
{
    const double begun = timing_now(), before = fmax(timing_of_process(), 0);
    const dalle_model_info *info = dalle_get_info(model);
    dalle_error failure;
    warn_of_caption(model, r);
    dalle_pictures *drawn = dalle_generate(model, r, &failure);
    cli_interrupt_asks(NULL); /* what is drawn is written */
    meter_clear(m);
    if (!drawn && *cli_interrupted())
        return error_set(err, ERROR_INTERRUPTED, "stopped; nothing was written");
    if (!drawn) return pictures_error(&failure, err);
    const double seconds = before + timing_now() - begun; /* from the process's start on, kernels and all */
    warn_unsure(drawn, info);
    choice_warn(call, r, drawn);
    bool ok = write_files(call, r, drawn, info, err) && say_done(call, r, drawn, info, seconds, err);
    dalle_pictures_free(drawn);
    return ok;
}

/* `sampling`: NULL, where the model does not draw by diffusion. */
static bool draw(const cli_call *call, dalle_model *model, const dalle_sampling *sampling, error *err)
{
    meter m = meter_make(cli_flag(call, "quiet"));
    dalle_request request = request_of(call, &m, sampling);
    uint8_t *start = NULL;
    choice_counts(call, dalle_get_info(model), &request);
    bool ok = choice_start(call, dalle_get_info(model), &request, &start, err) &&
              draw_as(call, model, &request, &m, err);
    free(start);
    return ok;
}

/* ---- Which kind of model it is ---- */

/* The folder says it: by diffusion draws what has a decoder, and what has a prior for one and nothing else
 * that draws. */
static bool diffuses(unsigned there)
{
    return (there & DALLE_DECODER) ||
           ((there & (DALLE_DIFFUSION_PRIOR | DALLE_AR_PRIOR)) && !(there & (DALLE_DVAE | DALLE_PRIOR)));
}

/* Options that such a model has no use for. */
static bool check_use(const cli_call *call, bool diffusion, const char *sampling, error *err)
{
    static const struct {
        const char *name, *why;
    } of_tokens[] = {
        { "top-k", "has no tokens to choose among" },
        { "top-p", "has no tokens to choose among" },
        { "tokens", "has no tokens" },
        { "near", "goes by the CLIP's embedding of the caption" },
        { "start", "has no rows to start with; 'dalle-cl inpaint' draws what a mask covers" },
    };
    const char *folder = cli_text(call, "model");
    if (!diffusion && sampling)
        return error_set(err, ERROR_USAGE,
                         "generate: --%s is for models that draw by diffusion; '%s' draws tokens one by one",
                         sampling, folder);
    for (size_t i = 0; diffusion && i < sizeof of_tokens / sizeof *of_tokens; ++i)
        if (cli_given(call, of_tokens[i].name))
            return error_set(err, ERROR_USAGE, "generate: --%s: '%s' draws by diffusion and %s",
                             of_tokens[i].name, folder, of_tokens[i].why);
    return true;
}

/* What is not wanted is not read. */
static unsigned parts_of(const cli_call *call, unsigned there)
{
    if (diffuses(there)) return sampling_parts(call, there);
    return cli_flag(call, "no-rank") ? DALLE_DVAE | DALLE_PRIOR : 0;
}

static bool run_generate(const cli_call *call, error *err)
{
    dalle_error failure;
    unsigned there;
    const char *folder = cli_text(call, "model"), *option;
    const dalle_sampling sampling = sampling_of(call, &option);
    if (!cli_require(call, "model", err) || !choice_check(call, err)) return false;
    if (!dalle_find_parts(folder, &there, &failure)) return pictures_error(&failure, err);
    /* Where there is nothing, opening it says so. */
    if (there && !check_use(call, diffuses(there), option, err)) return false;
    dalle_model *model = dalle_open_parts(folder, cli_text(call, "device"), parts_of(call, there), &failure);
    if (!model) return pictures_error(&failure, err);
    bool ok = draw(call, model, diffuses(there) ? &sampling : NULL, err);
    dalle_close(model);
    return ok;
}

static const cli_option options[] = {
    { "model", 'm', CLI_TEXT, "FOLDER", NULL, 0, 0, "the model's folder, as 'dalle-cl pack' makes it" },
    { "output", 'o', CLI_PICTURE, "FILE", "picture.png", 0, 0,
      "PNG to write: one picture, or a grid of them; - is standard output" },
    { "count", 'n', CLI_INT, "N", "1", 1, 512, "how many pictures" },
    { "best", 0, CLI_INT, "K", NULL, 1, 512,
      "the K that the model's CLIP finds nearest to the caption, nearest first, of 16 times as many, up to "
      "512" },
    { "of", 0, CLI_INT, "N", NULL, 1, 4096, "draw N, of which the best are kept, as --best or --count says" },
    { "near", 0, CLI_INT, "N", NULL, 0, 4,
      "draw as many again of the N known captions that the CLIP finds nearest; otherwise of one, unless the "
      "caption itself is known, shown where it is clearly liker" },
    { "no-rank", 0, CLI_FLAG, NULL, NULL, 0, 0, "take the drawings as they come, in their order" },
    { "start", 0, CLI_TEXT, "FILE", NULL, 0, 0,
      "a picture whose first rows of tokens are given; the rest is drawn" },
    { "rows", 0, CLI_INT, "R", NULL, 0, 4096, "so many rows of tokens of --start; otherwise half of them" },
    { "inpaint", 0, CLI_TEXT, "X,Y,W,H", NULL, 0, 0,
      "what of --start is drawn anew, in pixels; it must be all from a row on, down to the bottom" },
    { "first", 0, CLI_INT, "N", "0", 0, 1000000,
      "number of the first; picture i depends on model, caption, seed and i only" },
    { "columns", 0, CLI_INT, "N", NULL, 1, 512, "columns of the grid; otherwise about square" },
    { "temperature", 't', CLI_REAL, "T", NULL, 0, 100,
      "0 always takes the likeliest token; otherwise the model's default" },
    { "top-k", 'k', CLI_INT, "K", NULL, 0, 1000000, "draw among the K likeliest tokens; 0 = all" },
    { "top-p", 0, CLI_REAL, "P", NULL, 0, 1,
      "draw among the likeliest tokens that together have this probability; 1 = all" },
    { "guidance", 'g', CLI_REAL, "G", NULL, 0, 20,
      "how strongly the caption is followed: 1 as learned, more is stricter; otherwise the model's default" },
    { "tokens", 0, CLI_TOKENS, "FILE", NULL, 0, 0,
      "also write the pictures' tokens, as 'dalle-cl encode' does" },
};

const cli_command cmd_generate = {
    .name = "generate",
    .summary = "draw pictures from a caption",
    .arguments = "CAPTION",
    .least = 1,
    .most = 1,
    .example = "dalle-cl generate -m models/demo \"red apple\" -n 16 -o grid.png --seed 1",
    .text =
        "The same model, caption, seed and settings give the same pictures, whatever the number drawn at "
        "once.\n"
        "Where the model has a CLIP, 16 are drawn, or as many as are asked for if that is more, and those "
        "shown\n"
        "that it finds nearest to the caption, nearest first; --best and --of draw more, --no-rank and --of "
        "with\n"
        "the number shown take the drawings as they come. Ranked pictures say in the PNG's text fields what "
        "they "
        "are:\n"
        "caption, seed, each one's number (--first draws it again) and score, "
        "what it\n"
        "is of, model and program.\n"
        "Of a caption that it does not know itself as many are drawn again of one that it knows and that "
        "its CLIP\n"
        "finds near (--near), for that understands wordings which what draws was never told; they are shown\n"
        "where they are clearly liker, and that is said.\n"
        "--start gives the first rows of a picture; the model draws row by row, so it must be the first "
        "ones.\n"
        "Words of the caption that no training caption had are named, and those that the model has no room\n"
        "for; and a caption of which the model is less sure than of those it knows is said so: its pictures\n"
        "are likely to be mush.\n"
        "A model that draws by diffusion (DALL-E 2) is known by its folder. It draws as many as are asked "
        "for,\n"
        "and ranks them where --best or --of says so; it has no use for tokens' options, and the others none "
        "for\n"
        "--steps, --sampler and the like.",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .run = run_generate,
    .fill = sampling_fill,
};
