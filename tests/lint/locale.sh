#!/bin/sh
# locale.sh ROOT -- every function of dalle.h starts with PLAIN_LOCALE, so that no caller's locale reaches the
# rooms below; those that do nothing with text or files are listed here.
# SPDX-License-Identifier: MIT
cd "$1" || exit 1
bad=0
for name in $(grep -o '^DALLE_API [^;]*(' app/api/dalle.h | sed 's/.*[ *]\(dalle_[a-z_]*\)(.*/\1/' | LC_ALL=C sort); do
    case $name in
        dalle_version | dalle_free | dalle_pictures_free | dalle_get_info | dalle_listen) continue ;;
        dalle_request_init | dalle_sampling_init | dalle_change_init) continue ;;
    esac
    # A definition starts in the first column and ends in ")"; the line after its brace is the first of the body.
    awk -v name="$name" '
        !inside && /^[a-z]/ && index($0, name "(") { inside = 1 }
        inside && seen { found = /PLAIN_LOCALE;/; exit }
        inside && /^\{/ { seen = 1 }
        END { exit !found }' app/api/*.c 2>/dev/null || {
        echo "app/api: $name does not start with PLAIN_LOCALE; see host/base/plain_locale.h"
        bad=1
    }
done
[ "$(grep -c '^DALLE_API' app/api/dalle.h)" -ge 8 ] || { echo "app/api/dalle.h: its functions were not found"; bad=1; }
exit $bad
