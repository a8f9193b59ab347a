# cuda.sh -- NVIDIA's CUDA on this machine: where its libraries lie, and what is tried through it beside OpenCL, with a
# report of its own in $RESULTS/cuda.  Read by parts.sh.
# OpenCL's parts see a folder without such libraries, so that "gpu" is the OpenCL device; the others one of links.
# SPDX-License-Identifier: MIT

CUDA_DRIVERS="/usr/local/nvidia/lib64 /usr/lib/x86_64-linux-gnu /usr/lib64 /usr/lib /usr/lib/wsl/lib /run/opengl-driver/lib"
CUDA_TOOLKITS="/usr/local/cuda/lib64 /usr/local/cuda/targets/x86_64-linux/lib /opt/cuda/lib64 /usr/lib/x86_64-linux-gnu /usr/lib64"

# The folders of pip's packages of NVIDIA, which come with PyTorch.
cuda_python() {
    python=$(PATH=$HOST_PATH command -v python3) || return 0
    program 20 cuda-python "$python" -c 'import sys; print("\n".join(p for p in sys.path if p))' || return 0
    while read -r place; do ls -d "$place"/nvidia/*/lib 2>/dev/null; done <"$WORK/logs/cuda-python"
}

# cuda_link FOLDER NAME...: what is not linked yet.
cuda_link() {
    place=$1
    shift
    for name in "$@"; do
        for file in "$place/$name".so*; do
            [ ! -e "$file" ] || [ -e "$WORK/cuda/${file##*/}" ] || ln -s "$file" "$WORK/cuda/${file##*/}"
        done
    done
}

# Whether there is a driver and a compiler; products are made without cuBLASLt, too. Who names a folder means that alone.
cuda_find() {
    named=${DALLE_CL_CUDA_LIBRARIES:-}
    rm -rf "$WORK/cuda" "$WORK/no-cuda"
    mkdir -p "$WORK/cuda" "$WORK/no-cuda"
    for place in ${named:-$CUDA_DRIVERS}; do cuda_link "$place" libcuda; done
    export DALLE_CL_CUDA_LIBRARIES="$WORK/no-cuda"
    [ -e "$WORK/cuda/libcuda.so.1" ] || { CUDA_WHY="no libcuda.so.1 in ${named:-$CUDA_DRIVERS}"; return 1; }
    looked=${named:-$CUDA_TOOLKITS $(cuda_python | tr '\n' ' ')}
    for place in $looked; do cuda_link "$place" libnvrtc libnvrtc-builtins libcublasLt; done
    row host "CUDA's libraries" "$(ls "$WORK/cuda" | tr '\n' ' ')"
    ls "$WORK/cuda"/libnvrtc.so* >/dev/null 2>&1 || { CUDA_WHY="no libnvrtc.so in $looked"; return 1; }
}

cuda_use() { export DALLE_CL_CUDA_LIBRARIES="$WORK/cuda"; }

# cuda_begin: from here on all goes through CUDA, into its own report; whether it has a usable device.
cuda_begin() {
    [ -d "$RESULTS/cuda" ] || { mkdir -p "$RESULTS/cuda"; cp "$KIT/version" "$KIT/tests/list" "$RESULTS/cuda"; }
    RESULTS=$RESULTS/cuda DALLE_CL_DEVICE=cuda
    export RESULTS DALLE_CL_DEVICE
    cuda_use
}

# In a process of its own, so that OpenCL's parts go on as before.
cuda_parts() (
    cuda_begin
    devices || exit 0
    part agree 8 && agree full demo caption
    part drawing 8 && draw
    part bench 8 && bench "$(share 12)"
    part training 12 && train prior
    true
)

cuda_tests() (
    cuda_begin
    [ -s "$RESULTS/devices.json" ] && part tests 8 && tests "$(left)"
    true
)
