/* bench_pictures.c -- the cases "pictures:..." of `dalle-cl bench`: files in memory are decoded and their
 * centre squares resized, as training without augmentation does, by as many threads as are asked for.
 * SPDX-License-Identifier: MIT */
#include "app/measure/bench.h"

#include "data/augment.h"
#include "host/base/file.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MADE_PIXELS = 5000000, THREADS_MOST = 64, FILES_MOST = 100000 };

typedef struct encoded {
    void *bytes;
    size_t size;
    int index; /* of the first with these bytes, which are its */
} encoded;

typedef struct pictures {
    encoded *files;
    int count, threads, side;
    image_filter filter;
    image_reading how;
    atomic_int next;
    atomic_bool failed;
    error problem; /* of the one that failed first */
} pictures;

/* ---- A run ---- */

static bool read_one(const pictures *p, const encoded *e, uint8_t *into, error *err)
{
    image whole;
    char name[32];
    snprintf(name, sizeof name, "picture %d", (int)(e - p->files));
    if (!image_decode_as(e->bytes, e->size, name, &p->how, &whole, err)) return false;
    bool ok = augment_by(&whole, p->side, AUGMENT_NONE, AUGMENT_FLIP_OFF, p->filter, NULL, into, err);
    image_free(&whole);
    return ok;
}

static void *work(void *self)
{
    pictures *p = self;
    error problem = { 0 };
    uint8_t *into = malloc((size_t)p->side * (size_t)p->side * 3);
    bool ok = into != NULL || error_set(&problem, ERROR_MEMORY, "out of memory for a picture");
    for (int i; ok && (i = atomic_fetch_add(&p->next, 1)) < p->count;)
        ok = read_one(p, &p->files[i], into, &problem);
    free(into);
    if (!ok && !atomic_exchange(&p->failed, true)) p->problem = problem;
    return NULL;
}

static bool run_pictures(void *self, error *err)
{
    pictures *p = self;
    pthread_t threads[THREADS_MOST];
    int started = 0;
    atomic_store(&p->next, 0);
    while (started < p->threads - 1 && pthread_create(&threads[started], NULL, work, p) == 0) ++started;
    work(p);
    for (int i = 0; i < started; ++i) pthread_join(threads[i], NULL);
    if (!atomic_load(&p->failed)) return true;
    if (err) *err = p->problem;
    return false;
}

static void close_pictures(void *self)
{
    pictures *p = self;
    if (!p) return;
    for (int i = 0; i < p->count; ++i)
        if (p->files[i].index == i) free(p->files[i].bytes);
    free(p->files);
    image_profiles_destroy(p->how.profiles);
    free(p);
}

/* ---- Opening ---- */

static bool bad_name(const char *name, error *err)
{
    return error_set(
        err, ERROR_USAGE,
        "no case '%s'; pictures:jpeg:640x480->256 (png, webp; or pictures:FOLDER->256), after it "
        ",tTHREADS, a filter as ,bicubic, and ,fast",
        name);
}

static bool parse_option(pictures *p, const char *word)
{
    static const char *const filters[IMAGE_FILTERS] = { "area",    "nearest", "box",    "bilinear",
                                                        "hamming", "bicubic", "lanczos" };
    char end;
    if (sscanf(word, "t%d%c", &p->threads, &end) == 1) return p->threads >= 1 && p->threads <= THREADS_MOST;
    if (strcmp(word, "fast") == 0) return (p->how.enough = 2 * p->side) > 0;
    for (int i = 0; i < IMAGE_FILTERS; ++i)
        if (strcmp(word, filters[i]) == 0) {
            p->filter = (image_filter)i;
            return true;
        }
    return false;
}

/* What follows the arrow: "256,t2,bicubic". */
static bool parse_options(pictures *p, char *text)
{
    char *rest = NULL, *word = strtok_r(text, ",", &rest), end;
    if (!word || sscanf(word, "%d%c", &p->side, &end) != 1 || p->side < 1 || p->side > 4096) return false;
    while ((word = strtok_r(NULL, ",", &rest)))
        if (!parse_option(p, word)) return false;
    return true;
}

static bool make_files(pictures *p, const char *format, int width, int height, error *err)
{
    int count = MADE_PIXELS / (width * height) + 1;
    if (count < p->threads) count = p->threads;
    if (!(p->files = calloc((size_t)count, sizeof *p->files)))
        return error_set(err, ERROR_MEMORY, "out of memory for pictures");
    if (!bench_encode(format, width, height, &p->files[0].bytes, &p->files[0].size, err)) return false;
    for (int i = 0; i < count; ++i) p->files[i] = p->files[0];
    p->count = count;
    return true;
}

static bool read_files(pictures *p, const char *folder, error *err)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    bool ok = count > 0 || error_set(err, ERROR_USAGE, "no case of pictures, and no folder: '%s'", folder);
    if (ok && !(p->files = calloc((size_t)(count > 0 ? count : 0), sizeof *p->files)))
        ok = error_set(err, ERROR_MEMORY, "out of memory for pictures");
    for (int i = 0; i < count; ++i) {
        char *path = ok && *entries[i]->d_name != '.' ? file_join(folder, entries[i]->d_name) : NULL;
        if (path && p->count < FILES_MOST && !file_is_folder(path)) {
            encoded *e = &p->files[p->count];
            e->index = p->count;
            ok = (e->bytes = file_read(path, &e->size, err)) != NULL;
            p->count += ok;
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
    return ok && (p->count > 0 || error_set(err, ERROR_USAGE, "no picture is in '%s'", folder));
}

static bool open_files(pictures *p, const char *name, char *what, error *err)
{
    char format[8], end;
    int width, height;
    bool made = sscanf(what, "%7[a-z]:%dx%d%c", format, &width, &height, &end) == 3;
    if (!made) return read_files(p, what, err);
    if (width < 1 || height < 1 || width > 10000 || height > 10000) return bad_name(name, err);
    return make_files(p, format, width, height, err);
}

bool bench_open_pictures(bench_case *c, const char *name, const bench_options *o, error *err)
{
    (void)o;
    char text[4096];
    snprintf(text, sizeof text, "%s", name + strlen("pictures:"));
    char *arrow = strstr(text, "->");
    if (!arrow) return bad_name(name, err);
    *arrow = 0;
    pictures *p = calloc(1, sizeof *p);
    if (!p) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", name);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    p->threads = online < 1 ? 1 : online > THREADS_MOST ? THREADS_MOST : (int)online;
    p->how = IMAGE_READING_DEFAULT;
    p->how.profiles = image_profiles_create(err);
    bool ok = !p->how.profiles              ? false
              : parse_options(p, arrow + 2) ? open_files(p, name, text, err)
                                            : bad_name(name, err);
    ok = ok && run_pictures(p, err);
    if (!ok) {
        close_pictures(p);
        return false;
    }
    *c = (bench_case){ .self = p,
                       .run = run_pictures,
                       .close = close_pictures,
                       .pictures = p->count,
                       .wrong = -1,
                       .provider = "",
                       .storage = "U8" };
    return true;
}
