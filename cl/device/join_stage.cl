/* join_stage.cl -- put before a kernel's file, this makes its kernels functions that device/join.cl can call.
 * A group is one work-item, so what a group shares is the work-item's own, and barriers wait for nobody.
 * Where the group stands comes as an argument, `joined`: its three ids, then the numbers of groups. APART:
 * one such function is called by device/apart.cl, and stays one.
 * SPDX-License-Identifier: MIT */
#ifdef APART
#define __kernel static __attribute__((noinline))
#else
#define __kernel static
#endif
#define __local
#define reqd_work_group_size(x, y, z) unused
#define barrier(flags)
#define get_group_id(axis) joined[axis]
#define get_num_groups(axis) joined[3 + (axis)]
#define get_global_id(axis) joined[axis]
#define get_global_size(axis) joined[3 + (axis)]
#define get_local_id(axis) 0
#define get_local_size(axis) 1
#define JOINED const size_t *joined
