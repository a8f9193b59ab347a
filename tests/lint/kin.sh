#!/bin/sh
# kin.sh ROOT -- only the store knows how moments and averages are named; everyone else asks it (store.h: kin).
# SPDX-License-Identifier: MIT
cd "$1" || exit 1
found=$(grep -rnE '"(adam|ema)\.' app data host models --include='*.[ch]' | grep -v '^host/graph/store\.c:')
[ -z "$found" ] && exit 0
printf '%s\n' "$found"
echo "no one but host/graph/store.c spells the names of moments and averages: use store_kin or store_kin_name"
exit 1
