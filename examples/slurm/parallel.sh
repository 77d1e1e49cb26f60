#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# parallel.sh CONFIG RUNDIR [AT_ONCE]: all jobs of a study on one machine, AT_ONCE (2) of them side by side, by GNU
# parallel where it is installed and by xargs elsewhere. The jobs of a stage need those of the stages before it and
# nothing of each other, so the stages follow one another. The same call goes on after whatever has ended the last one:
# jobs that are done are passed over, and a job that was killed goes on from its checkpoint. In one line, for one stage:
#
#     ren train study.yaml -o run --list-jobs --stage 1 | parallel -j 2 ren train study.yaml -o run --job {}
set -eu -o pipefail
[ $# -ge 2 ] || { echo "usage: $0 CONFIG RUNDIR [AT_ONCE]" >&2; exit 2; }
config=$1 run=$2 at_once=${3:-2}
ren=${REN:-ren}
threads=$(($(nproc) / at_once))
[ "$threads" -ge 1 ] || threads=1

for ((stage = 1; ; stage++)); do
    jobs=$("$ren" train "$config" -o "$run" --list-jobs --stage "$stage")
    [ -n "$jobs" ] || break
    if command -v parallel >/dev/null; then
        parallel --halt soon,fail=1 -j "$at_once" "$ren" train "$config" -o "$run" --threads "$threads" -q --job {} \
            <<<"$jobs"
    else
        xargs -P "$at_once" -I JOB "$ren" train "$config" -o "$run" --threads "$threads" -q --job JOB <<<"$jobs"
    fi
done
echo "all jobs are done: next is $ren evaluate $run"
