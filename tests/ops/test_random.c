/* cl/random.clh against host/base/philox.c, bit for bit, through the operators' own kernel file.
 * SPDX-License-Identifier: MIT */
#include "tests/ops/rig.h"

#define COUNT 5003

static int compare(rig *r, uint64_t seed, uint32_t step, uint32_t stream, uint32_t first)
{
    error err = { 0 };
    int wrong = 0;
    const int32_t control[] = { (int32_t)(uint32_t)seed, (int32_t)(uint32_t)(seed >> 32), (int32_t)step, 0 };
    uint32_t *got = malloc(3 * COUNT * sizeof *got);
    device_buffer *random = device_buffer_create(r->device, sizeof control, &err);
    device_buffer *out = device_buffer_create(r->device, 3 * COUNT * (int64_t)sizeof *got, &err);
    device_launches *list = device_launches_create(r->device, &err);
    device_launch launch = { .file = "ops/dropout",
                             .kernel = "random_table",
                             .options = "-DLANES=1 -DVEC=16",
                             .label = "random",
                             .rank = 1,
                             .global = { COUNT },
                             .local = { 1 } };
    launch.args[0] = (device_arg){ .kind = DEVICE_ARG_BUFFER, .buffer = out };
    launch.args[1] = (device_arg){ .kind = DEVICE_ARG_BUFFER, .buffer = random };
    const uint32_t values[] = { COUNT, stream, first, 1000 };
    for (int i = 0; i < 4; ++i)
        launch.args[2 + i] = (device_arg){ .kind = DEVICE_ARG_INT, .integer = (int32_t)values[i] };
    launch.arg_count = 6;
    rig_must(random && out && list && device_write(r->device, random, 0, control, sizeof control, &err) &&
                 device_launches_add(list, &launch, &err) && device_launches_run(list, 0, 1, &err) &&
                 device_read(r->device, out, 0, got, 3 * COUNT * (int64_t)sizeof *got, &err),
             &err, "random_table");
    const philox p = { seed, step, stream };
    for (uint32_t i = 0; i < COUNT; ++i) {
        float uniform = philox_uniform(&p, first + i), drawn;
        memcpy(&drawn, &got[3 * i + 1], sizeof drawn);
        wrong += got[3 * i] != philox_bits(&p, first + i) || memcmp(&drawn, &uniform, sizeof drawn) != 0 ||
                 got[3 * i + 2] != philox_below(&p, first + i, 1000);
    }
    if (wrong) fprintf(stderr, "random: %d of %d draws differ from the host's\n", wrong, COUNT);
    device_launches_destroy(list);
    device_buffer_destroy(out);
    device_buffer_destroy(random);
    free(got);
    return wrong;
}

int main(void)
{
    rig r = rig_open(0);
    int wrong = compare(&r, 0, 0, 0, 0) + compare(&r, 0x123456789abcdef0u, 77, 0xdeadbeefu, 1) +
                compare(&r, UINT64_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX - 2000) +
                compare(&r, 42, 3, philox_stream("block.3.dropout"), 1u << 31);
    rig_close(&r);
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
