#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test_abi.sh [--record]: compares the ABI of the shared library with the recorded one, lib/libren.abi. ren_tools.h makes
# no promise and is left out. Before 1.0 a change is allowed, with a new record and a line in CHANGELOG.md.
set -u
cd "$(dirname "$0")/../.." || exit 1
shared=${BUILD:-build}/lib/libren.so.0
record=lib/libren.abi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

cat >"$work/suppressions" <<'END'
[suppress_function]
  symbol_version = REN_TOOLS
[suppress_type]
  name_regexp = ^ren_(phantom|bench|verify)_
END
if ! abidw --headers-dir include --drop-private-types --exported-interfaces-only \
    --suppressions "$work/suppressions" --no-corpus-path --no-comp-dir-path --no-elf-needed --no-show-locs --type-id-style hash --out-file "$work/now.abi" "$shared"; then
    echo "abidw cannot read $shared"
    echo "0 passed, 1 failed"
    exit 1
fi
if [ "${1:-}" = --record ]; then
    cp "$work/now.abi" $record
    echo "$record: recorded"
    exit 0
fi
if [ ! -f $record ]; then
    echo "$record is missing: make abi-record"
    echo "0 passed, 1 failed"
    exit 1
fi
if abidiff --suppressions "$work/suppressions" $record "$work/now.abi" >"$work/difference"; then
    echo "1 passed, 0 failed"
    exit 0
fi
cat "$work/difference"
echo "the ABI differs from $record: if that is meant, make abi-record and add a line to CHANGELOG.md"
echo "0 passed, 1 failed"
exit 1
