#!/usr/bin/env python3
"""convert_inception.py -- the published weights of Inception-v3, by which everyone computes FID, as the safetensors
file that `dalle-cl eval --inception FILE` reads.

    python3 tools/convert_inception.py pt_inception-2015-12-05-6726825d.pth inception.safetensors

The .pth file is the one that PyPI's pytorch-fid downloads; that of torch-fidelity has the same name but for its
beginning, and the same tensors.  Counters of batches and the auxiliary classifier, which no figure needs, are left
out.  Needs torch and numpy, once.
SPDX-License-Identifier: MIT
"""
import json
import struct
import sys

import numpy as np

TYPES = {"<f4": "F32", "<i4": "I32", "|u1": "U8"}


def write(path, tensors, made_by, texts=None):
    """tensors: name -> array of float, int32 or uint8.  Wide types first, so that all are aligned."""
    header, blobs, at = {"__metadata__": {"made_by": made_by, **(texts or {})}}, [], 0
    arrays = {name: as_stored(value) for name, value in tensors.items()}
    for name, a in sorted(arrays.items(), key=lambda item: -item[1].itemsize):
        blobs.append(a.tobytes())
        header[name] = {"dtype": TYPES[a.dtype.str], "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    print(f"{path}: {len(tensors)} tensors, {at} bytes")


def as_stored(value):
    a = np.asarray(value)
    kind = {"f": "<f4", "i": "<i4", "u": "|u1"}[a.dtype.kind]
    return np.ascontiguousarray(a, dtype=kind)


def wanted(name):
    return not name.endswith("num_batches_tracked") and not name.startswith("AuxLogits.")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    import torch

    state = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
    write(sys.argv[2], {name: value.float().numpy() for name, value in state.items() if wanted(name)},
          "tools/convert_inception.py")


if __name__ == "__main__":
    main()
