#!/usr/bin/env python3
"""make_golden_diffusion.py -- writes tests/golden/diffusion.json: schedules, respaced ones, a step's coefficients and
whole trajectories of DDIM and DDPM, for tests/models/test_diffusion*.c.

    python3 tools/make_golden_diffusion.py tests/golden

Written here a second time from the papers (diffusion.h names them), in numpy and double precision; random numbers are
Philox's, as host/base/philox.h describes them.  Where the packages `diffusers` and `dalle2-pytorch` are installed,
schedules and steps are compared with their schedulers.  Needed only to make the file again: numpy.
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


# ---- Trajectories ----------------------------------------------------------------------------------------------------

BATCH, SHAPE, FIRST, SEED = 2, (3, 2), 5, 123456789012


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def network(x, time, condition, learned):
    """The test's network: not linear, and what it says depends on the time and on what it is conditioned on."""
    said = 1.8 * sigmoid(1.3 * x + 0.4 - time / 1000) - 0.9 + 0.15 * condition
    return said, (2 * sigmoid(0.7 * x) - 1 if learned else None)


def trajectory(case):
    """x_0 of BATCH samples, each drawn by itself, step by step as the papers write it."""
    p = Process(case["schedule"], 1000, case["spacing"])
    stream, out = hashed("test"), []
    temperature = case.get("temperature", 1)
    for b in range(BATCH):
        number, count = FIRST + b, int(np.prod(SHAPE))
        x = temperature * normals(SEED ^ stream, M, hashed("diffusion.start") + number, count).reshape(SHAPE)
        for i in reversed(range(len(p.time))):
            z = normals(SEED ^ stream, i, hashed("diffusion_step.normal") + number, count).reshape(SHAPE)
            x = step(case, p, i, x, temperature * z)
        out.append(x)
    return np.array(out)


def step(case, p, i, x, z):
    a, before = p.left[i], p.before[i]
    learned = case["variance"] == "learned"
    said, v = network(x, p.time[i], 1, learned)
    if "guidance" in case:
        without, _ = network(x, p.time[i], -1, learned)
        said = without + case["guidance"] * (said - without)
    x0 = {"noise": lambda: (x - np.sqrt(1 - a) * said) / np.sqrt(a), "start": lambda: said,
          "velocity": lambda: np.sqrt(a) * x - np.sqrt(1 - a) * said}[case["predicts"]]()
    if case.get("clamp"):
        x0 = np.clip(x0, -case["clamp"], case["clamp"])
    if case.get("known"):
        known = known_values()
        x0 = np.where(np.isnan(known), x0, known)
    noise = (x - np.sqrt(a) * x0) / np.sqrt(1 - a)
    if "eta" in case:
        deviation = case["eta"] * np.sqrt((1 - before) / (1 - a)) * np.sqrt(1 - a / before)
        return np.sqrt(before) * x0 + np.sqrt(1 - before - deviation ** 2) * noise + deviation * z
    if case["variance"] == "beta":
        variance = p.beta[i]
    elif learned:
        variance = np.exp((v + 1) / 2 * np.log(p.beta[i]) + (1 - v) / 2 * p.log_variance[i])
    elif case["variance"] == "analytic":
        scale = case.get("scale", 0)
        if scale:
            left = scale * np.clip(1 - np.mean(x0 ** 2) / scale, 0, 1)
        else:
            left = np.clip((1 - a) / a * (1 - np.mean(noise ** 2)), 0, 1)
        variance = p.variance[i] + p.start[i] ** 2 * left
    else:
        variance = p.variance[i]
    return p.start[i] * x0 + p.noised[i] * x + (np.sqrt(variance) * z if i > 0 else 0)


def known_values():
    """Half of the values, for filling in; the others are no numbers."""
    return np.array([[0.5, np.nan], [np.nan, -0.25], [0.75, np.nan]])


TRAJECTORIES = [
    dict(schedule="linear", predicts="noise", variance="posterior", spacing="12"),
    dict(schedule="linear", predicts="noise", variance="beta", spacing="12", clamp=1, temperature=0.9),
    dict(schedule="cosine", predicts="noise", variance="learned", spacing="10,10,3,2,2", clamp=1),
    dict(schedule="cosine", predicts="noise", variance="learned", spacing="20", clamp=1, guidance=3),
    dict(schedule="cosine", predicts="noise", variance="learned", spacing="20", clamp=1, guidance=1.5, eta=0.5),
    dict(schedule="linear", predicts="noise", variance="posterior", spacing="15", eta=0),
    dict(schedule="cosine", predicts="start", variance="posterior", spacing="10", eta=0),
    dict(schedule="cosine", predicts="start", variance="analytic", spacing="64", scale=0.3),
    dict(schedule="cosine", predicts="start", variance="analytic", spacing="16", scale=0.3, guidance=2, clamp=0.7),
    dict(schedule="cosine", predicts="start", variance="analytic", spacing="16"),
    dict(schedule="cosine", predicts="velocity", variance="posterior", spacing="25"),
    dict(schedule="cosine", predicts="velocity", variance="beta", spacing="9", eta=1, guidance=0),
    dict(schedule="cosine", predicts="start", variance="posterior", spacing="10", known=True),
    dict(schedule="cosine", predicts="noise", variance="posterior", spacing="1", clamp=1),
]


def golden_trajectory(case):
    return {**case, "out": [float(v) for v in trajectory(case).ravel()]}


# ---- Beside diffusers ------------------------------------------------------------------------------------------------


def compare(name, a, b, most):
    worst = float(np.max(np.abs(np.asarray(a) - np.asarray(b))))
    print(f"{name}: {worst:.2g}")
    assert worst < most, name


def beside_diffusers():
    try:
        import torch
        from diffusers import DDIMScheduler, DDPMScheduler, UnCLIPScheduler
    except ImportError:
        print("diffusers is not installed: nothing is compared with it")
        return
    torch.manual_seed(0)
    x, said, z = (torch.randn(1, 4, 3, 3, dtype=torch.float64) for _ in range(3))
    for name, schedule in (("cosine", "squaredcos_cap_v2"), ("linear", "linear")):
        d = DDPMScheduler(1000, beta_schedule=schedule, clip_sample=False, variance_type="fixed_small")
        p = Process(name, 1000)
        compare(f"{name} betas", p.beta, d.betas.numpy(), 2e-6)
        for i in (1, 10, 500, 990):
            g = torch.Generator().manual_seed(3)
            noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
            theirs = d.step(said, i, x, generator=g).prev_sample.numpy()
            x0 = (x - math.sqrt(1 - p.left[i]) * said) / math.sqrt(p.left[i])
            ours = p.start[i] * x0 + p.noised[i] * x + math.sqrt(p.variance[i]) * noise
            compare(f"{name} DDPM step {i}", ours.numpy() / x0.abs().max().item(), theirs / x0.abs().max().item(), 2e-4)
    d = DDIMScheduler(1000, beta_schedule="squaredcos_cap_v2", clip_sample=False, set_alpha_to_one=True,
                      timestep_spacing="leading", steps_offset=0)
    d.set_timesteps(1000)
    p = Process("cosine", 1000)
    case = dict(predicts="noise", variance="posterior", eta=0.7)
    for i in (0, 1, 10, 500, 900):
        theirs = d.step(said, i, x, eta=0.7, variance_noise=z).prev_sample.numpy()
        a, before = p.left[i], p.before[i]
        x0 = (x - math.sqrt(1 - a) * said) / math.sqrt(a)
        deviation = case["eta"] * math.sqrt((1 - before) / (1 - a)) * math.sqrt(1 - a / before)
        ours = math.sqrt(before) * x0 + math.sqrt(max(1 - before - deviation ** 2, 0)) * said + deviation * z
        compare(f"DDIM step {i}", ours.numpy() / x0.abs().max().item(), theirs / x0.abs().max().item(), 2e-4)
    u = UnCLIPScheduler(1000, variance_type="learned_range", clip_sample=True, clip_sample_range=1.0)
    v = torch.tanh(torch.randn(1, 4, 3, 3, dtype=torch.float64))
    for i in (1, 40, 700):
        g = torch.Generator().manual_seed(4)
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
        theirs = u.step(torch.cat([said, v], 1), i, x, generator=g).prev_sample.numpy()
        x0 = np.clip((x - math.sqrt(1 - p.left[i]) * said) / math.sqrt(p.left[i]), -1, 1)
        variance = np.exp((v.numpy() + 1) / 2 * math.log(p.beta[i]) + (1 - v.numpy()) / 2 * p.log_variance[i])
        ours = p.start[i] * x0.numpy() + p.noised[i] * x.numpy() + np.sqrt(variance) * noise.numpy()
        compare(f"UnCLIP step {i}", ours, theirs, 1e-3)  # theirs are 32-bit schedules


def beside_dalle2_pytorch():
    """Its networks and its prior's order of tokens are not the paper's; its process is."""
    try:
        import torch
        from dalle2_pytorch.dalle2_pytorch import NoiseScheduler
    except ImportError:
        print("dalle2-pytorch is not installed: nothing is compared with it")
        return
    torch.manual_seed(0)
    start, noise, x = (torch.randn(4, 3, 5) for _ in range(3))
    t = torch.tensor([1, 10, 500, 990])
    for name in ("cosine", "linear"):
        d, p = NoiseScheduler(beta_schedule=name, timesteps=1000, loss_type="l2"), Process(name, 1000)

        def at(values):
            return np.asarray(values)[t.numpy()].reshape(-1, 1, 1)

        s, n, seen = (v.numpy() for v in (start, noise, x))
        compare(f"dalle2-pytorch, {name} betas", p.beta, d.betas.numpy(), 1e-6)
        compare("  q(x_t | x_0)", np.sqrt(at(p.left)) * s + np.sqrt(1 - at(p.left)) * n,
                d.q_sample(start, t, noise).numpy(), 1e-5)
        mean, variance, log_variance = d.q_posterior(start, x, t)
        compare("  posterior mean", at(p.start) * s + at(p.noised) * seen, mean.numpy(), 1e-5)
        compare("  posterior variance", at(p.variance), variance.numpy(), 1e-6)
        compare("  its logarithm", at(p.log_variance), log_variance.numpy(), 1e-3)
        v = d.calculate_v(start, t, noise)
        compare("  velocity", np.sqrt(at(p.left)) * n - np.sqrt(1 - at(p.left)) * s, v.numpy(), 1e-5)
        compare("  x_0 of it", np.sqrt(at(p.left)) * seen - np.sqrt(1 - at(p.left)) * v.numpy(),
                d.predict_start_from_v(x, t, v).numpy(), 1e-5)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "tests/golden"
    cases = [("cosine", 1000, None), ("linear", 1000, None), ("cosine", 50, None), ("linear", 40, None),
             ("linear", 7, None), ("cosine", 1, None), ("cosine", 1000, "64"), ("cosine", 1000, "250"),
             ("cosine", 1000, "10,10,3,2,2"), ("linear", 1000, "15"), ("cosine", 50, "3,1,7"), ("linear", 7, "7"),
             ("cosine", 1000, "1")]
    golden = {"process": [coefficients(*c) for c in cases],
              "trajectories": [golden_trajectory(c) for c in TRAJECTORIES]}
    with open(f"{folder}/diffusion.json", "w") as f:
        json.dump(golden, f, separators=(",", ":"))
        f.write("\n")
    beside_diffusers()
    beside_dalle2_pytorch()


if __name__ == "__main__":
    main()
