#!/bin/sh
# kernels.sh ROOT -- every kernel file is among those launched or probed, and passes clang's front end with every
# set of options in tests/kernels/launched.txt and probes.txt, without a warning; functions given local memory are
# inlined.
# SPDX-License-Identifier: MIT
cd "$1" || exit 1
clang=$(command -v clang-14 || command -v clang-15 || command -v clang) ||
    { echo "skipped: clang is not there (apt-get install clang-14)"; exit 77; }
launched=tests/kernels/launched.txt
probes=tests/kernels/probes.txt
status=0

for file in cl/*/*.cl; do
    name=${file#cl/}
    cut -d' ' -f2 $launched $probes | grep -qxF "${name%.cl}" && continue
    echo "$file: in neither $launched (\`./ci/dev kernels --record\` writes it anew) nor $probes" >&2
    status=1
done
grep -oh -- '-DPROBE_[A-Z_]*' host/device/opencl/*.c | sort -u | while read -r option; do
    grep -q -- "$option" $probes || echo "$option of host/device/opencl is not in $probes"
done | grep . >&2 && status=1

# PoCL 3.1 shares local memory between its threads when a function of its own uses it (cl/reduce.clh).
if grep -nE '^[a-z].*\(.*__local ' cl/*.clh cl/*/*.cl | grep -v 'always_inline'; then
    echo "a function that is given local memory must be always_inline" >&2
    status=1
fi

# Kernels for one vendor's units speak that vendor's dialect: ci/kernels.sh gives them to its compiler.
list=$(mktemp)
trap 'rm -f "$list"' EXIT
{ grep -v -e "^#" -e "-DMATRIX=[1-9]" $launched; grep -E '^(\.\*|cpu) ' $probes; } | cut -d' ' -f2,5- | LC_ALL=C sort -u |
    sed 's|^\([^ ]*\)\(.*\)|\2 cl/\1.cl|' >"$list"
echo "$(wc -l <"$list") compilations"
# Helpers of a shared header that one kernel does not call are no mistake.
xargs -P "$(nproc)" -L 1 "$clang" -x cl -cl-std=CL1.2 -fsyntax-only -Wall -Werror -Wno-unused-function -Icl \
    <"$list" || status=1
exit $status
