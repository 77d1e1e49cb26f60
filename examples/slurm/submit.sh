#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# submit.sh CONFIG RUNDIR [OPTIONS OF sbatch...]: a study as Slurm job arrays, one a stage, each of which waits for the
# one before. Configuration, data and run folder must lie where all nodes see them. For instance
#
#     examples/slurm/submit.sh study.yaml /shared/run --partition=cpu --cpus-per-task=8 --mem=16G --time=12:00:00
#
# A job whose node dies or is taken away is queued again (--requeue in job.sbatch) and goes on from its checkpoint. Where
# a task has failed for good, the arrays behind it never start: cancel them, mend what was wrong, and submit again: jobs
# that are done return at once. When all is done, `ren evaluate RUNDIR` reads the test folds.
set -eu -o pipefail
[ $# -ge 2 ] || { echo "usage: $0 CONFIG RUNDIR [OPTIONS OF sbatch...]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
config=$(realpath "$1") run=$(realpath "$2")
shift 2
ren=${REN:-ren}
after=()

for ((stage = 1; ; stage++)); do
    jobs=$("$ren" train "$config" -o "$run" --list-jobs --stage "$stage")
    [ -n "$jobs" ] || break
    list=$run/stage$stage.txt
    printf '%s\n' "$jobs" >"$list"
    count=$(wc -l <"$list")
    id=$(sbatch --parsable --array="1-$count" --job-name="$(basename "$run").$stage" --output="$run/slurm-%A_%a.txt" \
        "${after[@]}" "$@" "$here/job.sbatch" "$config" "$run" "$list")
    after=(--dependency="afterok:${id%%;*}")
    echo "stage $stage: $count jobs, array ${id%%;*}"
done
