#!/bin/sh
# names.sh ROOT -- a function that other files call begins with a word that says where it stands: the stem of its
# header or the beginning of that (image_codec.h: image_), the stem of a file of the same folder (program.c: program_),
# the folder (models/prior/start.h: prior_), or one of those that the header's first comment lists after "Names:".
# SPDX-License-Identifier: MIT
cd "$1" || exit 1

{
    find app host data models -name '*.c'
    find app host data models -name '*.h' | grep -v '/config_\(un\)\?def\.h$' | LC_ALL=C sort
} | xargs awk '
    function allow(word) { if (word != "") allowed[word "_"] = 1 }
    function begins(name,    w) {
        for (w in allowed) if (index(name, w) == 1 || name "_" == w) return 1
        for (w in files) if (index(w, folder) == 1 && index(name, files[w] "_") == 1) return 1
        return 0
    }
    FILENAME ~ /\.c$/ {
        stem = FILENAME
        sub(/.*\//, "", stem)
        sub(/\.c$/, "", stem)
        files[FILENAME] = stem
        nextfile
    }
    FNR == 1 {
        split("", allowed)
        head = 1
        count = split(FILENAME, path, "/")
        folder = FILENAME
        sub(/[^\/]*$/, "", folder)
        allow(path[count - 1])
        parts = split(substr(path[count], 1, length(path[count]) - 2), word, "_")
        for (i = 1; i <= parts; ++i) {
            stem = i == 1 ? word[1] : stem "_" word[i]
            allow(stem)
        }
    }
    head && /Names:/ {
        line = $0
        sub(/.*Names:/, "", line)
        sub(/\. .*|\.$|\*\/.*/, "", line)
        listed = split(line, word, /[ ,]+/)
        for (i = 1; i <= listed; ++i) { sub(/_$/, "", word[i]); allow(word[i]) }
    }
    /\*\// { head = 0 }
    /^[a-z_][a-zA-Z0-9_ ]*[ *]\**[a-z][a-z0-9_]*\(/ && !/^(typedef|return|else|static inline|extern "C")/ {
        name = $0
        sub(/\(.*/, "", name)
        sub(/.*[ *]/, "", name)
        if (!begins(name)) {
            printf "%s:%d: %s begins with no word of its header; see tests/lint/names.sh\n", FILENAME, FNR, name
            bad = 1
        }
        ++seen
    }
    END {
        if (seen < 300) { printf "only %d functions were found\n", seen; bad = 1 }
        exit bad
    }'
