#!/usr/bin/env python3
"""compare_pictures.py -- pictures a second, read and resized, beside Pillow (or Pillow-SIMD) and torchvision.

    python3 tools/compare_pictures.py build/dalle-cl [--pictures FOLDER] [--threads N] [--side S] [--rounds R]

The same files, held in memory, are decoded to RGB and their centre squares resized to S x S, in turns: ours, theirs,
ours, ..; the figures are medians of turns, so that another program's load weighs on all alike, and, after the slash,
by the time that processors spent, on which such a load weighs least.  FOLDER holds photographs
(JPEG) from which the PNG and WebP files are made, too; without it they are drawn here.  Ours by area, as training
does, and bilinear; Pillow by BOX and BILINEAR, torchvision by its antialiased bilinear.  Needs Pillow.
SPDX-License-Identifier: MIT
"""
import argparse
import io
import json
import math
import os
import random
import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import PIL
from PIL import Image

try:
    import torch
    import torchvision
except ImportError:
    torchvision = None


def draw(width, height, seed):
    """Soft shapes with some grain."""
    dice = random.Random(seed)
    small = Image.new("RGB", (width // 8, height // 8))
    small.putdata([tuple(int(120 + 90 * math.sin(x * 0.11 * (c + 1) + seed) * math.cos(y * 0.07 + c))
                         for c in range(3)) for y in range(height // 8) for x in range(width // 8)])
    grain = Image.frombytes("L", (width, height), dice.randbytes(width * height)).point(lambda v: v // 16)
    large = small.resize((width, height), Image.BICUBIC)
    return Image.merge("RGB", [Image.blend(band, grain, 0.08) for band in large.split()])


def encode(pictures, form):
    how = {"jpeg": {"quality": 90}, "png": {}, "webp": {"quality": 80}}[form]
    files = []
    for p in pictures:
        into = io.BytesIO()
        p.save(into, form.upper(), **how)
        files.append(into.getvalue())
    return files


def square(width, height):
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def pillow(side, how):
    def read(file):
        p = Image.open(io.BytesIO(file)).convert("RGB")
        return p.resize((side, side), how, box=square(*p.size))
    return read


def vision(side):
    def read(file):
        p = torchvision.io.decode_image(torch.frombuffer(bytearray(file), dtype=torch.uint8),
                                        torchvision.io.ImageReadMode.RGB)
        left, top, right, bottom = square(p.shape[2], p.shape[1])
        return torchvision.transforms.functional.resize(p[:, top:bottom, left:right], [side, side], antialias=True)
    return read


class Ours:
    """`dalle-cl bench --paced`, a run for each line."""

    def __init__(self, program, case):
        self.process = subprocess.Popen([program, "bench", "--paced", "--json", "--case", case], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def spent(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def run(self):
        self.process.stdin.write("1\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["ms"] / 1000

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("program")
    parse.add_argument("--pictures")
    parse.add_argument("--threads", type=int, default=os.cpu_count())
    parse.add_argument("--side", type=int, default=256)
    parse.add_argument("--rounds", type=int, default=7)
    parse.add_argument("--count", type=int, default=32)
    o = parse.parse_args()
    sets = {"640x480": [draw(640, 480, i) for i in range(min(8, o.count))], "2048x1536": [draw(2048, 1536, 1)]}
    if o.pictures:
        names = sorted(os.listdir(o.pictures))[:o.count]
        sets = {"photographs": [Image.open(os.path.join(o.pictures, n)).convert("RGB") for n in names]}
    pool = ThreadPoolExecutor(o.threads)
    if torchvision:
        torch.set_num_threads(1)
    print(f"Pillow {PIL.__version__}" + (f", torchvision {torchvision.__version__}" if torchvision else "") +
          f"; {o.threads} threads; pictures a second to {o.side} x {o.side}; medians of {o.rounds} turns")
    for label, pictures in sets.items():
        for form in ("jpeg", "png", "webp"):
            compare(o, pool, f"{form} {label}", encode(pictures, form))


def compare(o, pool, label, files):
    with tempfile.TemporaryDirectory() as folder:
        files = files * max(1, 8 // len(files))
        for i, file in enumerate(files):
            with open(f"{folder}/{i:04d}", "wb") as f:
                f.write(file)
        case = f"pictures:{folder}->{o.side},t{o.threads}"
        ours = {f"ours {name}": Ours(o.program, case + more) for name, more in
                (("area", ""), ("bilinear", ",bilinear"), ("fast", ",fast"))}
        theirs = {"Pillow box": pillow(o.side, Image.BOX), "Pillow bilinear": pillow(o.side, Image.BILINEAR)}
        if torchvision:
            theirs["torchvision"] = vision(o.side)
        times, spent = {name: [] for name in [*ours, *theirs]}, {name: 0 for name in [*ours, *theirs]}
        for _ in range(o.rounds):
            for name, run in ours.items():
                before = run.spent()
                times[name].append(run.run())
                spent[name] += run.spent() - before
            for name, read in theirs.items():
                start, before = time.perf_counter(), time.process_time()
                list(pool.map(read, files))
                times[name].append(time.perf_counter() - start)
                spent[name] += time.process_time() - before
        for run in ours.values():
            run.close()
    rates = {name: len(files) / statistics.median(t) for name, t in times.items()}
    steady = {name: o.rounds * len(files) / max(t, 1e-9) for name, t in spent.items()}
    print(label + ": " + ", ".join(f"{name} {rate:.0f}/{steady[name]:.0f}" for name, rate in rates.items()) +
          f"; ours to Pillow's, area to box: {rates['ours area'] / rates['Pillow box']:.2f}"
          f"/{steady['ours area'] / steady['Pillow box']:.2f}", flush=True)


main()
