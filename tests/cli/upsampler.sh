#!/bin/sh
# upsampler.sh PROGRAM MAKE_PICTURES FOLDER -- an upsampler is planned, trained, resumed, started from another, packed
# with the one after it, described; and what is said of wrong input.
# SPDX-License-Identifier: MIT
program=$1 make=$2
. "$(dirname "$0")/said.inc.sh"
rm -rf "$3" && mkdir -p "$3" && cd "$3" || exit 1
train() {
    runs 0 train upsampler --preset tiny --data mine -q -s save_every=8 -s eval_every=8 -s sample_every=8 -s log_every=1 \
        -s noise_steps=50 -s spacing=2 -s eval_drawn=2 -s schedule=constant -s steps=8 "$@"
}

runs 0 config upsampler --preset paper-1024 && says "channels = 192"
runs 2 train upsampler --preset emoji-64 --run none && warns "--data"
runs 2 train upsampler --preset tiny -s size=9 --data . --run none && warns "size 9 is no multiple"
runs 0 help pack && says "UPSAMPLER_RUN [UPSAMPLER_RUN]"

"$program" devices >out 2>err || { echo "skipped the rest: no device"; exit 77; }
"$make" mine 8 || exit 1
runs 0 plan upsampler --preset paper --set batch=1 && says "729,710,726 parameters"
runs 0 plan upsampler --preset paper-1024 --set batch=1 && says "282,064,326 parameters"

# Trained; a run that goes on is the run that was never stopped.
train --run one
[ -s one/samples/step-000008.png ] || failed "there is no sample grid"
for word in loss psnr psnr_plain detail; do
    grep -q "\"eval\".*\"$word\":" one/metrics.jsonl || failed "validation gives no $word"
done
train --run short -s steps=4
sed 's/^steps = 4$/steps = 8/' short/config.cfg >c && mv c short/config.cfg
runs 0 train upsampler --run short --resume --force -q
grep -v '"step":4,"kind":"eval"' short/metrics.jsonl | cmp one/metrics.jsonl - || failed "a resumed run is another"
train --run degraded -s degrade=bsr -s degrade_share=1 -s noise_schedule=linear -s accumulate=2 -s variance=learned
grep -q '"bound":' degraded/metrics.jsonl || failed "a learned variance gives no bound"

# One starts from another, of whatever size; two stand in a model, in the order of their sizes.
train --run two --init one -s size=32 -s from=16 -s crop=0.25 -s steps=1
runs 0 pack two one -o model --storage f32
says "pictures of 8 x 8 become 16 x 16" && says "pictures of 16 x 16 become 32 x 32"
[ -s model/upsampler.safetensors ] && [ -s model/upsampler-2.safetensors ] || failed "there are not two"
grep -q "^size = 16" model/upsampler.cfg && grep -q "^size = 32" model/upsampler-2.cfg || failed "their order is another"
runs 0 info model && says "enlarging 8 to 16" && says "enlarging 16 to 32" && says "upsampler-2.safetensors"
runs 0 pack model model -o again --storage f32 --json && says '"upsampler_parameters":' && says '"upsampler-2_parameters":'
cmp model/upsampler-2.safetensors again/upsampler-2.safetensors || failed "what is packed of a model is not the model"
runs 2 pack one one -o none && warns "'one' is the run of one upsampler, and was named before"
train --run far -s size=64 -s from=32 -s crop=0.25 -s steps=1 -s eval_every=0 -s sample_every=0
runs 2 pack one far -o none && warns "enlarges pictures of 32 pixels" && warns "makes them of 16"
train --run third --init model -s size=32 -s from=16 -s crop=0.25 -s steps=0
runs 0 pack one -o model && [ ! -e model/upsampler-2.cfg ] || failed "files of a part that is no longer packed are left"
exit 0
