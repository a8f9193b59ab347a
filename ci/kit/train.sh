# train.sh -- the emoji models trained for a while, beside what PoCL made of the same steps.  Read by parts.sh.
# SPDX-License-Identifier: MIT

# train KIND: a minute at most, or its share.
train() {
    kind=$1
    limit=$(share 18)
    [ "$limit" -ge 8 ] || { row skipped "training $kind" "$limit s were left for it"; return; }
    for_it=$((limit * 6 / 10))
    [ "$for_it" -le 60 ] || for_it=60
    extra=
    [ "$kind" != prior ] || extra="--dvae $KIT/model"
    minutes=$(awk -v s="$for_it" 'BEGIN { printf "%.3f", s / 60 }')
    run=$WORK/runs/$kind
    rm -rf "$run"
    # shellcheck disable=SC2086
    program "$limit" "train-$kind" "$KIT/bin/dalle-cl" train "$kind" --preset emoji --data "$KIT/emoji.tar" $extra \
        --run "$run" --minutes "$minutes" $(cat "$KIT/agree/train.options") || true
    case $HOW in ok | late) ;; *) wrong "training $kind" "$HOW: $(last_line "train-$kind")" ;; esac
    train_compare "$kind"
}

# Loss at every step that both have, and steps a second without the first ones, in which kernels are built.
train_compare() {
    touch "$run/metrics.jsonl" "$run/times.jsonl"
    line=$(awk -f "$KIT/scripts/train.awk" "$KIT/agree/train-$1.jsonl" "$run/metrics.jsonl" "$run/times.jsonl")
    steps=$(sed -n 's/^steps = //p' "$run/config.cfg" 2>/dev/null)
    # shellcheck disable=SC2086
    row training "$1" $line "${steps:-0}"
    case $line in
        differs*) wrong "training $1" "loss differs by more than 1 % from the CPU's at equal steps" ;;
        "alone 0 "*)
            if [ "$HOW" = late ]; then
                wrong "training $1" "no figures within $limit s: $(last_line "train-$1")"
            elif [ "$HOW" = ok ]; then
                row skipped "training $1" "no figures in its $for_it s: $(last_line "train-$1")"
            fi
            ;;
    esac
}
