#!/bin/sh
# installed.sh SOURCE BUILD CC CXX -- installs into the build folder and uses the library from there as a
# stranger would: examples/draw.c as C and as C++ through pkg-config, and through CMake's find_package.
# SPDX-License-Identifier: MIT
set -eu
source=$1 build=$2 cc=$3 cxx=$4
root=$build/installed
rm -rf "$root" "$build/installed-user"
mkdir -p "$build/installed-user"
cmake --install "$build" --prefix "$root" >"$build/installed-user/install.log"
folder=$(dirname "$(find "$root" -name 'libdalle.so')")

# Nothing but dalle.h's names may be seen from outside.
others=$(nm -D --defined-only "$folder/libdalle.so" | awk '{ print $NF }' | grep -v '^dalle_' || true)
[ -z "$others" ] || { echo "libdalle.so shows more than dalle.h:" $others; exit 1; }

cd "$build/installed-user"
export PKG_CONFIG_PATH="$folder/pkgconfig"
flags=$(pkg-config --cflags --libs dalle)
warnings="-Wall -Wextra -Wpedantic -Werror"
example=$(find "$root" -name draw.c)
# shellcheck disable=SC2086
"$cc" -std=c11 $warnings "$example" $flags -Wl,-rpath,"$folder" -o draw_c
# shellcheck disable=SC2086
"$cxx" -std=c++17 $warnings -x c++ "$example" -x none $flags -Wl,-rpath,"$folder" -o draw_cxx

cat >CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.25)
project(user C)
find_package(dalle 0.1 REQUIRED)
add_executable(draw_cmake $example)
target_link_libraries(draw_cmake PRIVATE dalle::dalle)
END
cmake -S . -B cmake -DCMAKE_PREFIX_PATH="$root" -DCMAKE_C_COMPILER="$cc" >cmake.log
cmake --build cmake >>cmake.log
cp cmake/draw_cmake .

# The manual and the completions are what the program prints.
for file in share/man/man1/dalle-cl.1 share/bash-completion/completions/dalle-cl \
    share/zsh/site-functions/_dalle-cl share/fish/vendor_completions.d/dalle-cl.fish; do
    [ -s "$root/$file" ] || { echo "$file is missing or empty"; exit 1; }
done
bash -n "$root/share/bash-completion/completions/dalle-cl"

# Mistakes are values with a message, and a status for the caller's exit.
for program in draw_c draw_cxx draw_cmake; do
    status=0
    ./$program ./no-such-model "a heart" out.png 2>message || status=$?
    [ "$status" -ne 0 ] && [ "$status" -lt 3 ] || { echo "$program: exit status $status for a missing model"; exit 1; }
    grep -q no-such-model message || { echo "$program: '$(cat message)' does not name the missing model"; exit 1; }
done

"$root/bin/dalle-cl" devices >devices.log 2>&1 || { echo "skipped the drawing: no usable OpenCL device"; exit 77; }
[ -f "$source/models/demo/model.json" ] || { echo "skipped the drawing: models/demo is not there"; exit 77; }
model=$root/share/dalle-cl/models/demo
for program in draw_c draw_cxx draw_cmake; do
    ./$program "$model" "a green heart" $program.png
    [ "$(head -c 4 $program.png | tail -c 3)" = PNG ] || { echo "$program wrote no picture"; exit 1; }
done
cmp draw_c.png draw_cxx.png
cmp draw_c.png draw_cmake.png
