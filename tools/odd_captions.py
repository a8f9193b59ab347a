# odd_captions.py -- captions as nobody would write them, from a seed: many scripts, emoji, entities, text read in the
# wrong character set, controls, combining marks, numbers, quotes, addresses, long ones, and random characters.
# SPDX-License-Identifier: MIT
import random
import unicodedata
from html.entities import html5

WORDS = """a the photo of cat dog's two men don't I'm we'll they've you're he'd it's painting close-up black&white
 TALL Red GREEN lake at sunset with an old wooden boat, 3D render; 4k "masterpiece" (watercolour) naïve café Ångström
 STRASSE straße ΟΔΟΣ Σίσυφος İstanbul ıssız Ǆungla ﬁre ﬂower coöperate O'Neill rock'n'roll y'all'd've 'tis""".split()
SENTENCES = ["кошка сидит на окне", "Ο ΣΚΎΛΟΣ ΤΡΈΧΕΙ ΣΤΗΝ ΠΑΡΑΛΊΑ", "一只猫坐在窗台上", "窓辺に座る猫、ｶﾀｶﾅとＦＵＬＬ",
             "قطة تجلس على النافذة", "חתול יושב על החלון", "खिड़की पर बैठी बिल्ली", "แมวนั่งอยู่บนหน้าต่าง",
             "창가에 앉아 있는 고양이", "con mèo ngồi bên cửa sổ", "kedi PENCEREDE OTURUYOR İĞÜŞÖÇ", "ԿԱՏՈՒՆ նստած է",
             "კატა ფანჯარასთან ᲙᲐᲢᲐ", "ድመት በመስኮት", "ជ្រូកឆ្មា", "ᏣᎳᎩ ꭰꭱ", "𐐀𐐁𐐨 Deseret",
             "žluťoučký kůň úpěl ďábelské ódy",
             "Größe und Länge – „gut“ • 20 °C", "l’été à la plage, c’est «bon»…", "¿Dónde está el niño? ¡Aquí!",
             "smørrebrød på øen", "zażółć gęślą jaźń", "ąčęėįšųūž", "Það er köttur", "100 € and £5 or ¥20 ½ ¾ × ÷",
             "“quoted” ‘single’ ‚low‘ „low“ ‛odd‟", "x² + y³ ≤ ∞ ∑ √2", "┌─┐│█░▒▓└┘", "(╯°□°)╯︵ ┻━┻ ¯\\_(ツ)_/¯ ಠ_ಠ"]
EMOJI = ["😀", "👨‍👩‍👧‍👦", "👍🏽", "🏴󠁧󠁢󠁷󠁬󠁳󠁿", "🇩🇪🇫🇷", "❤️", "☕︎", "1️⃣", "#️⃣", "🧑🏿‍🚀", "✔", "™️", "©", "🫠", "♾️"]
CHARSETS = ["latin-1", "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "iso-8859-2", "macroman", "cp437"]
CONTROLS = [chr(c) for c in list(range(1, 32)) + list(range(0x7f, 0xa1))] + list(
    "\u00ad\u200b\u200c\u200d\u200e\u2028\u2029\u202e\u2060\u206a\ufeff\ufff9\ufffc\ufffd\u180e\u3000\u2003\ufe0f") + [
    "\r\n", "\x1b[31m", "\x1b[0;1mX", "\x1b[", "\x1b[٣m"]
URLS = ["https://www.example.org/a?b=1&copy=2&reg=3#top", "mailto:x.y+z@host.co.uk", "C:\\temp\\IMG_0001.JPG",
        "@name #tag",
        "file:///%20x.png", "3.14159e-10", "1,234,567.89", "2024-02-29T12:00Z", "٣٤٥ ४५६ Ⅷ ⅓ ⑨ 一二三",
        "<start_of_text>",
        "<end_of_text> x", "<|startoftext|>", "<b>bold</b> &amp; <br/>", "</w>", "a</w>b", "Hello_World__x"]
NAMES = sorted(html5)


def plain(r):
    return " ".join(r.choice(WORDS) for _ in range(r.randint(1, 12)))


def sentence(r):
    text = r.choice(SENTENCES)
    return r.choice([text, text.upper(), text.lower(), text.title(), text + " " + plain(r),
            unicodedata.normalize("NFD", text)])


def emoji(r):
    return r.choice(["", " "]).join(r.choice(EMOJI + [plain(r)]) for _ in range(r.randint(1, 8)))


def entity(r):
    number = r.choice([r.randint(0, 300), r.randint(0x2000, 0x2200), r.randint(0xd7f0, 0xe010), r.randint(0xfdc0,
            0xfe00),
                       r.randint(0x1f300, 0x1f700), 0x10ffff, 0x110000, r.randint(0xfffd, 0x10001), 99999999999])
    name = r.choice(NAMES)
    one = r.choice([f"&{name}", f"&{name.rstrip(';')}", f"&{name.upper()}", f"&{name.lower()}", f"&{name}x",
            f"&{name.rstrip(';')}x1;",
                    f"&#{number};", f"&#x{number:x};", f"&#X{number:X}", f"&#{number}", f"&amp;{name}",
                    f"&amp;amp;#{number};",
                    "&", "&;", "&#;", "&#x;", "&#xg;", "&é;", "&ampé", "&notit;", "&" + "a" * 40 + ";",
                    f"&#{number}abc;", "&lt;b&gt;"])
    return one if unassigned(one) == 0 else "&amp;"


def entities(r):
    return r.choice(["", " ", "a"]).join(r.choice([entity(r), entity(r), plain(r)]) for _ in range(r.randint(1, 6)))


def misread(r, text):
    """Text as UTF-8 that was read in another character set, perhaps with losses, perhaps in part only."""
    charset = r.choice(CHARSETS)
    data = text.encode("utf-8", "surrogatepass")
    if r.random() < 0.1:
        data = b"".join(surrogates(c) for c in text)
    how = r.random()
    if how < 0.25:
        data = data.replace(b"\xa0", b" ")
    out = ""
    for b in data:
        try:
            out += bytes([b]).decode(charset)
        except UnicodeDecodeError:
            out += r.choice([chr(b), chr(b), "\ufffd", "?"])
    if 0.25 < how < 0.35 and out:
        i = r.randrange(len(out))
        out = out[:i] + r.choice("\ufffd? ") + out[i + 1:]
    return out


def surrogates(c):
    if ord(c) < 0x10000:
        return c.encode("utf-8", "surrogatepass") if c != "\0" else b"\xc0\x80"
    wide = c.encode("utf-16-be")
    return b"".join(chr(int.from_bytes(wide[i:i + 2], "big")).encode("utf-8", "surrogatepass") for i in (0, 2))


def mojibake(r):
    text = r.choice([sentence, sentence, emoji, plain])(r)
    for _ in range(r.choice([1, 1, 1, 2, 3])):
        text = misread(r, text)
    if r.random() < 0.4:
        text = r.choice([plain, sentence])(r) + r.choice([" ", "", "\n", "Ã "]) + text + r.choice(["", " ", "\n",
        " à"])
    return text


def clues(r):
    """Neighbours that look like misread text, or nearly."""
    chars = ("ÂÃÎÐØÙàáâãäåæçèéêëìíîïðñòóôõöùúûü€‚ƒ„…†‡ˆ‰Š‹Œ‘’“”•–—˜™š›œžŸ¡¢£¤¥¦§¨©ª«¬®¯°±²³´µ¶·¸¹º»¼½¾¿×÷ \u00a0\u00ad\ufffd?"
             "√∂≠≤≥π≈‚Äâóìîïвг ВГРСЂўβ€ΒΓΞΟΆāĀčđğŐŪŲ█│┐╗░абв\x80\x81\x85\x8d\x9d\x9fœŒ£℗�\n<")
    return "".join(r.choice([r.choice(chars), r.choice(chars), r.choice("aZ b.!1")]) for _ in range(r.randint(1, 14)))


def controls(r):
    return "".join(r.choice([r.choice(CONTROLS), plain(r), " "]) for _ in range(r.randint(1, 10)))


def marks(r):
    out = ""
    for _ in range(r.randint(1, 20)):
        out += r.choice("aeionuAEIOΣσςiIıİſKÅ가한ㅎㅏ'") + "".join(
            r.choice("\u0300\u0301\u0302\u0307\u0308\u030a\u0323\u0327\u0328\u0345\u0338\u1100\u1161\u11a8\u0345.,:' ")
            for _ in range(r.randint(0, 3)))
    return out


def addresses(r):
    return r.choice(["", " ", "\t", "'"]).join(r.choice(URLS + [plain(r), "'S", "'ſ", "'LL", "''ve",
            "!'re"]) for _ in range(r.randint(1, 5)))


def long(r):
    one = r.choice(["supercalifragilistic", "aaaa", "哈", "ха", "!?", "12", "😀", "&amp;amp;", "e\u0301", "Ã©",
            plain(r) + " "])
    return (one * r.randint(50, 400))[:3000]


def assigned(r):
    ends = [0x7f, 0x24f, 0x24f, 0x5ff, 0x1fff, 0x33ff, 0xffff, 0x1ffff, 0x3ffff, 0x10ffff]
    while True:
        c = r.randint(1, r.choice(ends))
        if not 0xd800 <= c < 0xe000 and unicodedata.category(chr(c)) != "Cn":
            return chr(c)


def characters(r):
    return "".join(assigned(r) for _ in range(r.randint(1, 40)))


def mixture(r):
    return r.choice(["", " ", "\n"]).join(r.choice(KINDS[:-1])(r) for _ in range(r.randint(2, 4)))


KINDS = [plain, sentence, emoji, entities, mojibake, clues, controls, marks, addresses, long, characters, mixture]


def unassigned(text):
    """How many characters of it, also of those that its references name, Python's Unicode does not know."""
    import html
    text = html.unescape(html.unescape(html.unescape(text)))
    return sum(unicodedata.category(c) == "Cn" for c in text)


def odd_captions(seed, count):
    r = random.Random(seed)
    made = []
    while len(made) < count:
        kind = KINDS[len(made) % len(KINDS)]
        caption = kind(r).replace("\0", "")
        if len(caption.encode("utf-8", "surrogatepass")) <= 16384:
            made.append((kind.__name__, caption.encode("utf-8", "replace").decode()))
    return made
