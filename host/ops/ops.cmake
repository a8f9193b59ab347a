# One word per operator: host/ops/<op>.c, cl/ops/<op>.cl (views have none) and host/ops/cases/<op>.c, its
# cases for test and benchmark, or tests/ops/test_<op>.c where no table of cases fits.
# The lint test checks that the three exist.
# SPDX-License-Identifier: MIT
mask
dropout
max_pool2
pool
upsample2
straight_through
ema
part
adamw
cache_write
next_place
embedding
embedding_padded
cross_entropy
gumbel_softmax
categorical_kl
logit_laplace
nearest_code
code_statistics
codebook_update
sum_squares
gradient_scale
attention
attention_decode
linear_rows
sample
reshape
permute
slice
stop_gradient
contiguous
cast
concat
binary
unary
activation
sum
argmax
matmul
linear
conv2d
softmax
log_softmax
layer_norm
