/* clblast.c -- CLBlast, the library that multiplies matrices (gemm_library.h) on OpenCL.
 * CLBlast 1.5.3; everything here runs on one thread, as its caches need.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"

#include <clblast_c.h>

/* PoCL's devices are unknown to CLBlast's database, whose general defaults run at less than half. */
static bool override_parameters(device *d, error *err)
{
    static const char *names[] = { "GEMMK", "KREG", "KWG", "KWI", "MDIMA", "MDIMC", "MWG", "NDIMB",
                                   "NDIMC", "NWG",  "SA",  "SB",  "STRM",  "STRN",  "VWM", "VWN" };
    static const size_t values[] = { 0, 1, 32, 2, 8, 8, 64, 8, 8, 64, 1, 1, 0, 0, 4, 4 };
    opencl_device *o = opencl(d);
    if (o->clblast_parameters || d->info.kind != DEVICE_CPU) return true;
    CLBlastStatusCode status = CLBlastOverrideParameters(o->id, "Xgemm", CLBlastPrecisionSingle,
                                                         sizeof names / sizeof *names, names, values);
    o->clblast_parameters = status == CLBlastSuccess;
    return status == CLBlastSuccess || status_error(err, (cl_int)status, "CLBlastOverrideParameters");
}

static CLBlastLayout order_of(const gemm_sgemm *s)
{
    return s->columns_first ? CLBlastLayoutColMajor : CLBlastLayoutRowMajor;
}

static CLBlastTranspose transpose_if(bool yes)
{
    return yes ? CLBlastTransposeYes : CLBlastTransposeNo;
}

static bool scratch_bytes(device *d, const gemm_sgemm *s, int64_t *of, error *err)
{
    opencl_device *o = opencl(d);
    size_t bytes = 0;
    if (!override_parameters(d, err)) return false;
    CLBlastStatusCode status = CLBlastSGemmTempBufferSize(
        order_of(s), transpose_if(s->a_transpose), transpose_if(s->b_transpose), s->m, s->n, s->k,
        s->a_offset, s->a_ld, s->b_offset, s->b_ld, s->c_offset, s->c_ld, &o->queue[DEVICE_COMPUTE], &bytes);
    *of = (int64_t)bytes;
    return status == CLBlastSuccess || status_error(err, (cl_int)status, "CLBlastSGemmTempBufferSize");
}

/* The driver's scratch for padded copies: one per device, grown when a call needs more.  The queue is
 * in order, so calls can share it, and a buffer outgrown lives until the calls before are done. */
static bool reserve_scratch(device *d, const gemm_sgemm *s, cl_mem *scratch, error *err)
{
    opencl_device *o = opencl(d);
    int64_t bytes = 0;
    *scratch = NULL;
    if (!scratch_bytes(d, s, &bytes, err)) return false;
    if (bytes == 0) return true;
    if (d->library_held < bytes) {
        device_buffer_destroy(o->scratch);
        d->library_held = 0;
        o->scratch = device_buffer_create(d, bytes, err);
        if (!o->scratch) return error_prefix(err, "clblast's scratch");
        d->library_held = bytes;
    }
    *scratch = opencl_memory(o->scratch);
    return true;
}

static bool reserve(device *d, const gemm_sgemm *s, error *err)
{
    cl_mem scratch;
    return override_parameters(d, err) && (s->batches > 1 || reserve_scratch(d, s, &scratch, err));
}

static bool multiply(device *d, const gemm_sgemm *s, error *err)
{
    cl_command_queue *queue = &opencl(d)->queue[DEVICE_COMPUTE];
    const cl_mem a = opencl_memory(s->a), b = opencl_memory(s->b), c = opencl_memory(s->c);
    const CLBlastTranspose a_transpose = transpose_if(s->a_transpose),
                           b_transpose = transpose_if(s->b_transpose);
    CLBlastStatusCode status;
    if (s->batches == 1) {
        cl_mem scratch;
        if (!reserve_scratch(d, s, &scratch, err)) return false;
        status = CLBlastSgemmWithTempBuffer(order_of(s), a_transpose, b_transpose, s->m, s->n, s->k, s->alpha,
                                            a, s->a_offset, s->a_ld, b, s->b_offset, s->b_ld, s->beta, c,
                                            s->c_offset, s->c_ld, queue, NULL, scratch);
    } else {
        status = CLBlastSgemmStridedBatched(order_of(s), a_transpose, b_transpose, s->m, s->n, s->k, s->alpha,
                                            a, s->a_offset, s->a_ld, s->a_stride, b, s->b_offset, s->b_ld,
                                            s->b_stride, s->beta, c, s->c_offset, s->c_ld, s->c_stride,
                                            s->batches, queue, NULL);
    }
    if (status == CLBlastSuccess) return true;
    return status_error(err, (cl_int)status, "CLBlastSgemm%s(m %zu, n %zu, k %zu, batches %zu)",
                        s->batches == 1 ? "WithTempBuffer" : "StridedBatched", s->m, s->n, s->k, s->batches);
}

const gemm_library clblast = {
    .name = "clblast", .reserve = reserve, .multiply = multiply, .scratch = scratch_bytes
};
const gemm_provider gemm_clblast = { "clblast", gemm_library_supports, gemm_library_plan, gemm_library_record,
                                     gemm_library_variant };
