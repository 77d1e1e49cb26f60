/* SPDX-License-Identifier: Apache-2.0 */
/* Number of processors by affinity and container quota, and their instruction sets. */
#include "base/processors.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ren.h"

enum { PATH_BYTES = 4096, FILE_BYTES = 16384 };

/* A small file of the kernel's, terminated; 0 where there is none. */
static int read_small(const char *path, char text[FILE_BYTES]) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    ssize_t got = 0;

    if (file < 0) return 0;
    while (size < FILE_BYTES - 1 && (got = read(file, text + size, FILE_BYTES - 1 - size)) > 0)
        size += (size_t)got;
    close(file);
    text[size] = '\0';
    return got >= 0;
}

static int32_t lower_quota(int32_t quota, long long time, long long period) {
    if (time <= 0 || period <= 0) return quota;
    const long long processors = time / period + (time % period != 0);
    if (processors > 4096) return quota;
    return quota == 0 || processors < quota ? (int32_t)processors : quota;
}

/* Version 2: cpu.max holds "max 100000" or "quota period". */
static int32_t quota_v2(const char *folder, int32_t quota) {
    char path[PATH_BYTES + 32], text[FILE_BYTES], *end;

    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (!read_small(path, text) || text[0] < '0' || text[0] > '9') return quota;
    const long long time = strtoll(text, &end, 10);
    return lower_quota(quota, time, strtoll(end, NULL, 10));
}

/* Version 1: cpu.cfs_quota_us is -1 for none. */
static int32_t quota_v1(const char *folder, int32_t quota) {
    char path[PATH_BYTES + 32], text[FILE_BYTES];

    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!read_small(path, text)) return quota;
    const long long time = strtoll(text, NULL, 10);
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (!read_small(path, text)) return quota;
    return lower_quota(quota, time, strtoll(text, NULL, 10));
}

/* The group's own folder and all above it: every one's quota holds. A container may see its own folder as the mount's
 * root while /proc tells the path outside; the walk ends at the root, so that both are met. */
static int32_t quota_along(const char *mount, const char *group, int32_t quota,
                           int32_t (*quota_of)(const char *folder, int32_t quota)) {
    char folder[PATH_BYTES];
    const int length = snprintf(folder, sizeof folder, "%s%s", mount, group);

    if (length < 0 || (size_t)length >= sizeof folder) return quota;
    for (;;) {
        quota = quota_of(folder, quota);
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= strlen(mount) || !slash) return quota;
        *slash = '\0';
    }
}

static int names_cpu(const char *controllers) {
    for (const char *name = controllers; name; name = strchr(name, ',')) {
        name += *name == ',';
        const size_t length = strcspn(name, ",");
        if (length == 3 && strncmp(name, "cpu", 3) == 0) return 1;
    }
    return 0;
}

int32_t ren__processor_quota(const char *root) {
    char path[PATH_BYTES], text[FILE_BYTES], mount[PATH_BYTES], *rest = text;
    int32_t quota = 0;

    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (!read_small(path, text)) return 0;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) { /* "hierarchy:controllers:/group" */
        strsep(&line, ":");
        const char *controllers = strsep(&line, ":");
        if (!controllers || !line) continue;
        if (controllers[0] == '\0') {
            snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
            quota = quota_along(mount, line, quota, quota_v2);
        } else if (names_cpu(controllers)) {
            snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/cpu", root);
            quota = quota_along(mount, line, quota, quota_v1);
        }
    }
    return quota;
}

static int32_t affinity_count(void) {
    cpu_set_t few;

    if (sched_getaffinity(0, sizeof few, &few) == 0) return CPU_COUNT(&few);
    const long online = sysconf(_SC_NPROCESSORS_ONLN); /* more than 1,024 processors: the set is too small */
    return online < 1 ? 1 : online > 1024 ? 1024 : (int32_t)online;
}

int32_t ren__processor_count(void) {
    const int32_t allowed = affinity_count(), quota = ren__processor_quota("");
    const int32_t count = quota > 0 && quota < allowed ? quota : allowed;

    return count > 0 ? count : 1;
}

int32_t ren__processor_isa(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
        return REN_ISA_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return REN_ISA_AVX2;
#endif
    return REN_ISA_PLAIN;
}
