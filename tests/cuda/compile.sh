#!/bin/sh
# compile.sh [--write] [--out FOLDER] PROGRAM [TARGET...] -- NVIDIA's run-time compiler, without a GPU: every kernel file
# with every set of options that a GPU launches (tests/kernels/launched.txt), as the CUDA device gives it to NVRTC.
# PROGRAM is nvrtc_compile; targets are sm_80 and sm_90.
#   FOLDER/nvrtc.tsv    a line per target, kernel and set of options: registers, spills, stack, shared memory
#   FOLDER/nvrtc.md     the worst of each kernel; docs/kernels.md holds it as of the last --write
# NVRTC is looked for where the CUDA device looks, in $DALLE_CL_CUDA_LIBRARIES and where libraries are.  Status 77, with
# the reason, if it is not there; 1 where it complains or a kernel spills.
# SPDX-License-Identifier: MIT
set -u
write= out=. targets=
while [ $# -gt 0 ]; do
    case $1 in
        --write) write=1 ;;
        --out) out=$2; shift ;;
        sm_*) targets="$targets $1" ;;
        -*) echo "usage: compile.sh [--write] [--out FOLDER] PROGRAM [TARGET...]" >&2; exit 2 ;;
        *) program=$(realpath "$1") ;;
    esac
    shift
done
mkdir -p "$out" && out=$(realpath "$out")
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

library=libnvrtc.so.12
for name in libnvrtc.so.13 libnvrtc.so.12; do
    [ -f "${DALLE_CL_CUDA_LIBRARIES:-/nowhere}/$name" ] && library=$DALLE_CL_CUDA_LIBRARIES/$name
done
"$program" "$library" sm_90 </dev/null || {
    echo "skipped: NVRTC is not there; name its folder in DALLE_CL_CUDA_LIBRARIES"
    exit 77
}

# Options that say nothing to a file leave its text as it is, and texts alike are compiled once.  Other vendors' matrix
# units are not this compiler's, and those that are played are for tests.
grep '^gpu32 ' tests/kernels/launched.txt | grep -v -e '-DMATRIX=[2-5]' -e '-DMATRIX_EMULATED' | cut -d' ' -f2,5- | LC_ALL=C sort -u | while read -r file options; do
    # shellcheck disable=SC2086
    text=$(cpp -P -undef -xc -nostdinc -Icl $options "cl/$file.cl" 2>/dev/null | cksum)
    printf '%s\t%s\n' "$file $text" "$file $options"
done | LC_ALL=C sort | awk -F'\t' '$1 != last { last = $1; print $2 }' >"$work/sets"
# shellcheck disable=SC2086
xargs -P "$(nproc)" -d '\n' -n 8 sh -c 'printf "%s\n" "$@" | '"$program $library ${targets:-sm_80 sm_90} || :" sets \
    <"$work/sets" >"$work/found"
if grep -A 12 '^FAIL' "$work/found" | head -n 60 | grep .; then
    echo "$(grep -c '^FAIL' "$work/found") compilations failed" >&2
    exit 1
fi

# Kernels of a file that this set of options is not for are compiled with it too; only those launched count.
printf 'target\tkernel\tregisters\tspill_bytes\tstack_bytes\tshared_bytes\tfile\toptions\n' >"$out/nvrtc.tsv"
awk 'FNR == NR { if ($1 == "gpu32") launched[$3] = 1; next }
    $1 in launched {
        options = ""
        for (i = 8; i <= NF; ++i) options = options (i > 8 ? " " : "") $i
        printf "%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\n", $2, $1, $3, $4, $5, $6, $7, options
    }' tests/kernels/launched.txt "$work/found" | LC_ALL=C sort >>"$out/nvrtc.tsv"
awk -F'\t' '
    FNR > 1 {
        if (!($1 in known)) { known[$1] = 1; target[++targets] = $1 }
        if (!($2 in seen)) { seen[$2] = 1; name[++kernels] = $2; file[$2] = $7 }
        key = $2 SUBSEP $1
        ++sets[key]
        if ($3 > registers[key]) registers[key] = $3
        if ($4 > spilled[key]) spilled[key] = $4
        if ($5 > stack[key]) stack[key] = $5
        if ($6 > shared[$2]) shared[$2] = $6
        if (sets[key] > most[$2]) most[$2] = sets[key]
    }
    END {
        head = "| kernel | sets | shared |"
        rule = "|---|--:|--:|"
        for (t = 1; t <= targets; ++t) { head = head " " target[t] " |"; rule = rule "--:|" }
        printf "\n%s\n%s\n", head, rule
        for (k = 1; k <= kernels; ++k) {
            line = "| " name[k] " | " most[name[k]] " | " (shared[name[k]] ? shared[name[k]] : "") " |"
            for (t = 1; t <= targets; ++t) {
                key = name[k] SUBSEP target[t]
                line = line " " registers[key] (stack[key] ? " p" stack[key] : "") (spilled[key] ? " **s" spilled[key] "**" : "") " |"
            }
            print line
        }
        print ""
    }' "$out/nvrtc.tsv" >"$out/nvrtc.md"
echo "$(wc -l <"$work/sets") texts compiled for ${targets:-sm_80 sm_90}; $(($(wc -l <"$out/nvrtc.tsv") - 1)) lines in $out/nvrtc.tsv"

if [ -n "$write" ]; then
    awk -v table="$out/nvrtc.md" '
        /^<!-- end of nvrtc -->/ { inside = 0 }
        !inside { print }
        /^<!-- nvrtc/ { inside = 1; while ((getline line < table) > 0) print line }' docs/kernels.md >"$work/md"
    cp "$work/md" docs/kernels.md
    echo "docs/kernels.md is up to date"
fi
awk -F'\t' 'FNR > 1 && $4 > 0 { printf "spills: %s on %s: %d bytes (%s %s)\n", $2, $1, $4, $7, $8; bad = 1 } END { exit bad }' \
    "$out/nvrtc.tsv"
