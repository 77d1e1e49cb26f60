/* SPDX-License-Identifier: Apache-2.0 */
/* Options across versions of the header, defaults, references, log, processors. */
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/processors.h"
#include "base/text.h"
#include "harness.h"
#include "kernels/kernels.h"

/* The structure of a later header, with one option more. */
typedef struct newer_options {
    ren_context_options known;
    int64_t added;
} newer_options;

static ren_status test_smaller_structure_means_defaults(ren_context *context) {
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *made = NULL;

    (void)context;
    test_allocator(&options);
    options.threads = 3;
    options.precision = 77; /* would be refused, were it read */
    options.isa = -5;
    options.struct_size = offsetof(ren_context_options, precision);
    REN_TRY(ren_context_create(&options, &made));
    CHECK_INT(ren_context_threads(made), 3);
out:
    ren_context_free(made);
    return st;
}

static ren_status test_larger_structure_must_end_in_zeros(ren_context *context) {
    ren_status st = REN_OK;
    newer_options options = { .known = REN_CONTEXT_OPTIONS_INIT };
    ren_context *made = NULL;

    (void)context;
    test_allocator(&options.known);
    options.known.struct_size = sizeof options;
    options.known.threads = 2;
    REN_TRY(ren_context_create(&options.known, &made));
    CHECK_INT(ren_context_threads(made), 2);
    ren_context_free(made);
    options.added = 1;
    CHECK_FAILS(ren_context_create(&options.known, &made), REN_E_INVALID, "newer library");
    CHECK(made == NULL);
out:
    ren_context_free(made);
    return st;
}

static ren_status test_init_fills_the_callers_size_only(ren_context *context) {
    ren_status st = REN_OK;
    unsigned char bytes[sizeof(newer_options) + 8];
    ren_context_options options;

    (void)context;
    memset(bytes, 0xEE, sizeof bytes);
    REN_TRY(ren_context_options_init((ren_context_options *)(void *)bytes, 24));
    CHECK(bytes[23] == 0 && bytes[24] == 0xEE);
    REN_TRY(ren_context_options_init((ren_context_options *)(void *)bytes, sizeof(newer_options)));
    CHECK(bytes[sizeof(newer_options) - 1] == 0 && bytes[sizeof(newer_options)] == 0xEE);
    REN_TRY(ren_context_options_init(&options, sizeof options));
    CHECK_INT(options.struct_size, sizeof options);
    CHECK_FAILS(ren_context_options_init(&options, 4), REN_E_INVALID, "sizeof");
    CHECK_FAILS(ren_context_options_init(&options, SIZE_MAX), REN_E_INVALID, "sizeof");
    CHECK_FAILS(ren_context_options_init(NULL, sizeof options), REN_E_INVALID, "NULL");
out:
    return st;
}

static ren_status test_wrong_options_are_refused(ren_context *context) {
    ren_status st = REN_OK;
    ren_context_options good = REN_CONTEXT_OPTIONS_INIT, bad;
    ren_context *made = NULL;

    (void)context;
    test_allocator(&good);
    bad = good;
    bad.free = NULL;
    CHECK_FAILS(ren_context_create(&bad, &made), REN_E_INVALID, "alloc and free");
    bad = good;
    bad.threads = -1;
    CHECK_FAILS(ren_context_create(&bad, &made), REN_E_INVALID, "threads is -1");
    bad = good;
    bad.precision = 2;
    CHECK_FAILS(ren_context_create(&bad, &made), REN_E_INVALID, "precision");
    bad = good;
    bad.isa = 4;
    CHECK_FAILS(ren_context_create(&bad, &made), REN_E_INVALID, "isa");
    bad = good;
    bad.struct_size = 0;
    CHECK_FAILS(ren_context_create(&bad, &made), REN_E_INVALID, "struct_size");
    CHECK_FAILS(ren_context_create(&good, NULL), REN_E_INVALID, "out");
    CHECK(made == NULL);
out:
    return st;
}

/* Under a cap, tests/test_cli.sh. */
static ren_status test_bfloat_needs_the_processor(ren_context *context) {
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *made = NULL;

    (void)context;
    test_allocator(&options);
    options.precision = REN_PRECISION_BF16;
    if (ren__onednn_bfloat()) {
        REN_TRY(ren_context_create(&options, &made));
        CHECK_INT(made->precision, REN_PRECISION_BF16);
    } else {
        CHECK_FAILS(ren_context_create(&options, &made), REN_E_UNSUPPORTED, "bfloat16");
        CHECK(made == NULL);
    }
out:
    ren_context_free(made);
    return st;
}

static ren_status test_isa_is_capped(ren_context *context) {
    ren_status st = REN_OK;
    static const char *const names[] = { "", "plain", "avx2", "avx512" };
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *made = NULL;

    for (int32_t isa = REN_ISA_PLAIN; isa <= REN_ISA_AVX512; isa++) {
        test_allocator(&options);
        options.isa = isa;
        REN_TRY(ren_context_create(&options, &made));
        const int32_t best = ren__kernels_isa(context); /* below the processor's where ONEDNN_MAX_CPU_ISA says so */
        CHECK_TEXT(ren_context_isa(made), names[best < isa ? best : isa]);
        ren_context_free(made);
        made = NULL;
    }
    CHECK(context->isa >= REN_ISA_PLAIN && context->isa <= ren__processor_isa());
out:
    ren_context_free(made);
    return st;
}

static ren_status test_default_allocator_and_threads(ren_context *context) {
    ren_status st = REN_OK;
    ren_context *made = NULL;
    void *memory = NULL;
    cpu_set_t set;

    (void)context;
    REN_TRY(ren_context_create(NULL, &made));
    CHECK_MEMORY(memory = ren__alloc(made, 100));
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
    CHECK(ren_context_threads(made) >= 1 && ren_context_threads(made) <= CPU_COUNT(&set));
out:
    ren__free(memory);
    ren_context_free(made);
    return st;
}

static ren_status test_affinity_bounds_the_threads(ren_context *context) {
    ren_status st = REN_OK;
    cpu_set_t before, one;
    size_t first = 0;

    (void)context;
    if (sched_getaffinity(0, sizeof before, &before) != 0) SKIP("affinity cannot be read");
    while (!CPU_ISSET(first, &before))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) SKIP("affinity cannot be set");
    const int32_t count = ren__processor_count();
    (void)sched_setaffinity(0, sizeof before, &before);
    CHECK_INT(count, 1);
out:
    return st;
}

/* A tree like /proc and /sys with one file in it. */
static ren_status put(const char *root, const char *folder, const char *name, const char *text) {
    char path[TEST_PATH];
    int length = snprintf(path, sizeof path, "%s/%s", root, folder);

    for (char *slash = path + 1; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
        *slash = '\0';
        mkdir(path, 0777);
    }
    mkdir(path, 0777);
    snprintf(path + length, sizeof path - (size_t)length, "/%s", name);
    return ren__file_write(path, text, strlen(text));
}

static ren_status test_container_quota_is_read(ren_context *context) {
    ren_status st = REN_OK;
    char root[TEST_PATH];

    (void)context;
    test_file(root, "v2");
    CHECK_INT(ren__processor_quota(root), 0); /* no control groups */
    REN_TRY(put(root, "proc/self", "cgroup", "0::/a/b\n"));
    REN_TRY(put(root, "sys/fs/cgroup/a/b", "cpu.max", "max 100000\n"));
    CHECK_INT(ren__processor_quota(root), 0);
    REN_TRY(put(root, "sys/fs/cgroup/a", "cpu.max", "250000 100000\n")); /* of the parent: two and a half */
    CHECK_INT(ren__processor_quota(root), 3);
    REN_TRY(put(root, "sys/fs/cgroup", "cpu.max", "50000 100000\n")); /* of the mount's root: a half */
    CHECK_INT(ren__processor_quota(root), 1);
    test_file(root, "v1");
    REN_TRY(put(root, "proc/self", "cgroup", "9:cpuset:/c\n4:cpuacct,cpu:/outside\n1:name=systemd:/\n"));
    REN_TRY(put(root, "sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "-1\n"));
    REN_TRY(put(root, "sys/fs/cgroup/cpu", "cpu.cfs_period_us", "100000\n"));
    CHECK_INT(ren__processor_quota(root), 0);
    REN_TRY(put(root, "sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "400000\n"));
    CHECK_INT(ren__processor_quota(root), 4);
    REN_TRY(put(root, "proc/self", "cgroup", "nonsense\n:\n::\n0:"));
    (void)ren__processor_quota(root); /* any answer, no crash */
out:
    return st;
}

static ren_status test_context_ends_with_its_last_reference(ren_context *context) {
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *made = NULL;
    ren_text *text = NULL;

    (void)context;
    test_allocator(&options);
    REN_TRY(ren_context_create(&options, &made));
    st = ren__text_create(made, &text);
    ren_context_free(made);
    REN_TRY(st);
    ren__text_add(text, "outlives the host's reference");
    REN_TRY(text->status);
    CHECK_TEXT(ren_text_data(text), "outlives the host's reference");
out:
    ren_text_free(text);
    return st;
}

typedef struct heard {
    int32_t level;
    char text[2000];
} heard;

static void listen(void *user, int32_t level, const char *text) {
    heard *ear = user;

    ear->level = level;
    snprintf(ear->text, sizeof ear->text, "%s", text);
}

static ren_status test_log_gives_single_lines(ren_context *context) {
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *made = NULL;
    heard ear = { 0 };

    ren__log(context, REN_LOG_ERROR, "nobody listens: %d", 1);
    test_allocator(&options);
    options.log = listen;
    options.log_user = &ear;
    REN_TRY(ren_context_create(&options, &made));
    ren__log(made, REN_LOG_WARNING, "two\nlines, %.1f", 0.5);
    CHECK_INT(ear.level, REN_LOG_WARNING);
    CHECK_TEXT(ear.text, "two lines, 0.5");
out:
    ren_context_free(made);
    return st;
}

TEST_MAIN(CASE(test_smaller_structure_means_defaults), CASE(test_larger_structure_must_end_in_zeros),
          CASE(test_init_fills_the_callers_size_only), CASE(test_wrong_options_are_refused),
          CASE(test_bfloat_needs_the_processor), CASE(test_isa_is_capped), CASE(test_default_allocator_and_threads),
          CASE(test_affinity_bounds_the_threads), CASE(test_container_quota_is_read),
          CASE(test_context_ends_with_its_last_reference), CASE(test_log_gives_single_lines))
