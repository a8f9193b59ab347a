/* change.c -- see change.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/change.h"

#include "app/cli/choice.h"
#include "app/cli/meter.h"
#include "app/cli/output.h"
#include "app/cli/pictures.h"
#include "app/cli/sampling.h"
#include "data/image.h"
#include "host/base/json_tree.h"
#include "host/base/timing.h"
#include "host/base/utf8.h"

#include <math.h>
#include <stdlib.h>

/* ---- Pictures ---- */

/* The middle of it; `whole` is freed. */
static bool take_square(image *whole, image *square, error *err)
{
    int side = whole->width < whole->height ? whole->width : whole->height;
    bool ok =
        image_crop(whole, (whole->width - side) / 2, (whole->height - side) / 2, side, side, square, err);
    image_free(whole);
    return ok;
}

bool change_read(change_file *to, const char *path, error *err)
{
    image whole = { 0 }, square = { 0 };
    if (!image_read(path, &whole, err)) return false;
    *to = (change_file){ .path = path, .width = whole.width, .height = whole.height };
    if (!take_square(&whole, &square, err)) return false;
    to->rgb = square.pixels;
    to->side = square.width;
    return true;
}

/* As bright as the eye finds it. */
static uint8_t *grey_of(const image *square, error *err)
{
    int64_t count = (int64_t)square->width * square->height;
    uint8_t *grey = malloc((size_t)count);
    if (!grey)
        return error_null(err, ERROR_MEMORY, "out of memory for a mask of %d x %d", square->width,
                          square->height);
    for (int64_t i = 0; i < count; ++i) {
        const uint8_t *p = square->pixels + i * 3;
        grey[i] = (uint8_t)((p[0] * 299 + p[1] * 587 + p[2] * 114 + 500) / 1000);
    }
    return grey;
}

/* Whether two sizes have one shape, but for the rounding of a pixel. */
static bool same_shape(int width, int height, int other_width, int other_height)
{
    double a = (double)width / height, b = (double)other_width / other_height;
    int shortest = width < height ? width : height,
        other = other_width < other_height ? other_width : other_height;
    return fabs(a / b - 1) <= 1.0 / (shortest < other ? shortest : other);
}

bool change_read_mask(change_call *c, const char *path, error *err)
{
    image whole = { 0 }, square = { 0 };
    const change_file *of = &c->picture;
    if (!image_read(path, &whole, err)) return false;
    int width = whole.width, height = whole.height;
    if (!same_shape(width, height, of->width, of->height)) {
        image_free(&whole);
        return error_set(
            err, ERROR_USAGE,
            "the mask '%s' has %d x %d pixels and the picture '%s' %d x %d: a mask has its picture's "
            "shape",
            path, width, height, of->path, of->width, of->height);
    }
    if (!take_square(&whole, &square, err)) return false;
    c->mask = grey_of(&square, err);
    c->change.mask = c->mask;
    c->change.mask_side = square.width;
    image_free(&square);
    if (c->mask && (width != of->width || height != of->height) && !cli_flag(c->call, "quiet"))
        fprintf(stderr, "%s: %d x %d, scaled to the picture's %d x %d\n", path, width, height, of->width,
                of->height);
    return c->mask != NULL;
}

static void say_size(const change_file *f, const dalle_model_info *info)
{
    int side = info->drawn_side;
    if (!f->path || (f->width == side && f->height == side)) return;
    fprintf(stderr, "%s: %d x %d, scaled to %d x %d by its short side, the centre square of it\n", f->path,
            f->width, f->height, side, side);
}

/* ---- What is written and said ---- */

static bool write_file(const change_call *c, const dalle_pictures *p, error *err)
{
    char seed[32], *model = NULL;
    dalle_png_text texts[5];
    int count = 0;
    if (!choice_model_name(cli_text(c->call, "model"), &model))
        return error_set(err, ERROR_MEMORY, "out of memory for the texts of a picture");
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)c->change.seed);
    if (c->change.caption && utf8_check(c->change.caption) < 0)
        texts[count++] = (dalle_png_text){ "Description", c->change.caption };
    texts[count++] = (dalle_png_text){ "Software", "dalle-cl " DALLE_CL_VERSION };
    if (model) texts[count++] = (dalle_png_text){ "model", model };
    texts[count++] = (dalle_png_text){ "made by", cli_call_command(c->call)->name };
    texts[count++] = (dalle_png_text){ "seed", seed };
    bool ok = pictures_write_grid(cli_text(c->call, "output"), p->rgb, p->count, p->side,
                                  (int)cli_int(c->call, "columns"), texts, count, err);
    free(model);
    return ok;
}

static bool say_json(const change_call *c, const change_command *command, const dalle_pictures *p,
                     const dalle_model_info *info, double seconds, error *err)
{
    const char *path = cli_text(c->call, "output");
    const char *const all[] = { path, c->picture.path, c->other.path, c->change.caption, c->change.from };
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
        if (all[i] && utf8_check(all[i]) >= 0)
            return error_set(err, ERROR_USAGE, "%s: a path or a text is not valid UTF-8, which JSON needs",
                             cli_call_command(c->call)->name);
    json_t *o = json_pack("{s:s, s:s, s:i, s:i, s:i, s:I, s:f, s:s}", "file", path, "picture",
                          c->picture.path, "count", p->count, "first", c->change.first, "side", p->side,
                          "seed", (json_int_t)c->change.seed, "seconds", seconds, "device", info->device);
    if (command->figures) command->figures(c, &o);
    char *text = json_tree_text(o, JSON_COMPACT | JSON_REAL_PRECISION(6), "the result as JSON", err);
    if (!text) return false;
    puts(text);
    free(text);
    return true;
}

static bool say_done(const change_call *c, const change_command *command, const dalle_pictures *p,
                     const dalle_model_info *info, double seconds, error *err)
{
    const char *path = cli_text(c->call, "output");
    if (cli_flag(c->call, "json")) return say_json(c, command, p, info, seconds, err);
    if (!cli_flag(c->call, "quiet"))
        fprintf(output_talk(path), "%s: %d picture%s of %d x %d, seed %llu, %.1f s on %s\n",
                output_name(path), p->count, p->count == 1 ? "" : "s", p->side, p->side,
                (unsigned long long)c->change.seed, seconds, info->device);
    return true;
}

/* ---- All of it ---- */

static bool draw(change_call *c, const change_command *command, dalle_model *model, error *err)
{
    const double begun = timing_now(), before = fmax(timing_of_process(), 0);
    const dalle_model_info *info = dalle_get_info(model);
    meter m = meter_make(cli_flag(c->call, "quiet"));
    dalle_error failure;
    c->change.stages = meter_stage;
    c->change.context = &m;
    if (!cli_flag(c->call, "quiet")) {
        say_size(&c->picture, info);
        say_size(&c->other, info);
    }
    if (command->notes) command->notes(c, info);
    dalle_pictures *drawn = command->draw(model, &c->change, &failure);
    cli_interrupt_asks(NULL); /* what is drawn is written */
    meter_clear(&m);
    if (!drawn && *cli_interrupted())
        return error_set(err, ERROR_INTERRUPTED, "stopped; nothing was written");
    if (!drawn) return pictures_error(&failure, err);
    const double seconds = before + timing_now() - begun; /* from the process's start on, kernels and all */
    bool ok = write_file(c, drawn, err) && say_done(c, command, drawn, info, seconds, err);
    dalle_pictures_free(drawn);
    return ok;
}

static bool open_and_draw(change_call *c, const change_command *command, error *err)
{
    const char *folder = cli_text(c->call, "model");
    dalle_error failure;
    unsigned there, parts = DALLE_DECODER;
    if (!dalle_find_parts(folder, &there, &failure)) return pictures_error(&failure, err);
    if (command->prior) parts = sampling_parts(c->call, there);
    dalle_model *model = dalle_open_parts(folder, cli_text(c->call, "device"), parts, &failure);
    if (!model) return pictures_error(&failure, err);
    bool ok = draw(c, command, model, err);
    dalle_close(model);
    return ok;
}

static void fill(change_call *c)
{
    const cli_call *call = c->call;
    c->sampling = sampling_of(call, NULL);
    c->change = (dalle_change)DALLE_CHANGE_DEFAULTS;
    c->change.count = (int)cli_int(call, "count");
    c->change.first = (int)cli_int(call, "first");
    c->change.seed = (uint64_t)cli_seed(call, 1);
    c->change.guidance = sampling_guidance(call);
    c->change.sampling = &c->sampling;
}

bool change_run(const cli_call *call, const change_command *command, error *err)
{
    change_call c = { .call = call };
    if (!cli_require(call, "model", err)) return false;
    fill(&c);
    bool ok =
        change_read(&c.picture, cli_argument(call, 0), err) && (!command->read || command->read(&c, err));
    c.change.rgb = c.picture.rgb;
    c.change.side = c.picture.side;
    c.change.other_rgb = c.other.rgb;
    c.change.other_side = c.other.side;
    ok = ok && open_and_draw(&c, command, err);
    free(c.picture.rgb);
    free(c.other.rgb);
    free(c.mask);
    return ok;
}
