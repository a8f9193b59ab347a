# ranks.inc.sh -- sourced by tests that start ranks on this machine; $program, $make and $folder are theirs.  Makes the
# folder, goes there, and says how ranks are started.
# SPDX-License-Identifier: MIT
rm -rf "$folder" && mkdir -p "$folder/scratch" && cd "$folder" || exit 1
skip() { echo "skipped: $1"; exit 77; }
fail() { echo "$1"; echo "--- said:"; tail -n 40 said; exit 1; }
"$program" devices >said 2>&1 || skip "no device"
command -v mpirun >said || skip "there is no mpirun"
export POCL_MAX_PTHREAD_COUNT=1 OMPI_MCA_btl_base_warn_component_unused=0
mpi() { n=$1; shift; TMPDIR=$folder/scratch timeout 120 mpirun --allow-run-as-root --oversubscribe -n "$n" "$@"; }
mpi 1 true >said 2>&1 || skip "mpirun starts nothing here"
"$make" mine 8 || exit 1
