/* test_loader_large.c -- batches of large sets: exact at any step and number of threads, of plain and
 * compressed tars, with weights; and no more memory than a window, however many samples there are.
 * SPDX-License-Identifier: MIT */
#include "tests/data/large.h"

#include "data/dataset_build.h"
#include "data/dataset_inside.h"
#include "data/dataset_order.h"
#include "data/loader.h"

#define TARS    6
#define SAMPLES 13 /* of a tar; 15 places with repeats */
#define BATCH   8
#define STEPS   24 /* more than two epochs */
#define SIZE    8

typedef struct record {
    int64_t samples[STEPS][BATCH];
    uint8_t pixels[STEPS][BATCH * SIZE * SIZE * 3];
} record;

static void load(const dataset *d, const dataset_selection *all, int threads, int64_t start, record *out)
{
    loader_config config = { .batch = BATCH,
                             .views = { { .size = SIZE, .augment = AUGMENT_LISTING1 } },
                             .seed = 42,
                             .threads = threads,
                             .start_step = start,
                             .shuffle = true };
    error err;
    loader *l = loader_open(d, all, &config, &err);
    if (!l) fail_msg("%s", err.message);
    for (int64_t step = start; step < STEPS; ++step) {
        loader_batch *b;
        if (!loader_next(l, &b, &err)) fail_msg("%s", err.message);
        for (int i = 0; i < BATCH; ++i) {
            dataset_sample known;
            assert_true(dataset_read(d, b->samples[i], &known, &err));
            assert_string_equal(b->known[i].key, known.key);
            assert_string_equal(b->keys[i], known.key);
            assert_string_equal(b->captions[i], known.caption);
            assert_string_equal(b->known[i].captions[1], "another line");
            dataset_sample_free(&known);
        }
        memcpy(out->samples[step], b->samples, sizeof out->samples[step]);
        memcpy(out->pixels[step], b->pixels, sizeof out->pixels[step]);
        loader_release(l, b);
    }
    loader_close(l);
}

static void assert_resumes(const dataset *d, const dataset_selection *all)
{
    record *first = calloc(1, sizeof *first), *other = calloc(1, sizeof *other);
    load(d, all, 1, 0, first);
    for (int threads = 1; threads <= 4; ++threads)
        for (int64_t start = threads - 1; start < STEPS; start += 7) {
            size_t left = (size_t)(STEPS - start);
            load(d, all, threads, start, other);
            assert_memory_equal(first->samples[start], other->samples[start], left * sizeof *first->samples);
            assert_memory_equal(first->pixels[start], other->pixels[start], left * sizeof *first->pixels);
        }
    const int64_t *flat = &first->samples[0][0];
    int seen[TARS * SAMPLES] = { 0 };
    for (int64_t i = 0; i < 2 * all->count; ++i) ++seen[flat[i]];
    for (int64_t i = 0; i < all->count; ++i) /* of two epochs; every fifth of a tar twice */
        assert_int_equal(seen[dataset_selected(all, i)], dataset_selected(all, i) % SAMPLES % 5 == 4 ? 4 : 2);
    free(first);
    free(other);
}

static void any_step_can_be_the_first(void **state)
{
    (void)state;
    static const int kinds[] = { 0, LARGE_PACKED, LARGE_EVERY_OTHER };
    for (int k = 0; k < 3; ++k) {
        large_set s = large_create(TARS, SAMPLES, kinds[k]);
        dataset *d = large_open(&s, true);
        dataset_selection all;
        assert_true(dataset_select(d, NULL, 0, 0, false, &all, NULL));
        assert_int_equal(all.count, TARS * (SAMPLES + 2));
        assert_resumes(d, &all);
        dataset_selection_free(&all);
        dataset_close(d);
        large_remove(&s);
    }
}

/* Two epochs of compressed tars in their order unpack each tar once an epoch, though streams keep but little,
 * and again and again in any other; the pictures are the same. */
static void compressed_tars_are_streamed(void **state)
{
    (void)state;
    large_set s = large_create(TARS, 40, LARGE_PACKED);
    dataset *d = large_open(&s, true);
    dataset_selection all;
    assert_true(dataset_select(d, NULL, 0, 0, false, &all, NULL));
    order *o = dataset_order(d, &all, 3, 1, NULL);
    image picture;
    for (int64_t i = 0; i < 2 * all.count; ++i) {
        int64_t place = order_at(o, i / all.count, i % all.count).place;
        assert_true(dataset_read_picture(d, dataset_selected(&all, place), &picture, NULL));
        image_free(&picture);
    }
    assert_in_range(streams_rewound(d->shards.streams), 0, TARS);
    order_destroy(o);
    dataset_selection_free(&all);
    error err;
    char *a, *b;
    streams *narrow = streams_create(s.paths, 1, &err), *wide = streams_create(s.paths, 1 << 20, &err);
    const index_entry *e = index_entries(d->index);
    for (int64_t i = 39; i >= 0; --i) {
        assert_non_null(
            a = streams_read(narrow, 0, (int64_t)e[i].picture * INDEX_BLOCK, e[i].picture_bytes, &err));
        assert_non_null(
            b = streams_read(wide, 0, (int64_t)e[i].picture * INDEX_BLOCK, e[i].picture_bytes, &err));
        assert_memory_equal(a, b, e[i].picture_bytes);
        free(a), free(b);
    }
    assert_int_equal(streams_rewound(narrow), 39);
    assert_int_equal(streams_rewound(wide), 0);
    assert_null(streams_read(wide, 0, 512 * 1000000LL, 5, &err));
    assert_says(&err, "has no member at byte 512000000");
    streams_destroy(narrow);
    streams_destroy(wide);
    dataset_close(d);
    large_remove(&s);
}

/* Three quarters of the draws are of the first two tars, of a small set as of a large one, from any step. */
static void sources_have_weights(void **state)
{
    (void)state;
    large_set s = large_create(TARS, SAMPLES, 0);
    const int groups[TARS] = { 0, 0, 1, 1, 1, 1 };
    double weights[] = { 3, 1 };
    for (int large = 0; large <= 1; ++large) {
        dataset_options options = {
            .groups = groups, .weights = weights, .group_count = 2, .most_pictures = large ? 2 : 1000
        };
        dataset_selection all;
        dataset *d = dataset_open_with(s.paths, s.count, &options, NULL);
        assert_non_null(d);
        assert_int_equal(dataset_is_large(d), large);
        assert_true(dataset_select(d, NULL, 0, 0, false, &all, NULL));
        order *o = dataset_order(d, &all, 3, 1, NULL);
        int64_t of_first = 0;
        for (int64_t i = 0; i < 65536; ++i)
            of_first += dataset_selected(&all, order_at(o, i / all.count, i % all.count).place) < 2 * SAMPLES;
        assert_int_equal(of_first, 65536 / 4 * 3);
        order_destroy(o);
        record *first = calloc(1, sizeof *first), *other = calloc(1, sizeof *other);
        load(d, &all, 1, 0, first);
        for (int64_t start = 1; start < STEPS; start += 9) {
            load(d, &all, 3, start, other);
            assert_memory_equal(first->samples[start], other->samples[start],
                                (size_t)(STEPS - start) * sizeof *first->samples);
            assert_memory_equal(first->pixels[start], other->pixels[start],
                                (size_t)(STEPS - start) * sizeof *first->pixels);
        }
        free(first);
        free(other);
        dataset_selection_free(&all);
        dataset_close(d);
    }
    error err;
    weights[1] = 0;
    const dataset_options wrong = { .groups = groups, .weights = weights, .group_count = 2 };
    assert_null(dataset_open_with(s.paths, s.count, &wrong, &err));
    assert_says(&err, "002.tar' is 0; it must be above 0");
    large_remove(&s);
}

/* A picture that cannot be read gives way to the next of its epoch's order, in a large set too. */
static void broken_pictures_are_skipped(void **state)
{
    (void)state;
    large_set s = large_create(2, 6, 0);
    large_add_odd(&s, false); /* among whose nine samples two are broken */
    dataset *d = large_open(&s, true);
    dataset_selection all;
    error err;
    assert_true(dataset_select(d, NULL, 0, 0, false, &all, NULL));
    int64_t first[3][12];
    for (int threads = 1; threads <= 3; ++threads) {
        loader_config config = { .batch = 12,
                                 .views = { { .size = SIZE } },
                                 .seed = 1,
                                 .threads = threads,
                                 .shuffle = true,
                                 .skips = skips_create(d, 4, &err) };
        loader *l = loader_open(d, &all, &config, &err);
        loader_batch *b;
        for (int i = 0; i < 3; ++i) {
            if (!loader_next(l, &b, &err)) fail_msg("%s", err.message);
            if (threads == 1) memcpy(first[i], b->samples, sizeof first[i]);
            assert_memory_equal(first[i], b->samples, sizeof first[i]);
            loader_release(l, b);
        }
        loader_close(l);
        assert_int_equal(skips_count(config.skips), 2);
        assert_true(skips_write(config.skips, at(&s.r, "skipped.txt"), false, &err));
        skips_destroy(config.skips);
        char *text = file_read(at(&s.r, "skipped.txt"), NULL, NULL);
        assert_true(strncmp(text, "none\t", 5) == 0);
        assert_non_null(strstr(text, "odd.tar: picture 'none.png'"));
        assert_non_null(strstr(text, "\nempty\t"));
        free(text);
    }
    dataset_selection_free(&all);
    dataset_close(d);
    large_remove(&s);
}

/* ---- Memory ---- */

/* Bytes of anonymous memory that the process has; 0 where the system does not say. */
static int64_t anonymous(void)
{
    char line[256];
    long long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "RssAnon: %lld", &kib) == 1) break;
    if (f) fclose(f);
    return kib * 1024;
}

#define MILLION 1000000
enum { MANY_TARS = 1000, MANY = 10000 }; /* samples of each: ten million */

/* An index as the writer makes it, of tars that are empty files. */
static char **make_many(const room *r)
{
    error err;
    char beside[512], **paths = calloc(MANY_TARS, sizeof *paths);
    index_entry *entries = calloc(MANY, sizeof *entries);
    for (int i = 0; i < MANY_TARS; ++i) {
        char name[32];
        snprintf(name, sizeof name, "%05d.tar", i);
        paths[i] = strdup(at(r, name));
        fclose(fopen(paths[i], "wb"));
    }
    assert_true(build_path((const char *const *)paths, MANY_TARS, false, beside, sizeof beside));
    index_writer *w = index_writer_create(beside, &err);
    uint8_t splits[2];
    assert_true(index_writer_split(w, "train", &splits[0], &err) &&
                index_writer_split(w, "val", &splits[1], &err));
    for (int i = 0; i < MANY_TARS; ++i) {
        struct stat is;
        assert_int_equal(stat(paths[i], &is), 0);
        for (int k = 0; k < MANY; ++k)
            entries[k] = (index_entry){ .key = ((uint64_t)i * MANY + (uint64_t)k) * 0x9e3779b97f4a7c15u,
                                        .picture = (uint32_t)k,
                                        .repeat = 1,
                                        .split = splits[k % 10 == 0],
                                        .flags = INDEX_CAPTIONED };
        const index_shard about = { .seconds = is.st_mtim.tv_sec,
                                    .nanoseconds = is.st_mtim.tv_nsec,
                                    .count = MANY,
                                    .pictures = MANY,
                                    .paired = MANY };
        assert_true(index_writer_add(w, paths[i] + strlen(r->path) + 1, &about, entries, "", &err));
    }
    assert_true(index_writer_finish(w, &err));
    free(entries);
    return paths;
}

/* Opening, a split with and without what is held out, and some epochs' positions. */
static void memory_is_bounded(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* it shadows what is mapped, in anonymous memory */
#endif
    room r = room_create();
    error err;
    char **paths = make_many(&r);
    int64_t before = anonymous();
    const dataset_options options = { 0 };
    dataset *d = dataset_open_with((const char *const *)paths, MANY_TARS, &options, &err);
    if (!d) fail_msg("%s", err.message);
    assert_true(dataset_is_large(d));
    assert_int_equal(dataset_count(d), 10 * MILLION);
    dataset_selection kept, held;
    assert_true(dataset_select(d, "train", 0.01, 5, false, &kept, &err));
    assert_true(dataset_select(d, "train", 0.01, 5, true, &held, &err));
    assert_int_equal(kept.count + held.count, 9 * MILLION);
    assert_in_range(held.count, 88000, 92000);
    order *o = dataset_order(d, &kept, 7, 1, &err);
    for (int64_t epoch = 0; epoch < 4; ++epoch)
        for (int64_t i = 0; i + 1000 < kept.count; i += 30 * 65536)
            for (int k = 0; k < 1000; ++k)
                assert_int_not_equal(dataset_selected(&kept, order_at(o, epoch, i + k).place) % 10, 0);
    int64_t grown = anonymous() - before;
    print_message("%lld MiB of anonymous memory, at ten million samples\n", (long long)grown >> 20);
    assert_true(grown < 64 << 20);
    assert_true(anonymous() < (int64_t)256 << 20 || before > (int64_t)128 << 20); /* a sanitizer's own */
    order_destroy(o);
    dataset_selection_free(&kept);
    dataset_selection_free(&held);
    dataset_close(d);
    for (int i = 0; i < MANY_TARS; ++i) free(paths[i]);
    free(paths);
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_step_can_be_the_first), cmocka_unit_test(compressed_tars_are_streamed),
        cmocka_unit_test(sources_have_weights),      cmocka_unit_test(broken_pictures_are_skipped),
        cmocka_unit_test(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
