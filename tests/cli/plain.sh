#!/bin/sh
# plain.sh PROGRAM FOLDER -- names and texts of files that were made by others tell a terminal nothing: whatever the
# program prints for people about them holds no control character but line ends and tabs.
# SPDX-License-Identifier: MIT
set -eu
program=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
escape=$(printf '\033')

# check COMMAND...: whatever its status, both streams are plain.
check() {
    "$program" "$@" >said 2>&1 || true
    [ -s said ] || { echo "'$*' says nothing"; exit 1; }
    if LC_ALL=C tr -d '\t\n\040-\176\240-\377' <said | grep -q .; then
        echo "'$*' prints control characters:"
        cat -v said
        exit 1
    fi
}

# A safetensors file of one tensor, whose name and metadata hold escape sequences.
header='{"__metadata__":{"note\u001b[31m":"\u001b]0;mine\u0007\u009b2J"},"a\u001b[2J":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
length=$(printf %s "$header" | wc -c)
{
    # shellcheck disable=SC2059
    printf "$(printf '\\%03o\\000\\000\\000\\000\\000\\000\\000' "$length")"
    printf '%sx' "$header"
} >a.safetensors
check info a.safetensors --tensors
grep -q 'a?\[2J' said || { echo "the tensor is not shown"; cat -v said; exit 1; }
printf '{"kind": "\\u001b[2J", "x": {"y": "\\u009b"}}' >run.json
check info .
mkdir set
for name in one "${escape}[2Jtwo"; do
    echo "not a picture" >"set/$name.png"
    printf 'a %s[31mcat' "$escape" >"set/$name.txt"
done
printf '{"split": "\\u001b[2J"}' >"set/one.json"
check data info set
check data info "set/${escape}[2Jnone"
printf 'la%syers = 3\n' "$escape" >odd.cfg
check config dvae --preset ./odd.cfg
check "gener${escape}ate"
