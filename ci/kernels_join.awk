# kernels_join.awk -v target=T -v share=0|1 SAME RESULTS - <LAUNCHES -- what the compiler found of each launched kernel, and how many
# of the device's threads its groups can keep busy at once.  Used by ci/kernels.sh.
# SPDX-License-Identifier: MIT
function least(a, b) { return a < b ? a : b }
function up(a, b) { return int((a + b - 1) / b) }

# Of NVIDIA's 64 warps: 32 groups, 65536 registers given out in 256s, shared memory less 1 KiB a group
# (CUDA's occupancy calculator).
function nvidia(registers, bytes, group,    warps, groups, memory) {
    memory = target == "sm_70" ? 96 : target == "sm_80" ? 164 : 228
    warps = up(group, 32)
    groups = least(32, int(64 / warps))
    groups = least(groups, int(int(65536 / (256 * up(registers * 32, 256))) / warps))
    bytes += target == "sm_70" ? 0 : 1024
    if (bytes) groups = least(groups, int(memory * 1024 / bytes))
    return groups * warps / 64
}

# Of the threads of an Intel subslice or Xe core: as many groups as threads and local memory allow.
function intel(registers, bytes, group, width,    threads, memory, each) {
    threads = target == "tgllp" ? 112 : target == "dg2" ? 128 : 64
    memory = target == "tgllp" ? 64 : 128
    if (registers > 128) threads /= 2
    each = up(group, width)
    if (!bytes) return int(threads / each) * each / threads
    return least(int(threads / each), int(memory * 1024 / (1024 * up(bytes, 1024)))) * each / threads
}

FILENAME ~ /same$/ {
    split($0, f, "\t")
    first[f[1], f[2]] = f[3] # the options of the same text that were compiled
    next
}
FILENAME != "-" {
    split($0, f, "\t")
    if (f[1] != target) next
    key = f[2] "\t" f[4] "\t" f[3]
    for (i = 5; i <= 11; ++i) found[key, i] = f[i]
    known[key] = 1
    next
}
{
    options = $0
    sub(/^[^ ]+ [^ ]+ [^ ]+ [^ ]+ ?/, "", options)
    key = $2 "\t" $3 "\t" first[$2, options]
    if (!(key in known)) {
        if (!share) print "missing " target " " $0 # else another target's turn
        next
    }
    registers = found[key, 5]; spill = found[key, 6]; private = found[key, 7]; bytes = found[key, 8]
    width = found[key, 10]
    if (target ~ /^sm_/) part = nvidia(registers, bytes, $4)
    else if (target ~ /^gfx/) part = found[key, 9] / (target == "gfx90a" ? 8 : 16)
    else part = intel(registers, bytes, $4, width)
    printf "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%.0f\t%d\t%s\t%s\n", target, $2, $3, $4, registers, spill, private, bytes, \
        100 * part, width, found[key, 11], options
}
