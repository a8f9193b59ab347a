# bench.sh -- the comparison with PyTorch on this machine's CPU.  Read by ci/dev, in the repository's root;
# `need` and `build` are there.
#   TORCH       what pip installs: "torch==2.15.0"
#   TORCH_VENV  a Python environment that has it already, instead of build/torch
#   THREADS     of both sides: 2
# SPDX-License-Identifier: MIT

TORCH=${TORCH:-torch==2.15.0}
THREADS=${THREADS:-2}

# PyTorch in an environment of its own; with its libraries for GPUs, as published, some 5 GB.
install_torch() {
    if [ -n "${TORCH_VENV:-}" ]; then
        "$TORCH_VENV/bin/python" -c 'import torch' || { echo "TORCH_VENV=$TORCH_VENV has no torch" >&2; exit 1; }
        return 0
    fi
    TORCH_VENV=$(pwd)/build/torch
    [ "$(cat "$TORCH_VENV/wheels" 2>/dev/null)" != "$TORCH" ] || return 0
    python3 -c 'import ensurepip, venv' 2>/dev/null || need python3-venv
    rm -rf "$TORCH_VENV"
    echo "fetching $TORCH"
    python3 -m venv "$TORCH_VENV"
    # numpy: torch warns without it.
    "$TORCH_VENV/bin/pip" install --quiet --no-cache-dir "$TORCH" numpy
    echo "$TORCH" >"$TORCH_VENV/wheels"
}

# bench_compare [OPTION of tools/bench_pairs.py]...: its --write needs no page here.
bench_compare() {
    for word in "$@"; do
        shift
        case $word in
            --write) set -- "$@" --write docs/performance.md ;;
            *) set -- "$@" "$word" ;;
        esac
    done
    command -v python3 >/dev/null || need python3
    python3 tools/bench_pairs.py --list tools/bench_cases.txt "$@" --show >/dev/null
    # shellcheck disable=SC2086
    need $BUILD_PACKAGES
    # What torch.compile needs.
    python3 -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' || need python3-dev
    build build -DCMAKE_BUILD_TYPE=Release
    install_torch
    # What is timed is what the golden files hold.
    mkdir -p build/bench
    "$TORCH_VENV/bin/python" tools/bench_models.py tests/golden >build/bench/models.log 2>&1 ||
        { tail -n 3 build/bench/models.log >&2; exit 1; }
    # Were this run on more cores, PoCL would take them all.
    POCL_MAX_PTHREAD_COUNT=$THREADS POCL_CPU_MAX_CU_COUNT=$THREADS python3 tools/bench_pairs.py \
        --ours "build/dalle-cl bench --paced --case {case}" \
        --theirs "$TORCH_VENV/bin/python tools/bench_torch.py --threads $THREADS {case} --variant {variant}" \
        --ours-serve "build/dalle-cl bench --paced" \
        --theirs-serve "$TORCH_VENV/bin/python tools/bench_torch.py --threads $THREADS serve" \
        --list tools/bench_cases.txt "$@"
}
