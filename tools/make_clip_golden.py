#!/usr/bin/env python3
# make_clip_golden.py -- writes tests/golden/clip_merges.txt and tests/golden/clip_captions.json.
#     python3 tools/make_clip_golden.py        (in the repository's folder, with open_clip_torch installed)
# Odd captions (tools/odd_captions.py) with the tokens that open_clip gives them.  Of the published merges (MIT, OpenAI)
# only those are kept that these captions look up on their way, done or not, and what those are made of: with them every
# caption takes the same steps as with all.  Tokens are numbered anew, in the same order.
# SPDX-License-Identifier: MIT
import json
import os
import sys

import open_clip.tokenizer as reference

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from odd_captions import KINDS  # noqa: E402

import random  # noqa: E402

EACH = 26
LONGEST = 160


class Ranks(dict):
    """Remembers which merges were asked for."""
    asked = set()

    def get(self, pair, default=None):
        rank = super().get(pair, default)
        if rank is not default:
            self.asked.add(pair)
        return rank


def captions():
    r = random.Random(2026)
    for kind in KINDS:
        found = 0
        while found < EACH:
            caption = kind(r).replace("\0", "").encode("utf-8", "replace").decode()
            if kind.__name__ == "long" and found < 3 or len(caption) <= LONGEST:
                found += 1
                yield caption if len(caption) <= LONGEST else caption[:400]


def needed(tokenizer):
    made_by = {"".join(pair): pair for pair in tokenizer.bpe_ranks}
    keep, todo = set(), list(Ranks.asked)
    while todo:
        pair = todo.pop()
        if pair not in keep:
            keep.add(pair)
            todo += [made_by[part] for part in pair if part in made_by]
    return sorted(keep, key=tokenizer.bpe_ranks.__getitem__)


def main():
    tokenizer = reference.SimpleTokenizer()
    tokenizer.bpe_ranks = Ranks(tokenizer.bpe_ranks)
    made = [(c, tokenizer.encode(c)) for c in captions()]
    merges = needed(tokenizer)
    number = {i: i for i in range(512)}
    number.update({tokenizer.encoder["".join(pair)]: 512 + i for i, pair in enumerate(merges)})
    number.update({49406: 512 + len(merges), 49407: 513 + len(merges)})
    with open("tests/golden/clip_merges.txt", "w") as out:
        out.write(f'"bpe_simple_vocab_16e6.txt#version: 0.2 merges: {len(merges)}\n')
        out.writelines(f"{a} {b}\n" for a, b in merges)
    with open("tests/golden/clip_captions.json", "w") as out:
        rows = [json.dumps([c, [number[i] for i in ids]]) for c, ids in made]
        out.write("[\n" + ",\n".join(rows) + "\n]\n")
    print(f"{len(made)} captions, {len(merges)} merges")


main()
