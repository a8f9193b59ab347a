/* probe.cl -- small kernels that show what a device can do; see host/device/opencl/probe.c.
 * Each option adds one kernel, because a device without the feature cannot compile it.
 * Options: VEC (probe_rate), PROBE_HALF, PROBE_SUBGROUPS with PROBE_SUBGROUP_SIZE (0: any), PROBE_LOCAL
 * (ints).
 * SPDX-License-Identifier: MIT */
#include "common.clh"

/* out[i] = half(in[i]), after one trip through memory and back. */
__kernel void probe_half_storage(__global half *out, const long out_offset, __global const float *in,
                                 const long in_offset, const int count)
{
    int i = (int)get_global_id(0);
    out += out_offset;
    in += in_offset;
    if (i >= count) return;
    vstore_half_rte(in[i], (size_t)i, out);
    vstore_half_rte(vload_half((size_t)i, out), (size_t)i, out);
}

/* Six independent chains of multiply-adds, `rounds` long; one work-item does 12 * VEC * rounds flops.
 * Six 16-wide chains keep both ports of a wide CPU busy and still fit sixteen 8-wide registers. */
__kernel void probe_rate(__global float *out, const long out_offset, __global const float *in, const long in_offset,
                         const int rounds)
{
    int id = (int)get_global_id(0);
    float start = in[in_offset] * 0.0f + 0.5f + (float)(id & 7) * 0.01f;
    floatv a = (floatv)(start), m = (floatv)(0.999f), s = (floatv)(0.001f);
    floatv b = a + 0.1f, c = a + 0.2f, d = a + 0.3f, e = a + 0.4f, f = a + 0.5f;
    for (int i = 0; i < rounds; ++i) {
        a = fma(a, m, s);
        b = fma(b, m, s);
        c = fma(c, m, s);
        d = fma(d, m, s);
        e = fma(e, m, s);
        f = fma(f, m, s);
    }
    a += b + c + d + e + f;
    float part[VEC];
    VSTORE_F32(a, part, 0);
    float sum = 0.0f;
    for (int j = 0; j < VEC; ++j) sum += part[j];
    out[out_offset + id] = sum;
}

#ifdef PROBE_HALF
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
__kernel void probe_half_arithmetic(__global float *out, const long out_offset, __global const float *in,
                                    const long in_offset, const int count)
{
    int i = (int)get_global_id(0);
    if (i >= count) return;
    half x = (half)in[in_offset + i];
    half y = x * x + x;
    out[out_offset + i] = (float)y;
}
#endif

#ifdef PROBE_SUBGROUPS
#ifdef cl_khr_subgroups
#pragma OPENCL EXTENSION cl_khr_subgroups : enable
#endif
#ifdef cl_intel_subgroups
#pragma OPENCL EXTENSION cl_intel_subgroups : enable
#endif
#if PROBE_SUBGROUP_SIZE
#define SIZE_ASKED_FOR __attribute__((intel_reqd_sub_group_size(PROBE_SUBGROUP_SIZE)))
#else
#define SIZE_ASKED_FOR
#endif
/* out = { size of the first subgroup, 1 if every work-item saw its subgroup's right sum }. */
SIZE_ASKED_FOR __kernel void probe_subgroups(__global int *out, const long out_offset, __global const float *in,
                              const long in_offset, const int count)
{
    __local int wrong[1024];
    int id = (int)get_local_id(0), size = (int)get_sub_group_size();
    int first = (int)get_sub_group_id() * (int)get_max_sub_group_size();
    int sum = sub_group_reduce_add(id), expected = size * first + size * (size - 1) / 2;
    wrong[id] = sum != expected;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (id != 0) return;
    int bad = 0;
    for (int i = 0; i < count; ++i) bad += wrong[i];
    out[out_offset] = size;
    out[out_offset + 1] = bad == 0 ? 1 : 0;
    if (in[in_offset] > 1e30f) out[out_offset + 1] = 2;
}
#endif

#ifdef PROBE_LOCAL
/* Work-items fill a local array in turns and read it in the opposite order: out[id] = how many were wrong. */
__kernel void probe_local(__global int *out, const long out_offset, __global const float *in, const long in_offset,
                          const int base)
{
    __local int memory[PROBE_LOCAL];
    int id = (int)get_local_id(0), items = (int)get_local_size(0), wrong = 0;
    for (int i = id; i < PROBE_LOCAL; i += items) memory[i] = base + 7 * i;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = PROBE_LOCAL - 1 - id; i >= 0; i -= items) wrong += memory[i] != base + 7 * i;
    out[out_offset + id] = wrong;
}
#endif
