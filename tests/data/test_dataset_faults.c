/* test_dataset_faults.c -- what is wrong with one member costs that member, and is named; never the set.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/dataset.h"
#include "data/dataset_text.h"

static dataset *must_open(const char *path, bool captions)
{
    error err = { 0 };
    dataset *d = dataset_open(&path, 1, captions, &err);
    if (!d) fail_msg("%s", err.message);
    return d;
}

static bool is_left_out(const dataset *d, const char *part)
{
    for (int64_t i = 0; i < dataset_left_out(d); ++i)
        if (strstr(dataset_left_out_at(d, i), part)) return true;
    return false;
}

static void assert_left_out(const dataset *d, const char *part)
{
    if (is_left_out(d, part)) return;
    for (int64_t i = 0; i < dataset_left_out(d); ++i) print_message("%s\n", dataset_left_out_at(d, i));
    fail_msg("'%s' is not among the %d left out", part, (int)dataset_left_out(d));
}

/* A good sample "good" beside "a", in a tar (packed or not) or a folder. */
static void make_set(const room *r, int form, const char *name, const void *bytes, size_t size, bool caption)
{
    char path[128];
    image made = noise(5, 5, 1);
    void *png;
    size_t png_size;
    assert_true(image_encode_png(&made, &png, &png_size, NULL));
    image_free(&made);
    const struct {
        const char *name;
        const void *bytes;
        size_t size;
    } files[] = { { "good.png", png, png_size },
                  { "good.txt", "fine", 4 },
                  { "a.png", png, png_size },
                  { name, bytes, size },
                  { caption ? "a.txt" : "README.md", "words", 5 } };
    if (form == 2) assert_true(file_make_folders(at(r, "set"), NULL));
    tar_file t = { NULL };
    if (form < 2) t = tar_begin(at(r, "set"), form == 1);
    for (int i = 0; i < 5; ++i) {
        snprintf(path, sizeof path, "set/%s", files[i].name);
        if (form < 2)
            tar_add(&t, files[i].name, files[i].bytes, files[i].size);
        else
            assert_true(file_write(at(r, path), files[i].bytes, files[i].size, NULL));
    }
    if (form < 2) tar_end(&t);
    free(png);
}

typedef struct sidecar_case {
    const char *json;
    const char *says; /* in what is left out; NULL: nothing is */
    const char *split, *caption2;
    int repeat;
} sidecar_case;

static void sidecars(void **state)
{
    (void)state;
    static char deep[2000];
    memset(deep, '[', 1000);
    memcpy(deep, "{\"split\":\"v\",\"d\":", 17);
    memset(deep + 1000, ']', 900);
    static const sidecar_case cases[] = {
        /* trifles: the rest is read */
        { "{\"split\":\"v\",\"similarity\":NaN}", NULL, "v", NULL, 1 },
        { "{\"a\":[Infinity,-Infinity,nan,+1,.5,0x10,None,True],\"split\":\"v\"}", NULL, "v", NULL, 1 },
        { "{\"a\":1e999,\"b\":123456789012345678901234567890,\"repeat\":2}", NULL, "", NULL, 2 },
        { "{\"split\":\"v\",\"keywords\":[\"x\",],}", NULL, "v", NULL, 1 },
        { "\xef\xbb\xbf{\"split\":\"v\"}", NULL, "v", NULL, 1 },
        { "{\"split\":\"t\",\"split\":\"v\"}", NULL, "v", NULL, 1 },
        { "{\"exif\":\"a\\u0000b \\ud800 \\q \n\t\",\"split\":\"v\"}", NULL, "v", NULL, 1 },
        { "{\"x\":\"\xe9t\xe9\",\"split\":\"v\",\"captions\":[\"second\",]}", NULL, "v", "second", 1 },
        { "{\"caption\":\"not used beside a.txt\",\"split\":null}", NULL, "", NULL, 1 },
        /* fields of another kind */
        { "{\"split\":5,\"repeat\":3}", "a.json: \"split\" is not a text", "", NULL, 3 },
        { "{\"group\":[1],\"split\":\"v\"}", "a.json: \"group\" is not a text", "v", NULL, 1 },
        { "{\"keywords\":\"x\",\"split\":\"v\"}", "\"keywords\" is not a list of texts", "v", NULL, 1 },
        { "{\"captions\":\"y\",\"split\":\"v\"}", "\"captions\" is not a list of texts", "v", NULL, 1 },
        { "{\"captions\":[\"y\",1]}", "\"captions\" is not a list of texts", "", NULL, 1 },
        { "{\"repeat\":0,\"split\":\"v\"}", "\"repeat\" is not a whole number from 1 to 64", "v", NULL, 1 },
        { "{\"repeat\":65}", "number from 1 to 64", "", NULL, 1 },
        { "{\"repeat\":2.0}", "number from 1 to 64", "", NULL, 1 },
        { "{\"repeat\":\"2\"}", "number from 1 to 64", "", NULL, 1 },
        { "{\"repeat\":99999999999999999999}", NULL, "", NULL, 1 },
        /* nothing of it can be read */
        { "{\"split\":\"v\"", "a.json: line 1: ',' or '}' expected at the end", "", NULL, 1 },
        { "{\"split\":\"v", "a.json: line 1: a text has no closing", "", NULL, 1 },
        { "", "a.json: line 1: '{' or '[' expected at the end", "", NULL, 1 },
        { "[1,2]", "a.json: is no JSON object", "", NULL, 1 },
        { "\"text\"", "a.json: line 1: '{' or '[' expected", "", NULL, 1 },
        { "{'split': 'v'}", "a.json: line 1: a key expected near ''split': 'v'}'", "", NULL, 1 },
        { "{\"a\":1}{\"split\":\"v\"}", "the end expected", "", NULL, 1 },
        { deep, "too many levels", "", NULL, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        for (int form = 0; form < 3; ++form) {
            const sidecar_case *c = &cases[i];
            room r = room_create();
            make_set(&r, form, "a.json", c->json, strlen(c->json), true);
            dataset *d = must_open(at(&r, "set"), true);
            assert_int_equal(dataset_count(d), 2);
            const dataset_sample *s = dataset_at(d, dataset_find(d, "a"));
            if (strcmp(s->caption, "words") != 0 || strcmp(s->split, c->split) != 0 || s->repeat != c->repeat)
                fail_msg("%s: '%s' '%s' %d", c->json, s->caption, s->split, s->repeat);
            assert_int_equal(s->caption_count, c->caption2 ? 2 : 1);
            if (c->caption2) assert_string_equal(s->captions[1], c->caption2);
            assert_int_equal(dataset_left_out(d), c->says ? 1 : 0);
            if (c->says) assert_left_out(d, c->says);
            dataset_close(d);
            room_remove(&r);
        }
}

typedef struct caption_case {
    const char *bytes;
    size_t size;
    const char *caption; /* NULL: there is none */
    const char *says;
} caption_case;

static void caption_files(void **state)
{
    (void)state;
    static char long_line[DATASET_MAX_CAPTION + 20], large[(1 << 20) + 10];
    memset(long_line, 'a', sizeof long_line);
    memcpy(long_line + sizeof long_line - 7, "\nshort", 7);
    memset(large, 'b', sizeof large);
#define BYTES(text) text, sizeof text - 1
    static const caption_case cases[] = {
        { BYTES("\xef\xbb\xbfh\xc3\xa9"), "h\xc3\xa9", NULL },
        { BYTES("\xff\xfeh\0\xe9\0\n\0"), "h\xc3\xa9", NULL },
        { BYTES("\xfe\xff\0h\0\xe9"), "h\xc3\xa9", NULL },
        { BYTES("\xff\xfe=\xd8\0\xde"), "\xf0\x9f\x98\x80", NULL },
        { BYTES("\xff\xfeh\0\xe9"), NULL, "a.txt: is not UTF-8 at byte 0; it may be UTF-16" },
        { BYTES("\xff\xfe\0\xd8"), NULL, "a.txt: is not UTF-8 at byte 0; it may be UTF-16" },
        { BYTES("h\0e\0"), NULL, "a.txt: holds a zero byte; it may be UTF-16" },
        { BYTES("h\xe9llo"), NULL,
          "a.txt: is not UTF-8 at byte 1; it may be Latin-1: convert it with iconv" },
        { BYTES("\x93quoted\x94"), NULL, "a.txt: is not UTF-8 at byte 0" },
        { BYTES(" \r\n\t"), NULL, "the caption of 'a' is empty" },
        { BYTES(""), NULL, "the caption of 'a' is empty" },
        { long_line, sizeof long_line, NULL, "holds a zero byte" },
        { long_line, sizeof long_line - 1, "short",
          "a.txt: its caption has 8205 bytes; at most 8192 are allowed" },
        { large, sizeof large, NULL, "a.txt: its text has 1048586 bytes; at most 1048576 are allowed" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        for (int form = 0; form < 3; ++form) {
            const caption_case *c = &cases[i];
            room r = room_create();
            make_set(&r, form, "a.txt", c->bytes, c->size, false);
            for (int needed = 0; needed < 2; ++needed) {
                dataset *d = must_open(at(&r, "set"), needed);
                bool kept = !needed || c->caption;
                assert_int_equal(dataset_count(d), kept ? 2 : 1);
                assert_string_equal(dataset_at(d, dataset_find(d, "good"))->caption, "fine");
                if (kept) {
                    const dataset_sample *s = dataset_at(d, dataset_find(d, "a"));
                    assert_string_equal(s->caption, c->caption ? c->caption : "");
                    assert_true(s->captioned);
                }
                if (c->says && (needed || !strstr(c->says, "is empty"))) assert_left_out(d, c->says);
                if (!c->says) assert_int_equal(dataset_left_out(d), 0);
                dataset_close(d);
            }
            room_remove(&r);
        }
}

/* Two pictures of one name, and names that lead out of the tar. */
static void odd_members(void **state)
{
    (void)state;
    room r = room_create();
    make_set(&r, 0, "a.jpg", "JPEG", 4, true);
    dataset *d = must_open(at(&r, "set"), true);
    assert_int_equal(dataset_count(d), 1);
    assert_left_out(d, "two pictures named 'a': 'a.jpg' and 'a.png'");
    dataset_close(d);
    static const char *const outside[] = { "../x.png", "s/../../x.png", "/../x.txt", ".." };
    tar_file t = tar_begin(at(&r, "o.tar"), false);
    tar_add_noise(&t, "/abs/a.png", 5, 5, 1);
    tar_add_text(&t, "./abs/./b/../a.txt", "inside");
    for (int i = 0; i < 4; ++i) tar_add_text(&t, outside[i], "x");
    tar_end(&t);
    d = must_open(at(&r, "o.tar"), true);
    assert_int_equal(dataset_count(d), 1);
    assert_string_equal(dataset_at(d, 0)->key, "abs/a");
    assert_string_equal(dataset_at(d, 0)->caption, "inside");
    assert_int_equal(dataset_left_out(d), 3);
    for (int i = 0; i < 3; ++i) assert_left_out(d, "x.png: its name leads out of the tar");
    assert_left_out(d, "/../x.txt: its name leads out of the tar");
    dataset_close(d);
    room_remove(&r);
}

/* A header that promises more than is read, and the bytes for it as a hole. */
static void large_members(void **state)
{
    (void)state;
    room r = room_create();
    tar_file t = tar_begin(at(&r, "l.tar"), false);
    tar_add_noise(&t, "a.png", 5, 5, 1);
    tar_add_text(&t, "a.txt", "x");
    tar_end(&t);
    size_t size;
    char *bytes = file_read(at(&r, "l.tar"), &size, NULL), header[512];
    memcpy(header, bytes, 512);
    memcpy(header, "b.png", 6);
    int64_t large = (256LL << 20) + 512;
    unsigned sum = 8 * ' ';
    snprintf(header + 124, 12, "%011llo", (long long)large);
    for (int i = 0; i < 512; ++i)
        if (i < 148 || i > 155) sum += (unsigned char)header[i];
    snprintf(header + 148, 8, "%06o", sum);
    FILE *f = fopen(at(&r, "l.tar"), "wb");
    fwrite(header, 1, 512, f);
    fseek(f, (long)large, SEEK_CUR);
    fwrite(bytes, 1, size, f);
    fclose(f);
    free(bytes);
    dataset *d = must_open(at(&r, "l.tar"), true);
    assert_int_equal(dataset_count(d), 1);
    assert_left_out(d, "b.png: has 268435968 bytes; at most 268435456 are read");
    dataset_close(d);
    room_remove(&r);
}

/* Of several sources, one that is cut gives what is whole; alone, only where that is asked for. */
static void cut_shards(void **state)
{
    (void)state;
    enum { MANY = 100 };
    room r = room_create();
    for (int packed = 0; packed < 2; ++packed) {
        make_tar(at(&r, "1.tar"), 3, packed);
        make_tar(at(&r, "2.tar"), MANY, packed);
        size_t size;
        char *bytes = file_read(at(&r, "2.tar"), &size, NULL), asked[200];
        const char *paths[] = { at(&r, "1.tar"), at(&r, "2.tar") };
        snprintf(asked, sizeof asked, "%s?cut=use", paths[1]);
        const char *once = asked;
        static const struct {
            double share;
            int least, most; /* samples that are whole; a packed tar comes in blocks */
        } cuts[] = { { 0.95, 65, MANY - 1 }, { 0.6, 30, 80 }, { 0.001, 0, 1 }, { 0, 0, 0 } };
        for (int i = 0; i < 4; ++i) {
            error err = { 0 };
            assert_true(file_write(paths[1], bytes, (size_t)(cuts[i].share * (double)size), NULL));
            assert_null(dataset_open(&paths[1], 1, true, &err));
            if (i < 2) assert_says(&err, "?cut=use' uses what stands before");
            dataset *d = dataset_open(paths, 2, false, &err);
            if (!d) fail_msg("%s", err.message);
            int64_t found = dataset_count(d) - 3;
            if (found < cuts[i].least || found > cuts[i].most) fail_msg("%d whole at cut %d", (int)found, i);
            assert_left_out(d, i < 2 ? "2.tar: its end: " : i < 3 ? "2.tar: " : "2.tar: all of it: ");
            image read;
            for (int64_t s = 0; s < dataset_count(d); ++s) {
                assert_true(dataset_read_picture(d, s, &read, &err));
                assert_int_equal(read.height, 16 + (s < 3 ? s : s - 3));
                image_free(&read);
            }
            dataset_close(d);
            d = dataset_open(&once, 1, false, &err);
            assert_int_equal(d ? dataset_count(d) : 0, found);
            dataset_close(d);
        }
        memset(bytes + size / 2, 0x55, size / 4);
        assert_true(file_write(paths[1], bytes, size, NULL));
        error err = { 0 };
        dataset *d = dataset_open(paths, 2, false, &err);
        if (!d) fail_msg("%s", err.message);
        assert_true(dataset_count(d) >= 3);
        assert_true(is_left_out(d, "2.tar: "));
        dataset_close(d);
        free(bytes);
    }
    assert_true(file_write(at(&r, "2.tar"), "<!DOCTYPE html> 404, as downloads that failed are", 49, NULL));
    const char *paths[] = { at(&r, "1.tar"), at(&r, "2.tar"), at(&r, "3.tar") };
    error err = { 0 };
    dataset *d = dataset_open(paths, 2, false, &err);
    if (!d) fail_msg("%s", err.message);
    assert_int_equal(dataset_count(d), 3);
    assert_left_out(d, "2.tar: all of it: not a tar");
    dataset_close(d);
    assert_null(dataset_open(paths, 3, false, &err));
    assert_says(&err, "cannot open");
    assert_says(&err, "3.tar': No such file");
    const char *mistaken[] = { paths[0], at(&r, "2.zip") };
    assert_int_equal(rename(at(&r, "2.tar"), mistaken[1]), 0);
    assert_null(dataset_open(mistaken, 2, false, &err));
    assert_says(&err, "2.zip: not a tar");
    room_remove(&r);
}

/* Whatever stands in a text, mending it ends within its room and gives an object or a reason. */
static void any_text(void **state)
{
    (void)state;
    static const char signs[] = "{}[]\",:\\u0dD8 \n\xef\xbb\xbf\xe9-1e9.Nnt";
    uint32_t seed = 1;
    for (int i = 0; i < 20000; ++i) {
        char text[40];
        size_t size = 1 + (size_t)i % (sizeof text - 1);
        for (size_t k = 0; k < size; ++k) {
            seed = seed * 1664525u + 1013904223u;
            text[k] = signs[(seed >> 16) % sizeof signs]; /* the NUL, too */
        }
        text[0] = '{';
        char *exact = malloc(size + 1);
        memcpy(exact, text, size);
        exact[size] = 0;
        dataset_text_fault fault;
        json_t *o = dataset_text_object(exact, size, &fault);
        assert_true(o ? json_is_object(o) : *fault.why);
        json_decref(o);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sidecars),      cmocka_unit_test(caption_files), cmocka_unit_test(odd_members),
        cmocka_unit_test(large_members), cmocka_unit_test(cut_shards),    cmocka_unit_test(any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
