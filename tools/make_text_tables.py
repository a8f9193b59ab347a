#!/usr/bin/env python3
# make_text_tables.py -- writes data/text_html.def, data/text_charset.def and data/text_mojibake.def.
#     python3 tools/make_text_tables.py        (in the repository's folder, with ftfy 6.3 installed)
# The names are HTML5's and the character sets Unicode's, as Python's standard library has them; the groups of
# characters are ftfy's.
# SPDX-License-Identifier: MIT
import re
from html.entities import html5

from ftfy.badness import MOJIBAKE_CATEGORIES

SETS = ["windows-1252", "windows-1251", "windows-1250", "windows-1253", "windows-1254", "windows-1257",
        "iso-8859-2", "macroman", "cp437"]
GROUPS = {"common": "COMMON", "c1": "C1", "bad": "BAD", "law": "LAW", "currency": "CURRENCY",
          "start_punctuation": "START", "end_punctuation": "END", "numeric": "NUMERIC", "kaomoji": "FACE",
          "upper_accented": "UPPER", "lower_accented": "LOWER", "upper_common": "CAPITAL",
          "lower_common": "SMALL", "box": "BOX"}


def write(name, comment, items):
    """Fills lines of at most 110 columns."""
    line = ""
    with open(f"data/{name}", "w") as out:
        out.write(f"/* {name} -- {comment}\n * Made by tools/make_text_tables.py.\n"
                  " * SPDX-License-Identifier: MIT */\n")
        for item in items:
            if line and (item == "\n" or len(line) + 1 + len(item) > 110):
                out.write(line + "\n")
                line = ""
            if item != "\n":
                line += (" " if line else "") + item
        out.write(line + ("\n" if line else ""))


def entities():
    for name in sorted({n.rstrip(";") for n in html5}, key=lambda n: n.encode()):
        value = [ord(c) for c in html5[name + ";"]] + [0]
        yield f'ENTITY("{name}", {value[0]:#x}, {value[1]:#x}, {int(name in html5)})'


def sets():
    for name in SETS:
        yield f"/* {name} */"
        yield "\n"
        yield "{"
        for byte in range(0x80, 0x100):
            try:
                yield f"{ord(bytes([byte]).decode(name)):#x},"
            except UnicodeDecodeError:
                yield f"{byte:#x},"
        yield "},"
        yield "\n"


def groups():
    patterns = {GROUPS[name]: re.compile("[" + chars + "]") for name, chars in MOJIBAKE_CATEGORIES.items()}
    first, last = 0x80, ""
    for c in range(0x80, 0x10000):
        of = " | ".join(name for name, p in patterns.items() if not 0xd800 <= c < 0xe000 and p.match(chr(c)))
        if of != last:
            if last:
                yield f"GROUP({first:#x}, {c - 1:#x}, {last})"
            first, last = c, of
    if last:
        yield f"GROUP({first:#x}, 0xffff, {last})"


write("text_html.def", "HTML5's named character references, in order: name, what it stands for (a second character or\n"
      " * 0), and whether it may lack its semicolon.", entities())
write("text_charset.def", "bytes 0x80 to 0xff of each set; what has no meaning is the byte itself.", sets())
write("text_mojibake.def", "first and last character, and their groups, in order.", groups())
