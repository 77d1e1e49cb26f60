#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A study's jobs under schedulers: two at a time, one of them killed half-way and started again, leave the bytes that one
# process leaves; so do Slurm's arrays, whose sbatch is played by a script here.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
examples=$PWD/examples/slurm
export REN=$BUILD/bin/ren
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0
failed=0

holds() { # holds NAME COMMAND...
    local name=$1
    shift
    if "$@" >out 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $name"
        sed 's/^/    /' out
    fi
}

"$REN" phantom --patients 16 --scans 2 --size 32 --seed 5 --severity 2 -o cohort -q || exit 1
trees=logistic # without XGBoost no trees can be grown
ldconfig -p 2>/dev/null | grep -q 'libxgboost\.so\.0' && trees='{kind: boosted_trees, trees: 20}'
cat >study.yaml <<CONFIG
study: jobs
seed: 3
data: {root: cohort, preset: {size: [16, 16, 16], spacing: 5.0}}
split: {folds: 2, validation: 0.4}
regions: 2
experts:
  - {name: cnn, arch: cnn, epochs: 3, batch: 4}
gates:
  - {name: auc, source: validation_auc}
  - {name: trees, source: radiomics, predictor: $trees, params: {featureClass: {firstorder: [], glcm: []}}}
  - {name: scan, source: radiomics, mode: per_scan, predictor: {kind: logistic, features: 3},
     params: {featureClass: {glcm: [], firstorder: []}}}
  - {name: deep, source: features, of: cnn, mode: dynamic}
mixtures:
  - {name: ren, experts: cnn, gate: trees}
  - {name: even, experts: cnn, gate: auc}
  - {name: scans, experts: cnn, gate: scan}
  - {name: deeper, experts: cnn, gate: deep}
  - {name: stack, experts: cnn, stacking: logistic}
compare: {primary: [ren, even]}
CONFIG

# --- one process
holds 'the study in one process' "$REN" train study.yaml -o whole -q
holds 'its evaluation' "$REN" evaluate whole -q

# --- what there is to run
"$REN" train study.yaml -o pieces --list-jobs >jobs
holds 'one table for equal parameters' grep -qx 'radiomics\.trees' jobs
holds 'and no second one' test "$(grep -c '^radiomics\.' jobs)" = 1
holds 'a predictor for each region' test "$(grep -c '^fold[01]\.\(trees\|scan\)\..*_lung$' jobs)" = 8
for stage in 1 2 3; do
    "$REN" train study.yaml -o pieces --list-jobs --stage $stage >stage$stage
done
holds 'stages are all jobs' sh -c 'sort stage1 stage2 stage3 | cmp - "$0"' <(sort jobs)
holds 'no further stage' test -z "$("$REN" train study.yaml -o pieces --list-jobs --stage 4)"
"$REN" train study.yaml -o pieces --list-jobs --json >jobs.json
holds 'needs are listed' grep -q '{"id": "fold0.even", "stage": 2, "done": false, "needs": \["fold0.cnn.left_lung", ' jobs.json
holds 'JSON' "${PYTHON:-python3}" -c 'import json; stage = {j["id"]: j["stage"] for j in json.load(open("jobs.json"))}
assert all(stage[n] < j["stage"] for j in json.load(open("jobs.json")) for n in j["needs"])'
holds 'stages are listed, not run' sh -c '"$REN" train study.yaml -o pieces --stage 1 2>err; test $? = 2 &&
    grep -q -e "--stage and --json go with --list-jobs" err'
holds 'a job says what it lacks' sh -c '! "$REN" train study.yaml -o pieces --job fold0.ren -q 2>err &&
    grep -q "fold0.ren needs the job fold0.cnn.left_lung, which is not done" err'

# --- two at a time, one killed on the way
job=fold0.cnn.left_lung
"$REN" train study.yaml -o pieces --job $job -q &
victim=$!
for _ in $(seq 200); do # until it has written something of its own
    [ -e "pieces/jobs/$job/history.csv" ] && break
    sleep 0.02
done
kill -KILL $victim 2>/dev/null
wait $victim 2>/dev/null
{ timeout -s KILL 0.3 "$REN" train study.yaml -o pieces --job radiomics.trees -q; } 2>/dev/null
holds 'jobs two at a time' "$examples/parallel.sh" study.yaml pieces 2
holds 'every job is done' sh -c 'while read -r job; do [ -e "pieces/jobs/$job/done.json" ] || exit 1; done <jobs'
holds 'what follows the last job' "$REN" train study.yaml -o pieces --resume -q
holds 'evaluation of the pieces' "$REN" evaluate pieces -q

same() { # same RUN: what a study leaves but for its log and what measures time
    diff -r -x log.txt -x history.csv -x scans -x 'stage*.txt' -x 'slurm-*' whole "$1"
}
holds 'the same bytes as one process' same pieces

# --- arrays
mkdir bin
cat >bin/sbatch <<'FAKE'
#!/bin/bash
# Runs the tasks of an array one after the other, the dependency's are over then. Arguments as submit.sh gives them.
number=$(($(cat "$FAKE_STATE" 2>/dev/null || echo 100) + 1))
for argument in "$@"; do
    case $argument in
    --array=1-*) last=${argument#--array=1-} ;;
    --dependency=afterok:*) [ "${argument#--dependency=afterok:}" = $((number - 1)) ] || exit 1 ;;
    --*) ;;
    *) break ;;
    esac
    shift
done
[ $number = 101 ] || [ -s "$FAKE_STATE" ] || exit 1
for ((task = 1; task <= last; task++)); do
    SLURM_ARRAY_TASK_ID=$task SLURM_CPUS_PER_TASK=1 bash "$@" || exit 1
done
echo $number >"$FAKE_STATE"
echo $number
FAKE
chmod +x bin/sbatch
FAKE_STATE=$work/state PATH=$work/bin:$PATH holds 'arrays' "$examples/submit.sh" study.yaml arrays --mem=1G
holds 'an array for each stage' test "$(cat state)" = 103
holds 'evaluation of the arrays' "$REN" evaluate arrays -q
holds 'the same bytes from arrays' same arrays

echo "$passed passed, $failed failed"
[ $failed = 0 ]
