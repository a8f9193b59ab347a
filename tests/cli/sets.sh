#!/bin/sh
# sets.sh PROGRAM FOLDER -- sets as people have them: shards, several at once, tables, COCO's captions, parts of names;
# and a run that resumes on them from another folder.
# SPDX-License-Identifier: MIT
program=$1
. "$(dirname "$0")/said.inc.sh"
rm -rf "$2" && mkdir -p "$2" && cd "$2" || exit 1

picture=iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAIklEQVR42mP4jwROyMnBES5xhkGogRhFyOKDUcNoPAwKDQBKDwCf7KgfhgAAAABJRU5ErkJggg==
mkdir shards one pictures annotations val2017
for shard in 0 1; do
    for name in a b c; do
        echo $picture | base64 -d >one/$name.jpg
        echo "$name of shard $shard" >one/$name.txt
        echo '{"status": "success", "similarity": NaN, "caption": "the sidecar has it, too"}' >one/$name.json
    done
    tar -cf shards/0000$shard.tar -C one a.jpg a.txt a.json b.jpg b.txt b.json c.jpg c.txt c.json
    echo '{"count": 3}' >shards/0000${shard}_stats.json
    echo PAR1....PAR1 >shards/0000$shard.parquet
done

# Shards: the folder, a range, a pattern, one by one.
for set in shards 'shards/{00000..00001}.tar' 'shards/*' 'shards/0000[01].tar'; do
    runs 0 data captions "$set"
    printf '%s of shard 0\n' a b c >expected
    printf '%s of shard 1\n' a b c >>expected
    cmp -s out expected || failed "other captions than expected of $set"
done
runs 0 data info shards/*
says "pictures: 6"
says "left_out: 0"
runs 1 data info shards/00000.parquet
warns "python3 tools/parquet_to_csv.py"

# A cut shard beside others, and alone.
head -c 5000 shards/00001.tar >cut.tar
runs 0 data info shards/00000.tar cut.tar
warns "the file has 5000"
warns "what stands before is used"
says "cut.tar: its end: "
runs 1 data info cut.tar
warns "'cut.tar?cut=use' uses what stands before"
runs 0 data info 'cut.tar?cut=use'

# Tables.
cp one/a.jpg pictures/a.jpg && cp one/a.jpg pictures/b.jpg
printf 'filepath,title\r\npictures/a.jpg,"a ""quoted"", one"\r\npictures/b.jpg,b\r\npictures/b.jpg,b again\r\nc.jpg,lost\r\n' >list.csv
runs 0 data captions list.csv
printf 'a "quoted", one\nb\nb again\n' >expected
cmp -s out expected || failed "other captions than expected of a table"
runs 0 data info list.csv
says "c.jpg: there is no such picture"

# A check of one names what it lacks, and counts what is wrong with pictures by reasons without their names.
runs 1 data check list.csv
says "list.csv: c.jpg: there is no such picture"
says "2 pictures, 0 captions' files, 0 descriptions, 182 bytes read: 1 bad"
[ "$(grep -c 'are left out' err)" = 1 ] || failed "it is opened more than once"
printf 'GIF89a' >pictures/c.jpg && cp pictures/c.jpg pictures/d.jpg
printf 'filepath,title\npictures/a.jpg,a\npictures/c.jpg,c\npictures/d.jpg,d\n' >gifs.csv
runs 1 data check gifs.csv
says "2  picture: is a GIF picture (first: pictures/c)"
printf 'img\tn\ttxt\npictures/a.jpg\t1\tone\n' >odd.tsv
runs 1 data info odd.tsv
warns "has no column of paths; its first line has 'img', 'n', 'txt'"
runs 0 data captions 'odd.tsv?path=img&caption=txt'
says "one"
runs 2 data info 'odd.tsv?paths=img'
warns "unknown option 'paths'"

# COCO's captions: the pictures' folder is found and said.
cp one/a.jpg val2017/1.jpg
echo '{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 1, "caption": "x"},
    {"image_id": 1, "caption": "y"}]}' >annotations/captions_val2017.json
runs 0 data info annotations/captions_val2017.json
says "captions: 2"
warns "pictures are read from 'annotations/../val2017'"

# Parts of names: what is in doubt is said, and naming the parts settles it.
mkdir parts && cp one/a.jpg parts/7.input.jpg && cp one/a.jpg parts/7.target.jpg && echo seven >parts/7.outputs.txt
runs 1 data info parts
warns "'7' has several parts that may be its picture or its caption"
warns "'parts?picture=input.jpg&caption=outputs.txt'"
runs 0 data captions 'parts?picture=target.jpg&caption=outputs.txt'
says "seven"

runs 1 data info 'nothing*.tar'
warns "nothing is named like that"
runs 0 data info shards@2.5 --fast
warns "weights ('@') count in training alone"
runs 0 tokenizer train --data shards --data list.csv --vocabulary 280 -o t.model
says "from 9 captions"

"$program" devices >/dev/null 2>&1 || { echo "no OpenCL device: training is not tried"; exit 77; }

# A run on several sets remembers them, and goes on from another folder.
train="--preset tiny --set steps=2 --quiet"
runs 0 train dvae $train --data 'shards/{00000..00001}.tar' --data list.csv --data cut.tar --run run
warns "cut.tar: "
warns "what stands before is used"
here=$(pwd -P)
grep -qF "\"data\": \"$here/shards/{00000..00001}.tar\\n$here/list.csv\\n$here/cut.tar\"" run/run.json || failed "$(cat run/run.json)"
(cd / && "$program" train dvae --run "$2/run" --resume --set steps=4 --quiet --force) >out 2>err || failed "it does not resume"
runs 2 train dvae --run run --resume --data shards --quiet
warns "data.data was"
cp list.csv list.csv.before
sed 's/ one"/ two"/' list.csv.before >list.csv
runs 2 train dvae --run run --resume --quiet
warns 'what the data holds, pictures or captions, was "'
mv list.csv.before list.csv
# Weights stay with the run; they have to be above 0.
runs 0 train dvae $train --data shards@2.5 --data list.csv --run weighted
grep -qF "shards@2.5\\n$here/list.csv" weighted/run.json || failed "$(cat weighted/run.json)"
runs 2 train dvae $train --data shards@0 --data list.csv --run none
