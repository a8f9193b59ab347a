#!/usr/bin/env python3
"""compare_clip.py -- the published ViT-B/32 as open_clip_torch has it, beside dalle-cl, on the same random parameters.

    python3 tools/compare_clip.py build/dalle-cl [FOLDER]

Writes the parameters under OpenAI's names and the published list of merges into FOLDER as a model (600 MB; a temporary one
unless given), a dozen pictures of 224 x 224, and compares each picture's embedding and each similarity with a caption.
Needs torch, open_clip_torch, safetensors, Pillow.
SPDX-License-Identifier: MIT
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

CAPTIONS = ["a cat", "Two DOGS, and a cat's hat!", "ein gr\u00fcner Apfel \U0001f34f", "x " * 100, "&lt;b&gt; 12345"]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def make(program, folder, model):
    merges = os.path.join(os.path.dirname(open_clip.__file__), "bpe_simple_vocab_16e6.txt.gz")
    shutil.copy(merges, folder + "/clip_tokenizer.model")
    with open(folder + "/clip.cfg", "w") as file:
        file.write(run(program, "config", "clip", "--preset", "vit-b-32"))
    state = {n: p.detach().clone().contiguous() for n, p in model.state_dict().items() if n != "attn_mask"}
    save_file(state, folder + "/clip.safetensors")
    print(f"{sum(p.numel() for p in state.values()):,} parameters in {len(state)} tensors")


def pictures(folder):
    os.makedirs(folder, exist_ok=True)
    random, made = np.random.default_rng(1), {}
    for i in range(12):
        small = Image.fromarray(random.integers(0, 256, (4 + i, 4 + i, 3), dtype=np.uint8))
        made[f"p{i:02d}"] = np.asarray(small.resize((224, 224), Image.BICUBIC))
        Image.fromarray(made[f"p{i:02d}"]).save(f"{folder}/p{i:02d}.png")
    return made


def theirs(model, made):
    mean, deviation = (np.array(x) for x in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD))
    pixels = np.stack([(p / 255 - mean) / deviation for p in made.values()]).transpose(0, 3, 1, 2)
    with torch.no_grad():
        seen = model.encode_image(torch.tensor(pixels, dtype=torch.float32), normalize=True).numpy()
        read = model.encode_text(open_clip.tokenize(CAPTIONS), normalize=True).numpy()
    return seen, seen @ read.T


def ours(program, folder, made):
    seen = folder + "/embeddings.safetensors"
    run(program, "find", "-m", folder, folder + "/pictures", "a cat", "--embeddings", seen, "-q")
    texts = [part for caption in CAPTIONS for part in ("--text", caption)]
    names = [f"{folder}/pictures/{key}.png" for key in made]
    scores = json.loads(run(program, "score", "-m", folder, *names, *texts, "--json", "-q"))
    kept = load_file(seen)
    keys = bytes(kept["keys"].numpy()).decode().split("\0")
    rows = [kept["embeddings"][keys.index(key)].numpy() for key in made]
    return np.stack(rows), np.array([[s["similarity"] for s in p["scores"]] for p in scores["pictures"]])


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: compare_clip.py PROGRAM [FOLDER]")
    program, folder = sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else tempfile.mkdtemp()
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(1)
    model = open_clip.create_model("ViT-B-32-quickgelu").eval()
    make(program, folder, model)
    made = pictures(folder + "/pictures")
    for what, a, b in zip(("embeddings", "similarities"), theirs(model, made), ours(program, folder, made)):
        worst = np.abs(a - b).max() / np.abs(a).max()
        print(f"{what}: {a.shape}, differ by {worst:.1e} of the largest")
        if not worst < 1e-4:
            sys.exit(1)


if __name__ == "__main__":
    main()
