# stacks.sh -- the OpenCL implementations that the tests run on: installing them, and running a command on
# one of them.  Read by ci/dev, in the repository's root; `need` is there.
#   host      no stack: what needs no device, or one only in passing (PoCL)
#   pocl      Debian's PoCL: OpenCL C 1.2, no half, no subgroups
#   intel     Intel's CPU runtime, from Python wheels: half, subgroups, another scheduler
#   rusticl   Mesa's driver on llvmpipe: built like a GPU's
#   oclgrind  Debian's simulator, which reports races and accesses out of bounds
#   two       two drivers in one process
# SPDX-License-Identifier: MIT

STACKS="host pocl intel rusticl oclgrind two"
STACKS_FOLDER=$(pwd)/build/stacks
INTEL_WHEELS="intel-opencl-rt==2026.2.0 intel-cmplr-lib-rt==2026.2.0"

# A stack that is not there has a file that says why.
stack_missing() {
    cat "$STACKS_FOLDER/$1.missing" 2>/dev/null
}

stack_fails() {
    echo "$2" >"$STACKS_FOLDER/$1.missing"
    echo "$1: not installed: $2" >&2
    return 1
}

# stack_vendors NAME ICD...: the folder whose drivers, and no others, a stack's programs see.
stack_vendors() {
    folder=$STACKS_FOLDER/vendors/$1
    shift
    mkdir -p "$folder"
    rm -f "$folder"/*.icd
    for icd in "$@"; do
        [ -f "$icd" ] && cp "$icd" "$folder" || return 1
    done
}

# on_stack NAME COMMAND...
on_stack() {
    driver=$1
    shift
    case $driver in
        host | oclgrind) driver=pocl ;;
    esac
    env -u OCL_ICD_FILENAMES -u DALLE_CL_DEVICE OCL_ICD_VENDORS="$STACKS_FOLDER/vendors/$driver" \
        RUSTICL_ENABLE=llvmpipe "$@"
}

install_pocl() {
    need pocl-opencl-icd
    stack_vendors pocl /etc/OpenCL/vendors/pocl.icd || stack_fails pocl "its package brings no pocl.icd"
}

install_oclgrind() {
    need oclgrind
}

install_rusticl() {
    (need mesa-opencl-icd) || { stack_fails rusticl "apt-get could not install mesa-opencl-icd"; return; }
    stack_vendors rusticl /etc/OpenCL/vendors/rusticl.icd ||
        stack_fails rusticl "this system's mesa-opencl-icd has no rusticl (Debian 12's has)"
}

# The wheels' own OpenCL loader would be found before the system's, so it goes; icx-lto.so is only a compiler's.
fetch_intel() {
    folder=$STACKS_FOLDER/intel
    [ "$(cat "$folder/wheels" 2>/dev/null)" != "$INTEL_WHEELS" ] || return 0
    [ "$(uname -m)" = x86_64 ] || { stack_fails intel "there are wheels for x86_64 only"; return; }
    python3 -c 'import ensurepip, venv' 2>/dev/null || (need python3-venv) ||
        { stack_fails intel "apt-get could not install python3-venv"; return; }
    echo "fetching $INTEL_WHEELS"
    rm -rf "$folder"
    # shellcheck disable=SC2086
    if ! { python3 -m venv "$folder" && "$folder/bin/pip" install --quiet --no-cache-dir $INTEL_WHEELS; } \
        >"$STACKS_FOLDER/intel.log" 2>&1; then
        stack_fails intel "pip could not install the wheels: $(tail -n 1 "$STACKS_FOLDER/intel.log")"
        return
    fi
    rm -f "$folder"/lib/libOpenCL.so* "$folder"/lib/icx-lto.so "$folder"/lib/*_debug.so*
    echo "$INTEL_WHEELS" >"$folder/wheels"
}

install_intel() {
    fetch_intel || return
    library=$STACKS_FOLDER/intel/lib/libintelocl.so
    [ -f "$library" ] || { stack_fails intel "the wheels bring no lib/libintelocl.so"; return; }
    echo "$library" >"$STACKS_FOLDER/intel.icd"
    stack_vendors intel "$STACKS_FOLDER/intel.icd"
}

# PoCL with another: Intel's if it is there.
install_two() {
    for other in intel rusticl; do
        "install_$other" || continue
        stack_vendors two "$STACKS_FOLDER"/vendors/pocl/*.icd "$STACKS_FOLDER/vendors/$other"/*.icd
        return
    done
    stack_fails two "only one driver is installed"
}

# stacks_install NAME...: a failure is remembered; only PoCL and Oclgrind are required.
stacks_install() {
    mkdir -p "$STACKS_FOLDER"
    for stack in "$@"; do
        rm -f "$STACKS_FOLDER/$stack.missing"
        case $stack in
            host) continue ;;
            pocl | oclgrind) "install_$stack" ;;
            *) "install_$stack" || continue ;;
        esac
        echo "$stack: installed"
    done
}
