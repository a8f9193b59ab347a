/* test_image_bombs.c -- small files that would take much memory: refused by their headers, or read without
 * what would unpack.  Each is read in a process of its own, whose memory is looked at.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include <jpeglib.h>
#include <png.h>
#include <sys/wait.h>

typedef struct memory {
    uint8_t *bytes;
    size_t size;
} memory;

static long peak_kib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kib = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %ld", &kib) == 1) break;
    if (f) fclose(f);
    return kib;
}

/* `says` NULL: it is a picture.  Takes no more than `most` MiB. */
static void read_apart(const memory *m, const image_reading *how, const char *says, long most)
{
    pid_t child = fork();
    if (child == 0) {
        error err = { 0 };
        image read;
        long before = peak_kib();
        bool ok = image_decode_as(m->bytes, m->size, "bomb", how, &read, &err);
        long taken = (peak_kib() - before) / 1024;
        if (taken > most) fprintf(stderr, "%ld MiB were taken, not %ld\n", taken, most);
        if (ok == (says != NULL) || (says && !strstr(err.message, says))) {
            fprintf(stderr, "'%s' does not say '%s'\n", err.message, says ? says : "");
            _exit(1);
        }
        _exit(taken > most || (says && err.code != ERROR_FORMAT));
    }
    int status = 0;
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static uint32_t checksum(const uint8_t *bytes, size_t size)
{
    uint32_t sum = 0xffffffff;
    for (size_t i = 0; i < size; ++i) {
        sum ^= bytes[i];
        for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ (sum & 1 ? 0xedb88320u : 0);
    }
    return ~sum;
}

static void set_number(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; ++i) at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* After a change in the chunk that begins at `chunk`. */
static void sign(uint8_t *chunk)
{
    uint32_t size = (uint32_t)chunk[0] << 24 | (uint32_t)chunk[1] << 16 | (uint32_t)chunk[2] << 8 | chunk[3];
    set_number(chunk + 8 + size, checksum(chunk + 4, size + 4));
}

static memory small_png(int width, int height)
{
    image made = noise(width, height, 2);
    void *bytes;
    memory m;
    assert_true(image_encode_png(&made, &bytes, &m.size, NULL));
    m.bytes = bytes;
    image_free(&made);
    return m;
}

static void png_dimensions(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height;
        const char *says;
    } cases[] = {
        { 60000, 60000,
          "a picture of 60000 x 60000 is too large; at most 16384 pixels a side and 100 million" },
        { 16384, 16384, "16384 x 16384" },
        { 16385, 1, "16385 x 1" },
        { 1, 0x7fffffff, "1 x 2147483647" },
        { 0xffffffff, 0xffffffff, "4294967295 x 4294967295" },
        { 0, 5, "0 x 5 has no pixels" },
    };
    memory m = small_png(100, 100);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        for (int interlaced = 0; interlaced < 2; ++interlaced) {
            set_number(m.bytes + 16, cases[i].width);
            set_number(m.bytes + 20, cases[i].height);
            m.bytes[28] = (uint8_t)interlaced;
            sign(m.bytes + 8);
            read_apart(&m, NULL, cases[i].says, 4);
        }
    free(m.bytes);
}

/* The limit is the caller's. */
static void limits(void **state)
{
    (void)state;
    memory m = small_png(40, 25);
    image_reading how = IMAGE_READING_DEFAULT;
    how.max_pixels = 1000;
    read_apart(&m, &how, NULL, 4);
    how.max_pixels = 999;
    read_apart(&m, &how, "a picture of 40 x 25 is too large; at most 16384 pixels a side and 999 in all", 4);
    free(m.bytes);
}

static void write_bytes(png_structp png, png_bytep from, size_t count)
{
    memory *m = png_get_io_ptr(png);
    m->bytes = realloc(m->bytes, m->size + count);
    memcpy(m->bytes + m->size, from, count);
    m->size += count;
}

static void flush(png_structp png)
{
    (void)png;
}

/* A picture of one pixel with a text of `length` letters, packed into a chunk zTXt. */
static memory png_with_text(size_t length)
{
    memory m = { 0 };
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    char *letters = malloc(length + 1), key[] = "bomb";
    memset(letters, 'A', length);
    letters[length] = 0;
    png_text text = {
        .compression = PNG_TEXT_COMPRESSION_zTXt, .key = key, .text = letters, .text_length = length
    };
    png_set_write_fn(png, &m, write_bytes, flush);
    png_set_IHDR(png, info, 1, 1, 8, PNG_COLOR_TYPE_RGB, 0, 0, 0);
    png_set_text(png, info, &text, 1);
    png_write_info(png, info);
    png_write_row(png, (const uint8_t[]){ 1, 2, 3 });
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    free(letters);
    return m;
}

/* A text, or what says that it is a profile and packed likewise, of 60 MB in some 60 KB. */
static void packed_chunks(void **state)
{
    (void)state;
    static const char *const names[] = { "zTXt", "iCCP", "iTXt" };
    memory m = png_with_text(60000000);
    assert_true(m.size < 80000);
    uint8_t *chunk = memmem(m.bytes, m.size, "zTXt", 4);
    for (size_t i = 0; i < 3; ++i) {
        memcpy(chunk, names[i], 4);
        sign(chunk - 4);
        read_apart(&m, NULL, NULL, 8);
    }
    set_number(chunk - 4, 0x7ffffff0); /* a length that nothing follows */
    read_apart(&m, NULL, "cannot decode this PNG: the file is cut short", 8);
    memcpy(chunk, "eXIf", 4);
    read_apart(&m, NULL, "cannot decode this PNG: the file is cut short", 8);
    free(m.bytes);
}

static void webp_dimensions(void **state)
{
    (void)state;
    /* Lossless, the sizes less one in 14 bits each; and with a head that says 2^24 x 2^24. */
    uint8_t lossless[32] = "RIFF\x18\0\0\0WEBPVP8L\x0b\0\0\0\x2f\xfe\xbf\xff\x0f";
    uint8_t extended[64] = "RIFF\x30\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff";
    memory m = { lossless, sizeof lossless };
    read_apart(&m, NULL, "16383 x 16383 is too large", 4);
    m = (memory){ extended, sizeof extended };
    read_apart(&m, NULL, "bomb: ", 4);
}

static void jpeg_dimensions(void **state)
{
    (void)state;
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr manager;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    uint8_t row[16 * 3] = { 0 };
    JSAMPROW rows = row;
    jpeg.err = jpeg_std_error(&manager);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = jpeg.image_height = 16;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < 16; ++y) jpeg_write_scanlines(&jpeg, &rows, 1);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    uint8_t *frame = memmem(bytes, size, "\xff\xc2", 2);
    assert_non_null(frame);
    set_number(frame + 5, 0xffdcffdc); /* 65,500 twice */
    memory m = { bytes, size };
    read_apart(&m, NULL, "a picture of 65500 x 65500 is too large", 4);
    set_number(frame + 5, 0x27102710); /* 10,000 twice: as many as may be, but there is nothing to them */
    image_reading how = IMAGE_READING_DEFAULT;
    how.max_pixels = 50000000;
    read_apart(&m, &how, "10000 x 10000 is too large; at most 16384 pixels a side and 50 million in all", 4);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_dimensions),  cmocka_unit_test(limits),          cmocka_unit_test(packed_chunks),
        cmocka_unit_test(webp_dimensions), cmocka_unit_test(jpeg_dimensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
