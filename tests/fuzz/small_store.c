/* small_store.c -- see small_store.h.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/small_store.h"
#include "host/train/pieces.h"
#include "tests/device/host_device.h"
#include "tests/fuzz/fuzz.h"

const device_backend *const device_backends[] = { &host_backend, NULL };

/* One rank's pieces are wholes: what the real ones, which need ranks and graphs, do then. */
bool pieces_read(store *s, const store_entry *e, int64_t first, int64_t count, void *values, error *err)
{
    return store_read_part(s, e, first, count, values, err);
}

bool pieces_read_f32(store *s, const store_entry *e, int64_t first, int64_t count, float *values, error *err)
{
    return store_read_part_f32(s, e, first, count, values, err);
}

bool pieces_write(store *s, store_entry *e, int64_t first, int64_t count, const void *values, error *err)
{
    return store_write_part(s, e, first, count, values, err);
}

bool pieces_write_f32(store *s, store_entry *e, int64_t first, int64_t count, const float *values, error *err)
{
    return store_write_part_f32(s, e, first, count, values, err);
}

static store *made; /* so that it is no leak */

store *small_store(void)
{
    error err = { 0 };
    device *d = device_open("host", &err);
    fuzz_must(d != NULL, err.message);
    store *s = made = store_create(d, &err);
    fuzz_must(s != NULL, err.message);
    store_entry *weight = store_declare(s, "weight", STORE_PARAMETER, DTYPE_F32, 2, (int64_t[]){ 3, 4 });
    fuzz_must(weight && store_declare_kin(s, weight, STORE_MEAN, DTYPE_F32), "a mean can be declared");
    fuzz_must(store_declare_kin(s, weight, STORE_AVERAGE, DTYPE_F32) != NULL, "an average can be declared");
    store_declare(s, "codes", STORE_LEARNT, DTYPE_F16, 1, (int64_t[]){ 6 });
    store_declare(s, "count", STORE_STATE, DTYPE_I32, 0, NULL);
    fuzz_must(store_allocate(s, 1, &err), err.message);
    return s;
}

void small_store_fill(store *s, float value)
{
    float values[SMALL_STORE_VALUES];
    for (int i = 0; i < SMALL_STORE_VALUES; ++i) values[i] = value;
    fuzz_must(store_write_f32(s, store_find(s, "weight"), values, NULL), "values can be written");
}

void small_store_read(store *s, float values[SMALL_STORE_VALUES])
{
    fuzz_must(store_read_f32(s, store_find(s, "weight"), values, NULL), "values can be read");
}
