#!/bin/sh
# data.sh PROGRAM FOLDER -- sets as people have them: broken pictures, missing captions, several captions, no splits.
# SPDX-License-Identifier: MIT
program=$1
. "$(dirname "$0")/said.inc.sh"
rm -rf "$2" && mkdir -p "$2" && cd "$2" || exit 1

picture=iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAIklEQVR42mP4jwROyMnBES5xhkGogRhFyOKDUcNoPAwKDQBKDwCf7KgfhgAAAABJRU5ErkJggg==
mkdir set
for name in a b c d e f g h i j; do
    echo $picture | base64 -d >set/$name.png
    echo "the picture named $name" >set/$name.txt
done

# Broken pictures: all are listed, whatever their names.
head -c 60 set/b.png >cut && mv cut set/b.png
echo "<!DOCTYPE html><title>404</title>" >set/d.png
: >set/f.png
printf 'RIFF\020\000\000\000WEBPVP8 ' >set/h.webp && rm set/h.png
runs 1 data info set
says "broken: 4"
says "set/b.png: cannot decode this PNG: the file is cut short"
says "set/d.png: is HTML, a web page"
says "set/f.png: is empty"
says "set/h.webp: cannot decode this WebP: the file is cut short"
says "16x16: 6"
warns "4 of 10 pictures cannot be read"
runs 1 data info set --json
says '"problem": "set/h.webp: cannot decode this WebP'
runs 0 data info set --fast
# Whoever comes from `train --data set` is told.
runs 2 data info --data set
warns "unknown option '--data'; SET... is given without an option"
runs 2 data info set --data other
warns "unknown option '--data'; see 'dalle-cl data info --help'"

mkdir other && cp set/a.* other && cp set/a.txt other/i.txt
printf 'GIF89a\001\000\001\000' >other/i.gif
runs 1 data info other
says "other/i.gif: is a GIF picture; PNG, JPEG and WebP are read: convert it, as by 'convert IN OUT.png'"

# Captions: several are a line each; missing and empty ones are counted.
mkdir odd && cp set/a.* set/c.* set/e.* set/g.* odd
printf 'one\r\n\r\ntwo\n' >odd/a.txt
printf '%s' '{"captions": ["three\nlines of it"], "repeat": 3}' >odd/c.json
runs 0 data captions odd
printf 'one\ntwo\nthe picture named c\nthree lines of it\nthe picture named e\nthe picture named g\n' >expected
cmp -s out expected || failed "other captions than expected"
rm odd/e.txt
echo ' ' >odd/g.txt
cp odd/a.png odd/a.mask.png
runs 0 data info odd
says "missing_captions: 1"
says "empty_captions: 1"
says "left_out: 1"
says "a.mask.png: "
warns "'train' leaves out pictures without a caption, such as 'e', for: prior, clip"
mkdir odd/annotations
cp odd/c.json odd/annotations/captions_val.json
runs 0 data info odd
says "left_out: 2"
says "annotations/captions_val.json: COCO's captions beside pictures; name it as the set"
rm -r odd/annotations

# True reasons of what cannot be opened.
runs 1 data info nowhere
warns "No such file or directory"
if [ "$(id -u)" != 0 ]; then
    mkdir shut && chmod 000 shut
    runs 1 data info shut
    warns "Permission denied"
    runs 1 data info shut/in.tar
    warns "Permission denied"
    chmod 700 shut
fi

"$program" devices >/dev/null 2>&1 || { echo "no OpenCL device: training is not tried"; exit 77; }

# Training goes on without the broken ones and names them; a split of a set without splits is all of it.
train="--preset tiny --data set --set steps=6 --set split=train --quiet"
runs 0 train dvae $train --run dvae
cut -f 1 dvae/skipped.txt | tr -d '\n' >names
[ "$(cat names)" = bdfh ] || failed "skipped.txt names '$(cat names)', not b, d, f and h"
grep -q "^d	.*set/d.png: is HTML" dvae/skipped.txt || failed "skipped.txt does not say why"
runs 0 train dvae --run dvae --resume --quiet
[ "$(wc -l <dvae/skipped.txt)" = 4 ] || failed "skipped.txt was changed by a resumed run"
runs 0 train prior --preset tiny --data set --dvae dvae --run prior --set steps=3 --set augment=none \
    --set text_vocabulary=300 --quiet
[ "$(wc -l <prior/skipped.txt)" = 4 ] || failed "the prior's skipped.txt has other lines"
runs 1 train dvae $train --set skip_share=0 --run strict
warns "set/"
for name in a c; do : >set/$name.png; done
runs 1 train dvae $train --run toomany
warns "6 of 10 pictures cannot be read so far, and skip_share allows 5"

# Pictures of Debian's packages, unpacked somewhere.
stamps=root/usr/share/tuxpaint/stamps/animals
mkdir -p $stamps
echo $picture | base64 -d >$stamps/frog.png
echo "A frog." >$stamps/frog.txt
runs 0 data pictures --root root --size 16 -o pictures.tar
says "pictures.tar: 1 picture, none a photograph, none for validation"
says "there is more: apt install tuxpaint-data scratch"
runs 0 data captions pictures.tar
says "A frog"
runs 0 data pictures --root root --size 16 -o pictures.tar --json
says '"source":"stamps","package":"tuxpaint-stamps-default","licence":"GPL-2","megabytes":161,"installed":true,"pictures":1,'
runs 0 data pictures --root root --list
says "a sentence each; installed"
runs 1 data pictures --root nowhere -o none.tar
warns "no pictures are in 'nowhere'; apt install tuxpaint-stamps-default"
runs 2 data pictures --root root --source frogs -o none.tar
warns "no source is called 'frogs'; there are stamps, templates"
[ ! -e none.tar ] || failed "a tar was written of nothing"
