#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh basal|uniform|small FOLDER [AT_ONCE]: the phantom study in FOLDER, from the cohort to the evaluation, AT_ONCE
# (2) jobs side by side. The same call goes on where the last one ended, however it ended. REN: the program.
set -eu -o pipefail
usage() {
    echo "usage: $0 basal|uniform|small FOLDER [AT_ONCE]" >&2
    exit 2
}
[ $# -ge 2 ] && [ $# -le 3 ] || usage
here=$(cd "$(dirname "$0")" && pwd)
name=$1 folder=$2 at_once=${3:-2}
export REN=${REN:-ren}

case $name in
basal | uniform) cohort="--patients 60 --scans 2 --size 128 --seed 2027 --distribution $name" ;;
small) cohort="--patients 16 --scans 1 --size 64 --seed 2026" ;;
*) usage ;;
esac

mkdir -p "$folder"
cp "$here/phantom-$name.yaml" "$folder/"
if ! [ -e "$folder/cohort-$name/labels.csv" ]; then # written last
    # shellcheck disable=SC2086 # several words
    "$REN" phantom $cohort -o "$folder/cohort-$name"
fi
"$here/../slurm/parallel.sh" "$folder/phantom-$name.yaml" "$folder/run-$name" "$at_once"
"$REN" evaluate "$folder/run-$name"
echo "the report: $folder/run-$name/evaluation.html"
