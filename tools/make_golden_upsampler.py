#!/usr/bin/env python3
"""make_golden_upsampler.py -- writes tests/golden/upsampler.safetensors, for tests/models/test_golden_upsampler.c.

    python3 tools/make_golden_upsampler.py tests/golden

A training step of an upsampler in PyTorch and double precision: the small picture enlarged by PyTorch's bicubic filter,
a noised picture at two times of the linear process (arXiv 2006.11239), the U-Net of make_golden_unet.py over both,
the error of the noise and the variational bound of the learned variance (2102.09672, 3.1), its gradients, and one step
of Adam.  Noise and times are Philox's, as host/base/philox.h has them.  Needed only to make the file again: torch and
numpy.
SPDX-License-Identifier: MIT
"""
import math
import sys

import torch
import torch.nn.functional as F

from make_golden import Weights, write
from make_golden_unet import unet

BATCH, SIDE, FROM, STEPS, SEED, STEP, RATE = 2, 8, 4, 1000, 5, 3, 1e-2


def philox(seed, step, stream, block):
    c, k = [block, step, stream, 0], [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 & 0xFFFFFFFF, p0 >> 32 ^ c[3] ^ k[1], p0 & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def stream(name):
    h = 2166136261
    for byte in name.encode():
        h = (h ^ byte) * 16777619 & 0xFFFFFFFF
    return h


def normals(name, sample, count):
    values = []
    for block in range((count + 3) // 4):
        u = [(bits >> 9) * 2.0 ** -23 + 2.0 ** -24 for bits in philox(SEED, STEP, stream(name) + sample & 0xFFFFFFFF, block)]
        for a, b in ((0, 1), (2, 3)):
            r, angle = math.sqrt(-2 * math.log(u[a])), 2 * math.pi * u[b]
            values += [r * math.cos(angle), r * math.sin(angle)]
    return torch.tensor(values[:count], dtype=torch.float64)


def times():
    return [philox(SEED, STEP, stream("diffusion.time"), i // 4)[i % 4] * STEPS >> 32 for i in range(BATCH)]


def per_sample(values):
    return torch.tensor(values, dtype=torch.float64)[:, None, None, None]


def bound(x0, x_t, start, v, t, beta, left):
    """In nats a value: the KL divergence of two Gaussians, or at t = 0 the discretised likelihood."""
    before = [left[i - 1] if i else 1.0 for i in t]
    variance = [beta[i] * (1 - b) / (1 - left[i]) for i, b in zip(t, before)]
    assert all(t), "no sample at t = 0 here"
    low, high = per_sample([math.log(x) for x in variance]), per_sample([math.log(beta[i]) for i in t])
    learned = (1 + v) / 2 * high + (1 - v) / 2 * low
    of_start = per_sample([beta[i] * math.sqrt(b) / (1 - left[i]) for i, b in zip(t, before)])
    return 0.5 * (learned - low + (low - learned).exp() + (of_start * (x0 - start)) ** 2 * (-learned).exp() - 1)


def main(folder):
    w = Weights(17)
    levels = lambda side: torch.randint(0, 256, (BATCH, side, side, 3), generator=w.generator, dtype=torch.int32)
    pixels, small = levels(SIDE), levels(FROM)
    to_values = lambda x: x.permute(0, 3, 1, 2).double() * 2 / 255 - 1
    x0 = to_values(pixels)
    low = F.interpolate(to_values(small), size=SIDE, mode="bicubic", antialias=True)
    beta = [1e-4 + (0.02 - 1e-4) * i / (STEPS - 1) for i in range(STEPS)]
    left = torch.cumprod(1 - torch.tensor(beta, dtype=torch.float64), 0).tolist()
    t = times()
    noise = torch.stack([normals("normal", i, SIDE * SIDE * 3).reshape(SIDE, SIDE, 3).permute(2, 0, 1) for i in range(BATCH)])
    signal, deviation = per_sample([math.sqrt(left[i]) for i in t]), per_sample([math.sqrt(1 - left[i]) for i in t])
    x_t = signal * x0 + deviation * noise
    net = {"groups": 2, "head": 4, "context": None, "valid": None, "channels": 4, "depth": 1, "mult": [1, 2], "attention": [],
           "out": 6}
    said, v = unet(w, "root", net, torch.cat([x_t, low], 1), torch.tensor(t, dtype=torch.float64), None).chunk(2, 1)
    w.at = {name.removeprefix("root."): value for name, value in w.at.items()}
    error = F.mse_loss(said, noise)
    start = ((x_t - deviation * said) / signal).detach()
    bits = bound(x0, x_t, start, v, t, beta, left).mean() / math.log(2)
    loss = error + bits * STEPS / 1000
    loss.backward()
    names = ["unet.in.weight", "unet.time1.bias", "unet.down1.halve.conv1.weight", "unet.middle2.norm1.gain",
             "unet.up2.block1.skip.weight", "unet.out.weight"]
    stored = {name: value.detach().clone() for name, value in w.stored().items()}
    gradients = w.gradients(names)
    torch.optim.Adam(list(w.at.values()), lr=RATE).step()
    after = {"after." + name: w.stored()[name] for name in names}
    write(folder + "/upsampler.safetensors", {
        **stored, "in.pixels": pixels, "in.small": small, "in.time": torch.tensor(t, dtype=torch.int32),
        "out.low": low.permute(0, 2, 3, 1), "out.loss": loss.reshape(1), "out.error": error.reshape(1),
        "out.bound": bits.reshape(1), **gradients, **after})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_golden_upsampler.py FOLDER")
    main(sys.argv[1])
