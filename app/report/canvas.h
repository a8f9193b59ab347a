/* canvas.h -- what drawings are made on: SVG in a page, whose style gives the colours, or a PNG through
 * cairo.
 * Coordinates are points from the upper left corner.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_REPORT_CANVAS_H
#define DALLE_CL_REPORT_CANVAS_H

#include "host/base/error.h"
#include <stdio.h>

enum { CANVAS_COLOURS = 8, CANVAS_TINTS = 11 };

typedef enum canvas_ink {
    CANVAS_GRID,  /* lines behind a drawing */
    CANVAS_AXIS,  /* lines around it */
    CANVAS_CURVE, /* in a colour: drawn bold, */
    CANVAS_FAINT, /* faint behind a bold one, */
    CANVAS_DASH,  /* dashed, */
    CANVAS_DOT,   /* or as dots at its points */
    CANVAS_AREA,  /* filled, in a colour */
    CANVAS_TINT   /* filled, in one of a row of tints from pale to dark */
} canvas_ink;

typedef enum canvas_text { CANVAS_TITLE, CANVAS_LABEL, CANVAS_SMALL } canvas_text;
typedef enum canvas_side { CANVAS_LEFT, CANVAS_MIDDLE, CANVAS_RIGHT } canvas_side;

typedef struct canvas {
    void *self;
    /* `count` points, x and y of each; `name` of a curve, for people who point at it, or NULL. */
    void (*path)(void *self, canvas_ink ink, int colour, const double *points, int count, const char *name);
    void (*box)(void *self, canvas_ink ink, int colour, double x, double y, double width, double height,
                const char *name);
    /* The text begins, has its middle or ends at x; y is its base line. */
    void (*text)(void *self, canvas_text kind, canvas_side side, double x, double y, const char *text);
} canvas;

/* Into a page: an element of that size; `head` are its further attributes.  The stream must outlive it. */
canvas canvas_svg_begin(FILE *out, double width, double height, const char *title, const char *head);
void canvas_svg_end(canvas *c);
/* Writes a text with <, >, & and quotes as references, and what is no character of XML as a question mark. */
void canvas_svg_text(FILE *out, const char *text);

/* Into a PNG, `scale` pixels a point.  End writes it to `path` and frees it; abandon frees it. */
bool canvas_png_begin(canvas *c, double width, double height, double scale, error *err);
bool canvas_png_end(canvas *c, const char *path, error *err);
void canvas_png_abandon(canvas *c);
/* Gives back what the library keeps of fonts; no canvas may be there. */
void canvas_png_forget(void);

#endif
