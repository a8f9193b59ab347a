#!/bin/sh
# agree.sh PROGRAMS FOLDER WHAT [MODEL] -- records in FOLDER what the device computes, and compares it
# with what PoCL computed.  PROGRAMS is the folder of agree_record and agree_compare.
# SPDX-License-Identifier: MIT
programs=$1 folder=$2 what=$3
shift 2
case $what in
    full | demo)
        [ "${DALLE_CL_TINY:-0}" = 0 ] || { echo "skipped: reduced sizes (agree_least and agree_caption)"; exit 77; } ;;
esac

log=$("$programs/agree_record" "$folder" "$@" 2>&1)
status=$?
echo "$log"
[ $status -eq 0 ] || exit $status
mine=$(echo "$log" | tail -n 1)
reference=$folder/pocl-$what.safetensors
[ "$mine" != "$reference" ] || exit 0
[ -f "$reference" ] || { echo "skipped: PoCL's recording is not there; run this test with PoCL first"; exit 77; }
"$programs/agree_compare" "$reference" "$mine"
