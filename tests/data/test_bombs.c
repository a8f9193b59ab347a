/* test_bombs.c -- files that claim or unpack to more than they can account for are refused before the
 * memory or the time is spent.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/dataset.h"
#include "data/dataset_unpack.h"
#include "data/safetensors.h"
#include "data/tokenizer.h"

#include <fcntl.h>
#include <sys/resource.h>

enum { MB = 1 << 20 };

static double used_mb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static void assert_refused(const char *path, const char *part)
{
    error err = { 0 };
    double before = used_mb();
    dataset *d = dataset_open(&path, 1, false, &err);
    assert_null(d);
    assert_says(&err, part);
    assert_int_equal(err.code, ERROR_FORMAT);
    assert_true(used_mb() - before < 200);
}

/* A member of `size` zeros, which are written piece by piece. */
static void add_zeros(const tar_file *t, const char *name, int64_t size)
{
    static char zeros[MB];
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, size);
    archive_entry_set_filetype(entry, AE_IFREG);
    assert_int_equal(archive_write_header(t->tar, entry), ARCHIVE_OK);
    for (; size > 0; size -= MB) assert_int_equal(archive_write_data(t->tar, zeros, MB), MB);
    archive_entry_free(entry);
}

static tar_file begin_packed(const char *path)
{
    tar_file t = { archive_write_new() };
    archive_write_set_format_ustar(t.tar);
    assert_true(archive_write_add_filter_zstd(t.tar) >= ARCHIVE_WARN);
    assert_int_equal(archive_write_open_filename(t.tar, path), ARCHIVE_OK);
    return t;
}

/* Pictures that would be held, a member that would only be passed over, and either behind good samples. */
static void compressed_tars(void **state)
{
    (void)state;
    room r = room_create();
    tar_file t = begin_packed(at(&r, "pictures.tar.zst"));
    for (int i = 0; i < 3; ++i) add_zeros(&t, (const char *[]){ "a.png", "b.png", "c.png" }[i], 30 * MB);
    tar_end(&t);
    assert_refused(at(&r, "pictures.tar.zst"), "unpacks to more than 67");
    t = begin_packed(at(&r, "other.tar.zst"));
    tar_add_noise(&t, "a.png", 4, 4, 1);
    tar_add_text(&t, "a.txt", "a");
    add_zeros(&t, "b.bin", 80 * MB);
    tar_end(&t);
    assert_refused(at(&r, "other.tar.zst"), ": at member 'b.bin'");
    room_remove(&r);
}

/* Zeros end a tar, and more of them are no member: gone through without end where tars may follow one
 * another. */
static void zeros_without_end(void **state)
{
    (void)state;
    room r = room_create();
    struct archive *tar = archive_write_new();
    archive_write_set_format_raw(tar);
    archive_write_add_filter_zstd(tar);
    assert_int_equal(archive_write_open_filename(tar, at(&r, "zeros.tar.zst")), ARCHIVE_OK);
    tar_file t = { tar };
    add_zeros(&t, "zeros", 100 * MB);
    tar_end(&t);
    assert_refused(at(&r, "zeros.tar.zst"), "unpacks to more than 6");
    room_remove(&r);
}

/* A member's size may be anything, in a sparse one of a plain tar too. */
static void claims(void **state)
{
    (void)state;
    room r = room_create();
    tar_file t = { archive_write_new() };
    archive_write_set_format_pax(t.tar);
    assert_int_equal(archive_write_open_filename(t.tar, at(&r, "sparse.tar")), ARCHIVE_OK);
    for (int i = 0; i < 3; ++i) {
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, (const char *[]){ "a.png", "b.png", "c.png" }[i]);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_size(entry, 200 * MB);
        archive_entry_sparse_add_entry(entry, 0, 1);
        assert_int_equal(archive_write_header(t.tar, entry), ARCHIVE_OK);
        assert_int_equal(archive_write_data(t.tar, "x", 1), 1);
        archive_entry_free(entry);
    }
    archive_write_close(t.tar);
    archive_write_free(t.tar);
    assert_refused(at(&r, "sparse.tar"), "unpacks to more than 6");
    room_remove(&r);
}

/* One long text, linked to ten thousand times. */
static void linked_text(void **state)
{
    (void)state;
    room r = room_create();
    enum { LINKS = 400 };
    char *text = malloc(MB), name[32];
    memset(text, 'x', MB);
    for (int i = 80; i < MB; i += 80) text[i] = '\n';
    tar_file t = tar_begin(at(&r, "links.tar"), false);
    tar_add(&t, "long.bin", text, MB);
    free(text);
    for (int i = 0; i < LINKS; ++i) {
        struct archive_entry *entry = archive_entry_new();
        snprintf(name, sizeof name, "%d.txt", i);
        archive_entry_set_pathname(entry, name);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_hardlink(entry, "long.bin");
        assert_int_equal(archive_write_header(t.tar, entry), ARCHIVE_OK);
        archive_entry_free(entry);
        snprintf(name, sizeof name, "%d.png", i);
        tar_add_text(&t, name, "x");
    }
    tar_end(&t);
    /* 1.4 MB may lead to 344 MB of text. */
    const char *path = at(&r, "links.tar");
    error err = { 0 };
    dataset *d = dataset_open(&path, 1, false, &err);
    if (!d) fail_msg("%s", err.message);
    assert_int_equal(dataset_count(d), LINKS);
    int64_t captions = 0, most = unpack_most(MB);
    for (int64_t i = 0; i < LINKS; ++i) captions += dataset_at(d, i)->caption_count > 0;
    assert_true(captions > most / MB && captions < LINKS);
    assert_int_equal(dataset_left_out(d), LINKS - captions);
    assert_non_null(strstr(dataset_left_out_at(d, 0), "a link to text, and links lead to more of it than"));
    dataset_close(d);
    room_remove(&r);
}

static void packed_twice(void **state)
{
    (void)state;
    room r = room_create();
    tar_file t = { archive_write_new() };
    archive_write_set_format_ustar(t.tar);
    archive_write_add_filter_gzip(t.tar);
    archive_write_add_filter_gzip(t.tar);
    assert_int_equal(archive_write_open_filename(t.tar, at(&r, "twice.tgz.gz")), ARCHIVE_OK);
    tar_add_noise(&t, "a.png", 4, 4, 1);
    tar_add_text(&t, "a.txt", "a");
    tar_end(&t);
    assert_refused(at(&r, "twice.tgz.gz"), "twice.tgz.gz: not a tar: it is packed more than once");
    room_remove(&r);
}

static void limits(void **state)
{
    (void)state;
    assert_true(unpack_most(0) == UNPACK_FREE && unpack_most(1000) == UNPACK_FREE + 1000 * UNPACK_TIMES);
    assert_true(unpack_most(INT64_MAX) == INT64_MAX && unpack_most(INT64_MAX / UNPACK_TIMES) == INT64_MAX);
}

/* A model of SentencePiece's with as many empty tokens as two bytes each make. */
static void tokens_without_number(void **state)
{
    (void)state;
    room r = room_create();
    enum { TOKENS = (1 << 20) + 1 };
    char *bytes = malloc(2 * TOKENS + 4);
    memcpy(bytes, "\x12\x02\x18\x02", 4); /* trainer: byte-pair encoding */
    for (size_t i = 0; i < TOKENS; ++i) memcpy(bytes + 4 + 2 * i, "\x0a\0", 2);
    error err = { 0 };
    assert_true(file_write(at(&r, "many.model"), bytes, 2 * TOKENS + 4, &err));
    double before = used_mb();
    assert_null(tokenizer_open(at(&r, "many.model"), &err));
    assert_says(&err, "it has more tokens than any model here can use");
    assert_true(used_mb() - before < 20);
    assert_true(file_write(at(&r, "wide.model"), "\x12\x02\x18\x02\x9a\x80\x80\x80\x80\x01\x00", 11, &err));
    assert_null(tokenizer_open(at(&r, "wide.model"), &err)); /* a field's number of more than 32 bits */
    assert_says(&err, "the file is damaged or of another kind");
    free(bytes);
    int large = open(at(&r, "large.model"), O_CREAT | O_WRONLY, 0600);
    assert_true(large >= 0 && ftruncate(large, (off_t)1 << 40) == 0);
    close(large);
    assert_null(tokenizer_open(at(&r, "large.model"), &err));
    assert_says(&err, "large.model' is too large: at most 67108864 bytes of such a file are read");
    room_remove(&r);
}

/* A model may bring texts to be tried with, which the library prints, escape sequences and all, where they
 * come out otherwise. */
static void texts_of_a_tokenizer(void **state)
{
    (void)state;
    static const char tests[] = "\x22\x0b\x0a\x09\x0a\x04\x1b[2J\x12\x01x"; /* in: "\x1b[2J", out: "x" */
    static const char *const captions[] = { "a cat", "a red cat", "two cats", "the dog" };
    room r = room_create();
    error err = { 0 };
    size_t size, whole;
    if (!tokenizer_fit(captions, 4, 280, at(&r, "t.model"), &err)) fail_msg("%s", err.message);
    char *bytes = file_read(at(&r, "t.model"), &size, &err);
    FILE *out = fopen(at(&r, "t.model"), "ab"), *said = tmpfile();
    assert_true(bytes && out && said && fwrite(tests, 1, sizeof tests - 1, out) == sizeof tests - 1);
    fclose(out);
    int kept = dup(STDERR_FILENO);
    fflush(stderr);
    assert_true(kept >= 0 && dup2(fileno(said), STDERR_FILENO) >= 0);
    tokenizer *t = tokenizer_open(at(&r, "t.model"), &err);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    if (!t) fail_msg("%s", err.message);
    assert_int_equal(fseek(said, 0, SEEK_END), 0);
    assert_int_equal(ftell(said), 0);
    fclose(said);
    assert_memory_equal(tokenizer_bytes(t, &whole), bytes, size); /* it is saved as it was */
    assert_int_equal(whole, size + sizeof tests - 1);
    int32_t *ids = NULL;
    int count = tokenizer_encode(t, "a cat", &ids, &err);
    assert_true(count > 0);
    char *text = tokenizer_decode(t, ids, count, &err);
    assert_string_equal(text, "a cat");
    free(text);
    free(ids);
    free(bytes);
    tokenizer_close(t);
    room_remove(&r);
}

/* A header's memory is a hundred times what it has in the file. */
static void tensors_without_number(void **state)
{
    (void)state;
    room r = room_create();
    static const char *const values[] = { "{},", "[],", "0,0" };
    enum { LENGTH = 30 * MB };
    unsigned char *bytes = malloc(LENGTH);
    for (size_t v = 0; v < sizeof values / sizeof *values; ++v) {
        uint64_t length = LENGTH - 8;
        for (size_t i = 0; i < 8; ++i) bytes[i] = (unsigned char)(length >> (8 * i));
        memcpy(bytes + 8, "{\"a\":[", 6);
        for (size_t i = 14; i < LENGTH; ++i) bytes[i] = (unsigned char)values[v][i % 3];
        error err = { 0 };
        assert_true(file_write(at(&r, "many.safetensors"), bytes, LENGTH, &err));
        double before = used_mb();
        assert_null(safetensors_open(at(&r, "many.safetensors"), &err));
        assert_says(&err, "objects and lists; at most 262144 tensors can be read");
        assert_true(used_mb() - before < 60);
    }
    free(bytes);
    room_remove(&r);
}

/* Names of members are shown in errors and lists, as plain text. */
static void names_for_terminals(void **state)
{
    (void)state;
    room r = room_create();
    tar_file t = tar_begin(at(&r, "t.tar"), false);
    tar_add_text(&t, "\x1b[2J.png", "x");
    tar_end(&t);
    const char *path = at(&r, "t.tar");
    error err = { 0 };
    assert_null(dataset_open(&path, 1, true, &err));
    assert_says(&err, "the first is '?[2J.png'");
    assert_null(strchr(err.message, '\x1b'));
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits),
        cmocka_unit_test(packed_twice),
        cmocka_unit_test(compressed_tars),
        cmocka_unit_test(zeros_without_end),
        cmocka_unit_test(claims),
        cmocka_unit_test(linked_text),
        cmocka_unit_test(tokens_without_number),
        cmocka_unit_test(names_for_terminals),
        cmocka_unit_test(texts_of_a_tokenizer),
        cmocka_unit_test(tensors_without_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
