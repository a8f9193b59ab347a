/* probe.c -- what each OpenCL device says of itself in full, and which instructions of a vendor's its compiler takes and
 * runs, on lines for the kit's report.
 *     kit-probe
 * An instruction is tried by a kernel of one group that leaves a number; "runs" is said where the number is right. What
 * crashes a driver ends this process, behind what was said by then. Exit status 0, or 1 where there is no device.
 * SPDX-License-Identifier: MIT */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdio.h>
#include <string.h>

enum { GROUP = 32, TEXT = 16384 };

/* `body` has `out`, `in` of bytes that are 1, `lane`, and `shared` in local memory; out[0] becomes `right`. */
typedef struct trial {
    const char *vendor, *what, *before, *body;
    float right;
} trial;

#define ADDRESS \
    "uint at; asm volatile(\"{ .reg .u64 p; cvta.to.shared.u64 p, %1; cvt.u32.u64 %0, p; }\" : \"=r\"(at) " \
    ": " \
    "\"l\"((ulong)shared));"

static const trial trials[] = {
    { "NVIDIA", "shfl.sync", "",
      "float x = lane, y; asm volatile(\"shfl.sync.bfly.b32 %0, %1, 1, 31, 0xffffffff;\" : \"=f\"(y) : "
      "\"f\"(x));"
      "out[lane] = y;",
      1 },
    { "NVIDIA", "mma.sync m16n8k16 f16 (sm_80)", "",
      "uint a = 0x3c003c00; float c[4] = { 0, 0, 0, 0 };"
      "asm volatile(\"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%4,%4,%4}, "
      "{%4,%4}, "
      "{%0,%1,%2,%3};\" : \"+f\"(c[0]), \"+f\"(c[1]), \"+f\"(c[2]), \"+f\"(c[3]) : \"r\"(a)); out[lane] = "
      "c[0];",
      16 },
    { "NVIDIA", "mma.sync m16n8k16 bf16 (sm_80)", "",
      "uint a = 0x3f803f80; float c[4] = { 0, 0, 0, 0 };"
      "asm volatile(\"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%4,%4,%4}, "
      "{%4,%4}, "
      "{%0,%1,%2,%3};\" : \"+f\"(c[0]), \"+f\"(c[1]), \"+f\"(c[2]), \"+f\"(c[3]) : \"r\"(a)); out[lane] = "
      "c[0];",
      16 },
    { "NVIDIA", "ldmatrix (sm_75)", "",
      "shared[lane] = 0x00010001; barrier(CLK_LOCAL_MEM_FENCE); uint r; " ADDRESS " at += (lane & 7) * 16;"
      "asm volatile(\"ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];\" : \"=r\"(r) : \"r\"(at) : "
      "\"memory\");"
      "out[lane] = r & 0xffff;",
      1 },
    { "NVIDIA", "cp.async (sm_80)", "",
      ADDRESS " at += lane * 16; asm volatile(\"cp.async.cg.shared.global [%0], [%1], 16;\\n "
              "cp.async.commit_group;\\n "
              "cp.async.wait_group 0;\" : : \"r\"(at), \"l\"((ulong)(in + lane * 16)) : \"memory\");"
              "barrier(CLK_LOCAL_MEM_FENCE); out[lane] = shared[0] & 255;",
      1 },
    { "NVIDIA", "wgmma (sm_90a)", "",
      "asm volatile(\"wgmma.fence.sync.aligned;\" : : : \"memory\"); out[lane] = 1;", 1 },
    { "", "half without an extension's pragma", "", "half x = (half)1.5f; out[lane] = (float)(x * x);",
      2.25f },
    { "", "half, cl_khr_fp16", "#pragma OPENCL EXTENSION cl_khr_fp16 : enable\n",
      "half2 x = (half2)(1.5f); x = fma(x, x, x); out[lane] = (float)x.x;", 3.75f },
    { "", "subgroups, cl_khr_subgroups", "#pragma OPENCL EXTENSION cl_khr_subgroups : enable\n",
      "out[lane] = sub_group_reduce_add(1.0f) / get_sub_group_size();", 1 },
    { "", "subgroups, cl_intel_subgroups", "#pragma OPENCL EXTENSION cl_intel_subgroups : enable\n",
      "out[lane] = sub_group_reduce_add(1.0f) / get_sub_group_size();", 1 },
    { "", "integer dot product", "", "out[lane] = dot_acc_sat((char4)(1), (char4)(2), 3);", 11 },
};

typedef struct tools {
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_mem out, in;
} tools;

/* One line, whatever the compiler has to say. */
static void say(const char *what, const char *result)
{
    printf("  %-36s ", what);
    for (int i = 0; result[i] && i < 160; ++i) putchar(result[i] < ' ' ? ' ' : result[i]);
    putchar('\n');
    fflush(stdout);
}

static void text_of(cl_device_id d, cl_device_info what, char *text)
{
    text[0] = 0;
    clGetDeviceInfo(d, what, TEXT - 1, text, NULL);
}

static cl_program build(const tools *t, const trial *k, char log[TEXT])
{
    char source[4096];
    const char *texts = source;
    cl_int status;
    snprintf(source, sizeof source,
             "%s__kernel void probe(__global float *out, __global uchar *in) { __local uint shared[256];"
             "uint lane = get_local_id(0); shared[lane] = 0; %s }",
             k->before, k->body);
    snprintf(log, TEXT, "does not compile");
    cl_program p = clCreateProgramWithSource(t->context, 1, &texts, NULL, &status);
    if (status != CL_SUCCESS || clBuildProgram(p, 1, &t->device, "", NULL, NULL) == CL_SUCCESS) return p;
    char why[TEXT] = "";
    clGetProgramBuildInfo(p, t->device, CL_PROGRAM_BUILD_LOG, sizeof why - 1, why, NULL);
    snprintf(log, TEXT, "does not compile: %.150s", why);
    clReleaseProgram(p);
    return NULL;
}

static cl_int run(const tools *t, cl_kernel k, float *first)
{
    const size_t group = GROUP;
    cl_int status = clSetKernelArg(k, 0, sizeof t->out, &t->out);
    if (!status) status = clSetKernelArg(k, 1, sizeof t->in, &t->in);
    if (!status) status = clEnqueueNDRangeKernel(t->queue, k, 1, NULL, &group, &group, 0, NULL, NULL);
    if (!status)
        status = clEnqueueReadBuffer(t->queue, t->out, CL_TRUE, 0, sizeof *first, first, 0, NULL, NULL);
    return status;
}

/* False where the device may be spoilt for what comes next. */
static int try_one(const tools *t, const trial *k)
{
    char log[TEXT];
    float first = -1;
    cl_int status = -1;
    cl_program p = build(t, k, log);
    if (!p) {
        say(k->what, log);
        return 1;
    }
    cl_kernel kernel = clCreateKernel(p, "probe", &status);
    if (kernel) status = run(t, kernel, &first);
    if (status != CL_SUCCESS)
        snprintf(log, TEXT, "compiles, fails to run: status %d", (int)status);
    else if (first != k->right)
        snprintf(log, TEXT, "runs, but gives %g where %g is right", (double)first, (double)k->right);
    else
        snprintf(log, TEXT, "runs");
    say(k->what, log);
    if (kernel) clReleaseKernel(kernel);
    clReleaseProgram(p);
    return status == CL_SUCCESS;
}

static void try_all(tools *t, const char *vendor)
{
    unsigned char ones[4 * GROUP * 16];
    cl_int status[4];
    memset(ones, 1, sizeof ones);
    t->context = clCreateContext(NULL, 1, &t->device, NULL, NULL, status);
    if (*status) {
        say("a context", "cannot be made");
        return;
    }
    t->queue = clCreateCommandQueue(t->context, t->device, 0, status + 1);
    t->out = clCreateBuffer(t->context, CL_MEM_READ_WRITE, 4096, NULL, status + 2);
    t->in = clCreateBuffer(t->context, CL_MEM_COPY_HOST_PTR, sizeof ones, ones, status + 3);
    int good = !status[1] && !status[2] && !status[3];
    if (!good) say("a queue and buffers", "cannot be made");
    for (size_t i = 0; good && i < sizeof trials / sizeof *trials; ++i)
        if (strstr(vendor, trials[i].vendor)) good = try_one(t, trials + i);
}

static void show(cl_device_id d)
{
    static const struct {
        const char *name;
        cl_device_info what;
    } texts[] = { { "version", CL_DEVICE_VERSION },
                  { "OpenCL C", CL_DEVICE_OPENCL_C_VERSION },
                  { "driver", CL_DRIVER_VERSION },
                  { "vendor", CL_DEVICE_VENDOR } };
    char text[TEXT], vendor[TEXT];
    cl_uint units = 0, clock = 0;
    cl_ulong cache = 0, memory = 0, most = 0;
    tools t = { .device = d };
    text_of(d, CL_DEVICE_NAME, text);
    printf("%s\n", text);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i) {
        text_of(d, texts[i].what, text);
        say(texts[i].name, text);
    }
    clGetDeviceInfo(d, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL);
    clGetDeviceInfo(d, CL_DEVICE_MAX_CLOCK_FREQUENCY, sizeof clock, &clock, NULL);
    clGetDeviceInfo(d, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, sizeof cache, &cache, NULL);
    clGetDeviceInfo(d, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory, NULL);
    clGetDeviceInfo(d, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof most, &most, NULL);
    printf("  %u units, at most %u MHz, %llu KiB of cache, %llu MiB, one allocation %llu MiB\n", units, clock,
           (unsigned long long)cache >> 10, (unsigned long long)memory >> 20, (unsigned long long)most >> 20);
    text_of(d, CL_DEVICE_EXTENSIONS, text);
    printf("  %s\n", text);
    text_of(d, CL_DEVICE_VENDOR, vendor);
    try_all(&t, vendor);
}

int main(void)
{
    cl_platform_id platforms[16];
    cl_uint count = 0, all = 0;
    if (!freopen("/dev/null", "w", stderr)) return 1; /* compilers talk between the lines */
    if (clGetPlatformIDs(16, platforms, &count) != CL_SUCCESS) count = 0;
    for (cl_uint i = 0; i < count && i < 16; ++i) {
        cl_device_id devices[16];
        cl_uint found = 0;
        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 16, devices, &found) != CL_SUCCESS) continue;
        for (cl_uint j = 0; j < found && j < 16; ++j, ++all) show(devices[j]);
    }
    return all == 0;
}
