"""bench_tables.py -- what bench_pairs.py measured, as tables of a page.
SPDX-License-Identifier: MIT
"""
import json
import math
import re
import statistics
import sys

BEGIN, END = "<!-- compare-torch: begin, written by ci/dev bench --compare-torch --write -->", "<!-- compare-torch: end -->"


# ---- Reports ----

def ratios_of(report):
    return {r["case"]: r["ratio"] for r in report["cases"] if "ratio" in r} if report else {}


def variants_of(report):
    """The other side's way that was the fastest, of every case that has several."""
    return {r["case"]: r["theirs"]["variant"] for r in report["cases"] if "variant" in r["theirs"]} if report else {}


def disturbed(r):
    """Other work took more than a twentieth of a core: waiting threads of PyTorch spin, and suffer most."""
    return (r.get("elsewhere") or 0) > 0.05


def read_report(path):
    try:
        with open(path) as f:
            report = json.load(f)
        _ = ratios_of(report), report["heading"], report["commit"]  # what will be read
        return report
    except OSError as e:
        sys.exit(f"cannot read '{path}': {e.strerror}")
    except (ValueError, KeyError, TypeError):
        sys.exit(f"{path}: not what an earlier run left in --output")


def heading(report):
    """What was measured on what; the sides say it when they are ready."""
    def of(side, key):
        return sorted({str(r[side][key]) for r in report["cases"] if key in r[side]})
    parts = [f"{report['machine']}; {report['began']}"]
    for what, values in (("commit", [report["commit"]] if report["commit"] else []), ("device", of("ours", "device")),
                         ("driver", of("ours", "driver")), ("PyTorch", of("theirs", "torch")), ("threads", of("theirs", "threads"))):
        if values:
            parts.append(f"{what} {', '.join(values)}")
    found = sum(map(disturbed, report["cases"]))
    return "; ".join(parts) + f".  Load before: {report['load']:.2f}." + (
        f"  Other work disturbed {found} case{'s' * (found > 1)}, marked with *." if found else "")


# ---- Tables ----

def flops(case):
    """Of a product or a convolution."""
    kind, _, shape = case.partition(":")
    n = [int(x) for x in re.findall(r"\d+", shape)]
    if kind == "gemm" and len(n) == 3:
        return 2 * n[0] * n[1] * n[2]
    if kind == "conv" and len(n) == 6:
        return 2 * math.prod(n[:5]) * n[5] ** 2
    return 0


def milliseconds(x):
    return f"{x:.3g}" if x < 1000 else f"{x:,.0f}"


def geometric_mean(numbers):
    return math.exp(statistics.fmean(math.log(x) for x in numbers))


# A table each, by what a case's name matches; the kinds have lines of their own in the summary.
GROUPS = (("Matrix products", "gemm:", ("nn", "nt", "tn")),
          ("Convolutions, kernels of 1x1", "conv:.*,k1$", ("forward", "data", "weights")),
          ("Convolutions, larger kernels", "conv:", ("forward", "data", "weights")),
          ("Training steps", "dvae:|prior:|clip:", ()), ("Drawing", "sample:", ()), ("Ranking", "rank:", ()),
          ("Starting", "start$", ()), ("Other", "", ()))


def grouped(cases):
    left = cases
    for title, pattern, kinds in GROUPS:
        found = [r for r in left if re.match(pattern, r["case"])]
        left = [r for r in left if r not in found]
        if found:
            yield title, found, {k: [r for r in found if f":{k}:" in r["case"]] for k in kinds}


def table(columns, rows):
    """Markdown; a column that starts with < is text, others are numbers."""
    return ["| " + " | ".join(c.lstrip("<") for c in columns) + " |",
            "|" + "|".join("---" if c[0] == "<" else "--:" for c in columns) + "|",
            *("| " + " | ".join(r) + " |" for r in rows), ""]


def summary(report, earlier):
    """A line a group, then one a kind in it."""
    def line(title, cases):
        done = [r for r in cases if "ratio" in r]
        before = [earlier[r["case"]] for r in done if r["case"] in earlier]
        if not done:
            return [title, f"{len(cases)} failed", *["-"] * (5 if earlier else 4)]
        least = min(done, key=lambda r: r["ratio"])
        return [title, f"{len(done)}" + (f", {len(cases) - len(done)} failed" if len(done) < len(cases) else ""),
                f"**{geometric_mean(r['ratio'] for r in done):.2f}**",
                *([f"{geometric_mean(before):.2f}" + f" of {len(before)}" * (len(before) < len(done)) if before else "-"]
                  if earlier else []),
                f"{least['ratio']:.2f} (`{least['case']}`)", *(str(sum(r["ratio"] < x for r in done)) for x in (1.0, 0.85))]

    rows = []
    for title, found, kinds in grouped(report["cases"]):
        rows += [line(title, found)] + [line(f"- {k}", cases) for k, cases in kinds.items() if cases]
    return table(["<cases", "number", "geometric mean", *(["earlier"] if earlier else []), "least", "below 1.0", "below 0.85"],
                 rows)


def row(r, earlier, memory):
    """The cells: case, time of both, speed, the earlier run's, spread, memory of both, its ratio, how both did it."""
    def time_of(side):
        if "median_ms" not in side:
            return "failed"
        work = flops(r["case"])
        return milliseconds(side["median_ms"]) + (f" ({work / side['median_ms'] * 1e-6:.0f})" if work else "")

    def memory_of(side):
        return f"{side['peak_bytes'] / 2 ** 20:,.0f}" if "peak_bytes" in side else "-"

    done = "ratio" in r
    cells = [f"`{r['case']}`" + " \\*" * disturbed(r), time_of(r["ours"]), time_of(r["theirs"]), f"**{r['ratio']:.2f}**" if done else "-"]
    if earlier:
        cells.append(f"{earlier[r['case']]:.2f}" if r["case"] in earlier else "-")
    cells.append(f"{r['least']:.2f}-{r['most']:.2f}" if done else "-")
    if memory:
        cells += [memory_of(r["ours"]), memory_of(r["theirs"]), f"{r['memory_ratio']:.2f}" if "memory_ratio" in r else "-"]
    return cells + [r["ours"].get("provider") or "-", r["theirs"].get("variant", "-")]


def tables(report, against):
    earlier = ratios_of(against)
    out = [report["heading"], ""]
    if against:
        out += [f"Earlier: {against['heading']}", ""]
    out += summary(report, earlier)
    for title, found, _ in grouped(report["cases"]):
        unit = "ms (GFLOP/s)" if flops(found[0]["case"]) else "ms"
        memory = any("peak_bytes" in r[side] for r in found for side in ("ours", "theirs"))
        out += [f"### {title}", ""]
        out += table(["<case", f"ours, {unit}", f"PyTorch, {unit}", "speed, ours / PyTorch's", *(["earlier"] if earlier else []), "spread",
                      *(["ours, MiB", "PyTorch, MiB", "memory, ours / PyTorch's"] if memory else []),
                      "<provider", "<variant"], [row(r, earlier, memory) for r in found])
        failures = [f"- `{r['case']}`, {who}: {r[side]['failed']}" for r in found
                    for side, who in (("ours", "ours"), ("theirs", "PyTorch")) if "failed" in r[side]]
        out += failures + [""] if failures else []
    return "\n".join(out)


def write_page(path, text):
    with open(path, encoding="utf-8") as f:
        page = f.read()
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        sys.exit(f"{path}: needs the lines '{BEGIN}' and '{END}', once each and in this order")
    head, tail = page[:page.index(BEGIN)], page[page.index(END):]
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"{head}{BEGIN}\n{text}\n{tail}")
