/* canvas_png.c -- see canvas.h: cairo draws, on white.
 * SPDX-License-Identifier: MIT */
#include "app/report/canvas.h"

#include "host/base/file.h"
#include "host/base/utf8.h"

#include <cairo.h>
#include <fontconfig/fontconfig.h>
#include <math.h>
#include <stdlib.h>

typedef struct picture {
    cairo_surface_t *surface;
    cairo_t *cairo;
} picture;

/* The colours of app/report/page.css on a light page. */
static const unsigned colours[CANVAS_COLOURS] = { 0x2563a8, 0xc2570c, 0x2f7d4f, 0x8a3ea3,
                                                  0xb3261e, 0x0f7f86, 0x8a6d00, 0x5b6472 };
static const unsigned tints[CANVAS_TINTS] = { 0xb9bec6, 0xeaf1f8, 0xd3e2f1, 0xbad2e8, 0x9dbfdf, 0x7ca9d3,
                                              0x5b91c5, 0x3f78b3, 0x2a609b, 0x1a4a80, 0x0d3562 };

static void set_colour(cairo_t *c, unsigned rgb, double alpha)
{
    cairo_set_source_rgba(c, (rgb >> 16 & 255) / 255.0, (rgb >> 8 & 255) / 255.0, (rgb & 255) / 255.0, alpha);
}

static void set_ink(cairo_t *c, canvas_ink ink, int colour)
{
    static const double dashes[] = { 4, 3 };
    unsigned own = colours[colour % CANVAS_COLOURS];
    cairo_set_dash(c, dashes, ink == CANVAS_DASH ? 2 : 0, 0);
    cairo_set_line_width(c, ink == CANVAS_GRID || ink == CANVAS_AXIS ? 0.8 : ink == CANVAS_FAINT ? 1.0 : 1.6);
    if (ink == CANVAS_GRID || ink == CANVAS_AXIS)
        set_colour(c, ink == CANVAS_GRID ? 0xe3e6ea : 0x9aa1ab, 1);
    else if (ink == CANVAS_TINT)
        set_colour(c, tints[colour % CANVAS_TINTS], 1);
    else
        set_colour(c, own, ink == CANVAS_FAINT ? 0.28 : 1);
}

static void path(void *self, canvas_ink ink, int colour, const double *points, int count, const char *name)
{
    (void)name;
    cairo_t *c = ((picture *)self)->cairo;
    set_ink(c, ink, colour);
    for (int i = 0; i < count; ++i) {
        double x = points[2 * i], y = points[2 * i + 1];
        if (ink == CANVAS_DOT) {
            cairo_new_sub_path(c);
            cairo_arc(c, x, y, 2.2, 0, 6.2832);
        } else if (i == 0) {
            cairo_move_to(c, x, y);
        } else {
            cairo_line_to(c, x, y);
        }
    }
    if (ink == CANVAS_DOT || ink == CANVAS_AREA || ink == CANVAS_TINT)
        cairo_fill(c);
    else
        cairo_stroke(c);
}

static void box(void *self, canvas_ink ink, int colour, double x, double y, double width, double height,
                const char *name)
{
    (void)name;
    cairo_t *c = ((picture *)self)->cairo;
    set_ink(c, ink, colour);
    cairo_rectangle(c, x, y, width, height);
    if (ink == CANVAS_GRID || ink == CANVAS_AXIS)
        cairo_stroke(c);
    else
        cairo_fill(c);
}

static void text(void *self, canvas_text kind, canvas_side side, double x, double y, const char *words)
{
    static const double sizes[] = { 13, 10.5, 10.5 };
    cairo_t *c = ((picture *)self)->cairo;
    if (utf8_check(words) >= 0) words = "?"; /* cairo would draw nothing more */
    cairo_text_extents_t extents;
    cairo_select_font_face(c, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           kind == CANVAS_TITLE ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c, sizes[kind]);
    cairo_text_extents(c, words, &extents);
    double back = side == CANVAS_LEFT ? 0 : side == CANVAS_MIDDLE ? extents.x_advance / 2 : extents.x_advance;
    set_colour(c, kind == CANVAS_SMALL ? 0x5f6875 : 0x1f2630, 1);
    cairo_move_to(c, x - back, y);
    cairo_show_text(c, words);
}

void canvas_png_abandon(canvas *c)
{
    picture *p = c->self;
    if (!p) return;
    cairo_destroy(p->cairo);
    cairo_surface_destroy(p->surface);
    free(p);
    c->self = NULL;
}

void canvas_png_forget(void)
{
    cairo_debug_reset_static_data();
    FcFini();
}

static bool sound(const picture *p, error *err)
{
    cairo_status_t status = cairo_status(p->cairo);
    if (status == CAIRO_STATUS_SUCCESS) status = cairo_surface_status(p->surface);
    if (status == CAIRO_STATUS_SUCCESS) return true;
    return error_set(err, status == CAIRO_STATUS_NO_MEMORY ? ERROR_MEMORY : ERROR_IO,
                     "a plot cannot be drawn: %s", cairo_status_to_string(status));
}

bool canvas_png_begin(canvas *c, double width, double height, double scale, error *err)
{
    picture *p = malloc(sizeof *p);
    *c = (canvas){ p, path, box, text };
    if (!p) return error_set(err, ERROR_MEMORY, "out of memory for a plot");
    p->surface =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)ceil(width * scale), (int)ceil(height * scale));
    p->cairo = cairo_create(p->surface);
    cairo_scale(p->cairo, scale, scale);
    cairo_set_source_rgb(p->cairo, 1, 1, 1);
    cairo_paint(p->cairo);
    cairo_set_line_join(p->cairo, CAIRO_LINE_JOIN_ROUND);
    if (sound(p, err)) return true;
    canvas_png_abandon(c);
    return false;
}

static cairo_status_t put(void *stream, const unsigned char *bytes, unsigned size)
{
    return fwrite(bytes, 1, size, stream) == size ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

bool canvas_png_end(canvas *c, const char *path_name, error *err)
{
    picture *p = c->self;
    file_atomic file;
    bool ok = sound(p, err) && file_atomic_open(&file, path_name, err);
    if (ok) {
        cairo_status_t status = cairo_surface_write_to_png_stream(p->surface, put, file.stream);
        /* A stream that failed says why when it is closed. */
        ok = status == CAIRO_STATUS_SUCCESS || status == CAIRO_STATUS_WRITE_ERROR
                 ? file_atomic_commit(&file, err)
                 : error_set(err, ERROR_MEMORY, "'%s' cannot be written: %s", path_name,
                             cairo_status_to_string(status));
        file_atomic_abandon(&file);
    }
    canvas_png_abandon(c);
    return ok;
}
