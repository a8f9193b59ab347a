/* alloc_hooks.c -- steers what libraries allocate on our behalf, where they let themselves be steered, and
 * makes the first call into the others fail.
 * SPDX-License-Identifier: MIT */
#include "tests/support/alloc/alloc_fault.h"

#include <archive.h>
#include <archive_entry.h>
#include <expat.h>
#include <fontconfig/fontconfig.h>
#include <ft2build.h>
#include <hb-ft.h>
#include <jansson.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include FT_FREETYPE_H
#include FT_MODULE_H

void *__real_malloc(size_t bytes);
void *__real_realloc(void *block, size_t bytes);

void alloc_fault_hooks(void)
{
    json_set_alloc_funcs(alloc_fault_malloc, alloc_fault_free);
}

static void *hook_realloc(void *block, size_t bytes)
{
    if (alloc_fault_refuses()) return NULL;
    alloc_fault_forget(block);
    return alloc_fault_keep(__real_realloc(block, bytes), bytes);
}

/* ---- libpng ------------------------------------------------------------------------------------ */

static png_voidp for_png(png_structp png, png_alloc_size_t bytes)
{
    (void)png;
    return alloc_fault_malloc(bytes);
}

static void free_for_png(png_structp png, png_voidp block)
{
    (void)png;
    alloc_fault_free(block);
}

png_structp __wrap_png_create_read_struct(png_const_charp version, png_voidp user, png_error_ptr failed,
                                          png_error_ptr warned);
png_structp __wrap_png_create_write_struct(png_const_charp version, png_voidp user, png_error_ptr failed,
                                           png_error_ptr warned);

png_structp __wrap_png_create_read_struct(png_const_charp version, png_voidp user, png_error_ptr failed,
                                          png_error_ptr warned)
{
    return png_create_read_struct_2(version, user, failed, warned, NULL, for_png, free_for_png);
}

png_structp __wrap_png_create_write_struct(png_const_charp version, png_voidp user, png_error_ptr failed,
                                           png_error_ptr warned)
{
    return png_create_write_struct_2(version, user, failed, warned, NULL, for_png, free_for_png);
}

/* ---- libjpeg: its pools ask the memory manager, whose functions are in the open ---------------- */

typedef void *jpeg_allocator(j_common_ptr, int, size_t);

static struct {
    jpeg_allocator *small, *large;
} jpeg_real;

static void *jpeg_pool(jpeg_allocator *real, j_common_ptr work, int pool, size_t bytes)
{
    if (alloc_fault_refuses()) {
        work->err->msg_code = JERR_OUT_OF_MEMORY;
        work->err->error_exit(work);
    }
    return real(work, pool, bytes);
}

static void *jpeg_small(j_common_ptr work, int pool, size_t bytes)
{
    return jpeg_pool(jpeg_real.small, work, pool, bytes);
}

static void *jpeg_large(j_common_ptr work, int pool, size_t bytes)
{
    return jpeg_pool(jpeg_real.large, work, pool, bytes);
}

void __real_jpeg_CreateDecompress(j_decompress_ptr work, int version, size_t size);
void __wrap_jpeg_CreateDecompress(j_decompress_ptr work, int version, size_t size);
void __wrap_jpeg_CreateDecompress(j_decompress_ptr work, int version, size_t size)
{
    if (alloc_fault_refuses()) {
        work->mem = NULL; /* so that destroying it is possible, as the library leaves it */
        work->err->msg_code = JERR_OUT_OF_MEMORY;
        work->err->error_exit((j_common_ptr)work);
    }
    __real_jpeg_CreateDecompress(work, version, size);
    jpeg_real.small = work->mem->alloc_small;
    jpeg_real.large = work->mem->alloc_large;
    work->mem->alloc_small = jpeg_small;
    work->mem->alloc_large = jpeg_large;
}

/* ---- Expat, FreeType --------------------------------------------------------------------------- */

XML_Parser __wrap_XML_ParserCreate(const XML_Char *encoding);
XML_Parser __wrap_XML_ParserCreate(const XML_Char *encoding)
{
    static const XML_Memory_Handling_Suite suite = { alloc_fault_malloc, hook_realloc, alloc_fault_free };
    return XML_ParserCreate_MM(encoding, &suite, NULL);
}

static void *for_freetype(FT_Memory memory, long bytes)
{
    (void)memory;
    return alloc_fault_malloc((size_t)bytes);
}

static void free_for_freetype(FT_Memory memory, void *block)
{
    (void)memory;
    alloc_fault_free(block);
}

static void *more_for_freetype(FT_Memory memory, long before, long bytes, void *block)
{
    (void)memory;
    (void)before;
    return hook_realloc(block, (size_t)bytes);
}

/* FT_Done_FreeType gives the memory record to the C library's free. */
FT_Error __wrap_FT_Init_FreeType(FT_Library *library);
FT_Error __wrap_FT_Init_FreeType(FT_Library *library)
{
    FT_Memory memory = __real_malloc(sizeof *memory);
    if (!memory) return FT_Err_Out_Of_Memory;
    *memory = (struct FT_MemoryRec_){ NULL, for_freetype, free_for_freetype, more_for_freetype };
    FT_Error code = FT_New_Library(memory, library);
    if (code)
        free(memory);
    else
        FT_Add_Default_Modules(*library);
    return code;
}

/* ---- Libraries without hooks: what they make is refused as a whole ----------------------------- */

struct archive *__real_archive_read_new(void);
struct archive *__wrap_archive_read_new(void);
struct archive *__wrap_archive_read_new(void)
{
    return alloc_fault_refuses() ? NULL : __real_archive_read_new();
}

struct archive *__real_archive_write_new(void);
struct archive *__wrap_archive_write_new(void);
struct archive *__wrap_archive_write_new(void)
{
    return alloc_fault_refuses() ? NULL : __real_archive_write_new();
}

struct archive_entry *__real_archive_entry_new(void);
struct archive_entry *__wrap_archive_entry_new(void);
struct archive_entry *__wrap_archive_entry_new(void)
{
    return alloc_fault_refuses() ? NULL : __real_archive_entry_new();
}

FcConfig *__real_FcInitLoadConfigAndFonts(void);
FcConfig *__wrap_FcInitLoadConfigAndFonts(void);
FcConfig *__wrap_FcInitLoadConfigAndFonts(void)
{
    return alloc_fault_refuses() ? NULL : __real_FcInitLoadConfigAndFonts();
}

FcPattern *__real_FcNameParse(const FcChar8 *name);
FcPattern *__wrap_FcNameParse(const FcChar8 *name);
FcPattern *__wrap_FcNameParse(const FcChar8 *name)
{
    return alloc_fault_refuses() ? NULL : __real_FcNameParse(name);
}

FcPattern *__real_FcFontMatch(FcConfig *config, FcPattern *pattern, FcResult *result);
FcPattern *__wrap_FcFontMatch(FcConfig *config, FcPattern *pattern, FcResult *result);
FcPattern *__wrap_FcFontMatch(FcConfig *config, FcPattern *pattern, FcResult *result)
{
    if (!alloc_fault_refuses()) return __real_FcFontMatch(config, pattern, result);
    *result = FcResultOutOfMemory;
    return NULL;
}

hb_buffer_t *__real_hb_buffer_create(void);
hb_buffer_t *__wrap_hb_buffer_create(void);
hb_buffer_t *__wrap_hb_buffer_create(void)
{
    return alloc_fault_refuses() ? hb_buffer_get_empty() : __real_hb_buffer_create();
}

hb_font_t *__real_hb_ft_font_create_referenced(FT_Face face);
hb_font_t *__wrap_hb_ft_font_create_referenced(FT_Face face);
hb_font_t *__wrap_hb_ft_font_create_referenced(FT_Face face)
{
    return alloc_fault_refuses() ? hb_font_get_empty() : __real_hb_ft_font_create_referenced(face);
}
