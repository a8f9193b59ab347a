# said.inc.sh -- what scripts that try the program share; $program is its path, and the files out and err are theirs.
# SPDX-License-Identifier: MIT
failed() { echo "$(basename "$0"): $1" >&2; cat out err >&2; exit 1; }
# runs STATUS ARGUMENTS...: the program, its words in the files out and err.
runs() {
    wanted=$1
    shift
    "$program" "$@" >out 2>err </dev/null
    status=$?
    [ $status = "$wanted" ] || failed "status $status, not $wanted, of: $*"
}
says() { grep -qF -- "$1" out || failed "does not say '$1'"; }
warns() { grep -qF -- "$1" err || failed "does not warn of '$1'"; }
