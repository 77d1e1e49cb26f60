/* SPDX-License-Identifier: Apache-2.0 */
/*
 * label_maps FIRST COUNT: that many numbered random label maps through fuzz_radiomics, which aborts at the first that
 * is wrong; the last line printed is the number that the next run would begin with. A number is always the same map.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPORT_EVERY = 10000 };

int fuzz_radiomics(const uint8_t *data, size_t size);

/* Bytes in which neighbours among the numbers have nothing in common (a bijection: SplitMix64's finaliser). */
static uint64_t scatter(uint64_t number) {
    number += 0x9E3779B97F4A7C15u;
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9u;
    number = (number ^ number >> 27) * 0x94D049BB133111EBu;
    return number ^ number >> 31;
}

static int read_number(const char *text, uint64_t *number) {
    char *end;

    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && end != text && !*end && text[0] != '-';
}

int main(int argc, char **argv) {
    uint64_t first, count;

    if (argc != 3 || !read_number(argv[1], &first) || !read_number(argv[2], &count)) {
        fprintf(stderr, "usage: %s FIRST COUNT\n", argv[0]);
        return 2;
    }
    for (uint64_t i = first; i < first + count; i++) {
        const uint64_t bytes = scatter(i);
        uint8_t data[sizeof bytes];

        memcpy(data, &bytes, sizeof data);
        fuzz_radiomics(data, sizeof data);
        if ((i + 1) % REPORT_EVERY == 0) {
            printf("%" PRIu64 " maps from %" PRIu64 " are right\n", i + 1 - first, first);
            fflush(stdout);
        }
    }
    printf("%" PRIu64 "\n", first + count);
    return 0;
}
