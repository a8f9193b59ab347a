/* canvas_svg.c -- see canvas.h: elements with classes, which app/report/page.css colours.
 * SPDX-License-Identifier: MIT */
#include "app/report/canvas.h"

#include "host/base/utf8.h"

#include <string.h>

static const char *const inks[] = { "grid", "axis", "curve", "faint", "dash", "dot", "area", "tint" };
static const char *const texts[] = { "title", "label", "small" };
static const char *const sides[] = { "start", "middle", "end" };

/* XML has no control characters but these three. */
static bool is_plain(unsigned char c)
{
    return c >= ' ' ? c != 0x7f : c == '\n' || c == '\t' || c == '\r';
}

void canvas_svg_text(FILE *out, const char *text)
{
    bool whole = utf8_check(text) < 0; /* else what is not ASCII is not known */
    for (const char *c = text; *c; ++c) {
        if (*c == '<')
            fputs("&lt;", out);
        else if (*c == '>')
            fputs("&gt;", out);
        else if (*c == '&')
            fputs("&amp;", out);
        else if (*c == '"')
            fputs("&quot;", out);
        else if (*c == '\'')
            fputs("&#39;", out);
        else
            fputc(is_plain((unsigned char)*c) && (whole || (unsigned char)*c < 0x80) ? *c : '?', out);
    }
}

static void name_of(FILE *out, const char *name)
{
    if (!name) return;
    fputs(" data-name=\"", out);
    canvas_svg_text(out, name);
    fputc('"', out);
}

static void dots(FILE *out, int colour, const double *points, int count, const char *name)
{
    fprintf(out, "<g class=\"dot c%d\"", colour);
    name_of(out, name);
    fputs(">", out);
    for (int i = 0; i < count; ++i)
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\"/>", points[2 * i], points[2 * i + 1]);
    fputs("</g>\n", out);
}

static void path(void *self, canvas_ink ink, int colour, const double *points, int count, const char *name)
{
    FILE *out = self;
    if (count < 1) return;
    if (ink == CANVAS_DOT) {
        dots(out, colour, points, count, name);
        return;
    }
    bool filled = ink == CANVAS_AREA || ink == CANVAS_TINT;
    fprintf(out, "<%s class=\"%s %c%d\"", filled ? "polygon" : "polyline", inks[ink],
            ink == CANVAS_TINT ? 't' : 'c', colour);
    name_of(out, name);
    fputs(" points=\"", out);
    for (int i = 0; i < count; ++i)
        fprintf(out, "%s%.1f,%.1f", i ? " " : "", points[2 * i], points[2 * i + 1]);
    fputs("\"/>\n", out);
}

static void box(void *self, canvas_ink ink, int colour, double x, double y, double width, double height,
                const char *name)
{
    FILE *out = self;
    fprintf(out, "<rect class=\"%s %c%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">", inks[ink],
            ink == CANVAS_TINT ? 't' : 'c', colour, x, y, width, height);
    if (name) {
        fputs("<title>", out);
        canvas_svg_text(out, name);
        fputs("</title>", out);
    }
    fputs("</rect>\n", out);
}

static void text(void *self, canvas_text kind, canvas_side side, double x, double y, const char *words)
{
    FILE *out = self;
    fprintf(out, "<text class=\"%s\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">", texts[kind], sides[side], x,
            y);
    canvas_svg_text(out, words);
    fputs("</text>\n", out);
}

canvas canvas_svg_begin(FILE *out, double width, double height, const char *title, const char *head)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
            "height=\"%.0f\" role=\"img\" %s aria-label=\"",
            width, height, width, height, head);
    canvas_svg_text(out, title);
    fputs("\">\n", out);
    return (canvas){ out, path, box, text };
}

void canvas_svg_end(canvas *c)
{
    fputs("</svg>\n", c->self);
}
