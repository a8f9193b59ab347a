#!/usr/bin/env python3
"""make_golden_diffusion_prior.py -- writes tests/golden/diffusion_prior.safetensors: a training step of the diffusion
prior in PyTorch, for tests/models/test_golden_diffusion_prior.c.

    python3 tools/make_golden_diffusion_prior.py tests/golden

The network is written here a second time from the paper (arXiv 2204.06125, 2.2), in double precision; noise and times are
Philox's.  Where the package `diffusers` is installed, its PriorTransformer is given the same random weights, and must say
the same.  Needed only to make the file again: torch and numpy.
SPDX-License-Identifier: MIT
"""
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F

from make_golden import Weights, write
from make_golden_diffusion import Process, hashed, normals, philox

BATCH, TEXT, ROWS, SIZE, HEADS, LAYERS, EMBEDDING, STEPS = 3, 5, 9, 12, 3, 2, 6, 50
SEED, STEP, SCALE, RATE, DECAY = 7, 4, 2.5, 1e-2, 6e-2


def linear(w, name, x, n_out):
    return w.linear(name, x, n_out)


def attention(w, name, x):
    b, t, c = x.shape
    q, k, v = (linear(w, f"{name}.{part}", x, c).reshape(b, t, HEADS, c // HEADS).transpose(1, 2)
               for part in ("query", "key", "value"))
    scores = q @ k.transpose(2, 3) / math.sqrt(c // HEADS)
    scores = scores.masked_fill(~torch.ones(t, t, dtype=torch.bool).tril(), -math.inf)
    return linear(w, name + ".output", (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(b, t, c), c)


def waves(time):
    half = SIZE // 2
    angle = time[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
    return torch.cat([angle.cos(), angle.sin()], 1)


def words_of(w, tokens):
    table = w.normal("text_embedding", (ROWS, SIZE), 0.5)
    padding = w.normal("padding_embedding", (TEXT, SIZE), 0.5)
    return torch.where((tokens >= 0)[..., None], table[tokens.clamp(min=0)], padding)


def network(w, tokens, caption, x, time):
    words = words_of(w, tokens)
    known = linear(w, "caption", caption, SIZE)
    now = linear(w, "time2", F.silu(linear(w, "time1", waves(time), SIZE)), SIZE)
    noised = linear(w, "noised", x, SIZE)
    query = w.normal("query", (1, SIZE), 0.5).expand(len(x), SIZE)
    h = torch.cat([words, torch.stack([known, now, noised, query], 1)], 1)
    h = h + w.normal("position", (TEXT + 4, SIZE), 0.5)
    for i in range(1, LAYERS + 1):
        h = h + attention(w, f"block{i}.attention", w.norm(f"block{i}.norm1", h))
        up = F.gelu(linear(w, f"block{i}.up", w.norm(f"block{i}.norm2", h), 4 * SIZE))
        h = h + linear(w, f"block{i}.down", up, SIZE)
    return linear(w, "out", w.norm("norm", h[:, -1]), EMBEDDING)


def drawn_times():
    key = [SEED, 0]
    words = [philox([i // 4, STEP, hashed("diffusion.time"), 0], key)[i % 4] for i in range(BATCH)]
    return [word * STEPS >> 32 for word in words]


def unit(x):
    return (x / x.norm(dim=1, keepdim=True)).float().double()


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "tests/golden"
    w = Weights(11)
    tokens = torch.tensor([[3, 7, 4, -1, -1], [8, 1, 0, 2, 7], [-1, -1, -1, -1, -1]])
    embedding = unit(torch.randn(BATCH, EMBEDDING, generator=w.generator))
    caption = unit(torch.randn(BATCH, EMBEDDING, generator=w.generator))
    caption[2] = 0  # left out
    t = drawn_times()
    left = torch.tensor(Process("cosine", STEPS).left[t])[:, None]
    noise = torch.tensor(np.array([normals(SEED, STEP, hashed("normal") + b, EMBEDDING) for b in range(BATCH)]))
    x0 = SCALE * embedding
    x = left.sqrt() * x0 + (1 - left).sqrt() * noise
    time = torch.tensor(t, dtype=torch.float64)
    said = network(w, tokens, caption, x, time)
    loss = ((said - x0) ** 2).mean()
    loss.backward()
    stored = {n: v.detach().clone() for n, v in w.at.items()}
    still = {n for n in w.at if n.endswith((".bias", ".gain"))}
    adam = torch.optim.AdamW([{"params": [v for n, v in w.at.items() if n not in still], "weight_decay": DECAY},
                              {"params": [v for n, v in w.at.items() if n in still], "weight_decay": 0.0}],
                             lr=RATE, betas=(0.9, 0.96), eps=1e-4)
    names = ["text_embedding", "padding_embedding", "position", "query", "caption.weight", "time1.weight", "time2.bias",
             "noised.weight", "block1.attention.query.weight", "block1.attention.value.bias", "block1.up.weight",
             "block2.attention.output.weight", "block2.down.weight", "block2.norm2.gain", "norm.bias", "out.weight"]
    gradients = w.gradients(names)
    adam.step()
    write(folder + "/diffusion_prior.safetensors", {
        **stored, "in.tokens": tokens.int(), "in.embedding": embedding, "in.caption": caption, "in.x": x, "in.time": time,
        "out.said": said, "out.loss": loss.reshape(1), **gradients, **{"after." + n: w.at[n] for n in names}})
    beside_diffusers(stored, tokens, caption, x, time, said)


# ---- Beside diffusers ------------------------------------------------------------------------------------------------


def theirs_of(ours):
    """Their parameters' names and values."""
    out = {"positional_embedding": ours["position"][None], "prd_embedding": ours["query"][None]}
    pairs = {"proj_in": "noised", "embedding_proj": "caption", "time_embedding.linear_1": "time1",
             "time_embedding.linear_2": "time2", "proj_to_clip_embeddings": "out"}
    norms = {"norm_out": "norm"}
    for i in range(LAYERS):
        for theirs, mine in (("attn1.to_q", "attention.query"), ("attn1.to_k", "attention.key"),
                             ("attn1.to_v", "attention.value"), ("attn1.to_out.0", "attention.output"),
                             ("ff.net.0.proj", "up"), ("ff.net.2", "down")):
            pairs[f"transformer_blocks.{i}.{theirs}"] = f"block{i + 1}.{mine}"
        norms[f"transformer_blocks.{i}.norm1"] = f"block{i + 1}.norm1"
        norms[f"transformer_blocks.{i}.norm3"] = f"block{i + 1}.norm2"
    for theirs, mine in pairs.items():
        out |= {theirs + ".weight": ours[mine + ".weight"], theirs + ".bias": ours[mine + ".bias"]}
    for theirs, mine in norms.items():
        out |= {theirs + ".weight": ours[mine + ".gain"], theirs + ".bias": ours[mine + ".bias"]}
    return out


def beside_diffusers(ours, tokens, caption, x, time, said):
    try:
        from diffusers import PriorTransformer
    except ImportError:
        print("diffusers is not installed: nothing is compared with it")
        return
    model = PriorTransformer(num_attention_heads=HEADS, attention_head_dim=SIZE // HEADS, num_layers=LAYERS,
                             embedding_dim=EMBEDDING, num_embeddings=TEXT, additional_embeddings=4,
                             encoder_hid_proj_type=None, added_emb_type="prd").double().eval()
    state = model.state_dict()
    mine = theirs_of(ours)
    lacking = set(state) - set(mine) - {"clip_mean", "clip_std"}
    assert not lacking, lacking
    model.load_state_dict({**state, **mine})
    model.clip_mean = None
    w = Weights(0)
    w.at = ours
    with torch.no_grad():
        told = model(x, time, caption, words_of(w, tokens), torch.ones(BATCH, TEXT, dtype=torch.bool)).predicted_image_embedding
    worst = ((told - said).abs().max() / said.abs().max()).item()
    print(f"beside diffusers' PriorTransformer: {worst:.2g}")
    assert worst < 1e-4


if __name__ == "__main__":
    main()
