/* probe_join.cl -- two launches that only come out right joined if every group of the second waits for all of
 * the first, and if loops may be longer than some drivers' 65,536 passes. out: eight counts, and at 64 eight
 * sums of them.
 * SPDX-License-Identifier: MIT */

__kernel void probe_join_count(__global int *out, const long out_offset, __global const float *in, const long in_offset,
                               const int passes)
{
    const int g = (int)get_group_id(0);
    volatile int passed = 0;
    while (passed < passes) ++passed;
    out[out_offset + g] += passed + out[out_offset + 64 + 7 - g] % 5 + (in[in_offset] > 1e30f);
}

__kernel void probe_join_sum(__global int *out, const long out_offset, __global const float *in, const long in_offset,
                             const int weight)
{
    const int g = (int)get_group_id(0);
    int sum = in[in_offset] > 1e30f;
    for (int i = 0; i < 8; ++i) sum += out[out_offset + i] % (g + 2) * weight;
    out[out_offset + 64 + g] = sum;
}
