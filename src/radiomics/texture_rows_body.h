/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loops over rows, compiled once for each instruction set: included by texture_rows_plain.c, texture_rows_avx2.c,
 * texture_rows_avx512.c with REN__ROW_TABLE set to the table's name. A block of LANES cells stays in registers while
 * all its neighbours pass; gcc's and clang's vector types compare it as a whole.
 */
#include <string.h>

#include "radiomics/texture_rows.h"

#if defined(__AVX512BW__)
enum { LANES = 64 };
#elif defined(__AVX2__)
enum { LANES = 32 };
#else
enum { LANES = 16 };
#endif

typedef uint8_t bytes __attribute__((vector_size(LANES)));
typedef uint16_t words __attribute__((vector_size(2 * LANES)));
typedef uint32_t longs __attribute__((vector_size(4 * LANES)));

/* Sums of 255 bytes fit into 16 bits, counts of 255 into 8. */
enum { STEPS_AT_ONCE = 255 };

/* A macro: no vector passes through a function, where its registers would depend on the instruction set. */
#define LOAD(type, variable, from)                                                                                     \
    type variable;                                                                                                     \
    memcpy(&variable, (from), sizeof variable)

static void equal_bytes(const void *centre, const int64_t *distances, int64_t steps, int64_t n, uint16_t *count) {
    for (int64_t x = 0; x < n; x += LANES) {
        const uint8_t *at = (const uint8_t *)centre + x;
        LOAD(bytes, level, at);
        words total = { 0 };
        for (int64_t s0 = 0; s0 < steps; s0 += STEPS_AT_ONCE) {
            const int64_t end = s0 + STEPS_AT_ONCE < steps ? s0 + STEPS_AT_ONCE : steps;
            bytes part = { 0 };
            for (int64_t s = s0; s < end; s++) {
                LOAD(bytes, near, at + distances[s]);
                part -= (bytes)(near == level);
            }
            total += __builtin_convertvector(part, words);
        }
        memcpy(count + x, &total, sizeof total);
    }
}

static void equal_words(const void *centre, const int64_t *distances, int64_t steps, int64_t n, uint16_t *count) {
    for (int64_t x = 0; x < n; x += LANES) {
        const uint16_t *at = (const uint16_t *)centre + x;
        LOAD(words, level, at);
        words total = { 0 };
        for (int64_t s = 0; s < steps; s++) {
            LOAD(words, near, at + distances[s]);
            total -= (words)(near == level);
        }
        memcpy(count + x, &total, sizeof total);
    }
}

static void within_bytes(const void *centre, const int64_t *distances, int64_t steps, int64_t n, const uint16_t *low,
                         const uint16_t *width, uint16_t *count) {
    for (int64_t x = 0; x < n; x += LANES) {
        const uint8_t *at = (const uint8_t *)centre + x;
        LOAD(words, from, low + x);
        LOAD(words, most, width + x);
        words total = { 0 };
        for (int64_t s = 0; s < steps; s++) {
            LOAD(bytes, near, at + distances[s]);
            total -= (words)(__builtin_convertvector(near, words) - from <= most);
        }
        memcpy(count + x, &total, sizeof total);
    }
}

static void within_words(const void *centre, const int64_t *distances, int64_t steps, int64_t n, const uint16_t *low,
                         const uint16_t *width, uint16_t *count) {
    for (int64_t x = 0; x < n; x += LANES) {
        const uint16_t *at = (const uint16_t *)centre + x;
        LOAD(words, from, low + x);
        LOAD(words, most, width + x);
        words total = { 0 };
        for (int64_t s = 0; s < steps; s++) {
            LOAD(words, near, at + distances[s]);
            total -= (words)(near - from <= most);
        }
        memcpy(count + x, &total, sizeof total);
    }
}

static void neighbours_bytes(const void *centre, const int64_t *distances, int64_t steps, int64_t n, uint16_t *count,
                             uint32_t *sum) {
    for (int64_t x = 0; x < n; x += LANES) {
        const uint8_t *at = (const uint8_t *)centre + x;
        words total = { 0 };
        longs levels = { 0 };
        for (int64_t s0 = 0; s0 < steps; s0 += STEPS_AT_ONCE) {
            const int64_t end = s0 + STEPS_AT_ONCE < steps ? s0 + STEPS_AT_ONCE : steps;
            bytes present = { 0 };
            words part = { 0 };
            for (int64_t s = s0; s < end; s++) {
                LOAD(bytes, level, at + distances[s]);
                present -= (bytes)(level != 0);
                part += __builtin_convertvector(level, words);
            }
            total += __builtin_convertvector(present, words);
            levels += __builtin_convertvector(part, longs);
        }
        memcpy(count + x, &total, sizeof total);
        memcpy(sum + x, &levels, sizeof levels);
    }
}

static void neighbours_words(const void *centre, const int64_t *distances, int64_t steps, int64_t n, uint16_t *count,
                             uint32_t *sum) {
    for (int64_t x = 0; x < n; x += LANES) {
        const uint16_t *at = (const uint16_t *)centre + x;
        words total = { 0 };
        longs levels = { 0 };
        for (int64_t s = 0; s < steps; s++) {
            LOAD(words, level, at + distances[s]);
            total -= (words)(level != 0);
            levels += __builtin_convertvector(level, longs);
        }
        memcpy(count + x, &total, sizeof total);
        memcpy(sum + x, &levels, sizeof levels);
    }
}

static void match_bytes(const void *centre, const int64_t *distances, int64_t steps, int64_t n, uint16_t *match) {
    for (int64_t x = 0; x < n; x += LANES) {
        const uint8_t *at = (const uint8_t *)centre + x;
        LOAD(bytes, level, at);
        bytes half[2] = { { 0 }, { 0 } };
        for (int64_t s = 0; s < steps; s++) {
            LOAD(bytes, near, at + distances[s]);
            half[s >> 3] |= (bytes)(near == level) & (uint8_t)(1u << (s & 7));
        }
        const words all = __builtin_convertvector(half[0], words) | __builtin_convertvector(half[1], words)
                                                                        << (uint16_t)8;
        memcpy(match + x, &all, sizeof all);
    }
}

static void match_words(const void *centre, const int64_t *distances, int64_t steps, int64_t n, uint16_t *match) {
    for (int64_t x = 0; x < n; x += LANES) {
        const uint16_t *at = (const uint16_t *)centre + x;
        LOAD(words, level, at);
        words all = { 0 };
        for (int64_t s = 0; s < steps; s++) {
            LOAD(words, near, at + distances[s]);
            all |= (words)(near == level) & (uint16_t)(1u << s);
        }
        memcpy(match + x, &all, sizeof all);
    }
}

static void advance_bytes(const void *centre, int64_t distance, int64_t n, const uint16_t *place_before,
                          uint16_t *place) {
    for (int64_t x = 0; x < n; x += LANES) {
        const uint8_t *at = (const uint8_t *)centre + x;
        LOAD(bytes, level, at);
        LOAD(bytes, other, at + distance);
        LOAD(words, before, place_before + x);
        const bytes same = (bytes)(level == other) & 1;
        const words next = (before & -__builtin_convertvector(same, words)) + 1;
        memcpy(place + x, &next, sizeof next);
    }
}

static void advance_words(const void *centre, int64_t distance, int64_t n, const uint16_t *place_before,
                          uint16_t *place) {
    for (int64_t x = 0; x < n; x += LANES) {
        const uint16_t *at = (const uint16_t *)centre + x;
        LOAD(words, level, at);
        LOAD(words, other, at + distance);
        LOAD(words, before, place_before + x);
        const words same = (words)(level == other);
        const words next = (before & same) + 1;
        memcpy(place + x, &next, sizeof next);
    }
}

const ren__row_kernels REN__ROW_TABLE[2] = {
    { equal_bytes, within_bytes, neighbours_bytes, match_bytes, advance_bytes },
    { equal_words, within_words, neighbours_words, match_words, advance_words },
};
