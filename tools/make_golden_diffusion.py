#!/usr/bin/env python3
"""make_golden_diffusion.py -- writes tests/golden/diffusion.json: schedules, respaced ones, a step's coefficients and
whole trajectories of DDIM and DDPM, for tests/models/test_diffusion*.c.

    python3 tools/make_golden_diffusion.py tests/golden

Written here a second time from the papers (diffusion.h names them), in numpy and double precision; random numbers are
Philox's, as host/base/philox.h describes them.  Where the package `diffusers` is installed, schedules and steps are
compared with its schedulers.  Needed only to make the file again: numpy.
SPDX-License-Identifier: MIT
"""
import json
import math
import sys

import numpy as np


# ---- Schedules -------------------------------------------------------------------------------------------------------


def cosine(steps):
    f = np.cos((np.arange(steps + 1) / steps + 0.008) / 1.008 * np.pi / 2) ** 2
    return np.minimum(1 - f[1:] / f[:-1], 0.999)


def linear(steps):
    return np.minimum(np.linspace(1e-4, 0.02, steps) * 1000 / steps, 0.999)


def spaced(steps, text):
    """Which steps a list of counts keeps: each part's first, last, and others evenly between."""
    counts, at, kept = [int(c) for c in text.split(",")], 0, []
    for i, count in enumerate(counts):
        size = steps // len(counts) + (i < steps % len(counts))
        stride = (size - 1) / (count - 1) if count > 1 else 1
        place = 0.0
        for _ in range(count):
            kept.append(at + round(place))
            place += stride
        at += size
    return kept


class Process:
    def __init__(self, schedule, steps, spacing=None):
        left = np.cumprod(1 - {"cosine": cosine, "linear": linear}[schedule](steps))
        self.time = spaced(steps, spacing) if spacing else list(range(steps))
        self.left = left[self.time]
        self.before = np.append(1.0, self.left[:-1])
        self.beta = 1 - self.left / self.before
        self.variance = self.beta * (1 - self.before) / (1 - self.left)
        self.log_variance = np.log(np.append(self.variance[1] if len(self.variance) > 1 else self.beta[0],
                                             self.variance[1:]))
        self.start = self.beta * np.sqrt(self.before) / (1 - self.left)
        self.noised = (1 - self.before) * np.sqrt(1 - self.beta) / (1 - self.left)


def coefficients(schedule, steps, spacing):
    p = Process(schedule, steps, spacing)
    n = len(p.time)
    at = sorted({0, 1, 2, n // 3, n // 2, n - 3, n - 2, n - 1} & set(range(n)))
    pick = lambda x: [float(x[i]) for i in at]
    return {"schedule": schedule, "steps": steps, "spacing": spacing, "count": n, "at": at,
            "times": p.time if n < 100 else [], "beta": pick(p.beta), "alpha_bar": pick(p.left),
            "start": pick(p.start), "noised": pick(p.noised), "variance": pick(p.variance),
            "log_variance": pick(p.log_variance), "log_beta": pick(np.log(p.beta))}


# ---- Random numbers --------------------------------------------------------------------------------------------------

M = 0xFFFFFFFF


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & M, (a >> 32) ^ c[3] ^ k[1], a & M]
        k = [(k[0] + 0x9E3779B9) & M, (k[1] + 0xBB67AE85) & M]
    return c


def hashed(name):
    h = 2166136261
    for byte in name.encode():
        h = (h ^ byte) * 16777619 & M
    return h


def normals(seed, step, stream, count):
    """Box-Muller of pairs: the even element has the cosine, the odd one the sine."""
    out = []
    for element in range(count):
        words = philox([element // 4, step & M, stream & M, 0], [seed & M, seed >> 32])
        pair = element % 4 // 2 * 2
        u = [(w >> 9) * 2.0 ** -23 + 2.0 ** -24 for w in words[pair:pair + 2]]
        r = math.sqrt(-2 * math.log(u[0]))
        out.append(r * (math.sin if element % 2 else math.cos)(2 * math.pi * u[1]))
    return np.array(out)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "tests/golden"
    cases = [("cosine", 1000, None), ("linear", 1000, None), ("cosine", 50, None), ("linear", 40, None),
             ("linear", 7, None), ("cosine", 1, None), ("cosine", 1000, "64"), ("cosine", 1000, "250"),
             ("cosine", 1000, "10,10,3,2,2"), ("linear", 1000, "15"), ("cosine", 50, "3,1,7"), ("linear", 7, "7"),
             ("cosine", 1000, "1")]
    golden = {"process": [coefficients(*c) for c in cases]}
    with open(f"{folder}/diffusion.json", "w") as f:
        json.dump(golden, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
