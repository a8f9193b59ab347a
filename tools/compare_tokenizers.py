#!/usr/bin/env python3
# compare_tokenizers.py -- our tokens of odd captions beside those of open_clip (open_clip_torch), which must be equal,
# or, with --clip, of OpenAI's own tokenizer (clip-anytorch), which writes begin and end otherwise: captions that have
# either spelling are then left out.
#     cmake --build build --target encode_captions
#     python3 tools/compare_tokenizers.py build/tools/encode_captions [--clip] [-n 10000] [-s 1] [--merges FILE]
# The captions are made from the seed by tools/odd_captions.py.  Characters that Python's own Unicode does not know
# are left out of them: what an unassigned character is depends on each library's version of Unicode.
# SPDX-License-Identifier: MIT
import argparse
import collections
import html
import importlib.util
import os
import subprocess
import sys

from odd_captions import odd_captions

MARKERS = ["<start_of_text>", "<end_of_text>", "<|startoftext|>", "<|endoftext|>"]


def module_of(package, name):
    """A package's module alone: the rest of it may want what is not there."""
    folder = os.path.dirname(importlib.util.find_spec(package).origin)
    spec = importlib.util.spec_from_file_location("reference", os.path.join(folder, name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def has_marker(caption):
    text = html.unescape(html.unescape(html.unescape(caption))).lower().replace("\u017f", "s")
    return any(marker in text for marker in MARKERS)


def ours(program, merges, captions):
    data = b"".join(c.encode() + b"\0" for c in captions)
    out = subprocess.run([program, merges], input=data, stdout=subprocess.PIPE, check=True).stdout
    lines = out.decode().split("\n")[:-1]
    assert len(lines) == len(captions), (len(lines), len(captions))
    return [None if line == "-" else [int(word) for word in line.split()] for line in lines]


def compare(tokenizer, made, mine, show):
    total, wrong, tokens = collections.Counter(), collections.Counter(), 0
    for (kind, caption), ids in zip(made, mine):
        theirs = tokenizer.encode(caption)
        total[kind] += 1
        tokens += len(theirs)
        wrong[kind] += ids != theirs
        if ids != theirs and sum(wrong.values()) <= show:
            print(f"{kind}: {caption!r}\n  theirs {theirs} {tokenizer.decode(theirs)!r}\n"
                  f"  ours   {ids} {tokenizer.decode(ids or [])!r}")
    for kind in total:
        print(f"{kind:12} {total[kind]:6} captions, {wrong[kind]} differ")
    print(f"{'all':12} {sum(total.values()):6} captions, {sum(wrong.values())} differ, {tokens} tokens")
    return sum(wrong.values()) == 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument("program")
    p.add_argument("--clip", action="store_true")
    p.add_argument("-n", type=int, default=10000)
    p.add_argument("-s", type=int, default=1)
    p.add_argument("--merges")
    p.add_argument("--show", type=int, default=10)
    a = p.parse_args()
    reference = module_of("clip", "simple_tokenizer") if a.clip else module_of("open_clip", "tokenizer")
    made = odd_captions(a.s, a.n)
    if a.clip:
        made = [(kind, caption) for kind, caption in made if not has_marker(caption)]
    mine = ours(a.program, a.merges or reference.default_bpe(), [caption for _, caption in made])
    return 0 if compare(reference.SimpleTokenizer(), made, mine, a.show) else 1


sys.exit(main())
