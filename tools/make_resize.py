#!/usr/bin/env python3
"""make_resize.py -- writes tests/golden/resize.safetensors: what Pillow resizes by Lanczos, for
tests/data/test_golden_resize.c.

    python3 tools/make_resize.py tests/golden

Each case is a picture "N.in" [height, width, 3] and what it becomes, "N.out"; "N.fit" is the usage notebook
of the published dVAE: the short side resized, the centre square cut out.  Pictures have hard edges (stripes,
squares, single pixels, text-like strokes) or noise of black, white and full colours, where a filter
overshoots most.  Needed only to make the file again: Pillow below 13, which like those the published
models were made with filters rows first; 13 begins with the direction that is cheaper.
SPDX-License-Identifier: MIT
"""
import json
import random
import struct
import sys

import PIL
from PIL import Image


def write(path, tensors):
    header, blobs, at = {"__metadata__": {"made_by": f"tools/make_resize.py, Pillow {PIL.__version__}"}}, [], 0
    for name, picture in tensors.items():
        blob = picture.tobytes()
        header[name] = {"dtype": "U8", "shape": [picture.height, picture.width, 3],
                        "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    print(f"{path}: {len(tensors)} pictures, {at} bytes")


def paint(width, height, colour):
    picture = Image.new("RGB", (width, height))
    picture.putdata([colour(x, y) for y in range(height) for x in range(width)])
    return picture


def stripes(x, y):
    return (255, 255, 255) if (x + y // 3) % 3 else (0, 0, 0)


def squares(x, y):
    return ((255, 0, 0), (0, 0, 255))[(x // 5 + y // 5) % 2]


def dots(x, y):
    return (0, 0, 0) if x % 7 == 3 and y % 6 == 2 else (255, 255, 255)


def levels(seed):
    dice = random.Random(seed)
    return lambda x, y: tuple(dice.choice((0, 255)) for _ in range(3))


def smooth(seed):
    dice = random.Random(seed)
    return lambda x, y: tuple(dice.randrange(256) for _ in range(3))


# Painter, size, new size: down, up, one way each, odd, far down, far up, a row, a column, a pixel, alike.
CASES = [
    (stripes, (48, 48), (17, 17)), (stripes, (31, 29), (44, 51)), (squares, (45, 37), (16, 61)),
    (squares, (37, 45), (61, 16)), (dots, (51, 37), (13, 11)), (dots, (20, 20), (47, 33)),
    (levels(1), (53, 41), (7, 5)), (levels(2), (9, 11), (40, 40)), (levels(3), (33, 33), (32, 32)),
    (levels(4), (64, 1), (17, 1)), (levels(5), (1, 51), (3, 8)), (levels(6), (1, 1), (5, 4)),
    (levels(7), (33, 21), (1, 1)), (smooth(8), (40, 50), (27, 33)), (smooth(9), (18, 18), (18, 18)),
    (levels(10), (24, 24), (24, 10)), (levels(11), (24, 24), (10, 24)),
]
FITS = [(stripes, (50, 35), 16), (levels(12), (17, 40), 24), (squares, (33, 90), 32)]


def fit(picture, size):
    ratio = size / min(picture.size)
    whole = picture.resize([round(ratio * side) for side in picture.size], Image.LANCZOS)
    left, top = (int(round((side - size) / 2.0)) for side in whole.size)
    return whole.crop((left, top, left + size, top + size))


def main():
    if int(PIL.__version__.split(".")[0]) > 12:
        sys.exit(f"Pillow {PIL.__version__} may filter columns first; take one below 13")
    tensors = {}
    for n, (painter, size, to) in enumerate(CASES):
        tensors[f"{n}.in"] = paint(*size, painter)
        tensors[f"{n}.out"] = tensors[f"{n}.in"].resize(to, Image.LANCZOS)
    for n, (painter, size, to) in enumerate(FITS, len(CASES)):
        tensors[f"{n}.in"] = paint(*size, painter)
        tensors[f"{n}.fit"] = fit(tensors[f"{n}.in"], to)
    write(sys.argv[1] + "/resize.safetensors", tensors)


main()
