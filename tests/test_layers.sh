#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The floors of docs/architecture.md: no file includes a header of a floor above its own, no object calls what only a
# floor above defines, only the adapter includes oneDNN's headers, and hosts see include/ alone.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build}
floors='base format volume radiomics kernels graph ops nets moe train tools'
passed=0 failed=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

empty() { # what, file: passes where the file is empty
    if [ ! -s "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$1:"
        sed 's/^/    /' "$2"
    fi
}

# Every folder has a place.
for folder in src/*/; do
    folder=${folder#src/}
    case " $floors " in *" ${folder%/} "*) ;; *) echo "src/$folder" ;; esac
done >"$work/unknown"
empty 'folders that are on no floor' "$work/unknown"

grep -n '^#include "' src/*/*.[ch] | awk -F '[/:"]' -v floors="$floors" '
    BEGIN { count = split(floors, name, " "); for (i = 1; i <= count; i++) level[name[i]] = i }
    # src / FLOOR / FILE : LINE : #include " FLOOR / HEADER: without a folder it is a public header
    $6 ~ /\.h$/ { if ($6 != "ren.h" && $6 != "ren_tools.h") print; next }
    !($6 in level) || level[$6] > level[$2] { print }' >"$work/climbing"
empty 'includes that climb, or name no floor' "$work/climbing"

grep -n '#include <dnnl' src/*/*.[ch] | grep -v '^src/kernels/onednn[a-z_]*\.[ch]:' >"$work/dnnl"
empty "oneDNN's headers outside src/kernels/onednn*" "$work/dnnl"

grep -n '^#include "' examples/*/*.[ch] | grep -v '"ren\.h"$\|"ren_tools\.h"$' |
    awk -F '[/:"]' '{ if (system("test -e examples/" $2 "/" $6)) print }' >"$work/hosts"
empty 'hosts that include more than include/ and their own headers' "$work/hosts"

# The same for what is linked: a declaration by hand would get past the includes.
objects=$build/obj/$(cut -d ' ' -f 1 "$build/obj/linked-from" 2>/dev/null)/src
for floor in $floors; do
    nm -g "$objects/$floor"/*.o 2>/dev/null | awk -v floor="$floor" '$NF ~ /^ren_/ { print floor, $(NF - 1), $NF }'
done >"$work/symbols"
awk -v floors="$floors" '
    BEGIN { count = split(floors, name, " "); for (i = 1; i <= count; i++) level[name[i]] = i }
    $2 != "U" { home[$3] = $1; next }
    { user[$1 " " $3] = 1 }
    END {
        for (use in user) {
            split(use, part, " ")
            if (!(part[2] in home)) print part[1] " calls " part[2] ", which nothing defines"
            else if (level[home[part[2]]] > level[part[1]]) print part[1] " calls " part[2] " of " home[part[2]]
        }
    }' "$work/symbols" | sort >"$work/upward"
[ -s "$work/symbols" ] || echo "no objects in $objects" >>"$work/upward"
empty 'calls to floors above' "$work/upward"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
