# host.sh -- this machine, and which C library and libraries the kit's programs run with.  Read by parts.sh.
# A driver was built against the host's libraries, the programs against the kit's; of each the newer one serves both.
# So made/lib is made of links, and the loader that fits that C library is written into the programs.
# SPDX-License-Identifier: MIT

# version_of LIBC: such as 2.36, read from the file, which is not run.
version_of() {
    [ -f "$1" ] || return 0
    strings "$1" | sed -n 's/^GNU C Library .*version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1
}

# newer A B: whether version A is newer than B.
newer() {
    [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | tail -n 1)" = "$1" ]
}

host_facts() {
    system=$(sed -n 's/^PRETTY_NAME=//p' /etc/os-release 2>/dev/null | tr -d '"')
    row host system "${system:-unknown}"
    row host kernel "$(uname -r)"
    row host processor "$(sed -n 's/^model name[ \t]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1), $(nproc) usable"
    row host memory "$(awk '/^MemTotal/ { t = $2 } /^MemAvailable/ { a = $2 } END { printf "%.1f GiB, %.1f free", t / 1048576, a / 1048576 }' /proc/meminfo 2>/dev/null)"
    row host "load when it began" "$(cut -d ' ' -f 1-3 /proc/loadavg 2>/dev/null), in the mean of 1, 5 and 15 minutes"
    smi=$(PATH=$HOST_PATH command -v nvidia-smi) || return 0
    program 15 smi "$smi" --query-gpu=name,driver_version,memory.total,memory.used,clocks.max.sm,power.limit,utilization.gpu \
        --format=csv,noheader || true
    row host nvidia-smi "$HOW: $(head -n 4 "$WORK/logs/smi" | tr '\n' ';')"
}

# The host's loader and C library stand in one folder; musl and others have none that can serve.
host_loader() {
    for candidate in /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 /usr/lib64/ld-linux-x86-64.so.2 \
        /usr/lib/ld-linux-x86-64.so.2; do
        [ -e "$candidate" ] || continue
        HOST_LOADER=$(readlink -f "$candidate")
        HOST_LIBRARIES=${HOST_LOADER%/*}
        HOST_LIBC=$(version_of "$HOST_LIBRARIES/libc.so.6")
        [ -z "$HOST_LIBC" ] || return 0
    done
    HOST_LOADER='' HOST_LIBRARIES='' HOST_LIBC=''
    return 1
}

# file_version FILE: what follows .so. in the name that links end at.
file_version() { readlink -f "$1" | sed -n 's/.*\.so\.//p'; }

# host_library NAME: the host's file of that name, if it is to be used. Of two that are as new the one that fits the
# C library is. libgcc_s has no version in its name, and comes with libstdc++.
host_library() {
    by=$1
    [ "$by" != libgcc_s.so.1 ] || by=libstdc++.so.6
    for folder in "$HOST_LIBRARIES" /usr/lib/x86_64-linux-gnu /lib/x86_64-linux-gnu /usr/lib64 /usr/lib; do
        [ -e "$folder/$1" ] && [ -e "$folder/$by" ] || continue
        ours=$(file_version "$KIT/lib/$by") its=$(file_version "$folder/$by")
        if newer "$its" "$ours" || { [ "$its" = "$ours" ] && [ "$loader" = "$HOST_LOADER" ]; }; then echo "$folder/$1"; fi
        return
    done
}

host_libraries() {
    links=$WORK/lib loader=$KIT/libc/ld-linux-x86-64.so.2 theirs=
    rm -rf "$links"
    mkdir -p "$links"
    ln -s "$KIT"/lib/* "$links/"
    KIT_LIBC=$(version_of "$KIT/libc/libc.so.6")
    if host_loader && ! newer "$KIT_LIBC" "$HOST_LIBC"; then
        loader=$HOST_LOADER
    else
        ln -s "$KIT"/libc/*.so* "$links/"
    fi
    if [ -n "$HOST_LIBRARIES" ]; then
        for name in $(cat "$KIT/scripts/shared.txt"); do
            file=$(host_library "$name")
            [ -e "$links/$name" ] && [ -n "$file" ] || continue
            ln -sf "$file" "$links/$name"
            theirs="$theirs $name"
        done
    fi
    row host "C library" "the host's ${HOST_LIBC:-is none of GNU}, the kit's $KIT_LIBC; used: $loader"
    row host "other libraries of the host" "${theirs:-none}"
    kit-interp "$loader" "$KIT"/bin/* 2>"$WORK/logs/interp" || {
        wrong loader "$(head -n 1 "$WORK/logs/interp")"
        return 1
    }
    program 20 version "$KIT/bin/dalle-cl" --version || {
        wrong program "does not start: $HOW, $(last_line version)"
        return 1
    }
}
