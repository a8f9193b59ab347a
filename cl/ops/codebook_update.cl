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
#ifndef SCRATCH_STORE
#define SCRATCH_STORE STORE_F32
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

/* scratch[0] = sum of N, scratch[1 + k] = N of code k before it is perhaps revived.  No early return: PoCL
 * goes wrong where one stands before a barrier. */
__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void codebook_usage(TENSOR_OUT(USAGE_STORE, usage), TENSOR_OUT(SCRATCH_STORE, scratch),
                    TENSOR_IN(COUNTS_STORE, counts), TENSOR_IN(FLAG_STORE, flag), const int codes,
                    const float decay, const float rest, const float revive)
{
    REDUCE_DECLARE(lanes);
    TENSOR_BEGIN(usage);
    TENSOR_BEGIN(scratch);
    TENSOR_BEGIN(counts);
    const int end = flag[flag_offset] != 0 ? codes : 0;
    float sum = 0.0f;
    for (int k = (int)get_local_id(0); k < end; k += LANES) {
        const float now = decay * usage[k] + rest * counts[k];
        scratch[1 + k] = now;
        usage[k] = now < revive ? GRACE * revive : now;
        sum += now;
    }
    const float all = reduce_sum(sum, lanes);
    if (get_local_id(0) == 0) scratch[0] = all;
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void codebook_codes(TENSOR_OUT(CODEBOOK_STORE, codebook), TENSOR_OUT(MEAN_STORE, mean),
                    TENSOR_IN(SCRATCH_STORE, scratch), TENSOR_IN(COUNTS_STORE, counts),
                    TENSOR_IN(SUMS_STORE, sums), TENSOR_IN(Z_STORE, z), TENSOR_IN(RANDOM_STORE, random),
                    TENSOR_IN(FLAG_STORE, flag), const int rows,
                    const int codes, const int columns, const uint stream, const float decay,
                    const float rest, const float revive)
{
    TENSOR_BEGIN(scratch);
    TENSOR_BEGIN(counts);
    TENSOR_BEGIN(random);
    if (flag[flag_offset] == 0) return;
    const int code = (int)get_group_id(0);
    const float all = scratch[0], many = scratch[1 + code];
    const bool dead = many < revive, used = counts[code] != 0.0f;
    const float smooth = (many + SMOOTHING) / (all + SMOOTHING * convert_float(codes)) * all;
    const float scale = smooth > 0.0f ? 1.0f / smooth : 0.0f;
    const uint row = philox_below(philox_begin(random, stream), (uint)code, (uint)rows);
    codebook += codebook_offset + (long)code * columns;
    mean += mean_offset + (long)code * columns;
    sums += sums_offset + (long)code * columns;
    z += z_offset + (long)row * columns;
    for (int i = (int)get_local_id(0); i < columns; i += LANES) {
        const float moved = decay * mean[i] + rest * sums[i];
        const float fresh = dead ? LOAD(Z_STORE, z, i) : moved * scale;
        mean[i] = dead ? fresh * (GRACE * revive) : moved;
        if (dead || used) STORE(CODEBOOK_STORE, fresh, codebook, i);
    }
}
