# test.sh NAME CACHE -- one device test, for parts.sh: its line in tests.tsv, and where it failed the end of its log.
# SPDX-License-Identifier: MIT
limit=$((TESTS_END - $(date +%s)))
[ "$limit" -ge 5 ] || exit 0
[ "$limit" -le 150 ] || limit=150
[ "$2" != off ] || export DALLE_CL_CACHE=off
log=$WORK/logs/test-$1
export DALLE_CL_HELPER=off POCL_WORK_GROUP_SPECIALIZATION=0
cd "$WORK/runs" || exit 0
result=$(kit-step "$limit" "$log" env PATH="$HOST_PATH" "$KIT/bin/test_$1")
read -r how took mib <<LINE
$result
LINE
# What the share of the time cut short is run again if time is left over, unless it has had its 150 seconds.
case $how in late) [ "$limit" -ge 150 ] || { echo "$1: not done in the $limit s left for tests"; exit 0; } ;; esac
printf '%s\t%s\t%s\t%s\n' "$1" "$how" "$took" "$mib" >>"$RESULTS/tests.tsv"
case $how in
    ok) exit 0 ;;
    skipped) why=$(tail -n 1 "$log" | tr '\t' ' ' | cut -c 1-200); printf '%s\t%s\n' "$1" "$why" >>"$RESULTS/not-here.tsv"; exit 0 ;;
esac
why=$(grep -m 1 -E '^\[  ERROR|error:|Error|failed|cannot' "$log" | tr '\t' ' ' | cut -c 1-200)
printf 'test %s\t%s\n' "$1" "$how: $why" >>"$RESULTS/wrong.tsv"
{ echo "-- $1: $how"; tail -n 25 "$log" | cut -c 1-300; } >>"$RESULTS/failures.txt"
echo "$1: $how"
