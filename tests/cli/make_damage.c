/* make_damage.c -- make_damage FOLDER: a set in which every picture, caption and description whose name
 * begins with "bad-" is damaged in another way, and none whose name begins with "good-": FOLDER/set, and tars
 * beside.
 * SPDX-License-Identifier: MIT */
#include "data/image.h"
#include "host/base/file.h"

#include <archive.h>
#include <archive_entry.h>
#include <jpeglib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *root;
static unsigned char *png, *jpeg;
static size_t png_size, jpeg_size;

static void must(bool done, const char *what)
{
    if (done) return;
    fprintf(stderr, "make_damage: %s\n", what);
    exit(1);
}

static void put(const char *name, const void *bytes, size_t size)
{
    char path[600];
    error err = { 0 };
    snprintf(path, sizeof path, "%s/%s", root, name);
    must(file_write(path, bytes, size, &err), err.message);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

/* ---- Whole ones ---- */

static void make_png(void)
{
    image p;
    void *bytes;
    uint32_t seed = 1;
    must(image_create(&p, 40, 30, NULL), "no picture");
    for (int i = 0; i < 40 * 30 * 3; ++i)
        p.pixels[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
    must(image_encode_png(&p, &bytes, &png_size, NULL), "no PNG");
    png = bytes;
    image_free(&p);
}

static void make_jpeg(void)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr e;
    unsigned long size = 0;
    unsigned char row[40 * 3], *rows[] = { row };
    c.err = jpeg_std_error(&e);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &jpeg, &size);
    c.image_width = 40;
    c.image_height = 30;
    c.input_components = 3;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_start_compress(&c, TRUE);
    for (int y = 0; y < 30; ++y) {
        for (int x = 0; x < 120; ++x) row[x] = (unsigned char)(x * 7 + y * 13 + x * y);
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    jpeg_size = size;
}

/* ---- PNG ---- */

static uint32_t crc_of(const unsigned char *bytes, size_t size)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; ++i) {
        crc ^= bytes[i];
        for (int k = 0; k < 8; ++k) crc = crc & 1 ? 0xedb88320u ^ crc >> 1 : crc >> 1;
    }
    return ~crc;
}

static void set_u32(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; ++i) at[i] = (unsigned char)(value >> (24 - 8 * i));
}

static size_t chunk_length(const unsigned char *chunk)
{
    return (size_t)chunk[0] << 24 | (size_t)chunk[1] << 16 | (size_t)chunk[2] << 8 | chunk[3];
}

/* Where the first chunk of that type stands in the whole PNG. */
static size_t find_chunk(const char *type)
{
    size_t at = 8;
    while (memcmp(png + at + 4, type, 4) != 0) at += chunk_length(png + at) + 12;
    return at;
}

/* The PNG with one byte of its header, or of a chunk, changed, and the checksum made right again. */
static void png_header(const char *name, int offset, uint32_t value, int bytes)
{
    unsigned char *copy = malloc(png_size);
    memcpy(copy, png, png_size);
    for (int i = 0; i < bytes; ++i) copy[16 + offset + i] = (unsigned char)(value >> 8 * (bytes - 1 - i));
    set_u32(copy + 29, crc_of(copy + 12, 17));
    put(name, copy, png_size);
    free(copy);
}

static void png_byte(const char *name, size_t at, bool sound)
{
    unsigned char *copy = malloc(png_size);
    size_t data = find_chunk("IDAT"), length = chunk_length(png + data);
    memcpy(copy, png, png_size);
    copy[at] ^= 0x55;
    if (sound) set_u32(copy + data + 8 + length, crc_of(copy + data + 4, length + 4));
    put(name, copy, png_size);
    free(copy);
}

static void png_without(const char *name, const char *type)
{
    unsigned char *copy = malloc(png_size);
    size_t at = find_chunk(type), length = chunk_length(png + at) + 12;
    memcpy(copy, png, at);
    memcpy(copy + at, png + at + length, png_size - at - length);
    put(name, copy, png_size - length);
    free(copy);
}

static void pngs(void)
{
    size_t data = find_chunk("IDAT");
    put("set/bad-png-empty.png", "", 0);
    put("set/bad-png-one-byte.png", png, 1);
    put("set/bad-png-signature.png", png, 8);
    put("set/bad-png-in-header.png", png, 20);
    put("set/bad-png-half.png", png, png_size / 2);
    put("set/bad-png-no-end.png", png, png_size - 30);
    png_byte("set/bad-png-header-sum.png", 30, false);
    png_byte("set/bad-png-data-sum.png", data + 200, false);
    png_byte("set/bad-png-data.png", data + 200, true);
    png_header("set/bad-png-width-0.png", 0, 0, 4);
    png_header("set/bad-png-height-0.png", 4, 0, 4);
    png_header("set/bad-png-bomb.png", 0, 60000, 4);
    png_header("set/bad-png-taller.png", 4, 31, 4);
    png_header("set/bad-png-depth-3.png", 8, 3, 1);
    png_header("set/bad-png-colour-5.png", 9, 5, 1);
    png_header("set/bad-png-palette.png", 9, 3, 1);
    png_header("set/bad-png-method.png", 10, 1, 1);
    png_header("set/bad-png-interlace.png", 12, 7, 1);
    png_without("set/bad-png-no-data.png", "IDAT");
    png_without("set/bad-png-no-header.png", "IHDR");
    unsigned char *copy = malloc(png_size); /* as a transfer of text leaves it: CR LF is LF */
    memcpy(copy, png, 4);
    memcpy(copy + 4, png + 5, png_size - 5);
    put("set/bad-png-as-text.png", copy, png_size - 1);
    free(copy);
}

/* ---- JPEG ---- */

static size_t find_marker(unsigned char marker)
{
    size_t at = 2;
    while (jpeg[at + 1] != marker) at += 2 + ((size_t)jpeg[at + 2] << 8 | jpeg[at + 3]);
    return at;
}

static void jpeg_bytes(const char *name, size_t at, const void *bytes, size_t count)
{
    unsigned char *copy = malloc(jpeg_size);
    memcpy(copy, jpeg, jpeg_size);
    memcpy(copy + at, bytes, count);
    put(name, copy, jpeg_size);
    free(copy);
}

static void jpegs(void)
{
    size_t frame = find_marker(0xc0), tables = find_marker(0xdb), codes = find_marker(0xc4),
           scan = find_marker(0xda);
    unsigned char noise[64];
    for (int i = 0; i < 64; ++i) noise[i] = 0xff;
    put("set/bad-jpeg-start.jpg", jpeg, 3);
    put("set/bad-jpeg-in-header.jpg", jpeg, frame + 4);
    put("set/bad-jpeg-no-scan.jpg", jpeg, scan);
    put("set/bad-jpeg-half.jpg", jpeg, scan + (jpeg_size - scan) / 2);
    jpeg_bytes("set/bad-jpeg-width-0.jpg", frame + 7, "\0", 2);
    jpeg_bytes("set/bad-jpeg-bomb.jpg", frame + 5, "\xff\xdc\xff\xdc", 4);
    jpeg_bytes("set/bad-jpeg-12-bits.jpg", frame + 4, "\x0c", 1);
    jpeg_bytes("set/bad-jpeg-lossless.jpg", frame, "\xff\xc3", 2);
    jpeg_bytes("set/bad-jpeg-no-frame.jpg", frame, "\xff\xee", 2);
    jpeg_bytes("set/bad-jpeg-no-tables.jpg", tables, "\xff\xee", 2);
    jpeg_bytes("set/bad-jpeg-codes.jpg", codes + 4, "\x77", 1);
    jpeg_bytes("set/bad-jpeg-scan.jpg", scan + 30, noise, 64);
}

/* ---- Other content, captions, descriptions ---- */

static void others(void)
{
    char zeros[400] = "";
    put_text("set/bad-is-html.jpg", "<!DOCTYPE html><html><title>404 Not Found</title></html>");
    put_text("set/bad-is-json.jpg", "{\"error\": \"rate limit\"}");
    put_text("set/bad-is-text.png", "not found\n");
    put("set/bad-is-gif.png", "GIF89a\1\0\1\0\0\0\0", 13);
    put("set/bad-is-bmp.jpg", "BM\x9a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\1\0\0\0", 22);
    put("set/bad-is-webp.png", "RIFF\x10\0\0\0WEBPVP8 \4\0\0\0\0\0", 22);
    put("set/bad-is-tiff.jpg", "II*\0\x08\0\0\0\0\0", 10);
    put("set/bad-is-heic.jpg",
        "\0\0\0\x18"
        "ftypheic\0\0\0\0mif1heic",
        24);
    put("set/bad-is-gzip.png", "\x1f\x8b\x08\0\0\0\0\0\0\3", 10);
    put("set/bad-is-pdf.jpg", "%PDF-1.4\n", 9);
    put("set/bad-is-zip.jpg", "PK\3\4\x14\0\0\0", 8);
    put("set/bad-is-zeros.jpg", zeros, sizeof zeros);
    put_text("set/bad-is-pointer.png", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
}

static void text(const char *key, const char *ending, const void *bytes, size_t size)
{
    char name[100];
    snprintf(name, sizeof name, "set/%s.png", key);
    put(name, png, png_size);
    snprintf(name, sizeof name, "set/%s.%s", key, ending);
    put(name, bytes, size);
}

static void texts(void)
{
    static char much[(1 << 20) + 10];
    memset(much, 'a', sizeof much);
    text("bad-caption-latin", "txt", "caf\xe9 au lait", 12);
    text("bad-caption-utf16", "txt",
         "\xff\xfe"
         "c\0a\0t\0",
         8);
    text("bad-caption-zero", "txt", "a ca\0t", 6);
    text("bad-caption-empty", "txt", "", 0);
    text("bad-caption-blank", "txt", " \r\n\t\n", 5);
    text("bad-caption-long", "txt", much, 9000);
    text("bad-caption-huge", "txt", much, sizeof much);
    text("bad-caption-surrogate", "txt", "a \xed\xa0\x80 b", 7);
    text("bad-caption-overlong", "txt", "a \xc0\xaf b", 6);
    text("bad-json-none", "json", "no", 2);
    text("bad-json-empty", "json", "", 0);
    text("bad-json-cut", "json", "{\"split\": \"tr", 13);
    text("good-json-nan", "json", "{\"similarity\": NaN}", 19);
    text("bad-json-list", "json", "[1, 2]", 6);
    text("good-json-comma", "json", "{\"a\": 1,}", 9);
    text("bad-json-split", "json", "{\"split\": 3}", 12);
    text("bad-json-captions", "json", "{\"captions\": \"a\"}", 17);
    text("bad-json-captions-3", "json", "{\"captions\": [3]}", 17);
    text("bad-json-keywords", "json", "{\"keywords\": {}}", 16);
    text("bad-json-repeat-0", "json", "{\"repeat\": 0}", 13);
    text("bad-json-repeat-65", "json", "{\"repeat\": 65}", 14);
    text("bad-json-latin", "json", "{\"split\": \"\xe9\"}", 14);
    text("bad-json-huge", "json", much, sizeof much);
    text("good-caption", "txt",
         "\xef\xbb\xbf"
         "a cat\r\non a mat",
         18);
    text("good-json", "json", "{\"split\": null, \"captions\": [\"a\"], \"x\": {}}", 43);
    put("set/good-jpeg.png", jpeg, jpeg_size); /* the content decides */
    put("set/good-png.jpg", png, png_size);
    put("set/notes.txt", "caf\xe9", 4); /* nobody's */
    put_text("set/list.json", "not even JSON");
}

static void links(void)
{
    char path[600];
    snprintf(path, sizeof path, "%s/set/bad-link.png", root);
    must(symlink("nowhere.png", path) == 0, "no link");
    snprintf(path, sizeof path, "%s/set/bad-pipe.png", root);
    must(mkfifo(path, 0600) == 0, "no pipe");
}

/* ---- Tars ---- */

static void add(struct archive *a, const char *name, const void *bytes, size_t size)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, name);
    archive_entry_set_size(e, (la_int64_t)size);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0644);
    must(archive_write_header(a, e) == ARCHIVE_OK && archive_write_data(a, bytes, size) == (la_ssize_t)size,
         "no tar");
    archive_entry_free(e);
}

/* Six samples; the bytes are to be freed. */
static char *make_tar(bool packed, size_t *size)
{
    char path[600];
    error err = { 0 };
    struct archive *a = archive_write_new();
    snprintf(path, sizeof path, "%s/whole", root);
    archive_write_set_format_ustar(a);
    if (packed) archive_write_add_filter_gzip(a);
    must(archive_write_open_filename(a, path) == ARCHIVE_OK, "no tar");
    for (int i = 0; i < 6; ++i) {
        char name[40];
        snprintf(name, sizeof name, "tar-%d.png", i);
        add(a, name, png, png_size);
        snprintf(name, sizeof name, "tar-%d.txt", i);
        add(a, name, "a cat", 5);
    }
    archive_write_close(a);
    archive_write_free(a);
    char *bytes = file_read(path, size, &err);
    must(bytes && unlink(path) == 0, "no tar");
    return bytes;
}

static void tars(void)
{
    size_t size, sample = 512 + (png_size + 511) / 512 * 512 + 1024;
    char *bytes = make_tar(false, &size);
    put("good.tar", bytes, size);
    put("cut.tar", bytes, 4 * sample + 512 + png_size / 2);
    char header[512], *at = bytes + 2 * sample; /* of tar-2.png */
    memcpy(header, at, 512);
    memset(at, 'x', 512);
    put("overwritten.tar", bytes, size);
    memcpy(at, header, 512);
    memset(at + 124, 0xff, 12); /* a size below zero, with a checksum that is right */
    memset(at + 148, ' ', 8);
    unsigned sum = 0;
    for (int i = 0; i < 512; ++i) sum += (unsigned char)at[i];
    snprintf(at + 148, 8, "%06o", sum);
    put("negative.tar", bytes, size);
    free(bytes);
    bytes = make_tar(true, &size);
    put("cut.tar.gz", bytes, size / 2);
    bytes[size / 2] ^= 0x55;
    put("flipped.tar.gz", bytes, size);
    free(bytes);
    put_text("text.tar", "this is no tar\n");
    put("zeros.tar", "", 0);
}

int main(int argc, char **argv)
{
    char set[600];
    error err = { 0 };
    must(argc == 2, "usage: make_damage FOLDER");
    root = argv[1];
    snprintf(set, sizeof set, "%s/set", root);
    must(file_make_folders(set, &err), err.message);
    make_png();
    make_jpeg();
    pngs();
    jpegs();
    others();
    texts();
    links();
    tars();
    free(png);
    free(jpeg);
    return 0;
}
