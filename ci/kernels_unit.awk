# kernels_unit.awk -- which matrix unit a kernel's options ask for, 1 to 5 as MATRIX of cl/matrix.clh, or 0; where the
# unit is played, none is needed.  Used by ci/kernels.sh and ci/kernels_one.sh.
# SPDX-License-Identifier: MIT
function matrix_unit(options) {
    if (options ~ /-DMATRIX_EMULATED/) return 0
    if (match(options, /-DMATRIX=[0-9]+/)) return substr(options, RSTART + 9, RLENGTH - 9) + 0
    if (options ~ /-DPROBE_NVIDIA_MMA/) return 1
    if (options ~ /-DPROBE_AMD_WMMA/) return 2
    if (options ~ /-DPROBE_AMD_MFMA/) return 3
    if (match(options, /-DPROBE_INTEL_DPAS=(8|16)/)) return substr(options, RSTART + 19, RLENGTH - 19) == 8 ? 4 : 5
    return 0
}
