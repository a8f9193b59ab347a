#!/bin/sh
# outputs.sh PROGRAM DEMO FOLDER -- what a command would write is looked at before the work: the place, the ending,
# standard output.  Most of it is refused before a device is opened, so that none is needed.
# SPDX-License-Identifier: MIT
program=$1 demo=$2 folder=$3
rm -rf "$folder" && mkdir -p "$folder/is" && cd "$folder" || exit 1
printf 'a file' >file
fail() { echo "$1"; echo "--- said:"; cat err; exit 1; }

# refused STATUS PART ARGUMENT...: says PART, and the device is not looked for.
refused() {
    status=$1 part=$2
    shift 2
    "$program" "$@" --device no-such-device >out 2>err
    got=$?
    [ $got -eq "$status" ] || fail "status $got, not $status: $*"
    grep -qF -e "$part" err || fail "'$part' is not said: $*"
    [ "$(wc -l <err)" -eq 1 ] || fail "more than one line is said: $*"
    [ ! -s out ] || fail "something is on standard output: $*"
}

# Every command with an output: its kind's ending, and a place that there is not.
writers() {
    refused "$@" generate -m "$demo" a -o "$name"
    refused "$@" generate -m "$demo" a -o ok.png --tokens "$json"
    refused "$@" encode -m "$demo" a.png -o "$json"
    refused "$@" decode -m "$demo" t.json -o "$name"
    refused "$@" reconstruct -m "$demo" a.png -o "$name"
    refused "$@" find -m "$demo" set a -o "$name"
    refused "$@" data emoji -o "$tar"
    refused "$@" data pictures -o "$tar"
    refused "$@" tokenizer train --text file -o "$model"
}
name=no/x.png json=no/x.json tar=no/x.tar model=no/x.model
writers 1 "there is no folder 'no'"
name=file/x.png json=file/x.json tar=file/x.tar model=file/x.model
writers 1 "'file' is not a folder"
name=is json=is tar=is model=is
writers 1 "cannot write 'is': it is a folder"
name=is/ json=is/ tar=is/ model=is/
writers 1 "it is a folder"
name='' json='' tar='' model=''
writers 2 "is empty"
name=is/x.jpg json=is/x.png tar=is/x.tar.gz model=is/x.json
writers 2 "ends in '."
refused 2 "name it 'is/x.y.png'" generate -m "$demo" a -o is/x.y.JPEG
refused 2 "name it 'x.tar'" data emoji -o x.tar.gz
for out in file file/deeper; do
    refused 1 "'file' is not a folder" pack is -o $out
    refused 1 "'file' is not a folder" train dvae --preset tiny --data is --run $out
    refused 1 "'file' is not a folder" train prior --preset tiny --data is --dvae is --run $out
done
refused 2 "both name 'is/x'" generate -m "$demo" a -o is/x --tokens is/x
refused 2 "both name '-'" generate -m "$demo" a -o - --tokens -
refused 2 "--json" generate -m "$demo" a -o - --json
refused 2 "standard output" data emoji -o -
refused 2 "standard output" tokenizer train --text file -o -

# A name that agrees, in any case, or makes no promise, is let through: then the device is what is missed.
for out in is/x.png is/x.PNG is/x .png /dev/null -; do
    refused 2 no-such-device generate -m "$demo" a -o $out
done
refused 2 no-such-device generate -m "$demo" a --tokens is/x.JSON
[ -z "$(ls is)" ] || fail "looking at an output left something behind"
[ "$(cat file)" = 'a file' ] || fail "looking at an output changed a file"

# A run that is there, and one that is not.
mkdir run && : >run/run.json
refused 2 "already holds a run" train dvae --preset tiny --data is --run run
refused 2 "no run to resume" train dvae --run is --resume
refused 2 "no run to resume" train prior --run nowhere --resume

# Nobody may write here.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    chmod 555 is
    setpriv --reuid=65534 --regid=65534 --clear-groups "$program" generate -m "$demo" a -o is/x.png >out 2>err &&
        fail "a folder that cannot be written is written"
    grep -q "is/x.png': Permission denied" err || {
        grep -q "Permission denied\|not found" err || fail "the reason is not given" # the program itself may be closed to it
    }
    chmod 755 is
fi

# A terminal is spared a picture's bytes.
if command -v script >/dev/null; then
    script -qec "'$program' generate -m '$demo' a -o - --device no-such-device" /dev/null >err </dev/null
    grep -q "to the terminal" err || fail "a picture would have been written to the terminal"
fi

"$program" devices >out 2>err || { echo "skipped: no device to draw with"; exit 77; }
"$program" generate -m "$demo" "man farmer" -o - >drawn 2>err || fail "drawing to standard output fails"
[ "$(head -c 4 drawn | tail -c 3)" = PNG ] || fail "what is drawn to standard output is no PNG"
grep -q '^standard output: 1 picture' err || fail "what was drawn is not said on standard error"
"$program" generate -m "$demo" "man farmer" -o is/x.png -q 2>err && cmp drawn is/x.png || fail "a file holds another picture"
"$program" encode -m "$demo" is/x.png >tokens.json 2>err && "$program" decode -m "$demo" tokens.json -o - >again 2>err ||
    fail "decoding to standard output fails"
[ "$(head -c 4 again | tail -c 3)" = PNG ] || fail "what is decoded to standard output is no PNG"
"$program" reconstruct -m "$demo" is/x.png -o - >both 2>err && [ "$(head -c 4 both | tail -c 3)" = PNG ] ||
    fail "reconstructing to standard output gives no PNG"
if [ -c /dev/full ]; then
    "$program" generate -m "$demo" "man farmer" -o - >/dev/full 2>err && fail "a full disk behind standard output is not noticed"
    grep -q "No space left" err || fail "a full disk behind standard output is not told"
fi
echo "ok: outputs are looked at first"
