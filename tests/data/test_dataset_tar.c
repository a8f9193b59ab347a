/* test_dataset_tar.c -- tars by other writers, with members of every type; names with dots; what is left out.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/dataset.h"

static dataset *open_set(const char *path, bool captions, error *err)
{
    return dataset_open(&path, 1, captions, err);
}

static dataset *must_open(const char *path)
{
    error err = { 0 };
    dataset *d = open_set(path, false, &err);
    if (!d) fail_msg("%s", err.message);
    return d;
}

typedef int set_format(struct archive *);

static tar_file begin(const char *path, set_format *format, bool packed)
{
    tar_file t = { archive_write_new() };
    assert_int_equal(format(t.tar), ARCHIVE_OK);
    if (packed) archive_write_add_filter_gzip(t.tar);
    assert_int_equal(archive_write_open_filename(t.tar, path), ARCHIVE_OK);
    return t;
}

/* A member without bytes: a folder, a link, a device. */
static void add_special(const tar_file *t, const char *name, unsigned type, const char *hard,
                        const char *symbolic)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, 0755);
    archive_entry_set_size(entry, 0);
    if (hard) archive_entry_set_hardlink(entry, hard);
    if (symbolic) archive_entry_set_symlink(entry, symbolic);
    assert_int_equal(archive_write_header(t->tar, entry), ARCHIVE_OK);
    archive_entry_free(entry);
}

static void assert_noise(const dataset *d, const char *key, int side, uint32_t seed)
{
    int64_t index = dataset_find(d, key);
    if (index < 0) fail_msg("no sample '%s'", key);
    image expected = noise(side, side, seed), read;
    error err;
    if (!dataset_read_picture(d, index, &read, &err)) fail_msg("%s", err.message);
    assert_same_image(&expected, &read);
    image_free(&expected);
    image_free(&read);
}

static void assert_caption(const dataset *d, const char *key, const char *caption)
{
    int64_t index = dataset_find(d, key);
    if (index < 0) fail_msg("no sample '%s'", key);
    assert_string_equal(dataset_at(d, index)->caption, caption);
}

static void assert_left_out(const dataset *d, const char *line)
{
    for (int64_t i = 0; i < dataset_left_out(d); ++i)
        if (strstr(dataset_left_out_at(d, i), line)) return;
    fail_msg("'%s' is not among the %d left out", line, (int)dataset_left_out(d));
}

static const struct {
    set_format *set;
    bool long_names;
} formats[] = {
    { archive_write_set_format_pax, true },    { archive_write_set_format_pax_restricted, true },
    { archive_write_set_format_gnutar, true }, { archive_write_set_format_ustar, true },
    { archive_write_set_format_v7tar, false },
};

/* Whatever the last member is, the tar is whole; cut anywhere before its end mark it is not. */
static void any_last_member(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned type;
        const char *hard, *symbolic;
    } last[] = {
        { "folder/", AE_IFDIR }, { "b.png", AE_IFREG, "a.png" }, { "b.png", AE_IFLNK, NULL, "a.png" },
        { "device", AE_IFCHR },  { "pipe", AE_IFIFO },           { "empty.txt.bak", AE_IFREG },
    };
    room r = room_create();
    for (size_t f = 0; f < 5; ++f)
        for (size_t i = 0; i < 6; ++i) {
            bool odd = last[i].type == AE_IFCHR || last[i].type == AE_IFIFO;
            if (odd && formats[f].set == archive_write_set_format_v7tar) continue;
            tar_file t = begin(at(&r, "a.tar"), formats[f].set, false);
            tar_add_noise(&t, "a.png", 9, 9, 1);
            add_special(&t, last[i].name, last[i].type, last[i].hard, last[i].symbolic);
            tar_end(&t);
            dataset *d = must_open(at(&r, "a.tar"));
            assert_int_equal(dataset_count(d), last[i].hard || last[i].symbolic ? 2 : 1);
            assert_noise(d, "a", 9, 1);
            if (dataset_count(d) == 2) assert_noise(d, "b", 9, 1);
            dataset_close(d);
            size_t size;
            char *bytes = file_read(at(&r, "a.tar"), &size, NULL);
            while (size && bytes[size - 1] == 0) --size;
            size = (size + 511) / 512 * 512; /* what stands before the end mark */
            for (size_t length = size; length + 512 > size; length -= 256) {
                error err = { 0 };
                assert_true(file_write(at(&r, "cut.tar"), bytes, length, NULL));
                assert_null(open_set(at(&r, "cut.tar"), false, &err));
                assert_says(&err, "cut.tar");
            }
            free(bytes);
        }
    room_remove(&r);
}

static void links_of_all_kinds(void **state)
{
    (void)state;
    room r = room_create();
    for (int packed = 0; packed < 2; ++packed) {
        tar_file t = begin(at(&r, "l.tar"), archive_write_set_format_gnutar, packed);
        add_special(&t, "./early.png", AE_IFLNK, NULL, "deep/a.png");
        tar_add_noise(&t, "./deep/a.png", 7, 7, 1);
        tar_add_text(&t, "./deep/a.txt", "shared");
        add_special(&t, "./hard.png", AE_IFREG, "./deep/a.png", NULL);
        add_special(&t, "./hard.txt", AE_IFREG, "deep/a.txt", NULL);
        add_special(&t, "./deep/up.png", AE_IFLNK, NULL, "../deep/.//a.png");
        add_special(&t, "./chain.png", AE_IFLNK, NULL, "early.png");
        tar_add_noise(&t, "store/blob", 5, 5, 2);
        add_special(&t, "./blob.png", AE_IFLNK, NULL, "store/blob");
        tar_add_text(&t, "store/words", "from a store");
        add_special(&t, "./blob.txt", AE_IFREG, "store/words", NULL);
        add_special(&t, "./gone.png", AE_IFLNK, NULL, "nowhere.png");
        add_special(&t, "./out.png", AE_IFLNK, NULL, "../../etc/x.png");
        add_special(&t, "./root.png", AE_IFLNK, NULL, "/etc/x.png");
        add_special(&t, "./loop.png", AE_IFLNK, NULL, "pool.png");
        add_special(&t, "./pool.png", AE_IFLNK, NULL, "loop.png");
        add_special(&t, "./pipe.png", AE_IFIFO, NULL, NULL);
        add_special(&t, "./notes.md", AE_IFLNK, NULL, "nowhere");
        tar_end(&t);
        dataset *d = must_open(at(&r, "l.tar"));
        static const char *const same[] = { "deep/a", "early", "hard", "deep/up", "chain" };
        for (int i = 0; i < 5; ++i) assert_noise(d, same[i], 7, 1);
        assert_caption(d, "hard", "shared");
        assert_int_equal(dataset_find(d, "early"), 0); /* where its link stands */
        assert_left_out(d, "gone.png: a link to what is not in the tar");
        assert_left_out(d, "out.png: a link that leads out of the tar");
        assert_left_out(d, "root.png: a link that leads out of the tar");
        assert_left_out(d, "loop.png: a link that leads back to itself");
        assert_left_out(d, "pool.png: a link that leads back to itself");
        assert_left_out(d, "pipe.png: neither a file nor a link");
        if (packed) {
            assert_left_out(d, "blob.png: a link, in a compressed tar, to a name of another kind");
            assert_left_out(d, "blob.txt: a link, in a compressed tar, to a name of another kind");
        } else {
            assert_noise(d, "blob", 5, 2);
            assert_caption(d, "blob", "from a store");
        }
        assert_int_equal(dataset_count(d), packed ? 5 : 6);
        assert_int_equal(dataset_left_out(d), packed ? 8 : 6);
        dataset_close(d);
    }
    room_remove(&r);
}

/* Long names, macOS's extra files, a second tar behind the first, a name that comes again, a sparse
 * member. */
static void other_writers(void **state)
{
    (void)state;
    room r = room_create();
    static const char folder[] =
        "a-folder-whose-name-is-so-long-that-it-does-not-fit-into-the-hundred-bytes-of-a-header/";
    for (size_t f = 0; f < 5; ++f) {
        char name[256];
        tar_file t = begin(at(&r, "o.tar"), formats[f].set, false);
        snprintf(name, sizeof name, "%sof-an-old-tar.png", formats[f].long_names ? folder : "");
        tar_add_noise(&t, name, 6, 6, 3);
        tar_add_text(&t, "s/._x.png", "AppleDouble");
        tar_add_text(&t, "__MACOSX/s/x.png", "more of it");
        tar_add_text(&t, "__MACOSX/._s.txt", "more of it");
        tar_add_text(&t, ".git/x.png", "hidden");
        tar_add_text(&t, "s/.DS_Store", "hidden");
        tar_add_noise(&t, "s\\win.PNG", 4, 4, 4);
        tar_add_text(&t, "s\\win.TXT", "of Windows");
        tar_add_noise(&t, "twice.png", 4, 4, 5);
        tar_add_noise(&t, "twice.png", 5, 5, 6);
        tar_end(&t);
        dataset *d = must_open(at(&r, "o.tar"));
        assert_int_equal(dataset_count(d), 3);
        *strrchr(name, '.') = 0;
        assert_noise(d, name, 6, 3);
        assert_noise(d, "s\\win", 4, 4);
        assert_caption(d, "s\\win", "of Windows");
        assert_noise(d, "twice", 5, 6);
        assert_int_equal(dataset_left_out(d), 1);
        assert_left_out(d, "twice.png: comes again later");
        dataset_close(d);
    }
    size_t one, two;
    make_tar(at(&r, "1.tar"), 2, false);
    tar_file t = tar_begin(at(&r, "2.tar"), false);
    tar_add_noise(&t, "more.png", 5, 5, 9);
    tar_end(&t);
    char *first = file_read(at(&r, "1.tar"), &one, NULL), *second = file_read(at(&r, "2.tar"), &two, NULL);
    char *both = malloc(one + two);
    memcpy(both, first, one);
    memcpy(both + one, second, two);
    assert_true(file_write(at(&r, "both.tar"), both, one + two, NULL));
    dataset *d = must_open(at(&r, "both.tar"));
    assert_int_equal(dataset_count(d), 3);
    assert_noise(d, "more", 5, 9);
    dataset_close(d);
    free(first);
    free(second);
    free(both);
    room_remove(&r);
}

/* Holes that the tar does not store, and after them nothing but the end mark. */
static void sparse_members(void **state)
{
    (void)state;
    room r = room_create();
    image made = noise(8, 8, 7);
    void *png;
    size_t size;
    assert_true(image_encode_png(&made, &png, &size, NULL));
    image_free(&made);
    char *bytes = calloc(1, 8192 + size);
    memcpy(bytes, png, size);
    tar_file t = begin(at(&r, "s.tar"), archive_write_set_format_pax, false);
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, "hole.png");
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)(8192 + size));
    archive_entry_sparse_add_entry(entry, 0, 4096);
    archive_entry_sparse_add_entry(entry, 8192, (la_int64_t)size);
    assert_int_equal(archive_write_header(t.tar, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(t.tar, bytes, 8192 + size), 8192 + size);
    archive_entry_free(entry);
    tar_end(&t);
    dataset *d = must_open(at(&r, "s.tar"));
    assert_noise(d, "hole", 8, 7);
    dataset_close(d);
    free(bytes);
    free(png);
    room_remove(&r);
}

/* Files, told apart by a space each; a name with an ending of pictures is one. */
static void make_both(const room *r, const char *names)
{
    tar_file t = tar_begin(at(r, "n.tar"), false);
    assert_true(file_make_folders(at(r, "n"), NULL));
    char list[512];
    snprintf(list, sizeof list, "%s", names);
    for (char *name = strtok(list, " "); name; name = strtok(NULL, " ")) {
        char path[256], text[256];
        snprintf(path, sizeof path, "n/%s", name);
        bool text_file = strstr(name, ".txt") != NULL;
        snprintf(text, sizeof text, text_file ? "%s" : "{\"group\":\"%s\"}", name);
        if (text_file || strstr(name, ".json")) {
            tar_add_text(&t, name, text);
            assert_true(file_write(at(r, path), text, strlen(text), NULL));
            continue;
        }
        image made = noise(4, 4, 1);
        assert_true(image_write_png(&made, at(r, path), NULL));
        image_free(&made);
        tar_add_noise(&t, name, 4, 4, 1);
    }
    tar_end(&t);
}

static void names_with_dots(void **state)
{
    (void)state;
    static const struct {
        const char *names, *samples, *says; /* "KEY=CAPTION/GROUP ..."; or the error */
        int left_out;
    } cases[] = {
        { "cat.v1.png cat.v1.txt cat.v2.png cat.v2.txt", "cat.v1=cat.v1.txt/ cat.v2=cat.v2.txt/ " },
        { "photo2.0.jpg photo2.0.txt photo2.0.json", "photo2.0=photo2.0.txt/photo2.0.json " },
        { "7.input.jpg 7.outputs.txt 8.input.jpg 8.outputs.txt", "7=7.outputs.txt/ 8=8.outputs.txt/ " },
        { "7.input.jpg 7.outputs.txt 7.json", "7=7.outputs.txt/7.json " },
        { "7.jpg 7.txt 7.depth.png 7.notes.txt", "7=7.txt/ ", NULL, 2 },
        { "7.jpg 7.txt 7.crop.jpg 7.crop.txt", "7=7.txt/ 7.crop=7.crop.txt/ " },
        { "a.jpg a.webp a.gif a.txt", "a=a.txt/ ", NULL, 2 },
        { "a.webp a.txt", "a=a.txt/ " },
        { "a.png a.txt README.txt", "a=a.txt/ ", NULL, 1 },
        { "a.png a.txt b.txt c.txt", NULL, "2 of its captions have no picture, the first is 'b.txt'" },
        { "a.JPG a.TXT.txt", "a=a.TXT.txt/ " },
        { "a.jpg a-b.jpg a.txt a-b.txt a.b.jpg a.b.txt", "a-b=a-b.txt/ a=a.txt/ a.b=a.b.txt/ " },
        { "cat.v1.png cat.v1.txt cat.v2.png", NULL, "the first is 'cat.v2.png'" },
        { "cat.v1.png cat.v2.png cat.txt", NULL, "no picture, the first is 'cat.txt'" },
        { "cat.v1.png cat.a.txt cat.b.txt", NULL, "no picture, the first is 'cat.a.txt'" },
        { "a.jpg a.png a.txt", NULL, "two pictures named 'a': 'a.jpg' and 'a.png'" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        room r = room_create();
        make_both(&r, cases[i].names);
        for (int tar = 0; tar < 2; ++tar) {
            error err = { 0 };
            dataset *d = open_set(at(&r, tar ? "n.tar" : "n"), true, &err);
            if (cases[i].says) {
                assert_null(d);
                assert_says(&err, cases[i].says);
                continue;
            }
            if (!d) fail_msg("%s: %s", cases[i].names, err.message);
            for (int64_t s = 0; s < dataset_count(d); ++s) {
                const dataset_sample *found = dataset_at(d, s);
                char text[256];
                snprintf(text, sizeof text, "%s=%s/%s ", found->key, found->caption, found->group);
                if (!strstr(cases[i].samples, text)) fail_msg("%s: %s", cases[i].names, text);
            }
            int64_t wanted = 0;
            for (const char *c = cases[i].samples; *c; ++c) wanted += *c == ' ';
            assert_int_equal(dataset_count(d), wanted);
            assert_int_equal(dataset_left_out(d), cases[i].left_out);
            dataset_close(d);
        }
        room_remove(&r);
    }
}

static void odd_files_in_folders(void **state)
{
    (void)state;
    room r = room_create();
    assert_true(file_make_folders(at(&r, "f/__MACOSX"), NULL));
    image made = noise(4, 4, 1);
    assert_true(image_write_png(&made, at(&r, "f/a.png"), NULL));
    assert_true(image_write_png(&made, at(&r, "f/._b.png"), NULL));
    assert_true(image_write_png(&made, at(&r, "f/__MACOSX/c.png"), NULL));
    image_free(&made);
    assert_int_equal(symlink("a.png", at(&r, "f/link.png")), 0);
    assert_int_equal(symlink("gone.png", at(&r, "f/lost.png")), 0);
    assert_int_equal(symlink("self.png", at(&r, "f/self.png")), 0);
    assert_int_equal(mkfifo(at(&r, "f/pipe.png"), 0600), 0);
    dataset *d = must_open(at(&r, "f"));
    assert_int_equal(dataset_count(d), 2);
    assert_noise(d, "link", 4, 1);
    assert_int_equal(dataset_left_out(d), 3);
    assert_left_out(d, "lost.png: a link that leads nowhere");
    assert_left_out(d, "self.png: a link that leads nowhere");
    assert_left_out(d, "pipe.png: neither a file nor a folder");
    dataset_close(d);
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_last_member), cmocka_unit_test(links_of_all_kinds),
        cmocka_unit_test(other_writers),   cmocka_unit_test(sparse_members),
        cmocka_unit_test(names_with_dots), cmocka_unit_test(odd_files_in_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
