#!/bin/sh
# report.sh PROGRAM MAKE_PICTURES FOLDER -- a run is trained in two processes, watched, and reported on: its page is
# looked at by a browser, its event file by TensorBoard, where these are there.
# SPDX-License-Identifier: MIT
program=$1 make=$2 folder=$3
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1
fail() { echo "$1"; echo "--- said:"; tail -n 40 out err; exit 1; }
does() { "$program" "$@" >out 2>err || fail "this fails: $*"; }
says() { grep -q -e "$1" out err || fail "nothing says '$1'"; }
refuses() { "$program" "$@" >out 2>err; [ $? -eq 2 ] || fail "this is not refused: $*"; }

"$program" devices >out 2>err || { echo "skipped: no device"; exit 77; }
"$make" mine 8 || exit 1
settings="-s log_every=2 -s eval_every=10 -s sample_every=10 -s reconstruction=logit_laplace"
# shellcheck disable=SC2086
does train dvae --preset tiny --data mine --run run -s steps=24 $settings --tensorboard -q
sed 's/^steps = 24$/steps = 40/' run/config.cfg >c && mv c run/config.cfg
does train dvae --run run --resume --force --tensorboard -q
cp -r run "a & <b>" && sed 's/^learning_rate = .*/learning_rate = 0.001/' run/config.cfg >"a & <b>/config.cfg" || exit 1

# What stands in the files.
grep -q '"kind":"eval".*"bits_per_dim":[0-9.]*,"bits_per_dim_pixels":[0-9.]*,"code_usage":\[[0-9,]*\]' run/metrics.jsonl ||
    fail "validation says neither bits nor usage"
[ "$(grep -c '"kind":"start"' run/times.jsonl)" -eq 2 ] || fail "two processes did not begin"
[ "$(grep -c '"kind":"end".*"why":"done"' run/times.jsonl)" -eq 2 ] || fail "two processes did not end"
grep -q '"kind":"time".*"device":.*"data":.*"steps_per_second":' run/times.jsonl || fail "no line of time"
does info run && says '"epoch": *8'

# Watched: one line, and on a terminal a frame.
does watch run --once && says "^step 40/40  loss .*(finished)$"
does watch run && says "^step 40/40"
does watch run --json && says '^{"step":40,"steps":40,"state":"finished",.*"validation":{.*"bits_per_dim":'
if command -v script >/dev/null; then
    LC_ALL=C.UTF-8 script -qec "stty cols 60; '$program' watch run" /dev/null >out 2>err || fail "no frame on a terminal"
    says "█" && says "validation, last at step 40" && says "step-000040.png"
    LC_ALL=C script -qec "stty cols 60; '$program' watch run" /dev/null >out 2>err || fail "no frame in ASCII"
    says "####" && LC_ALL=C grep -q "$(printf '[\200-\377]')" out && fail "more than ASCII on a terminal that has no more"
fi
refuses watch nowhere && says "is no folder"
refuses watch mine && says "holds no run"

# Reported.
refuses report && refuses report run -o page.pdf && says "page.html"
refuses report run mine && says "holds no run"
does report run "a & <b>" && says "wrote report.html"
does report run -o - && grep -q "</html>" out || fail "no page on standard output"
does report run --png plots --json && says '{"folder":"plots","plots":[0-9]*}'
for plot in loss psnr bits_per_dim learning_rate steps_per_second waited code_usage; do
    [ -s plots/$plot.png ] || fail "there is no plot of $plot"
done
grep -q 'id="differences"' report.html && grep -q 'a &amp; &lt;b&gt;' report.html || fail "the runs are not told apart"
grep -q '<td>learning_rate</td>' report.html && grep -q 'data:image/png;base64,iVBOR' report.html || fail "the page lacks settings or samples"
grep -q 'waiting for data' report.html && grep -q '<td>device.driver</td>' report.html || fail "the page lacks times or origin"
if command -v xmllint >/dev/null; then
    xmllint --noout --huge report.html >out 2>err || fail "the page is not well-formed"
fi

# A browser runs it: all charts are there, the script has found them, and pointing at the first of them tells values.
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -n "$browser" ]; then
    does report run -o one.html
    sed 's|^</body>|<script>var s = document.querySelector("[aria-label=\\"Learning rate\\"]"), b = s.getBoundingClientRect();s.dispatchEvent(new MouseEvent("mousemove", { clientX: b.left + b.width - 16 * b.width / 440, clientY: b.top + 9 }));</script></body>|' \
        one.html >pointed.html
    HOME=$folder timeout 120 "$browser" --headless --no-sandbox --disable-gpu --enable-logging=stderr \
        --user-data-dir="$folder/browser" --dump-dom "file://$folder/pointed.html" >dom 2>console || fail "the browser fails"
    grep -q CONSOLE console && { cat console; fail "the page complains in the browser"; }
    charts=$(grep -c '<svg [^>]*data-chart' dom) found=$(sed -n 's/.*<html[^>]* data-charts="\([0-9]*\)".*/\1/p' dom)
    [ "$charts" -gt 10 ] && [ "$charts" = "$found" ] || fail "$charts charts are drawn, the script found '$found'"
    [ "$(grep -c '<polyline class="curve [^>]*points="[0-9]' dom)" -gt 8 ] || fail "curves are missing"
    rate=$(sed -n 's/^{"step":40,.*"learning_rate":\([0-9.e-]*\).*/\1/p' run/metrics.jsonl)
    told=$(sed -n 's/.*<div id="tip"[^>]*>training  \([0-9.e-]*\)  at 40.*/\1/p' dom)
    awk -v a="$rate" -v b="${told:-0}" 'BEGIN { exit !(a > 0 && b > 0.99 * a && b < 1.01 * a) }' ||
        fail "the learning rate at step 40 is '$rate', the page says '$told'"
else
    echo "not looked at in a browser: there is no chromium"
fi

# TensorBoard reads the event file, and each step stands in it once.
python=${TENSORBOARD_PYTHON:-python3}
if "$python" -c 'import tensorboard' 2>/dev/null; then
    "$python" - >out 2>err <<'EOF' || fail "TensorBoard does not read it as it is"
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator("run/tensorboard", size_guidance={"scalars": 0, "images": 0}, purge_orphaned_data=False)
events.Reload()
steps = [s.step for s in events.Scalars("train/loss")]
assert steps == list(range(2, 41, 2)), steps
assert [i.step for i in events.Images("samples")] == [10, 20, 24, 30, 40]
assert all(i.encoded_image_string.startswith(b"\x89PNG") for i in events.Images("samples"))
assert [s.step for s in events.Scalars("validation/bits_per_dim")] == [10, 20, 24, 30, 40]
assert "time/waited_for_data" in events.Tags()["scalars"]
EOF
else
    echo "not read by TensorBoard: $python has none"
fi
echo "ok: a run is seen"
