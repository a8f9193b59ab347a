#!/usr/bin/env python3
"""make_golden_ar_prior.py -- writes tests/golden/ar_prior.safetensors and pca.safetensors: a training step of the
autoregressive prior in PyTorch, and principal components with buckets in numpy, for tests/models/test_golden_ar_prior.c.

    python3 tools/make_golden_ar_prior.py tests/golden

The network is written here a second time from the paper (arXiv 2204.06125, 2.2), in double precision.  Needed only to make
the files again: torch and numpy.
SPDX-License-Identifier: MIT
"""
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F

from make_golden import Weights, write

BATCH, TEXT, ROWS, TEXT_WIDTH, TEXT_HEADS, TEXT_LAYERS = 3, 4, 9, 8, 2, 1
DIMENSIONS, BUCKETS, NEAR, EMBEDDING, SIZE, HEADS, LAYERS = 5, 7, 4, 6, 12, 3, 2
RATE, DECAY = 1e-2, 4e-2


def attention(w, name, x, heads):
    b, t, c = x.shape
    q, k, v = (w.linear(f"{name}.{part}", x, c).reshape(b, t, heads, c // heads).transpose(1, 2)
               for part in ("query", "key", "value"))
    scores = q @ k.transpose(2, 3) / math.sqrt(c // heads)
    scores = scores.masked_fill(~torch.ones(t, t, dtype=torch.bool).tril(), -math.inf)
    return w.linear(name + ".output", (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(b, t, c), c)


def blocks(w, prefix, x, layers, heads):
    c = x.shape[-1]
    for i in range(1, layers + 1):
        name = f"{prefix}block{i}"
        x = x + attention(w, name + ".attention", w.norm(name + ".norm1", x), heads)
        up = F.gelu(w.linear(name + ".up", w.norm(name + ".norm2", x), 4 * c))
        x = x + w.linear(name + ".down", up, c)
    return w.norm(prefix + "norm", x)


def encoded(w, text):
    table = w.normal("text.embedding", (ROWS, TEXT_WIDTH), 0.5)
    padding = w.normal("text.padding", (TEXT, TEXT_WIDTH), 0.5)
    x = torch.where((text >= 0)[..., None], table[text.clamp(min=0)], padding)
    return blocks(w, "text.", x + w.normal("text.position", (TEXT, TEXT_WIDTH), 0.5), TEXT_LAYERS, TEXT_HEADS)


def network(w, text, caption, read):
    """The caption as a prefix, its embedding, the token of nearness, the components; logits of each component."""
    states = w.linear("text_projection", encoded(w, text), SIZE)
    known = w.linear("caption_projection", math.sqrt(EMBEDDING) * caption, SIZE)[:, None]
    tokens = w.normal("tokens", (BUCKETS + NEAR + 1, SIZE), 0.5)[read]
    x = torch.cat([states, known, tokens], 1) + w.normal("position", (TEXT + 1 + DIMENSIONS, SIZE), 0.5)
    x = blocks(w, "", x, LAYERS, HEADS)
    return w.linear("logits", x[:, TEXT + 1:], BUCKETS, bias=False)


def step(folder):
    w = Weights(5)
    text = torch.tensor([[3, 7, 4, -1], [8, 1, 0, 2], [-1, -1, -1, -1]])
    targets = torch.tensor([[0, 6, 3, 3, 1], [5, 2, 0, 4, 6], [1, 1, 2, 0, 5]])
    near = torch.tensor([BUCKETS + 2, BUCKETS, BUCKETS + NEAR])  # the last one says nothing
    caption = torch.randn(BATCH, EMBEDDING, generator=w.generator)
    caption = (caption / caption.norm(dim=1, keepdim=True)).float().double()
    caption[2] = 0
    read = torch.cat([near[:, None], targets[:, :-1]], 1)
    logits = network(w, text, caption, read)
    loss = F.cross_entropy(logits.reshape(-1, BUCKETS), targets.reshape(-1))
    loss.backward()
    stored = {n: v.detach().clone() for n, v in w.at.items()}
    still = {n for n in w.at if n.endswith((".bias", ".gain"))}
    adam = torch.optim.AdamW([{"params": [v for n, v in w.at.items() if n not in still], "weight_decay": DECAY},
                              {"params": [v for n, v in w.at.items() if n in still], "weight_decay": 0.0}],
                             lr=RATE, betas=(0.9, 0.91), eps=1e-4)
    names = ["text.embedding", "text.padding", "text.position", "text.block1.attention.key.weight", "text.block1.up.bias",
             "text.norm.gain", "text_projection.weight", "caption_projection.weight", "caption_projection.bias", "tokens",
             "position", "block1.attention.query.weight", "block1.attention.value.bias", "block1.up.weight",
             "block2.attention.output.weight", "block2.down.weight", "block2.norm2.gain", "norm.bias", "logits.weight"]
    gradients = w.gradients(names)
    adam.step()
    write(folder + "/ar_prior.safetensors", {
        **stored, "in.text": text.int(), "in.caption": caption, "in.read": read.int(), "in.targets": targets.int(),
        "out.logits": logits, "out.loss": loss.reshape(1), **gradients, **{"after." + n: w.at[n] for n in names}})


def components(folder):
    """Of vectors with a spectrum that falls, so that components are told apart."""
    rng = np.random.default_rng(3)
    count, size, keep, buckets = 60, 10, 6, 8
    x = (rng.standard_normal((count, size)) * 0.8 ** np.arange(size)) @ np.linalg.qr(rng.standard_normal((size, size)))[0]
    x = (x + 0.7) / np.linalg.norm(x + 0.7, axis=1, keepdims=True)
    x = x.astype(np.float32).astype(np.float64)
    mean = x.mean(0)
    values, vectors = np.linalg.eigh(np.cov(x.T))
    values, vectors = values[::-1], vectors[:, ::-1].T
    vectors = vectors * np.sign(vectors[np.arange(size), np.abs(vectors).argmax(1)])[:, None]
    projected = (x - mean) @ vectors[:keep].T
    even = np.stack([np.linspace(projected[:, i].min(), projected[:, i].max(), buckets + 1) for i in range(keep)])
    share = np.stack([np.quantile(projected[:, i], np.linspace(0, 1, buckets + 1)) for i in range(keep)])
    restored = mean + projected @ vectors[:keep]
    write(folder + "/pca.safetensors", {
        "in.x": x, "out.mean": mean, "out.variances": values, "out.components": vectors[:keep], "out.projected": projected,
        "out.even": even, "out.share": share, "out.restored": restored})


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "tests/golden"
    step(folder)
    components(folder)


if __name__ == "__main__":
    main()
