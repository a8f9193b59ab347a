#!/usr/bin/env python3
"""make_golden.py -- writes tests/golden/*.safetensors: what PyTorch computes, for tests/models/test_golden_*.c.

    python3 tools/make_golden.py tests/golden

Models are written here a second time, from the papers' words (arXiv 2102.12092) and openai/DALL-E's layer
table, in PyTorch's own layouts and in double precision; files hold F32 in the program's names and layouts
([B,Y,X,C], convolution weights [Cout,ky,kx,Cin]).  Names: weights as in checkpoints, "in.*" inputs, "out.*"
results, "grad.<weight>" gradients.  Needed only to make the files again: torch and numpy.
SPDX-License-Identifier: MIT
"""
import json
import math
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)


def write(path, tensors):
    header, blobs, at = {"__metadata__": {"made_by": "tools/make_golden.py"}}, [], 0
    for name, value in tensors.items():
        a = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        integer = a.dtype.kind in "iu"
        blob = np.ascontiguousarray(a, dtype="<i4" if integer else "<f4").tobytes()
        header[name] = {"dtype": "I32" if integer else "F32", "shape": list(a.shape),
                        "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    print(f"{path}: {len(tensors)} tensors, {at} bytes")


class Weights:
    """Random weights by name, rounded to F32, remembered for the file."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)
        self.at = {}

    def normal(self, name, shape, deviation, mean=0.0):
        if name not in self.at:
            value = mean + deviation * torch.randn(shape, generator=self.generator)
            self.at[name] = value.float().double().requires_grad_()
        return self.at[name]

    def conv(self, name, x, n_out, k):
        n_in = x.shape[1]
        w = self.normal(name + ".weight", (n_out, n_in, k, k), 1 / math.sqrt(n_in * k * k))
        b = self.normal(name + ".bias", (n_out,), 0.1)
        return F.conv2d(x, w, b, padding=(k - 1) // 2)

    def linear(self, name, x, n_out, bias=True):
        w = self.normal(name + ".weight", (n_out, x.shape[-1]), 1 / math.sqrt(x.shape[-1]))
        return F.linear(x, w, self.normal(name + ".bias", (n_out,), 0.1) if bias else None)

    def norm(self, name, x):
        c = x.shape[-1]
        return F.layer_norm(x, (c,), self.normal(name + ".gain", (c,), 0.1, 1.0), self.normal(name + ".bias", (c,), 0.1))

    def stored(self):
        return {n: channels_last(w, weight=True) for n, w in self.at.items()}

    def gradients(self, names):
        return {"grad." + n: channels_last(self.at[n].grad, weight=True) for n in names}


def channels_last(x, weight=False):
    """NCHW pictures to [B,Y,X,C] and OIHW weights to [Cout,ky,kx,Cin]: the same permutation."""
    return x.permute(0, 2, 3, 1) if x.dim() == 4 else x


# ---- dVAE (dall_e/encoder.py, decoder.py) ----

GROUPS, BLOCKS, CHANNELS, CODES, DECODER_CHANNELS, IMAGE = 3, 1, 8, 24, 12, 16
EPSILON, TAU, BETA = 0.1, 0.7, 6.6


def residual_block(w, name, x, n_out, kernels):
    hidden = n_out // 4
    identity = x if x.shape[1] == n_out else w.conv(name + ".identity", x, n_out, 1)
    h = x
    for i, k in enumerate(kernels):
        h = w.conv(f"{name}.residual.conv{i + 1}", torch.relu(h), n_out if i == 3 else hidden, k)
    return identity + h / (GROUPS * BLOCKS) ** 2


def encoder(w, x):
    h = w.conv("encoder.input", x, CHANNELS, 7)
    for g in range(GROUPS):
        for b in range(BLOCKS):
            h = residual_block(w, f"encoder.group{g + 1}.block{b + 1}", h, CHANNELS * 2 ** g, (3, 3, 3, 1))
        if g + 1 < GROUPS:
            h = F.max_pool2d(h, 2)
    return w.conv("encoder.output", torch.relu(h), CODES, 1)


def decoder(w, z):
    h = w.conv("decoder.input", z, DECODER_CHANNELS, 1)
    for g in range(GROUPS):
        for b in range(BLOCKS):
            h = residual_block(w, f"decoder.group{g + 1}.block{b + 1}", h, CHANNELS * 2 ** (GROUPS - 1 - g), (1, 3, 3, 3))
        if g + 1 < GROUPS:
            h = F.interpolate(h, scale_factor=2, mode="nearest")
    return w.conv("decoder.output", torch.relu(h), 6, 1)


def logit_laplace(x, stats):
    mu, log_b = stats[:, :3], stats[:, 3:]
    return torch.log(2 * x * (1 - x)) + log_b + torch.abs(torch.logit(x) - mu) * torch.exp(-log_b)


def dvae(folder):
    w = Weights(1)
    pixels = torch.randint(0, 256, (2, 3, IMAGE, IMAGE), generator=w.generator)
    x = (1 - 2 * EPSILON) * pixels / 255 + EPSILON
    logits = encoder(w, x)
    z = torch.softmax(logits / TAU, dim=1)
    stats = decoder(w, z)
    p = torch.softmax(logits, dim=1)
    kl = (p * (torch.log_softmax(logits, dim=1) + math.log(CODES))).sum(dim=1)
    nll = logit_laplace(x, stats)
    loss = (nll.sum() + BETA * kl.sum()) / x.numel()
    loss.backward()
    onehot = F.one_hot(logits.argmax(1), CODES).permute(0, 3, 1, 2).double()
    names = ["encoder.input.weight", "encoder.input.bias", "encoder.group1.block1.residual.conv1.weight",
             "encoder.group2.block1.identity.weight", "encoder.group3.block1.residual.conv4.weight",
             "encoder.output.weight", "decoder.input.weight", "decoder.group1.block1.residual.conv1.bias",
             "decoder.group2.block1.residual.conv4.weight", "decoder.output.weight", "decoder.output.bias"]
    write(folder + "/dvae.safetensors", {
        **w.stored(), "in.pixels": channels_last(pixels).int(),
        "out.logits": channels_last(logits), "out.stats": channels_last(stats), "out.kl": kl,
        "out.nll": channels_last(nll), "out.loss": loss.reshape(1), "out.tokens": logits.argmax(1).int(),
        "out.token_stats": channels_last(decoder(w, onehot)), **w.gradients(names)})


# ---- Prior (2.2, B.1) ----

TEXT, SIDE, VOCABULARY, SIZE, HEADS, LAYERS, WINDOW = 5, 4, 20, 16, 2, 6, 3


def image_mask(kind):
    """Which image tokens image token i sees, from the paper's words."""
    n = SIDE * SIDE
    seen = torch.zeros(n, n, dtype=torch.bool)
    for i in range(n):
        for j in range(i + 1):
            if kind == "row":  # the previous W+1 raster positions, itself included
                seen[i, j] = i - j < SIDE + 1
            elif kind == "column":
                seen[i, j] = i % SIDE == j % SIDE
        if kind == "conv":  # the causal half of a window around it, wrapping at row ends
            h = WINDOW // 2
            for dy in range(h + 1):
                for dx in range(-h, h + 1):
                    j = (i // SIDE - dy) * SIDE + (i % SIDE + dx)
                    if 0 <= j <= i:
                        seen[i, j] = True
    return seen


def stream_mask(kind):
    s = TEXT + SIDE * SIDE
    seen = torch.tril(torch.ones(s, s)).bool()
    seen[TEXT:, TEXT:] = image_mask(kind)
    return seen


def kind_of(layer):
    return "conv" if layer == LAYERS else "column" if (layer - 2) % 4 == 0 else "row"


def attention(w, name, x, seen):
    b, t, c = x.shape
    q, k, v = (w.linear(f"{name}.{part}", x, c).reshape(b, t, HEADS, c // HEADS).transpose(1, 2)
               for part in ("query", "key", "value"))
    scores = (q @ k.transpose(2, 3) / math.sqrt(c // HEADS)).masked_fill(~seen, -math.inf)
    return w.linear(name + ".output", (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(b, t, c), c)


def block(w, number, x):
    name = f"block{number}"
    h = x + attention(w, name + ".attention", w.norm(name + ".norm1", x), stream_mask(kind_of(number)))
    up = F.gelu(w.linear(name + ".up", w.norm(name + ".norm2", h), 4 * SIZE))
    return h + w.linear(name + ".down", up, SIZE)


def prior(folder):
    w = Weights(2)
    n = SIDE * SIDE
    text = torch.tensor([[3, 17, 4, -1, -1], [9, 1, 19, 2, 7]])
    image = torch.randint(0, CODES, (2, n), generator=w.generator)
    table = w.normal("text_embedding", (VOCABULARY, SIZE), 0.5)
    padding = w.normal("padding_embedding", (TEXT, SIZE), 0.5)
    position = w.normal("text_position", (TEXT, SIZE), 0.5)
    words = torch.where((text >= 0)[..., None], table[text.clamp(min=0)], padding) + position
    at = torch.arange(n)
    places = w.normal("row_embedding", (SIDE, SIZE), 0.5)[at // SIDE] + w.normal("column_embedding", (SIDE, SIZE), 0.5)[at % SIDE]
    x = torch.cat([words, w.normal("image_embedding", (CODES, SIZE), 0.5)[image] + places], 1)
    for i in range(LAYERS):
        x = block(w, i + 1, x)
    states = w.norm("norm", x)
    image_logits = w.linear("image_logits", states[:, TEXT - 1:-1], CODES, bias=False)
    text_logits = w.linear("text_logits", states[:, :TEXT - 1], VOCABULARY, bias=False)
    targets = text[:, 1:]
    image_loss = F.cross_entropy(image_logits.reshape(-1, CODES), image.reshape(-1))
    text_loss = F.cross_entropy(text_logits.reshape(-1, VOCABULARY), targets.reshape(-1), ignore_index=-1)
    loss = text_loss / 8 + image_loss * 7 / 8
    loss.backward()
    alone = torch.randn(2, TEXT + n, SIZE, generator=w.generator).float().double()
    names = ["text_embedding", "padding_embedding", "text_position", "image_embedding", "row_embedding",
             "column_embedding", "block1.norm1.gain", "block1.attention.query.weight", "block2.attention.key.weight",
             "block2.attention.value.bias", "block3.up.weight", "block4.down.weight", "block6.attention.output.weight",
             "norm.bias", "image_logits.weight", "text_logits.weight"]
    write(folder + "/prior.safetensors", {
        **w.stored(), "in.text": text.int(), "in.image": image.int(), "in.targets": targets.int(), "in.block": alone,
        "out.block": block(w, 2, alone), "out.states": states, "out.image_logits": image_logits,
        "out.text_logits": text_logits, "out.image_loss": image_loss.reshape(1),
        "out.text_loss": text_loss.reshape(1), "out.loss": loss.reshape(1), **w.gradients(names)})


# ---- CLIP: written in the layout of openai/CLIP's published models (clip/model.py), a file of which it makes too ----

CLIP = {"image": 8, "patch": 4, "embedding": 12, "text": 6, "rows": 20, "visual": (16, 2, 2), "textual": (12, 3, 2)}


def clip_tower(w, prefix, x, heads, layers, mask, quick=True):
    width = x.shape[-1]
    for i in range(layers):
        name = f"{prefix}transformer.resblocks.{i}."
        h = F.layer_norm(x, (width,), w.normal(name + "ln_1.weight", (width,), 0.2, 1), w.normal(name + "ln_1.bias", (width,), 0.2))
        q, k, v = F.linear(h, w.normal(name + "attn.in_proj_weight", (3 * width, width), 0.3),
                           w.normal(name + "attn.in_proj_bias", (3 * width,), 0.1)).chunk(3, -1)
        q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
        scores = q @ k.transpose(-1, -2) / math.sqrt(width // heads)
        mixed = (scores if mask is None else scores + mask).softmax(-1) @ v
        x = x + F.linear(mixed.transpose(1, 2).flatten(2), w.normal(name + "attn.out_proj.weight", (width, width), 0.3),
                         w.normal(name + "attn.out_proj.bias", (width,), 0.1))
        h = F.layer_norm(x, (width,), w.normal(name + "ln_2.weight", (width,), 0.2, 1), w.normal(name + "ln_2.bias", (width,), 0.2))
        h = F.linear(h, w.normal(name + "mlp.c_fc.weight", (4 * width, width), 0.3), w.normal(name + "mlp.c_fc.bias", (4 * width,), 0.1))
        h = h * torch.sigmoid(1.702 * h) if quick else F.gelu(h)
        x = x + F.linear(h, w.normal(name + "mlp.c_proj.weight", (width, 4 * width), 0.2), w.normal(name + "mlp.c_proj.bias", (width,), 0.1))
    return x


def clip_picture(w, pixels, quick=True):
    width, heads, layers = CLIP["visual"]
    p, n = CLIP["patch"], (CLIP["image"] // CLIP["patch"]) ** 2
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])
    deviation = torch.tensor([0.26862954, 0.26130258, 0.27577711])
    x = ((pixels / 255.0 - mean) / deviation).permute(0, 3, 1, 2)
    x = F.conv2d(x, w.normal("visual.conv1.weight", (width, 3, p, p), 0.2), stride=p).flatten(2).transpose(1, 2)
    first = w.normal("visual.class_embedding", (width,), 0.5).expand(len(x), 1, width)
    x = torch.cat([first, x], 1) + w.normal("visual.positional_embedding", (n + 1, width), 0.3)
    x = F.layer_norm(x, (width,), w.normal("visual.ln_pre.weight", (width,), 0.2, 1), w.normal("visual.ln_pre.bias", (width,), 0.2))
    x = clip_tower(w, "visual.", x, heads, layers, None, quick)[:, 0]
    x = F.layer_norm(x, (width,), w.normal("visual.ln_post.weight", (width,), 0.2, 1), w.normal("visual.ln_post.bias", (width,), 0.2))
    return F.normalize(x @ w.normal("visual.proj", (width, CLIP["embedding"]), 0.3), dim=-1)


def clip_caption(w, text, ends, quick=True):
    width, heads, layers = CLIP["textual"]
    x = w.normal("token_embedding.weight", (CLIP["rows"], width), 0.5)[text]
    x = x + w.normal("positional_embedding", (CLIP["text"], width), 0.3)
    x = clip_tower(w, "", x, heads, layers, torch.full((CLIP["text"],) * 2, -math.inf).triu(1), quick)
    x = F.layer_norm(x, (width,), w.normal("ln_final.weight", (width,), 0.2, 1), w.normal("ln_final.bias", (width,), 0.2))
    x = x[torch.arange(len(x)), ends] @ w.normal("text_projection", (width, CLIP["embedding"]), 0.3)
    return F.normalize(x, dim=-1)


def clip_ours(name, value):
    """A published tensor as the program's parameters: pairs of name and value."""
    for old, new in {"visual.class_embedding": "image.class", "visual.conv1": "image.patch", "visual.positional_embedding": "image.position",
                     "visual.ln_pre": "image.norm_before", "visual.ln_post": "image.norm_after", "visual.proj": "image.projection.weight",
                     "token_embedding.weight": "text.embedding", "positional_embedding": "text.position", "ln_final": "text.norm",
                     "text_projection": "text.projection.weight", "logit_scale": "log_scale"}.items():
        if name.startswith(old):
            new = new + name[len(old):]
            if "norm" in new:
                new = new.replace(".weight", ".gain")
            if old.endswith("proj") or old.endswith("projection"):
                value = value.T
            if old == "visual.conv1":
                value = value.permute(0, 2, 3, 1).flatten(1)
            return [(new, value.reshape(1, -1) if old == "visual.class_embedding" else value.reshape(1) if old == "logit_scale" else value)]
    tower = "image" if name.startswith("visual.") else "text"
    number, rest = name.split("resblocks.")[1].split(".", 1)
    scope = f"{tower}.block{int(number) + 1}."
    if "in_proj" in rest:
        return [(f"{scope}attention.{which}.{rest.split('_')[-1]}", part) for which, part in zip(("query", "key", "value"), value.chunk(3))]
    for old, new in {"attn.out_proj": "attention.output", "mlp.c_fc": "up", "mlp.c_proj": "down"}.items():
        rest = rest.replace(old, new)
    for i in "12":
        rest = rest.replace(f"ln_{i}.weight", f"norm{i}.gain").replace(f"ln_{i}.bias", f"norm{i}.bias")
    return [(scope + rest, value)]


def clip(folder):
    w = Weights(4)
    batch, rate, decay = 4, 1e-2, 0.2
    pixels = torch.randint(0, 256, (batch, CLIP["image"], CLIP["image"], 3), generator=w.generator)
    text = torch.randint(0, CLIP["rows"], (batch, CLIP["text"]), generator=w.generator)
    ends = torch.tensor([5, 2, 0, 3])
    log_scale = w.normal("logit_scale", (), 0.0, math.log(1 / 0.07))

    def loss_of():
        pictures, captions = clip_picture(w, pixels), clip_caption(w, text, ends)
        logits = log_scale.exp() * pictures @ captions.T
        own = torch.arange(batch)
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2, pictures, captions

    loss, pictures, captions = loss_of()
    with torch.no_grad():
        exact = clip_picture(w, pixels, quick=False), clip_caption(w, text, ends, quick=False)
    loss.backward()
    published = {n: v.detach().clone() for n, v in w.at.items()}
    mine, gradients, after = {}, {}, {}
    for name, value in w.at.items():
        mine |= dict(clip_ours(name, value.detach().clone()))
        gradients |= {"grad." + n: v for n, v in clip_ours(name, value.grad)}
    # One step: gains, biases and the temperature do not decay; the class row, positions and embeddings do.
    still = {n for n, v in w.at.items() if "ln_" in n or n.endswith("bias") or n == "logit_scale"}
    adam = torch.optim.AdamW([{"params": [v for n, v in w.at.items() if n not in still], "weight_decay": decay},
                              {"params": [v for n, v in w.at.items() if n in still], "weight_decay": 0.0}],
                             lr=rate, betas=(0.9, 0.98), eps=1e-6)
    adam.step()
    for name, value in w.at.items():
        after |= {"after." + n: v for n, v in clip_ours(name, value.detach())}
    names = ["image.patch.weight", "image.class", "image.position", "image.norm_before.gain", "image.block1.attention.query.weight",
             "image.block2.up.weight", "image.norm_after.bias", "image.projection.weight", "text.embedding", "text.position",
             "text.block1.attention.value.bias", "text.block2.down.weight", "text.norm.gain", "text.projection.weight", "log_scale"]
    inputs = {"in.pixels": pixels.int(), "in.text": text.int(), "in.ends": ends.int()}
    out = {"out.pictures": pictures, "out.texts": captions, "out.loss": loss.reshape(1),
           "out.pictures_gelu": exact[0], "out.texts_gelu": exact[1]}
    write(folder + "/clip.safetensors", {**mine, **inputs, **out, **{"grad." + n: gradients["grad." + n] for n in names},
                                         **{"after." + n: after["after." + n] for n in names}})
    write(folder + "/clip_published.safetensors", published)


# ---- AdamW with clipping and averages ----

def adamw(folder):
    w = Weights(3)
    steps, clip, average = 5, 4.0, 0.5
    a, b = w.normal("a.weight", (7, 5), 1.0), w.normal("a.bias", (5,), 1.0)
    start = {n: v.detach().clone() for n, v in w.at.items()}
    factors = torch.randn(steps, 7, 5, generator=w.generator).float().double() * torch.tensor([0.1, 3.0, 0.2, 1.0, 0.3])[:, None, None]
    factors = factors.float().double()
    slopes = torch.randn(steps, 5, generator=w.generator).float().double()
    rates = [1e-2, 2e-2, 3e-2, 3e-2, 1.5e-2]
    optimizer = torch.optim.AdamW([{"params": [a], "weight_decay": 4.5e-2}, {"params": [b], "weight_decay": 0.0}],
                                  betas=(0.9, 0.96), eps=1e-8)
    averages = {n: v.clone() for n, v in start.items()}
    norms = []
    for i in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rates[i]
        optimizer.zero_grad()
        ((factors[i] * a * a).sum() + (slopes[i] * b.exp()).sum()).backward()
        norms.append(torch.nn.utils.clip_grad_norm_([a, b], clip))
        optimizer.step()
        for n, v in w.at.items():
            averages[n] = average * averages[n] + (1 - average) * v.detach()
    out = {**start, "in.factors": factors, "in.slopes": slopes, "in.rates": torch.tensor(rates), "out.norms": torch.stack(norms)}
    for n, v in w.at.items():
        state = optimizer.state[v]
        out |= {"out." + n: v, "out.adam.mean." + n: state["exp_avg"], "out.adam.variance." + n: state["exp_avg_sq"],
                "out.ema." + n: averages[n]}
    write(folder + "/adamw.safetensors", out)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_golden.py FOLDER")
    dvae(sys.argv[1])
    prior(sys.argv[1])
    clip(sys.argv[1])
    adamw(sys.argv[1])
