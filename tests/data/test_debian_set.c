/* test_debian_set.c -- a set out of files laid out as Debian's packages lay theirs; and out of the packages
 * themselves, where they are installed.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/dataset.h"
#include "data/debian_licence.h"
#include "data/debian_metadata.h"
#include "data/debian_picture.h"
#include "data/debian_set.h"
#include "data/debian_text.h"
#include "host/base/json_tree.h"
#include <png.h>

#define STAMPS "usr/share/tuxpaint/stamps"
#define CLIP   "usr/share/openclipart/png"
#define SVG    "usr/share/openclipart/svg"
#define NATURE "usr/share/backgrounds/mate/nature"

static const char *put(const room *r, const char *folder, const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", r->path, folder);
    assert_true(file_make_folders(path, NULL));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return at(r, path);
}

/* Not flushed to disk, as file_write would: there are hundreds. */
static void put_bytes(const room *r, const char *folder, const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(put(r, folder, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void put_text(const room *r, const char *folder, const char *name, const char *text)
{
    put_bytes(r, folder, name, text, strlen(text));
}

/* A block of a colour within white, with noise over it. */
static image block(int width, int height, int x, int y, int side, int noise_levels, uint32_t seed)
{
    image made;
    assert_true(image_create(&made, width, height, NULL));
    for (int v = y; v < y + side && v < height; ++v)
        for (int u = x; u < x + side && u < width; ++u)
            for (int c = 0; c < 3; ++c) {
                seed = seed * 1664525u + 1013904223u;
                int level = 40 + 20 * c + (noise_levels ? (int)(seed >> 16) % noise_levels : 0);
                made.pixels[(v * width + u) * 3 + c] = (uint8_t)level;
            }
    return made;
}

static void put_picture(const room *r, const char *folder, const char *name, image made)
{
    void *bytes;
    size_t size;
    assert_true(image_encode_png(&made, &bytes, &size, NULL));
    put_bytes(r, folder, name, bytes, size);
    free(bytes);
    image_free(&made);
}

/* A PNG with texts, as programs that draw write them. */
static void put_titled(const room *r, const char *folder, const char *name, const char *title, uint32_t seed)
{
    FILE *file = fopen(put(r, folder, name), "wb");
    assert_non_null(file);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    image made = block(120, 160, 10, 20, 80, 3, seed);
    png_text texts[] = {
        { .key = "Title", .text = (char *)title, .compression = PNG_TEXT_COMPRESSION_NONE },
        { .key = "Author", .text = "Ann Author", .compression = PNG_TEXT_COMPRESSION_NONE }
    };
    png_init_io(png, file);
    png_set_IHDR(png, info, 120, 160, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_set_text(png, info, texts, 2);
    png_write_info(png, info);
    for (int y = 0; y < 160; ++y) png_write_row(png, made.pixels + y * 120 * 3);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(file);
    image_free(&made);
}

static void put_svg(const room *r, const char *name, const char *keywords, const char *more)
{
    char text[1000];
    snprintf(text, sizeof text,
             "<svg xmlns:rdf='r' xmlns:dc='d' xmlns:cc='c' xmlns:xlink='x'><metadata><rdf:RDF><cc:Work>"
             "<dc:subject><rdf:Bag>%s</rdf:Bag></dc:subject></cc:Work></rdf:RDF></metadata>%s</svg>",
             keywords, more);
    put_text(r, SVG "/food", name, text);
}

static room packages(void)
{
    room r = room_create();
    put_text(&r, "usr/share/doc/tuxpaint-stamps-default", "copyright",
             "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
             "Files: *\nCopyright: 2002-2022 by Bill Kendrick <bill@x.org>\nLicense: GPL-2\n the text\n\n"
             "Files: debian/*\nCopyright: 2014 Somebody Else\nLicense: Expat\n");
    put_text(&r, "usr/share/doc/mate-backgrounds", "copyright",
             "Format: x\n\nFiles: *\nCopyright: nobody\nLicense: Expat\n\nFiles: nature/Dune.jpg\n"
             "Copyright: Ann Author, 2018\nLicense: CC0-1.0\n\nFiles: abstract/Silk.png\n"
             " nature/GreenMeadow.jpg\nCopyright:\n 2005, Timothy S.\n 2008 Lapo\nLicense: CC-BY-SA-4.0\n");
    put_picture(&r, STAMPS "/animals", "frog-1.png", block(200, 90, 30, 5, 80, 60, 1));
    put_text(&r, STAMPS "/animals", "frog-1.txt", "A green frog.\nfr.utf8=Une grenouille.\n");
    put_picture(&r, STAMPS "/animals", "frog-2.png", block(200, 90, 30, 5, 80, 60, 2));
    put_picture(&r, STAMPS "/animals", "frog-3.png",
                block(200, 90, 60, 9, 80, 60, 1)); /* but for the place */
    put_picture(&r, STAMPS "/animals", "empty.png", block(90, 90, 0, 0, 0, 0, 1));
    put_picture(&r, STAMPS "/animals", "speck.png", block(90, 90, 9, 9, 12, 60, 1));
    put_picture(&r, STAMPS "/animals/cartoon", "dog.png", block(200, 90, 30, 5, 80, 60, 3));
    put_picture(&r, STAMPS "/symbols/alphabets", "a.png", block(90, 90, 9, 9, 60, 60, 4));
    put_text(&r, STAMPS "/animals", "broken.png", "no picture");
    put_picture(&r, NATURE, "GreenMeadow.jpg", noise(600, 400, 5)); /* the content decides */
    put_picture(&r, NATURE, "Dune.jpg", noise(600, 400, 7));
    put_titled(&r, CLIP "/food", "lemon_ann_author_01.png", "a  Lemon_02", 6);
    put_svg(&r, "lemon_ann_author_01.svg",
            "<rdf:li>hash</rdf:li><rdf:li></rdf:li><rdf:li>lemon</rdf:li><rdf:li>citrus_fruit</rdf:li>",
            "<image xlink:href='data:image/png;base64,AA'/>");
    for (int i = 0; i < 5; ++i) {
        char name[40];
        snprintf(name, sizeof name, "sign-%c.png", 'a' + i);
        put_titled(&r, CLIP "/signs", name, "Collection", (uint32_t)(10 + i));
    }
    put_titled(&r, CLIP "/food", "linked.png", "linked", 20);
    put_svg(&r, "linked.svg", "", "<image xlink:href='file:///home/ann/x.png'/>");
    put_titled(&r, CLIP "/food", "owned.png", "owned", 21);
    put_svg(&r, "owned.svg", "", "<cc:license rdf:resource='http://creativecommons.org/licenses/GPL/2.0/'/>");
    put_titled(&r, CLIP "/shapes", "star.png", "star", 22);
    return r;
}

static json_t *details_of(const char *tar, const char *key)
{
    char command[700], text[4000] = "";
    snprintf(command, sizeof command, "tar -xOf '%s' '%s.json'", tar, key);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    text[fread(text, 1, sizeof text - 1, pipe)] = '\0';
    assert_int_equal(pclose(pipe), 0);
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

static void assert_detail(const char *tar, const char *key, const char *name, const char *value)
{
    json_t *json = details_of(tar, key);
    const char *has = json_string_value(json_object_get(json, name));
    if (!has || strcmp(has, value) != 0) fail_msg("%s: %s is '%s', not '%s'", key, name, has, value);
    json_decref(json);
}

static void assert_captions(const dataset *d, const char *key, const char *expected)
{
    int64_t found = dataset_find(d, key);
    if (found < 0) fail_msg("no '%s'", key);
    char all[1000] = "";
    const dataset_sample *s = dataset_at(d, found);
    for (int i = 0; i < s->caption_count; ++i)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s|", s->captions[i]);
    assert_string_equal(all, expected);
}

static dataset *built(const room *r, const debian_options *with, debian_count counts[DEBIAN_SOURCES])
{
    debian_options o = *with;
    o.root = r->path;
    error err = { 0 };
    const char *tar = at(r, "set.tar");
    if (!debian_build(&o, tar, counts, &err)) fail_msg("%s", err.message);
    dataset *d = dataset_open(&tar, 1, true, &err);
    if (!d) fail_msg("%s", err.message);
    return d;
}

static void takes_what_the_packages_hold(void **state)
{
    (void)state;
    room r = packages();
    debian_count counts[DEBIAN_SOURCES];
    dataset *d = built(&r, &(debian_options){ 0 }, counts);
    const debian_count *stamps = &counts[debian_source_find("stamps")];
    const debian_count *clip = &counts[debian_source_find("clipart")];
    assert_int_equal(stamps->pictures, 3);
    assert_int_equal(stamps->photos, 2);
    assert_int_equal(stamps->again, 1);
    assert_int_equal(stamps->blank, 1);
    assert_int_equal(stamps->small, 1);
    assert_int_equal(stamps->unread, 1);
    assert_int_equal(clip->pictures, 6);
    assert_int_equal(clip->linked, 1);
    assert_int_equal(clip->owned, 1);
    assert_int_equal(counts[debian_source_find("nature")].pictures, 2);
    assert_false(counts[debian_source_find("places")].installed);
    assert_int_equal(dataset_count(d), 11);

    assert_captions(d, "stamps/animals/frog-1", "A green frog|frog|");
    assert_captions(d, "stamps/animals/cartoon/dog", "dog|");
    assert_captions(d, "nature/GreenMeadow", "green meadow|");
    assert_captions(d, "clipart/food/lemon_ann_author_01", "a Lemon|lemon|a Lemon, citrus fruit|");
    assert_captions(d, "clipart/signs/sign-c", "sign c|"); /* five have the title "Collection" */
    const char *tar = at(&r, "set.tar");
    assert_detail(tar, "stamps/animals/frog-1", "kind", "photo");
    assert_detail(tar, "stamps/animals/frog-1", "licence", "GPL-2");
    assert_detail(tar, "stamps/animals/frog-1", "author", "Bill Kendrick");
    assert_detail(tar, "stamps/animals/frog-1", "group", "animals");
    assert_detail(tar, "stamps/animals/cartoon/dog", "kind", "drawing");
    assert_detail(tar, "nature/GreenMeadow", "licence", "CC-BY-SA-4.0");
    assert_detail(tar, "nature/GreenMeadow", "author", "Timothy S.");
    assert_detail(tar, "nature/Dune", "author", "Ann Author");
    assert_detail(tar, "nature/GreenMeadow", "package", "mate-backgrounds");
    assert_detail(tar, "nature/GreenMeadow", "file", NATURE "/GreenMeadow.jpg");
    assert_detail(tar, "clipart/food/lemon_ann_author_01", "licence", "public domain");
    assert_detail(tar, "clipart/food/lemon_ann_author_01", "author", "Ann Author");
    dataset_close(d);
    room_remove(&r);
}

static void sizes_follow_the_layout(void **state)
{
    (void)state;
    room r = packages();
    debian_count counts[DEBIAN_SOURCES];
    dataset *d = built(&r, &(debian_options){ .size = 64 }, counts);
    image p;
    assert_true(dataset_read_picture(d, dataset_find(d, "stamps/animals/frog-1"), &p, NULL));
    assert_int_equal(p.width, 64);
    assert_int_equal(p.height, 64);
    /* The block of 80 stands in the middle of 90: five of them are white at each side. */
    assert_int_equal(p.pixels[(32 * 64 + 1) * 3], 255);
    assert_true(p.pixels[(32 * 64 + 5) * 3] < 200 && p.pixels[(32 * 64 + 58) * 3] < 200);
    image_free(&p);
    assert_true(dataset_read_picture(d, dataset_find(d, "nature/GreenMeadow"), &p, NULL));
    assert_int_equal(p.width, 192);
    assert_int_equal(p.height, 128);
    image_free(&p);
    dataset_close(d);
    room_remove(&r);
}

static void variants_are_in_one_split(void **state)
{
    (void)state;
    room r = room_create();
    for (int i = 0; i < 60; ++i) {
        char name[40];
        snprintf(name, sizeof name, "thing%c%c_%d.png", 'a' + i / 2 % 26, 'a' + i / 52, i);
        put_picture(&r, STAMPS "/many", name, block(60, 60, 4, 4, 50, 60, (uint32_t)(100 + i)));
    }
    debian_count counts[DEBIAN_SOURCES];
    dataset *d = built(&r, &(debian_options){ .size = 32 }, counts);
    assert_int_equal(dataset_count(d), 60);
    int held_out = 0;
    for (int i = 0; i < 60; i += 2) {
        assert_string_equal(dataset_at(d, i)->split, dataset_at(d, i + 1)->split);
        held_out += strcmp(dataset_at(d, i)->split, "val") == 0;
    }
    assert_true(held_out >= 1 && held_out <= 8);
    assert_int_equal(counts[0].held_out, 2 * held_out);
    dataset_close(d);
    room_remove(&r);
}

static void a_kind_and_a_source_alone(void **state)
{
    (void)state;
    room r = packages();
    debian_count counts[DEBIAN_SOURCES];
    dataset *d = built(&r, &(debian_options){ .kind = DEBIAN_PHOTO }, counts);
    assert_int_equal(dataset_count(d), 4);
    assert_int_equal(counts[debian_source_find("clipart")].other_kind, 6);
    dataset_close(d);
    d = built(&r, &(debian_options){ .sources = (const char *const[]){ "nature" }, .source_count = 1 },
              counts);
    assert_int_equal(dataset_count(d), 2);
    dataset_close(d);
    room_remove(&r);
}

static void the_same_files_give_the_same_bytes(void **state)
{
    (void)state;
    room r = packages();
    debian_count counts[DEBIAN_SOURCES];
    dataset_close(built(&r, &(debian_options){ 0 }, counts));
    size_t first_size, second_size;
    char *first = file_read(at(&r, "set.tar"), &first_size, NULL);
    dataset_close(built(&r, &(debian_options){ 0 }, counts));
    char *second = file_read(at(&r, "set.tar"), &second_size, NULL);
    assert_int_equal(first_size, second_size);
    assert_memory_equal(first, second, first_size);
    free(first);
    free(second);
    room_remove(&r);
}

static void absent_packages_are_named(void **state)
{
    (void)state;
    room r = room_create();
    debian_count counts[DEBIAN_SOURCES];
    error err = { 0 };
    debian_options o = { .root = r.path };
    assert_false(debian_build(&o, at(&r, "none.tar"), counts, &err));
    assert_says(&err, "apt install tuxpaint-stamps-default tuxpaint-data scratch mate-backgrounds");
    assert_int_equal(err.code, ERROR_IO);
    put_picture(&r, STAMPS, "frog.png", block(90, 90, 5, 5, 60, 60, 1));
    const char *const both[] = { "stamps", "nature" }, *const wrong[] = { "stomps" };
    o.sources = both;
    o.source_count = 2;
    assert_false(debian_build(&o, at(&r, "none.tar"), counts, &err));
    assert_says(&err, "apt install mate-backgrounds (47 MB)");
    o.sources = wrong;
    o.source_count = 1;
    assert_false(debian_build(&o, at(&r, "none.tar"), counts, &err));
    assert_says(&err, "no source is called 'stomps'; there are stamps, ");
    assert_int_equal(err.code, ERROR_USAGE);
    assert_false(file_exists(at(&r, "none.tar")));
    room_remove(&r);
}

static void names_become_words(void **state)
{
    (void)state;
    static const struct {
        const char *file, *author, *words;
    } cases[] = {
        { "a/GreenMeadow.jpg", NULL, "green meadow" },
        { "apple_sierra_beauty.png", NULL, "apple sierra beauty" },
        { "aiga_litter_disposal_.png", "Jean-Victor Balin", "aiga litter disposal" },
        { "construction_hammer_jon__01.png", "Jon Campbell", "construction hammer" },
        { "jon_01.png", "Jon Campbell", "jon" },
        { "picosdeeuropa_by_Aitzol_Berasategi.jpg", NULL, "picosdeeuropa" },
        { "basketball-court1-a.jpg", NULL, "basketball court" },
        { "dog2-c.png", NULL, "dog" },
        { "grave-d.png", NULL, "grave d" },
        { "01.png", NULL, "" },
        { "caf\xc3\xa9.png", NULL, "caf\xc3\xa9" },
        { "caf\xe9.png", NULL, "" },
    };
    arena *memory = arena_create();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        assert_string_equal(debian_text_name(memory, cases[i].file, cases[i].author), cases[i].words);
    arena_destroy(memory);
}

static void titles_that_are_none_are_dropped(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { " A  frog.", "A frog" },    { "Hot. And cold.", "Hot. And cold." },
        { "hide_girl", "hide girl" }, { "Leone 02", "Leone" },
        { "BlueMan#107", "BlueMan" }, { "123", "" },
        { "see http://x.org", "" },   { "quot;Azurequot;", "" },
        { "not \xff UTF-8", "" },
    };
    arena *memory = arena_create();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        assert_string_equal(debian_text_title(memory, cases[i][0]), cases[i][1]);
    char text[200] = "a";
    memset(text, 'a', sizeof text - 1);
    assert_string_equal(debian_text_title(memory, text), "");
    arena_destroy(memory);
}

/* Metadata comes from anywhere; what is wrong with it costs no more than itself. */
static void broken_metadata_is_no_metadata(void **state)
{
    (void)state;
    room r = room_create();
    arena *memory = arena_create();
    debian_metadata m = { 0 };
    put_text(&r, "m", "cut.png", "\x89PNG\r\n\x1a\n\x7f\xff\xff\xfftEXtTitle");
    assert_true(debian_metadata_png(at(&r, "m/cut.png"), memory, &m, NULL));
    put_text(&r, "m", "short.png", "\x89P");
    assert_true(debian_metadata_png(at(&r, "m/short.png"), memory, &m, NULL));
    assert_null(m.title);
    put_text(&r, "m", "cut.svg", "<svg><subject><li>apple</li><li>pear");
    assert_true(debian_metadata_svg(at(&r, "m/cut.svg"), memory, &m, NULL));
    assert_int_equal(m.keyword_count, 1);
    assert_true(debian_metadata_svg(at(&r, "m/absent.svg"), memory, &m, NULL));
    char many[2000] = "<svg><subject>";
    for (int i = 0; i < 20; ++i)
        snprintf(many + strlen(many), sizeof many - strlen(many), "<li>word %d</li>", i);
    put_text(&r, "m", "many.svg", many);
    assert_true(debian_metadata_svg(at(&r, "m/many.svg"), memory, &m, NULL));
    assert_int_equal(m.keyword_count, DEBIAN_MAX_KEYWORDS);
    arena_destroy(memory);
    room_remove(&r);
}

/* Where the packages are: each source that is there gives pictures, with captions, and all have a licence. */
static void the_packages_themselves(void **state)
{
    (void)state;
    bool any = false, there;
    for (int i = 0; i < DEBIAN_SOURCES; ++i) {
        assert_true(debian_source_installed(&debian_sources[i], "/", &there, NULL));
        if (strcmp(debian_sources[i].name, "clipart") == 0 || !there) continue; /* minutes */
        room r = room_create();
        debian_count counts[DEBIAN_SOURCES];
        debian_options o = { .sources = &debian_sources[i].name, .source_count = 1, .size = 16 };
        error err = { 0 };
        if (!debian_build(&o, at(&r, "s.tar"), counts, &err)) fail_msg("%s", err.message);
        assert_true(counts[i].pictures >= 10);
        room_remove(&r);
        any = true;
    }
    if (!any) skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_the_packages_hold),
        cmocka_unit_test(sizes_follow_the_layout),
        cmocka_unit_test(variants_are_in_one_split),
        cmocka_unit_test(a_kind_and_a_source_alone),
        cmocka_unit_test(the_same_files_give_the_same_bytes),
        cmocka_unit_test(absent_packages_are_named),
        cmocka_unit_test(names_become_words),
        cmocka_unit_test(titles_that_are_none_are_dropped),
        cmocka_unit_test(broken_metadata_is_no_metadata),
        cmocka_unit_test(the_packages_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
