#!/usr/bin/env python3
"""make_golden_unet.py -- writes tests/golden/unet.safetensors, for tests/models/test_golden_unet.c.

    python3 tools/make_golden_unet.py tests/golden

The U-Net of guided diffusion (arXiv 2105.05233) and the text encoder of GLIDE (2112.10741), written a second time
from the papers' words in PyTorch's layouts and double precision.  Three networks: one with a context of which a part is
not seen, one that attends to itself only, one of convolutions only; their outputs' products with given numbers are
added up to the loss.  Needed only to make the file again: torch and numpy.
SPDX-License-Identifier: MIT
"""
import math
import sys

import torch
import torch.nn.functional as F

from make_golden import Weights, write

ROWS, TEXT, WIDTH, HEADS, LAYERS = 11, 5, 8, 2, 2


def group_norm(w, name, x, groups, scale=None, shift=None):
    c = x.shape[1]
    x = F.group_norm(x, groups, w.normal(name + ".gain", (c,), 0.2, 1.0), w.normal(name + ".bias", (c,), 0.2), 1e-5)
    return x if scale is None else x * (1 + scale[..., None, None]) + shift[..., None, None]


def attention(w, name, x, head, groups, context, valid):
    """Queries of the picture, keys and values of the context and then of the picture: scaled as in the published code,
    the root of the scale on either side."""
    b, c, height, width = x.shape
    h = group_norm(w, name + ".norm3", x, groups).flatten(2).transpose(1, 2)
    q, k, v = (w.linear(f"{name}.attention.{part}", h, c) for part in ("query", "key", "value"))
    hidden = torch.zeros(b, h.shape[1], dtype=torch.bool)
    if context is not None:
        k = torch.cat([w.linear(f"{name}.attention.context_key", context, c), k], 1)
        v = torch.cat([w.linear(f"{name}.attention.context_value", context, c), v], 1)
        hidden = torch.cat([torch.arange(context.shape[1]) >= valid[:, None], hidden], 1)
    q, k, v = (t.unflatten(-1, (c // head, head)).transpose(1, 2) for t in (q, k, v))
    root = 1 / math.sqrt(math.sqrt(head))
    scores = ((q * root) @ (k * root).transpose(2, 3)).masked_fill(hidden[:, None, None], -math.inf)
    mixed = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
    return x + w.linear(name + ".attention.output", mixed, c).transpose(1, 2).reshape(x.shape)


def block(w, name, x, time, n_out, net, turn=None, attends=False):
    turned = {None: lambda t: t, "halve": lambda t: F.avg_pool2d(t, 2),
              "double": lambda t: F.interpolate(t, scale_factor=2, mode="nearest")}[turn]
    h = w.conv(name + ".conv1", turned(F.silu(group_norm(w, name + ".norm1", x, net["groups"]))), n_out, 3)
    scale, shift = w.linear(name + ".time", F.silu(time), 2 * n_out).chunk(2, 1)
    h = F.silu(group_norm(w, name + ".norm2", h, net["groups"], scale, shift))
    skip = turned(x)
    if x.shape[1] != n_out:
        skip = w.conv(name + ".skip", skip, n_out, 1)
    x = skip + w.conv(name + ".conv2", h, n_out, 3)
    return attention(w, name, x, net["head"], net["groups"], net["context"], net["valid"]) if attends else x


def unet(w, prefix, net, x, t, embedding):
    c, name = net["channels"], prefix + ".unet."
    angles = t[:, None] * torch.exp(-math.log(10000) * torch.arange(c // 2) / (c // 2))
    time = w.linear(name + "time1", torch.cat([angles.cos(), angles.sin()], 1), 4 * c)
    time = w.linear(name + "time2", F.silu(time), 4 * c)
    if embedding is not None:
        time = time + embedding
    levels, kept = list(enumerate(net["mult"], 1)), []
    x = w.conv(name + "in", x, c, 3)
    kept.append(x)
    for level, m in levels:
        attends = x.shape[-1] in net["attention"]
        for i in range(net["depth"]):
            x = block(w, f"{name}down{level}.block{i + 1}", x, time, m * c, net, attends=attends)
            kept.append(x)
        if level < len(levels):
            x = block(w, f"{name}down{level}.halve", x, time, m * c, net, "halve")
            kept.append(x)
    x = block(w, name + "middle1", x, time, x.shape[1], net, attends=bool(net["attention"]))
    x = block(w, name + "middle2", x, time, x.shape[1], net)
    for level, m in reversed(levels):
        attends = x.shape[-1] in net["attention"]
        for i in range(net["depth"] + 1):
            x = torch.cat([x, kept.pop()], 1)
            x = block(w, f"{name}up{level}.block{i + 1}", x, time, m * c, net, attends=attends)
        if level > 1:
            x = block(w, f"{name}up{level}.double", x, time, m * c, net, "double")
    assert not kept
    x = F.silu(group_norm(w, name + "norm", x, net["groups"]))
    return w.conv(name + "out", x, net["out"], 3)


def text(w, ids, causal):
    table, padding = w.normal("text.embedding", (ROWS, WIDTH), 0.5), w.normal("text.padding", (TEXT, WIDTH), 0.5)
    x = torch.where((ids >= 0)[..., None], table[ids.clamp(min=0)], padding) + w.normal("text.position", (TEXT, WIDTH), 0.5)
    seen = torch.ones(TEXT, TEXT, dtype=torch.bool)
    for i in range(LAYERS):
        name = f"text.block{i + 1}."
        h = w.norm(name + "norm1", x)
        q, k, v = (w.linear(name + "attention." + part, h, WIDTH).unflatten(-1, (HEADS, -1)).transpose(1, 2)
                   for part in ("query", "key", "value"))
        scores = (q @ k.transpose(2, 3) / math.sqrt(WIDTH // HEADS)).masked_fill(~(seen.tril() if causal else seen), -math.inf)
        x = x + w.linear(name + "attention.output", (scores.softmax(-1) @ v).transpose(1, 2).flatten(2), WIDTH)
        x = x + w.linear(name + "down", F.gelu(w.linear(name + "up", w.norm(name + "norm2", x), 4 * WIDTH)), WIDTH)
    return w.norm("text.norm", x)


def main(folder):
    w = Weights(16)

    def normal(*shape):
        return torch.randn(*shape, generator=w.generator).float().double()

    ids = torch.tensor([[4, 9, 1, -1, -1], [10, 0, 3, 3, 7]])
    tokens, valid, time, embedding = normal(2, 2, WIDTH), torch.tensor([5, 7]), torch.tensor([0.0, 731.0]), normal(2, 16)
    states, causal = text(w, ids, False), text(w, ids, True)
    common = {"groups": 2, "head": 4, "context": None, "valid": None, "channels": 4}
    nets = {
        "guided": ({**common, "depth": 1, "mult": [1, 2], "attention": [4], "out": 6, "context": torch.cat([tokens, states], 1),
                    "valid": valid}, 3, embedding),
        "alone": ({**common, "depth": 1, "mult": [2], "attention": [8], "head": 8, "out": 3}, 7, None),
        "plain": ({**common, "depth": 2, "mult": [1, 2, 1], "attention": [], "out": 3}, 6, None),
    }
    file = {"in.ids": ids.int(), "in.tokens": tokens, "in.valid": valid.int(), "in.time": time, "in.embedding": embedding}
    slope = normal(2, TEXT, WIDTH)
    loss = (causal * slope).sum()
    file |= {"in.slope.text": slope, "out.text": states, "out.text_causal": causal}
    for name, (net, n_in, added) in nets.items():
        x = normal(2, n_in, 8, 8)
        out = unet(w, name, net, x, time, added)
        slope = normal(*out.shape)
        loss = loss + (out * slope).sum()
        file |= {f"in.x.{name}": x.permute(0, 2, 3, 1), f"in.slope.{name}": slope.permute(0, 2, 3, 1),
                 f"out.{name}": out.permute(0, 2, 3, 1)}
    loss.backward()
    names = ["text.embedding", "text.padding", "text.position", "text.block1.attention.query.weight", "text.block2.up.weight",
             "text.norm.gain", "guided.unet.time1.weight", "guided.unet.in.weight", "guided.unet.down1.block1.conv1.weight",
             "guided.unet.down1.halve.conv2.weight", "guided.unet.down2.block1.skip.weight",
             "guided.unet.down2.block1.norm3.gain", "guided.unet.down2.block1.attention.context_key.weight",
             "guided.unet.middle1.attention.context_value.weight", "guided.unet.middle2.time.weight",
             "guided.unet.up2.block2.attention.query.weight", "guided.unet.up2.double.norm1.gain",
             "guided.unet.up1.block2.skip.weight", "guided.unet.out.weight", "alone.unet.down1.block1.attention.value.weight",
             "alone.unet.in.weight", "plain.unet.down3.block2.conv1.weight", "plain.unet.up2.double.conv1.weight",
             "plain.unet.up1.block3.norm2.bias", "plain.unet.time2.bias"]
    write(folder + "/unet.safetensors", {**w.stored(), **file, **w.gradients(names)})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_golden_unet.py FOLDER")
    main(sys.argv[1])
