# main.sh KIT [OPTION]... -- the kit's run: options, the time there is, every part, the report.  Run by busybox.
# What takes time stands in parts.sh, as one command that kit-step ends when the minutes are over; the report is made
# of what the parts have written by then, whatever became of them.
# SPDX-License-Identifier: MIT
set -u
KIT=$1
shift

usage() {
    echo "usage: ./run [--device WORD] [--minutes N] [--jobs N]"
    echo "  --device   gpu (the default), cpu, nvidia, amd, intel, cuda, an index, part of a name"
    echo "  --minutes  when it has ended, whatever happens: 1 to 600, 10 unless told"
    echo "  --jobs     device tests that run at once: one for each processor, at most 8, unless told"
    exit "$1"
}

refuse() {
    echo "run: $1" >&2
    exit 2
}

# whole NAME TEXT LEAST MOST
whole() {
    case $2 in '' | *[!0-9]*) refuse "$1 is '$2'; a whole number from $3 to $4 is needed" ;; esac
    [ ${#2} -le 6 ] && [ "$2" -ge "$3" ] && [ "$2" -le "$4" ] || refuse "$1 is $2; it may be $3 to $4"
}

DEVICE=gpu MINUTES=10 JOBS=
while [ $# -gt 0 ]; do
    case $1 in
        --device | --minutes | --jobs) [ $# -ge 2 ] || refuse "$1 needs a value" ;;
        -h | --help) usage 0 ;;
        *) echo "run: unknown option '$1'" >&2; usage 2 >&2 ;;
    esac
    case $1 in
        --device) DEVICE=$2 ;;
        --minutes) MINUTES=$2 ;;
        --jobs) JOBS=$2 ;;
    esac
    shift 2
done
whole --minutes "$MINUTES" 1 600
[ -z "$JOBS" ] || whole --jobs "$JOBS" 1 64
[ -n "$DEVICE" ] || refuse "--device needs a word"

# Programs of the host are found as before; this script's own tools are busybox's, which are the same everywhere.
HOST_PATH=${PATH:-/usr/local/bin:/usr/bin:/bin}
WORK=$KIT/made
BOX=$KIT/tools/busybox
"$BOX" mkdir -p "$WORK/tools" 2>/dev/null && "$BOX" touch "$WORK/running" 2>/dev/null ||
    refuse "$KIT cannot be written; unpack the kit where you may write"
"$BOX" --install -s "$WORK/tools" 2>/dev/null
export PATH="$WORK/tools:$KIT/tools:$HOST_PATH" HOST_PATH KIT WORK DEVICE MINUTES LC_ALL=C

# One run of a kit at a time: its caches and results are in its folder.
read -r other 2>/dev/null <"$WORK/running" || other=
[ -z "$other" ] || ! kill -0 "$other" 2>/dev/null ||
    refuse "another run of this kit is going on (process $other); wait for it, or unpack the kit a second time"
echo $$ >"$WORK/running"

BEGAN=$(date +%s)
RESERVE=8 # seconds for the last kills and the report
END=$((BEGAN + MINUTES * 60 - RESERVE))
RESULTS=$WORK/results
if [ -z "$JOBS" ]; then
    JOBS=$(nproc 2>/dev/null || echo 1)
    [ "$JOBS" -le 8 ] || JOBS=8
fi
export BEGAN END RESULTS JOBS
rm -rf "$RESULTS" "$WORK/runs" "$WORK/logs" "$KIT/report.md" "$KIT/report.json"
mkdir -p "$RESULTS" "$WORK/logs" "$WORK/runs" "$WORK/home" || refuse "$WORK cannot be written"
cp "$KIT/version" "$KIT/tests/list" "$RESULTS"

# written FOLDER FORM DEVICE [PART-FILE]
written() { awk -v folder="$1" -v form="$2" -v device="$3" -v cuda="${4:-}" -f "$KIT/scripts/report.awk" </dev/null; }
report() {
    printf '%s\t%s\t%s\n' "$ENDED" "$(($(date +%s) - BEGAN))" "$MINUTES" >"$RESULTS/ended.tsv"
    through=
    if [ -d "$RESULTS/cuda" ]; then
        cp "$RESULTS/ended.tsv" "$RESULTS/cuda/"
        [ ! -f "$RESULTS/torch.tsv" ] || cp "$RESULTS/torch.tsv" "$RESULTS/cuda/"
        through=$RESULTS/cuda.json
        written "$RESULTS/cuda" json cuda >"$through"
    fi
    written "$RESULTS" json "$DEVICE" "$through" >"$KIT/report.json.tmp"
    { written "$RESULTS" md "$DEVICE"; [ -z "$through" ] || { echo; written "$RESULTS/cuda" md cuda; }; } >"$KIT/report.md.tmp"
    mv "$KIT/report.json.tmp" "$KIT/report.json" && mv "$KIT/report.md.tmp" "$KIT/report.md"
}

# The parts' progress goes to the terminal by way of their log.
echo "dalle-cl kit: device '$DEVICE', $MINUTES minutes at most, report in $KIT/report.md"
: >"$WORK/logs/parts"
tail -f "$WORK/logs/parts" 2>/dev/null &
FOLLOWER=$!
STEP=
trap '[ -z "$STEP" ] || kill "$STEP" 2>/dev/null' INT TERM HUP
kit-step "$((END - $(date +%s)))" "$WORK/logs/parts" "$BOX" sh "$KIT/scripts/parts.sh" >"$WORK/logs/parts.ended" &
STEP=$!
# A signal ends `wait` early, and what was told to stop takes a moment more.
while kill -0 "$STEP" 2>/dev/null; do wait "$STEP"; done
read -r how _ <"$WORK/logs/parts.ended" || how=lost
case $how in
    ok) ENDED=complete ;;
    late) ENDED="out of time" ;;
    stopped) ENDED=interrupted ;;
    *) ENDED="broken off ($how)" ;;
esac
sleep 1
kill "$FOLLOWER" 2>/dev/null
report
echo
awk '/^# / { head = 1 } /^## / { head = 0 } head' "$KIT/report.md"
rm -f "$WORK/running"
echo "written: $KIT/report.md and $KIT/report.json"
case $ENDED in complete) ;; *) exit 1 ;; esac
[ ! -s "$RESULTS/wrong.tsv" ] && [ ! -s "$RESULTS/cuda/wrong.tsv" ]
