#!/usr/bin/env python3
"""make_inception.py -- what PyPI's pytorch-fid and torch-fidelity compute, beside what this program does.

    python3 tools/make_inception.py golden tests/golden
        writes inception.safetensors, for tests/eval/: features of pytorch-fid's network with every width divided by
        16, and figures of features, of which only the rule is stored that makes them (Philox, as host/base/philox.h).
    python3 tools/make_inception.py compare build/tools/inception_figures
        compares at full size, with random weights, features and figures; docs/evaluation-features.md has the result.

Needs torch, torchvision, numpy, scipy, pytorch-fid 0.3.0, torch-fidelity 0.4.0.
SPDX-License-Identifier: MIT
"""
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy as np
import pytorch_fid.inception as published
import torch
import torchvision.models.inception as blocks
from pytorch_fid.fid_score import calculate_frechet_distance
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from convert_inception import wanted, write

torch.set_grad_enabled(False)
torch.set_num_threads(2)
F32 = np.float32


# ---- Numbers by rule ----

def fnv(name):
    h = 2166136261
    for byte in name.encode():
        h = (h ^ byte) * 16777619 & 0xFFFFFFFF
    return h


def bits(name, count):
    """philox_bits of the stream `name`, seed 0, step 0, elements 0 to count - 1."""
    blocks_ = -(-count // 4)
    c = [np.arange(blocks_, dtype=np.uint64), np.zeros(blocks_, np.uint64), np.full(blocks_, fnv(name), np.uint64),
         np.zeros(blocks_, np.uint64)]
    key, low = [0, 0], np.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(b >> np.uint64(32)) ^ c[1] ^ np.uint64(key[0]), b & low,
             (a >> np.uint64(32)) ^ c[3] ^ np.uint64(key[1]), a & low]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(c, 1).reshape(-1)[:count].astype(np.uint32)


def uniform(name, shape):
    u = (bits(name, math.prod(shape)) >> 9).astype(F32) * F32(2.0**-23) + F32(2.0**-24)
    return u.reshape(shape)


def weight(name, shape):
    """By the tensor's last word; convolutions and the classifier keep the size of what passes them."""
    u = uniform(name, shape)
    if name.endswith("running_var") or name.endswith("bn.weight"):
        return F32(0.5) + u
    if len(shape) == 1:
        return (u - F32(0.5)) * F32(0.5)
    return (F32(2) * u - F32(1)) * F32(math.sqrt(6 / math.prod(shape[1:])))


def noise(name, count, side):
    return (bits(name, count * side * side * 3) & 255).astype(np.uint8).reshape(count, side, side, 3)


def features(name, count, width):
    """Uneven, and each row's numbers have something in common."""
    u = uniform(name, (count, width))
    k = np.arange(width)
    return u * ((1 + k % 5).astype(F32) * F32(0.25)) + u[:, :1] * F32(0.5)


# ---- The published network ----

class Thinned(blocks.BasicConv2d):
    thinner = 1

    def __init__(self, in_channels, out_channels, **kwargs):
        t = Thinned.thinner
        super().__init__(in_channels if in_channels == 3 else in_channels // t, out_channels // t, **kwargs)


def network(thinner):
    """pytorch-fid's InceptionV3 with weights by rule; and its last layer's weights."""
    plain, build, kept = blocks.BasicConv2d, published._inception_v3, []
    Thinned.thinner = thinner

    def thin(*args, **kwargs):
        model = build(*args, **kwargs)
        model.fc = torch.nn.Linear(2048 // thinner, 1008 // thinner)
        kept.append(model)
        return model

    blocks.BasicConv2d, published._inception_v3 = Thinned, thin
    published.load_state_dict_from_url = lambda *_, **__: {
        n: torch.from_numpy(weight(n, tuple(v.shape))) for n, v in kept[0].state_dict().items() if wanted(n)}
    net = published.InceptionV3(normalize_input=True)
    blocks.BasicConv2d, published._inception_v3 = plain, build
    return net.eval(), kept[0]


def run(net, model, pictures, how):
    """pictures [n][side][side][3] bytes -> features, logits without the bias, in double; how: as in inception.h."""
    net, x = net.double(), torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    if how == "centres":
        x = 2 * torch.nn.functional.interpolate(x / 255, size=(299, 299), mode="bilinear", align_corners=False) - 1
    else:
        x = (interpolate_bilinear_2d_like_tensorflow1x(x, size=(299, 299), align_corners=False) - 128) / 128
    net.resize_input = net.normalize_input = False
    found = torch.cat([net(part.double())[0][:, :, 0, 0] for part in x.split(8)])
    return found.numpy(), (found @ model.fc.weight.double().T).numpy()


def fidelity_fid(a, b):
    return fid_statistics_to_metric(fid_features_to_statistics(torch.from_numpy(a)),
                                    fid_features_to_statistics(torch.from_numpy(b)), False)["frechet_inception_distance"]


def published_fid(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return calculate_frechet_distance(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))


def kid(a, b, **kwargs):
    found = kid_features_to_metric(torch.from_numpy(a.astype(np.float64)), torch.from_numpy(b.astype(np.float64)),
                                   verbose=False, rng_seed=2020, **kwargs)
    return [found["kernel_inception_distance_mean"], found["kernel_inception_distance_std"]]


def score(logits, shuffle):
    found = isc_features_to_metric(torch.from_numpy(logits), 10, shuffle, 2020)
    return [found["inception_score_mean"], found["inception_score_std"]]


# ---- Files ----

def golden(folder):
    out = {}
    net, model = network(16)
    for side in (1, 5, 64, 299, 310):
        for how in ("centres", "corners"):
            f, logits = run(net, model, noise(f"pictures {side}", 2, side), how)
            out[f"features.{side}.{how}"], out[f"logits.{side}.{how}"] = f, logits
    a, b = features("a", 60, 16), features("b", 50, 16)
    few, fewer = features("few", 24, 64), features("fewer", 20, 64)
    logits = (uniform("logits", (103, 7)) * F32(6)).astype(F32)
    # As text: figures in double precision.
    figures = {"fid": published_fid(a, b), "fid.fidelity": fidelity_fid(a.astype(np.float64), b.astype(np.float64)),
               "fid.singular": published_fid(few, fewer),
               "fid.singular.fidelity": fidelity_fid(few.astype(np.float64), fewer.astype(np.float64)),
               "kid": kid(a, b, kid_subsets=7, kid_subset_size=30),
               "polynomial": kid(a[:50], b, kid_subsets=1, kid_subset_size=50)[0],
               "gaussian": kid(a[:50], b, kid_subsets=1, kid_subset_size=50, kid_kernel="rbf",
                               kid_kernel_rbf_sigma=10)[0],
               "score": score(logits, True), "score.plain": score(logits, False),
               "permutation": np.random.RandomState(2020).permutation(700).tolist()[:5]}
    texts = {name: json.dumps(value).strip("[]") for name, value in figures.items()}
    print(json.dumps(texts, indent=1))
    write(os.path.join(folder, "inception.safetensors"), out, "tools/make_inception.py", texts)


def smooth(name, count, side, low, contrast):
    """Pictures with something in them: noise of `low` pixels a side, enlarged."""
    small = torch.from_numpy(noise(name, count, low)).permute(0, 3, 1, 2).float()
    big = torch.nn.functional.interpolate(small, size=(side, side), mode="bicubic", align_corners=False)
    return (128 + (big - 128) * contrast).clamp(0, 255).round().byte().permute(0, 2, 3, 1).numpy()


def worst(ours, theirs):
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def read(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        data = f.read()
    header.pop("__metadata__", None)
    return {n: np.frombuffer(data[slice(*t["data_offsets"])], "<f4").reshape(t["shape"]).copy()
            for n, t in header.items()}


def published_features(net, model, extractor, pictures, how):
    """Of pytorch-fid's or torch-fidelity's program, in float as they compute them."""
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    if how == "centres":
        f = torch.cat([net(part.float() / 255)[0][:, :, 0, 0] for part in x.split(10)])
        return f.numpy(), (f @ model.fc.weight.T).numpy()
    parts = [extractor(part) for part in x.split(10)]
    return torch.cat([q[0] for q in parts]).numpy(), torch.cat([q[1] for q in parts]).numpy()


def compare(program):
    folder = tempfile.mkdtemp()
    net, model = network(1)
    state = {n: v for n, v in model.state_dict().items() if wanted(n)}
    weights, pictures = os.path.join(folder, "weights"), os.path.join(folder, "pictures")
    write(weights, {n: v.numpy() for n, v in state.items()}, "weights by rule")
    torch.save({n: v for n, v in model.state_dict().items() if not n.startswith("AuxLogits.")}, weights + ".pth")
    sets = {"a": smooth("set a", 24, 64, 7, 1.0), "b": smooth("set b", 20, 64, 9, 0.7)}
    write(pictures, sets, "pictures by rule")
    extractor = FeatureExtractorInceptionV3("plain", ["2048", "logits_unbiased"], weights + ".pth")
    for how in ("centres", "corners"):
        found = os.path.join(folder, how)
        said = subprocess.run([program, weights, pictures, found, how], check=True, capture_output=True, text=True)
        print(how, "ours", said.stdout.strip())
        ours = read(found)
        theirs = {s: published_features(net, model, extractor, p, how) for s, p in sets.items()}
        for s, (f, logits) in theirs.items():
            print(how, s, "features differ by", worst(ours[f"features.{s}"], f), "logits by",
                  worst(ours[f"logits.{s}"], logits), "of the largest", np.abs(f).max(), np.abs(logits).max())
        a, b = theirs["a"], theirs["b"]
        if how == "centres":
            print(how, "fid pytorch-fid", published_fid(a[0], b[0]))
        else:
            print(how, "score torch-fidelity", score(a[1], True), "kid torch-fidelity",
                  kid(a[0], b[0], kid_subsets=10, kid_subset_size=16))
            print(how, "fid torch-fidelity", fidelity_fid(a[0], b[0]))


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("golden", "compare"):
        sys.exit(__doc__)
    (golden if sys.argv[1] == "golden" else compare)(sys.argv[2])


if __name__ == "__main__":
    main()
