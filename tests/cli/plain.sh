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

# Names with line ends: each stays on its line, whatever lists it, and JSON says it as it is.
png='\211\120\116\107\015\012\032\012\000\000\000\015\111\110\104\122\000\000\000\004\000\000\000\004'\
'\010\000\000\000\000\214\232\301\242\000\000\000\013\111\104\101\124\170\332\143\140\300\004\000'\
'\000\024\000\001\356\132\151\011\000\000\000\000\111\105\116\104\256\102\140\202'
odd=$(printf 'odd\tname\n%s[2J' "$escape")
mkdir -p "odd/$odd"
for name in "$odd/one" "$odd/two"; do
    # shellcheck disable=SC2059
    printf "$png" >"odd/$name.png"
    printf 'a small black square\n' >"odd/$name.txt"
done
lines() {
    shown=$1
    shift
    check "$@"
    [ "$(grep -c 'odd?name??\[2J' said)" = "$shown" ] || { echo "'$*' shows the name in other than $shown lines:"; cat -v said; exit 1; }
    ! grep -q "^.\[2J\|$(printf '\t')" said || { echo "'$*' breaks a name"; cat -v said; exit 1; }
}
lines 1 data stats odd
lines 2 data filter odd --list
"$program" data filter odd --list --json >said 2>/dev/null
grep -qiF '"odd\tname\n\u001b[2J/one"' said || { echo "JSON does not list the key"; cat -v said; exit 1; }
echo "not a picture" >"odd/$odd/bad.png"
lines 2 data check odd
mv "odd/$odd" other
mkdir "$odd"
mv other "$odd/set"
lines 1 data check "$odd/set"
printf '{"loss\\u001b[2J": 1, "step": 1}\n' >"$odd/metrics.jsonl"
printf '{"kind": "dvae"}\n' >"$odd/run.json"
check watch "$odd" --once
