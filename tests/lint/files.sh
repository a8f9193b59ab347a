#!/bin/sh
# files.sh ROOT -- every source file names its licence and has at most 500 lines.
# SPDX-License-Identifier: MIT
cd "$1" || exit 1
find CMakeLists.txt app cmake ci cl data examples host models tests tools -type f 2>/dev/null |
    grep -E '\.(c|h|cc|cl|clh|sh|cmake|py|in)$|CMakeLists\.txt$|^ci/dev$' | LC_ALL=C sort |
    xargs awk '
    function finish() {
        if (name == "") return
        if (!licence) { print name ": no line with SPDX-License-Identifier: MIT"; bad = 1 }
        if (lines > 500) { print name ": " lines " lines; at most 500, so that a file is read in one go"; bad = 1 }
    }
    FNR == 1 { finish(); name = FILENAME; licence = 0 }
    /SPDX-License-Identifier: MIT/ { licence = 1 }
    { lines = FNR }
    END { finish(); exit bad }'
