#!/bin/sh
# at_once.sh PROGRAMS FOLDER -- two processes that compile the same kernels at once into the same empty
# caches, ours and the driver's, compute what a process alone does; and so does one that finds them full.
# SPDX-License-Identifier: MIT
set -eu
programs=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder"
export DALLE_CL_CACHE="$folder/cache" POCL_CACHE_DIR="$folder/pocl" MESA_SHADER_CACHE_DIR="$folder/mesa"

"$programs/agree_record" "$folder/first" prior >"$folder/first.log" 2>&1 &
first=$!
"$programs/agree_record" "$folder/second" prior >"$folder/second.log" 2>&1 &
second=$!
status=0
wait $first || status=$?
wait $second || status=$?
[ $status -eq 77 ] && { cat "$folder/first.log"; exit 77; }
[ $status -eq 0 ] || { cat "$folder/first.log" "$folder/second.log"; exit 1; }
left=$(find "$folder/cache" -name '*.tmp*' | head)
[ -z "$left" ] || { echo "left in the cache: $left"; exit 1; }

"$programs/agree_record" "$folder/full" prior >"$folder/full.log" 2>&1 || { cat "$folder/full.log"; exit 1; }
DALLE_CL_CACHE=off "$programs/agree_record" "$folder/alone" prior >"$folder/alone.log" 2>&1 || {
    cat "$folder/alone.log"
    exit 1
}
for run in first second full; do
    cmp "$folder/alone/"*-prior.safetensors "$folder/$run/"*-prior.safetensors
done
rm -rf "$folder"
echo "two processes at once, one after them and one without a cache computed the same"
