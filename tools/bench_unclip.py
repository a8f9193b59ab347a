#!/usr/bin/env python3
"""bench_unclip.py -- DALL-E 2's decoder and upsampler in PyTorch, written for speed: bench_torch.py times them.

    python3 tools/bench_unclip.py tests/golden      compares the network with the golden file, in double precision

channels_last where that is faster, one product for query, key and value, scaled_dot_product_attention, captions and
embeddings read once for all steps of a picture.  Needs torch.
SPDX-License-Identifier: MIT
"""
import dataclasses
import math
import sys

import torch
import torch.nn.functional as F
from torch import nn

from bench_models import agree, read_safetensors

# ---- The U-Net of guided diffusion (arXiv 2105.05233) ----


@dataclasses.dataclass(frozen=True)
class NetSizes:
    n_in: int
    n_out: int
    size: int
    channels: int
    depth: int
    mult: tuple
    attention: tuple
    head: int
    groups: int
    context: int


class Norm(nn.Module):
    """Group normalisation, scale and shift of the sample, SiLU."""

    def __init__(self, groups, channels, silu=True):
        super().__init__()
        self.groups, self.silu = groups, silu
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x, both=None):
        x = F.group_norm(x, self.groups, self.weight, self.bias, 1e-5)
        if both is not None:
            scale, shift = both[..., None, None].chunk(2, 1)
            x = torch.addcmul(shift, x, 1 + scale)
        return F.silu(x) if self.silu else x


def conv(n_in, n_out, kernel):
    return nn.Conv2d(n_in, n_out, kernel, padding=(kernel - 1) // 2)


class Attention(nn.Module):
    def __init__(self, s, channels):
        super().__init__()
        self.heads = channels // s.head
        self.norm = Norm(s.groups, channels, silu=False)
        self.own, self.output = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        if s.context:
            self.given = nn.Linear(s.context, 2 * channels)

    def forward(self, x, context, seen):
        b, c, height, width = x.shape
        h = self.norm(x).flatten(2).transpose(1, 2)
        q, k, v = self.own(h).view(b, -1, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        if context is not None:
            more = self.given(context).view(b, -1, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
            k, v = torch.cat([more[0], k], 2), torch.cat([more[1], v], 2)
        if seen is not None:
            seen = F.pad(seen, (0, height * width), value=True)[:, None, None]
        h = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        h = self.output(h.transpose(1, 2).reshape(b, -1, c))
        return x + h.transpose(1, 2).view(b, c, height, width)


class Block(nn.Module):
    def __init__(self, s, n_in, n_out, turn=None, attends=False):
        super().__init__()
        self.turn = turn
        self.norm1, self.norm2 = Norm(s.groups, n_in), Norm(s.groups, n_out)
        self.conv1, self.conv2 = conv(n_in, n_out, 3), conv(n_out, n_out, 3)
        self.time = nn.Linear(4 * s.channels, 2 * n_out)
        self.skip = conv(n_in, n_out, 1) if n_in != n_out else None
        self.attention = Attention(s, n_out) if attends else None
        nn.init.zeros_(self.conv2.weight)

    def turned(self, x):
        if self.turn == "halve":
            return F.avg_pool2d(x, 2)
        return F.interpolate(x, scale_factor=2, mode="nearest") if self.turn == "double" else x

    def forward(self, x, time, context, seen):
        h = self.conv1(self.turned(self.norm1(x)))
        h = self.conv2(self.norm2(h, self.time(time)))
        x = self.turned(x)
        x = h + (self.skip(x) if self.skip else x)
        return self.attention(x, context, seen) if self.attention else x


class Net(nn.Module):
    """Blocks by the names of the program's scopes."""

    def __init__(self, s):
        super().__init__()
        self.sizes, now = s, s.channels
        self.time1, self.time2 = nn.Linear(now, 4 * now), nn.Linear(4 * now, 4 * now)
        self.first, kept, self.blocks = conv(s.n_in, now, 3), [now], nn.ModuleDict()
        for level, m in enumerate(s.mult, 1):
            attends = s.size >> (level - 1) in s.attention
            for i in range(s.depth):
                self.blocks[f"down{level}/block{i + 1}"] = Block(s, now, m * s.channels, attends=attends)
                kept.append(now := m * s.channels)
            if level < len(s.mult):
                self.blocks[f"down{level}/halve"] = Block(s, now, now, "halve")
                kept.append(now)
        self.blocks["middle1"] = Block(s, now, now, attends=bool(s.attention))
        self.blocks["middle2"] = Block(s, now, now)
        for level, m in reversed(list(enumerate(s.mult, 1))):
            attends = s.size >> (level - 1) in s.attention
            for i in range(s.depth + 1):
                self.blocks[f"up{level}/block{i + 1}"] = Block(s, now + kept.pop(), m * s.channels, attends=attends)
                now = m * s.channels
            if level > 1:
                self.blocks[f"up{level}/double"] = Block(s, now, now, "double")
        self.norm, self.last = Norm(s.groups, now), conv(now, s.n_out, 3)
        nn.init.zeros_(self.last.weight)

    def waves(self, t):
        half = self.sizes.channels // 2
        angles = t[:, None] * torch.exp(torch.arange(half, dtype=t.dtype) * (-math.log(10000) / half))
        return torch.cat([angles.cos(), angles.sin()], 1)

    def forward(self, x, t, embedding=None, context=None, seen=None):
        """seen [B,T]: which positions of the context; None: all"""
        time = self.time2(F.silu(self.time1(self.waves(t))))
        time = F.silu(time if embedding is None else time + embedding)
        x = self.first(x)
        kept = [x]
        for name, block in self.blocks.items():
            if name.startswith("up") and "/block" in name:
                x = torch.cat([x, kept.pop()], 1)
            x = block(x, time, context, seen)
            if name.startswith("down"):
                kept.append(x)
        return self.last(self.norm(x))


# ---- The process: a cosine schedule, what a network says is the noise (with a variance) or the velocity ----


class Process(nn.Module):
    def __init__(self, steps=1000):
        super().__init__()
        at = lambda i: math.cos((i / steps + 0.008) / 1.008 * math.pi / 2) ** 2
        beta = torch.tensor([min(1 - at(i + 1) / at(i), 0.999) for i in range(steps)], dtype=torch.float64)
        a = torch.cumprod(1 - beta, 0)
        before = torch.cat([torch.ones(1, dtype=torch.float64), a[:-1]])
        variance = beta * (1 - before) / (1 - a)
        variance[0] = variance[1]
        rows = [a.sqrt(), (1 - a).sqrt(), before.sqrt() * beta / (1 - a), (1 - beta).sqrt() * (1 - before) / (1 - a),
                variance.log(), beta.log()]
        self.steps = steps
        self.register_buffer("rows", torch.stack(rows).float())
        self.a = a.tolist()

    def forward(self, net, x0, t, noise, learned, **more):
        """-> loss; net(x_t, t, ..) predicts noise and variance if `learned`, else the velocity."""
        root_a, root_rest, of_start, of_noised, low, high = self.rows[:, t, None, None, None]
        xt = root_a * x0 + root_rest * noise
        said = net(xt, t.float(), **more)
        if not learned:
            return F.mse_loss(said, root_a * noise - root_rest * x0)
        said, v = said.chunk(2, 1)
        start = (xt - root_rest * said.detach()) / root_a
        mean, log_variance = of_start * start + of_noised * xt, low + (1 + v) / 2 * (high - low)
        away = of_start * (x0 - start)
        kl = 0.5 * (torch.exp(low - log_variance) - 1 + log_variance - low + away * away * torch.exp(-log_variance))
        bound = torch.where((t == 0)[:, None, None, None], self.levels(x0, mean, log_variance), kl).mean() / math.log(2)
        return F.mse_loss(said, noise) + bound * (self.steps / 1000)

    def levels(self, x, mean, log_variance):
        rate, below = torch.exp(-0.5 * log_variance), lambda z: 0.5 * torch.erfc(-z * math.sqrt(0.5))
        high = torch.where(x > 0.999, 1.0, below((x + 1 / 255 - mean) * rate))
        low = torch.where(x < -0.999, 0.0, below((x - 1 / 255 - mean) * rate))
        return -torch.log((high - low).clamp(min=1e-12))


@torch.no_grad()
def ddim(process, step, x, count, velocity):
    """x from noise to a picture in `count` steps of DDIM; step(x, t) is the network's."""
    places = [round(i * (process.steps - 1) / (count - 1)) for i in range(count)]
    for i in reversed(range(count)):
        a, before = process.a[places[i]], process.a[places[i - 1]] if i else 1.0
        said = step(x, float(places[i]))
        root, rest = math.sqrt(a), math.sqrt(1 - a)
        start = (root * x - rest * said if velocity else (x - rest * said) / root).clamp(-1, 1)
        noise = (x - root * start) / rest
        x = math.sqrt(before) * start + math.sqrt(1 - before) * noise
    return x


# ---- The decoder: text encoder (GLIDE, arXiv 2112.10741), CLIP embedding (2.1 of 2204.06125) ----


@dataclasses.dataclass(frozen=True)
class TextSizes:
    tokens: int
    rows: int
    width: int
    layers: int
    heads: int


class TextBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.own, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.own(self.norm1(x)).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.output(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Text(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.embedding = nn.Embedding(s.rows, s.width)
        self.padding = nn.Parameter(torch.randn(s.tokens, s.width) * 0.02)
        self.position = nn.Parameter(torch.randn(s.tokens, s.width) * 0.01)
        self.blocks = nn.ModuleList(TextBlock(s.width, s.heads) for _ in range(s.layers))
        self.norm = nn.LayerNorm(s.width)

    def forward(self, ids):
        x = torch.where((ids >= 0)[..., None], self.embedding(ids.clamp(min=0)), self.padding) + self.position
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Decoder(nn.Module):
    def __init__(self, sizes, text, embedding, tokens=4):
        super().__init__()
        self.net, self.text, self.process, self.tokens = Net(sizes), Text(text), Process(), tokens
        self.caption_time = nn.Linear(text.width, 4 * sizes.channels)
        self.embedding_time = nn.Linear(embedding, 4 * sizes.channels)
        self.embedding_tokens = nn.Linear(embedding, tokens * text.width)
        self.nothing = nn.Parameter(torch.zeros(embedding))

    def condition(self, ids, embedding, keep):
        states = self.text(ids)
        e = torch.where(keep, embedding * math.sqrt(embedding.shape[1]), self.nothing)
        own = self.embedding_tokens(e).view(len(e), self.tokens, -1)
        return self.embedding_time(e) + self.caption_time(states[:, -1]), torch.cat([own, states], 1)

    def forward(self, pixels, t, noise, ids, embedding, keep):
        added, context = self.condition(ids, embedding, keep)
        return self.process(self.net, pixels / 127.5 - 1, t, noise, True, embedding=added, context=context)


class Upsampler(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.net, self.process = Net(sizes), Process()

    def forward(self, pixels, low, t, noise):
        beside = lambda x, t: self.net(torch.cat([x, low / 127.5 - 1], 1), t)
        return self.process(beside, pixels / 127.5 - 1, t, noise, False)


# ---- Made-up data ----

def layout(variant):
    return torch.contiguous_format if variant == "eager" else torch.channels_last


def pictures(variant, *shape):
    return torch.randint(0, 256, shape, dtype=torch.uint8).contiguous(memory_format=layout(variant))


def caption(model, batch):
    return (torch.randint(0, model.text.embedding.num_embeddings, (batch, len(model.text.position))),
            torch.nn.functional.normalize(torch.randn(batch, len(model.nothing)), dim=1))


# ---- Beside the golden file ----

PARTS = {"own": ("query", "key", "value"), "given": ("context_key", "context_value")}


def golden_name(name):
    name = name.removeprefix("blocks.").replace("/", ".").replace("attention.norm.", "norm3.")
    name = name.replace("first.", "in.").replace("last.", "out.")
    return name.replace(".weight", ".gain") if "norm" in name else name


def loaded(golden, prefix, name):
    wanted = golden_name(name)
    for part, names in PARTS.items():
        if f"attention.{part}." in wanted:
            return torch.cat([golden[prefix + wanted.replace(f".{part}.", f".{one}.")] for one in names])
    return golden[prefix + wanted]


def check_net(golden, kind, sizes, layout):
    """-> the sum of its output times given slopes, and two of its weights"""
    net = Net(sizes)
    net.load_state_dict({n: loaded(golden, kind + ".unet.", n) for n in net.state_dict()})
    net = net.to(memory_format=layout)
    context = seen = embedding = None
    if sizes.context:
        embedding, context = golden["in.embedding"], torch.cat([golden["in.tokens"], golden["out.text"]], 1)
        seen = torch.arange(context.shape[1]) < golden["in.valid"][:, None]
    picture = lambda name: golden[name].contiguous(memory_format=layout)
    out = net(picture("in.x." + kind), golden["in.time"], embedding, context, seen)
    agree(f"{kind}, {layout}", out, picture("out." + kind))
    (out * picture("in.slope." + kind)).sum().backward()
    return net


def check(folder, layout):
    golden = {n: v.double() for n, v in read_safetensors(folder + "/unet.safetensors").items()}
    sizes = dict(size=8, channels=4, groups=2)
    guided = check_net(golden, "guided", NetSizes(3, 6, depth=1, mult=(1, 2), attention=(4,), head=4, context=8, **sizes), layout)
    check_net(golden, "alone", NetSizes(7, 3, depth=1, mult=(2,), attention=(8,), head=8, context=0, **sizes), layout)
    plain = check_net(golden, "plain", NetSizes(6, 3, depth=2, mult=(1, 2, 1), attention=(), head=8, context=0, **sizes), layout)
    agree("gradient of the skip", guided.blocks["up1/block2"].skip.weight.grad,
          golden["grad.guided.unet.up1.block2.skip.weight"])
    agree("gradient of the last time layer", plain.time2.bias.grad, golden["grad.plain.unet.time2.bias"])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: bench_unclip.py FOLDER, the golden files'")
    torch.set_default_dtype(torch.float64)
    for form in (torch.contiguous_format, torch.channels_last):
        check(sys.argv[1], form)
