#!/usr/bin/env python3
"""make_golden_block.py -- writes tests/golden/block.safetensors, for tests/models/test_golden_block.c.

    python3 tools/make_golden_block.py tests/golden

A residual block in 16 bits on an identity path of 32, y = x + down(gelu(up(norm(x)))), as Figure 4 of arXiv 2102.12092 has
it: what is stored is rounded to half precision, values on the way there and gradients on the way back; the gradient that
comes in is multiplied by the block's scale, the one that leaves divided by it, with 0 for what is not finite.  Of the
second set of gradients one row is so large that the scaled ones overflow.  Needed only to make the file again: torch, numpy.
SPDX-License-Identifier: MIT
"""
import sys

import torch

from make_golden import write

ROWS, SIZE, WIDE, SCALE = 6, 16, 40, 8192.0


class Stored(torch.autograd.Function):
    """The same in half precision, and its gradient too."""

    @staticmethod
    def forward(ctx, x):
        return x.half().float()

    @staticmethod
    def backward(ctx, dy):
        return dy.half().float()


class Begin(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.half().float()

    @staticmethod
    def backward(ctx, dy):
        dx = dy.half().float() / SCALE
        return torch.where(torch.isfinite(dx), dx, torch.zeros_like(dx))


class End(torch.autograd.Function):
    @staticmethod
    def forward(ctx, residual, branch):
        return residual + branch

    @staticmethod
    def backward(ctx, dy):
        return dy, (dy * SCALE).half().float()


def block(w, x):
    h = Stored.apply(torch.nn.functional.layer_norm(Begin.apply(x), (SIZE,), w["norm.gain"], w["norm.bias"], 1e-5))
    h = Stored.apply(torch.nn.functional.linear(h, Stored.apply(w["up.weight"]), w["up.bias"]))
    h = Stored.apply(torch.nn.functional.gelu(h))
    h = Stored.apply(torch.nn.functional.linear(h, Stored.apply(w["down.weight"]), w["down.bias"]))
    return End.apply(x, h)


def main(folder):
    torch.set_default_dtype(torch.float32)
    torch.manual_seed(4)
    w = {"norm.gain": 1 + 0.2 * torch.randn(SIZE), "norm.bias": 0.1 * torch.randn(SIZE),
         "up.weight": 0.25 * torch.randn(WIDE, SIZE), "up.bias": 0.1 * torch.randn(WIDE),
         "down.weight": 0.15 * torch.randn(SIZE, WIDE), "down.bias": 0.1 * torch.randn(SIZE)}
    x, small = torch.randn(ROWS, SIZE), 1e-7 * torch.randn(ROWS, SIZE)
    large = small.clone()
    large[2] = 50 * torch.randn(SIZE)
    for t in [*w.values(), x]:
        t.requires_grad_()
    y = block(w, x)
    gradients = torch.autograd.grad(y, [x, *w.values()], small, retain_graph=True)
    over = torch.autograd.grad(y, [x], large)[0]
    assert all(torch.isfinite(g).all() for g in gradients) and torch.equal(over[2], large[2])
    out = {**w, "in.x": x, "in.scale": torch.tensor([SCALE]), "in.small": small, "in.large": large, "out.y": y,
           "out.dx_small": gradients[0], "out.dx_large": over}
    out.update({"grad." + n: g for n, g in zip(w, gradients[1:])})
    write(folder + "/block.safetensors", {n: t.detach().numpy() for n, t in out.items()})


main(sys.argv[1])
