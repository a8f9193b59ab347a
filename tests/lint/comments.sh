#!/bin/sh
# comments.sh ROOT -- a line with a comment is no longer than a line of code may be: 110 columns.
# SPDX-License-Identifier: MIT
cd "$1" || exit 1

find app data examples host models tests tools cl \( -name '*.[ch]' -o -name '*.cc' -o -name '*.cl' -o -name '*.clh' \
    -o -name '*.def' \) | LC_ALL=C sort | xargs awk '
    FNR == 1 { inside = 0 }
    {
        text = $0
        gsub(/"([^"\\]|\\.)*"/, "\"\"", text) # what stands in strings is no comment
        comment = inside || text ~ /\/\*|\/\//
        if (text ~ /\/\*/) inside = 1
        if (text ~ /\*\/[^*]*$/) inside = 0
        if (comment && length($0) > 110) {
            printf "%s:%d: %d columns; a comment has at most 110\n", FILENAME, FNR, length($0)
            bad = 1
        }
    }
    END { exit bad }'
