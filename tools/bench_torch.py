#!/usr/bin/env python3
"""bench_torch.py -- one piece of work in PyTorch, timed on demand: the other side of `dalle-cl bench --paced`.

    python3 tools/bench_torch.py CASE|serve [--variant V] [--threads N]

Built and warmed up, it prints {"case":...,"variant":...,"ready":true}.  Each line it then reads makes one run, or as
many as the number in it says, one after another, and is answered by {"ms":...,"runs":...}, their median.
At the end of input it prints {"peak_bytes":...}, the most memory that was resident, and ends.  While it waits
it uses no CPU.  Variant `best`, the default, times all that the case has in processes of their own and becomes
the fastest.  CASE is one of those in bench_cases.txt or of the same form.
With `serve` a line `case CASE` opens a product or a convolution instead of the present one and is answered like the
start, or by {"failed":...}; its variants are timed in this process, whose allocator keeps freed memory.
SPDX-License-Identifier: MIT
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time


def now():
    return time.perf_counter()


def say(**what):
    print(json.dumps(what), flush=True)


def peak_bytes(process="self"):
    with open(f"/proc/{process}/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM:"))


# ---- Operators ----

def gemm(variant, form, m, n, k):
    import torch
    a = torch.rand((k, m) if form == "tn" else (m, k)) * 2 - 1
    b = torch.rand((n, k) if form == "nt" else (k, n)) * 2 - 1
    a, b, c = a.t() if form == "tn" else a, b.t() if form == "nt" else b, torch.empty(m, n)
    if variant == "onednn":  # the library of its convolutions; torch.mm's, MKL, is slow on AMD's processors
        return lambda: torch.ops.mkldnn._linear_pointwise(a, b.t(), None, "none", [], "")
    return lambda: torch.mm(a, b, out=c)


def convolution(variant, direction, batch, height, width, n_in, n_out, kernel):
    import torch
    layout = torch.channels_last if variant == "channels_last" else torch.contiguous_format
    values = lambda *shape: (torch.rand(shape) * 2 - 1).contiguous(memory_format=layout)
    x, w, pad = values(batch, n_in, height, width), values(n_out, n_in, kernel, kernel), (kernel - 1) // 2
    if direction == "forward":
        return lambda: torch.nn.functional.conv2d(x, w, padding=pad)
    dy = values(batch, n_out, height, width)
    wanted = [direction == "data", direction == "weights", False]
    backward = torch.ops.aten.convolution_backward.default
    return lambda: backward(dy, x, w, None, (1, 1), (pad, pad), (1, 1), False, (0, 0), 1, wanted)


# ---- Training steps ----

def optimizer(model, rate, beta2, decay):
    import torch
    groups = [{"params": [], "weight_decay": decay}, {"params": [], "weight_decay": 0.0}]
    for name, p in model.named_parameters():
        groups[name.endswith("bias") or "norm" in name or "ln_" in name or name == "logit_scale"]["params"].append(p)
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, beta2), eps=1e-8, fused=True)


def step_of(model, loss_of, adam, clip):
    """forward, loss, backward, the gradients' norm (0 = nothing is clipped), AdamW."""
    import torch
    parameters = list(model.parameters())

    def step():
        loss_of().backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters], foreach=True)
        if clip:
            torch.nn.utils.clip_grads_with_norm_(parameters, clip, norm, foreach=True)
        adam.step()
        adam.zero_grad(set_to_none=True)
    return step


def compiled(model, variant):
    import torch
    return torch.compile(model, dynamic=False, fullgraph=True) if variant.startswith("compile") else model


def dvae(variant, sizes, batch):
    import torch
    from bench_models import Dvae, DvaeSizes
    model = Dvae(DvaeSizes(*sizes), channels_last=variant != "eager")
    pixels = torch.randint(0, 256, (batch, 3, sizes[0], sizes[0]), dtype=torch.uint8)
    call = compiled(model, variant)
    return step_of(model, lambda: call(pixels, 1.0, 6.6)[0], optimizer(model, 1e-4, 0.999, 1e-4), 0)


def prior_model(variant, sizes):
    from bench_models import Prior, PriorSizes
    return Prior(PriorSizes(*sizes), dense="dense" in variant)


def prior(variant, sizes, batch):
    import torch
    model = prior_model(variant, sizes)
    s = model.sizes
    text, image = torch.randint(0, s.vocabulary, (batch, s.text)), torch.randint(0, s.codes, (batch, s.image))
    targets, call = text[:, 1:].contiguous(), compiled(model, variant)
    return step_of(model, lambda: call(text, image, targets)[0], optimizer(model, 4.5e-4, 0.96, 4.5e-2), 4.0)


def sample(variant, sizes):
    import torch
    from bench_models import Sampler
    if variant.endswith("freeze"):
        torch._inductor.config.freezing = True
    model = prior_model(variant, sizes).requires_grad_(False)
    if "bf16" in variant:
        model = model.to(torch.bfloat16)
    sampler = Sampler(model, dense="dense" in variant, compile="compile" in variant)
    text = torch.randint(0, model.sizes.vocabulary, (1, model.sizes.text))
    return lambda: sampler.picture(text)


def clip(variant, sizes, batch):
    import torch
    from bench_clip import Clip, ClipSizes
    s = ClipSizes(*sizes)
    model = Clip(s)
    pixels = torch.randint(0, 256, (batch, s.image, s.image, 3), dtype=torch.uint8)
    text, ends = torch.randint(0, s.rows, (batch, s.text)), s.text - 1 - torch.arange(batch) % (s.text - 1)
    call = compiled(model, variant)
    return step_of(model, lambda: call(pixels, text, ends)[0], optimizer(model, 1e-4, 0.98, 0.2), 0)


def decoder_model(variant, name):
    from bench_unclip import Decoder, NetSizes, TextSizes, layout
    net, text, embedding = DECODER[name]
    return Decoder(NetSizes(3, 6, *net, context=text[2]), TextSizes(*text), embedding).to(memory_format=layout(variant))


def decoder(variant, name, batch):
    import torch
    from bench_unclip import caption, pictures
    model = decoder_model(variant, name)
    pixels, (ids, embedding) = pictures(variant, batch, 3, *[model.net.sizes.size] * 2), caption(model, batch)
    keep, call = (torch.arange(batch) % 8 < 7)[:, None], compiled(model, variant)

    def loss():
        noise = torch.randn_like(pixels, dtype=torch.float32)
        return call(pixels, torch.randint(0, model.process.steps, (batch,)), noise, ids, embedding, keep)
    return step_of(model, loss, optimizer(model, 1e-4, 0.999, 0), 0)


def picture(variant, name, count):
    """With and without the caption, side by side, by DDIM."""
    import torch
    from bench_unclip import caption, ddim, layout
    model = decoder_model(variant, name).requires_grad_(False)
    ids, embedding = (torch.cat([x, x]) for x in caption(model, 1))
    keep, net = torch.tensor([[True], [False]]), compiled(model.net, variant)

    def run():
        added, context = model.condition(ids, embedding, keep)

        def step(x, t):
            given, free = net(torch.cat([x, x]), torch.full((2,), t), added, context)[:, :3].chunk(2)
            return free + 3 * (given - free)
        noise = torch.randn(1, 3, *[model.net.sizes.size] * 2).contiguous(memory_format=layout(variant))
        return ddim(model.process, step, noise, count, False)
    return run


def upsampler_model(variant, size):
    from bench_unclip import NetSizes, Upsampler, layout
    return Upsampler(NetSizes(6, 3, size, 24, 2, (1, 2, 2, 2), (), 1, 8, 0)).to(memory_format=layout(variant))


def upsampler(variant, size, batch):
    """Trained on halves of the picture's sides."""
    import torch
    from bench_unclip import pictures
    model, pixels, low = upsampler_model(variant, size // 2), *(pictures(variant, batch, 3, size // 2, size // 2) for _ in "ab")
    call = compiled(model, variant)

    def loss():
        noise = torch.randn_like(pixels, dtype=torch.float32)
        return call(pixels, low, torch.randint(0, model.process.steps, (batch,)), noise)
    return step_of(model, loss, optimizer(model, 1e-4, 0.999, 0), 0)


def upsampled(variant, size, count):
    import torch
    from bench_unclip import ddim, pictures
    model = upsampler_model(variant, size).requires_grad_(False)
    low, net = pictures(variant, 1, 3, size, size) / 127.5 - 1, compiled(model.net, variant)

    def run():
        noise = torch.randn_like(low)
        return ddim(model.process, lambda x, t: net(torch.cat([x, low], 1), torch.full((1,), t)), noise, count, True)
    return run


def rank(variant, sizes, count):
    """A caption's and `count` pictures' features, so many pictures at a time, and their order."""
    import torch
    from bench_clip import Clip, ClipSizes
    name, _, at_once = variant.partition("-")
    s = ClipSizes(*sizes)
    model = Clip(s).requires_grad_(False).eval()
    pixels = torch.randint(0, 256, (count, s.image, s.image, 3), dtype=torch.uint8)
    text, ends = torch.randint(0, s.rows, (1, s.text)), torch.tensor([s.text - 1])
    visual, size = compiled(model.visual, name), int(at_once or 64)

    @torch.inference_mode()
    def run():
        caption = model.captions(text, ends)[0]
        pictures = torch.cat([visual(part) for part in pixels.split(size)])
        return torch.argsort(pictures @ caption, descending=True)
    return run


# ---- Cases ----

DVAE = {"paper-256": (256, 256, 4, 8192), "hid64-64": (64, 64, 3, 1024)}  # picture, channels, groups, codes
# Text tokens, picture tokens a side, vocabularies of text and picture, width, heads, layers.
PRIOR = {"512x12": (256, 32, 16384, 8192, 512, 8, 12), "256x8": (32, 16, 2048, 1024, 256, 4, 8)}
# Picture, patch; width, heads, layers of either tower; text tokens, rows of their table, dimensions.
CLIP = {"vit-b-32": (224, 32, (768, 12, 12), (512, 8, 12), 77, 49408, 512),
        "emoji": (64, 8, (160, 5, 5), (112, 4, 3), 24, 1536, 128)}
# Picture, channels, depth, multiples, sizes with attention, channels of a head, groups; text tokens, rows of their
# table, width, layers, heads; numbers of an embedding.
DECODER = {"emoji": ((32, 48, 2, (1, 2, 2), (16, 8), 32, 8), (24, 1689, 128, 3, 4), 128),
           "64x192": ((64, 192, 3, (1, 2, 3, 4), (32, 16, 8), 64, 32), (128, 8192, 512, 16, 8), 512)}
VARIANTS = {
    "gemm": ("eager", "onednn"),
    "conv": ("eager", "channels_last"),
    "dvae": ("eager", "channels_last", "compile"),  # compile: of channels_last
    "prior": ("eager", "dense", "compile", "compile_dense"),
    "clip": ("eager", "compile"),
    "decoder": ("eager", "channels_last", "compile"),
    "upsampler": ("eager", "channels_last", "compile"),
    "picture": ("eager", "channels_last", "compile"),
    "rank": ("eager-16", "eager-64", "compile-64"),  # pictures at a time
    "sample": ("eager", "dense", "compile", "compile_freeze"),
    "sample-f16": ("compile", "bf16"),  # ours stores its matrices in f16
    "start": ("eager",),
}
HEAP = "+heap"  # glibc keeps the memory that was freed, as other allocators do, instead of mapping it anew
SERVED = ("gemm", "conv")
HEAP_SETTINGS = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_TOP_PAD_": str(1 << 26)}


def parse(case):
    """The case's kind and a function of the variant that builds it and returns what runs it."""
    kind, _, rest = case.partition(":")
    if kind == "gemm" and (found := re.fullmatch(r"(nn|nt|tn):(\d+)x(\d+)x(\d+)", rest)):
        return kind, lambda variant: gemm(variant, found[1], *map(int, found.groups()[1:]))
    shape = r"(forward|data|weights):(\d+)x(\d+)x(\d+)x(\d+)->(\d+),k(\d*[13579])"
    if kind == "conv" and (found := re.fullmatch(shape, rest)):
        return kind, lambda variant: convolution(variant, found[1], *map(int, found.groups()[1:]))
    name, _, batch = rest.rpartition("-b")
    if kind == "dvae" and name in DVAE and batch.isdigit():
        return kind, lambda variant: dvae(variant, DVAE[name], int(batch))
    if kind == "prior" and name in PRIOR and batch.isdigit():
        return kind, lambda variant: prior(variant, PRIOR[name], int(batch))
    if kind == "clip" and name in CLIP and batch.isdigit():
        return kind, lambda variant: clip(variant, CLIP[name], int(batch))
    if kind == "decoder" and name in DECODER and batch.isdigit():
        return kind, lambda variant: decoder(variant, name, int(batch))
    if kind == "upsampler" and name == "emoji-64" and batch.isdigit():
        return kind, lambda variant: upsampler(variant, 64, int(batch))
    if case == "upsampler:emoji-64-picture":
        return "picture", lambda variant: upsampled(variant, 64, 27)
    if case == "picture:emoji-50":
        return kind, lambda variant: picture(variant, "emoji", 50)
    name, _, count = rest.rpartition("-n")
    if kind == "rank" and name in CLIP and count.isdigit():
        return kind, lambda variant: rank(variant, CLIP[name], int(count))
    if kind == "sample" and (name := rest.removesuffix("-f16")) in PRIOR:
        return kind + rest.removeprefix(name), lambda variant: sample(variant, PRIOR[name])
    if case == "start":
        return kind, None
    raise ValueError(f"'{case}' is no case; tools/bench_cases.txt lists some of each form")


# ---- The protocol ----

def runs_in(line):
    text = line.strip()
    if text and not (text.isdigit() and int(text) > 0):
        raise ValueError(f"expected a number of runs, or an empty line for one, not '{text}'")
    return int(text or 1)


def settle():
    """Threads wait busily for a moment after a parallel loop; return when they sleep."""
    while True:
        before = time.process_time()
        time.sleep(0.005)
        if time.process_time() - before < 0.001:
            return


def warmed(run):
    for _ in range(3):
        begin = now()
        run()
        if now() - begin > 10:  # long enough that a third adds nothing
            run()
            break
    return run


def start_torch(threads):
    import torch
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    return {"ready": True, "torch": torch.__version__, "threads": torch.get_num_threads()}


def answer(run, line, **more):
    times = []
    for _ in range(runs_in(line)):
        begin = now()
        run()
        times.append(1e3 * (now() - begin))
    settle()
    say(ms=statistics.median(times), runs=len(times), **more)


def pace(case, variant, threads):
    known = start_torch(threads)
    run = warmed(parse(case)[1](variant.removesuffix(HEAP)))
    settle()
    say(case=case, variant=variant, **known)
    tokens = {"tokens": PRIOR[case.partition(":")[2].removesuffix("-f16")][1] ** 2} if case.startswith("sample") else {}
    for line in sys.stdin:
        answer(run, line, **tokens)
    say(peak_bytes=peak_bytes())


def fastest(case, variant):
    """The fastest variant's name and what runs it: the least of some runs of each, in turns."""
    kind, build = parse(case)
    if kind not in SERVED:
        raise ValueError(f"'{case}' needs a process of its own; served are products and convolutions")
    names = VARIANTS[kind] if variant == "best" else (wanted(case, VARIANTS[kind], variant),)
    runs, times = {name: warmed(build(name)) for name in names}, dict.fromkeys(names, float("inf"))
    begin, rounds = now(), 0
    while len(names) > 1 and (rounds < 2 or now() - begin < 0.2):
        rounds += 1
        for name, run in runs.items():
            for _ in range(2):  # the second finds its operands in the caches
                before = now()
                run()
                times[name] = min(times[name], now() - before)
    best = min(times, key=times.get)
    return best, runs[best]


def serve(variant, threads):
    known, run = start_torch(threads), None
    for line in sys.stdin:
        word, space, case = line.rstrip("\r\n").partition(" ")
        if word == "case" and space:
            run = None  # its memory, before the next is built
            try:
                name, run = fastest(case, variant)
                settle()
                say(case=case, variant=name + HEAP, **known)
            except (ValueError, RuntimeError, MemoryError) as e:
                say(failed=str(e))
        elif run is None:
            raise ValueError("a line 'case CASE' must come before runs")
        else:
            answer(run, line)
    say(peak_bytes=peak_bytes())


# What a fresh process does: how long the import took, the most memory, the version.
IMPORT = """
import time
begin = time.perf_counter()
import torch
taken = time.perf_counter() - begin
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(taken, peak, torch.__version__)
"""


def pace_start():
    def run():
        output = subprocess.run([sys.executable, "-c", IMPORT], stdout=subprocess.PIPE, text=True, check=True).stdout
        taken, peak, version = output.split()
        return 1e3 * float(taken), 1024 * int(peak), version
    most, version = max(run() for _ in range(2))[1:]
    say(case="start", variant="eager", ready=True, torch=version)
    for line in sys.stdin:
        found = [run() for _ in range(runs_in(line))]
        most = max(most, *(peak for _, peak, _ in found))
        say(ms=statistics.median(ms for ms, _, _ in found), runs=len(found))
    say(peak_bytes=most)


# ---- The fastest variant ----

def command(case, variant, threads):
    return [sys.executable, os.path.abspath(__file__), case, "--variant", variant, "--threads", str(threads)]


def trial(case, variant, threads):
    """Least ms of a few runs in a process of its own, so that other work disturbs least; infinite if it fails."""
    p = subprocess.Popen(command(case, variant, threads), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if not p.stdout.readline():
            raise OSError("it ended before it was ready")
        times, begin, count = [], now(), 1
        while len(times) < 3 or len(times) < 8 and now() - begin < 2:
            p.stdin.write(f"{count}\n")
            p.stdin.flush()
            times.append(json.loads(p.stdout.readline())["ms"])
            count = max(1, min(1000, int(100 / times[-1])))
        taken = min(times[1:])
        p.communicate()
        print(f"bench_torch: {case}: {variant} {taken:.4g} ms", file=sys.stderr)
        return taken
    except (ValueError, KeyError, OSError) as e:
        print(f"bench_torch: {case}: {variant} failed: {e}", file=sys.stderr)
        return float("inf")
    finally:
        p.kill()
        p.wait()


def become_best(case, threads):
    kind = parse(case)[0]
    times = {v: trial(case, v, threads) for v in VARIANTS[kind]}
    fastest = min(times, key=times.get)
    times[fastest + HEAP] = trial(case, fastest + HEAP, threads)
    fastest = min(times, key=times.get)
    if times[fastest] == float("inf"):
        sys.exit(f"{case}: no variant works")
    os.execv(sys.executable, command(case, fastest, threads))


def wanted(case, names, variant):
    """Without HEAP."""
    name = variant.removesuffix(HEAP)
    if name not in names:
        raise ValueError(f"'{case}' has no variant '{variant}'; it has {', '.join(names)}, each also with {HEAP}, and best")
    return name


def keep_freed_memory():
    """The allocator's settings are read when a process starts."""
    if any(os.environ.get(k) != v for k, v in HEAP_SETTINGS.items()):
        os.environ.update(HEAP_SETTINGS)
        os.execv(sys.executable, [sys.executable, *sys.argv])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("case", help="or serve")
    parser.add_argument("--variant", default="best")
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    try:
        if a.case == "serve":
            keep_freed_memory()
            serve(a.variant, a.threads)
            return
        names = VARIANTS[parse(a.case)[0]]
        if a.variant != "best":
            wanted(a.case, names, a.variant)
        if a.case == "start":
            pace_start()
        elif a.variant == "best" and len(names) > 1:
            become_best(a.case, a.threads)
        else:
            if a.variant.endswith(HEAP):
                keep_freed_memory()
            pace(a.case, "eager" if a.variant == "best" else a.variant, a.threads)
    except ValueError as e:
        parser.error(str(e))


if __name__ == "__main__":
    main()
