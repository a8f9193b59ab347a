# One word per operator: host/ops/<op>.c, cl/ops/<op>.cl (views have none) and tests/ops/test_<op>.c.
# The lint test checks that the three exist.
mask
dropout
max_pool2
upsample2
straight_through
ema
adamw
cache_write
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
attention_decode
sample
