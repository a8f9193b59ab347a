#!/usr/bin/env python3
"""make_pictures.py -- writes tests/golden/pictures.safetensors: what Pillow makes of pictures, for
tests/data/test_golden_pictures.c.

    python3 tools/make_pictures.py tests/golden

"N.in" [height, width, 3] resized by a filter is "N.FILTER".  The file "NAME.file" [bytes], colours brought to
sRGB by ImageCms.profileToProfile (perceptual) and laid over white, is "NAME.rgb" [height, width, 3]; the levels
may differ by "NAME.apart" [1].  The profiles are made here: Adobe RGB's and Display P3's primaries, a grey of
gamma 1.8, and four inks.  Needed only to make the file again: Pillow below 13, as for make_resize.py.
SPDX-License-Identifier: MIT
"""
import io
import json
import random
import struct
import sys

import PIL
from PIL import Image, ImageCms

FILTERS = {"nearest": Image.NEAREST, "box": Image.BOX, "bilinear": Image.BILINEAR, "hamming": Image.HAMMING,
           "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
SRGB = ImageCms.createProfile("sRGB")


def write(path, tensors):
    header, blobs, at = {"__metadata__": {"made_by": f"tools/make_pictures.py, Pillow {PIL.__version__}"}}, [], 0
    for name, (shape, blob) in tensors.items():
        header[name] = {"dtype": "U8", "shape": shape, "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    print(f"{path}: {len(tensors)} tensors, {at} bytes")


def picture(p):
    return [p.height, p.width, 3], p.tobytes()


# ---- Pictures


def paint(mode, width, height, seed, hard=False):
    """Soft colours, or hard ones, with every channel's extremes; the alpha from nothing to all."""
    dice, channels = random.Random(seed), len(Image.new(mode, (1, 1)).getbands())
    p = Image.new(mode, (width, height))

    def level(x, y, c):
        if hard:
            return dice.choice((0, 255))
        slope = (x * (c + 2) * 255 // max(1, width - 1) + y * 40 * (3 - c)) % 511
        return max(0, min(255, (slope if slope < 256 else 510 - slope) + dice.randrange(-9, 10)))

    values = [tuple(level(x, y, c) for c in range(channels)) for y in range(height) for x in range(width)]
    p.putdata(values if channels > 1 else [v[0] for v in values])
    return p


# ---- Profiles: version 2 of the ICC's format


def fixed(value):
    return struct.pack(">i", round(value * 65536))


def xyz(values):
    return b"XYZ " + bytes(4) + b"".join(fixed(v) for v in values)


def gamma(value):
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256))


def srgb_curve():
    def linear(v):
        return v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4

    return b"curv" + bytes(4) + struct.pack(">I256H", 256, *(round(65535 * linear(i / 255)) for i in range(256)))


def profile(kind, space, pcs, tags):
    text = b"made for a test\0"
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78),
            b"cprt": b"text" + bytes(4) + text, b"wtpt": xyz((0.9642, 1, 0.8249)), **tags}
    at, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    head = struct.pack(">I4xI", at + len(body), 0x02400000) + kind + space + pcs
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(0.9642) + fixed(1) + fixed(0.8249)
    return head + bytes(128 - len(head)) + table + body


def rgb_profile(primaries, curve):
    tags = {name + b"XYZ": xyz(p) for name, p in zip((b"r", b"g", b"b"), primaries)}
    tags.update({name + b"TRC": curve for name in (b"r", b"g", b"b")})
    return profile(b"mntr", b"RGB ", b"XYZ ", tags)


def lab(rgb):
    def f(t):
        return t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116

    r, g, b = ((v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) for v in rgb)
    x = (0.4361 * r + 0.3851 * g + 0.1431 * b) / 0.9642
    y = 0.2225 * r + 0.7169 * g + 0.0606 * b
    z = (0.0139 * r + 0.0971 * g + 0.7142 * b) / 0.8249
    return 116 * f(y) - 16, 500 * (f(x) - f(y)), 200 * (f(y) - f(z))


def ink_profile():
    """Inks duller than light, on paper that is not quite white: a table of 5 x 5 x 5 x 5."""
    table = b""
    for n in range(5 ** 4):
        c, m, y, k = (n // 5 ** e % 5 / 4 for e in (3, 2, 1, 0))
        left = 1 - 0.92 * k
        rgb = [(0.97 - 0.8 * own - 0.08 * other) * left for own, other in ((c, m), (m, y), (y, c))]
        l, a, b = lab([max(0, v) for v in rgb])
        table += bytes((round(l * 2.55), max(0, min(255, round(a + 128))), max(0, min(255, round(b + 128)))))
    ramp = bytes(range(256))
    matrix = b"".join(fixed(float(i % 4 == 0)) for i in range(9))
    lut = b"mft1" + bytes(4) + bytes((4, 3, 5, 0)) + matrix + ramp * 4 + table + ramp * 3
    return profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut})


ADOBE = rgb_profile(((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
                    gamma(563 / 256))
P3 = rgb_profile(((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407)),
                 srgb_curve())
GREY = profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": gamma(1.8)})
INKS = ink_profile()

# ---- Cases


def encode(p, how):
    file = io.BytesIO()
    p.save(file, **how)
    return file.getvalue()


def expected(file, icc):
    """What Pillow reads, in sRGB, over white."""
    p = Image.open(io.BytesIO(file))
    alpha = None
    if p.mode in ("RGBA", "LA", "P"):
        rgba = p.convert("RGBA")
        alpha = rgba.getchannel("A")
        p = p.convert("L" if p.mode == "LA" else "RGB")
    if icc:
        p = ImageCms.profileToProfile(p, ImageCms.ImageCmsProfile(io.BytesIO(icc)), SRGB, outputMode="RGB")
    p = p.convert("RGB")
    if alpha:
        p = Image.composite(p, Image.new("RGB", p.size, "white"), alpha)
    return p


def files():
    rgb, rgba, grey = paint("RGB", 23, 17, 1), paint("RGBA", 23, 17, 2), paint("L", 23, 17, 3)
    alone, together = {"format": "JPEG", "quality": 100, "subsampling": 0}, {"format": "JPEG", "quality": 90}
    lossless = {"format": "WEBP", "lossless": True, "exact": True}
    yield "png_adobe", rgb, {"format": "PNG", "icc_profile": ADOBE}, 1
    yield "png_p3", rgb, {"format": "PNG", "icc_profile": P3}, 1
    yield "png_srgb", rgb, {"format": "PNG", "icc_profile": ImageCms.ImageCmsProfile(SRGB).tobytes()}, 1
    yield "png_alpha_p3", rgba, {"format": "PNG", "icc_profile": P3}, 1
    yield "png_grey", grey, {"format": "PNG", "icc_profile": GREY}, 1
    yield "png_palette", rgb.quantize(60), {"format": "PNG", "icc_profile": ADOBE}, 1
    yield "jpeg_adobe", rgb, {**alone, "icc_profile": ADOBE}, 3
    yield "jpeg_grey", grey, {**alone, "icc_profile": GREY}, 3
    yield "jpeg_inks", paint("CMYK", 23, 17, 4), {**alone, "icc_profile": INKS}, 3
    yield "jpeg_cmyk", paint("CMYK", 23, 17, 5), alone, 2
    yield "jpeg_progressive", rgb, {**together, "progressive": True}, 2
    yield "webp_lossless", rgb, lossless, 0
    yield "webp_lossless_p3", rgb, {**lossless, "icc_profile": P3}, 1
    yield "webp_alpha", rgba, lossless, 1
    yield "webp_alpha_adobe", rgba, {**lossless, "icc_profile": ADOBE}, 1
    yield "webp_lossy", rgb, {"format": "WEBP", "quality": 85}, 1
    yield "webp_animated", rgba, {**lossless, "save_all": True, "append_images": [rgb.convert("RGBA")]}, 1


# Size, new size: down, up, one way each, odd, far down, far up, a row, a column, a pixel, alike.
SIZES = [((21, 17), (8, 7)), ((9, 7), (23, 19)), ((19, 15), (7, 25)), ((15, 19), (25, 7)), ((40, 27), (3, 2)),
         ((3, 2), (26, 31)), ((50, 1), (17, 1)), ((1, 31), (3, 8)), ((1, 1), (5, 4)), ((33, 21), (1, 1)),
         ((12, 12), (12, 12)), ((200, 3), (5, 40)), ((16, 16), (8, 4)), ((13, 11), (12, 12))]


def main():
    if int(PIL.__version__.split(".")[0]) > 12:
        sys.exit(f"Pillow {PIL.__version__} may filter columns first; take one below 13")
    tensors = {}
    for n, (size, to) in enumerate(SIZES):
        p = paint("RGB", *size, 100 + n, hard=n % 2 == 0)
        tensors[f"{n}.in"] = picture(p)
        for name, number in FILTERS.items():
            tensors[f"{n}.{name}"] = picture(p.resize(to, number))
    for name, p, how, apart in files():
        file = encode(p, how)
        tensors[f"{name}.file"] = [len(file)], file
        tensors[f"{name}.rgb"] = picture(expected(file, how.get("icc_profile")))
        tensors[f"{name}.apart"] = [1], bytes([apart])
    write(sys.argv[1] + "/pictures.safetensors", tensors)


main()
