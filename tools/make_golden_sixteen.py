#!/usr/bin/env python3
"""make_golden_sixteen.py -- writes tests/golden/sixteen.safetensors: what PyTorch and NumPy make of the types of 16
bits, for tests/train/test_golden_sixteen.c.

    python3 tools/make_golden_sixteen.py tests/golden

  in.values, codes.TYPE      numbers, and the codes that they are rounded to: F16 and BF16 by PyTorch's casts, F169 and
                             UF610 (1-6-9 and 0-6-10 of arXiv 2102.12092) by searching all the numbers they can hold
  in.codes, values.TYPE      codes, and what they stand for
  in.gradient, in.rate       five steps of torch.optim.AdamW on a parameter with moments in F169 and UF610, which
  start, parameter, mean,    are rounded after each step; and on one that is wide, with moments in F32
  variance, wide
Needed only to make the file again: torch and numpy.
SPDX-License-Identifier: MIT
"""
import os
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from make_golden import write  # noqa: E402

BIAS = 60
NAN = {"F169": 0x7FFF, "UF610": 0xFFFF}
FRACTION = {"F169": 9, "UF610": 10}


def numbers(name):
    """All numbers from zero up, by code."""
    bits, codes = FRACTION[name], np.arange(NAN[name])
    exponent, fraction = codes >> bits, codes & ((1 << bits) - 1)
    return np.where(exponent > 0, np.ldexp(1 + fraction / 2.0**bits, exponent - BIAS),
                    np.ldexp(fraction / 2.0**bits, 1 - BIAS))


def encode(name, values):
    """The nearest number's code, of two equally near the even one."""
    table, magnitude = numbers(name), np.minimum(np.abs(values), 1e30)
    high = np.clip(np.searchsorted(table, magnitude), 1, len(table) - 1)
    low = high - 1
    below, above = magnitude - table[low], table[high] - magnitude
    codes = np.where((below < above) | ((below == above) & (low % 2 == 0)), low, high)
    negative = np.signbit(values)
    codes = np.where(negative, codes | 0x8000 if name == "F169" else 0, codes)
    return np.where(np.isnan(values), NAN[name], codes).astype(np.int32)


def decode(name, codes):
    table = np.append(numbers(name), np.nan)
    if name == "UF610":
        return table[codes]
    return np.where(codes & 0x8000, -table[codes & 0x7FFF], table[codes & 0x7FFF])


def torch_codes(values, dtype):
    return torch.from_numpy(values).to(dtype).view(torch.int16).numpy().astype(np.int32) & 0xFFFF


def torch_values(codes, dtype):
    return torch.from_numpy(codes.astype(np.uint16).view(np.int16).copy()).view(dtype).float().numpy()


def make_values(random):
    """Random ones of all sizes, numbers of each type and the middles between them, and the ends."""
    spread = np.ldexp(random.uniform(1, 2, 1500), random.integers(-75, 7, 1500)) * random.choice([-1, 1], 1500)
    parts = [spread, np.ldexp(random.uniform(1, 2, 300), random.integers(-26, 17, 300))]
    for name in FRACTION:
        at = random.integers(0, NAN[name] - 1, 300)
        parts += [(numbers(name)[at] + numbers(name)[at + 1]) / 2]
    parts += [[0.0, -0.0, 15.96875, 15.984375, 15.9765625, 15.99, 16, 1e5, 65519, 65520, 3e38, np.inf, -np.inf, np.nan]]
    return np.concatenate(parts).astype(np.float32)


def adamw(out, random):
    count, steps = 96, 5
    start = random.normal(0, 0.1, (2, count)).astype(np.float32).astype(np.float64)
    gradient = (random.normal(0, 1, (steps, count)) * np.ldexp(1.0, random.integers(-20, 1, count))).astype(np.float32)
    rates = np.array([1e-3, 2e-3, 3e-3, 2e-3, 1e-3], np.float32)
    narrow, wide = [torch.nn.Parameter(torch.from_numpy(s.copy())) for s in start]
    optimizer = torch.optim.AdamW([narrow, wide], betas=(0.9, 0.96), eps=1e-8, weight_decay=4.5e-2)

    def rounded(name, x):
        return torch.from_numpy(decode(name, encode(name, x.numpy())))

    for step in range(steps):
        optimizer.param_groups[0]["lr"] = float(rates[step])
        for p in (narrow, wide):
            p.grad = torch.from_numpy(gradient[step].astype(np.float64))
        optimizer.step()
        state = optimizer.state[narrow]
        state["exp_avg"].copy_(rounded("F169", state["exp_avg"]))
        state["exp_avg_sq"].copy_(rounded("UF610", state["exp_avg_sq"]))
    out.update({"in.gradient": gradient, "in.rate": rates, "start": start, "parameter": narrow.data, "wide": wide.data,
                "mean": optimizer.state[narrow]["exp_avg"], "variance": optimizer.state[narrow]["exp_avg_sq"]})


def main(folder):
    random = np.random.default_rng(17)
    values, codes = make_values(random), np.arange(0, 65536, 29, dtype=np.int32)
    out = {"in.values": values, "in.codes": codes}
    for name, dtype in (("F16", torch.float16), ("BF16", torch.bfloat16)):
        out["codes." + name] = torch_codes(values, dtype)
        out["values." + name] = torch_values(codes, dtype)
    for name in FRACTION:
        out["codes." + name] = encode(name, values.astype(np.float64))
        out["values." + name] = decode(name, codes)
    adamw(out, random)
    write(os.path.join(folder, "sixteen.safetensors"), out)


main(sys.argv[1])
