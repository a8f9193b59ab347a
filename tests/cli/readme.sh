#!/bin/sh
# readme.sh PROGRAM MAKE_PICTURES SOURCE FOLDER -- the README's lines under "Training on your own pictures", as they stand
# there, on a folder of six pictures.  Only the time is less: each training is stopped by --minutes.
# SPDX-License-Identifier: MIT
program=$1 make=$2 source=$3 folder=$4
rm -rf "$folder" && mkdir -p "$folder/bin" || exit 1
cd "$folder" || exit 1
fail() { echo "$1"; echo "--- it said:"; tail -n 30 said; exit 1; }

# The fenced blocks of the section.
sed -n '/^## Training on your own pictures$/,/^## [^T]/p' "$source/README.md" |
    awk '/^```/ { inside = !inside; next } inside' >lines
[ "$(grep -c '^dalle-cl train ' lines)" -ge 4 ] || fail "the README has no lines to try"
grep -v '^dalle-cl ' lines && fail "a line of the README is no command of ours"
grep -e '--set' lines && fail "a setting is needed"

cat >bin/dalle-cl <<END
#!/bin/sh
echo "\$ dalle-cl \$*"
case \$1 in train) set -- "\$@" --minutes 0.02 ;; esac
exec "$program" "\$@"
END
chmod +x bin/dalle-cl
"$make" mine 6 || exit 1
mkdir models && ln -s "$source/models/demo" models/demo || exit 1

# run LINES: each command succeeds; what it makes is there.
run() {
    while read -r line; do
        echo "$line" | PATH="$folder/bin:$PATH" sh -e >>said 2>&1 || fail "this fails: $line"
    done <"$1"
}
run lines
for made in $(sed -n 's/.* -o \([a-z0-9]*\.png\).*/\1/p' lines); do
    [ "$(head -c 4 "$made" | tail -c 3)" = PNG ] || fail "$made is no picture"
done
grep -q '6 pictures.*steps.*: about .* on this device' said || fail "it is not said how long it will take"
grep -q 'text_vocabulary is .*these captions allow no more' said || fail "the vocabulary is not lowered"
grep -q 'pieces added for these captions' said || fail "the model's vocabulary is not kept and grown"

# Going on where a run was.
echo "dalle-cl train prior --run runs/prior --resume" >again
run again
grep -q "resuming 'runs/prior'" said || fail "a run does not go on"
echo "ok: $(wc -l <lines) lines as they stand"
