#!/bin/sh
# whole.sh SOURCE FOLDER CC -- a kit of programs that hang, crash and fail, with drivers that do so when they are loaded:
# it ends within its minute, nothing is left running, and its report says what became of each.
# SPDX-License-Identifier: MIT
set -eu
source=$1 folder=$2 cc=$3
box=$(command -v busybox) && ! ldd "$box" >/dev/null 2>&1 || { echo "skipped: busybox-static is not installed"; exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "skipped: kits are for x86-64"; exit 77; }
rm -rf "$folder"
kit=$folder/kit
for part in bin lib libc tools scripts tests agree model; do mkdir -p "$kit/$part"; done
mkdir -p "$folder/drivers"
flags="-std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Wpedantic -Werror"
# shellcheck disable=SC2086
{
    for tool in step interp; do $cc $flags -static "$source/ci/kit/$tool.c" -o "$kit/tools/kit-$tool"; done
    $cc $flags -DCL_TARGET_OPENCL_VERSION=120 "$source/ci/kit/icd.c" -o "$kit/bin/kit-icd" -ldl
    $cc $flags "$source/tests/kit/fake.c" -o "$kit/bin/dalle-cl"
    for driver in works aborts hangs; do
        $cc $flags -shared -fPIC -DDRIVER="\"$driver\"" "$source/tests/kit/fake.c" -o "$folder/lib$driver.so"
        echo "$folder/lib$driver.so" >"$folder/drivers/$driver.icd"
    done
}
cp "$source/LICENSE" "$folder/text.so"
echo "$folder/text.so" >"$folder/drivers/text.icd"
mkdir "$folder/nvidia"
touch "$folder/nvidia/libcuda.so.1" "$folder/nvidia/libnvrtc.so.13" "$folder/nvidia/libcublasLt.so.13"
for name in agree_record agree_compare kit-probe test_ops_crashes test_ops_fails test_ops_hangs test_ops_passes test_ops_skips; do
    cp "$kit/bin/dalle-cl" "$kit/bin/$name"
done
for name in crashes fails hangs passes skips; do printf 'ops_%s\tkept\n' $name; done >"$kit/tests/list"
cp "$box" "$kit/tools/busybox"
cp -L /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6 "$kit/libc/"
cp "$source"/ci/kit/*.sh "$source"/ci/kit/*.awk "$source/ci/kit/bench.txt" "$kit/scripts/"
: >"$kit/scripts/shared.txt"
cp "$source/ci/kit/run" "$kit/"
echo 'a "kit" of nothing' >"$kit/version"
touch "$kit/agree/pocl-full.safetensors" "$kit/agree/train.options" "$kit/emoji.tar"
for kind in dvae prior; do printf '{"step":1,"loss":2}\n{"step":2,"loss":1}\n' >"$kit/agree/train-$kind.jsonl"; done

fail() { cat "$folder/log" "$kit/report.md" 2>/dev/null; echo "$1"; exit 1; }

for wrong in "--minutes 0" "--minutes 1.5" "--minutes" "--minutes 99999999999999999999" "--jobs x" "--colour red" "extra"; do
    status=0
    # shellcheck disable=SC2086
    "$kit/run" $wrong >"$folder/log" 2>&1 || status=$?
    [ $status -eq 2 ] || fail "'$wrong' gave status $status"
done

# On another processor its own tools do not run.
mv "$kit/tools/busybox" "$kit/tools/kept"
printf '\177ELF\002\001\001\000 of another processor' >"$kit/tools/busybox"
chmod +x "$kit/tools/busybox"
status=0
"$kit/run" >"$folder/log" 2>&1 || status=$?
[ $status -eq 2 ] && grep -q "this kit is for Linux on x86-64" "$folder/log" || fail "on another processor: status $status"
mv "$kit/tools/kept" "$kit/tools/busybox"

# Beside it, one that finds CUDA's libraries, too: what goes through them has its time and its own report.
cp -R "$kit" "$folder/second-kit"
DALLE_CL_CUDA_LIBRARIES=$folder/nvidia OCL_ICD_VENDORS="$folder/drivers/works.icd" "$folder/second-kit/run" --device fake \
    --minutes 1 --jobs 2 >"$folder/cuda-log" 2>&1 &
second=$!
began=$(date +%s)
status=0
OCL_ICD_VENDORS="$folder/drivers" "$kit/run" --device fake --minutes 1 --jobs 2 >"$folder/log" 2>&1 &
running=$!
sleep 2
OCL_ICD_VENDORS="$folder/drivers" "$kit/run" >"$folder/second" 2>&1 && fail "a second run at once was let in"
grep -q "another run of this kit is going on" "$folder/second" || fail "a second run said: $(cat "$folder/second")"
wait $running || status=$?
took=$(($(date +%s) - began))
[ $took -le 60 ] || fail "it took $took s of a minute"
[ $status -eq 1 ] || fail "status $status"
none_left() {
    left=$(ps -eo pid,args | grep -F -e "$kit/" -e "$folder/second-kit/" | grep -v 'grep\|whole\.sh' || true)
    [ -z "$left" ] || fail "left running: $left"
}
status=0
wait $second || status=$?
[ $status -eq 1 ] || fail "with CUDA: status $status"
none_left

report=$kit/report.md
says() { grep -qF -- "$1" "$report" || fail "$report does not say: $1"; }
says "| $folder/libworks.so | works | 1 platform |"
says "| $folder/libaborts.so | left out | loading it: crashed-ABRT"
says "| $folder/libhangs.so | left out | loading it: late"
says "text.so: invalid ELF header"
says "| full | crashed-SEGV |"
says "an instruction                       runs"
says "| ops_crashes | crashed-SEGV |"
says "| ops_fails | failed-1 |"
says "| ops_passes | ok |"
says "| ops_skips | skipped |"
says "| emoji dvae | 2 | 2 | 1.001 | 1 | 0.1 % | agrees | 2 | 50 s (100) |"
says "not finished: ops_hangs"
says '[  ERROR   ] --- "3" != | \ 4'
says " of 1 minutes"
report=$folder/second-kit/report.md
says "| CUDA's libraries | libcublasLt.so.13 libcuda.so.1 libnvrtc.so.13"
sed -n "/^# dalle-cl on 'cuda'/,\$p" "$report" >"$folder/cuda.md"
report=$folder/cuda.md
says "| full | crashed-SEGV |"
says "| 16 | ok |"
report=$kit/report.md
cmake -DREPORT="$folder/second-kit/report.json" -DCUDA=yes -P "$source/tests/kit/json.cmake" || fail "CUDA's report.json is not what it should be"
cmake -DREPORT="$kit/report.json" -P "$source/tests/kit/json.cmake" || fail "report.json is not what it should be"
# Told to stop while a driver hangs, it says what it has.
rm "$kit/report.json"
OCL_ICD_VENDORS="$folder/drivers" "$kit/run" --device fake >"$folder/log" 2>&1 &
running=$!
sleep 3
kill -TERM $running
status=0
wait $running || status=$?
[ $status -eq 1 ] || fail "stopped: status $status"
says "interrupted after"
says "not begun: "
[ -s "$kit/report.json" ] || fail "stopped: no report.json"
none_left
echo "ended after $took s, and said what became of each"
