/* products.c -- cuBLASLt, the library that multiplies matrices (gemm_library.h) on NVIDIA's cards: f32, f16
 * and bf16 with f32 sums, with bias and relu where it has an algorithm for them.  All that can fail because
 * of a product's shape fails while it is recorded.
 * Matrices lie by columns for it: one that lies by rows is the transposed of one that lies by columns, so
 * that a product by rows is the product of B and A.
 * SPDX-License-Identifier: MIT */
#include "host/device/cuda/launches.h"
#include "host/base/log.h"

#include <stdlib.h>

#define WORKSPACE_BYTES ((int64_t)32 << 20) /* what its faster algorithms want on the largest cards */
#define ALIGNED_MOST    256

enum { A, B, C, OPERANDS };

/* A product that is recorded: what the library needs to enqueue it. */
typedef struct lt_call {
    lt_product what;
    lt_layout layout[OPERANDS];
    cu_pointer at[OPERANDS];
    lt_algorithm algorithm;
    float alpha, beta;
    gemm_sgemm shape; /* for messages */
} lt_call;

static int type_of(dtype t)
{
    return t == DTYPE_F16 ? LT_F16 : t == DTYPE_BF16 ? LT_BF16 : LT_F32;
}

static bool takes(dtype in, dtype out)
{
    return (in == DTYPE_F16 || in == DTYPE_BF16) && (out == in || out == DTYPE_F32);
}

/* ---- Describing ------------------------------------------------------------------------------ */

static bool failed(error *err, int status, const char *call, const gemm_sgemm *s)
{
    return cuda_status_products_error(err, status, "%s(m %zu, n %zu, k %zu, batches %zu)", call, s->m, s->n,
                                      s->k, s->batches);
}

static bool make_layout(const cuda_blas *api, lt_call *c, int operand, size_t rows, size_t columns, size_t ld,
                        size_t stride, error *err)
{
    const gemm_sgemm *s = &c->shape;
    const int32_t batches = (int32_t)s->batches;
    const int64_t apart = (int64_t)stride;
    int status = api->cublasLtMatrixLayoutCreate(&c->layout[operand], type_of(operand == C ? s->out : s->in),
                                                 rows, columns, (int64_t)ld);
    if (status != LT_SUCCESS) {
        c->layout[operand] = NULL;
        return failed(err, status, "cublasLtMatrixLayoutCreate", s);
    }
    if (batches == 1) return true;
    status = api->cublasLtMatrixLayoutSetAttribute(c->layout[operand], LT_LAYOUT_BATCHES, &batches,
                                                   sizeof batches);
    if (status == LT_SUCCESS)
        status =
            api->cublasLtMatrixLayoutSetAttribute(c->layout[operand], LT_LAYOUT_STRIDE, &apart, sizeof apart);
    return status == LT_SUCCESS || failed(err, status, "cublasLtMatrixLayoutSetAttribute", s);
}

static cu_pointer place(const device_buffer *b, size_t offset, dtype type)
{
    return cuda_memory(b) + offset * dtype_bytes(type);
}

/* The operands as the library has them: by rows, A is the second. */
static bool make_layouts(const cuda_blas *api, lt_call *c, error *err)
{
    const gemm_sgemm *s = &c->shape;
    const bool turned = !s->columns_first;
    const size_t m = turned ? s->n : s->m, n = turned ? s->m : s->n, k = s->k;
    const bool first = turned ? s->b_transpose : s->a_transpose,
               second = turned ? s->a_transpose : s->b_transpose;
    c->at[A] = turned ? place(s->b, s->b_offset, s->in) : place(s->a, s->a_offset, s->in);
    c->at[B] = turned ? place(s->a, s->a_offset, s->in) : place(s->b, s->b_offset, s->in);
    c->at[C] = place(s->c, s->c_offset, s->out);
    return make_layout(api, c, A, first ? k : m, first ? m : k, turned ? s->b_ld : s->a_ld,
                       turned ? s->b_stride : s->a_stride, err) &&
           make_layout(api, c, B, second ? n : k, second ? k : n, turned ? s->a_ld : s->b_ld,
                       turned ? s->a_stride : s->b_stride, err) &&
           make_layout(api, c, C, m, n, s->c_ld, s->c_stride, err);
}

static bool set(const cuda_blas *api, lt_call *c, int what, const void *value, size_t bytes, error *err)
{
    const int status = api->cublasLtMatmulDescSetAttribute(c->what, what, value, bytes);
    return status == LT_SUCCESS || failed(err, status, "cublasLtMatmulDescSetAttribute", &c->shape);
}

static bool make_product(const cuda_blas *api, lt_call *c, error *err)
{
    const gemm_sgemm *s = &c->shape;
    const bool turned = !s->columns_first;
    const int32_t first = turned ? s->b_transpose : s->a_transpose,
                  second = turned ? s->a_transpose : s->b_transpose,
                  end = (s->relu ? LT_EPILOGUE_RELU : 0) | (s->bias ? LT_EPILOGUE_BIAS : 0),
                  type = type_of(s->out);
    const cu_pointer bias = s->bias ? place(s->bias, s->bias_offset, s->out) : 0;
    const int status = api->cublasLtMatmulDescCreate(&c->what, LT_COMPUTE_F32, LT_F32);
    if (status != LT_SUCCESS) {
        c->what = NULL;
        return failed(err, status, "cublasLtMatmulDescCreate", s);
    }
    return set(api, c, LT_PRODUCT_TRANSPOSE_A, &first, sizeof first, err) &&
           set(api, c, LT_PRODUCT_TRANSPOSE_B, &second, sizeof second, err) &&
           (!end || set(api, c, LT_PRODUCT_EPILOGUE, &end, sizeof end, err)) &&
           (!bias || (set(api, c, LT_PRODUCT_BIAS, &bias, sizeof bias, err) &&
                      set(api, c, LT_PRODUCT_BIAS_TYPE, &type, sizeof type, err)));
}

/* ---- The algorithm --------------------------------------------------------------------------- */

/* The largest power of two that divides the address. */
static uint32_t alignment(cu_pointer at)
{
    uint32_t bytes = 1;
    while (bytes < ALIGNED_MOST && at % (2 * bytes) == 0) bytes *= 2;
    return bytes;
}

static int64_t workspace_bytes(const device *d)
{
    const int64_t share = d->info.memory_bytes / 64;
    return share < WORKSPACE_BYTES ? share : WORKSPACE_BYTES;
}

static int prefer(const cuda_blas *api, lt_preference how, const device *d, const lt_call *c)
{
    const size_t bytes = (size_t)workspace_bytes(d);
    int status =
        api->cublasLtMatmulPreferenceSetAttribute(how, LT_PREFERENCE_WORKSPACE, &bytes, sizeof bytes);
    for (int i = 0; i < OPERANDS + 1 && status == LT_SUCCESS; ++i) {
        const uint32_t aligned = alignment(c->at[i < C ? i : C]);
        status = api->cublasLtMatmulPreferenceSetAttribute(how, LT_PREFERENCE_ALIGNMENT_A + i, &aligned,
                                                           sizeof aligned);
    }
    return status;
}

static bool choose(device *d, lt_call *c, error *err)
{
    const cuda_blas *api = cuda(d)->blas;
    lt_preference how = NULL;
    lt_result found = { .state = LT_NOT_SUPPORTED };
    int count = 0;
    int status = api->cublasLtMatmulPreferenceCreate(&how);
    if (status != LT_SUCCESS) return failed(err, status, "cublasLtMatmulPreferenceCreate", &c->shape);
    status = prefer(api, how, d, c);
    if (status == LT_SUCCESS)
        status = api->cublasLtMatmulAlgoGetHeuristic(cuda(d)->products, c->what, c->layout[A], c->layout[B],
                                                     c->layout[C], c->layout[C], how, 1, &found, &count);
    api->cublasLtMatmulPreferenceDestroy(how);
    if (status == LT_SUCCESS && (count < 1 || found.state != LT_SUCCESS)) status = LT_NOT_SUPPORTED;
    if (status != LT_SUCCESS) return failed(err, status, "cublasLtMatmulAlgoGetHeuristic", &c->shape);
    c->algorithm = found.algorithm;
    return true;
}

static void call_end(device *d, void *context)
{
    const cuda_blas *api = cuda(d)->blas;
    lt_call *c = context;
    for (int i = 0; i < OPERANDS; ++i)
        if (c->layout[i]) api->cublasLtMatrixLayoutDestroy(c->layout[i]);
    if (c->what) api->cublasLtMatmulDescDestroy(c->what);
}

static lt_call *call_make(device *d, const gemm_sgemm *s, error *err)
{
    lt_call *c = calloc(1, sizeof *c);
    if (!c) return error_null(err, ERROR_MEMORY, "out of memory for a product");
    c->shape = *s;
    c->alpha = s->alpha;
    c->beta = s->beta;
    if (make_product(cuda(d)->blas, c, err) && make_layouts(cuda(d)->blas, c, err) && choose(d, c, err))
        return c;
    call_end(d, c);
    free(c);
    return NULL;
}

/* ---- As a library ---------------------------------------------------------------------------- */

/* The handle and the workspace, when the first product is recorded. */
static bool reserve(device *d, const gemm_sgemm *s, error *err)
{
    cuda_device *c = cuda(d);
    (void)s;
    if (!cuda_connect_enter(d, err) || !c->blas) return false;
    if (!c->products) {
        const int status = c->blas->cublasLtCreate(&c->products);
        if (status != LT_SUCCESS) {
            c->products = NULL;
            return cuda_status_products_error(err, status, "cublasLtCreate(%s)", d->info.name);
        }
    }
    if (c->workspace) return true;
    c->workspace = device_buffer_create(d, workspace_bytes(d), err);
    if (!c->workspace) return error_prefix(err, "cuBLASLt's workspace");
    d->library_held = workspace_bytes(d);
    return true;
}

static bool scratch(device *d, const gemm_sgemm *s, int64_t *bytes, error *err)
{
    (void)s;
    (void)err;
    *bytes = workspace_bytes(d);
    return true;
}

static bool run(device *d, void *context, error *err)
{
    const cuda_device *o = cuda(d);
    const lt_call *c = context;
    void *at[OPERANDS];
    for (int i = 0; i < OPERANDS; ++i) at[i] = (void *)(uintptr_t)c->at[i];
    const int status = o->blas->cublasLtMatmul(
        o->products, c->what, &c->alpha, at[A], c->layout[A], at[B], c->layout[B], &c->beta, at[C],
        c->layout[C], at[C], c->layout[C], &c->algorithm, (void *)(uintptr_t)cuda_memory(o->workspace),
        (size_t)o->workspace->bytes, o->stream[DEVICE_COMPUTE]);
    return status == LT_SUCCESS || failed(err, status, "cublasLtMatmul", &c->shape);
}

static bool ends(device *d, const gemm_sgemm *s)
{
    lt_call *c = call_make(d, s, NULL);
    if (c) call_end(d, c);
    free(c);
    return c != NULL;
}

static bool add(device_launches *list, const char *label, const gemm_sgemm *s, error *err)
{
    lt_call *c = call_make(list->owner, s, err);
    if (!c) return false;
    cuda_item item = { .kind = CUDA_PRODUCT, .call = run, .context = c, .end = call_end };
    return cuda_launch_append(list, &item, label, err);
}

static bool multiply(device *d, const gemm_sgemm *s, error *err)
{
    lt_call *c = call_make(d, s, err);
    const bool ok = c && run(d, c, err);
    if (c) call_end(d, c);
    free(c);
    return ok;
}

void cuda_products_close(device *d)
{
    cuda_device *c = cuda(d);
    device_buffer_destroy(c->workspace);
    if (c->products) c->blas->cublasLtDestroy(c->products);
    c->workspace = NULL;
    c->products = NULL;
}

/* Without the library, products are made by kernels of ours. */
static bool supports(device *d, const gemm_desc *desc)
{
    cuda_device *c = cuda(d);
    if (!c->blas_asked) {
        error why = { 0 };
        c->blas_asked = true;
        c->blas = cuda_blas_load(&why);
        if (!c->blas) log_warn("'%s' multiplies matrices slowly: %s", d->info.name, why.message);
    }
    return c->blas && gemm_library_supports(d, desc);
}

const gemm_library cuda_products = { .name = "cublaslt",
                                     .reserve = reserve,
                                     .multiply = multiply,
                                     .scratch = scratch,
                                     .takes = takes,
                                     .ends = ends,
                                     .add = add,
                                     .divides = true };
const gemm_provider cuda_products_gemm = { "cublaslt", supports, gemm_library_plan, gemm_library_record,
                                           gemm_library_variant };
