#!/bin/sh
# index.sh PROGRAM FOLDER -- the index of tars, made, checked and renewed; a compressed tar that is too large to be held.
# SPDX-License-Identifier: MIT
program=$1
. "$(dirname "$0")/said.inc.sh"
rm -rf "$2" && mkdir -p "$2" && cd "$2" || exit 1

picture=iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAIklEQVR42mP4jwROyMnBES5xhkGogRhFyOKDUcNoPAwKDQBKDwCf7KgfhgAAAABJRU5ErkJggg==
mkdir set shards
for name in a b c d e f; do
    echo $picture | base64 -d >set/$name.png
    echo "the picture named $name" >set/$name.txt
done
(cd set && tar cf ../shards/1.tar a.* b.* c.* && tar cf ../shards/2.tar d.* e.* f.*)

runs 0 data index shards/1.tar shards/2.tar
says "samples: 6 in 2 tars"
says "listed: 2 tars"
says "order: a shuffle of the whole"
runs 0 data index shards/1.tar shards/2.tar --json
says '"listed": 0'
says '"large": false'
touch -d '2001-02-03' shards/2.tar
runs 0 data index shards/1.tar shards/2.tar
says "listed: 1 tars"
warns "1 of 2 tars have changed, or"
for index in shards/*.index; do printf x | dd of="$index" bs=1 seek=200 conv=notrunc 2>/dev/null; done
runs 0 data index shards/1.tar shards/2.tar
warns "is damaged"
says "listed: 2 tars"
runs 2 data index set
warns "an index is of tars"
runs 1 data captions shards/1.tar shards/2.tar shards/3.tar
warns "cannot open 'shards/3.tar'"

# 66 MiB, most of them zeros, named as a picture are a small file, and no picture; the others are read all the same.
runs 0 data captions set
mv out expected
{ head -c 6291456 /dev/urandom; head -c 62914560 /dev/zero; } >set/zeros.png
echo "zeros" >set/zeros.txt
echo "zeros" >>expected
(cd set && tar czf ../large.tar.gz -- * && mv zeros.png .. && rm zeros.txt)
for time in first second; do
    runs 0 data captions large.tar.gz
    cmp -s out expected || failed "other captions, the $time time"
done
ls dalle-cl-*.index >/dev/null 2>&1 || failed "there is no index"
runs 1 data info large.tar.gz
says "pictures: 7"
says "16x16: 6"
says "large.tar.gz: picture 'zeros.png'"
runs 0 data index large.tar.gz
says "listed: 0 tars"
says "order: tars, interleaved, and a window"

# The other commands do not hold it either, and find the same.
runs 0 data filter set --list
cp out expected
mkdir other && cp large.tar.gz other
runs 0 data stats other/large.tar.gz
says "7 samples, 7 captions"
ls other/dalle-cl-*.index >/dev/null 2>&1 || failed "all of it was held"
runs 0 data filter other/large.tar.gz --list
cmp -s out expected || failed "other samples are kept of a large set"
runs 0 data pack other/large.tar.gz -o shards-of-large
runs 0 data pack set -o shards-of-set
cmp -s shards-of-large/shard-000000.tar shards-of-set/shard-000000.tar || failed "a large set is packed otherwise"
runs 1 data check other/large.tar.gz
says "the set has 7 samples, 0 of them without a caption"
rm -r other

# Of pictures that are all alike a prior computes the same whether their tokens are made beforehand or, for a large set,
# batch by batch.
rm set/*.txt
for name in a b c d e f; do echo "one picture" >set/$name.txt; done
(cd set && tar cf ../alike.tar -- * && tar cf - -C .. zeros.png -C set -- * | gzip -1 >../alike.tar.gz)
runs 0 data index alike.tar.gz
says "order: tars, interleaved, and a window"
runs 0 train dvae -q --preset tiny --data set --run dvae -s steps=1 -s holdout=0
for set in alike.tar alike.tar.gz; do
    runs 0 train prior -q --preset tiny --data $set --dvae dvae --run prior-$set -s steps=2 -s log_every=1 -s holdout=0
done
# What only small sets have is asked for in vain, and that is said.
for set in alike.tar alike.tar.gz; do
    runs 0 train clip -q --preset tiny --data $set --run clip-$set -s steps=1 -s holdout=0 -s neighbours=3
    grep -c "alike.tar.gz: neighbours = 3 does nothing here" err
done >warned
[ "$(tr '\n' ' ' <warned)" = "0 1 " ] || failed "neighbours of a large set: $(cat warned)"
sed 1q prior-alike.tar/metrics.jsonl >expected
sed 1q prior-alike.tar.gz/metrics.jsonl | cmp -s - expected || failed "other figures from a large set"
