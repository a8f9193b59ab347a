#!/bin/sh
# train_photos.sh -- trains a dVAE and a prior of 128 x 128 on a set of photographs, and measures the dVAE on
# pictures that it never saw as it goes.
#     tools/train_photos.sh SET FOLDER [UNSEEN.jpg...]
# SET is a tar or folder, such as `dalle-cl data pictures` makes.  What is trained on is its split "train", if it has
# splits.  UNSEEN are pictures that are not in SET; none given, they are those of the tar's split "val".
# Started again with the same FOLDER it goes on where it was, however it ended.  It writes there
#     psnr.tsv         step, seconds of training (as a clock has them), dB and codes used on the unseen pictures
#     unseen/N.png     after N steps: unseen pictures over what the dVAE makes of them
#     seen.png         the same of pictures that were trained on
#     model            both, packed
#     drawings.png     pictures of the split "val" over what the prior draws for their captions; and for the captions
#                      of the split "train", drawings-seen.png
# Variables change what is done, with these values where they are not set:
#     PROGRAM=build/dalle-cl
#     DRAW=build/tools/draw_captions (cmake --build build --target draw_captions)
#     SLICE=10         minutes between measurements
#     DVAE_STEPS=0 PRIOR_STEPS=0     0: as many as the presets choose for the set
#     DVAE_SET= PRIOR_SET=           further settings: "codes=256 batch=16"
#     DEADLINE=0       minutes after which no further slice begins; 0: none
# SPDX-License-Identifier: MIT
set -eu

[ $# -ge 2 ] || {
    sed -n '2,/SPDX/p' "$0" | sed '$d;s/^# \{0,1\}//' >&2
    exit 2
}
set_of_pictures=$1 folder=$2
shift 2
program=${PROGRAM:-build/dalle-cl} draw=${DRAW:-build/tools/draw_captions}
slice=${SLICE:-10} deadline=${DEADLINE:-0} begun=$(date +%s)
measured=64 shown=16 # pictures; more would take longer than a slice teaches

mkdir -p "$folder/unseen"

# The split's pictures, evenly spaced, as files: FOLDER/SPLIT/KEY.png, one path a line.
pictures_of() {
    [ -f "$set_of_pictures" ] || return 0
    mkdir -p "$folder/$1"
    "$program" data captions "$set_of_pictures" --split "$1" --json |
        sed -n 's/^{"key":"\([^"]*\)".*/\1.png/p' >"$folder/$1/all"
    awk -v most=$measured '{ line[NR] = $0 } END { n = NR < most ? NR : most
        for (i = 0; i < n; ++i) print line[int(i * NR / n) + 1] }' "$folder/$1/all" >"$folder/$1/some"
    tar -C "$folder/$1" -xf "$set_of_pictures" -T "$folder/$1/some"
    sed "s|^|$folder/$1/|" "$folder/$1/some"
}

[ $# -gt 0 ] && printf '%s\n' "$@" >"$folder/unseen.list"
[ -s "$folder/unseen.list" ] || pictures_of val >"$folder/unseen.list"
[ -s "$folder/seen.list" ] || pictures_of train >"$folder/seen.list"
[ -s "$folder/unseen.list" ] || {
    echo "train_photos.sh: name pictures that are not in '$set_of_pictures' to measure on" >&2
    exit 2
}

settings() {
    for s in "$@"; do printf ' --set %s' "$s"; done
}

# Has the run of a kind had all its steps?
is_done() {
    [ -f "$folder/$1/metrics.jsonl" ] || return 1
    steps=$(sed -n 's/^steps = \([0-9]*\).*/\1/p' "$folder/$1/config.cfg")
    [ "$(last_step "$1")" -ge "$steps" ]
}

# Of those that the metrics name, every fifth; 0 before the first.
last_step() {
    { echo 0 && sed -n 's/^{"step":\([0-9]*\),.*/\1/p' "$folder/$1/metrics.jsonl"; } | sort -n | tail -1
}

is_late() {
    [ "$deadline" -gt 0 ] && [ $(($(date +%s) - begun)) -ge $((60 * deadline)) ]
}

# train KIND SETTINGS ARGUMENTS...: begins the run, or goes on with it, for a slice.
train() {
    kind=$1 with=$2
    shift 2
    started=$(date +%s)
    if [ -f "$folder/$kind/checkpoint.safetensors" ]; then
        "$program" train "$kind" --run "$folder/$kind" --resume --minutes "$slice"
    else
        rm -rf "${folder:?}/$kind"
        # shellcheck disable=SC2046,SC2086
        "$program" train "$kind" --preset photo --data "$set_of_pictures" "$@" --run "$folder/$kind" \
            --minutes "$slice" $(settings log_every=5 $with)
    fi
    spent=$(cat "$folder/$kind.seconds" 2>/dev/null || echo 0)
    echo $((spent + $(date +%s) - started)) >"$folder/$kind.seconds"
}

# reconstruct LIST OUT: the figures as JSON.
reconstruct() {
    tr '\n' '\0' <"$1" | xargs -0 "$program" reconstruct -m "$folder/dvae" -o "$2" --json
}

measure() {
    step=$(last_step dvae)
    reconstruct "$folder/unseen.list" "$folder/unseen/$step.png" >"$folder/figures"
    printf '%s\t%s\t%s\t%s\n' "$step" "$(cat "$folder/dvae.seconds")" \
        "$(sed -n 's/.*"psnr":\([0-9.]*\).*/\1/p' "$folder/figures")" \
        "$(sed -n 's/.*"codes_used":\([0-9]*\).*/\1/p' "$folder/figures")" >>"$folder/psnr.tsv"
    tail -1 "$folder/psnr.tsv"
}

split=
"$program" data info "$set_of_pictures" | grep -q '^  train:' && split=split=train

[ -f "$folder/psnr.tsv" ] || printf 'step\tseconds\tpsnr\tcodes\n' >"$folder/psnr.tsv"
while ! is_done dvae; do
    if is_late; then exit 0; fi
    train dvae "steps=${DVAE_STEPS:-0} $split ${DVAE_SET:-}"
    measure
done
head -$shown "$folder/seen.list" >"$folder/seen.few"
[ -s "$folder/seen.few" ] && reconstruct "$folder/seen.few" "$folder/seen.png"

while ! is_done prior; do
    if is_late; then exit 0; fi
    train prior "steps=${PRIOR_STEPS:-0} $split ${PRIOR_SET:-}" --dvae "$folder/dvae"
done
"$program" pack "$folder/dvae" "$folder/prior" -o "$folder/model"
[ -x "$draw" ] || exit 0
if [ -n "$split" ]; then
    "$draw" -t 0.7 -s 1 "$folder/model" "$set_of_pictures" val $shown "$folder/drawn-val" "$folder/drawings.png" $shown
fi
"$draw" -t 0.7 -s 1 "$folder/model" "$set_of_pictures" "${split#split=}" $shown "$folder/drawn-train" \
    "$folder/drawings-seen.png" $shown
