#!/usr/bin/env python3
"""bench_models.py -- the dVAE, the prior with its sampler and CLIP in PyTorch, written for speed: bench_torch.py times them.

    python3 tools/bench_models.py tests/golden      compares them with the golden files, in double precision

What an expert would do on a CPU is done: channels_last, in-place ReLUs, one product for query, key and value,
scaled_dot_product_attention, a key/value cache that is read only where a layer's mask sees.  Names of weights
are the program's, but for that product and for LayerNorm's own.  Needs torch.
SPDX-License-Identifier: MIT
"""
import dataclasses
import json
import math
import struct
import sys

import torch
import torch.nn.functional as F
from torch import nn

# ---- dVAE (openai/DALL-E: dall_e/encoder.py, decoder.py; A.2, A.3 of arXiv 2102.12092) ----


@dataclasses.dataclass(frozen=True)
class DvaeSizes:
    image: int
    channels: int
    groups: int
    codes: int
    blocks: int = 2
    decoder_channels: int = 128
    epsilon: float = 0.1


def conv(n_in, n_out, kernel):
    layer = nn.Conv2d(n_in, n_out, kernel, padding=(kernel - 1) // 2)
    nn.init.normal_(layer.weight, std=1 / math.sqrt(n_in * kernel * kernel))
    nn.init.zeros_(layer.bias)
    return layer


class Block(nn.Module):
    def __init__(self, n_in, n_out, kernels, gain):
        super().__init__()
        self.gain = gain
        if n_in != n_out:
            self.identity = conv(n_in, n_out, 1)
        hidden = n_out // 4
        widths = [n_in, hidden, hidden, hidden, n_out]
        self.residual = nn.ModuleDict({f"conv{i + 1}": conv(widths[i], widths[i + 1], k) for i, k in enumerate(kernels)})

    def forward(self, x):
        h = F.relu(x)  # not in place: x goes on as the identity
        for i, layer in enumerate(self.residual.values()):
            h = layer(F.relu(h, inplace=True) if i else h)
        return torch.add(self.identity(x) if hasattr(self, "identity") else x, h, alpha=self.gain)


class Half(nn.Module):
    """The encoder or the decoder."""

    def __init__(self, sizes, encoder):
        super().__init__()
        self.encoder, self.groups = encoder, sizes.groups
        gain = 1 / (sizes.groups * sizes.blocks) ** 2
        kernels = (3, 3, 3, 1) if encoder else (1, 3, 3, 3)
        n = sizes.channels if encoder else sizes.decoder_channels
        self.input = conv(3, n, 7) if encoder else conv(sizes.codes, n, 1)
        for g in range(sizes.groups):
            out = sizes.channels << (g if encoder else sizes.groups - 1 - g)
            blocks = {}
            for b in range(sizes.blocks):
                blocks[f"block{b + 1}"] = Block(n, out, kernels, gain)
                n = out
            self.add_module(f"group{g + 1}", nn.ModuleDict(blocks))
        self.output = conv(n, sizes.codes if encoder else 6, 1)

    def forward(self, x):
        h = self.input(x)
        for g in range(self.groups):
            for block in getattr(self, f"group{g + 1}").values():
                h = block(h)
            if g + 1 < self.groups:
                h = F.max_pool2d(h, 2) if self.encoder else F.interpolate(h, scale_factor=2, mode="nearest")
        return self.output(F.relu(h, inplace=True))


class Dvae(nn.Module):
    def __init__(self, sizes, channels_last):
        super().__init__()
        self.sizes = sizes
        self.encoder, self.decoder = Half(sizes, True), Half(sizes, False)
        # The axis of the channels as memory has it: sums along it then need no copy.
        self.channels_last = channels_last
        if channels_last:
            self.to(memory_format=torch.channels_last)

    def relaxed(self, logits, temperature, noise):
        """Logits to relaxed one-hot codes and KL(posterior || uniform) summed over tokens."""
        rows = logits.permute(0, 2, 3, 1) if self.channels_last else logits
        axis = -1 if self.channels_last else 1
        if noise:
            noisy = rows - torch.empty_like(rows).exponential_().log()
            z = F.softmax(noisy / temperature, dim=axis)
        else:
            z = F.softmax(rows / temperature, dim=axis)
        logs = F.log_softmax(rows, dim=axis)
        kl = (logs.exp() * (logs + math.log(self.sizes.codes))).sum()
        return (z.permute(0, 3, 1, 2) if self.channels_last else z), kl

    def forward(self, pixels, temperature, kl_weight, noise=True):
        """pixels u8 [B,3,Y,X] -> loss, logits, statistics."""
        x = pixels * ((1 - 2 * self.sizes.epsilon) / 255) + self.sizes.epsilon
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        logits = self.encoder(x)
        z, kl = self.relaxed(logits, temperature, noise)
        stats = self.decoder(z)
        mu, log_b = stats[:, :3], stats[:, 3:]
        nll = (torch.log(2 * x * (1 - x)) + log_b + torch.abs(torch.logit(x) - mu) * torch.exp(-log_b)).sum()
        return (nll + kl_weight * kl) / x.numel(), logits, stats


# ---- Prior (2.2, B.1) ----


@dataclasses.dataclass(frozen=True)
class PriorSizes:
    text: int
    side: int
    vocabulary: int
    codes: int
    size: int
    heads: int
    layers: int
    window: int = 11

    @property
    def image(self):
        return self.side * self.side

    @property
    def stream(self):
        return self.text + self.image

    def kind(self, layer):
        return "conv" if layer == self.layers else "column" if (layer - 2) % 4 == 0 else "row"


def sees(sizes, kind):
    """Which positions of the stream each position sees: bool [S,S]."""
    seen = torch.ones(sizes.stream, sizes.stream, dtype=torch.bool).tril()
    at, half = torch.arange(sizes.image), sizes.window // 2
    distance = at[:, None] - at[None, :]
    if kind == "row":  # the previous W+1 raster positions, itself included
        image = distance <= sizes.side
    elif kind == "column":
        image = distance % sizes.side == 0
    else:  # the causal half of a window, wrapping at row ends
        image = torch.zeros_like(distance, dtype=torch.bool)
        for dy in range(half + 1):
            image |= (distance - dy * sizes.side).abs() <= half
    seen[sizes.text:, sizes.text:] &= image
    return seen


class Attention(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.heads = sizes.heads
        self.qkv, self.output = nn.Linear(sizes.size, 3 * sizes.size), nn.Linear(sizes.size, sizes.size)

    def project(self, x):
        """[B,T,C] -> q, k, v: views [B,H,T,D]."""
        b, t, c = x.shape
        return self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)

    def merge(self, mixed):
        b, h, t, d = mixed.shape
        return self.output(mixed.transpose(1, 2).reshape(b, t, h * d))

    def forward(self, x, mask):
        q, k, v = self.project(x)
        return self.merge(F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None))


class Layer(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(sizes.size), nn.LayerNorm(sizes.size)
        self.attention = Attention(sizes)
        self.up, self.down = nn.Linear(sizes.size, 4 * sizes.size), nn.Linear(4 * sizes.size, sizes.size)

    def mlp(self, x):
        return self.down(F.gelu(self.up(self.norm2(x))))

    def forward(self, x, mask):
        x = x + self.attention(self.norm1(x), mask)
        return x + self.mlp(x)


class Prior(nn.Module):
    def __init__(self, sizes, dense=False):
        """dense: causal attention without the paper's masks, in every layer."""
        super().__init__()
        self.sizes = sizes
        table = lambda rows: nn.Parameter(0.02 * torch.randn(rows, sizes.size))
        self.text_embedding, self.padding_embedding = table(sizes.vocabulary), table(sizes.text)
        self.text_position, self.image_embedding = table(sizes.text), table(sizes.codes)
        self.row_embedding, self.column_embedding = table(sizes.side), table(sizes.side)
        self.blocks = nn.ModuleList(Layer(sizes) for _ in range(sizes.layers))
        self.norm = nn.LayerNorm(sizes.size)
        self.image_logits = nn.Linear(sizes.size, sizes.codes, bias=False)
        self.text_logits = nn.Linear(sizes.size, sizes.vocabulary, bias=False)
        self.kinds = [sizes.kind(i + 1) for i in range(sizes.layers)]
        for kind in () if dense else sorted(set(self.kinds)):
            # What scaled_dot_product_attention makes of a boolean mask at every call.
            mask = torch.zeros(sizes.stream, sizes.stream).masked_fill(~sees(sizes, kind), -math.inf)
            self.register_buffer("mask_" + kind, mask, persistent=False)
        at = torch.arange(sizes.image)
        self.register_buffer("rows", at // sizes.side, persistent=False)
        self.register_buffer("columns", at % sizes.side, persistent=False)

    def mask(self, kind):
        return getattr(self, "mask_" + kind, None)

    def embed_text(self, text):
        words = F.embedding(text.clamp(min=0), self.text_embedding)
        return torch.where((text >= 0)[..., None], words, self.padding_embedding) + self.text_position

    def forward(self, text, image, targets):
        """text (-1: none there) [B,T], image [B,N], targets [B,T-1] -> loss, image logits, text logits."""
        t = self.sizes.text
        places = self.row_embedding[self.rows] + self.column_embedding[self.columns]
        x = torch.cat([self.embed_text(text), F.embedding(image, self.image_embedding) + places], 1)
        for kind, layer in zip(self.kinds, self.blocks):
            x = layer(x, self.mask(kind))
        states = self.norm(x)
        image_logits = self.image_logits(states[:, t - 1:-1])
        text_logits = self.text_logits(states[:, :t - 1])
        image_loss = F.cross_entropy(image_logits.flatten(0, 1), image.flatten())
        text_loss = F.cross_entropy(text_logits.flatten(0, 1), targets.flatten(), ignore_index=-1)
        return text_loss / 8 + image_loss * 7 / 8, image_logits, text_logits


# ---- Drawing: batch 1, the text read once, then a token at a time ----


class Sampler:
    """A layer's cache is [S,2,H,D].  Of it a layer reads the keys that its mask sees ("gather") or, dense, all
    so far.  `compile`: one step compiled, so of fixed shapes: lists of keys are padded, and masked there."""

    def __init__(self, prior, dense=False, compile=False):
        self.prior, self.sizes, self.dense, self.compile = prior, prior.sizes, dense, compile
        s = self.sizes
        self.caches = [torch.zeros(s.stream, 2, s.heads, s.size // s.heads, dtype=prior.norm.weight.dtype) for _ in prior.blocks]
        self.keys, self.pads = {}, {}
        for kind in sorted(set(prior.kinds)):
            lists = [row[:p + 1].nonzero().flatten() for p, row in enumerate(sees(s, kind))][s.text:]
            if compile:
                most = max(len(k) for k in lists)
                self.keys[kind] = torch.stack([F.pad(k, (0, most - len(k))) for k in lists])
                self.pads[kind] = torch.stack([torch.where(torch.arange(most) < len(k), 0.0, -math.inf) for k in lists])
            else:
                self.keys[kind] = lists
        self.step = torch.compile(self.step_fixed, dynamic=False, fullgraph=True) if compile else self.step_eager

    def prefill(self, text):
        x = self.prior.embed_text(text)
        for cache, layer in zip(self.caches, self.prior.blocks):
            q, k, v = layer.attention.project(layer.norm1(x))
            cache[:self.sizes.text, 0], cache[:self.sizes.text, 1] = k[0].transpose(0, 1), v[0].transpose(0, 1)
            x = x + layer.attention.merge(F.scaled_dot_product_attention(q, k, v, is_causal=True))
            x = x + layer.mlp(x)
        return self.prior.image_logits(self.prior.norm(x[:, -1]))

    def layers(self, x, write, read):
        """write(cache, keys and values [2,H,D]); read(cache, kind) -> those visible [n,2,H,D] and a mask."""
        for cache, kind, layer in zip(self.caches, self.prior.kinds, self.prior.blocks):
            qkv = layer.attention.qkv(layer.norm1(x)).view(3, self.sizes.heads, -1)
            write(cache, qkv[1:])
            seen, mask = read(cache, kind)
            k, v = seen.permute(1, 2, 0, 3).unsqueeze(1)
            x = x + layer.attention.merge(F.scaled_dot_product_attention(qkv[None, 0, :, None], k, v, attn_mask=mask))[0]
            x = x + layer.mlp(x)
        return self.prior.image_logits(self.prior.norm(x))

    def embed(self, token, fed):
        p = self.prior
        return F.embedding(token, p.image_embedding) + p.row_embedding[fed // self.sizes.side] + p.column_embedding[fed % self.sizes.side]

    def step_eager(self, token, fed):
        """The logits after image token number `fed`."""
        at = self.sizes.text + fed
        write = lambda cache, kv: cache[at].copy_(kv)
        if self.dense:
            read = lambda cache, kind: (cache[:at + 1], None)
        else:
            read = lambda cache, kind: (cache.index_select(0, self.keys[kind][fed]), None)
        return self.layers(self.embed(token, fed), write, read)

    def step_fixed(self, token, fed):
        """The same, `fed` a tensor [1], and the next token drawn."""
        def read(cache, kind):
            return cache[self.keys[kind][fed][0]], self.pads[kind][fed]
        write = lambda cache, kv: cache.index_copy_(0, self.sizes.text + fed, kv[None])
        return self.draw(self.layers(self.embed(token, fed), write, read))

    @staticmethod
    def draw(logits):
        """The likeliest token."""
        return logits.argmax(-1)

    def picture(self, text):
        with torch.inference_mode():
            token = self.draw(self.prefill(text))
            tokens, places = [token], torch.arange(self.sizes.image)[:, None]
            for fed in range(self.sizes.image - 1):
                token = self.step(token, places[fed]) if self.compile else self.draw(self.step(token, fed))
                tokens.append(token)
            return torch.cat(tokens)


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


# ---- The comparison with the golden files ----


def read_safetensors(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    header.pop("__metadata__", None)
    out = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        kind = torch.int32 if entry["dtype"] == "I32" else torch.float32
        value = torch.frombuffer(bytearray(data[begin:end]), dtype=kind).reshape(entry["shape"])
        value = value.long() if kind == torch.int32 else value.double()
        out[name] = value.permute(0, 3, 1, 2) if value.dim() == 4 else value  # to PyTorch's order of axes
    return out


def agree(what, got, wanted):
    error = ((got - wanted).abs().max() / wanted.abs().max()).item()
    print(f"{what}: {error:.1e}")
    if not error < 1e-6:  # the files hold F32
        sys.exit(f"{what} differs from the golden file by {error:.1e} of its largest value")


def check_dvae(folder, channels_last):
    golden = read_safetensors(folder + "/dvae.safetensors")
    model = Dvae(DvaeSizes(16, 8, 3, 24, blocks=1, decoder_channels=12), channels_last)
    model.load_state_dict({n: golden[n] for n in model.state_dict()})
    loss, logits, stats = model(golden["in.pixels"], 0.7, 6.6, noise=False)
    loss.backward()
    gradients = {"grad." + n: p.grad for n, p in model.named_parameters()}
    found = {"out.loss": loss, "out.logits": logits, "out.stats": stats, **gradients}
    for name in found:
        if name in golden:
            agree(f"dvae {name}", found[name], golden[name])


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


def prior_weight(golden, name):
    """Of a golden file, or of its gradients."""
    if ".qkv." in name:
        return torch.cat([golden[name.replace("qkv", part)] for part in ("query", "key", "value")])
    return golden[name.replace("weight", "gain") if "norm" in name else name]


def check_prior(folder):
    golden = read_safetensors(folder + "/prior.safetensors")
    model = Prior(PriorSizes(5, 4, 20, 24, 16, 2, 6, window=3))
    ours = {n: "block" + str(int(n[7]) + 1) + n[8:] if n.startswith("blocks.") else n for n in model.state_dict()}
    model.load_state_dict({n: prior_weight(golden, ours[n]) for n in ours})
    loss, image_logits, text_logits = model(golden["in.text"], golden["in.image"], golden["in.targets"])
    loss.backward()
    agree("prior loss", loss, golden["out.loss"])
    agree("prior image logits", image_logits, golden["out.image_logits"])
    agree("prior text logits", text_logits, golden["out.text_logits"])
    gradients = {"grad." + ours[n]: p.grad for n, p in model.named_parameters()}
    for name in golden:
        if name in gradients or name.replace("gain", "weight") in gradients and name.startswith("grad."):
            agree(f"prior {name}", gradients.get(name, gradients.get(name.replace("gain", "weight"))), golden[name])
    text, image = golden["in.text"][:1], golden["in.image"][0]
    for compile in (False, True):
        check_sampler(Sampler(model, compile=compile), text, image, golden["out.image_logits"][:1])


def check_sampler(sampler, text, image, wanted):
    """The tokens of a picture fed one by one give the logits of the whole stream."""
    sampler.draw = lambda logits: logits
    with torch.no_grad():
        rows = [sampler.prefill(text)]
        for fed in range(len(image) - 1):
            if sampler.compile:
                rows.append(sampler.step_fixed(image[fed:fed + 1], torch.tensor([fed])))
            else:
                rows.append(sampler.step_eager(image[fed:fed + 1], fed))
    agree("sampler logits", torch.stack(rows, 1), wanted)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: bench_models.py FOLDER, the golden files'")
    torch.set_default_dtype(torch.float64)
    check_dvae(sys.argv[1], channels_last=False)
    check_dvae(sys.argv[1], channels_last=True)
    check_prior(sys.argv[1])
    check_clip(sys.argv[1])
    print("the benchmark's models compute what the golden files hold")
