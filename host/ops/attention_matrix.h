/* attention_matrix.h -- attention by a GPU's matrix units: the forward pass (cl/ops/attention_matrix.cl),
 * and the gradients (cl/attention_matrix_grad.clh).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_OPS_ATTENTION_MATRIX_H
#define DALLE_CL_OPS_ATTENTION_MATRIX_H

#include "host/ops/attention_short.h"

/* Whether a node's forward pass is done so: where the device has such a unit, and operands are of one 16-bit
 * type with heads that fragments fit. */
bool attention_matrix_takes(const node *n, const device *d);
bool attention_matrix_forward(const node *n, binder *b, const struct mask_bands *bands);

/* And of the gradient's node, whose dy is of that type, too.  Its workspace begins with delta. */
bool attention_matrix_takes_gradient(const node *n, const device *d);
bool attention_matrix_gradient(const node *n, binder *b, const struct mask_bands *bands);

/* op_attention with both passes by a unit that any device plays, slowly: for tests. */
tensor *attention_matrix_played(tensor *q, tensor *k, tensor *v, const mask *pattern, float scale,
                                device_matrix unit);

#endif
