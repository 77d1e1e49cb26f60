#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh JOBS LOGS PROGRAM...: runs test programs and scripts side by side, and sums their last lines, each of the form
# "[name: ]N passed, M failed[, K skipped]". A program that ends without one counts as one failure, and so does one that
# ends with a failure that its line does not tell. Outputs are kept in the folder LOGS; those of failures are shown.
set -u

if [ "${1:-}" = --one ]; then
    logs=$2 program=$3
    name=${program#"${program%/*/*}"/} # with its folder: names of scripts repeat
    name=$(printf '%s' "${name%.*}" | tr / _)
    log=$logs/$name.log
    started=$(date +%s)
    case $program in
    *.py) timeout "${REN_TEST_TIMEOUT:-900}" "${PYTHON:-python3}" "$program" >"$log" 2>&1 </dev/null ;;
    *) timeout "${REN_TEST_TIMEOUT:-900}" "$program" >"$log" 2>&1 </dev/null ;;
    esac
    status=$?
    line=$(grep -E '(^|: )[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$log" | tail -n 1)
    line=${line#*: }
    case $line in
    '') line='0 passed, 1 failed' ;;
    *' 0 failed'*) [ $status = 0 ] || line="${line%% passed*} passed, 1 failed" ;;
    esac
    echo "$line" >"$logs/$name.sum"
    case $line in
    *' 0 failed'*) printf 'ok     %-36s %s, %s s\n' "$name" "$line" $(($(date +%s) - started)) ;;
    *) printf 'FAILED %-36s %s (status %s)\n%s\n' "$name" "$line" "$status" "$(tail -n 40 "$log" | sed 's/^/    /')" ;;
    esac
    exit 0
fi

jobs=$1 logs=$2
shift 2
mkdir -p "$logs"
rm -f "$logs"/*.log "$logs"/*.sum
[ $# = 0 ] || printf '%s\n' "$@" | xargs -P "$jobs" -I PROGRAM "$0" --one "$logs" PROGRAM
cat "$logs"/*.sum /dev/null 2>/dev/null | awk '
    { for (i = 2; i <= NF; i++) { word = $i; sub(/,$/, "", word); count[word] += $(i - 1) } }
    END {
        printf "%d passed, %d failed, %d skipped\n", count["passed"], count["failed"], count["skipped"]
        exit count["failed"] != 0 || count["passed"] == 0
    }'
