/* codebook_update.cl -- the EMA update of a codebook [codes, columns], in place; see the host file.
 * First one work-group brings usage up to date and adds it up; then a work-group owns each code.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "random.clh"
#include "reduce.clh"

#ifndef CODEBOOK_STORE
#define CODEBOOK_STORE STORE_F32
#endif
#ifndef USAGE_STORE
#define USAGE_STORE STORE_F32
#endif
#ifndef MEAN_STORE
#define MEAN_STORE STORE_F32
#endif
#ifndef TOTAL_STORE
#define TOTAL_STORE STORE_F32
#endif
#ifndef COUNTS_STORE
#define COUNTS_STORE STORE_F32
#endif
#ifndef SUMS_STORE
#define SUMS_STORE STORE_F32
#endif
#ifndef Z_STORE
#define Z_STORE STORE_F32
#endif
#ifndef RANDOM_STORE
#define RANDOM_STORE STORE_I32
#endif
#ifndef FLAG_STORE
#define FLAG_STORE STORE_I32
#endif
#define SMOOTHING 1e-5f
/* A revived code starts so far above the threshold: at a decay of 0.99 it has some 230 steps to be used. */
#define GRACE 10.0f

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void codebook_usage(TENSOR_OUT(USAGE_STORE, usage), TENSOR_OUT(TOTAL_STORE, total),
                    TENSOR_IN(COUNTS_STORE, counts), TENSOR_IN(FLAG_STORE, flag), const int codes,
                    const float decay, const float rest)
{
    REDUCE_DECLARE(scratch);
    TENSOR_BEGIN(usage);
    TENSOR_BEGIN(counts);
    if (flag[flag_offset] == 0) return;
    float sum = 0.0f;
    for (int k = (int)get_local_id(0); k < codes; k += LANES) {
        const float now = decay * usage[k] + rest * counts[k];
        usage[k] = now;
        sum += now;
    }
    const float all = reduce_sum(sum, scratch);
    if (get_local_id(0) == 0) total[total_offset] = all;
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void codebook_codes(TENSOR_OUT(CODEBOOK_STORE, codebook), TENSOR_OUT(USAGE_STORE, usage),
                    TENSOR_OUT(MEAN_STORE, mean), TENSOR_IN(TOTAL_STORE, total), TENSOR_IN(SUMS_STORE, sums),
                    TENSOR_IN(Z_STORE, z), TENSOR_IN(RANDOM_STORE, random), TENSOR_IN(FLAG_STORE, flag),
                    const int rows, const int codes, const int columns, const uint stream, const float decay,
                    const float rest, const float revive)
{
    TENSOR_BEGIN(usage);
    TENSOR_BEGIN(random);
    if (flag[flag_offset] == 0) return;
    const int code = (int)get_group_id(0);
    const float many = usage[code], all = total[total_offset];
#if LANES > 1
    barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE); /* all have read usage before one may set it */
#endif
    codebook += codebook_offset + (long)code * columns;
    mean += mean_offset + (long)code * columns;
    sums += sums_offset + (long)code * columns;
    const bool dead = many < revive;
    const float smooth = (many + SMOOTHING) / (all + SMOOTHING * convert_float(codes)) * all;
    const float scale = smooth > 0.0f ? 1.0f / smooth : 0.0f;
    if (dead) {
        const uint row = philox_below(philox_begin(random, stream), (uint)code, (uint)rows);
        z += z_offset + (long)row * columns;
        if (get_local_id(0) == 0) usage[code] = GRACE * revive;
    }
    for (int i = (int)get_local_id(0); i < columns; i += LANES) {
        const float moved = decay * mean[i] + rest * sums[i];
        const float fresh = dead ? LOAD(Z_STORE, z, i) : moved * scale;
        mean[i] = dead ? fresh * (GRACE * revive) : moved;
        STORE(CODEBOOK_STORE, fresh, codebook, i);
    }
}
