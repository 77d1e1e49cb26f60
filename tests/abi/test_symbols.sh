#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the libraries show: exported are exactly the REN_API functions of the headers, each in its version node; the static
# library has no global name without the prefix; and nothing in it calls what a library must not call.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
shared=$build/lib/libren.so.0
static=$build/lib/libren.a
passed=0 failed=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

same() { # what, expected, got: files with sorted lines
    if diff "$2" "$3" >"$work/diff"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$1 (< expected, > found):"
        sed 's/^/    /' "$work/diff"
    fi
}

declared() { # header
    sed -n 's/^REN_API .*\b\(ren_[a-z0-9_]*\)(.*/\1/p' "$1" | sort
}

exported() { # version node
    nm -D --defined-only "$shared" | awk -v node="@@$1" '$2 != "A" && index($3, node) { sub(/@@.*/, "", $3); print $3 }' | sort
}

declared include/ren.h >"$work/ren"
declared include/ren_tools.h >"$work/tools"
exported REN_0 >"$work/ren.got"
exported REN_TOOLS >"$work/tools.got"
same "functions of ren.h in node REN_0" "$work/ren" "$work/ren.got"
same "functions of ren_tools.h in node REN_TOOLS" "$work/tools" "$work/tools.got"

: >"$work/none"
nm -D --defined-only "$shared" | awk '$2 != "A" && $3 !~ /@@REN_(0|TOOLS)$/ { print $3 }' >"$work/other"
same "exported without a version" "$work/none" "$work/other"
readelf -d "$shared" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p' >"$work/soname"
echo libren.so.0 >"$work/soname.expected"
same "soname" "$work/soname.expected" "$work/soname"

nm -g --defined-only "$static" 2>/dev/null | awk 'NF == 3 && $3 !~ /^ren_/ { print $3 }' | sort -u >"$work/foreign"
same "global names of libren.a without the prefix" "$work/none" "$work/foreign"

# Who may call what the others may not: the default allocator; the adapter of oneDNN, which asks malloc whether there is
# room for what oneDNN will ask it for; and realpath's block is realpath's to have allocated.
cat >"$work/allowed" <<'END'
memory.o posix_memalign
memory.o free
onednn.o malloc
onednn.o free
study_files.o free
END
banned='abort|_?exit|_Exit|quick_exit|__assert_fail|v?printf|v?fprintf|v?dprintf|puts|fputs|putchar|putc|fputc|perror'
banned="$banned|stdout|stderr|stdin|fopen|fdopen|freopen|fwrite|psignal|warnx?|errx?|syslog"
banned="$banned|getenv|secure_getenv|setenv|unsetenv|putenv|setlocale|signal|sigaction|raise|kill|alarm|chdir|system|popen"
banned="$banned|fork|vfork|malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|free|strn?dup|v?asprintf|getline"
banned="$banned|rand|srand|random|drand48|strtok|localtime|gmtime|ctime|asctime|strerror|strto[dfl]|strtold|ato[fil]|sleep"
banned="$banned|openblas_set_num_threads|goto_set_num_threads|dnnl_set_max_cpu_isa|dnnl_set_verbose"
nm -A -u "$static" 2>/dev/null | sed 's/^[^:]*:\([^:]*\):.* U /\1 /' | sort -u | grep -x -E "[^ ]* ($banned)" |
    grep -v -x -F -f "$work/allowed" >"$work/banned"
same "functions that must not be called" "$work/none" "$work/banned"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
