#!/bin/sh
# kernels.sh [--write] [--out FOLDER] [--only FILE] [--share] [TARGET...] -- the GPU vendors' compilers, without their GPUs:
# compiles every kernel, or those of one file under cl/, with every set of options it is launched with
# (tests/kernels/launched.txt, probes.txt).
#   build/kernels.tsv    a line per target, kernel and set of options: registers, spills, local memory, occupancy
#   build/kernels.md     the worst of each kernel; docs/kernels.md holds it as of the last --write
# With --share each set is compiled for one of the targets, in turn, but for those of matrix units.
# Fails where a compiler complains, where a kernel spills that ci/kernels_spills.txt does not explain, or where one
# that is to use a matrix unit has no instruction of it.
# A target whose compiler is not installed is skipped with the reason; status 77 if all are.
# SPDX-License-Identifier: MIT
set -u
cd "$(dirname "$0")/.." || exit 1
ALL="sm_70 sm_80 sm_90 gfx90a gfx1030 gfx1100 tgllp dg2 pvc"
write=
targets=
only=
share=0
out=build
while [ $# -gt 0 ]; do
    case $1 in
        --write) write=1 ;;
        --out) out=$2; shift ;;
        --only) only=$2; shift ;;
        --share) share=1 ;;
        -*) echo "usage: ci/kernels.sh [--write] [--out FOLDER] [--only FILE] [--share] [TARGET...]    targets: $ALL" >&2; exit 2 ;;
        *) case " $ALL " in
            *" $1 "*) targets="$targets $1" ;;
            *) echo "unknown target '$1'; there are $ALL" >&2; exit 2 ;;
        esac ;;
    esac
    shift
done
[ -z "$only" ] && [ $share -eq 0 ] || [ -z "$write" ] || { echo "--write is of all kernels, not of --only or --share" >&2; exit 2; }
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---- What is installed ----

PATH=$PATH:/usr/local/cuda/bin:/sbin
bitcode=/usr/lib/x86_64-linux-gnu/amdgcn/bitcode
libclc=/usr/lib/clc/nvptx64--nvidiacl.bc
# ocloc unpacked by `ci/dev setup`, or installed: installing it would make its driver one of OpenCL's.
ocloc=${OCLOC:-build/ocloc/usr/bin/ocloc}
[ -x "$ocloc" ] || ocloc=$(command -v ocloc || echo none)
# ocloc takes Intel's disassembler by a name that only its development package has.
mkdir "$work/lib"
iga=$(ldconfig -p 2>/dev/null | sed -n 's/.*libiga64\.so\.1 .*=> //p' | head -n 1)
[ -z "$iga" ] || ln -s "$iga" "$work/lib/libiga64.so"

# why TARGET: the reason for skipping it, or nothing.
why() {
    clang=
    case $1 in
        gfx1100) clang=clang-16 ;;
        sm_* | gfx*) clang=clang-15 ;;
    esac
    [ -z "$clang" ] || command -v $clang >/dev/null || { echo "$clang is not there (apt-get install $clang)"; return; }
    case $1 in
        sm_*)
            [ -f $libclc ] || { echo "libclc is not there (apt-get install libclc-15)"; return; }
            command -v ptxas >/dev/null || { echo "ptxas is not there (it comes with NVIDIA's CUDA toolkit)"; return; }
            ptxas --help | grep -q "'$1'" ||
                echo "the ptxas here has no $1 ($(ptxas --version | sed -n 's/.*\(release [0-9.]*\).*/\1/p'))" ;;
        gfx*) [ -f $bitcode/ocml.bc ] || echo "AMD's device libraries are not there (apt-get install rocm-device-libs)" ;;
        *) [ -x "$ocloc" ] || echo "ocloc is not there (ci/dev setup unpacks Debian's intel-opencl-icd)" ;;
    esac
}

chosen=
for target in ${targets:-$ALL}; do
    reason=$(why "$target")
    if [ -n "$reason" ]; then
        echo "skipped: $target: $reason"
        echo "$target $reason" >>"$work/skipped"
    else
        chosen="$chosen $target"
    fi
done
[ -n "$chosen" ] || exit 77

# ---- Compile ----

# Which device of launched.txt a target is: groups are as wide as its driver prefers.
shape() { case $1 in gfx90a) echo gpu64 ;; *) echo gpu32 ;; esac; }

# A job a line: number, targets, file, options.  NVIDIA's targets share the front end's work.
nvidia=$(for t in $chosen; do case $t in sm_*) printf '%s ' "$t" ;; esac; done)
fronts="${nvidia:+nvidia }$(for t in $chosen; do case $t in sm_*) ;; *) printf '%s ' "$t" ;; esac; done)"

# launches TARGET: its lines of launched.txt and probes.txt, without those of matrix units that are others', or only
# played, which tests do.
launches() {
    vendor=$1
    unit=none
    case $1 in
        sm_70) vendor=nvidia ;;
        sm_* | nvidia) vendor=nvidia unit=1 ;;
        gfx1100) unit=2 ;;
        gfx90a) unit=3 ;;
        dg2) unit=4 ;;
        pvc) unit=5 ;;
    esac
    {
        grep "^$(shape "$1") " tests/kernels/launched.txt
        awk -v target="$vendor" '!/^#/ && target ~ "^(" $1 ")$"' tests/kernels/probes.txt
    } | awk -v unit=$unit -v only="$only" "$(cat ci/kernels_unit.awk)"'
        only != "" && $2 != only || /-DMATRIX_EMULATED/ { next }
        matrix_unit($0) == 0 || matrix_unit($0) == unit'
}

# sets TARGET: the file and options of each, once.
sets() { launches "$1" | cut -d' ' -f2,5- | LC_ALL=C sort -u; }

# Options that say nothing to a file leave its text as it is, and texts alike are compiled once; but not one that is to
# have a matrix unit's instructions for one that is not.
export work
for front in $fronts; do sets "$front"; done | LC_ALL=C sort -u | xargs -P "$(nproc)" -d '\n' -n 20 sh -c '
    for set in "$@"; do
        file=${set%% *}; options=${set#"$file"}
        text=$(cpp -P -undef -xc -nostdinc -Icl $options "cl/$file.cl" 2>/dev/null | cksum)
        case $options in *-DMATRIX=*) unit=${options#*-DMATRIX=}; text="$text unit ${unit%% *}" ;; esac
        printf "%s\t%s\t%s\n" "$file $text" "$file" "${options# }"
    done >>"$work/texts"' sets
LC_ALL=C sort "$work/texts" | awk -F'\t' '
    $1 != last { last = $1; first = $3 }
    { print $2 "\t" $3 "\t" first }' >"$work/same"
for front in $fronts; do
    sets "$front" | sed 's/ /\t/' | awk -F'\t' -v OFS='\t' -v front="$front" '
        FNR == NR { first[$1, $2] = $3; next }
        !(($1, first[$1, $2]) in done) { done[$1, first[$1, $2]] = 1; print front, $1, first[$1, $2] }' "$work/same" -
done >"$work/all"
awk -F'\t' -v OFS='\t' -v share=$share '
    { key = $2 FS $3 }
    FNR == NR { if (!(key in turn)) turn[key] = turns++; fronts[key]++; next }
    !share || /-DMATRIX=/ || seen[key]++ == turn[key] % fronts[key] { print ++number, $0 }' "$work/all" "$work/all" >"$work/jobs"

echo "$(wc -l <"$work/jobs") compilations for$chosen"
export nvidia bitcode libclc ocloc iga
xargs -P "$(nproc)" -d '\n' -n 1 sh ci/kernels_one.sh <"$work/jobs"
if [ -s "$work/errors" ]; then
    head -n 100 "$work/errors" >&2
    echo "$(grep -c '^FAIL' "$work/errors") of $(wc -l <"$work/jobs") compilations failed" >&2
    exit 1
fi

# ---- Tables ----

printf 'target\tfile\tkernel\tgroup\tregisters\tspill_bytes\tprivate_bytes\tlocal_bytes\toccupancy\twidth\tmatrix\toptions\n' >"$out/kernels.tsv"
for target in $chosen; do
    launches "$target" | awk -v target="$target" -v share=$share -f ci/kernels_join.awk "$work/same" "$work/results" -
done >"$work/table"
grep '^missing' "$work/table" && { echo "launched, but not among the kernels compiled" >&2; exit 1; }
LC_ALL=C sort "$work/table" >>"$out/kernels.tsv"
awk -v targets="$chosen" -f ci/kernels_page.awk "$out/kernels.tsv" >"$out/kernels.md"
echo "$(($(wc -l <"$out/kernels.tsv") - 1)) lines in $out/kernels.tsv, the worst of each kernel in $out/kernels.md"

if [ -n "$write" ]; then
    awk -v table="$out/kernels.md" '
        /^<!-- end -->/ { inside = 0 }
        !inside { print }
        /^<!-- table/ { inside = 1; while ((getline line < table) > 0) print line }' docs/kernels.md >"$work/md"
    cp "$work/md" docs/kernels.md
    echo "docs/kernels.md is up to date"
fi

# ---- Spills ----

# ci/kernels_spills.txt: kernel, targets (an expression), bytes at most, and the reason.
awk -F'\t' '
    FILENAME == ARGV[1] { if (!/^#/ && NF >= 4) { n++; kernel[n] = $1; target[n] = $2; most[n] = $3 } next }
    FNR > 1 && $6 > 0 {
        for (i = n; i > 0; --i) if ($3 == kernel[i] && $1 ~ "^(" target[i] ")$" && $6 <= most[i]) break
        if (i) { used[i] = 1; next }
        printf "spills: %s on %s: %d bytes (%s)\n", $3, $1, $6, $12; bad = 1
    }
    FNR > 1 && $8 > 32768 { printf "local memory: %s on %s: %d bytes, 32768 are sure to be there\n", $3, $1, $8; bad = 1 }
    END { exit bad }' ci/kernels_spills.txt "$out/kernels.tsv" >"$work/spills"
bad=$?
LC_ALL=C sort -u "$work/spills" | head -n 40
[ $bad -eq 0 ] || { echo "these need mending, or a reason in ci/kernels_spills.txt" >&2; exit 1; }

# ---- Matrix units ----

awk -F'\t' "$(cat ci/kernels_unit.awk)"'
    FNR > 1 && matrix_unit($12) && $11 == "-" { unknown[$1] = 1 }
    FNR > 1 && matrix_unit($12) && $11 == "0" { printf "no instruction of the matrix unit: %s on %s (%s)\n", $3, $1, $12; bad = 1 }
    END {
        for (t in unknown) print t ": matrix instructions were not counted, for libiga64.so.1 is not there (apt-get install libigc1)"
        exit bad
    }' "$out/kernels.tsv" || { echo "these are compiled for a matrix unit and do without it" >&2; exit 1; }
