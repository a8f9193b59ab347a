#!/usr/bin/env python3
"""compare_ssim.py -- PSNR and SSIM of `dalle-cl eval` beside scikit-image's, of the same reconstructions.

    python3 tools/compare_ssim.py build/dalle-cl --model models/demo [--pictures FOLDER] [--count N]

FOLDER holds pictures (PNG or JPEG) of the model's own size, so that nothing is resized, which training does by aligned
corners and `reconstruct` does not; without it 64 x 64 ones are drawn here.  `reconstruct` writes originals over
reconstructions, which scikit-image compares; `eval` measures the same pictures.  Needs numpy, Pillow and scikit-image.
SPDX-License-Identifier: MIT
"""
import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

ROW = 8  # reconstruct's pictures a row
TOLERANCE = {"psnr": 1e-6, "ssim": 1e-9, "psnr_pooled": 1e-6}


def draw(folder, count):
    """Discs and stripes with some grain, no two alike."""
    for i in range(count):
        dice = random.Random(i)
        side = 64
        radius, stripe = dice.randrange(10, 30), dice.randrange(2, 9)
        picture = Image.new("RGB", (side, side))
        picture.putdata([tuple(min(255, max(0, 40 * (x // stripe % 2) + dice.randrange(30) +
                                            (150 if math.hypot(x - side / 2, y - side / 2) < radius else 60) + 20 * c))
                               for c in range(3)) for y in range(side) for x in range(side)])
        picture.save(os.path.join(folder, f"{i:03}.png"))


def cells(sheet, side, count):
    """Pairs of original and reconstruction: rows of up to ROW originals, each over its row of reconstructions."""
    columns = min(count, ROW)
    gap = (sheet.shape[1] - columns * side) // (columns + 1)

    def at(row, column):
        top, left = gap + row * (side + gap), gap + column * (side + gap)
        return sheet[top:top + side, left:left + side]

    return [(at(2 * (i // columns), i % columns), at(2 * (i // columns) + 1, i % columns)) for i in range(count)]


def theirs(pairs):
    ssim = [structural_similarity(a, b, channel_axis=2, gaussian_weights=True, sigma=1.5,
                                  use_sample_covariance=False, data_range=255) for a, b in pairs]
    psnr = [peak_signal_noise_ratio(a, b, data_range=255) for a, b in pairs]
    error = np.mean([np.mean((a.astype(float) - b.astype(float)) ** 2) for a, b in pairs])
    return {"psnr": float(np.mean(psnr)), "ssim": float(np.mean(ssim)),
            "psnr_pooled": float(10 * np.log10(255 ** 2 / error))}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--model", required=True)
    parser.add_argument("--pictures")
    parser.add_argument("--count", type=int, default=24)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = o.pictures or made
        if not o.pictures:
            draw(folder, o.count)
        sheet = os.path.join(made, "sheet.png")
        told = json.loads(subprocess.run([o.program, "eval", "-m", o.model, "--data", folder, "--split", "all",
                                          "--captions", "0", "--json"], check=True, capture_output=True).stdout)
        files = sorted(os.path.join(folder, name) for name in os.listdir(folder)
                       if name.lower().endswith((".png", ".jpg", ".jpeg")) and name != "sheet.png")
        subprocess.run([o.program, "reconstruct", "-m", o.model, "-o", sheet, *files], check=True,
                       capture_output=True)
        model = told["models"][0]
        pairs = cells(np.array(Image.open(sheet).convert("RGB")), model["side"], len(files))
    wanted, bad = theirs(pairs), False
    for name, value in wanted.items():
        ours = model["figures"]["reconstruction"][name]["value"]
        bad |= abs(ours - value) > TOLERANCE[name] * max(1, abs(value)) * 10
        print(f"{name:12} ours {ours:.9f}  scikit-image {value:.9f}  difference {ours - value:+.1e}")
    sys.exit(bad)


if __name__ == "__main__":
    main()
