/* windowed.h -- what operators that slide a window over [B,Y,X,C] pictures share.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_OPS_WINDOWED_H
#define DALLE_CL_OPS_WINDOWED_H

#include "host/ops/ops.h"

/* Whether the window has sizes and strides, and places within picture x; latches the mistake if not. */
bool windowed_fits(const node *n, const tensor *x, const window *w);
/* WINDOW_ARGUMENTS of cl/window.clh: x is the picture, y what the window's places make of it. */
void windowed_arguments(kernel_call *c, const tensor *x, const tensor *y, const window *w);

#endif
