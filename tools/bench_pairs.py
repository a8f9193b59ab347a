#!/usr/bin/env python3
"""bench_pairs.py -- two programs on the same work, run in turns: ours, theirs, ours, theirs ...

    python3 tools/bench_pairs.py --ours "build/dalle-cl bench --paced --case {case}" \\
        --theirs "python3 tools/bench_torch.py {case}" --list tools/bench_cases.txt

Both sides speak the protocol that bench_torch.py describes.  A turn is one run, or of short work as many
as take a tenth of a second.  Printed, and left in --output with every single time: medians, the median of
the ratios theirs/ours of the pairs and its spread, peak memory.  --write FILE puts the tables between the
two marker comments of that page.  Exit 1 if a side of a case failed.
SPDX-License-Identifier: MIT
"""
import argparse
import fnmatch
import json
import math
import os
import queue
import re
import shlex
import signal
import statistics
import subprocess
import sys
import threading
import time

BEGIN, END = "<!-- compare-torch: begin, written by ci/dev bench --compare-torch --write -->", "<!-- compare-torch: end -->"
TURN = 100.0  # ms that a turn of short work lasts
PAUSE = 0.5  # seconds between turns: threads of the other side may spin for a while before they sleep
MOST_PAIRS = 1000


class Failed(Exception):
    """A side did not do its part; the text says how."""


# ---- One side ----

class Side:
    def __init__(self, template, case, log, limit):
        self.log, self.limit, self.lines = log, limit, queue.Queue()
        words = [w.replace("{case}", case) for w in shlex.split(template)]
        try:
            with open(log, "wb") as errors:
                self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                                                start_new_session=True)
        except OSError as e:
            raise Failed(f"cannot start '{words[0]}': {e.strerror}") from e
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def last_words(self):
        with open(self.log, errors="replace") as f:
            said = [line.strip() for line in f if line.strip()]
        return said[-1] if said else "it said nothing"

    def answer(self, key, limit):
        """The next line, which must have `key`."""
        try:
            line = self.lines.get(timeout=limit)
        except queue.Empty:
            raise Failed(f"no answer within {limit:.0f} s") from None
        if line is None:
            code = self.process.wait()
            raise Failed(f"ended with status {code} before \"{key}\": {self.last_words()}")
        try:
            found = json.loads(line)
            if key in found:
                return found
        except (ValueError, TypeError):
            pass
        raise Failed(f"answered '{line.strip()[:80]}' where \"{key}\" was expected")

    def ready(self):
        return self.answer("ready", self.limit)

    def run(self, count):
        """Mean ms of `count` runs; a side that makes one run a line, whatever the line says, is asked again."""
        total = made = 0
        time.sleep(PAUSE)
        while made < count:
            try:
                self.process.stdin.write(f"{count - made}\n")
                self.process.stdin.flush()
            except OSError:
                pass  # it has ended: the answer says so
            found = self.answer("ms", self.limit)
            ms, runs = found["ms"], found.get("runs", 1)
            if type(ms) not in (int, float) or not 0 < ms < math.inf or runs not in (1, count - made):
                raise Failed(f"answered {ms} ms of {runs} runs, asked for {count - made}")
            total += ms * runs
            made += runs
        return total / count

    def finish(self):
        """Peak bytes."""
        self.process.stdin.close()
        peak = self.answer("peak_bytes", self.limit)["peak_bytes"]
        code = self.process.wait(timeout=self.limit)
        if code:
            raise Failed(f"ended with status {code}: {self.last_words()}")
        return peak

    def stop(self):
        """Ends it and what it started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


# ---- One case ----

def measure(case, a, folder):
    """What is known of the case: for each side its times or its failure."""
    stem = os.path.join(folder, re.sub(r"[^A-Za-z0-9]+", "-", case))
    result = {"case": case, "began": time.strftime("%Y-%m-%dT%H:%M:%S"), "ours": {"times": []}, "theirs": {"times": []}}
    sides = {}

    def start(name, template):
        sides[name] = Side(template, case, f"{stem}.{name}.log", a.limit)
        result[name].update(sides[name].ready())

    try:
        # One after the other, for a side may choose among variants by timing them.
        attempt(result["ours"], lambda: start("ours", a.ours))
        attempt(result["theirs"], lambda: start("theirs", a.theirs))
        turns(sides, result, a)
        for name, side in sides.items():
            if "failed" not in result[name]:
                attempt(result[name], lambda: result[name].update(peak_bytes=side.finish()))
    finally:
        for side in sides.values():
            side.stop()
    return summarise(result)


def attempt(record, action):
    try:
        action()
    except (Failed, subprocess.TimeoutExpired, OSError) as e:
        record["failed"] = str(e)


def turns(sides, result, a):
    """A side whose partner failed is timed all the same."""
    def working():
        return [n for n in ("ours", "theirs") if "failed" not in result[n]]

    for name in working():  # one run that does not count says how long a run is
        attempt(result[name], lambda: result[name].update(runs_a_turn=max(1, min(1000, round(TURN / sides[name].run(1))))))
    begin = time.monotonic()
    for pair in range(MOST_PAIRS):
        if not working() or pair >= a.pairs and time.monotonic() - begin >= a.seconds:
            return
        for name in working():
            attempt(result[name], lambda: result[name]["times"].append(sides[name].run(result[name]["runs_a_turn"])))


def summarise(result):
    ours, theirs = result["ours"], result["theirs"]
    for side in (ours, theirs):
        if side["times"]:
            side["median_ms"] = statistics.median(side["times"])
    if "failed" in ours or "failed" in theirs:
        return result
    ratios = [t / o for o, t in zip(ours["times"], theirs["times"])]
    result.update(pairs=len(ratios), ratio=statistics.median(ratios), least=min(ratios), most=max(ratios),
                  memory_ratio=ours["peak_bytes"] / theirs["peak_bytes"])
    return result


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


def row(r):
    """The cells: case, time of both, speed, spread, memory of both, its ratio, how both did it."""
    def time_of(side):
        if "failed" in side:
            return "failed"
        work = flops(r["case"])
        return milliseconds(side["median_ms"]) + (f" ({work / side['median_ms'] * 1e-6:.0f})" if work else "")

    def memory_of(side):
        return f"{side['peak_bytes'] / 2 ** 20:,.0f}" if "peak_bytes" in side else "-"

    speed = f"**{r['ratio']:.2f}**" if "ratio" in r else "-"
    spread = f"{r['least']:.2f}-{r['most']:.2f}" if "ratio" in r else "-"
    memory = f"{r['memory_ratio']:.2f}" if "ratio" in r else "-"
    return [f"`{r['case']}`", time_of(r["ours"]), time_of(r["theirs"]), speed, spread, memory_of(r["ours"]),
            memory_of(r["theirs"]), memory, r["ours"].get("provider") or "-", r["theirs"].get("variant", "-")]


def mean_line(title, found):
    ratios = [r["ratio"] for r in found if "ratio" in r]
    if len(ratios) < 2:
        return []
    mean = math.exp(statistics.fmean(math.log(x) for x in ratios))
    worst = min((r for r in found if "ratio" in r), key=lambda r: r["ratio"])
    failed = len(found) - len(ratios)
    return [f"{len(ratios)} {title}: geometric mean {mean:.2f} times PyTorch's speed, least {worst['ratio']:.2f} "
            f"(`{worst['case']}`)" + (f"; {failed} failed." if failed else "."), ""]


GROUPS = (("Matrix products", "gemm:"), ("Convolutions", "conv:"), ("Training steps", ("dvae:", "prior:")),
          ("Drawing", "sample:"), ("Starting", "start"), ("Other", ""))


def tables(report):
    out, left = [report["heading"], ""], report["cases"]
    for title, prefix in GROUPS:
        found = [r for r in left if r["case"].startswith(prefix)]
        left = [r for r in left if not r["case"].startswith(prefix)]
        if not found:
            continue
        unit = "ms (GFLOP/s)" if flops(found[0]["case"]) else "ms"
        out += [f"### {title}", ""] + mean_line(title.lower(), found)
        out += [f"| case | ours, {unit} | PyTorch, {unit} | speed, ours / PyTorch's | spread | ours, MiB | PyTorch, MiB "
                "| memory, ours / PyTorch's | our provider | PyTorch's variant |", "|---|--:|--:|--:|--:|--:|--:|--:|---|---|"]
        out += ["| " + " | ".join(row(r)) + " |" for r in found] + [""]
        for r in found:
            out += [f"- `{r['case']}`, {who}: {r[side]['failed']}" for side, who in (("ours", "ours"), ("theirs", "PyTorch"))
                    if "failed" in r[side]]
        if out[-1]:
            out.append("")
    return "\n".join(out)


def write_page(path, text):
    with open(path, encoding="utf-8") as f:
        page = f.read()
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        sys.exit(f"{path}: needs the lines '{BEGIN}' and '{END}', once each and in this order")
    head, tail = page[:page.index(BEGIN)], page[page.index(END):]
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"{head}{BEGIN}\n{text}\n{tail}")


# ---- The run ----

def said_by(*words):
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine():
    with open("/proc/cpuinfo") as f:
        names = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
    return f"{names[0] if names else os.uname().machine}, {len(os.sched_getaffinity(0))} cores"


def heading(report):
    """What was measured on what; the sides say it when they are ready."""
    def of(side, key):
        return sorted({str(r[side][key]) for r in report["cases"] if key in r[side]})
    parts = [f"{report['machine']}; {report['began']}"]
    for what, values in (("commit", [report["commit"]] if report["commit"] else []), ("device", of("ours", "device")),
                         ("driver", of("ours", "driver")), ("PyTorch", of("theirs", "torch")), ("threads", of("theirs", "threads"))):
        if values:
            parts.append(f"{what} {', '.join(values)}")
    return "; ".join(parts) + f".  Load before: {report['load']:.2f}."


def read_list(path):
    with open(path) as f:
        return [case for line in f if (case := line.split("#")[0].strip())]


def one_line(r):
    if "ratio" not in r:
        return f"{r['case']}: " + "; ".join(f"{s} failed: {r[s]['failed']}" for s in ("ours", "theirs") if "failed" in r[s])
    return (f"{r['case']}: ours {milliseconds(r['ours']['median_ms'])} ms, theirs {milliseconds(r['theirs']['median_ms'])} ms"
            f" ({r['theirs'].get('variant', '-')}): {r['ratio']:.2f} ({r['least']:.2f}-{r['most']:.2f}, {r['pairs']} pairs),"
            f" memory {r['memory_ratio']:.2f}")


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--ours", help="the command, with {case} in it")
    p.add_argument("--theirs", help="the other's command, likewise")
    p.add_argument("--list", help="a file of cases, one a line, # before comments")
    p.add_argument("--case", action="append", default=[],
                   help="only this one, or with * or ? in it, those of the list that match; may be repeated")
    p.add_argument("--pairs", type=int, default=5, help="at least so many pairs (5)")
    p.add_argument("--seconds", type=float, default=5, help="and for at least so long (5)")
    p.add_argument("--limit", type=float, default=3600, help="seconds to wait for an answer (3600)")
    p.add_argument("--output", default="build/bench/compare.json")
    p.add_argument("--write", metavar="PAGE", help="put the tables into this page")
    p.add_argument("--show", action="store_true", help="name the cases and end")
    a = p.parse_args()
    listed = read_list(a.list) if a.list else []
    a.cases = [] if a.case else listed
    for wanted in a.case:
        found = fnmatch.filter(listed, wanted) if re.search(r"[*?]", wanted) else [wanted]
        if not found:
            p.error(f"no case of {a.list or 'the list, which --list would name,'} matches '{wanted}'")
        a.cases += [c for c in found if c not in a.cases]
    if not a.cases:
        p.error("no case: --case or --list is needed")
    if not a.show and not (a.ours and a.theirs):
        p.error("--ours and --theirs are needed")
    if a.pairs < 1 or a.limit <= 0:
        p.error("--pairs and --limit must be more than 0")
    return a


def main():
    a = arguments()
    if a.show:
        print("\n".join(a.cases))
        return
    folder = os.path.dirname(os.path.abspath(a.output))
    os.makedirs(folder, exist_ok=True)
    report = {"began": time.strftime("%Y-%m-%d %H:%M"), "machine": machine(), "load": os.getloadavg()[0],
              "commit": said_by("git", "describe", "--always", "--dirty"), "ours": a.ours, "theirs": a.theirs, "cases": []}
    if report["load"] > 0.5:
        print(f"other work runs on this machine (load {report['load']:.2f}): the figures will not be worth much", file=sys.stderr)
    for number, case in enumerate(a.cases):
        print(f"[{number + 1}/{len(a.cases)}] ", end="", flush=True)
        report["cases"].append(measure(case, a, folder))
        print(one_line(report["cases"][-1]), flush=True)
        report["heading"] = heading(report)
        with open(a.output, "w") as f:
            json.dump(report, f, indent=1)
    if a.write:
        write_page(a.write, tables(report))
    sys.exit(1 if any("ratio" not in r for r in report["cases"]) else 0)


if __name__ == "__main__":
    main()
