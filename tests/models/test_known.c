/* test_known.c -- known captions as a file: what is read is what was written, but for the embeddings'
 * rounding; what is nearest; and files that are damaged.
 * SPDX-License-Identifier: MIT */
#include "models/prior/known.h"
#include "tests/models/drawings.h"

enum { CAPTIONS = 5, SIZE = 7 };

static room base;

static known_captions made(void)
{
    static const char *const texts[CAPTIONS] = { "a red square", "\xc3\xa9t\xc3\xa9", "", "a red square",
                                                 "green" };
    error err;
    known_captions k;
    if (!known_captions_make(&k, CAPTIONS, SIZE, &err)) fail_msg("%s", err.message);
    for (int i = 0; i < CAPTIONS; ++i) {
        double squares = 0;
        k.texts[i] = strdup(texts[i]);
        for (int j = 0; j < SIZE; ++j) {
            float x = (float)((i * 5 + j * 3) % 11) - 4.7f;
            k.embeddings[i * SIZE + j] = x;
            squares += (double)x * (double)x;
        }
        for (int j = 0; j < SIZE; ++j) k.embeddings[i * SIZE + j] *= (float)(1 / sqrt(squares));
    }
    memset(k.clip, 'c', 64);
    return k;
}

static void written_and_read(void **state)
{
    (void)state;
    error err;
    known_captions k = made(), again;
    if (!known_captions_write(&k, base.path, &err) || !known_captions_read(&again, base.path, &err))
        fail_msg("%s", err.message);
    assert_true(again.count == CAPTIONS && again.size == SIZE);
    assert_string_equal(again.clip, k.clip);
    for (int i = 0; i < CAPTIONS; ++i) {
        double squares = 0;
        assert_string_equal(again.texts[i], k.texts[i]);
        for (int j = 0; j < SIZE; ++j) {
            float x = again.embeddings[i * SIZE + j];
            assert_true(fabsf(x - k.embeddings[i * SIZE + j]) < 0.01f);
            squares += (double)x * (double)x;
        }
        assert_true(fabs(squares - 1) < 1e-6);
    }
    known_captions_free(&k);
    known_captions_free(&again);
    assert_true(again.count == 0);
}

static void the_nearest(void **state)
{
    (void)state;
    known_captions k = made();
    int64_t places[CAPTIONS];
    for (int i = 0; i < CAPTIONS; ++i) { /* a row is nearest to itself */
        assert_int_equal(known_captions_near(&k, k.embeddings + i * SIZE, "none of them", CAPTIONS, places),
                         CAPTIONS);
        assert_int_equal(places[0], i);
        double last = 2;
        for (int n = 0; n < CAPTIONS; ++n) {
            double own = 0;
            for (int j = 0; j < SIZE; ++j)
                own += (double)k.embeddings[i * SIZE + j] * (double)k.embeddings[places[n] * SIZE + j];
            assert_true(own <= last);
            last = own;
        }
        int64_t two[2];
        assert_int_equal(known_captions_near(&k, k.embeddings + i * SIZE, "none of them", 2, two), 2);
        assert_memory_equal(two, places, sizeof two);
    }
    /* Neither of the two that are the caption itself. */
    assert_int_equal(known_captions_near(&k, k.embeddings, "a red square", CAPTIONS, places), CAPTIONS - 2);
    for (int n = 0; n < CAPTIONS - 2; ++n) assert_true(places[n] != 0 && places[n] != 3);
    memcpy(k.embeddings + 3 * SIZE, k.embeddings, SIZE * sizeof *k.embeddings); /* of two alike the first */
    assert_int_equal(known_captions_near(&k, k.embeddings, "", 2, places), 2);
    assert_true(places[0] == 0 && places[1] == 3);
    known_captions_free(&k);
}

/* Against shares that are added up as they are; its own picture, which is like the caption itself, where
 * that is meant for certain, and where all could be, their mean. */
static void what_is_meant(void **state)
{
    (void)state;
    const double scales[] = { 1e-9, 0.5, 14, 49.6, 100, 1e6 };
    known_captions k = made();
    const float *asked = k.embeddings + SIZE;
    for (int s = 0; s < 6; ++s) {
        double shares[CAPTIONS], sum = 0;
        float meant[SIZE];
        for (int i = 0; i < CAPTIONS; ++i) {
            double softer = KNOWN_MEANT_SHARE * scales[s],
                   logit = -softer; /* its own, the largest, is then 0 */
            for (int j = 0; j < SIZE; ++j)
                logit += softer * (double)k.embeddings[i * SIZE + j] * (double)asked[j];
            sum += shares[i] = exp(fmax(logit, -700));
        }
        known_captions_meant(&k, asked, scales[s], meant);
        for (int j = 0; j < SIZE; ++j) {
            double mean = 0, plain = 0;
            for (int i = 0; i < CAPTIONS; ++i) {
                mean += shares[i] / sum * (double)k.embeddings[i * SIZE + j];
                plain += (double)k.embeddings[i * SIZE + j] / CAPTIONS;
            }
            double own = (double)asked[j];
            assert_true(fabs((double)meant[j] - (own + 2 * mean) / 3) < 1e-5);
            if (s == 0) assert_true(fabs((double)meant[j] - (own + 2 * plain) / 3) < 1e-5);
            if (s == 5) assert_true(fabsf(meant[j] - asked[j]) < 1e-5f);
        }
    }
    known_captions_free(&k);
}

static void a_folder_without(void **state)
{
    (void)state;
    error err;
    known_captions k;
    assert_true(known_captions_read(&k, "/", &err));
    assert_int_equal(k.count, 0);
}

static void replace(uint8_t *bytes, size_t size, const char *from, const char *to, size_t length)
{
    uint8_t *at = memmem(bytes, size, from, strlen(from));
    assert_non_null(at);
    memcpy(at, to, length);
}

static void refuses(const char *from, const char *to, size_t length, const char *says)
{
    error err;
    size_t size;
    known_captions k = made();
    assert_true(known_captions_write(&k, base.path, &err));
    known_captions_free(&k);
    uint8_t *bytes = (uint8_t *)file_read(at(&base, KNOWN_FILE), &size, &err);
    assert_non_null(bytes);
    replace(bytes, size, from, to, length);
    replace(bytes, size, "\"sha256\"", "\"sha255\"", 8); /* so that the checksum is not what says it */
    assert_true(file_write(at(&base, KNOWN_FILE), bytes, size, &err));
    free(bytes);
    assert_false(known_captions_read(&k, base.path, &err));
    assert_says(&err, KNOWN_FILE);
    assert_says(&err, says);
    assert_int_equal(k.count, 0);
}

static void damaged_files(void **state)
{
    (void)state;
    error err;
    known_captions k = made();
    refuses("known captions 1", "known captions 2", 16, "metadata");
    refuses("\"seen_by\":\"cc", "\"zeen_by\":\"cc", 13, "metadata");
    refuses("\"captions\"", "\"captains\"", 10, "tensors");
    refuses("green", "gr\xffgr", 5, "no UTF-8");
    refuses("\xc3\xa9t\xc3\xa9", "e\0te\0", 5, "more captions");
    assert_true(known_captions_write(&k, base.path, &err));
    known_captions_free(&k);
    size_t size;
    char *bytes = file_read(at(&base, KNOWN_FILE), &size, &err);
    bytes[size - 3] ^= 1;
    assert_true(file_write(at(&base, KNOWN_FILE), bytes, size, &err));
    free(bytes);
    assert_false(known_captions_read(&k, base.path, &err));
    assert_says(&err, KNOWN_FILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_and_read), cmocka_unit_test(the_nearest),   cmocka_unit_test(what_is_meant),
        cmocka_unit_test(a_folder_without), cmocka_unit_test(damaged_files),
    };
    base = room_create();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    room_remove(&base);
    return failed;
}
