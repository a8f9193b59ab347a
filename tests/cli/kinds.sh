#!/bin/sh
# kinds.sh PROGRAM PLAIN MAKE_PICTURES SOURCE FOLDER -- PROGRAM knows a kind of model more than PLAIN, the toy of
# tests/models/toy, by its folder and one line: every command has it, and it trains.
# SPDX-License-Identifier: MIT
program=$1 plain=$2 make=$3 source=$4 folder=$5
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1
fail() { echo "$1"; echo "--- said:"; tail -n 40 out err; exit 1; }
does() { "$program" "$@" >out 2>err || fail "this fails: $*"; }
says() { grep -q -e "$1" out err || fail "nothing says '$1'"; }
refuses() { "$program" "$@" >out 2>err; [ $? -eq 2 ] || fail "this is not refused: $*"; }

# One line, and no other file of the program's knows it; the shipped models know the word.
[ "$(grep -c '^MODEL_KIND' "$source/tests/models/toy.def")" -eq 1 ] || fail "the toy is more than one line"
grep -rlw --exclude-dir=demo --exclude-dir=demo2 toy "$source/app" "$source/host" "$source/models" "$source/cmake" "$source/CMakeLists.txt" >out 2>err &&
    fail "a file of the program knows the toy"
refuse_plain() { "$plain" "$@" >out 2>err && fail "the program itself has it: $*"; }
refuse_plain config toy

# What is said of it.
does --help && says "a discrete VAE, a transformer prior, a CLIP,.* and a linear autoencoder"
says "train toy  *train a linear autoencoder: pictures to a few numbers and back"
does train toy --help && says "dalle-cl train toy --preset small" && says "--init"
grep -q -e "--tokenizer" -e "--dvae" out && fail "the toy is offered what it has no use for"
does man && says "dvae|prior|clip|.*toy" && says "train toy"
does help pack && says 'DVAE_RUN \[PRIOR_RUN\] | CLIP_RUN .*| TOY_RUN'
does completion bash && says 'dvae prior clip .*toy' && says "'train toy'"
for shell in zsh fish; do does completion $shell && says 'dvae prior clip .*toy'; done
refuses train to && says "did you mean 'toy'"
refuses plan glide && says "'glide' is none of dvae, prior, clip,.* or toy"
refuses config toy --preset smal && says "did you mean 'small'"
does config toy && says "Trains in seconds" && says "numbers that a picture becomes"
does config toy --preset small --set size=7 && says "^size = 7" && says "^steps = 60"

"$program" devices >out 2>err || { echo "skipped the rest: no device"; exit 77; }
"$make" mine 8 || exit 1

# It is planned, measured and trained.
does plan toy && says "a training step of the toy 'paper', batch 8: 6,304,000 parameters"
does plan toy --preset small --json && says '"model":"toy"'
does bench --list && says "^toy:64-b8"
does bench --case toy:64-b8 --seconds 0.01 --json && says '"case":"toy:64-b8"'
DALLE_CL_CACHE=$folder/tuned does tune toy --preset small --most 1 --seconds 0.01 && says "1/1"
does train toy --preset small --data mine --run run -q
loss_at() { sed -n "s/^{\"step\":$1,.*\"loss\":\([0-9.e-]*\).*/\1/p" run/metrics.jsonl; }
first=$(loss_at 10) last=$(loss_at 60)
awk -v a="$first" -v b="$last" 'BEGIN { exit !(a > 0 && b > 0 && b < a / 4) }' ||
    fail "its loss goes from '$first' to '$last': it learns nothing"
refuses plan toy --set accumulate=3 && says "toy: batch 8 is not divisible"
does train toy --preset small --data mine --run halves -s accumulate=2 -q
awk -v a="$(sed -n 's/^{"step":60,.*"loss":\([0-9.e-]*\).*/\1/p' halves/metrics.jsonl)" -v b="$last" \
    'BEGIN { exit !(a > 0.99 * b && a < 1.01 * b) }' || fail "a batch in two halves is another"
refuses train toy --preset small --data mine --run run && says "already holds a run"
refuses train toy --preset small --run other && says "--data"

# A run that goes on is the run that was never stopped.
does train toy --preset small --data mine --run short -s steps=20 -q
sed 's/^steps = 20$/steps = 60/' short/config.cfg >c && mv c short/config.cfg
does train toy --run short --resume --force -q
cmp run/metrics.jsonl short/metrics.jsonl || fail "a resumed toy is another"
does train toy --init run --data mine --run more -s steps=1 -q
does info run && says "^run" && says "kind: toy" && says "moments: "

# Packed, described, packed again; and beside the others.
does pack run -o model --storage f32 && says "toy: 37,656 parameters; pictures of 16 x 16 become 24 numbers"
cat >want <<'END'
{
  "format": "dalle-cl model",
  "version": 1,
  "toy": {
    "config": "toy.cfg",
    "weights": "toy.safetensors",
    "parameters": 37656
  }
}
END
printf '%s' "$(cat want)" | cmp - model/model.json || { cat model/model.json; fail "the index is another"; }
does info model && says "squeezing" && says "numbers: 24" && says "weights.*toy.safetensors"
does pack model -o again --storage f32 --json && says '"numbers":24,"toy_parameters":'
cmp model/toy.safetensors again/toy.safetensors || fail "what is packed of a model is not the model"
does pack run/checkpoint.safetensors -o last && says "24 numbers"
does pack model/toy.safetensors -o named --storage f32 && cmp model/toy.safetensors named/toy.safetensors ||
    fail "a part that is named by its file is not that part"
does pack "$source/models/demo/clip.safetensors" -o judge && [ ! -e judge/dvae.cfg ] &&
    cmp "$source/models/demo/clip.safetensors" judge/clip.safetensors ||
    fail "a model's CLIP alone is not what it was"
refuses pack "$source/models/demo/clip.cfg" -o twice && says "is a file; the folder of a model or run is needed"
refuses pack run run -o twice && says "no trained dVAE"
[ -f "$source/models/demo/model.json" ] || { echo "skipped the rest: models/demo is not there"; exit 0; }
does pack "$source/models/demo" "$source/models/demo" model -o both --known-captions 0
says "dVAE: " && says "prior: " && says "toy: "
does info both && says "drawing" && says "squeezing"
does pack "$source/models/demo" -o both && [ ! -e both/toy.safetensors ] && [ ! -e both/tokenizer.model ] ||
    fail "files of parts that are no longer packed are left"
does generate -m "$source/models/demo" "red apple" -o apple.png -q
exit 0
