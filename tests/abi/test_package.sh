#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a packager relies on: a C++ host builds through pkg-config and runs, shared and static; loading the library does not
# change the host's floating-point mode; DESTDIR and LIBDIR are kept apart; `make uninstall` takes all of it away.
# (tests/test_install.sh runs the C examples against an installed tree.)
set -u
cd "$(dirname "$0")/../.." || exit 1
passed=0 failed=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

check() { # what, command...
    what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$what: failed"
        sed 's/^/    /' "$work/log"
    fi
}

# A run of its own, with the variables of the one that runs this script, and the flags: other flags are another build.
run_make() {
    eval "env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u PKG_CONFIG_PATH -u PKG_CONFIG_SYSROOT_DIR make --no-print-directory ${MAKE_VARIABLES:-} $*"
}

cat >"$work/host.cpp" <<'END'
#include <ren.h>
#include <stdio.h>
#include <xmmintrin.h>

int main()
{
    ren_context *context = nullptr;
    const unsigned mode = _mm_getcsr() & 0xFFC0u;

    if (mode != 0x1F80u) return 3; /* a library linked with -ffast-math would have changed it */
    if (ren_version_number() != REN_VERSION_NUMBER) return 4;
    if (ren_context_create(nullptr, &context) != REN_OK) return 5;
    printf("libren %s, %s, %d threads\n", ren_version(), ren_context_isa(context), (int)ren_context_threads(context));
    ren_context_free(context);
    return 0;
}
END

build_host() { # compiler, source, program, options of pkg-config, of the link
    # shellcheck disable=SC2046,SC2086 # lists of words
    $1 -Wall -Wextra -Werror "$2" $(pkg-config $4 --cflags ren) -o "$3" $(pkg-config $4 --libs ren) $5
}

prefix=$work/usr
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
check "make install" run_make install "PREFIX='$prefix'"
check "version in ren.pc" test "$(pkg-config --modversion ren)" = \
    "$(sed -n 's/^#define REN_VERSION_\(MAJOR\|MINOR\|PATCH\)  *//p' include/ren.h | paste -s -d .)"
check "host, shared" build_host g++ "$work/host.cpp" "$work/shared" "" "-Wl,-rpath,$prefix/lib"
check "host runs, shared" "$work/shared"
rm -f "$prefix"/lib/libren.so*
check "host, static" build_host g++ "$work/host.cpp" "$work/static" "--static" ""
check "host runs, static" "$work/static"
check "make uninstall" run_make uninstall "PREFIX='$prefix'"
check "nothing is left" test -z "$(find "$prefix" -type f -o -type l)"
check "make install with DESTDIR" run_make install "DESTDIR='$work/root' PREFIX=/usr LIBDIR=/usr/lib/here"
check "ren.pc without DESTDIR" grep -qx 'libdir=/usr/lib/here' "$work/root/usr/lib/here/pkgconfig/ren.pc"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
