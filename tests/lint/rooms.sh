#!/bin/sh
# rooms.sh ROOT -- each room includes only from itself and from the rooms above it (docs/README.md has the
# list); a folder of host/device is a backend, whose headers are its own; only host/device/opencl sees OpenCL, and
# nothing beside it names what it uses; C++ only in two files; `generate` uses only the library's header.
# SPDX-License-Identifier: MIT
cd "$1" || exit 1

find app host data models cl tests/kernels \( -name '*.[ch]' -o -name '*.cc' -o -name '*.cl' -o -name '*.clh' -o -name '*.def' \) |
    LC_ALL=C sort | xargs awk '
    BEGIN {
        count = split("host/base host/device cl host/graph host/ops host/nn data host/comm host/train models app/api " \
                      "host/ops/cases app/measure app/report app/eval app/cli", rooms, " ")
    }
    # The last that fits: a room in another room comes after it.
    function rank(path,    i) {
        for (i = count; i >= 1; --i) if (index(path, rooms[i] "/") == 1) return i
        return 0
    }
    function backend(path) { return match(path, /^host\/device\/[^\/]+\//) ? substr(path, 1, RLENGTH - 1) : "" }
    function folder(path) { sub(/\/[^\/]*$/, "", path); return path }
    function complain(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; bad = 1 }

    /^[ \t]*#[ \t]*include[ \t]*</ {
        if ($0 ~ /<(CL\/|clblast|clFFT)/ && FILENAME !~ /^host\/device\/opencl\//)
            complain("only host/device/opencl includes OpenCL headers: " $0)
        if ($0 ~ /<(cuda|nvrtc|cublas)/)
            complain("no header of NVIDIA is needed to build, host/device/cuda/api.h has what is called: " $0)
    }
    FILENAME ~ /^host\/(base|device)\/[^\/]*\.[ch]$/ && tolower($0) ~ /clblast|clfft/ {
        complain("a library of one backend is named outside of it: " $0)
    }
    FILENAME ~ /^tests\/kernels\// {
        if ($0 ~ /^[ \t]*#[ \t]*include[ \t]*"host\/device\/opencl/) complain("the dry device knows no OpenCL: " $0)
        next
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, part, "\"")
        used = part[2]
        if (FILENAME ~ /^cl\//) {
            if (used !~ /\.clh$/) complain("a kernel includes only .clh files of cl/: " used)
            next
        }
        mine = rooms[rank(FILENAME)]
        theirs = rooms[rank(used)]
        if (!rank(used)) complain("name the header from the repository root: " used)
        else if (rank(used) > rank(FILENAME)) complain(mine " is above " theirs " and may not include " used)
        else if (mine == "data" && theirs != "data" && theirs != "host/base")
            complain("data knows neither models nor devices: " used)
        else if (used ~ /\/internal\.h$/ && folder(used) != folder(FILENAME))
            complain(used " is for the files of its own folder")
        else if (backend(used) != "" && backend(used) != backend(FILENAME))
            complain(used " is for the files of its own folder")
        else if (used == "host/device/backend.h" && theirs != mine)
            complain("devices are reached through host/device/device.h: " used)
        if (FILENAME == "app/cli/cmd_generate.c" && theirs != "host/base" && theirs != "app/api" && theirs != "app/cli")
            complain("generate calls nothing but app/api/dalle.h: " used)
    }
    FNR == 1 && FILENAME ~ /\.cc$/ && FILENAME !~ /^data\/(sentencepiece|language_cld2)\.cc$/ {
        complain("the only C++ files are doors to C++ libraries: data/sentencepiece.cc and data/language_cld2.cc")
    }
    END { exit bad }'
