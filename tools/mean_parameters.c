/* mean_parameters.c -- writes the mean of two models' parameters (mean.h).
 *     mean_parameters BEFORE.safetensors AFTER.safetensors OUT.safetensors
 * SPDX-License-Identifier: MIT */
#include "tools/mean.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    error err = { 0 };
    if (argc != 4) {
        fprintf(stderr, "usage: mean_parameters BEFORE.safetensors AFTER.safetensors OUT.safetensors\n");
        return 2;
    }
    if (mean_parameters(argv[1], argv[2], argv[3], &err)) return 0;
    fprintf(stderr, "mean_parameters: %s\n", err.message);
    return 1;
}
