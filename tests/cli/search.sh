#!/bin/sh
# search.sh PROGRAM MAKE_PICTURES FOLDER -- score, classify and find as people use them, on a CLIP trained a little; and
# what they say of wrong input.
# SPDX-License-Identifier: MIT
program=$1 make_pictures=$2
. "$(dirname "$0")/said.inc.sh"
rm -rf "$3" && mkdir -p "$3" && cd "$3" || exit 1
# Refused before a device is looked for.
refused() {
    part=$1
    shift
    runs 2 "$@" --device no-such-device
    warns "$part"
    [ "$(wc -l <err)" -eq 1 ] || failed "more than one line is said"
}
"$make_pictures" photos 16 >/dev/null || failed "no pictures were made"
printf 'red square\nblue roundel\n' >labels.txt
: >empty.txt
mkdir void

refused "there is no picture 'cat.png'" score -m clip cat.png "a cat"
refused "give it as --text" score -m clip photos/0.png "logo.SVG"
refused "no picture is named" score -m clip "a cat" "a dog"
refused "no text is given" score -m clip photos/0.png photos/1.png
refused "'photos/' is a folder" score -m clip photos/ "a cat"
refused "--model FOLDER is needed" score photos/0.png "a cat"
refused "--labels FILE is needed" classify -m clip photos
refused "'empty.txt' has no label" classify -m clip photos --labels empty.txt
refused "has no label" classify -m clip photos --labels " , "
refused "has one label, 'cat'" classify -m clip photos --labels cat
refused "has one label, 'cat'" classify -m clip photos --labels "$(printf 'cat,')"
refused "there is no file 'nowhere.txt' of labels" classify -m clip photos --labels nowhere.txt
refused "'void' is a folder" classify -m clip photos --labels void
printf 'ok\nnot \377\n' >foreign.txt
runs 1 classify -m clip photos --labels foreign.txt
warns "foreign.txt:2: a label is not valid UTF-8"
printf 'a {b}\n' >braces.txt
runs 1 classify -m clip photos --labels labels.txt --templates braces.txt
warns "braces.txt:1"
refused "the only argument" find -m clip "a cat"
refused "looks for one of them" find -m clip photos --text a --picture photos/0.png
refused "there is no picture 'cat.jpg'" find -m clip photos cat.jpg
refused "'photos' is not empty" find -m clip photos "a cat" --copy photos
refused "range" find -m clip photos "a cat" -n 0
runs 1 find -m clip photos "a cat" -o no/sheet.png --device no-such-device
warns "there is no folder 'no'"
refused "ends in '.jpg'" find -m clip photos "a cat" -o sheet.jpg
for set in void nowhere.tar; do
    "$program" find -m clip $set "a cat" >out 2>err && failed "$set is searched"
    warns "$set"
done

"$program" devices >out 2>err || { echo "skipped: no device"; exit 77; }
runs 0 train clip --preset tiny --data photos --run run -s steps=150 -s text_vocabulary=270 -s holdout=0 -s sample_every=0 -q
runs 0 pack run -o clip -q
runs 0 train dvae --preset tiny --data photos --run dvae -s steps=2 -s sample_every=0 -q
for command in "score photos/0.png a" "classify photos --labels a,b" "find photos a"; do
    # shellcheck disable=SC2086
    runs 2 $command -m dvae
    warns "'dvae' has no CLIP"
    warns "'dalle-cl train clip'"
done
runs 2 generate -m clip "a cat"
warns "'clip' has no prior"
runs 2 encode -m clip photos/0.png
warns "'clip' holds no trained dVAE"

# Two outputs have two names.
runs 2 find -m clip photos "a red square" --embeddings kept -o kept
warns "--output and --embeddings both name 'kept'"
[ ! -e kept ] || failed "one of two outputs of one name was written"

# Scores: pictures and texts in any order; probabilities add up; a name of nothing that is a text.
runs 0 score -m clip photos/0.png "a red roundel" "a blue square"
says "photos/0.png"
says "a red roundel"
[ "$(grep -c ' %  ' out)" = 2 ] || failed "no two probabilities"
cp out before
runs 0 score -m clip "a red roundel" photos/0.png --text "a blue square"
cmp -s out before || failed "the order of the arguments counts"
runs 0 score -m clip --picture photos/0.png --text photos/1.png --json
says '"text":"photos/1.png"'
says '"probability":1.0'
runs 0 score -m clip photos/0.png photos/7.png "a red roundel" "a blue square" "a cat" --json
sum=$(tr ',{}' '\n' <out | sed -n 's/^"probability"://p' | awk '{ s += $1 } END { printf "%.3f", s }')
[ "$sum" = 2.000 ] || failed "probabilities of two pictures add up to $sum"
runs 0 score -m clip photos/0.png "a red roundel which is so very red that nobody can look at it for long, zanzibar"
warns "not read: "
warns "zanzibar"
cp photos/0.txt note.png
runs 1 score -m clip note.png "a cat"
warns "note.png"
runs 2 score -m clip photos/0.png " "
warns "is empty"

# Labels by folders: the same pictures, told by where they lie.
for i in 0 2 4 6 8 10; do mkdir -p "kinds/Roundel" && cp photos/$i.png kinds/Roundel; done
for i in 1 3 5 7 9; do mkdir -p "kinds/square" && cp photos/$i.png kinds/square; done
cp photos/11.png kinds
runs 0 classify -m clip kinds --labels "roundel, square, tri_angle, SQUARE"
warns "the label 'square' comes again, as 'SQUARE'"
says "Roundel/0: "
says "labels without pictures: tri_angle"
says "not counted: 1"
[ "$(grep -c '^[^ ]*: .* %' out)" = 13 ] || failed "not a line for each of 12 pictures, and the accuracy"
sed -n 's/^accuracy: \([0-9]*\).*of 11 pictures$/\1/p' out | grep -q '^[6-9]\|^100' || failed "hardly any picture is told right"
runs 0 classify -m clip kinds --labels labels.txt --quiet
[ ! -s out ] || failed "pictures without a label count"
runs 0 classify -m clip kinds --labels "roundel,square" --top 2 --templates none --json
[ "$(wc -l <out)" = 13 ] || failed "not a line for each picture, and the sums"
tail -n 1 out | grep -q '"pictures":12,"unreadable":0,"labelled":11,"accuracy_1":.*"accuracy_5":null' || failed "the sums are not said"
grep '^{"picture":"Roundel/0"' out | grep -q '"label":"roundel","top":\[{"label":".*},{"label":' || failed "no two labels of the first"
# A folder that is named, a caption, picture files.
runs 0 classify -m clip kinds/square photos kinds/Roundel/2.png --labels "roundel,square,a red square" --json
tail -n 1 out | grep -q '"pictures":22,.*"labelled":8' || failed "labels are not found by folder and caption"

# Pictures that are none: named, counted; nothing else is the matter.
mkdir -p mixed/square && cp photos/1.png mixed/square && for i in 1 2 3 4 5 6 7; do echo "no picture" >mixed/square/bad$i.png; done
runs 0 classify -m clip mixed --labels "roundel,square"
warns "square/bad1"
[ "$(grep -c 'left out: ' err)" = 5 ] || failed "not the first 5 are named"
warns "7 of 8 pictures cannot be read and are left out"
says "of 1 pictures"
rm mixed/square/1.png
runs 1 classify -m clip mixed --labels "roundel,square"
warns "none of 7 pictures can be read"
runs 1 find -m clip mixed "a square"
warns "none of 7 pictures can be read"

# Finding: the picture itself is nearest to a picture; a text's sheet and copies.
runs 0 find -m clip photos photos/5.png -n 3
head -n 1 out | grep -q '^   1   1.0000  5: a ' || failed "a picture is not the nearest to itself"
[ "$(wc -l <out)" = 3 ] || failed "not 3 pictures"
runs 0 find -m clip photos "a red square" -n 100 -o sheet.png --copy copies --json
warns "only 16 pictures"
[ "$(tr '{' '\n' <out | grep -c '"similarity"')" = 16 ] || failed "not all 16 pictures"
[ "$(head -c 4 sheet.png | tail -c 3)" = PNG ] || failed "the sheet is no picture"
[ "$(ls copies | wc -l)" = 32 ] || failed "not 16 pictures with captions are copied"
runs 0 data info copies --fast
says "16"
runs 0 find -m clip photos --text photos/5.png -n 1
runs 0 find -m clip photos "a red square" -n 2 -o - -q
[ "$(head -c 4 out | tail -c 3)" = PNG ] || failed "the sheet does not go to standard output"

# Embeddings are kept, taken again, made again, and nothing else is overwritten.
runs 0 find -m clip photos "a red square" -n 5
cp out want
runs 0 find -m clip photos "a red square" -n 5 --embeddings kept.safetensors
cmp -s out want || failed "with a file other pictures are found"
cp kept.safetensors before.safetensors
runs 0 find -m clip photos "a red square" -n 5 --embeddings kept.safetensors
cmp -s out want || failed "from the file other pictures are found"
warns "has the embeddings of these pictures"
cmp -s kept.safetensors before.safetensors || failed "a file that fits is written again"
runs 0 info kept.safetensors --tensors
says "embeddings"
cp photos/1.png photos/more.png
runs 0 find -m clip photos "a red square" -n 5 --embeddings kept.safetensors
warns "embeddings of other pictures; it is made again"
rm photos/more.png
runs 0 find -m run photos "a red square" -n 5 --embeddings before.safetensors
warns "embeddings of another CLIP; it is made again"
cp clip/clip.safetensors other.safetensors
runs 2 find -m clip photos "a red square" --embeddings other.safetensors
warns "is no file of embeddings"
cmp -s clip/clip.safetensors other.safetensors || failed "a file of something else is overwritten"
runs 1 find -m clip photos "a red square" --embeddings labels.txt
warns "labels.txt"
runs 1 find -m clip photos "a red square" --embeddings no/kept.safetensors
warns "there is no folder 'no'"
runs 2 find -m clip photos/1.png photos/2.png "a red square" --embeddings kept2.safetensors
warns "is a picture and no set"

# A CLIP with a parameter that is no number: whose embedding fails is said by name.
cp -r clip nan
LC_ALL=C sed -i 's/"sha256"/"sha25x"/' nan/clip.safetensors
header=$(od -An -tu8 -N8 nan/clip.safetensors | tr -d ' ')
head -c 64 /dev/zero | tr '\000' '\377' | dd of=nan/clip.safetensors bs=1 seek=$((8 + header)) conv=notrunc 2>/dev/null
runs 1 find -m nan photos "a red square"
warns "'0': "
runs 1 classify -m nan photos/5.png photos/6.png --labels labels.txt
warns "'photos/5.png': "
runs 1 score -m nan photos/5.png "a red square"
echo "ok: score, classify and find"
