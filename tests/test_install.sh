#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs into a folder of its own, builds the C examples through pkg-config with the shared and with the static library,
# and runs them: with good input and with bad. Also what the installed libraries show of themselves.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
CC=${CC:-cc}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# check NAME COMMAND...: the command must succeed; its output is shown where it does not.
check() {
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $name"
        sed 's/^/    /' "$work/log"
    fi
}

# A run of its own, with the variables of the one that runs this script, and the flags: other flags are another build.
run_make() {
    eval "env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u PKG_CONFIG_PATH -u PKG_CONFIG_SYSROOT_DIR make --no-print-directory DEPS=no ${MAKE_VARIABLES:-BUILD=$BUILD} $*"
}

check 'make install' run_make install "DESTDIR='$work/root' PREFIX=/opt/ren"
root=$work/root/opt/ren
lib=$root/lib
export PKG_CONFIG_PATH=$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$work/root LD_LIBRARY_PATH=$lib

for file in include/ren.h include/ren_tools.h lib/libren.so lib/libren.so.0 lib/libren.a lib/pkgconfig/ren.pc bin/ren \
    share/libren/ibsi/config_{a,b,c,d,e}.yaml share/libren/ibsi/digital_phantom.yaml; do
    check "installed $file" test -e "$root/$file"
done
check 'installed files tell no build folder' sh -c "! grep -l '$PWD' '$lib/pkgconfig/ren.pc' '$root/include/ren.h'"
check 'version of ren.pc' sh -c "[ \"\$(pkg-config --modversion ren)\" = \"\$('$root/bin/ren' --version | cut -d' ' -f2)\" ]"

# Only ren_* is shown, and the static library has no global name without the prefix.
foreign_dynamic() {
    nm -D --defined-only "$lib/libren.so" | awk '$2 != "A" && $3 !~ /^ren_[a-z]/ { print; bad = 1 } END { exit bad }'
}
foreign_static() {
    nm -g --defined-only "$lib/libren.a" | awk 'NF == 3 && $3 !~ /^ren_/ { print; bad = 1 } END { exit bad }'
}
# The library neither ends the process nor speaks: see docs/conventions.md.
unwanted_calls() {
    ! nm -u "$lib/libren.a" | grep -wE 'abort|exit|_exit|printf|puts|putchar|perror|getenv|setlocale|__assert_fail|signal|sigaction'
}
check 'exported names' foreign_dynamic
check 'names of the static library' foreign_static
check 'no call that a library must not make' unwanted_calls

build() { # build HOW EXAMPLE
    local flags
    if [ "$1" = static ]; then
        flags="$(pkg-config --cflags ren) $lib/libren.a $(pkg-config --static --libs ren | sed 's/-lren\b//')"
    else
        flags=$(pkg-config --cflags --libs ren)
    fi
    # shellcheck disable=SC2086 # lists of words
    $CC -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror "examples/c/$2.c" $flags -o "$work/$2-$1"
}

check 'synthetic data' "$root/bin/ren" phantom --patients 2 --scans 1 --size 40 -q -o "$work/phantom"
ct=$(find "$work/phantom" -name '*_lobes.nii.gz' | sort | head -n 1)
ct=${ct%_lobes.nii.gz}
head -c 4000 "$ct.nii.gz" >"$work/cut.nii.gz"

# A model without training, so that this test needs no study.
make_model() {
    REN_LIBRARY=$lib/libren.so.0 PYTHONPATH=examples/python ${PYTHON:-python3} - "$work/model.safetensors" <<'SCRIPT'
import sys, ren
preset = ren.Preset(size=(32, 32, 32))
experts = [ren.Expert.create("cnn", name, seed=1, preset=preset) for name in ren.REGIONS]
ren.Mixture(experts, ren.Gate()).save(sys.argv[1])
SCRIPT
}
check 'a model' make_model
check 'a synthetic cohort' "$root/bin/ren" phantom --patients 8 --scans 1 --size 32 -q -o "$work/cohort"

refuses() { # refuses TEXT COMMAND...: ends with status 1 and says TEXT
    local text=$1 output status
    shift
    output=$("$@" 2>&1)
    status=$?
    echo "$output"
    [ $status = 1 ] && [[ $output == *"$text"* ]]
}
for how in shared static; do
    for example in predict custom_allocator train; do
        check "build $example, $how" build $how $example
    done
    check "custom_allocator, $how" "$work/custom_allocator-$how"
    check "predict, $how" "$work/predict-$how" "$work/model.safetensors" "$ct.nii.gz" "${ct}_lobes.nii.gz"
    mkdir "$work/trained-$how"
    check "train, $how" "$work/train-$how" "$work/cohort" "$work/trained-$how" 1
    check "predict with what was trained, $how" \
        "$work/predict-$how" "$work/trained-$how/model.safetensors" "$ct.nii.gz" "${ct}_lobes.nii.gz"
    check "train refuses a folder without a table, $how" refuses labels.csv "$work/train-$how" "$work" "$work" 1
    check "predict refuses a cut file, $how" refuses cut.nii.gz \
        "$work/predict-$how" "$work/model.safetensors" "$work/cut.nii.gz" "${ct}_lobes.nii.gz"
    check "predict refuses a missing model, $how" refuses nothing.safetensors \
        "$work/predict-$how" "$work/nothing.safetensors" "$ct.nii.gz" "${ct}_lobes.nii.gz"
done
check 'the static program needs no libren.so' sh -c "! ldd '$work/predict-static' | grep -q libren"

check 'make uninstall' run_make uninstall "DESTDIR='$work/root' PREFIX=/opt/ren"
check 'nothing is left' sh -c "[ -z \"\$(find '$root' -type f -o -type l)\" ]"

echo "test_install: $passed passed, $failed failed"
[ $failed = 0 ]
