/* test_loader.c -- the same batches from any number of threads and any starting step.
 * SPDX-License-Identifier: MIT */
#include "tests/data/fixtures.h"

#include "data/loader.h"

#define SAMPLES 11
#define BATCH   4
#define STEPS   9 /* more than three epochs, none of whole batches */
#define SIZE    16

typedef struct record {
    int64_t samples[STEPS][BATCH], epochs[STEPS];
    uint8_t pixels[STEPS][BATCH * SIZE * SIZE * 3];
} record;

typedef struct set {
    room r;
    dataset *data;
    dataset_selection all;
    record *first, *other;
} set;

static int make_set(void **state)
{
    set *s = calloc(1, sizeof *s);
    s->r = room_create();
    make_tar(at(&s->r, "a.tar"), SAMPLES, false);
    const char *path = at(&s->r, "a.tar");
    s->data = dataset_open(&path, 1, true, NULL);
    s->first = calloc(1, sizeof *s->first);
    s->other = calloc(1, sizeof *s->other);
    *state = s;
    return s->data && dataset_select(s->data, NULL, 0, 0, false, &s->all, NULL) ? 0 : -1;
}

static int remove_set(void **state)
{
    set *s = *state;
    dataset_selection_free(&s->all);
    dataset_close(s->data);
    room_remove(&s->r);
    free(s->first);
    free(s->other);
    free(s);
    return 0;
}

static void load(const set *s, int threads, int64_t start, bool shuffle, record *out)
{
    loader_config config = { .batch = BATCH,
                             .views = { { .size = SIZE, .augment = AUGMENT_LISTING1 } },
                             .seed = 42,
                             .threads = threads,
                             .start_step = start,
                             .shuffle = shuffle };
    error err;
    loader *l = loader_open(s->data, &s->all, &config, &err);
    assert_non_null(l);
    loader_batch *held = NULL;
    for (int64_t step = start; step < STEPS; ++step) {
        loader_batch *b;
        if (!loader_next(l, &b, &err)) fail_msg("%s", err.message);
        assert_int_equal(b->step, step);
        assert_int_equal(b->count, BATCH);
        for (int i = 0; i < BATCH; ++i) {
            const dataset_sample *sample = dataset_at(s->data, b->samples[i]);
            assert_string_equal(b->captions[i], sample->caption);
            assert_string_equal(b->keys[i], sample->key);
        }
        memcpy(out->samples[step], b->samples, sizeof out->samples[step]);
        memcpy(out->pixels[step], b->pixels, sizeof out->pixels[step]);
        out->epochs[step] = b->epoch;
        if (step % 2)
            loader_release(l, held), loader_release(l, b), held = NULL;
        else
            held = b;
    }
    loader_close(l); /* with a batch still held and others in the making */
}

static void threads_do_not_matter(void **state)
{
    set *s = *state;
    load(s, 1, 0, true, s->first);
    for (int threads = 0; threads <= 4; threads += 2) {
        load(s, threads, 0, true, s->other);
        assert_memory_equal(s->first, s->other, sizeof *s->first);
    }
}

static void every_epoch_holds_all(void **state)
{
    set *s = *state;
    load(s, 2, 0, true, s->first);
    const int64_t *flat = &s->first->samples[0][0];
    for (int epoch = 0; epoch < 3; ++epoch) {
        int seen[SAMPLES] = { 0 };
        for (int i = 0; i < SAMPLES; ++i) seen[flat[epoch * SAMPLES + i]]++;
        for (int i = 0; i < SAMPLES; ++i) assert_int_equal(seen[i], 1);
    }
    assert_memory_not_equal(flat, flat + SAMPLES, SAMPLES * sizeof *flat);
    for (int step = 0; step < STEPS; ++step) assert_int_equal(s->first->epochs[step], step * BATCH / SAMPLES);
    load(s, 2, 0, false, s->first);
    for (int i = 0; i < STEPS * BATCH; ++i) assert_int_equal(flat[i], i % SAMPLES);
}

static void resuming_changes_nothing(void **state)
{
    set *s = *state;
    load(s, 1, 0, true, s->first);
    for (int start = 1; start < STEPS; start += 2) {
        load(s, 2, start, true, s->other);
        for (int step = start; step < STEPS; ++step) {
            assert_memory_equal(s->first->samples[step], s->other->samples[step],
                                sizeof s->first->samples[step]);
            assert_memory_equal(s->first->pixels[step], s->other->pixels[step],
                                sizeof s->first->pixels[step]);
        }
    }
}

/* A tar of `count` pictures, of which those in `broken` are none; its selection shows picture 2 three
 * times. */
static dataset *make_broken(const room *r, int count, const char *broken, dataset_selection *all)
{
    tar_file t = tar_begin(at(r, "b.tar"), false);
    for (int i = 0; i < count; ++i) {
        char name[16];
        snprintf(name, sizeof name, "%c.png", 'a' + i);
        if (strchr(broken, 'a' + i))
            tar_add_text(&t, name, i % 2 ? "rubbish" : "<html>");
        else
            tar_add_noise(&t, name, 16, 16, (uint32_t)i);
        snprintf(name, sizeof name, "%c.json", 'a' + i);
        if (i == 2) tar_add_text(&t, name, "{\"repeat\":3}");
    }
    tar_end(&t);
    const char *path = at(r, "b.tar");
    dataset *d = dataset_open(&path, 1, false, NULL);
    assert_non_null(d);
    assert_true(dataset_select(d, NULL, 0, 0, false, all, NULL));
    return d;
}

/* Which samples a run from `start` gets, behind those before. */
static void load_around(const dataset *d, const dataset_selection *all, int threads, int64_t start,
                        int64_t samples[STEPS][BATCH])
{
    error err;
    skips *skipped = skips_create(d, 5, &err);
    loader_config config = { .batch = BATCH,
                             .views = { { .size = SIZE },
                                        { .name = "half", .size = SIZE / 2 },
                                        { .name = "again", .size = SIZE / 2, .same_as = "half" } },
                             .seed = 3,
                             .threads = threads,
                             .start_step = start,
                             .shuffle = true,
                             .skips = skipped };
    loader *l = loader_open(d, all, &config, &err);
    assert_non_null(l);
    for (int64_t step = start; step < STEPS; ++step) {
        loader_batch *b;
        if (!loader_next(l, &b, &err)) fail_msg("%s", err.message);
        memcpy(samples[step], b->samples, sizeof samples[step]);
        for (int i = 0; i < BATCH; ++i) {
            image expected = noise(16, 16, (uint32_t)b->samples[i]);
            image half;
            size_t at_half = (size_t)(i * SIZE / 2 * SIZE / 2 * 3);
            assert_memory_equal(b->pixels + i * SIZE * SIZE * 3, expected.pixels, SIZE * SIZE * 3);
            assert_true(image_resize_area(&expected, SIZE / 2, SIZE / 2, false, &half, &err));
            assert_memory_equal(loader_pixels(b, "half") + at_half, half.pixels, SIZE / 2 * SIZE / 2 * 3);
            assert_memory_equal(loader_pixels(b, "again") + at_half, half.pixels, SIZE / 2 * SIZE / 2 * 3);
            image_free(&half);
            image_free(&expected);
        }
        loader_release(l, b);
    }
    loader_close(l);
    skips_destroy(skipped);
}

/* The next good picture of the epoch's order stands in, whoever finds out and wherever the run starts. */
static void broken_pictures_are_skipped(void **state)
{
    (void)state;
    room r = room_create();
    dataset_selection all;
    dataset *d = make_broken(&r, 9, "adeh", &all);
    assert_int_equal(all.count, 11);
    int64_t expected[STEPS][BATCH], found[STEPS][BATCH], order[11];
    for (int place = 0; place < STEPS * BATCH; ++place) {
        dataset_shuffle(11, 3, (uint32_t)(place / 11), order);
        int nth = place % 11;
        while (strchr("adeh", 'a' + (int)all.index[order[nth]])) nth = (nth + 1) % 11;
        expected[place / BATCH][place % BATCH] = all.index[order[nth]];
    }
    for (int threads = 1; threads <= 4; ++threads)
        for (int64_t start = 0; start < STEPS; start += 2) {
            load_around(d, &all, threads, start, found);
            assert_memory_equal(found[start], expected[start], (size_t)(STEPS - start) * sizeof *found);
        }
    dataset_selection_free(&all);
    dataset_close(d);
    room_remove(&r);
}

/* A picture that an epoch shows three times is cut and flipped anew each time. */
static void repeats_draw_anew(void **state)
{
    (void)state;
    room r = room_create();
    dataset_selection all;
    dataset *d = make_broken(&r, 4, "", &all);
    error err = { 0 };
    loader_config config = {
        .batch = 6, .views = { { .size = 8, .augment = AUGMENT_LISTING1 } }, .seed = 4, .threads = 2
    };
    loader *l = loader_open(d, &all, &config, &err);
    loader_batch *b;
    if (!loader_next(l, &b, &err)) fail_msg("%s", err.message);
    for (int i = 2; i < 5; ++i) {
        assert_int_equal(b->samples[i], 2);
        for (int k = 2; k < i; ++k)
            assert_memory_not_equal(b->pixels + i * 8 * 8 * 3, b->pixels + k * 8 * 8 * 3, 8 * 8 * 3);
    }
    loader_close(l);
    dataset_selection_free(&all);
    dataset_close(d);
    room_remove(&r);
}

static void not_too_many(void **state)
{
    (void)state;
    static const struct {
        const char *broken;
        int64_t most;
        const char *says; /* NULL: some */
    } cases[] = {
        { "ad", 1, "2 of 6 pictures cannot be read so far, and skip_share allows 1" },
        { "ad", 0, "picture '" },
        { "abcdef", 6, "none of the selected pictures can be read" },
        { "abcde", 5, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        room r = room_create();
        dataset_selection all;
        dataset *d = make_broken(&r, 6, cases[i].broken, &all);
        error err = { 0 };
        skips *skipped = skips_create(d, cases[i].most, &err);
        loader_config config = { .batch = 8, .views = { { .size = 8 } }, .threads = 3, .skips = skipped };
        loader *l = loader_open(d, &all, &config, &err);
        loader_batch *b;
        bool done = loader_next(l, &b, &err);
        if (cases[i].says) {
            assert_false(done);
            assert_says(&err, cases[i].says);
        } else {
            if (!done) fail_msg("%s", err.message);
            for (int k = 0; k < 8; ++k) assert_int_equal(b->samples[k], 5);
        }
        loader_close(l);
        skips_destroy(skipped);
        dataset_selection_free(&all);
        dataset_close(d);
        room_remove(&r);
    }
}

static void skipped_are_named(void **state)
{
    (void)state;
    static const error broken = { ERROR_FORMAT, "x.png: is\nempty" }, gone = { ERROR_IO, "x.png: no disk" };
    room r = room_create();
    dataset_selection all;
    dataset *d = make_broken(&r, 6, "", &all);
    error err = { 0 };
    skips *s = skips_create(d, 3, &err);
    assert_false(skips_add(s, 1, &gone, &err));
    assert_says(&err, "no disk");
    assert_true(skips_add(s, 4, &broken, &err));
    assert_true(skips_add(s, 4, &broken, &err));
    assert_true(skips_add(s, 0, &broken, &err));
    assert_true(skips_has(s, 4) && !skips_has(s, 1));
    assert_int_equal(skips_count(s), 2);
    static const char before[] = "c\told reason\ne\tanother reason\n";
    static const char *const after[] = { "a\tx.png: is?empty\ne\tx.png: is?empty\n",
                                         "a\tx.png: is?empty\ne\tx.png: is?empty\nc\told reason\n" };
    for (int keep = 0; keep < 2; ++keep) {
        assert_true(file_write(at(&r, "s.txt"), before, strlen(before), &err));
        assert_true(skips_write(s, at(&r, "s.txt"), keep, &err));
        char *text = file_read(at(&r, "s.txt"), NULL, &err);
        assert_string_equal(text, after[keep]);
        free(text);
    }
    skips_destroy(s);
    dataset_selection_free(&all);
    dataset_close(d);
    room_remove(&r);
    static const struct {
        int64_t count, most;
        double share;
    } shares[] = { { 8, 4, 0.05 }, { 30, 10, 0.05 }, { 1000, 50, 0.05 },
                   { 1000, 0, 0 }, { 1, 0, 0.05 },   { 9, 9, 1 } };
    for (size_t i = 0; i < 6; ++i)
        assert_int_equal(skips_most(shares[i].count, shares[i].share), shares[i].most);
}

static void errors_reach_the_user(void **state)
{
    (void)state;
    room r = room_create();
    error err;
    tar_file t = tar_begin(at(&r, "b.tar"), false);
    for (int i = 0; i < 10; ++i) {
        char name[16];
        snprintf(name, sizeof name, "%d.png", i);
        if (i == 6 || i == 7)
            tar_add_text(&t, name, "rubbish");
        else
            tar_add_noise(&t, name, 8, 8, 1);
        snprintf(name, sizeof name, "%d.txt", i);
        tar_add_text(&t, name, "x");
    }
    tar_end(&t);
    const char *path = at(&r, "b.tar");
    dataset *d = dataset_open(&path, 1, true, &err);
    dataset_selection all;
    assert_true(dataset_select(d, NULL, 0, 0, false, &all, &err));
    for (int threads = 1; threads <= 4; ++threads) {
        loader_config config = { .batch = 4, .views = { { .size = 8 } }, .threads = threads };
        loader *l = loader_open(d, &all, &config, &err);
        loader_batch *b;
        assert_true(loader_next(l, &b, &err));
        loader_release(l, b);
        for (int again = 0; again < 2; ++again) {
            assert_false(loader_next(l, &b, &err));
            assert_null(b);
            assert_says(&err, "picture '6.png'");
        }
        loader_close(l);
    }
    loader_config bad[] = { { .batch = 0, .views = { { .size = 8 } } },
                            { .batch = 1 },
                            { .batch = 1, .views = { { .size = 8 } }, .threads = 65 },
                            { .batch = 1, .views = { { .size = 8 } }, .start_step = -1 } };
    for (int i = 0; i < 4; ++i) assert_null(loader_open(d, &all, &bad[i], &err));
    dataset_selection none = { 0 };
    assert_null(loader_open(d, &none, &(loader_config){ .batch = 1, .views = { { .size = 8 } } }, &err));
    loader_close(NULL);
    dataset_selection_free(&all);
    dataset_close(d);
    room_remove(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_matter),    cmocka_unit_test(every_epoch_holds_all),
        cmocka_unit_test(resuming_changes_nothing), cmocka_unit_test(broken_pictures_are_skipped),
        cmocka_unit_test(repeats_draw_anew),        cmocka_unit_test(not_too_many),
        cmocka_unit_test(skipped_are_named),        cmocka_unit_test(errors_reach_the_user),
    };
    return cmocka_run_group_tests(tests, make_set, remove_set);
}
