#!/usr/bin/env python3
"""bench_pairs.py -- two programs on the same work, run in turns: ours, theirs, ours, theirs ...

    python3 tools/bench_pairs.py --ours "build/dalle-cl bench --paced --case {case}" \\
        --theirs "python3 tools/bench_torch.py {case}" --list tools/bench_cases.txt

Both sides speak the protocol that bench_torch.py describes.  Products and convolutions may be served by one
process a side, --ours-serve and --theirs-serve, other cases have a fresh one each.  A turn is one run, or of
short work as many as take a moment.  Printed, and left in --output with every single time: medians, the median
of the ratios theirs/ours of the pairs and its spread, peak memory of fresh processes.  --write FILE puts the
tables between the two marker comments of that page.  Exit 1 if a side of a case failed.
SPDX-License-Identifier: MIT
"""
import argparse
import collections
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
import tempfile
import threading
import time

from bench_tables import disturbed, heading, milliseconds, ratios_of, read_report, tables, variants_of, write_page

MOST_PAIRS = 1000

# Of a case: ms that a turn of short work lasts, seconds between turns, least seconds of all turns.
Pace = collections.namedtuple("Pace", "turn pause seconds")
FRESH, SERVED = Pace(100.0, 0.5, 5.0), Pace(50.0, 0.02, 1.5)
SERVED_CASES = ("gemm:", "conv:")
SERVED_LIMIT = 300.0  # seconds to wait for an answer: one case that hangs should not hold up the others


class Failed(Exception):
    """A side did not do its part; the text says how."""


class Refused(Failed):
    """It could not open a case, and can go on to another."""


# ---- One side ----

class Side:
    def __init__(self, words, log, pause, limit):
        self.log, self.pause, self.limit, self.lines = log, pause, limit, queue.Queue()
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
            if "failed" in found:
                raise Refused(str(found["failed"]))
        except (ValueError, TypeError):
            pass
        raise Failed(f"answered '{line.strip()[:80]}' where \"{key}\" was expected")

    def ask(self, line):
        try:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it has ended: the answer says so

    def ready(self):
        return self.answer("ready", self.limit)

    def change(self, case):
        self.ask(f"case {case}")
        return self.ready()

    def run(self, count):
        """Ms of one of `count` runs; a side that makes one run a line, whatever the line says, is asked again."""
        total = made = 0
        time.sleep(self.pause)
        while made < count:
            self.ask(count - made)
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


class Servers:
    """The processes that serve case after case, by side."""
    def __init__(self, a, folder):
        self.commands = {"ours": a.ours_serve, "theirs": a.theirs_serve}
        self.folder, self.limit, self.sides = folder, min(a.limit, SERVED_LIMIT), {}

    def take(self, case):
        return case.startswith(SERVED_CASES) and all(self.commands.values())

    def side(self, name):
        if name not in self.sides:
            log = os.path.join(self.folder, f"serve.{name}.log")
            self.sides[name] = Side(shlex.split(self.commands[name]), log, SERVED.pause, self.limit)
        return self.sides[name]

    def stop(self, names=("ours", "theirs")):
        for name in names:
            if name in self.sides:
                self.sides.pop(name).stop()


# ---- One case ----

def measure(case, a, folder, servers):
    """What is known of the case: for each side its times or its failure."""
    result = {"case": case, "began": time.strftime("%Y-%m-%dT%H:%M:%S"), "ours": {"times": []}, "theirs": {"times": []}}
    if servers.take(case):
        measure_served(result, a, servers)
    else:
        servers.stop()  # their memory may be wanted
        measure_fresh(result, a, os.path.join(folder, re.sub(r"[^A-Za-z0-9]+", "-", case)))
    return summarise(result)


def measure_served(result, a, servers):
    sides = {}

    def change(name):
        sides[name] = servers.side(name)
        result[name].update(sides[name].change(result["case"]))

    for name in ("ours", "theirs"):
        attempt(result[name], lambda: change(name))
    turns(sides, result, a, SERVED)
    servers.stop([n for n in sides if "failed" in result[n] and not result[n].get("refused")])


def measure_fresh(result, a, stem):
    sides = {}

    def start(name, template):
        given = {"{case}": result["case"], "{variant}": a.variants.get(result["case"], "best")}
        words = [re.sub("|".join(given), lambda m: given[m[0]], w) for w in shlex.split(template)]
        sides[name] = Side(words, f"{stem}.{name}.log", FRESH.pause, a.limit)
        result[name].update(sides[name].ready())

    try:
        # One after the other, for a side may choose among variants by timing them.
        attempt(result["ours"], lambda: start("ours", a.ours))
        attempt(result["theirs"], lambda: start("theirs", a.theirs))
        turns(sides, result, a, FRESH)
        for name, side in sides.items():
            if "failed" not in result[name]:
                attempt(result[name], lambda: result[name].update(peak_bytes=side.finish()))
    finally:
        for side in sides.values():
            side.stop()


def attempt(record, action):
    try:
        action()
    except (Failed, subprocess.TimeoutExpired, OSError) as e:
        record.update(failed=str(e), refused=isinstance(e, Refused))


def cpu_seconds(process):
    """Of a process and those it has waited for."""
    with open(f"/proc/{process}/stat") as f:
        return sum(map(int, f.read().rpartition(")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")


def cpu_elsewhere(sides):
    """Of all the machine but the sides and this program; NaN when one has ended."""
    try:
        with open("/proc/stat") as f:
            everything = sum(map(int, f.readline().split()[1:4])) / os.sysconf("SC_CLK_TCK")
        return everything - sum(cpu_seconds(p) for p in ("self", *(s.process.pid for s in sides.values())))
    except OSError:
        return math.nan


def turns(sides, result, a, pace):
    """A side whose partner failed is timed all the same."""
    def working():
        return [n for n in ("ours", "theirs") if "failed" not in result[n]]

    def count(name):
        """Runs a turn; one run that does not count, and of short work a turn of them, says how long a run is."""
        runs = lambda ms: max(1, min(1000, round(pace.turn / ms)))
        first = runs(sides[name].run(1))
        result[name]["runs_a_turn"] = runs(sides[name].run(first)) if first > 1 else 1

    for name in working():
        attempt(result[name], lambda: count(name))
    begin, seconds = time.monotonic(), pace.seconds if a.seconds is None else a.seconds
    elsewhere = cpu_elsewhere(sides)
    for pair in range(MOST_PAIRS):
        taken = time.monotonic() - begin
        if not working() or pair >= a.pairs and taken >= seconds:
            share = (cpu_elsewhere(sides) - elsewhere) / max(taken, 1e-3)
            result["elsewhere"] = max(0.0, share) if share == share else None
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
    result.update(pairs=len(ratios), ratio=statistics.median(ratios), least=min(ratios), most=max(ratios))
    if "peak_bytes" in ours and "peak_bytes" in theirs:
        result["memory_ratio"] = ours["peak_bytes"] / theirs["peak_bytes"]
    return result


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


def read_list(path):
    with open(path) as f:
        return [case for line in f if (case := line.split("#")[0].strip())]


def one_line(r, earlier):
    if "ratio" not in r:
        return f"{r['case']}: " + "; ".join(f"{s} failed: {r[s]['failed']}" for s in ("ours", "theirs") if "failed" in r[s])
    return (f"{r['case']}: ours {milliseconds(r['ours']['median_ms'])} ms, theirs {milliseconds(r['theirs']['median_ms'])} ms"
            f" ({r['theirs'].get('variant', '-')}): {r['ratio']:.2f} ({r['least']:.2f}-{r['most']:.2f}, {r['pairs']} pairs)"
            + (f", other work took {r['elsewhere']:.0%} of a core" if disturbed(r) else "")
            + (f", memory {r['memory_ratio']:.2f}" if "memory_ratio" in r else "")
            + (f", earlier {earlier[r['case']]:.2f}" if r["case"] in earlier else ""))


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--ours", help="the command, with {case} in it")
    p.add_argument("--theirs", help="the other's command, likewise; {variant} in it: best, or --against's choice")
    p.add_argument("--ours-serve", metavar="COMMAND", help="serves products and convolutions, one after the other")
    p.add_argument("--theirs-serve", metavar="COMMAND", help="likewise")
    p.add_argument("--list", help="a file of cases, one a line, # before comments")
    p.add_argument("--case", action="append", default=[],
                   help="only this one, or with * or ? in it, those of the list that match; may be repeated")
    p.add_argument("--pairs", type=int, default=5, help="at least so many pairs (5)")
    p.add_argument("--seconds", type=float, help=f"and for at least so long ({FRESH.seconds:g}; served: {SERVED.seconds:g})")
    p.add_argument("--limit", type=float, default=3600, help="seconds to wait for an answer (3600)")
    p.add_argument("--output", default="build/bench/compare.json")
    p.add_argument("--resume", action="store_true", help="keep what --output has of this commit, measured undisturbed")
    p.add_argument("--against", metavar="JSON",
                   help="an earlier run's --output, shown beside; its fastest variants of steps and drawings are taken")
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
    try:  # now rather than after the first case
        os.makedirs(folder, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as e:
        sys.exit(f"cannot write '{a.output}': {e.strerror}")
    against = read_report(a.against) if a.against else None
    a.variants = variants_of(against)
    report = {"began": time.strftime("%Y-%m-%d %H:%M"), "machine": machine(), "load": os.getloadavg()[0],
              "commit": said_by("git", "describe", "--always", "--dirty"), "ours": a.ours, "theirs": a.theirs, "cases": []}
    wanted = a.cases
    if a.resume and os.path.exists(a.output):
        found = read_report(a.output)
        if found["commit"] == report["commit"]:
            good = [r["case"] for r in found["cases"] if "ratio" in r and not disturbed(r)]
            wanted = [c for c in a.cases if c not in good]
            report = {**found, "cases": [r for r in found["cases"] if r["case"] not in wanted]}
        else:
            print(f"{a.output} is of commit {found['commit']}: all is measured anew", file=sys.stderr)
    if wanted and os.getloadavg()[0] > 0.5:
        print(f"other work runs on this machine (load {os.getloadavg()[0]:.2f}): the figures will not be worth much",
              file=sys.stderr)
    measure_all(wanted, a, folder, report, ratios_of(against))
    if a.write:
        write_page(a.write, tables(report, against))
    sys.exit(1 if any("ratio" not in r for r in report["cases"]) else 0)


def measure_all(cases, a, folder, report, earlier):
    servers, place = Servers(a, folder), {c: n for n, c in enumerate(a.cases)}
    try:
        for number, case in enumerate(cases):
            print(f"[{number + 1}/{len(cases)}] ", end="", flush=True)
            result = measure(case, a, folder, servers)
            print(one_line(result, earlier), flush=True)
            report["cases"].append(result)
            report["cases"].sort(key=lambda r: place.get(r["case"], len(place)))
            report["heading"] = heading(report)
            with open(a.output + ".part", "w") as f:
                json.dump(report, f, indent=1)
            os.replace(a.output + ".part", a.output)
    finally:
        servers.stop()


if __name__ == "__main__":
    main()
