#!/bin/sh
# oclgrind.sh PROGRAMS FOLDER LOG -- the smallest dVAE and prior train, and four tokens are drawn, under
# Oclgrind: nothing out of bounds, no races, and the numbers are PoCL's.
# SPDX-License-Identifier: MIT
sh "$(dirname "$0")/../ops/oclgrind.sh" "$1/agree_record" "$3" '' "$2" least || exit $?
reference=$2/pocl-least.safetensors
[ -f "$reference" ] || { echo "skipped: PoCL's recording is not there; run agree_least with PoCL first"; exit 77; }
"$1/agree_compare" "$reference" "$2/oclgrind-least.safetensors"
