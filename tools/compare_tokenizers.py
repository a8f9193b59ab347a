#!/usr/bin/env python3
# compare_tokenizers.py -- our tokens of odd captions beside those of open_clip (open_clip_torch), which must be equal.
#     cmake --build build --target encode_captions
#     python3 tools/compare_tokenizers.py build/tools/encode_captions [-n 10000] [-s 1] [--merges FILE] [--show 10]
# The captions are made from the seed by tools/odd_captions.py.  Characters that Python's own Unicode does not know
# are left out of them: what an unassigned character is depends on each library's version of Unicode.
# SPDX-License-Identifier: MIT
import argparse
import collections
import os
import subprocess
import sys

import open_clip.tokenizer as reference

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from odd_captions import odd_captions  # noqa: E402


def ours(program, merges, captions):
    data = b"".join(c.encode() + b"\0" for c in captions)
    out = subprocess.run([program, merges], input=data, stdout=subprocess.PIPE, check=True).stdout
    lines = out.decode().split("\n")[:-1]
    assert len(lines) == len(captions), (len(lines), len(captions))
    return [None if line == "-" else [int(word) for word in line.split()] for line in lines]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("program")
    p.add_argument("-n", type=int, default=10000)
    p.add_argument("-s", type=int, default=1)
    p.add_argument("--merges", default=reference.default_bpe())
    p.add_argument("--show", type=int, default=10)
    a = p.parse_args()
    made = odd_captions(a.s, a.n)
    tokenizer = reference.SimpleTokenizer()
    total, wrong, tokens = collections.Counter(), collections.Counter(), 0
    for (kind, caption), mine in zip(made, ours(a.program, a.merges, [c for _, c in made])):
        theirs = tokenizer.encode(caption)
        total[kind] += 1
        tokens += len(theirs)
        if mine != theirs:
            wrong[kind] += 1
            if sum(wrong.values()) <= a.show:
                print(f"{kind}: {caption!r}\n  theirs {theirs} {tokenizer.decode(theirs)!r}\n"
                      f"  ours   {mine} {tokenizer.decode(mine or [])!r}")
    for kind in total:
        print(f"{kind:12} {total[kind]:6} captions, {wrong[kind]} differ")
    print(f"{'all':12} {sum(total.values()):6} captions, {sum(wrong.values())} differ, {tokens} tokens")
    return 1 if wrong else 0


sys.exit(main())
