#!/bin/sh
# score_demo.sh -- the figures of docs/demo-model.md as a table in Markdown: everyday wordings, held-out and training
# captions, words never seen, and how much 16 drawings of a caption differ.
#     tools/score_demo.sh [MODEL [FOLDER [OPTION...]]]    options go to score_drawings: --temperature 0.5, --device 1
# MODEL is models/demo and FOLDER, for lines per caption and sheets, runs/score unless given.  Minutes on two CPU cores.
# SPDX-License-Identifier: MIT
set -eu
cd "$(dirname "$0")/.."
model=${1:-models/demo}
folder=${2:-runs/score}
[ $# -gt 2 ] && shift 2 || set --
score=build/tools/score_drawings
[ -f "$model/model.json" ] || { echo "score_demo.sh: '$model' is no packed model: it has no model.json" >&2; exit 2; }
cmake --build build --target dalle-cl score_drawings >&2
mkdir -p "$folder"
[ -f "$folder/emoji.tar" ] || build/dalle-cl data emoji -o "$folder/emoji.tar" >&2

# figures NAME LABEL OPTION...: draws, prints the row, leaves NAME.tsv and NAME.png.
figures() {
    name=$1 label=$2
    shift 2
    echo "$label:" >&2
    "$score" --model "$model" --data "$folder/emoji.tar" --label "$label" \
        --results "$folder/$name.tsv" --sheet "$folder/$name.png" "$@"
}

# part NAME LABEL CONDITION: a row for those lines of NAME.tsv for which awk's condition holds.
part() {
    awk -F '\t' -v label="$2" 'NR > 1 && ('"$3"') { n++; one += $4 == 1; five += $4 <= 5; twenty += $4 <= 20; noted += $11 }
        END { if (n) printf "| %s | %d | %.1f %% | %.1f %% | %.1f %% | 1 | | | | | %.1f %% |\n",
                     label, n, 100 * one / n, 100 * five / n, 100 * twenty / n, 100 * noted / n }' "$folder/$1.tsv"
}

wordings=tools/demo_wordings.tsv
figures wordings "everyday wordings" --wordings $wordings --header "$@"
figures names "their exact names" --names $wordings "$@"
figures heldout "held out, all" --split val "$@"
part heldout "held out, with skin tones" '$2 ~ /skin tone/'
part heldout "held out, colours" '$2 !~ /skin tone/'
figures training "training" --split train --number 300 "$@"
figures unseen "words never seen" --wordings tools/demo_unseen.tsv "$@"
figures many "everyday wordings, 16 drawings at the model's temperature" --wordings $wordings "$@" --temperature -1 --draws 16
figures names-many "their exact names, 16 drawings at the model's temperature" --names $wordings "$@" --temperature -1 --draws 16

# What the note "the model is unsure" is worth: it should be on the bad drawings and not on the good ones.
for name in wordings heldout training; do sed 1d "$folder/$name.tsv"; done | awk -F '\t' '
    $4 == 1 { good++; wrong += $11 }
    $4 > 20 { bad++; caught += $11 }
    END { printf "\nOf %d drawings that are nearest to the right picture, %.1f %% come with a note that the model is unsure;\n" \
                 "of %d that are not among its nearest 20, %.1f %%.\n",
                 good, good ? 100 * wrong / good : 0, bad, bad ? 100 * caught / bad : 0 }'
