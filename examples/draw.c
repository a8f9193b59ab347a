/* draw.c -- draws one picture with libdalle and writes it as a PNG.
 *     cc draw.c $(pkg-config --cflags --libs dalle) -o draw
 *     ./draw models/demo "red apple" apple.png
 * C and C++ compilers both take it.
 * SPDX-License-Identifier: MIT */
#include <dalle.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: draw MODEL CAPTION FILE.png\n");
        return 2;
    }
    dalle_error err;
    dalle_model *model = dalle_open(argv[1], NULL, &err);
    if (!model) {
        fprintf(stderr, "%s\n", err.message);
        return err.status;
    }
    const dalle_model_info *info = dalle_get_info(model);
    printf("libdalle %s, %d x %d pixels, on %s\n", dalle_version(), info->side, info->side, info->device);

    dalle_request request = DALLE_REQUEST_DEFAULTS;
    request.caption = argv[2];
    dalle_pictures *drawn = dalle_generate(model, &request, &err);
    bool ok = drawn && dalle_write_png(argv[3], drawn->rgb, drawn->count, drawn->side, 0, &err);
    if (!ok) fprintf(stderr, "%s\n", err.message);
    dalle_pictures_free(drawn);
    dalle_close(model);
    return ok ? 0 : err.status;
}
