/* make_pictures.c -- make_pictures FOLDER COUNT: small pictures with captions, for scripts that need a data
 * set. Discs and squares in four colours, no two alike, of unlike sizes.
 * SPDX-License-Identifier: MIT */
#include "data/image.h"
#include "host/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void paint(image *picture, int number)
{
    static const uint8_t colours[4][3] = {
        { 220, 40, 40 }, { 40, 180, 60 }, { 40, 60, 220 }, { 240, 200, 30 }
    };
    for (int y = 0; y < picture->height; ++y)
        for (int x = 0; x < picture->width; ++x) {
            int side = picture->width, u = 2 * x - side, v = 2 * y - side;
            bool inside = number % 2 ? abs(u) < side / 2 && abs(v) < side / 2
                                     : u * u + v * v < (side - number) * (side - number) / 2;
            if (inside) memcpy(picture->pixels + 3 * (y * side + x), colours[number / 2 % 4], 3);
        }
}

static bool make(const char *folder, int number, error *err)
{
    static const char *const colours[4] = { "red", "green", "blue", "yellow" };
    char path[512], caption[64];
    image picture;
    if (!image_create(&picture, 32 + number, 32 + number, err)) return false;
    paint(&picture, number);
    snprintf(path, sizeof path, "%s/%d.png", folder, number);
    bool ok = image_write_png(&picture, path, err);
    image_free(&picture);
    snprintf(path, sizeof path, "%s/%d.txt", folder, number);
    snprintf(caption, sizeof caption, "a %s %s\n", colours[number / 2 % 4],
             number % 2 ? "square" : "roundel");
    return ok && file_write(path, caption, strlen(caption), err);
}

int main(int argc, char **argv)
{
    error err = { 0 };
    if (argc != 3) return 2;
    bool ok = file_make_folders(argv[1], &err);
    for (int i = 0; ok && i < atoi(argv[2]); ++i) ok = make(argv[1], i, &err);
    if (!ok) fprintf(stderr, "%s\n", err.message);
    return ok ? 0 : 1;
}
