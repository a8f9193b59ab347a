/* test_dataset_formats.c -- tables, COCO's captions, packed tars, img2dataset's layouts, parts of names.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/dataset_paths.h"
#include "data/dataset_source.h"

static dataset *must_open(const char *path, bool captions)
{
    error err = { 0 };
    dataset *d = dataset_paths_open(&path, 1, captions, &err);
    if (!d) fail_msg("%s", err.message);
    return d;
}

static void must_fail(const char *path, const char *says)
{
    error err = { 0 };
    dataset *d = dataset_paths_open(&path, 1, true, &err);
    if (d) fail_msg("'%s' was opened; '%s' was expected", path, says);
    assert_says(&err, says);
}

static void assert_left_out(const dataset *d, const char *part)
{
    for (int64_t i = 0; i < dataset_left_out(d); ++i)
        if (strstr(dataset_left_out_at(d, i), part)) return;
    for (int64_t i = 0; i < dataset_left_out(d); ++i) print_message("%s\n", dataset_left_out_at(d, i));
    fail_msg("'%s' is not among the %d left out", part, (int)dataset_left_out(d));
}

static void put(const room *r, const char *name, const char *text)
{
    assert_true(file_write(at(r, name), text, strlen(text), NULL));
}

static void put_picture(const room *r, const char *name, int side)
{
    image made = noise(side, side, (uint32_t)side);
    assert_true(image_write_png(&made, at(r, name), NULL));
    image_free(&made);
}

/* "KEY=CAPTION|CAPTION; " of every sample, and whether its picture is the one of that side. */
static void assert_samples(const dataset *d, const char *wanted, const int *sides)
{
    char found[2000] = "";
    for (int64_t i = 0; i < dataset_count(d); ++i) {
        const dataset_sample *s = dataset_at(d, i);
        image read = { 0 };
        error err;
        if (!dataset_read_picture(d, i, &read, &err)) fail_msg("%s", err.message);
        assert_int_equal(read.width, sides[i]);
        image_free(&read);
        size_t used = strlen(found);
        used += (size_t)snprintf(found + used, sizeof found - used, "%s=", s->key);
        for (int c = 0; c < s->caption_count; ++c)
            used += (size_t)snprintf(found + used, sizeof found - used, "%s%s", c ? "|" : "", s->captions[c]);
        snprintf(found + used, sizeof found - used, "; ");
    }
    assert_string_equal(found, wanted);
}

/* ---- Tables ------------------------------------------------------------------------------------- */

typedef struct table_case {
    const char *name, *text;
    const char *samples; /* of p/3.png to p/6.png, of as many pixels; NULL: an error */
    const char *says;    /* in the error, or in what is left out */
    const char *options;
} table_case;

static const table_case tables[] = {
    { "t.csv", "filepath,title\np/3.png,three\np/4.png,four\n", "p/3=three; p/4=four; " },
    { "t.csv", "\xef\xbb\xbfid,Caption , PATH\r\n1,three,p/3.png\r\n2,\"fo,\"\"ur\"\"\",p/4.png\r\n",
      "p/3=three; p/4=fo,\"ur\"; " },
    { "t.csv", "image,text\rp/3.png,\"two\r\nlines\"\rp/4.png,four", "p/3=two  lines; p/4=four; " },
    { "t.csv", "p/3.png,a b\np/3.png,c\n\np/4.png, d \np/3.png,e\n", "p/3=a b|c|e; p/4=d; " },
    { "t.tsv", "file_name\tprompt\np/3.png\ta, b\np/4.png\t\"q\" 5\"\n", "p/3=a, b; p/4=q 5\"; " },
    { "t.csv", "file;caption\np/3.png;a, b\n", "p/3=a, b; " },
    { "t.csv", "filename\tcaption\np/3.png\tx\n", "p/3=x; " },
    { "t.csv", "path|caption\np/3.png|x\n", "p/3=x; " },
    { "t.csv", "img,txt,n\np/3.png,x,1\n", "p/3=x; ", NULL, "?path=img&caption=txt" },
    { "t.csv", "7,p/3.png,x\n8,p/4.png,y\n", "p/3=x; p/4=y; ", NULL, "?path=2&caption=3" },
    { "t.txt", "p/3.png;x\n", "p/3=x; ", NULL, "?path=1&caption=2&separator=semicolon" },
    { "t.csv", "path,caption\n3.png,x\n", "3=x; ", NULL, "?pictures=p" },
    { "t.csv", "caption,title,path\nc,t,p/3.png\n", "p/3=c; " },
    { "t.csv", "path\np/3.png\np/4.png\n", "p/3=; p/4=; " },
    /* one row or field costs itself */
    { "t.csv", "path,caption\np/9.png,x\np/3.png,y\n", "p/3=y; ", "p/9.png: there is no such picture" },
    { "t.csv", "path,caption\nhttp://x.org/a.jpg,x\np/3.png,y\n", "p/3=y; ", "img2dataset makes shards" },
    { "t.csv", "path,caption\np/3.png\np/4.png,y\n", "p/4=y; ", "line 2: has 1 columns; column 2 is needed" },
    { "t.csv", "path,caption\n,x\np/4.png,y\n", "p/4=y; ", "line 2: names no picture" },
    { "t.csv", "path,caption\np/3.png,\"a\nb\"\np/4.png,\xe9\n", "p/3=a b; p/4=; ", "line 4: is not UTF-8" },
    { "t.csv", "path,caption\np/3.png,x\np/4.png,\"y\n", "p/3=x; ", "line 3: a quote in it is never closed" },
    { "t.csv", "path,caption\np,x\np/3.png,y\n", "p/3=y; ", "p: is not a file" },
    /* errors that say what to do */
    { "t.csv", "img,txt,n\np/3.png,x,1\n", NULL,
      "has no column of paths; its first line has 'img', 'txt', 'n': name them as in" },
    { "t.csv", "path,label\np/3.png,x\n", NULL, "has no column of captions" },
    { "t.csv", "path,caption\np/3.png,x\n", NULL, "has no column 'img'", "?path=img" },
    { "t.csv", "path,caption\np/3.png,x\n", NULL, "has no column '9'", "?caption=9" },
    { "t.csv", "path,caption\nhttps://x.org/a.jpg,x\n", NULL, "https://x.org/a.jpg: is a URL; img2dataset" },
    { "t.csv", "path,caption\nq/3.png,x\nq/4.png,y\n", NULL,
      "2 are left out, the first is q/3.png: there is no" },
    { "t.csv", "path,caption\n", NULL, "holds no picture" },
    { "t.csv", "", NULL, "holds no picture" },
    { "t.csv", "path,caption\np/3.png,x\n", NULL, "there is no folder", "?pictures=nowhere" },
    { "t.csv", "path,caption\np/3.png,x\n", NULL, "unknown option 'colour'", "?colour=red" },
    { "t.csv", "path,caption\np/3.png,x\n", NULL, "the option 'picture' is for the names",
      "?picture=input.jpg" },
    { "t.csv", "path,caption\np/3.png,x\n", NULL, "none of comma, semicolon, tab, pipe", "?separator=x" },
    { "t.csv", "path,caption\np/3.png,x\n", NULL, "'path' behind '?' has no value", "?path=" },
};

static void tables_of_all_kinds(void **state)
{
    (void)state;
    room r = room_create();
    assert_true(file_make_folders(at(&r, "p"), NULL));
    put_picture(&r, "p/3.png", 3);
    put_picture(&r, "p/4.png", 4);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; ++i) {
        const table_case *c = &tables[i];
        char path[200];
        int sides[2] = { 3, 4 };
        put(&r, c->name, c->text);
        snprintf(path, sizeof path, "%s%s", at(&r, c->name), c->options ? c->options : "");
        if (!c->samples) {
            must_fail(path, c->says);
            continue;
        }
        dataset *d = must_open(path, false);
        if (strncmp(c->samples, "p/4", 3) == 0) sides[0] = 4;
        assert_samples(d, c->samples, sides);
        assert_int_equal(dataset_left_out(d), c->says ? 1 : 0);
        if (c->says) assert_left_out(d, c->says);
        dataset_close(d);
    }
    room_remove(&r);
}

/* UTF-16, as spreadsheets write it; names alike but for their ending; absolute paths; from another folder. */
static void tables_elsewhere(void **state)
{
    (void)state;
    room r = room_create();
    char text[600], here[400];
    assert_non_null(getcwd(here, sizeof here));
    assert_true(file_make_folders(at(&r, "p"), NULL));
    put_picture(&r, "p/3.png", 3);
    put_picture(&r, "p/3.jpg", 5);
    snprintf(text, sizeof text, "path,caption\np/3.png,a\np/3.jpg,b\n%s/%s,c\n", here, at(&r, "p/3.png"));
    put(&r, "t.csv", text);
    dataset *d = must_open(at(&r, "t.csv"), true);
    assert_int_equal(dataset_count(d), 3);
    assert_string_equal(dataset_at(d, dataset_find(d, "p/3.png"))->caption, "a");
    assert_string_equal(dataset_at(d, dataset_find(d, "p/3.jpg"))->caption, "b");
    assert_string_equal(dataset_at(d, 2)->caption, "c");
    dataset_close(d);
    static const char wide[] =
        "\xff\xfep\0a\0t\0h\0\t\0t\0e\0x\0t\0\r\0\n\0p\0/\0003\0.\0p\0n\0g\0\t\0\xe9\0";
    assert_true(file_write(at(&r, "w.tsv"), wide, sizeof wide - 1, NULL));
    d = must_open(at(&r, "w.tsv"), true);
    assert_samples(d, "p/3=\xc3\xa9; ", (int[]){ 3 });
    dataset_close(d);
    room_remove(&r);
}

static void parquet_lists(void **state)
{
    (void)state;
    room r = room_create();
    put(&r, "l.parquet", "PAR1....PAR1");
    put(&r, "l.csv", "PAR1....PAR1");
    must_fail(at(&r, "l.parquet"), "python3 tools/parquet_to_csv.py");
    must_fail(at(&r, "l.csv"), "is a Parquet list");
    static const char *const others[] = { "l.parquet", "l.csv", ".", "none.tar", "t.json", "s.tar?cut=use" };
    put(&r, "t.json", "{}");
    put(&r, "s.tar", "");
    for (int i = 0; i < 6; ++i) assert_false(source_is_tar(at(&r, others[i])));
    assert_true(source_is_tar(at(&r, "s.tar")));
    room_remove(&r);
}

/* ---- COCO --------------------------------------------------------------------------------------- */

static const char coco[] =
    "{\"info\": {\"a\": [1, {\"images\": []}], \"b\": \"}]\\\"\"}, \"images\": [\n"
    "  {\"id\": 7, \"file_name\": \"b.png\", \"height\": 3}, {\"id\": 3, \"file_name\": \"a.png\"},\n"
    "  {\"id\": 9, \"file_name\": \"gone.png\"}, {\"id\": 4}, {\"id\": 5, \"file_name\": \"c.png\"}],\n"
    "\"annotations\": [{\"image_id\": 3, \"id\": 1, \"caption\": \"first of\\na\"},\n"
    "  {\"image_id\": 7, \"caption\": \"of b, \\u00e9\"}, {\"image_id\": 3, \"caption\": \" second \"},\n"
    "  {\"image_id\": 7, \"caption\": 5}, {\"image_id\": 3, \"caption\": \"third\", \"score\": NaN,},\n"
    "  {\"image_id\": 44, \"caption\": \"lost\"}, {\"image_id\": 9, \"caption\": \"gone, too\"}],\n"
    "\"licenses\": [{}]}";

static void coco_captions(void **state)
{
    (void)state;
    static const char *const places[] = { "val2017/", "ann/", "ann/val2017/",    "ann/images/",
                                          "images/",  "",     "images/val2017/", "ann/images/val2017/" };
    for (size_t i = 0; i < sizeof places / sizeof *places; ++i) {
        room r = room_create();
        char name[80];
        static const char *const files[] = { "a.png", "b.png", "c.png" };
        assert_true(file_make_folders(at(&r, "ann"), NULL));
        if (*places[i]) assert_true(file_make_folders(at(&r, places[i]), NULL));
        for (int f = 0; f < 3; ++f) {
            snprintf(name, sizeof name, "%s%s", places[i], files[f]);
            put_picture(&r, name, 3 + f);
        }
        put(&r, "ann/captions_val2017.json", coco);
        dataset *d = must_open(at(&r, "ann/captions_val2017.json"), false);
        assert_samples(d, "b=of b, \xc3\xa9; a=first of a|second|third; c=; ", (int[]){ 4, 3, 5 });
        assert_int_equal(dataset_left_out(d), 4);
        assert_left_out(d, "gone.png: there is no such picture");
        assert_left_out(d, "images[3]: has no \"id\" and \"file_name\"");
        assert_left_out(d, "annotations[3]: has no \"image_id\"");
        assert_left_out(d, "lost: a caption of no picture");
        dataset_close(d);
        room_remove(&r);
    }
}

static void coco_that_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *json, *says;
    } cases[] = {
        { "[]", "c_x.json:1: '{' expected: this is not COCO's captions" },
        { "{\"images\": []}", "it has no list \"annotations\"" },
        { "{\"images\":\n", ":2: the file is cut short" },
        { "{\"a\": 1}", "it has no list \"images\"" },
        { "{\"images\": 5}", "c_x.json:1: a list expected" },
        { "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\"}],\n\"annotations\": [{\"bbox\": [1]}]}",
          "its 1 annotations have no \"caption\"" },
        { "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\"}],\n\"annotations\": [{\"im",
          "c_x.json:2: the file is cut short" },
        { "{\"images\": [", "the file is cut short" },
        { "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\"}] \"annotations\": []",
          "c_x.json:1: the file is cut short" },
        { "{\"images\": [], 5}", "c_x.json:1: a key expected" },
        { "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\"}], \"annotations\": [{\"image_id\": 1, "
          "\"caption\": \"x\"}]}",
          "1 are left out, the first is a.png: there is no such picture" },
    };
    room r = room_create();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        put(&r, "c_x.json", cases[i].json);
        must_fail(at(&r, "c_x.json"), cases[i].says);
    }
    char path[200];
    assert_true(file_make_folders(at(&r, "deep/er"), NULL));
    put_picture(&r, "deep/er/a.png", 6);
    put(&r, "c_x.json",
        "{\"annotations\":[{\"image_id\":\"k1\",\"caption\":\"x\"},],\"images\":[{\"id\":\"k1\",\"file_"
        "name\":"
        "\"a.png\"}]}");
    snprintf(path, sizeof path, "%s?pictures=deep/er", at(&r, "c_x.json"));
    dataset *d = must_open(path, true);
    assert_samples(d, "a=x; ", (int[]){ 6 });
    dataset_close(d);
    room_remove(&r);
}

/* ---- Tars and folders ----------------------------------------------------------------------------- */

static void packed_tars(void **state)
{
    (void)state;
    static int (*const filters[])(
        struct archive *) = { archive_write_add_filter_gzip, archive_write_add_filter_zstd,
                              archive_write_add_filter_xz, archive_write_add_filter_bzip2 };
    room r = room_create();
    char hash[5][65];
    for (int i = 0; i < 5; ++i) {
        tar_file t = { archive_write_new() };
        archive_write_set_format_pax_restricted(t.tar);
        if (i < 4) assert_int_equal(filters[i](t.tar), ARCHIVE_OK);
        assert_int_equal(archive_write_open_filename(t.tar, at(&r, "s.tar.x")), ARCHIVE_OK);
        for (int s = 3; s < 6; ++s) {
            char name[32];
            snprintf(name, sizeof name, "%d.png", s);
            tar_add_noise(&t, name, s, s, 1);
            snprintf(name, sizeof name, "%d.txt", s);
            tar_add_text(&t, name, name);
        }
        tar_end(&t);
        dataset *d = must_open(at(&r, "s.tar.x"), true);
        assert_samples(d, "3=3.txt; 4=4.txt; 5=5.txt; ", (int[]){ 3, 4, 5 });
        assert_true(source_is_tar(at(&r, "s.tar.x")));
        dataset_hash(d, hash[i]);
        assert_string_equal(hash[i], hash[0]);
        dataset_close(d);
    }
    room_remove(&r);
}

#define SIDECAR \
    "{\"caption\": \"cap 0\", \"url\": \"http://example.org/0.jpg\", \"key\": \"000000000\", \"status\": " \
    "\"success\", \"error_message\": null, \"width\": 32, \"height\": 32, \"exif\": \"{}\", " \
    "\"similarity\": NaN}"

/* What img2dataset leaves: shards, or folders, with lists and statistics beside them. */
static void img2dataset_layouts(void **state)
{
    (void)state;
    room r = room_create();
    assert_true(file_make_folders(at(&r, "files/00000"), NULL));
    assert_true(file_make_folders(at(&r, "web"), NULL));
    static const char *const folders[] = { "files", "web" };
    char name[80], path[200];
    for (int i = 0; i < 2; ++i)
        for (int s = 0; s < 2; ++s) {
            snprintf(name, sizeof name, "%s/0000%d.parquet", folders[i], s);
            put(&r, name, "PAR1....PAR1");
            snprintf(name, sizeof name, "%s/0000%d_stats.json", folders[i], s);
            put(&r, name, "{\"count\": 2, \"successes\": 2}");
        }
    put_picture(&r, "files/00000/000000000.jpg", 3);
    put(&r, "files/00000/000000000.txt", "cap 0");
    put(&r, "files/00000/000000000.json", SIDECAR);
    put_picture(&r, "files/00000/000000001.jpg", 4); /* without a text: the sidecar has it */
    put(&r, "files/00000/000000001.json", SIDECAR);
    dataset *d = must_open(at(&r, "files"), true);
    assert_samples(d, "00000/000000000=cap 0; 00000/000000001=cap 0; ", (int[]){ 3, 4 });
    assert_int_equal(dataset_left_out(d), 0);
    dataset_close(d);
    for (int s = 1; s >= 0; --s) {
        snprintf(name, sizeof name, "web/0000%d.tar", s);
        tar_file t = tar_begin(at(&r, name), false);
        tar_add_noise(&t, "000000000.jpg", 3 + s, 3 + s, 1);
        tar_add_text(&t, "000000000.json", SIDECAR);
        snprintf(name, sizeof name, "of shard %d", s);
        tar_add_text(&t, "000000000.txt", name);
        tar_end(&t);
    }
    const char *const given[] = { "web", "web/*", "web/0000{0,1}.tar", "web/{00000..00001}.tar" };
    for (int i = 0; i < 4; ++i) {
        snprintf(path, sizeof path, "%s", at(&r, given[i]));
        d = must_open(path, true);
        assert_samples(d, "000000000=of shard 0; 000000000=of shard 1; ", (int[]){ 3, 4 });
        assert_int_equal(dataset_left_out(d), 0);
        dataset_close(d);
    }
    room_remove(&r);
}

/* WebDataset's names of several parts, by naming them: in tars and folders, whatever else there is. */
static void named_parts(void **state)
{
    (void)state;
    room r = room_create();
    static const char *const texts[] = { "7.outputs.txt", "7.cls", "7.json",  "8.outputs.txt",  "8.cls",
                                         "9.outputs.txt", "x.txt", "d/1.cls", "d/1.outputs.txt" };
    static const char *const pictures[] = { "7.input.jpg",  "7.target.png", "8.INPUT.jpg",
                                            "8.target.png", "x.jpg",        "d/1.target.png" };
    assert_true(file_make_folders(at(&r, "f/d"), NULL));
    tar_file t = tar_begin(at(&r, "p.tar"), false);
    char name[64], path[300];
    for (int i = 0; i < 6; ++i) {
        snprintf(name, sizeof name, "f/%s", pictures[i]);
        put_picture(&r, name, 3 + i);
        tar_add_noise(&t, pictures[i], 3 + i, 3 + i, 1);
    }
    for (int i = 0; i < 9; ++i) {
        const char *text = strstr(texts[i], "json") ? "{\"split\":\"val\"}" : texts[i];
        snprintf(name, sizeof name, "f/%s", texts[i]);
        put(&r, name, text);
        tar_add_text(&t, texts[i], text);
    }
    tar_end(&t);
    for (int i = 0; i < 2; ++i) {
        const char *set = i ? "f" : "p.tar";
        snprintf(path, sizeof path, "%s?picture=input.jpg&caption=outputs.txt", at(&r, set));
        dataset *d = must_open(path, true);
        assert_samples(d, "7=7.outputs.txt; 8=8.outputs.txt; ", (int[]){ 3, 5 });
        assert_string_equal(dataset_at(d, 0)->split, "val");
        dataset_close(d);
        snprintf(path, sizeof path, "%s?picture=target.png&caption=cls", at(&r, set));
        d = must_open(path, true);
        assert_int_equal(dataset_count(d), 3);
        assert_string_equal(dataset_at(d, dataset_find(d, "d/1"))->caption, "d/1.cls");
        assert_string_equal(dataset_at(d, dataset_find(d, "8"))->caption, "8.cls");
        dataset_close(d);
        snprintf(path, sizeof path, "%s?picture=Target&caption=outputs", at(&r, set));
        d = must_open(path, true);
        assert_samples(d, "7=7.outputs.txt; 8=8.outputs.txt; d/1=d/1.outputs.txt; ", (int[]){ 4, 6, 8 });
        dataset_close(d);
        snprintf(path, sizeof path, "%s?caption=cls", at(&r, set));
        must_fail(path, "name 'picture', too");
        snprintf(path, sizeof path, "%s?path=img", at(&r, set));
        must_fail(path, i ? "is for tables" : "has no column");
        must_fail(at(&r, set), "captions have no picture, the first is '7.outputs.txt'");
    }
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_of_all_kinds), cmocka_unit_test(tables_elsewhere),
        cmocka_unit_test(parquet_lists),       cmocka_unit_test(coco_captions),
        cmocka_unit_test(coco_that_is_none),   cmocka_unit_test(packed_tars),
        cmocka_unit_test(img2dataset_layouts), cmocka_unit_test(named_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
