#!/bin/sh
# kinds.sh ROOT -- a kind of model is spelled in its own folder and in models/kinds.def, and nowhere else: everything
# asks the table.  What may say it all the same:
#   the folder of a kind that is built on it, which includes its headers (a prior needs its dVAE), or whose name has its
#   name in it (ar_prior);
#   app/api, which draws with the kinds that DALL-E consists of, and app/eval, which measures each as what it is, may
#   include their headers, but not spell them;
#   an example for people, a text that begins with "dalle-cl "; comments; tests and tools;
#   what is said of the setting `clip`, the largest gradient norm.
# And each folder has what the commands count on.
# SPDX-License-Identifier: MIT
cd "$1" || exit 1
kinds=$(sed -n 's/^MODEL_KIND(\([a-z0-9_]*\))$/\1/p' models/kinds.def)
bad=0
complain() { echo "$1"; bad=1; }
[ -n "$kinds" ] || complain "models/kinds.def: no line MODEL_KIND(name)"

for kind in $kinds; do
    for file in config.def presets/paper.cfg presets/small.cfg; do
        [ -f "models/$kind/$file" ] || complain "models/$kind/$file is missing"
    done
    grep -q "^const model_kind ${kind}_kind = {" models/$kind/*.c || complain "models/$kind: no const model_kind ${kind}_kind"
done
for folder in models/*/; do
    folder=${folder%/}
    ls "$folder"/*.c >/dev/null 2>&1 || continue
    [ "$folder" = models/unclip ] && continue # what the kinds of DALL-E 2 share
    echo "$kinds" | grep -qx "${folder#models/}" || complain "$folder: models/kinds.def has no line for it"
done

# Comments end where code begins again; a text with \" in it stays one.
texts() {
    awk '
    {
        line = $0
        out = ""
        while (line != "") {
            if (inside) {
                end = index(line, "*/")
                if (!end) { line = ""; break }
                line = substr(line, end + 2)
                inside = 0
            } else if (match(line, /^"([^"\\]|\\.)*"/)) {
                print FILENAME ":" FNR ":" substr(line, 1, RLENGTH)
                line = substr(line, RLENGTH + 1)
            } else if (line ~ /^[ \t]*#[ \t]*include/) {
                print FILENAME ":" FNR ":" line
                line = ""
            } else if (substr(line, 1, 2) == "/*") {
                inside = 1
                line = substr(line, 3)
            } else if (substr(line, 1, 3) == "\047\"\047") {
                line = substr(line, 4)
            } else line = substr(line, 2)
        }
    }' "$@"
}

for kind in $kinds; do
    spelled=$(echo "$kind" | tr _ -)
    texts models/$kind/*.c | grep -q ":\"$spelled\"\$" || complain "models/$kind does not say its name: is it looked for rightly?"
    builders=$(grep -l "#include \"models/$kind/" models/*/*.[ch] | sed 's|/[^/]*$||' | sort -u)
    files=$(find app host data models -name '*.[ch]' -o -name '*.cc' -o -name '*.def' | grep -v -e "^models/\([a-z0-9_]*_\)\{0,1\}$kind/" -e '^data/.*\.def$' |
        LC_ALL=C sort)
    for folder in $builders; do files=$(echo "$files" | grep -v "^$folder/"); done
    # The name of another kind that ends with this one's, "diffusion-prior", is not this one's.
    longer=$(for other in $kinds; do case $other in *_"$kind") echo "s/${other%_"$kind"}[-_ ]$kind//g;" ;; esac; done)
    # shellcheck disable=SC2086
    found=$(texts $files | sed "$longer" | grep -v ':"dalle-cl ' | grep -v '^app/\(api\|eval\)/[^:]*:[0-9]*:#' |
        grep -E "(^|[^A-Za-z0-9_])($kind|$spelled)([^A-Za-z0-9_]|\$)" |
        grep -vE -e ":[0-9]*:[^\"]*\"models/kinds\.def\"" -e 'or clip harder"$')
    [ -z "$found" ] || complain "$found
'$kind' is spelled outside models/$kind: ask models/kinds.h"
done
exit $bad
