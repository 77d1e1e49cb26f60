#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What `make demo` runs: a synthetic cohort, seven experts at reduced size trained for one fold, their evaluation on test
# patients that no choice has seen, and one of those patients predicted with a report. Less than five minutes on two cores.
# It starts anew each time. BUILD: the build folder.
set -eu -o pipefail
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
ren=$BUILD/bin/ren
demo=$BUILD/demo
started=$SECONDS

say() {
    printf '\n%s\n' "$*"
}

rm -rf "$demo"
mkdir -p "$demo"

say '1. A synthetic cohort: no scan here is of a person'
"$ren" phantom --patients 90 --scans 2 --size 64 --severity 1.5 --seed 7 -o "$demo/phantom"
tail -n +2 "$demo/phantom/labels.csv" | awk -F, '
    !($1 in seen) { seen[$1]; patients++; ill += $3 }
    { scans++ }
    END { printf "   %d scans of %d patients, %d of them with interstitial lung disease\n", scans, patients, ill }'

cat >"$demo/study.yaml" <<'CONFIG'
study: demo
seed: 42
data:
  root: phantom
  table: labels.csv
  preset: {kind: lung, size: [32, 32, 32], spacing: 3.0}
split: {folds: 3, validation: 0.3, run: [0]}
regions: 7
experts:
  - name: cnn
    arch: cnn
    epochs: 14
    batch: 4
    lr: 1.0e-3
    dropout: 0.3
    augmentation: {shift: 2, scale: 0.05}
gates:
  - {name: auc, source: validation_auc}
  - {name: even, source: uniform}
mixtures:
  - {name: ren, experts: cnn, gate: auc}
  - {name: plain, experts: cnn, gate: even}
compare: {primary: [ren, cnn.right_lung], others: []}
CONFIG

say '2. Training: one expert for each lobe and each lung, one fold of three'
"$ren" train "$demo/study.yaml" -o "$demo/run" 2>&1 | grep -v ': epoch ' | sed 's/^ren train:/  /'

say '3. Evaluation on the test patients of that fold, read once'
"$ren" evaluate "$demo/run"

say '4. One test patient'
cp "$demo/run/models/ren.safetensors" "$demo/model.safetensors"
patient=$(awk -F, '$5 == "test" && $3 == 1 { print $1 "/" $2; exit }' "$demo/run/predictions/ren.csv")
"$ren" predict --model "$demo/model.safetensors" "$demo/phantom/$patient.nii.gz" "$demo/phantom/${patient}_lobes.nii.gz" \
    --explain --report "$demo"

say "Model:  $demo/model.safetensors
Report: $demo/report.html (open it in a browser)
Study:  $demo/run/evaluation.html
$((SECONDS - started)) s"
