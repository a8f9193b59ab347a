/* apart.cl -- put behind a kernel's file that join_stage.cl stands before, this makes the kernel again, as
 * one that calls what is now a function; see host/device/opencl/program.c, which defines the three names it
 * needs.
 * SPDX-License-Identifier: MIT */
#undef __kernel
#undef __local
#undef reqd_work_group_size
#undef barrier
#undef get_group_id
#undef get_num_groups
#undef get_global_id
#undef get_global_size
#undef get_local_id
#undef get_local_size

#ifndef APART_KERNEL
#define APART_KERNEL apart
#define APART_FUNCTION(joined, count) (void)joined, (void)count
#define APART_PARAMETERS (const int count)
#endif

/* The call names what the parameters declare, so what is only said in declarations is nothing there. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void APART_KERNEL APART_PARAMETERS
{
    const size_t joined[6] = { get_group_id(0),   get_group_id(1),   get_group_id(2),
                               get_num_groups(0), get_num_groups(1), get_num_groups(2) };
#define APART_CALL(...) APART_FUNCTION(joined, __VA_ARGS__)
#define APART_APPLY(function, arguments) function arguments
#undef TENSOR_IN
#undef TENSOR_OUT
#define TENSOR_IN(store, x)  x, x##_offset
#define TENSOR_OUT(store, x) x, x##_offset
#define const
#define int
#define long
#define float
#define uint
#define ulong
    APART_APPLY(APART_CALL, APART_PARAMETERS);
}
