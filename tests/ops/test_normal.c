/* Normal numbers against the host's draws, their distribution, and that a sample's are its own.
 * SPDX-License-Identifier: MIT */
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

#include <stdlib.h>

enum { SAMPLES = 60, SIZE = 1667, COUNT = SAMPLES * SIZE };

static int compare_numbers(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov's distance of 100,020 numbers, above 0.0064 with a probability of 5e-4; and the
 * correlation of neighbours, of deviation 0.0032. */
static int check_distribution(float *v)
{
    double distance = 0, product = 0;
    for (int i = 1; i < COUNT; ++i) product += (double)v[i] * (double)v[i - 1] / COUNT;
    qsort(v, COUNT, sizeof *v, compare_numbers);
    for (int i = 0; i < COUNT; ++i) {
        double below = 0.5 * erfc(-(double)v[i] / sqrt(2.0));
        distance =
            fmax(distance, fmax(fabs(below - i / (double)COUNT), fabs(below - (i + 1) / (double)COUNT)));
    }
    if (distance < 0.0064 && fabs(product) < 0.013) return EXIT_SUCCESS;
    fprintf(stderr, "normal: the distance from the distribution is %g, the correlation of neighbours %g\n",
            distance, product);
    return EXIT_FAILURE;
}

int main(void)
{
    int wrong = EXIT_SUCCESS;
    rig r = rig_open(0);
    tensor *random = rig_input(&r, "random", DTYPE_I32, RIG_DIM(4));
    tensor *y = op_normal(rig_input(&r, "x", DTYPE_F32, RIG_DIM(SAMPLES, SIZE)), random);
    graph_keep(y);
    rig_compile(&r);
    float *v = malloc(COUNT * sizeof *v), *later = malloc(COUNT * sizeof *v);
    rig_write(random, (int32_t[]){ 5, 0, 2, 0 });
    rig_run(&r);
    rig_read(y, v);
    rig_write(random, (int32_t[]){ 5, 0, 2, 7 });
    rig_run(&r);
    rig_read(y, later);
    if (memcmp(v + 7 * SIZE, later, (SAMPLES - 7) * SIZE * sizeof *v) != 0) {
        fprintf(stderr, "normal: a sample's numbers depend on its place in the batch\n");
        wrong = EXIT_FAILURE;
    }
    wrong |= check_distribution(v);
    free(v);
    free(later);
    rig_close(&r);
    int status = op_check_tables(normal_tests);
    return status ? status : wrong;
}
