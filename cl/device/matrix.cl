/* matrix.cl -- one product on a device's matrix unit, to see whether it gives the right numbers.
 * in: A[16][16], then B transposed, [16][16], both half, two to a uint; out: C[16][16] float, of which each
 * unit fills the rows and columns that one of its instructions makes.  One subgroup runs it.
 * Options: one of PROBE_NVIDIA_MMA, PROBE_INTEL_DPAS (subgroup size 8 or 16), PROBE_AMD_WMMA, PROBE_AMD_MFMA.
 * Sources of the fragments' layouts: PTX ISA, "Matrix Fragments for mma.m16n8k16"; Khronos registry,
 * cl_intel_subgroup_matrix_multiply_accumulate; AMD's RDNA 3 and CDNA 2 instruction set guides.
 * SPDX-License-Identifier: MIT */

#define HALVES 16            /* of A's and B's rows */
#define WORDS  (HALVES / 2)  /* the same in uints */
#define PROBE(name) \
    name(__global float *out, const long out_offset, __global const uint *in, const long in_offset, \
         const int count)

#ifdef PROBE_NVIDIA_MMA
/* 16 x 8 in 32 work-items: four in a row hold pairs along k, a row's quarter each. */
__kernel void PROBE(probe_matrix)
{
    const int lane = (int)get_local_id(0), group = lane >> 2, pair = lane & 3;
    __global const uint *a = in + in_offset, *b = a + HALVES * WORDS;
    float c0 = 0.0f, c1 = 0.0f, c2 = 0.0f, c3 = 0.0f;
    const uint a0 = a[group * WORDS + pair], a1 = a[(group + 8) * WORDS + pair];
    const uint a2 = a[group * WORDS + pair + 4], a3 = a[(group + 8) * WORDS + pair + 4];
    const uint b0 = b[group * WORDS + pair], b1 = b[group * WORDS + pair + 4];
    __asm__ volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                     "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                     : "+f"(c0), "+f"(c1), "+f"(c2), "+f"(c3)
                     : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
    out += out_offset + group * HALVES + pair * 2;
    out[0] = c0;
    out[1] = c1;
    out[8 * HALVES] = c2;
    out[8 * HALVES + 1] = c3;
}
#endif

#ifdef PROBE_INTEL_DPAS
/* 8 x (subgroup size): component i of A is row i, component i of B rows 2i and 2i + 1. */
#if PROBE_INTEL_DPAS == 8
#define A_ROWS int8
#else
#define A_ROWS short8
#endif
float8 __attribute__((overloadable)) intel_sub_group_f16_f16_matrix_mad_k16(A_ROWS a, int8 b, float8 c);

__attribute__((intel_reqd_sub_group_size(PROBE_INTEL_DPAS))) __kernel void PROBE(probe_matrix)
{
    const int lane = (int)get_local_id(0);
    __global const uint *b = in + in_offset + HALVES * WORDS + lane * WORDS;
    A_ROWS rows;
    union { int8 all; int one[8]; } columns;
    union { float8 all; float one[8]; } c;
#if PROBE_INTEL_DPAS == 8
    __global const int *a = (__global const int *)(in + in_offset) + lane;
    rows = (int8)(a[0], a[8], a[16], a[24], a[32], a[40], a[48], a[56]);
#else
    __global const short *a = (__global const short *)(in + in_offset) + lane;
    rows = (short8)(a[0], a[16], a[32], a[48], a[64], a[80], a[96], a[112]);
#endif
    for (int i = 0; i < 8; ++i) columns.one[i] = (int)b[i];
    c.all = intel_sub_group_f16_f16_matrix_mad_k16(rows, columns.all, (float8)(0.0f));
    for (int i = 0; i < 8; ++i) out[out_offset + i * HALVES + lane] = c.one[i];
}
#endif

#ifdef PROBE_AMD_WMMA
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
/* 16 x 16 in 32 work-items; each half of them holds all of A and B, and every other row of C. */
__kernel void PROBE(probe_matrix)
{
    const int lane = (int)get_local_id(0), n = lane & 15;
    __global const half *a = (__global const half *)(in + in_offset), *b = a + HALVES * HALVES;
    union { float8 all; float one[8]; } c;
    c.all = __builtin_amdgcn_wmma_f32_16x16x16_f16_w32(vload16(n, a), vload16(n, b), (float8)(0.0f));
    for (int i = 0; i < 8; ++i) out[out_offset + (2 * i + (lane >> 4)) * HALVES + n] = c.one[i];
}
#endif

#ifdef PROBE_AMD_MFMA
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
/* 16 x 16 in 64 work-items; a quarter of them holds four of the sixteen k, and four rows of C. */
__kernel void PROBE(probe_matrix)
{
    const int lane = (int)get_local_id(0), n = lane & 15, quarter = lane >> 4;
    __global const half *a = (__global const half *)(in + in_offset), *b = a + HALVES * HALVES;
    union { float4 all; float one[4]; } c;
    c.all = __builtin_amdgcn_mfma_f32_16x16x16f16(vload4(n * 4 + quarter, a), vload4(n * 4 + quarter, b),
                                                  (float4)(0.0f), 0, 0, 0);
    for (int i = 0; i < 4; ++i) out[out_offset + (quarter * 4 + i) * HALVES + n] = c.one[i];
}
#endif
