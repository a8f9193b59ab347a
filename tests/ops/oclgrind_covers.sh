#!/bin/sh
# oclgrind_covers.sh ROOT LOGS -- every kernel in cl/ has run in one of the tests under Oclgrind, whose lists of
# kernels are LOGS/oclgrind_*.log.kernels.
# SPDX-License-Identifier: MIT
cd "$1" || exit 1
command -v oclgrind >/dev/null || { echo "skipped: oclgrind is not there (apt-get install oclgrind)"; exit 77; }
ls "$2"/oclgrind_*.log.kernels >/dev/null 2>&1 || { echo "skipped: no test has run under Oclgrind"; exit 77; }

# What a simulator of OpenCL C 1.2 cannot run: half arithmetic, subgroups, GPUs' matrix units; and joined launches, whose
# groups wait for each other by reading what others count, which it calls a race.  attention_matrix_forward
# and its gradients run there, but the names are not counted (oclgrind.sh).
CANNOT="attention_matrix_forward attention_matrix_backward_q attention_matrix_backward_kv probe_half_arithmetic probe_subgroups probe_matrix probe_join_count probe_join_sum join"
# Not files of kernels: what is put before those that are joined, or made functions.
HEADS="cl/device/join_stage.cl cl/device/apart.cl"
sort -u "$2"/oclgrind_*.log.kernels | awk -v cannot="$CANNOT" -v heads="$HEADS" '
    BEGIN { count = split(cannot, names, " "); for (i = 1; i <= count; ++i) ran[names[i]] = 1 }
    FILENAME == "-" || FILENAME == "" { ran[$1] = 1; next }
    FNR == 1 { file = FILENAME; head = ""; found[file] = 0 }
    # A kernel is declared over several lines: __kernel .. void NAME(.., or void PROBE(NAME).
    { sub(/\/\/.*/, "") }
    /__kernel/ { head = " "; sub(/.*__kernel/, "") }
    head != "" {
        head = head " " $0
        if (!match(head, /void +(PROBE\()?[A-Za-z_0-9]+ *[()]/)) next
        name = substr(head, RSTART, RLENGTH)
        sub(/^void +(PROBE\()?/, "", name); sub(/ *[()]$/, "", name)
        ++found[file]; ++kernels; head = ""
        if (!(name in ran)) { print file ": " name " has not run under Oclgrind"; bad = 1 }
    }
    END {
        for (file in found) if (!found[file] && file ~ /\.cl$/ && !index(" " heads " ", " " file " ")) { print file ": no kernel was found in it"; bad = 1 }
        print "summary: " kernels " kernels looked for"
        exit bad
    }' - cl/*/*.cl cl/sort_ids.clh
