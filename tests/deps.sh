#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deps.sh PACKAGE...: makes sure that what the Makefile needs is there. A quick look for HEADERS, COMMANDS and LIBRARIES
# comes first; only if one is missing the Debian packages are looked at, and installed by root unless DEPS=no.
set -u

missing=
for command in $COMMANDS; do
    command -v "$command" >/dev/null 2>&1 || missing="$missing $command"
done
for header in $HEADERS; do
    echo "#include <$header>" | ${CC} ${INCLUDES} -E -x c - >/dev/null 2>&1 || missing="$missing $header"
done
# cmocka's header needs others before it
printf '#include <stdarg.h>\n#include <stddef.h>\n#include <setjmp.h>\n#include <stdint.h>\n#include <cmocka.h>\n' |
    ${CC} ${INCLUDES} -E -x c - >/dev/null 2>&1 || missing="$missing cmocka.h"
for library in $LIBRARIES; do
    ${PYTHON} -c "import ctypes; ctypes.CDLL('$library')" >/dev/null 2>&1 || missing="$missing $library"
done
${PYTHON} -c 'import numpy' >/dev/null 2>&1 || missing="$missing numpy(${PYTHON})"
[ -n "$missing" ] || exit 0

echo "missing:$missing" >&2
if ! command -v apt-get >/dev/null 2>&1; then
    echo "this is no Debian: install what these Debian packages hold: $*" >&2
    exit 1
fi
packages=
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || packages="$packages $package"
done
if [ -z "$packages" ]; then
    echo "all Debian packages are installed: check CC and PYTHON" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ] || [ "$DEPS" = no ]; then
    [ "$(id -u)" = 0 ] && sudo= || sudo='sudo '
    echo "run: ${sudo}apt-get install -y --no-install-recommends$packages" >&2
    exit 1
fi
echo "installing Debian packages:$packages" >&2
# shellcheck disable=SC2086 # a list of words
{
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -qq -y --no-install-recommends $packages >/dev/null 2>&1 ||
        { apt-get update -qq && apt-get install -qq -y --no-install-recommends $packages >/dev/null; }
}
