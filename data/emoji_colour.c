/* emoji_colour.c -- hue, saturation and value of a picture's pixels.
 * SPDX-License-Identifier: MIT */
#include "data/emoji_colour.h"
#include <math.h>
#include <string.h>

const emoji_hue emoji_hues[] = {
    { "red", 2, 0, false },       { "orange", 30, 0, true }, { "yellow", 50, 0, true },
    { "green", 125, 0, false },   { "blue", 213, 0, false }, { "purple", 278, 0, false },
    { "pink", 335, 0.35f, true },
};
const int emoji_hue_count = (int)(sizeof emoji_hues / sizeof *emoji_hues);

static const char *const names[] = { "red",   "orange", "yellow", "green", "blue", "purple", "pink",
                                     "brown", "black",  "white",  "grey",  "gray", "golden", "silver" };

bool emoji_colour_is_name(const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        if (strlen(names[i]) == length && memcmp(names[i], word, length) == 0) return true;
    return false;
}

typedef struct hsv {
    float hue, saturation, value;
} hsv;

static hsv hsv_of(const uint8_t *pixel)
{
    float r = (float)pixel[0] / 255, g = (float)pixel[1] / 255, b = (float)pixel[2] / 255;
    float high = fmaxf(r, fmaxf(g, b)), low = fminf(r, fminf(g, b)), span = high - low;
    hsv c = { 0, high > 0 ? span / high : 0, high };
    if (span <= 0) return c;
    if (high == r)
        c.hue = 60 * (g - b) / span;
    else if (high == g)
        c.hue = 60 * (b - r) / span + 120;
    else
        c.hue = 60 * (r - g) / span + 240;
    if (c.hue < 0) c.hue += 360;
    return c;
}

static void put_rgb(hsv c, uint8_t *pixel)
{
    for (int i = 0; i < 3; ++i) {
        float k = fmodf((float)(5 - 2 * i) + c.hue / 60, 6);
        float part = fmaxf(0, fminf(1, fminf(k, 4 - k)));
        pixel[i] = (uint8_t)lrintf(255 * (c.value - c.value * c.saturation * part));
    }
}

#define NO_NAME 11 /* skin, bread, cream */

/* Index into `names`. */
static int name_of(hsv c)
{
    if (c.value < 0.3f) return 8;
    if (c.saturation < 0.16f) return c.value > 0.88f ? 9 : 10;
    if (c.hue < 45 && c.hue >= 8 && c.value < 0.68f) return 7;
    if (c.hue >= 345 || c.hue < 14) return c.saturation < 0.45f ? 6 : 0;
    if (c.hue < 25 && c.saturation < 0.45f) return 6;
    if (c.hue < 66 && c.saturation < (c.hue < 39 ? 0.66f : 0.35f)) return NO_NAME;
    if (c.hue < 39) return 1;
    if (c.hue < 66) return 2;
    if (c.hue < 165) return 3;
    if (c.hue < 250) return c.saturation < 0.34f ? NO_NAME : 4; /* the font's steel is bluish */
    if (c.hue < 300) return 5;
    return 6;
}

static float apart(float a, float b)
{
    float d = fabsf(a - b);
    return d > 180 ? 360 - d : d;
}

/* Pixels near white are taken for the ground. */
static bool is_ground(const uint8_t *p)
{
    return p[0] > 244 && p[1] > 244 && p[2] > 244;
}

typedef struct sums {
    double x, y, value, saturation;
    int64_t figure, coloured, near, by_name[NO_NAME + 1];
} sums;

static void look_at(const image *picture, float hue, sums *s)
{
    for (int64_t i = 0; i < (int64_t)picture->width * picture->height; ++i) {
        const uint8_t *p = picture->pixels + 3 * i;
        if (is_ground(p)) continue;
        hsv c = hsv_of(p);
        ++s->figure;
        ++s->by_name[name_of(c)];
        if (c.saturation < 0.22f || c.value < 0.2f) continue;
        ++s->coloured;
        s->value += c.value;
        s->saturation += c.saturation;
        s->x += cos((double)c.hue * M_PI / 180);
        s->y += sin((double)c.hue * M_PI / 180);
        s->near += apart(c.hue, hue) < 24;
    }
}

emoji_colour emoji_colour_of(const image *picture)
{
    emoji_colour c = { 0 };
    sums first = { 0 }, second = { 0 };
    look_at(picture, 0, &first);
    c.hue = (float)(atan2(first.y, first.x) * 180 / M_PI);
    if (c.hue < 0) c.hue += 360;
    look_at(picture, c.hue, &second);
    if (second.coloured) c.value = (float)(second.value / (double)second.coloured);
    bool vivid = second.saturation > 0.42 * (double)second.coloured; /* else another hue looks as grey */
    c.one_hue = vivid && second.near * 100 >= second.coloured * 93 && second.near * 100 >= second.figure * 50;
    for (int i = 0; i < NO_NAME; ++i)
        if (second.by_name[i] * 100 >= second.figure * 58 && second.figure) c.name = names[i];
    return c;
}

void emoji_colour_move(image *picture, float from, const emoji_hue *to)
{
    for (int64_t i = 0; i < (int64_t)picture->width * picture->height; ++i) {
        uint8_t *p = picture->pixels + 3 * i;
        hsv c = hsv_of(p);
        c.hue = fmodf(c.hue - from + to->hue + 720, 360);
        c.saturation *= 1 - to->paler * c.saturation;
        c.value += (1 - c.value) * to->paler * c.saturation;
        put_rgb(c, p);
    }
}
