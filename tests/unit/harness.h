/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a test is written. A case is a function in the library's own idiom:
 *
 *     #include "harness.h"
 *     #include "base/text.h"
 *
 *     static ren_status test_numbers_round_trip(ren_context *context)
 *     {
 *         ren_status st = REN_OK;
 *         ren_text *text = NULL;
 *
 *         REN_TRY(ren__text_create(context, &text));          // a failure that is not expected: just pass it on
 *         ren__text_add_number(text, 0.1, 17);
 *         REN_TRY(text->status);
 *         CHECK_TEXT(ren_text_data(text), "0.10000000000000001");
 *         CHECK_FAILS(ren__file_write("/nowhere/x", "", 0), REN_E_IO, "/nowhere/x");
 *     out:
 *         ren_text_free(text);                                // free everything, whatever happened
 *         return st;
 *     }
 *
 *     TEST_MAIN(CASE(test_numbers_round_trip))
 *
 * The harness makes the context (2 threads, seed 1, a counting allocator) and runs the case once plainly: it must
 * return REN_OK. Then it runs it again with the 1st, 2nd, 3rd ... allocation failing, until a run asked for fewer: each
 * of these must return REN_OK or REN_E_MEMORY. After every run all memory must have been given back to the allocator,
 * with the size it was asked for, and no file descriptor may be left open. A case needs no line of its own for any of
 * this, as long as it passes statuses on with REN_TRY and has one label `out`. Helpers that check take the same shape.
 *
 *     CASE(f)          every allocation fails once
 *     CASE_SAMPLED(f)  the first 8, then ever fewer: for cases of more than about 0.1 s (training)
 *     CASE_ONCE(f)     no injected failures: for cases that compute for long, or that fork
 *
 * A program takes one argument, the pattern of cases to run ('test_num*'). The environment: REN_TEST_INJECT=0 runs
 * cases once, =sample samples all; REN_TEST_NTH=7 runs only the plain run and the one with the 7th allocation failing;
 * REN_TEST_VERBOSE=1 says which run is under way; REN_SHARED is the folder of test_shared().
 */
#ifndef REN_TESTS_HARNESS_H
#define REN_TESTS_HARNESS_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"

typedef ren_status (*test_function)(ren_context *context);

typedef struct test_case {
    const char *name;
    test_function run;
    int inject; /* 0 never, 1 every allocation, 2 sampled */
} test_case;

/* clang-format off */
#define CASE(function)         { #function, (function), 1 }
#define CASE_SAMPLED(function) { #function, (function), 2 }
#define CASE_ONCE(function)    { #function, (function), 0 }
/* clang-format on */

/* Runs all cases as one cmocka group, prints "NAME: N passed, M failed, K skipped", returns main's status. */
int test_run(const char *program, const char *pattern, const test_case *cases, size_t count);

#define TEST_MAIN(...)                                                                                                 \
    int main(int argc, char **argv) {                                                                                  \
        static const test_case cases[] = { __VA_ARGS__ };                                                              \
        return test_run(argv[0], argc > 1 ? argv[1] : NULL, cases, sizeof cases / sizeof *cases);                      \
    }

/* What a case returns beside the library's codes. The macros below do it. */
enum { TEST_FAILED = -1000, TEST_SKIPPED = -1001 };

ren_status test_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
ren_status test_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The library's answer to a call that was meant to fail: REN_OK if it did as said, the injected REN_E_MEMORY to be
 * passed on, TEST_FAILED otherwise. */
ren_status test_expect(const char *file, int line, const char *what, ren_status got, ren_status wanted,
                       const char *message);
int test_injecting(void); /* not 0 during a run with an allocation failing */

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            st = test_fail(__FILE__, __LINE__, "%s does not hold", #condition);                                        \
            goto out;                                                                                                  \
        }                                                                                                              \
    } while (0)

/* Integers, printed when they differ. */
#define CHECK_INT(value, wanted)                                                                                       \
    do {                                                                                                               \
        const long long check_v = (long long)(value), check_w = (long long)(wanted);                                   \
        if (check_v != check_w) {                                                                                      \
            st = test_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #value, check_v, check_w);                      \
            goto out;                                                                                                  \
        }                                                                                                              \
    } while (0)

/* |value - wanted| <= tolerance; a NaN fails. */
#define CHECK_NEAR(value, wanted, tolerance)                                                                           \
    do {                                                                                                               \
        const double check_v = (double)(value), check_w = (double)(wanted);                                            \
        if (!(fabs(check_v - check_w) <= (double)(tolerance))) {                                                       \
            st = test_fail(__FILE__, __LINE__, "%s is %.17g, not %.17g (%.3g allowed)", #value, check_v, check_w,      \
                           (double)(tolerance));                                                                       \
            goto out;                                                                                                  \
        }                                                                                                              \
    } while (0)

#define CHECK_TEXT(value, wanted)                                                                                      \
    do {                                                                                                               \
        const char *check_v = (value), *check_w = (wanted);                                                            \
        if (!check_v || strcmp(check_v, check_w) != 0) {                                                               \
            st = test_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #value, check_v ? check_v : "(null)",       \
                           check_w);                                                                                   \
            goto out;                                                                                                  \
        }                                                                                                              \
    } while (0)

/* A call that must fail with `code`, and whose error message must contain `message` (NULL: any that is not empty). */
#define CHECK_FAILS(expression, code, message)                                                                         \
    do {                                                                                                               \
        st = test_expect(__FILE__, __LINE__, #expression, (expression), (code), (message));                            \
        if (st != REN_OK) goto out;                                                                                    \
    } while (0)

/* A pointer from ren__alloc and its kin in a test. */
#define CHECK_MEMORY(pointer)                                                                                          \
    do {                                                                                                               \
        if (!(pointer)) {                                                                                              \
            st = ren__out_of_memory();                                                                                 \
            goto out;                                                                                                  \
        }                                                                                                              \
    } while (0)

#define SKIP(...)                                                                                                      \
    do {                                                                                                               \
        st = test_skip(__VA_ARGS__);                                                                                   \
        goto out;                                                                                                      \
    } while (0)

/* Sets the counting allocator (and nothing else), for a case that makes a context of its own. */
void test_allocator(ren_context_options *options);

enum { TEST_PATH = 4096 };
/* `path` becomes a name in a temporary folder, made empty for each run and removed after it. Returns `path`. */
const char *test_file(char path[TEST_PATH], const char *name);
/* Not 0 in a build with a sanitizer, which makes loops over maps tens of times slower: a SwinUNETR takes minutes there.
 * Its operators have small cases of their own. */
#if defined(__has_feature)
#define TEST_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#else
#define TEST_SANITIZED 0
#endif

/* `path` becomes a name in the shared folder (REN_SHARED). 0: there is no such folder or file; SKIP then. */
int test_shared(char path[TEST_PATH], const char *name);

#endif
