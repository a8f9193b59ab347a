/* api.h -- what of NVIDIA's three libraries is called, declared by us and found while running: the driver
 * (libcuda), the compiler (libnvrtc) and the products (libcublasLt).  So nothing of NVIDIA's is needed to
 * build, and a program built here runs where there is none.  Names, types and numbers are the libraries' own,
 * whose binary interface does not change: the driver's since CUDA 11.4.
 * Names: cuda_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_CUDA_API_H
#define DALLE_CL_DEVICE_CUDA_API_H

#include "host/base/error.h"
#include <stddef.h>
#include <stdint.h>

/* ---- The driver ------------------------------------------------------------------------------ */

typedef uint64_t cu_pointer; /* CUdeviceptr */
typedef struct cu_context *cu_context;
typedef struct cu_stream *cu_stream;
typedef struct cu_event *cu_event;
typedef struct cu_module *cu_module;
typedef struct cu_function *cu_function;
typedef struct cu_graph *cu_graph;
typedef struct cu_replay *cu_replay; /* CUgraphExec */

enum {
    CU_SUCCESS = 0,
    CU_OUT_OF_MEMORY = 2,
    CU_NO_DEVICE = 100,

    CU_ATTRIBUTE_MAX_THREADS = 1,
    CU_ATTRIBUTE_SHARED_BYTES = 8,
    CU_ATTRIBUTE_WARP = 10,
    CU_ATTRIBUTE_MULTIPROCESSORS = 16,
    CU_ATTRIBUTE_COMPUTE_MODE = 20,
    CU_ATTRIBUTE_CAPABILITY_MAJOR = 75,
    CU_ATTRIBUTE_CAPABILITY_MINOR = 76,
    CU_MODE_PROHIBITED = 2,

    CU_FUNCTION_MAX_THREADS = 0,
    CU_FUNCTION_SHARED_BYTES = 1,
    CU_STREAM_NON_BLOCKING = 1,
    CU_EVENT_TIMED = 0,
    CU_EVENT_UNTIMED = 2,
    CU_CAPTURE_THIS_THREAD = 1,
};

/* X(function, parameters): all return a status. */
#define CUDA_DRIVER(X) \
    X(cuInit, (unsigned flags)) \
    X(cuDriverGetVersion, (int *version)) \
    X(cuDeviceGetCount, (int *count)) \
    X(cuDeviceGet, (int *id, int ordinal)) \
    X(cuDeviceGetName, (char *name, int size, int id)) \
    X(cuDeviceTotalMem_v2, (size_t * bytes, int id)) \
    X(cuDeviceGetAttribute, (int *value, int what, int id)) \
    X(cuDevicePrimaryCtxRetain, (cu_context * made, int id)) \
    X(cuDevicePrimaryCtxRelease_v2, (int id)) \
    X(cuCtxSetCurrent, (cu_context of)) \
    X(cuMemAlloc_v2, (cu_pointer * made, size_t bytes)) \
    X(cuMemFree_v2, (cu_pointer of)) \
    X(cuMemcpyHtoDAsync_v2, (cu_pointer to, const void *from, size_t bytes, cu_stream on)) \
    X(cuMemcpyDtoHAsync_v2, (void *to, cu_pointer from, size_t bytes, cu_stream on)) \
    X(cuMemcpyDtoDAsync_v2, (cu_pointer to, cu_pointer from, size_t bytes, cu_stream on)) \
    X(cuMemsetD32Async, (cu_pointer to, unsigned pattern, size_t count, cu_stream on)) \
    X(cuStreamCreate, (cu_stream * made, unsigned flags)) \
    X(cuStreamDestroy_v2, (cu_stream of)) \
    X(cuStreamSynchronize, (cu_stream of)) \
    X(cuStreamWaitEvent, (cu_stream waits, cu_event of, unsigned flags)) \
    X(cuStreamBeginCapture_v2, (cu_stream of, int mode)) \
    X(cuStreamEndCapture, (cu_stream of, cu_graph * made)) \
    X(cuGraphInstantiateWithFlags, (cu_replay * made, cu_graph of, unsigned long long flags)) \
    X(cuGraphLaunch, (cu_replay of, cu_stream on)) \
    X(cuGraphExecDestroy, (cu_replay of)) \
    X(cuGraphDestroy, (cu_graph of)) \
    X(cuEventCreate, (cu_event * made, unsigned flags)) \
    X(cuEventDestroy_v2, (cu_event of)) \
    X(cuEventRecord, (cu_event of, cu_stream on)) \
    X(cuEventSynchronize, (cu_event of)) \
    X(cuEventElapsedTime, (float *milliseconds, cu_event from, cu_event to)) \
    X(cuModuleLoadData, (cu_module * made, const void *image)) \
    X(cuModuleUnload, (cu_module of)) \
    X(cuModuleGetFunction, (cu_function * found, cu_module of, const char *name)) \
    X(cuFuncGetAttribute, (int *value, int what, cu_function of)) \
    X(cuLaunchKernel, \
      (cu_function of, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, \
       unsigned block_y, unsigned block_z, unsigned shared, cu_stream on, void **arguments, void **extra))

/* ---- The compiler ---------------------------------------------------------------------------- */

typedef struct nvrtc_program *nvrtc_program;

#define CUDA_COMPILER(X) \
    X(nvrtcVersion, (int *major, int *minor)) \
    X(nvrtcGetNumSupportedArchs, (int *count)) \
    X(nvrtcGetSupportedArchs, (int *archs)) \
    X(nvrtcCreateProgram, (nvrtc_program * made, const char *text, const char *name, int headers, \
                           const char *const *texts, const char *const *names)) \
    X(nvrtcDestroyProgram, (nvrtc_program * of)) \
    X(nvrtcCompileProgram, (nvrtc_program of, int count, const char *const *options)) \
    X(nvrtcGetProgramLogSize, (nvrtc_program of, size_t * bytes)) \
    X(nvrtcGetProgramLog, (nvrtc_program of, char *text)) \
    X(nvrtcGetCUBINSize, (nvrtc_program of, size_t * bytes)) \
    X(nvrtcGetCUBIN, (nvrtc_program of, char *binary)) \
    X(nvrtcGetPTXSize, (nvrtc_program of, size_t * bytes)) \
    X(nvrtcGetPTX, (nvrtc_program of, char *text))

/* ---- Products -------------------------------------------------------------------------------- */

typedef struct lt_handle *lt_handle;
typedef struct lt_layout *lt_layout;
typedef struct lt_product *lt_product;       /* cublasLtMatmulDesc_t */
typedef struct lt_preference *lt_preference; /* cublasLtMatmulPreference_t */
typedef struct lt_algorithm {
    uint64_t data[8];
} lt_algorithm;
typedef struct lt_result { /* cublasLtMatmulHeuristicResult_t */
    lt_algorithm algorithm;
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
} lt_result;

enum {
    LT_SUCCESS = 0,
    LT_NOT_SUPPORTED = 15,

    LT_F32 = 0, /* cudaDataType */
    LT_F16 = 2,
    LT_BF16 = 14,
    LT_COMPUTE_F32 = 68,

    LT_LAYOUT_BATCHES = 5,
    LT_LAYOUT_STRIDE = 6,
    LT_PRODUCT_TRANSPOSE_A = 3,
    LT_PRODUCT_TRANSPOSE_B = 4,
    LT_PRODUCT_EPILOGUE = 7,
    LT_PRODUCT_BIAS = 8,
    LT_PRODUCT_BIAS_TYPE = 26,
    LT_EPILOGUE_RELU = 2,
    LT_EPILOGUE_BIAS = 4,
    LT_PREFERENCE_WORKSPACE = 1,
    LT_PREFERENCE_ALIGNMENT_A = 5, /* 6: B, 7: C, 8: what is written */
};

#define CUDA_BLAS(X) \
    X(cublasLtCreate, (lt_handle * made)) \
    X(cublasLtDestroy, (lt_handle of)) \
    X(cublasLtMatrixLayoutCreate, (lt_layout * made, int type, uint64_t rows, uint64_t columns, int64_t ld)) \
    X(cublasLtMatrixLayoutDestroy, (lt_layout of)) \
    X(cublasLtMatrixLayoutSetAttribute, (lt_layout of, int what, const void *value, size_t bytes)) \
    X(cublasLtMatmulDescCreate, (lt_product * made, int compute, int scale)) \
    X(cublasLtMatmulDescDestroy, (lt_product of)) \
    X(cublasLtMatmulDescSetAttribute, (lt_product of, int what, const void *value, size_t bytes)) \
    X(cublasLtMatmulPreferenceCreate, (lt_preference * made)) \
    X(cublasLtMatmulPreferenceDestroy, (lt_preference of)) \
    X(cublasLtMatmulPreferenceSetAttribute, (lt_preference of, int what, const void *value, size_t bytes)) \
    X(cublasLtMatmulAlgoGetHeuristic, \
      (lt_handle with, lt_product what, lt_layout a, lt_layout b, lt_layout c, lt_layout d, \
       lt_preference how, int most, lt_result *results, int *count)) \
    X(cublasLtMatmul, \
      (lt_handle with, lt_product what, const void *alpha, const void *a, lt_layout a_layout, const void *b, \
       lt_layout b_layout, const void *beta, const void *c, lt_layout c_layout, void *d, lt_layout d_layout, \
       const lt_algorithm *by, void *workspace, size_t bytes, cu_stream on))

/* ---- Finding them ---------------------------------------------------------------------------- */

#define CUDA_MEMBER(function, parameters) int(*function) parameters;
typedef struct cuda_driver {
    CUDA_DRIVER(CUDA_MEMBER)
} cuda_driver;
typedef struct cuda_compiler {
    CUDA_COMPILER(CUDA_MEMBER)
} cuda_compiler;
typedef struct cuda_blas {
    CUDA_BLAS(CUDA_MEMBER)
} cuda_blas;
#undef CUDA_MEMBER

/* Each is loaded when it is first asked for, and stays: from the folder $DALLE_CL_CUDA_LIBRARIES if that is
 * set, else from where the system looks and from /usr/local/cuda.  Of several versions of the compiler and
 * of the products the driver's own is taken, then older ones.  NULL: with what to install. */
const cuda_driver *cuda_driver_load(error *err);
const cuda_compiler *cuda_compiler_load(error *err);
const cuda_blas *cuda_blas_load(error *err);
/* What the driver can run: 12040 for CUDA 12.4; 0 without one. */
int cuda_driver_version(void);

#endif
