#!/bin/sh
# launched.sh RECORDER [--write] -- launched.txt names exactly what the presets and the operators' tests
# launch; --write brings it up to date.
# SPDX-License-Identifier: MIT
recorder=$(realpath "$1")
cd "$(dirname "$0")" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

printf '%s\n' gpu32 gpu64 cpu16 cpu8 cpu4 | xargs -P "$(nproc)" -I@ "$recorder" @ "$work/@.raw" || exit 1
{
    cat <<'END'
# Every kernel launch of every preset and every operator's tests, by device: a GPU with groups of 32 or of 64,
# a CPU.  Made by `ci/dev kernels --record`; tests/kernels/record.c says how.  Not to be edited.
# device, file under cl/, kernel, work-items in a group, build options
END
    LC_ALL=C sort -u "$work"/*.raw
} >"$work/launched.txt"

if [ "${2-}" = --write ]; then
    cp "$work/launched.txt" launched.txt
    echo "$(grep -vc '^#' launched.txt) launches in tests/kernels/launched.txt"
    exit 0
fi
diff -u launched.txt "$work/launched.txt" >"$work/diff" && exit 0
head -n 60 "$work/diff"
echo "tests/kernels/launched.txt no longer says what is launched; \`./ci/dev kernels --record\` writes it anew" >&2
exit 1
