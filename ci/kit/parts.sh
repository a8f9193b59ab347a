# parts.sh -- what the kit tries, part by part, each with its share of the time; read main.sh first.
# A part writes lines between tabs into $RESULTS, which report.awk knows; what went wrong also goes into wrong.tsv.
# SPDX-License-Identifier: MIT
set -u
. "$KIT/scripts/host.sh"
. "$KIT/scripts/drivers.sh"
. "$KIT/scripts/train.sh"
. "$KIT/scripts/cuda.sh"

TOTAL=$((END - $(date +%s)))
left() { echo $((END - $(date +%s))); }
# share PERCENT: seconds, of all there are and no more than are left.
share() {
    seconds=$((TOTAL * $1 / 100))
    remain=$(left)
    [ "$seconds" -le "$remain" ] || seconds=$remain
    [ "$seconds" -ge 0 ] || seconds=0
    echo "$seconds"
}
row() { # FILE FIELD...
    file=$RESULTS/$1.tsv
    shift
    line=$1
    shift
    for field in "$@"; do line="$line	$(printf %s "$field" | tr '\n\t' '  ' | cut -c 1-400)"; done
    echo "$line" >>"$file"
}
wrong() { row wrong "$@"; }
# part NAME SECONDS: whether there is time for it, which it says.
part() {
    if [ "$(left)" -lt "$2" ]; then
        row skipped "$1" "$(left) s were left"
        return 1
    fi
    echo "$1" >>"$RESULTS/begun.tsv"
    echo "== $1 ($(left) s left)"
}
# program SECONDS LOG COMMAND...: one of the kit's, in the machine's own environment; sets HOW, TOOK and MIB.
program() {
    limit=$1 log=$WORK/logs/$2
    shift 2
    read -r HOW TOOK MIB <<LINE
$(kit-step "$limit" "$log" env PATH="$HOST_PATH" "$@")
LINE
    case $HOW in ok | skipped) ;; *) return 1 ;; esac
}
last_line() { tail -n 1 "$WORK/logs/$1" | tr -d '\r' | cut -c 1-300; }
export HOME="$WORK/home" DALLE_CL_CACHE="$WORK/cache" POCL_CACHE_DIR="$WORK/pocl" DALLE_CL_DEVICE="$DEVICE"
export MESA_SHADER_CACHE_DIR="$WORK/mesa" DALLE_CL_TEST_DATA="$KIT/tests" TMPDIR="$WORK/runs" XDG_CACHE_HOME="$WORK/home/.cache"
mkdir -p "$POCL_CACHE_DIR" "$MESA_SHADER_CACHE_DIR"

# devices: what the program sees, and whether the device that is asked for is there.
devices() {
    program "$(share 15)" devices.json "$KIT/bin/dalle-cl" devices --json || true
    # Messages stand in the same file as the list does, so from its first bracket on.
    sed -n '/^\[/,/^\]/p' "$WORK/logs/devices.json" >"$RESULTS/devices.json"
    if [ "$HOW" != ok ] || [ ! -s "$RESULTS/devices.json" ]; then
        rm -f "$RESULTS/devices.json"
        wrong devices "$HOW: $(last_line devices.json)"
        return 1
    fi
    program "$(share 15)" devices.txt "$KIT/bin/dalle-cl" devices || true
    cp "$WORK/logs/devices.txt" "$RESULTS/devices.txt"
    grep -q '"default": true' "$RESULTS/devices.json" && grep -q '"usable": true' "$RESULTS/devices.json" && return 0
    wrong devices "no usable device for '$DALLE_CL_DEVICE'"
    return 1
}

probe() {
    host_facts
    host_libraries || return 1
    ! cuda_find || CUDA=yes
    drivers_find
    drivers_try
    [ -z "$THROUGH_CUDA" ] || { cuda_use; [ -n "$CUDA" ] || wrong CUDA "$CUDA_WHY"; }
    devices || return 1
    program "$(share 6)" instructions "$KIT/bin/kit-probe" || row skipped "instructions" "$HOW: $(last_line instructions)"
    cut -c 1-400 "$WORK/logs/instructions" >"$RESULTS/instructions.txt" || true
}

# agree RECORDING...: what had too little time, as when a driver compiles for long, is done again if time is left over:
# what was compiled is kept. AGAIN becomes those, or LAST is not empty and they are given up.
AGAIN='' LAST=''
# What was left out at first has been done.
agree_done() { [ -z "$LAST" ] || sed -i "/^agree $1	/d" "$RESULTS/skipped.tsv"; }
agree() {
    AGAIN=
    for what in "$@"; do
        reference=$KIT/agree/pocl-$what.safetensors
        model=$KIT/model
        [ $what != full ] || model=
        [ -f "$reference" ] && [ "$(left)" -gt 10 ] || continue
        # shellcheck disable=SC2086
        program "$(share 15)" "agree-$what" "$KIT/bin/agree_record" "$WORK/runs/agree" $what $model || {
            if [ "$HOW" = late ] && [ -z "$LAST" ]; then
                AGAIN="$AGAIN $what"
                row skipped "agree $what" "not done in $TOOK s"
                continue
            fi
            agree_done "$what"
            row agree "$what" "$HOW" "$TOOK" "$(last_line "agree-$what")"
            wrong "agree $what" "$HOW: $(last_line "agree-$what")"
            continue
        }
        agree_done "$what"
        took=$TOOK
        mine=$(last_line "agree-$what")
        program 20 "compare-$what" "$KIT/bin/agree_compare" "$reference" "$mine" ||
            wrong "agree $what" "differs from PoCL: $(last_line "compare-$what")"
        row agree "$what" "$HOW" "$took" "$(sed -n 's/^[a-z]*-'$what'.safetensors *//p' "$WORK/logs/compare-$what" | tail -n 1)"
    done
}

# tests SECONDS: those of the list that were not yet run, several at once.
tests() {
    TESTS_END=$(($(date +%s) + $1))
    export TESTS_END
    touch "$RESULTS/tests.tsv"
    awk -F '\t' -v list="$KIT/tests/list" 'FILENAME != list { ran[$1] = 1; next } !($1 in ran)' \
        "$RESULTS/tests.tsv" "$KIT/tests/list" |
        xargs -r -P "$JOBS" -n 2 "$KIT/tools/busybox" sh "$KIT/scripts/test.sh"
}

draw() {
    mkdir -p "$WORK/runs/draw"
    for pictures in 1 16; do
        [ "$(left)" -gt 5 ] || return 0
        program "$(share 6)" "draw-$pictures" "$KIT/bin/dalle-cl" generate -m "$KIT/model" "a green heart" -n "$pictures" \
            --seed 1 -o "$WORK/runs/draw/$pictures.png" || wrong "drawing $pictures" "$HOW: $(last_line "draw-$pictures")"
        row drawing "$pictures" "$HOW" "$TOOK"
    done
}

bench() {
    bench_end=$(($(date +%s) + $1))
    while read -r storage seconds case way; do
        remain=$((bench_end - $(date +%s)))
        [ "$remain" -ge 4 ] || { row skipped "bench $case" "its share of the time was used up"; continue; }
        [ "$remain" -le 60 ] || remain=60
        program "$remain" bench env ${way:+DALLE_CL_GEMM=$way} "$KIT/bin/dalle-cl" bench --case "$case" --storage "$storage" --seconds "$seconds"
        case $HOW in
            ok) ;;
            late) row skipped "bench $case${way:+ by $way}" "not done in $remain s" ;;
            *)
                # A way that this program or this device has not.
                if [ -n "$way" ] && grep -q 'gemm provider' "$WORK/logs/bench"; then row skipped "bench $case by $way" "$(last_line bench)"; continue; fi
                row bench "$case" "-" "$HOW" "$(last_line bench)"
                wrong "bench $case" "$HOW: $(last_line bench)"
                ;;
        esac
        # version, device, driver, case, storage, provider, error, ms, quartiles, rate, percent
        awk -F '\t' -v OFS='\t' 'NF >= 11 { print $4, $5, "ok", $6, $7, $8, $9, $10, $11 }' "$WORK/logs/bench" >>"$RESULTS/bench.tsv"
    done <"$KIT/scripts/bench.txt"
}

torch() {
    python=
    for name in python3 python; do
        [ -n "$python" ] || python=$(PATH=$HOST_PATH command -v $name) || python=
    done
    [ -n "$python" ] || { row skipped torch "no Python here"; return; }
    program 60 torch-import "$python" -c 'import torch; print(torch.__version__, torch.cuda.is_available())' ||
        { row skipped torch "import torch: $HOW, $(last_line torch-import)"; return; }
    case $(last_line torch-import) in *True) ;; *) row skipped torch "PyTorch is here and finds no GPU"; return ;; esac
    program "$1" torch "$python" "$KIT/scripts/torch_gpu.py" "$KIT/scripts" || row skipped torch "$HOW: $(last_line torch)"
    sed -n 's/^torch\t//p' "$WORK/logs/torch" >"$RESULTS/torch.tsv"
}

# The device that is asked for is CUDA's: then there is one report, and OpenCL's drivers need not be there.
case $DEVICE in cuda*) THROUGH_CUDA=yes ;; *) THROUGH_CUDA= ;; esac
CUDA= CUDA_WHY="this kit's programs do not start"
opencl() {
    part agree 20 && agree full demo caption
    part tests 20 && tests "$(share 35)"
    part training 20 && { train dvae; train prior; }
    part drawing 10 && draw
    part bench 15 && bench "$(share 15)"
    part torch 20 && torch "$(share 12)"
}
cat "$KIT/version"
probe && PROBED=yes || PROBED=
[ -z "$THROUGH_CUDA" ] || CUDA=
# Where there are two ways, the second has its time even if all of the first hangs.
[ -z "$CUDA" ] || TOTAL=$((TOTAL * 6 / 10))
[ -z "$PROBED" ] || opencl
TOTAL=$(left)
[ -n "$CUDA$THROUGH_CUDA" ] || row skipped CUDA "$CUDA_WHY"
[ -z "$CUDA" ] || { part CUDA 8 && cuda_parts; }
LAST=yes
# shellcheck disable=SC2086
[ -z "$AGAIN" ] || { part "agree, what was not done" 15 && agree $AGAIN; }
[ -z "$PROBED" ] || { part "tests left over" 15 && tests "$(left)"; }
[ -z "$CUDA" ] || { part "CUDA's tests" 15 && cuda_tests; }
echo "== done"
