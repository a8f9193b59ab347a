/* image_kind.c -- calls other content by its name, whatever the file's name says.
 * SPDX-License-Identifier: MIT */
#include "data/image_codec.h"
#include <string.h>
#include <strings.h>

typedef struct kind {
    size_t at; /* where the mark stands */
    size_t length;
    const char *mark, *name;
} kind;

static const kind marks[] = {
    { 0, 4, "GIF8", "a GIF picture" },
    { 0, 2, "BM", "a BMP picture" },
    { 0, 4, "II*\0", "a TIFF picture, or a camera's raw file" },
    { 0, 4, "MM\0*", "a TIFF picture, or a camera's raw file" },
    { 0, 4, "II+\0", "a TIFF picture, or a camera's raw file" },
    { 0, 4, "MM\0+", "a TIFF picture, or a camera's raw file" },
    { 4, 7, "ftypcrx", "a camera's raw file" },
    { 4, 7, "ftyphei", "a HEIC picture" },
    { 4, 7, "ftyphev", "a HEIC picture" },
    { 4, 8, "ftypmif1", "a HEIF picture" },
    { 4, 8, "ftypmsf1", "a HEIF picture" },
    { 4, 7, "ftypavi", "an AVIF picture" },
    { 4, 4, "ftyp", "a video" },
    { 8, 4, "AVI ", "a video" },
    { 0, 4, "\x1a\x45\xdf\xa3", "a video" },
    { 4, 8, "JXL \r\n\x87\n", "a JPEG XL picture" },
    { 0, 2, "\xff\x0a", "a JPEG XL picture" },
    { 4, 8, "jP  \r\n\x87\n", "a JPEG 2000 picture" },
    { 0, 4, "\xff\x4f\xff\x51", "a JPEG 2000 picture" },
    { 0, 4, "8BPS", "a Photoshop picture" },
    { 0, 8, "gimp xcf", "a GIMP picture" },
    { 0, 4, "qoif", "a QOI picture" },
    { 0, 4, "DDS ", "a DDS picture" },
    { 0, 4, "\x76\x2f\x31\x01", "an OpenEXR picture" },
    { 0, 5, "\x8aMNG\r", "an MNG animation" },
    { 0, 5, "\x8bJNG\r", "a JNG picture" },
    { 0, 5, "\x89PNG\n", "a PNG whose line ends were changed, as by a transfer as text" },
    { 0, 4, "\0\0\1\0", "an icon" },
    { 0, 4, "%PDF", "a PDF" },
    { 0, 4, "PK\3\4", "a ZIP archive" },
    { 0, 2, "\x1f\x8b", "compressed by gzip" },
    { 0, 23, "version https://git-lfs", "a Git LFS pointer, its file not fetched" },
};

/* Two letters alone may start any text; a Windows bitmap's header also gives its length, of few there are. */
static bool fits(const kind *k, const unsigned char *bytes, size_t size)
{
    if (size < k->at + k->length || memcmp(bytes + k->at, k->mark, k->length) != 0) return false;
    if (strcmp(k->mark, "BM") != 0) return true;
    return size > 18 && bytes[14] >= 12 && bytes[14] <= 124 && bytes[15] == 0 && bytes[16] == 0;
}

static bool is_netpbm(const unsigned char *bytes, size_t size)
{
    return size > 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '7' && bytes[2] <= ' ' &&
           bytes[2] >= '\t';
}

/* Whether one of the words stands in the first thousand bytes. */
static bool mentions(const char *bytes, size_t size, const char *word)
{
    size_t length = strlen(word), last = size < 1000 ? size : 1000;
    for (size_t i = 0; i + length <= last; ++i)
        if (strncasecmp(bytes + i, word, length) == 0) return true;
    return false;
}

static const char *markup(const char *bytes, size_t size)
{
    size_t from = size > 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (from < size && strchr(" \t\r\n", bytes[from]) && bytes[from]) ++from;
    if (from == size || bytes[from] != '<') return NULL;
    if (mentions(bytes, size, "<html") || mentions(bytes, size, "<!doctype html")) return "HTML, a web page";
    if (mentions(bytes, size, "<svg")) return "an SVG drawing";
    return "XML";
}

static const char *plain(const unsigned char *bytes, size_t size)
{
    size_t zeros = 0;
    while (zeros < size && bytes[zeros] == 0) ++zeros;
    return size > 1 && zeros == size ? "nothing but zeros" : NULL;
}

const char *image_kind(const void *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof marks / sizeof *marks; ++i)
        if (fits(&marks[i], bytes, size)) return marks[i].name;
    if (is_netpbm(bytes, size)) return "a Netpbm picture";
    const char *name = markup(bytes, size);
    return name ? name : plain(bytes, size);
}

const char *image_kind_converter(const char *name)
{
    static const struct {
        const char *kind, *command;
    } others[] = {
        { "HEI", "heif-convert IN OUT.png" },    { "AVIF", "heif-convert IN OUT.png" },
        { "JPEG XL", "djxl IN OUT.png" },        { "JPEG 2000", "opj_decompress -i IN -o OUT.png" },
        { "SVG", "rsvg-convert -o OUT.png IN" }, { "video", "ffmpeg -i IN -frames:v 1 OUT.png" },
        { "PDF", "pdftoppm -png IN OUT" },       { "raw file", "darktable-cli IN OUT.png" },
        { "icon", "convert IN OUT.png" },        { "animation", "convert IN OUT.png" },
        { "picture", "convert IN OUT.png" },
    };
    if (strstr(name, "TIFF")) return "convert IN OUT.png";
    for (size_t i = 0; i < sizeof others / sizeof *others; ++i)
        if (strstr(name, others[i].kind)) return others[i].command;
    return NULL;
}
