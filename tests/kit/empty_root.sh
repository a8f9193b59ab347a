#!/bin/sh
# empty_root.sh KIT FOLDER CASE [OPTION]... -- runs a copy of an unpacked kit in a root folder that holds nothing else but
# a shell and a driver, and leaves its report in FOLDER. CASE says which drivers and C library are there:
#     pocl      PoCL and what it needs, with this machine's C library
#     none      no driver and no C library
#     crashes   PoCL, a driver that crashes when it is loaded, one that hangs, one that is no library
#     old       PoCL over an older system, the folder $OLD_ROOT: packages libc6, libc6-dev, libstdc++6, libgcc-10-dev and
#               binutils of Debian 11, unpacked; PoCL's own child, the linker, runs with that C library
# SPDX-License-Identifier: MIT
set -eu
kit=$1 folder=$2 case=$3
shift 3
root=$folder/root
[ -x "$kit/run" ] || { echo "skipped: $kit is not there; ./ci/dev kit makes it"; exit 77; }
unshare -m true 2>/dev/null || { echo "skipped: no right to make a namespace (root is needed)"; exit 77; }

rm -rf "$folder"
mkdir -p "$root/bin" "$root/etc/OpenCL/vendors" "$root/tmp" "$root/proc" "$root/dev" "$root/sys" "$root/lib64"
cp -R "$kit" "$root/kit"
rm -rf "$root/kit/made"
cp "$kit/tools/busybox" "$root/bin/sh"

# take FILE: into the root at the same place, and the libraries that it names.
take() {
    mkdir -p "$root${1%/*}"
    cp -L "$1" "$root$1"
    for library in $(ldd "$1" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 }'); do
        [ ! -e "$root$library" ] || continue
        mkdir -p "$root${library%/*}"
        # Under the name that tells its version, as a package has it.
        whole=$(readlink -f "$library")
        cp "$whole" "$root${library%/*}/${whole##*/}"
        [ -e "$root$library" ] || ln -s "${whole##*/}" "$root$library"
    done
}

# The driver loads its own helpers by path, so all that its packages hold comes along.
take_pocl() {
    driver=$(head -n 1 /etc/OpenCL/vendors/pocl.icd)
    case $driver in
        /*) ;;
        *) driver=$(find /usr/lib /lib -name "$driver" 2>/dev/null | head -n 1) ;;
    esac
    take "$driver"
    for package in libpocl2 libpocl2-common libclang-common-14-dev; do
        dpkg -L "$package" 2>/dev/null | while read -r file; do
            case $file in *.bc | */pocl/* | */clang/*/include/*.h) [ ! -f "$file" ] || { mkdir -p "$root${file%/*}"; cp "$file" "$root$file"; } ;; esac
        done
    done
    echo "$driver" >"$root/etc/OpenCL/vendors/pocl.icd"
}

# This driver links what it compiles by the system's linker, with the C library, which every machine has whole.
take_system() {
    take "$(readlink -f /usr/bin/ld)"
    ln -s "$(readlink -f /usr/bin/ld)" "$root/usr/bin/ld"
    for file in /usr/lib/gcc/x86_64-linux-gnu/*/crt*S.o /usr/lib/gcc/x86_64-linux-gnu/*/crtbegin.o \
        /usr/lib/gcc/x86_64-linux-gnu/*/libgcc.a /usr/lib/gcc/x86_64-linux-gnu/*/libgcc_s.so \
        /usr/lib/x86_64-linux-gnu/crt*.o /usr/lib/x86_64-linux-gnu/lib[cm].so /usr/lib/x86_64-linux-gnu/libmvec.so* \
        /usr/lib/x86_64-linux-gnu/libc_nonshared.a; do
        mkdir -p "$root${file%/*}"
        cp -L "$file" "$root$file"
    done
    dpkg -L libc6 | grep '^/lib/x86_64-linux-gnu/.*\.so' | while read -r file; do cp -L "$file" "$root$file"; done
    ln -s ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$root/lib64/ld-linux-x86-64.so.2"
}

# bad_driver NAME BODY: a library whose loading does BODY.
bad_driver() {
    echo "#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void load(void) { $2; }" >"$folder/$1.c"
    ${CC:-cc} -shared -fPIC "$folder/$1.c" -o "$root/lib/$1.so"
    echo "/lib/$1.so" >"$root/etc/OpenCL/vendors/$1.icd"
}

mkdir -p "$root/lib"
case $case in
    none) ;;
    pocl)
        take_pocl
        take_system
        ;;
    crashes)
        take_pocl
        take_system
        bad_driver aborts 'abort()'
        bad_driver hangs 'for (;;) pause()'
        cp "$kit/LICENSE" "$root/lib/text.so"
        echo /lib/text.so >"$root/etc/OpenCL/vendors/text.icd"
        ;;
    old)
        [ -d "${OLD_ROOT:-}" ] || { echo "skipped: \$OLD_ROOT names no folder with an older system's files"; exit 77; }
        take_pocl
        cp -a --remove-destination "$OLD_ROOT/." "$root/"
        ;;
    *) echo "unknown case '$case'"; exit 2 ;;
esac

status=0
began=$(date +%s)
env -i PATH=/usr/bin:/bin HOME=/ unshare -m -p -f /bin/sh -c '
    mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && mount --rbind /sys "$0/sys" || exit 99
    exec /usr/sbin/chroot "$0" /kit/run "$@"' "$root" "$@" >"$folder/log" 2>&1 || status=$?
took=$(($(date +%s) - began))
cp "$root/kit/report.md" "$root/kit/report.json" "$folder/" || { cat "$folder/log"; echo "no report"; exit 1; }

fail() { cat "$folder/log" "$folder/report.md"; echo "$1"; exit 1; }
says() { grep -qE -- "$1" "$folder/report.md" || fail "report.md does not say: $1"; }
minutes=$(sed -n 's/^- .* after .* s of \([0-9]*\) minutes$/\1/p' "$folder/report.md")
[ "$took" -le $((minutes * 60)) ] || fail "it took $took s of $minutes minutes"
case $case in
    none)
        says 'no OpenCL driver that works was found'
        [ $status -eq 1 ] || fail "status $status"
        ;;
    *)
        says '^\| [^ ]*libpocl\.so[^ ]* \| works \|'
        says '^\| device_[a-z]* \| ok \|'
        ;;
esac
case $case in
    crashes)
        says '^\| /lib/aborts\.so \| left out \| loading it: crashed-ABRT'
        says '^\| /lib/hangs\.so \| left out \| loading it: late'
        says '^\| /lib/text\.so \| left out \| .*invalid ELF header'
        ;;
    none | old) says '^\| C library \|.*used: /kit/libc/' ;;
esac
echo "exit status $status after $took s"
