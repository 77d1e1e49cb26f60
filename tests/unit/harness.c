/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the cases of a test program: plainly, then with each allocation failing in turn. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { MESSAGE = 4096, ALLOCATOR_MAGIC = 0x7e57b10c };

/* ---------------------------------------------------------------------------------------------------- allocator */

/* Stands 64 bytes before each block. */
typedef struct record {
    size_t size;
    long serial; /* of this run, from 1 */
    unsigned magic;
} record;

static atomic_long allocations, outstanding, outstanding_bytes, fail_at, misuses;

static void *counting_alloc(void *user, size_t size, size_t alignment) {
    const long serial = atomic_fetch_add(&allocations, 1) + 1;
    void *memory = NULL;

    (void)user;
    if (serial == atomic_load(&fail_at)) return NULL;
    if (alignment == 0 || alignment > 64 || (alignment & (alignment - 1)) != 0) atomic_fetch_add(&misuses, 1);
    if (size > SIZE_MAX - 64 || posix_memalign(&memory, 64, size + 64) != 0) return NULL;
    *(record *)memory = (record){ .size = size, .serial = serial, .magic = ALLOCATOR_MAGIC };
    atomic_fetch_add(&outstanding, 1);
    atomic_fetch_add(&outstanding_bytes, (long)size);
    memset((char *)memory + 64, 0xA5, size < 4096 ? size : 4096); /* nobody may count on zeros */
    return (char *)memory + 64;
}

static void counting_free(void *user, void *memory, size_t size) {
    record *header = (record *)((char *)memory - 64);

    (void)user;
    if (header->magic != ALLOCATOR_MAGIC || header->size != size) atomic_fetch_add(&misuses, 1);
    header->magic = 0;
    atomic_fetch_sub(&outstanding, 1);
    atomic_fetch_sub(&outstanding_bytes, (long)size);
    free(header);
}

void test_allocator(ren_context_options *options) {
    options->alloc = counting_alloc;
    options->free = counting_free;
    options->allocator_user = NULL;
}

/* -------------------------------------------------------------------------------------------------- for the cases */

static char failure[MESSAGE];

int test_injecting(void) {
    return atomic_load(&fail_at) != 0;
}

ren_status test_fail(const char *file, int line, const char *format, ...) {
    va_list arguments;
    const int start = snprintf(failure, sizeof failure, "%s:%d: ", file, line);

    va_start(arguments, format);
    vsnprintf(failure + start, sizeof failure - (size_t)start, format, arguments);
    va_end(arguments);
    return TEST_FAILED;
}

ren_status test_skip(const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(failure, sizeof failure, format, arguments);
    va_end(arguments);
    return TEST_SKIPPED;
}

ren_status test_expect(const char *file, int line, const char *what, ren_status got, ren_status wanted,
                       const char *message) {
    const char *text = ren_error_message();

    if (got == REN_E_MEMORY && wanted != REN_E_MEMORY && test_injecting()) return got;
    if (got != wanted)
        return test_fail(file, line, "%s gives %s, not %s (\"%s\")", what, ren_status_name(got),
                         ren_status_name(wanted), text);
    if (text[0] == '\0' || (message && !strstr(text, message)))
        return test_fail(file, line, "%s says \"%s\", which lacks \"%s\"", what, text, message ? message : "");
    return REN_OK;
}

static char folder[32]; /* of this run; "" until a case asks for it */

const char *test_file(char path[TEST_PATH], const char *name) {
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/ren-test-XXXXXX");
        if (!mkdtemp(folder)) snprintf(folder, sizeof folder, "/nowhere");
    }
    snprintf(path, TEST_PATH, "%s/%s", folder, name);
    return path;
}

static int remove_one(const char *path, const struct stat *what, int type, struct FTW *walk) {
    (void)what;
    (void)type;
    (void)walk;
    return remove(path);
}

static void remove_folder(void) {
    if (folder[0]) nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    folder[0] = '\0';
}

int test_shared(char path[TEST_PATH], const char *name) {
    const char *shared = getenv("REN_SHARED");

    if (!shared) return 0;
    snprintf(path, TEST_PATH, "%s/%s", shared, name);
    return access(path, R_OK) == 0;
}

/* --------------------------------------------------------------------------------------------------------- running */

static int open_files(void) {
    DIR *files = opendir("/proc/self/fd");
    int count = 0;

    if (!files) return 0;
    while (readdir(files))
        count++;
    closedir(files);
    return count;
}

static int verbose(void) {
    const char *set = getenv("REN_TEST_VERBOSE");

    return set && set[0] == '1';
}

/* One run. The answer is the case's, or TEST_FAILED with the reason. `failing` is the allocation that fails; 0: none.
 */
static ren_status run_once(const test_case *test, long failing) {
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *context = NULL;
    const int files = open_files();

    if (verbose()) fprintf(stderr, "%s: run with allocation %ld failing\n", test->name, failing);
    atomic_store(&allocations, 0);
    atomic_store(&outstanding, 0);
    atomic_store(&outstanding_bytes, 0);
    atomic_store(&misuses, 0);
    atomic_store(&fail_at, failing);
    test_allocator(&options);
    options.threads = 2;
    options.seed = 1;
    ren_status st = ren_context_create(&options, &context);
    if (st == REN_OK) st = test->run(context);
    remove_folder();
    if (st != REN_OK && st != TEST_FAILED && st != TEST_SKIPPED && (failing == 0 || st != REN_E_MEMORY))
        st = test_fail(__FILE__, __LINE__, "%s returned %s: %s", test->name, ren_status_name(st), ren_error_message());
    if (st == TEST_FAILED) return st; /* what it left behind says nothing more */
    const size_t used = context ? ren_context_memory_used(context) : 0;
    ren_context_free(context);
    if (atomic_load(&misuses) != 0)
        return test_fail(__FILE__, __LINE__, "%s freed a block twice or with another size", test->name);
    if (atomic_load(&outstanding) != 0)
        return test_fail(__FILE__, __LINE__, "%s left %ld blocks of %ld bytes behind", test->name,
                         atomic_load(&outstanding), atomic_load(&outstanding_bytes));
    if (used != 0) return test_fail(__FILE__, __LINE__, "%s left %zu bytes on the account", test->name, used);
    if (failing != 0 && open_files() != files)
        return test_fail(__FILE__, __LINE__, "%s left %d files open", test->name, open_files() - files);
    return st;
}

static long next_failing(const test_case *test, long failing, int sampled) {
    const char *only = getenv("REN_TEST_NTH");

    if (only) return failing == 0 ? strtol(only, NULL, 10) : LONG_MAX;
    return (test->inject == 2 || sampled) && failing >= 8 ? failing + failing / 3 : failing + 1;
}

static int passed, failed, skipped;

static void run_case(void **state) {
    const test_case *test = *state;
    const char *set = getenv("REN_TEST_INJECT");
    const int sampled = set && strcmp(set, "sample") == 0, never = test->inject == 0 || (set && strcmp(set, "0") == 0);
    ren_status st = run_once(test, 0);
    long failing = 0;

    if (st == TEST_SKIPPED) {
        skipped++;
        print_message("%s: skipped: %s\n", test->name, failure);
        skip();
    }
    while (st != TEST_FAILED && !never) {
        failing = next_failing(test, failing, sampled);
        if (failing == LONG_MAX) break;
        st = run_once(test, failing);
        if (atomic_load(&allocations) < failing) break; /* it asked for fewer: nothing has failed */
    }
    if (st != TEST_FAILED) {
        passed++;
        return;
    }
    failed++;
    if (failing > 0) print_error("with allocation %ld failing:\n", failing);
    fail_msg("%s", failure);
}

static const char *base_name(const char *program) {
    const char *slash = strrchr(program, '/');

    return slash ? slash + 1 : program;
}

int test_run(const char *program, const char *pattern, const test_case *cases, size_t count) {
    struct CMUnitTest *tests = calloc(count, sizeof *tests);

    if (!tests) return 1;
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){ .name = cases[i].name,
                                        .test_func = run_case,
                                        .initial_state = (void *)(uintptr_t)&cases[i] };
    if (pattern) cmocka_set_test_filter(pattern);
    const int broken = _cmocka_run_group_tests(base_name(program), tests, count, NULL, NULL);
    free(tests);
    if (broken > failed) failed = broken; /* a crash that cmocka has caught */
    printf("%s: %d passed, %d failed, %d skipped\n", base_name(program), passed, failed, skipped);
    return failed != 0;
}
