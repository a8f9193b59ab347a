#!/bin/sh
# data_commands.sh PROGRAM MAKE_DAMAGE MAKE_PICTURES FOLDER -- data check, stats, preview, filter and pack as people run
# them; what a check finds in a set with every kind of damage; training from packed tokens against training from pixels.
# SPDX-License-Identifier: MIT
program=$1 make_damage=$2 make_pictures=$3
. "$(dirname "$0")/said.inc.sh"
rm -rf "$4" && mkdir -p "$4" && cd "$4" || exit 1
like() { cmp -s "$1" "$2" || failed "'$1' and '$2' differ"; }

# Every kind of damage is found, by its name, and nothing else.
"$make_damage" damage || failed "no damage was made"
runs 1 data check damage/set damage/good.tar damage/cut.tar damage/overwritten.tar damage/negative.tar damage/cut.tar.gz damage/text.tar
kinds=0
for file in damage/set/bad-*; do
    name=${file##*/}
    case $name in
        bad-caption-*.png | bad-json-*.png) grep -qF ": $name: " out && failed "$name is whole" ;;
        *) says ": $name: "; kinds=$((kinds + 1)) ;;
    esac
done
[ $kinds -ge 60 ] || failed "only $kinds kinds of damage"
grep -q ": good-\|: notes.txt\|: list.json" out && failed "what is good is called bad"
for tar in cut.tar overwritten.tar negative.tar cut.tar.gz text.tar; do says "damage/$tar: "; done
says "is not UTF-8 (first: bad-caption-latin.txt)"
warns " bad; "
cp out people
runs 1 data check --json --threads 1 damage/set damage/good.tar

[ "$(grep -c '"problem":' out)" = "$(grep -c '^damage/set: ' people)" ] || failed "other findings as JSON than for people"
runs 0 data check damage/good.tar
says "0 bad"
runs 1 data check --quiet damage/set
grep -q "^damage/set: " out && failed "--quiet lists what is bad"

# Counts and languages.
"$make_pictures" photos 12 >/dev/null || failed "no pictures were made"
runs 0 data stats photos
says "12 samples"
says "formats:"
runs 0 data stats photos --json
says '"samples": 12'

# The filter's shards hold what it lists.
printf 'ein Hund auf der Wiese\n' >photos/filtered.txt
cp "$(ls photos/*.png | head -n 1)" photos/filtered.png
runs 0 data filter photos --list --words 1 --characters 1
cp out keys
grep -q '^filtered$' keys && failed "another language is kept"
[ "$(wc -l <keys)" = 12 ] || failed "not 12 keys"
runs 0 data filter photos -o filtered --words 1 --characters 1
says "12 of 13 samples are kept"
says "language: captions surely in another language"
"$program" data captions filtered/shard-000000.tar --json | sed 's/.*"key":"\([^"]*\)".*/\1/; s/.*"key": "\([^"]*\)".*/\1/' >kept
sort kept >a && sort keys >b && like a b
runs 0 data filter photos -o filtered2 --words 1 --characters 1 --without language --duplicates 0 --json
says '"duplicate":{"samples":3' # the copy, and two discs that are a little larger than others
runs 2 data filter photos -o filtered --words 1
warns "holds shards already"
runs 2 data filter photos
warns "--output FOLDER is needed"
runs 2 data filter photos -o x --without size --without nonsense
warns "there are caption, short"
rm photos/filtered.*

# Shards: the same bytes at any number of threads, nothing that is broken, and no part of one.
runs 0 data pack photos -o one --shard-size 5 --threads 1
runs 0 data pack photos -o two --shard-size 5 --threads 4
for n in 0 1 2; do like one/shard-00000$n.tar two/shard-00000$n.tar; done
runs 0 data pack one/shard-00000?.tar -o three --shard-size 100 --compress zstd
says "12 samples in 1 shard"
runs 0 data info photos --fast
hash=$(sed -n 's/^hash: //p' out)
runs 0 data info three/shard-000000.tar.zst --fast
says "$hash"
cp -r photos broken && head -c 60 "$(ls photos/*.png | head -n 1)" >broken/broken.png
runs 0 data pack broken -o small --size 8
says "1 pictures cannot be read and are left out"
runs 0 data stats small/shard-000000.tar --json
tr -d ' \n' <out | grep -q '"side":{"least":8,"p5":8,"p25":8,"p50":8,"p75":8,"p95":8,"most":8' || failed "not 8 pixels"
runs 2 data pack photos -o four --shard-size 0
runs 2 data pack photos -o four --copies 2
warns "copies would not all differ"
[ ! -e four ] || failed "a folder was made for nothing"

# A disk that is full is called so, and nothing stays.
for to in "pack photos" "filter photos --words 1"; do
    (trap '' XFSZ; ulimit -f 1; exec "$program" data $to -o limited >out 2>err </dev/null) && failed "$to: more is written than fits"
    warns "cannot write 'limited/shard-000000.tar': File too large"
    [ -z "$(ls -A limited)" ] || failed "$to: a part of a shard stays"
done

# What a step sees, whatever step it is, again and again.
runs 0 data preview photos -o a.png --preset tiny --set augment=listing1 --step 7
runs 0 data preview photos -o b.png --preset tiny --set augment=listing1 --step 7 --set threads=3
like a.png b.png
runs 0 data preview photos -o b.png --preset tiny --set augment=listing1 --step 8
cmp -s a.png b.png && failed "two steps show the same"
runs 0 data preview photos photos@0.5 -o b.png --preset tiny --json
says '"pictures": 24'
runs 2 data preview photos -o b.png --for prior
warns "add --size"

"$program" devices >/dev/null 2>&1 || { echo "no OpenCL device: training is not tried"; exit 77; }

# In the first epoch, training from tokens packed with the training's own seed and cuts is training from pixels.
short="--preset tiny --set sample_every=0 --set log_every=1 --quiet"
runs 0 train dvae $short --data photos --set steps=4 --run dvae
runs 0 data pack photos -o packed --shard-size 100 --tokens dvae --set augment=listing2 --seed 1
says "with 1 x 64 tokens of each"
prior="$short --dvae dvae --set augment=listing2"
runs 0 train prior $prior --data photos --set steps=3 --run pixels
runs 0 train prior $prior --data packed/shard-000000.tar --set steps=3 --run tokens
like pixels/metrics.jsonl tokens/metrics.jsonl

# It never looks at the pictures, shows copies in a drawn order, and a run that was stopped goes on with them.
runs 0 data pack photos -o copies --shard-size 100 --tokens dvae --copies 3 --set augment=listing1
runs 0 train prior $prior --data copies/shard-000000.tar --set steps=12 --run whole
runs 0 train prior $prior --data copies/shard-000000.tar --set steps=12 --minutes 0.0001 --run parts
runs 0 train prior --run parts --resume --quiet
like whole/metrics.jsonl parts/metrics.jsonl
for run in whole parts; do tail -c 200000 $run/checkpoint.safetensors >$run.tail; done # all but the header, which has times
like whole.tail parts.tail
runs 2 train prior --run parts --resume --quiet --data packed/shard-000000.tar
warns "data.tokens was"

# Another dVAE's tokens are refused.
runs 0 train dvae $short --data photos --set steps=4 --run other --seed 2
runs 1 train prior $short --dvae other --data packed/shard-000000.tar --run refused
warns "were made by another dVAE"
[ ! -e refused ] || failed "a refused run left its folder"
