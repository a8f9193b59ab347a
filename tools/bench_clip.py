#!/usr/bin/env python3
"""bench_clip.py -- CLIP in PyTorch, written for speed: bench_torch.py times it.

    python3 tools/bench_clip.py tests/golden      compares it with the golden files, in double precision

One product for query, key and value, scaled_dot_product_attention.  Needs torch.
SPDX-License-Identifier: MIT
"""
import dataclasses
import math
import sys

import torch
import torch.nn.functional as F
from torch import nn

from bench_models import agree, read_safetensors

# ---- CLIP (2.4, 2.5 of arXiv 2103.00020; names as in its published models) ----


@dataclasses.dataclass(frozen=True)
class ClipSizes:
    image: int
    patch: int
    visual: tuple  # width, heads, layers
    textual: tuple
    text: int
    rows: int
    embedding: int


class ClipAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.randn(3 * width, width) / math.sqrt(width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x, causal):
        b, t, c = x.shape
        q, k, v = F.linear(x, self.in_proj_weight, self.in_proj_bias).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.out_proj(mixed.transpose(1, 2).reshape(b, t, c))


class ClipMlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.c_fc, self.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        h = self.c_fc(x)
        return self.c_proj(h * torch.sigmoid(1.702 * h))


class ClipBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = ClipAttention(width, heads), ClipMlp(width)

    def forward(self, x, causal):
        x = x + self.attn(self.ln_1(x), causal)
        return x + self.mlp(self.ln_2(x))


class ClipTransformer(nn.Module):
    def __init__(self, width, heads, layers):
        super().__init__()
        self.resblocks = nn.ModuleList(ClipBlock(width, heads) for _ in range(layers))

    def forward(self, x, causal):
        for block in self.resblocks:
            x = block(x, causal)
        return x


class ClipVisual(nn.Module):
    def __init__(self, s):
        super().__init__()
        width = s.visual[0]
        self.patch = s.patch
        self.conv1 = nn.Conv2d(3, width, s.patch, stride=s.patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width) / math.sqrt(width))
        self.positional_embedding = nn.Parameter(torch.randn((s.image // s.patch) ** 2 + 1, width) / math.sqrt(width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = ClipTransformer(*s.visual)
        self.proj = nn.Parameter(torch.randn(width, s.embedding) / math.sqrt(width))

    def forward(self, pixels):
        """u8 [B,Y,X,3]"""
        mean = torch.tensor([0.48145466, 0.4578275, 0.40821073], dtype=self.proj.dtype)
        deviation = torch.tensor([0.26862954, 0.26130258, 0.27577711], dtype=self.proj.dtype)
        x = ((pixels / 255 - mean) / deviation).permute(0, 3, 1, 2)
        x = self.conv1(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(len(x), 1, -1), x], 1) + self.positional_embedding
        x = self.transformer(self.ln_pre(x), False)[:, 0]
        return F.normalize(self.ln_post(x) @ self.proj, dim=-1)


class Clip(nn.Module):
    def __init__(self, s):
        super().__init__()
        width = s.textual[0]
        self.visual = ClipVisual(s)
        self.token_embedding = nn.Embedding(s.rows, width)
        self.positional_embedding = nn.Parameter(torch.randn(s.text, width) * 0.01)
        self.transformer = ClipTransformer(*s.textual)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, s.embedding) / math.sqrt(width))
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def captions(self, text, ends):
        x = self.transformer(self.token_embedding(text) + self.positional_embedding, True)
        return F.normalize(self.ln_final(x[torch.arange(len(x)), ends]) @ self.text_projection, dim=-1)

    def forward(self, pixels, text, ends):
        """-> loss, features of pictures, features of captions"""
        pictures, captions = self.visual(pixels), self.captions(text, ends)
        logits = self.logit_scale.exp() * pictures @ captions.T
        own = torch.arange(len(logits))
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2, pictures, captions


def check_clip(folder):
    golden = read_safetensors(folder + "/clip.safetensors")
    published = read_safetensors(folder + "/clip_published.safetensors")
    model = Clip(ClipSizes(8, 4, (16, 2, 2), (12, 3, 2), 6, 20, 12))
    model.load_state_dict({n: published[n].permute(0, 2, 3, 1) if n == "visual.conv1.weight" else published[n]
                           for n in model.state_dict()})
    loss, pictures, captions = model(golden["in.pixels"].permute(0, 2, 3, 1), golden["in.text"], golden["in.ends"])
    loss.backward()
    agree("clip loss", loss, golden["out.loss"])
    agree("clip pictures", pictures, golden["out.pictures"])
    agree("clip captions", captions, golden["out.texts"])
    agree("clip gradient of the projection", model.visual.proj.grad.T, golden["grad.image.projection.weight"])
    agree("clip gradient of the scale", model.logit_scale.grad, golden["grad.log_scale"])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: bench_clip.py FOLDER, the golden files'")
    torch.set_default_dtype(torch.float64)
    check_clip(sys.argv[1])
