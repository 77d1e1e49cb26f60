#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The ren program from outside: calls, exit statuses, one-line errors, interrupts, and a study from phantom to prediction.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
ren=$BUILD/bin/ren
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0
failed=0

count() { # count NAME STATUS
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $1"
        sed 's/^/    /' out err 2>/dev/null
    fi
}
# expect STATUS NAME ARGUMENTS...: runs ren, leaves its streams in the files out and err.
expect() {
    local wanted=$1 name=$2 status
    shift 2
    timeout 300 "$ren" "$@" >out 2>err
    status=$?
    [ $status = "$wanted" ]
    count "$name (status $status, not $wanted)" $?
}
# complains STATUS TEXT ARGUMENTS...: fails with this status, nothing on standard output, one line with TEXT on the other.
complains() {
    local wanted=$1 text=$2
    shift 2
    expect "$wanted" "ren $*" "$@"
    [ ! -s out ] && [ "$(wc -l <err)" = 1 ] && grep -q '^ren' err && grep -qF -- "$text" err
    count "one line with \"$text\" from ren $*" $?
}
holds() { # holds NAME COMMAND...
    local name=$1
    shift
    "$@" >/dev/null 2>&1
    count "$name" $?
}

# --- usage
expect 0 help help
holds 'help lists the commands' grep -q '^  predict ' out
expect 0 version --version
holds 'version' grep -qE '^ren [0-9]+\.[0-9]+\.[0-9]+$' out
for command in info preprocess phantom train evaluate predict verify bench radiomics; do
    expect 0 "help $command" help $command
    expect 0 "$command --help" $command --help
    expect 0 "$command --version" $command --version
    complains 2 --no-such-option $command --no-such-option
done
complains 2 'no command' nonsense
complains 2 'FILE' info
complains 2 'too many' info a b
complains 2 '--threads' info --threads 0 x
complains 2 '--threads' info --threads
complains 2 '--memory-limit' info --memory-limit 10Q x
complains 2 '--precision' info --precision f64 x
complains 2 '--json' info --json=1 x
complains 2 '--model' predict ct.nii.gz lobes.nii.gz
complains 2 '--patients' phantom -o x
complains 2 '-o DIR' phantom --patients 2
complains 2 'size' phantom --patients 2 --size 7 -o x
complains 2 '--io' verify --arch cnn
complains 2 'no_such_arch' bench --arch no_such_arch
complains 2 'too few' radiomics ct.nii.gz
complains 2 '-o OUT' radiomics --batch cases.csv
complains 2 'too many' radiomics --batch cases.csv -o out.csv ct.nii.gz
complains 2 '--jobs' radiomics ct.nii.gz lobes.nii.gz --jobs 2
complains 2 'exclude' radiomics ct.nii.gz lobes.nii.gz --regions --label 1
complains 2 '--mode' radiomics ct.nii.gz lobes.nii.gz --mode exact
complains 2 'IMAGE and MASK' bench --radiomics ct.nii.gz
complains 1 missing.nii.gz info missing.nii.gz
complains 1 missing.safetensors info missing.safetensors

# --- images
expect 0 phantom phantom --patients 12 --scans 2 --size 40 --seed 5 -o cohort
holds 'nothing on standard output' test ! -s out
holds 'no bar where there is no terminal' test ! -s err
holds 'columns of the table' grep -qx 'patient,scan,label,extent_LUL,extent_LLL,extent_RUL,extent_RML,extent_RLL' cohort/labels.csv
expect 0 'phantom again' phantom --patients 12 --scans 2 --size 40 --seed 5 -o cohort2 --threads 1
holds 'the same bytes with one thread' diff -r cohort cohort2
line=$(sed -n 2p cohort/labels.csv)
patient=${line%%,*}
line=${line#*,}
ct=cohort/$patient/${line%%,*}.nii.gz
lobes=${ct%.nii.gz}_lobes.nii.gz
expect 0 'info' info "$ct"
holds 'info shows the grid' grep -q '^shape: 40, 40, ' out
expect 0 'info --json' info --json "$ct" -o info.json
holds 'info -o' grep -q '"shape"' info.json
holds 'no temporary file is left' test -z "$(find . -maxdepth 1 -name 'info.json.*')"
complains 1 /dev/full info "$ct" -o /dev/full
complains 1 'no/such/folder' info "$ct" -o no/such/folder/x
complains 3 limit info "$ct" --memory-limit 10K
head -c 3000 "$ct" >cut.nii.gz
complains 1 cut.nii.gz info cut.nii.gz
printf 'nonsense' >nonsense.safetensors
complains 1 nonsense.safetensors info nonsense.safetensors
expect 0 preprocess preprocess "$ct" "$lobes" -o prepared
for name in image region_LUL region_LLL region_RUL region_RML region_RLL region_left_lung region_right_lung; do
    holds "prepared $name" "$ren" info "prepared/$name.nii.gz"
done
expect 0 'preprocess, paper' preprocess "$ct" "$lobes" --preset paper -o prepared_paper
complains 1 lobes preprocess "$ct" "$ct" -o prepared_wrong
holds 'nothing prepared from refused data' test ! -e prepared_wrong/image.nii.gz

# --- radiomics
expect 0 'features of the seven regions' radiomics "$ct" "$lobes" --regions -o regions.csv
holds 'seven rows' test "$(wc -l <regions.csv)" = 8
holds '107 features' test "$(head -n 1 regions.csv | tr , '\n' | grep -c '^original_')" = 107
holds 'columns' grep -q '^Image,Mask,Region,diagnostics_Versions_PyRadiomics,' regions.csv
expect 0 'the same bytes with one thread' radiomics "$ct" "$lobes" --regions --threads 1 -o regions1.csv
holds 'threads do not matter' cmp regions.csv regions1.csv
expect 0 'merged labels' radiomics "$ct" "$lobes" --label left_lung=1+2 --label 3
holds 'merged labels are the region' test "$(grep -o '}},[0-9a-f]\{40\}.*' regions.csv | sed -n 6p)" = \
    "$(grep -o '}},[0-9a-f]\{40\}.*' out | sed -n 1p)"
expect 0 json radiomics "$ct" "$lobes" --format json
holds 'flat names and meta' grep -q '"original_shape_MeshVolume": {"unit": "mm3", "ibsi": "RNU0"}' out
complains 2 'write 2, 1+2 or name=1+2' radiomics "$ct" "$lobes" --label 1,2
expect 1 'a label that is not there' radiomics "$ct" "$lobes" --label 9 --label 1
holds 'its row is nan' grep -q ',nan$' out
holds 'and it is told' grep -q 'region 9 has no voxels' err
complains 1 'different.nii.gz' radiomics "$ct" different.nii.gz
printf 'featureClass:\n  firstorder: [Mean]\nsetting: {binWidth: 10}\n' >params.yaml
expect 0 'a parameter file' radiomics "$ct" "$lobes" --params params.yaml
holds 'one feature' test "$(head -n 1 out | tr , '\n' | grep -c '^original_')" = 1
printf 'setting: {binwidth: 10}\n' >wrong.yaml
complains 1 'did you mean "binWidth"?' radiomics "$ct" "$lobes" --params wrong.yaml
expect 0 'ibsi mode' radiomics "$ct" "$lobes" --mode ibsi --label 2
holds "IBSI's families" grep -q ',ibsi_ivh_' out
complains 3 limit radiomics "$ct" "$lobes" --memory-limit 300K
expect 0 'bench of it' bench --radiomics "$ct" "$lobes" --regions --runs 2 --json
holds 'milliseconds' grep -q '"milliseconds_min": ' out
printf 'featureClass: {firstorder: [Mean]}\nvoxelSetting: {kernelRadius: 1}\n' >maps.yaml
expect 0 maps radiomics "$ct" "$lobes" --label 4 --params maps.yaml --maps maps
holds 'a map' "$ren" info maps/original_firstorder_Mean.nii.gz
expect 0 'maps of two regions' radiomics "$ct" "$lobes" --label 4 --label 5 --params maps.yaml --maps maps
holds 'a folder for each' test -e maps/4/original_firstorder_Mean.nii.gz -a -e maps/5/original_firstorder_Mean.nii.gz

{
    echo 'Image,Mask,Label,who'
    tail -n +2 cohort/labels.csv | head -n 8 | while IFS=, read -r p scan _; do
        echo "cohort/$p/$scan.nii.gz,cohort/$p/${scan}_lobes.nii.gz,,$p"
        echo "cohort/$p/$scan.nii.gz,cohort/$p/${scan}_lobes.nii.gz,lungs=1+2+3+4+5,$p"
    done
} >cases.csv
expect 0 batch radiomics --batch cases.csv -o batch.csv -q
holds 'a row a case' test "$(wc -l <batch.csv)" = 17
holds 'others are copied through' grep -q '^Image,Mask,Region,Label,who,error,diagnostics_' batch.csv
holds 'no error' test "$(cut -d, -f6 batch.csv | sort -u | wc -l)" = 2
for tenth in 1 2 4; do
    rm -f killed.csv
    timeout -s KILL 0.$tenth "$ren" radiomics --batch cases.csv -o killed.csv --jobs 2 -q >out 2>err
    holds 'whole rows after a kill' sh -c '[ ! -e killed.csv ] || [ -z "$(tail -c 1 killed.csv)" ]'
    expect 0 'a second run does the rest' radiomics --batch cases.csv -o killed.csv --jobs 1 -q
    holds 'the same bytes' cmp batch.csv killed.csv
done
rm -f .ren-*.tmp # what a kill during a write leaves
timeout -s INT 0.2 "$ren" radiomics --batch cases.csv -o stopped.csv -q >out 2>err
status=$?
holds 'interrupted' sh -c "[ $status = 124 ] || [ $status = 0 ]"
expect 0 'after an interrupt' radiomics --batch cases.csv -o stopped.csv -q
holds 'the same bytes after an interrupt' cmp batch.csv stopped.csv
holds 'no temporary file is left' test -z "$(find . -maxdepth 1 -name '.ren-*')"
echo 'cohort/no.nii.gz,cohort/no.nii.gz,,nobody' >>cases.csv
expect 1 'a broken case' radiomics --batch cases.csv -o batch.csv -q
holds 'its row' grep -q '^cohort/no.nii.gz,cohort/no.nii.gz,1,,nobody,cohort/no.nii.gz: ' batch.csv
holds 'and all others' test "$(wc -l <batch.csv)" = 18
complains 1 'choose another file' radiomics --batch cases.csv -o batch.csv --params params.yaml
complains 1 'no table of these cases' radiomics --batch cases.csv -o cohort/labels.csv
complains 2 'cases itself' radiomics --batch cases.csv -o cases.csv

# --- a study
cat >study.yaml <<'CONFIG'
study: cli-test
seed: 3
data: {root: cohort, table: labels.csv, preset: {size: [24, 24, 24]}}
split: {folds: 3, validation: 0.4, run: [0]}
regions: 2
experts:
  - {name: cnn, arch: cnn, epochs: 2, batch: 4}
gates:
  - {name: auc, source: validation_auc}
mixtures:
  - {name: ren, experts: cnn, gate: auc}
CONFIG
expect 0 'list of jobs' train study.yaml -o run --list-jobs
holds 'jobs of the experts' grep -q '^fold0\.cnn\.' out
cp out jobs
complains 2 nothing train study.yaml -o run --job nothing
expect 0 'one job' train study.yaml -o run --job "$(head -n 1 jobs)" -q
holds 'quiet' test ! -s err
complains 1 resume train study.yaml -o run
expect 0 resume train study.yaml -o run --resume
holds 'every job is done' sh -c 'while read -r job; do [ -e "run/jobs/$job/done.json" ] || exit 1; done <jobs'
expect 0 'the study at once' train study.yaml -o run2 -q
model=$(find run/models -name '*.safetensors' | sort | head -n 1)
holds 'the same model by jobs and at once' cmp "$model" "run2/${model#run/}"
expect 0 'training with one thread' train study.yaml -o run4 -q --deterministic --threads 1
holds 'the same model from one thread' cmp "$model" "run4/${model#run/}"
timeout -s KILL 1 "$ren" train study.yaml -o run5 -q --threads 2 >out 2>err
expect 0 'resuming what was killed' train study.yaml -o run5 --resume -q
holds 'the same model after a kill' cmp "$model" "run5/${model#run/}"

# --- every network in one study, with a baseline on both lungs
cat >kinds.yaml <<'CONFIG'
study: kinds
seed: 5
data: {root: cohort, table: labels.csv, preset: {size: [32, 32, 64]}}
split: {folds: 3, validation: 0.4, run: [0]}
regions: 2
experts:
  - {name: vit, arch: vit, epochs: 1, patch_size: [8, 8, 8], embed_dim: 16, n_layers: 1, n_heads: 2}
  - {name: mamba, arch: mamba, epochs: 1, d_model: 16, n_layers: 1, d_state: 8}
baselines:
  - {name: swin, arch: swin_unetr, epochs: 1, feature_size: 12, depths: [1, 1, 1, 1]}
gates:
  - {name: auc, source: validation_auc}
mixtures:
  - {name: ren-vit, experts: vit, gate: auc}
  - {name: ren-mamba, experts: mamba, gate: auc}
compare: {primary: [ren-vit, swin]}
CONFIG
expect 0 'a study of every network' train kinds.yaml -o kinds -q
expect 0 'job of a baseline' train kinds.yaml -o kinds --list-jobs
holds 'job of a baseline' grep -q '^fold0\.swin$' out
timeout -s KILL 0.5 "$ren" train kinds.yaml -o kinds2 -q >out 2>err
expect 0 'resuming it after a kill' train kinds.yaml -o kinds2 --resume -q
for file in models/ren-vit.safetensors models/ren-mamba.safetensors jobs/fold0.swin/model.safetensors; do
    holds "the same $file after a kill" cmp "kinds/$file" "kinds2/$file"
done
expect 0 'card of a baseline' info kinds/jobs/fold0.swin/model.safetensors
holds 'it has seen both lungs' grep -q '^regions: lungs' out
expect 0 'evaluation of every network' evaluate kinds -q
holds 'the baseline is in the table' grep -q '^swin,baseline,patient,pooled' kinds/evaluation.csv
holds 'and in the report' grep -q 'swin' kinds/evaluation.html
sed 's/32, 32, 64/32, 32, 48/' kinds.yaml >unfit.yaml
complains 1 'an input axis of 48 is no multiple of 32' train unfit.yaml -o unfit
for arch in vit mamba swin_unetr; do
    expect 0 "bench of $arch" bench --arch $arch --size 32 --runs 1 --json
done
expect 0 evaluate evaluate run
for kind in json csv html; do
    holds "evaluation.$kind" test -s run/evaluation.$kind
done
cp run/evaluation.json first.json
expect 0 'evaluate prints what is stored' evaluate run --json
holds 'stored evaluation is as it was' cmp first.json run/evaluation.json
expect 0 'evaluate --again' evaluate run --again
sed 's/epochs: 2/epochs: 3/' study.yaml >other.yaml
expect 1 'another configuration' train other.yaml -o run --resume
sed 's/^regions/reigons/' study.yaml >unknown.yaml
complains 1 reigons train unknown.yaml -o run3
complains 1 nowhere evaluate nowhere

# --- prediction
expect 0 'card of the model' info "$model"
holds 'kind of the model' grep -q '^kind: ' out
expect 0 predict predict --model "$model" "$ct" "$lobes"
holds 'research use only' grep -q 'research use only' out
expect 0 'predict --explain' predict --model "$model" "$ct" "$lobes" --explain
holds 'contributions' grep -q contribution out
holds 'occlusion' sh -c 'grep -q "^taken out" out && ! grep -qi nan out'
expect 0 'predict --top-k' predict --model "$model" "$ct" "$lobes" --json --explain --top-k 1
holds 'one expert ran' test "$(grep -c '"ran": true' out)" = 1
holds 'the others are said to be left out' grep -q '"skipped": "weight"' out
holds 'the explanation' grep -q '"probability_without"' out
expect 0 'predict --min-weight' predict --model "$model" "$ct" "$lobes" --json --min-weight 1
holds 'one expert ran' test "$(grep -c '"ran": true' out)" = 1
complains 2 'min_weight' predict --model "$model" "$ct" "$lobes" --min-weight 1.5
complains 2 '--top-k' predict --model "$model" "$ct" "$lobes" --top-k 0
expect 0 'predict --report' predict --model "$model" "$ct" "$lobes" --json --report report
cp out predicted.json
holds 'the report' grep -qi 'research use only' report/report.html
for key in probability label regions warnings model library preset isa threads seconds notice read preprocess radiomics experts gate total; do
    holds "JSON has $key" grep -q "\"$key\"" predicted.json
done
expect 0 'predict with one thread' predict --model "$model" "$ct" "$lobes" --json --threads 1
numbers() { sed -n 's/.*\("probability".*\)"warnings".*/\1/p' <(tr -d '\n' <"$1"); }
numbers predicted.json >two
numbers out >one
holds 'the same digits with one thread' sh -c 'test -s one && cmp one two'
# Every instruction set that oneDNN can be held to here: its own digits, but the same for every number of threads.
for isa in SSE41 AVX AVX2 AVX512_CORE AVX512_CORE_BF16; do
    for threads in 1 2 3; do
        ONEDNN_MAX_CPU_ISA=$isa expect 0 "predict, $isa, $threads threads" predict --model "$model" "$ct" "$lobes" --json \
            --threads $threads
        numbers out >"digits.$threads"
    done
    holds "the same digits for every number of threads, $isa" \
        sh -c 'test -s digits.1 && cmp digits.1 digits.2 && cmp digits.1 digits.3'
done
ONEDNN_MAX_CPU_ISA=AVX2 complains 1 'bfloat16' predict --model "$model" "$ct" "$lobes" --precision bf16
complains 2 'lobe map' predict --model "$model" "$ct"
complains 1 "$ct" predict --model "$ct" "$ct" "$lobes"

# --- checks and timing
expect 0 bench bench --arch cnn --size 32 --runs 2 --operators
holds 'no figure is missing' sh -c 'grep -q GFLOP out && ! grep -qi nan out'
expect 0 'bench --train' bench --arch cnn --size 16 --batch 2 --runs 2 --train --operators
holds 'no figure of a training step is missing' sh -c '! grep -qi nan out'
expect 0 'bench --json' bench --arch cnn --size 16 --runs 2 --json
holds 'peak of memory' grep -q '"peak_bytes"' out
complains 1 nothing.safetensors verify --arch cnn --io nothing.safetensors
if [ -d "${REN_SHARED:-}/golden" ]; then
    golden=$REN_SHARED/golden/ren_cnn
    expect 0 verify verify --arch cnn --weights $golden.weights.safetensors --io $golden.io.safetensors --require-grads
    holds 'every tensor was compared' grep -qE '^compared [0-9]+ tensors, missing 0$' out
    holds 'the worst is named' grep -qE '^worst [^ ]+ [0-9.e+-]+$' out
    expect 1 'verify with a tolerance that is too small' verify --arch cnn --weights $golden.weights.safetensors \
        --io $golden.io.safetensors --rtol 1e-9
    holds 'and tells what it found' grep -q '^worst ' out
fi

# --- interrupts
interrupt() { # interrupt NAME SECONDS ARGUMENTS...
    local name=$1 seconds=$2 status
    shift 2
    timeout --preserve-status -s INT "$seconds" "$ren" "$@" >out 2>err
    status=$?
    [ $status = 130 ] && [ ! -s out ] && grep -q interrupted err
    count "$name (status $status)" $?
}
interrupt 'interrupted phantom' 0.5 phantom --patients 500 --size 256 -o cut_cohort
holds 'no table of a cohort that is not whole' test ! -e cut_cohort/labels.csv
holds 'no half-written file' sh -c 'find cut_cohort -name "*.nii.gz" -exec gzip -t {} + && [ -z "$(find cut_cohort -name "*tmp*" -o -name "*.??????" -type f | grep -v README)" ]'
sed 's/epochs: 2/epochs: 50000, early_stopping: false/' study.yaml >long.yaml
interrupt 'interrupted training' 2 train long.yaml -o cut_run
expect 0 'jobs after an interrupt' train long.yaml -o cut_run --list-jobs

echo "test_cli: $passed passed, $failed failed"
[ $failed = 0 ]
