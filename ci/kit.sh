# kit.sh -- packs all that is built so that a stranger's GPU can be tried with it: dalle-cl-kit.tar.xz.  Read by ci/dev.
# The kit's layout: run, version, bin/ programs, lib/ their libraries, libc/ loader and C library, tools/ busybox and what
# is linked statically, scripts/ (ci/kit), tests/ golden files and the list, agree/ what PoCL computes, model/, emoji.tar,
# licences/ of the packages that parts are from.
# SPDX-License-Identifier: MIT

KIT_PACKAGES="busybox-static patchelf xz-utils icu-devtools fonts-noto-color-emoji unicode-cldr-core unicode-data"
KIT_MOST=$((48 << 20))
# Minutes of each reference training on the CPU, and what it and the kit's own trainings change of the preset.
KIT_REFERENCE_MINUTES=${KIT_REFERENCE_MINUTES:-3}
KIT_TRAIN_OPTIONS="--set log_every=10"
KIT_PICTURES=600
KIT_TESTS='/tests/test_(device|graph|ops|nn|train|models|api|measure|eval)_[a-z0-9_]*$'
# Of those, what opens no device.
KIT_NO_DEVICE='_(eval_(figures|frechet|inception_score|mmd)|train_(schedule|tensorboard)|models_(data|text|embedding)|api_(locale|mask))$'
# Drivers link these, too; the newer of the host's and ours serves both (ci/kit/host.sh).
KIT_SHARED='^lib(stdc\+\+|gcc_s|z|zstd|lzma|bz2|lz4|xml2|expat|X11|Xext|Xrender|Xau|Xdmcp|xcb.*|bsd|md|glib-2\.0|pcre2-8|icu.*|hwloc|udev|ffi|uuid)\.so'
# All of GNU's C library that another version of would not fit beside.
KIT_LIBC="ld-linux-x86-64 libc libm libdl libpthread librt libutil libresolv libanl libmvec libnss_files libnss_dns libnss_compat"
# Of these, what every version has.
KIT_EARLY="libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libutil.so.1 libresolv.so.2 libgcc_s.so.1 libstdc++.so.6"
KIT_RPATH='$ORIGIN/../made/lib'

# kit_list BUILD: the device tests that are a program without arguments, and whether they keep what they compile.
kit_list() {
    ctest --test-dir "$1" -N -V -LE '^(base|data|lint|kernels|faults|install|host|oclgrind|two|gpu|slow|cli|agree)$' |
        awk -v wanted="$KIT_TESTS" -v left_out="$KIT_NO_DEVICE" '
            /^[0-9]+: Test command: / { name = $4; good = NF == 4 && name ~ wanted && name !~ left_out; cache = "kept"; sub(/.*\/test_/, "", name) }
            /^[0-9]+:  DALLE_CL_CACHE=off$/ { cache = "off" }
            /^  Test +#/ && good { print name "\t" cache; good = 0 }' |
        awk '{ room = $1; sub(/_.*/, "", room); print index("device graph ops nn train models api measure eval", room) "\t" $0 }' |
        sort -s -n -k 1,1 | cut -f 2-
}

# kit_set MADE: emoji as the trainings see them, 64 pixels wide, and no more of them than there is room for.
kit_set() {
    [ ! -f "$1/emoji.tar" ] || return 0
    rm -rf "$1/emoji-large.tar" "$1/emoji"
    "$BUILT/dalle-cl" data emoji -o "$1/emoji-large.tar"
    "$BUILT/dalle-cl" data pack "$1/emoji-large.tar" -o "$1/emoji" --size 64 --shard-size $KIT_PICTURES
    mv "$1/emoji/shard-000000.tar" "$1/emoji.tar"
    rm -rf "$1/emoji-large.tar" "$1/emoji"
}

# kit_record MADE: what PoCL computes, with this build.
kit_record() {
    now=$(sha256sum <"$BUILT/dalle-cl" | cut -c 1-64)
    [ "$(cat "$1/recorded" 2>/dev/null)" != "$now $KIT_REFERENCE_MINUTES" ] || return 0
    rm -rf "$1/agree" "$1/dvae" "$1/prior" "$1/recorded"
    mkdir -p "$1/agree"
    echo "recording what PoCL computes, for comparison"
    "$BUILT/tests/agree_record" "$1/agree" full
    for what in demo caption; do "$BUILT/tests/agree_record" "$1/agree" $what models/demo; done
    echo "$KIT_TRAIN_OPTIONS" >"$1/agree/train.options"
    for kind in dvae prior; do
        from=
        [ $kind = dvae ] || from="--dvae models/demo"
        # shellcheck disable=SC2086
        "$BUILT/dalle-cl" train $kind --preset emoji --data "$1/emoji.tar" $from --run "$1/$kind" \
            --minutes "$KIT_REFERENCE_MINUTES" $KIT_TRAIN_OPTIONS
        cp "$1/$kind/metrics.jsonl" "$1/agree/train-$kind.jsonl"
    done
    rm -rf "$1/dvae" "$1/prior"
    echo "$now $KIT_REFERENCE_MINUTES" >"$1/recorded"
}

kit_programs() {
    cp "$BUILT/dalle-cl" "$BUILT/tests/agree_record" "$BUILT/tests/agree_compare" "$1/bin/"
    while read -r name _; do cp "$BUILT/tests/test_$name" "$1/bin/"; done <"$1/tests/list"
    flags="-std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
    # shellcheck disable=SC2086
    for tool in step interp; do ${CC:-cc} $flags -static ci/kit/$tool.c -o "$1/tools/kit-$tool"; done
    # shellcheck disable=SC2086
    ${CC:-cc} $flags -DCL_TARGET_OPENCL_VERSION=120 ci/kit/icd.c -o "$1/bin/kit-icd" -ldl
    # shellcheck disable=SC2086
    ${CC:-cc} $flags ci/kit/probe.c -o "$1/bin/kit-probe" -lOpenCL
    strip --strip-unneeded "$1"/bin/* "$1"/tools/*
    cp "$(command -v busybox)" "$1/tools/"
    ! ldd "$1/tools/busybox" >/dev/null 2>&1 || { echo "busybox is not linked statically: install busybox-static" >&2; return 1; }
}

# Of ICU's 30 MiB of data, most of them languages' and none of them used here, what is kept: normal forms and aliases.
KIT_ICU='^(cnvalias|ulayout|uemoji)\.icu$|^(nfkc|nfkc_cf|uts46)\.nrm$'

# kit_icu LIBRARY FOLDER: the library of ICU's data anew, in its place, with that alone.
kit_icu() {
    version=$(echo "${1##*/}" | sed 's/libicudata\.so\.\([0-9]*\).*/\1/')
    rm -rf "$2"
    mkdir -p "$2/less"
    objcopy -O binary --only-section=.rodata "$1" "$2/icudt${version}l.dat"
    PATH=$PATH:/usr/sbin icupkg -l "$2/icudt${version}l.dat" | grep -vE "$KIT_ICU" >"$2/left-out.txt"
    PATH=$PATH:/usr/sbin icupkg -r "$2/left-out.txt" "$2/icudt${version}l.dat" "$2/less/icudt${version}l.dat"
    printf '.section .rodata\n.balign 16\n.global %s\n.type %s, @object\n%s: .incbin "%s"\n.size %s, . - %s\n%s\n' \
        "icudt${version}_dat" "icudt${version}_dat" "icudt${version}_dat" "$2/less/icudt${version}l.dat" \
        "icudt${version}_dat" "icudt${version}_dat" '.section .note.GNU-stack,"",@progbits' >"$2/data.s"
    ${CC:-cc} -shared -nostdlib -Wl,-soname,"libicudata.so.$version" -o "$1" "$2/data.s"
}

# Libraries are found beside the programs, whoever asks for them, and the environment of what they start is not touched.
kit_libraries() {
    for program in "$1"/bin/*; do ldd "$program"; done | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u >"$1/../libraries"
    while read -r file; do
        name=${file##*/}
        case " $KIT_LIBC " in *" ${name%%.so*} "*) continue ;; esac
        whole=$(readlink -f "$file")
        # The name that links end at tells versions apart.
        cp "$whole" "$1/lib/"
        [ "${whole##*/}" = "$name" ] || ln -s "${whole##*/}" "$1/lib/$name"
    done <"$1/../libraries"
    for file in "$1"/lib/libicudata.so.*; do [ -L "$file" ] || kit_icu "$file" "$1/../icu"; done
    libc=$(dirname "$(readlink -f "$(awk '/\/libc\.so\.6$/' "$1/../libraries")")")
    for name in $KIT_LIBC; do
        for file in "$libc/$name".so.*; do [ ! -e "$file" ] || cp -L "$file" "$1/libc/"; done
    done
    ls "$1/lib" | grep -E "$KIT_SHARED" | grep -E '\.so\.[0-9]+$' >"$1/scripts/shared.txt"
    # ICU's sonames hold its version, and its parts fit only one another.
    sed -i '/^libicu/d' "$1/scripts/shared.txt"
    # A library that says where its own are looked for would find none there.
    for file in "$1"/lib/*.so.*; do
        [ -L "$file" ] || [ -z "$(patchelf --print-rpath "$file")" ] || patchelf --remove-rpath "$file"
    done
    # What a driver's own library needs is looked for where that library says. So that it gets the C library and C++'s that
    # were chosen, all of them are loaded at start.
    early=
    for name in $KIT_EARLY; do early="$early --add-needed $name"; done
    for program in "$1"/bin/*; do
        # Both at once spoil the path: patchelf 0.14.
        # shellcheck disable=SC2086
        patchelf $early "$program"
        patchelf --force-rpath --set-rpath "$KIT_RPATH" "$program"
        [ "$(patchelf --print-rpath "$program")" = "$KIT_RPATH" ] || { echo "patchelf spoilt $program" >&2; return 1; }
    done
}

kit_texts() {
    cp ci/kit/*.sh ci/kit/*.awk ci/kit/bench.txt ci/kit/torch_gpu.py tools/bench_torch.py tools/bench_models.py "$1/scripts/"
    cp ci/kit/run LICENSE "$1/"
    cp -R tests/golden tests/data "$1/tests/"
    cp "$2"/agree/* "$1/agree/"
    cp models/demo/* "$1/model/"
    cp "$2/emoji.tar" "$1/"
    chmod -R u+w "$1"
    echo "dalle-cl $(git describe --always --dirty 2>/dev/null || echo 'of unknown commit'), kernels" \
        "$(cat cl/*.clh cl/*/*.cl | sha256sum | cut -c 1-16), packed $(date -u +%Y-%m-%d)" >"$1/version"
}

# kit_licences KIT: of the packages that the libraries and busybox are from.
kit_licences() {
    mkdir -p "$1/licences"
    # A library is its package's, or an alternative that leads to one, and /lib may be /usr/lib; patterns take minutes.
    while read -r file; do echo "$file"; readlink -f "$file"; done <"$1/../libraries" |
        sed 'p; s|^/lib/|/usr/lib/|; t; s|^/usr/lib/|/lib/|' | sort -u | xargs dpkg -S 2>/dev/null |
        sed 's/:.*//' | sort -u | while read -r package; do
        [ ! -f "/usr/share/doc/$package/copyright" ] || cp "/usr/share/doc/$package/copyright" "$1/licences/$package"
    done
    cp /usr/share/doc/busybox-static/copyright "$1/licences/busybox-static"
}

# kit_pack MADE OUTPUT: many programs hold the same objects, of which a dictionary larger than all of them keeps one copy.
kit_pack() {
    kit=$1/dalle-cl-kit
    rm -rf "$kit"
    for folder in bin lib libc tools scripts tests agree model; do mkdir -p "$kit/$folder"; done
    kit_list "$BUILT" >"$kit/tests/list"
    [ -s "$kit/tests/list" ] || { echo "no device tests are built" >&2; return 1; }
    kit_programs "$kit"
    kit_libraries "$kit"
    kit_texts "$kit" "$1"
    kit_licences "$kit"
    tar -C "$1" --sort=name --owner=0 --group=0 -cf - dalle-cl-kit |
        xz -T1 --lzma2=preset=6,dict=256MiB >"$2.tmp"
    size=$(wc -c <"$2.tmp")
    [ "$size" -le $KIT_MOST ] || { echo "$2 would have $size bytes; at most $KIT_MOST are allowed" >&2; return 1; }
    mv "$2.tmp" "$2"
    echo "$2: $((size >> 20)) MiB, $(wc -l <"$kit/tests/list") device tests"
}

# kit: in the repository's root.
kit() {
    [ "$(uname -m)" = x86_64 ] || { echo "the kit is packed on x86-64 only" >&2; return 1; }
    # shellcheck disable=SC2086
    need $BUILD_PACKAGES $KIT_PACKAGES
    stacks_install pocl
    build build -DCMAKE_BUILD_TYPE="$BUILD_TYPE" -DBUILD_TESTING=ON
    BUILT=build
    mkdir -p build/kit
    kit_set build/kit
    export OCL_ICD_VENDORS="$STACKS_FOLDER/vendors/pocl"
    kit_record build/kit
    kit_pack build/kit dalle-cl-kit.tar.xz
}
