# drivers.sh -- the OpenCL drivers of this machine, each tried in a process of its own; those that crash, hang or do
# not load are reported and left out, the others go on.  Read by parts.sh.
# SPDX-License-Identifier: MIT

VENDORS=$WORK/vendors
# Where drivers lie that no .icd file names, as in containers.
DRIVER_FOLDERS="/usr/local/nvidia/lib64 /usr/local/nvidia/lib /usr/lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu/intel-opencl
    /usr/lib64 /usr/lib64/intel-opencl /usr/lib /usr/lib/wsl/lib /run/opengl-driver/lib /opt/rocm/lib /opt/rocm/opencl/lib"
DRIVER_NAMES="libnvidia-opencl.so.1 libamdocl64.so libigdrcl.so libRusticlOpenCL.so.1"

icd_files() {
    if [ -n "${OCL_ICD_FILENAMES:-}" ]; then echo "$OCL_ICD_FILENAMES" | tr : '\n'; fi
    for place in ${OCL_ICD_VENDORS:-${OPENCL_VENDOR_PATH:-/etc/OpenCL/vendors /run/opengl-driver/etc/OpenCL/vendors}}; do
        if [ -d "$place" ]; then ls "$place"/*.icd 2>/dev/null; elif [ -f "$place" ]; then echo "$place"; fi
    done
}

# A file that names a library, or the library itself.
icd_library() {
    case $1 in
        *.icd) head -n 1 "$1" | tr -d ' \r' ;;
        *) echo "$1" ;;
    esac
}

driver_add() {
    [ -n "$1" ] && ! grep -qxF "$1" "$RESULTS/found" || return 0
    echo "$1" >>"$RESULTS/found"
}

drivers_find() {
    : >"$RESULTS/found"
    for folder in /usr/local/nvidia/lib64 /usr/local/nvidia/lib /usr/lib/wsl/lib; do
        [ ! -d "$folder" ] || LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder
    done
    [ -z "${LD_LIBRARY_PATH:-}" ] || export LD_LIBRARY_PATH
    for file in $(icd_files); do driver_add "$(icd_library "$file")"; done
    # Whoever says which drivers to take means those alone.
    [ -z "${OCL_ICD_VENDORS:-}${OCL_ICD_FILENAMES:-}" ] || return 0
    for name in $DRIVER_NAMES; do
        grep -q "\(^\|/\)$name" "$RESULTS/found" && continue
        for folder in $DRIVER_FOLDERS; do
            [ -e "$folder/$name" ] && driver_add "$folder/$name" && break
        done
    done
}

# driver_works LIBRARY FOLDER: loads, and its devices can be listed, alone.
driver_works() {
    program "$(driver_limit 6 5)" icd "$KIT/bin/kit-icd" "$1" || { WHY="loading it: $HOW: $(last_line icd)"; return 1; }
    WHY=$(last_line icd)
    echo "$1" >"$2/driver.icd"
    OCL_ICD_VENDORS=$2 DALLE_CL_DEVICE='' program "$(driver_limit 20 12)" icd-devices "$KIT/bin/dalle-cl" devices --json ||
        { WHY="listing its devices: $HOW: $(last_line icd-devices)"; return 1; }
}

# driver_limit PERCENT LEAST: a driver that hangs may not take the time of all others; one that compiles needs some.
driver_limit() {
    limit=$(share "$1")
    [ "$limit" -ge "$2" ] || limit=$2
    [ "$limit" -le 45 ] || limit=45
    echo "$limit"
}

drivers_looked() {
    if [ -s "$RESULTS/found" ]; then
        echo "tried: $(tr '\n' ' ' <"$RESULTS/found")"
    else
        echo "none is registered in ${OCL_ICD_VENDORS:-/etc/OpenCL/vendors}, and no library of NVIDIA's, AMD's, Intel's or Mesa's lies where drivers do"
    fi
}

drivers_try() {
    rm -rf "$VENDORS" "$WORK/runs/alone"
    mkdir -p "$VENDORS" "$WORK/runs/alone"
    number=0
    while read -r library; do
        number=$((number + 1))
        if driver_works "$library" "$WORK/runs/alone"; then
            echo "$library" >"$VENDORS/$number.icd"
            row drivers "$library" works "$WHY"
        else
            row drivers "$library" "left out" "$WHY"
            echo "driver $library: left out: $WHY"
        fi
    done <"$RESULTS/found"
    export OCL_ICD_VENDORS="$VENDORS"
    unset OCL_ICD_FILENAMES OPENCL_VENDOR_PATH
    ls "$VENDORS"/*.icd >/dev/null 2>&1 || [ -n "$THROUGH_CUDA" ] ||
        wrong drivers "no OpenCL driver that works was found; $(drivers_looked)"
}
