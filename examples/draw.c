/* draw.c -- draws one picture with libdalle and writes it as a PPM file.
 *     cc draw.c $(pkg-config --cflags --libs dalle) -o draw
 *     ./draw models/demo "red apple" apple.ppm
 * C and C++ compilers both take it.
 * SPDX-License-Identifier: MIT */
#include <dalle.h>

#include <stdio.h>

static bool write_ppm(const char *path, const dalle_pictures *pictures)
{
    size_t bytes = (size_t)pictures->side * (size_t)pictures->side * 3;
    FILE *file = fopen(path, "wb");
    if (!file) return false;
    bool ok = fprintf(file, "P6\n%d %d\n255\n", pictures->side, pictures->side) > 0 &&
              fwrite(pictures->rgb, 1, bytes, file) == bytes;
    return fclose(file) == 0 && ok;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: draw MODEL CAPTION FILE.ppm\n");
        return 2;
    }
    dalle_error err;
    dalle_model *model = dalle_open(argv[1], NULL, &err);
    if (!model) {
        fprintf(stderr, "%s\n", err.message);
        return err.status;
    }
    dalle_model_info info;
    dalle_get_info(model, &info);
    printf("libdalle %s, %d x %d pixels, on %s\n", dalle_version(), info.side, info.side, info.device);

    dalle_request request = DALLE_REQUEST_DEFAULTS;
    request.caption = argv[2];
    dalle_pictures pictures;
    int status = 0;
    if (dalle_generate(model, &request, &pictures, &err)) {
        if (!write_ppm(argv[3], &pictures)) {
            fprintf(stderr, "cannot write '%s'\n", argv[3]);
            status = 1;
        }
        dalle_pictures_free(&pictures);
    } else {
        fprintf(stderr, "%s\n", err.message);
        status = err.status;
    }
    dalle_close(model);
    return status;
}
