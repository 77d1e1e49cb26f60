#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every public header compiles alone as C11, pedantic C99 and C++17, without a warning, and includes nothing but
# <stddef.h> and <stdint.h>.
set -u
cd "$(dirname "$0")/../.." || exit 1
cc=${CC:-gcc}
case $cc in *clang*) cxx=clang++ ;; *) cxx=g++ ;; esac
passed=0 failed=0

check() { # what, command...
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$what does not hold"
    fi
}

includes_little() {
    ! sed -n 's/^ *# *include *//p' "$1" | grep -v -x -e '<stddef.h>' -e '<stdint.h>' -e '"ren.h"'
}

strict='-Wall -Wextra -pedantic -Werror -fsyntax-only -Iinclude'
for header in include/*.h; do
    # shellcheck disable=SC2086 # a list of words
    {
        check "$header as C11" $cc -std=c11 -x c $strict -Wshadow -Wconversion -Wundef "$header"
        check "$header as C99" $cc -std=c99 -x c $strict "$header"
        command -v $cxx >/dev/null 2>&1 && check "$header as C++17" $cxx -std=c++17 -x c++ $strict "$header"
    }
    check "$header includes only <stddef.h> and <stdint.h>" includes_little "$header"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
