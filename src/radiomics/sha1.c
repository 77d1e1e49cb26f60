/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-1, FIPS 180-4, section 6.1; with the processor's own instructions where it has them. */
#include "radiomics/sha1.h"

#include <string.h>

static uint32_t rotate(uint32_t value, unsigned by) {
    return value << by | value >> (32 - by);
}

static uint32_t word_at(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The message schedule lives in a ring of 16 words. */
#define SCHEDULE(t) (w[(t)&15] = rotate(w[((t) + 13) & 15] ^ w[((t) + 8) & 15] ^ w[((t) + 2) & 15] ^ w[(t)&15], 1))
#define ROUND(f, k, word)                                                                                              \
    do {                                                                                                               \
        const uint32_t next = rotate(a, 5) + (f) + e + (k) + (word);                                                   \
        e = d;                                                                                                         \
        d = c;                                                                                                         \
        c = rotate(b, 30);                                                                                             \
        b = a;                                                                                                         \
        a = next;                                                                                                      \
    } while (0)

static void add_blocks_plain(uint32_t state[5], const uint8_t *bytes, size_t blocks) {
    for (; blocks; blocks--, bytes += 64) {
        uint32_t w[16], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];

        for (unsigned t = 0; t < 16; t++) {
            w[t] = word_at(bytes + (size_t)4 * t);
            ROUND(d ^ (b & (c ^ d)), 0x5A827999u, w[t]);
        }
        for (unsigned t = 16; t < 20; t++)
            ROUND(d ^ (b & (c ^ d)), 0x5A827999u, SCHEDULE(t));
        for (unsigned t = 20; t < 40; t++)
            ROUND(b ^ c ^ d, 0x6ED9EBA1u, SCHEDULE(t));
        for (unsigned t = 40; t < 60; t++)
            ROUND((b & c) | (d & (b | c)), 0x8F1BBCDCu, SCHEDULE(t));
        for (unsigned t = 60; t < 80; t++)
            ROUND(b ^ c ^ d, 0xCA62C1D6u, SCHEDULE(t));
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
    }
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

static int has_instructions(void) {
    unsigned a = 0, b = 0, c = 0, d = 0;

    return __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1u) != 0;
}

/* Four rounds at a time; `w` is a ring of the last 16 words of the schedule in four registers, first word highest. */
__attribute__((target("sha,sse4.1"))) static void add_blocks_fast(uint32_t state[5], const uint8_t *bytes,
                                                                  size_t blocks) {
    const __m128i swap = _mm_set_epi64x(0x0001020304050607LL, 0x08090a0b0c0d0e0fLL);
    __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const void *)state), 0x1B);
    __m128i e = _mm_set_epi32((int)state[4], 0, 0, 0);

    for (; blocks; blocks--, bytes += 64) {
        const __m128i abcd_before = abcd, e_before = e;
        __m128i w[4], now, before;

        for (int t = 0; t < 4; t++)
            w[t] = _mm_shuffle_epi8(_mm_loadu_si128((const void *)(bytes + (ptrdiff_t)16 * t)), swap);
#define FOUR(t, f)                                                                                                     \
    do {                                                                                                               \
        if ((t) >= 4)                                                                                                  \
            w[(t)&3] = _mm_sha1msg2_epu32(                                                                             \
                _mm_xor_si128(_mm_sha1msg1_epu32(w[(t)&3], w[((t) + 1) & 3]), w[((t) + 2) & 3]), w[((t) + 3) & 3]);    \
        now = (t) == 0 ? _mm_add_epi32(e, w[0]) : _mm_sha1nexte_epu32(before, w[(t)&3]);                               \
        before = abcd;                                                                                                 \
        abcd = _mm_sha1rnds4_epu32(abcd, now, f);                                                                      \
    } while (0)
        FOUR(0, 0);
        FOUR(1, 0);
        FOUR(2, 0);
        FOUR(3, 0);
        FOUR(4, 0);
        FOUR(5, 1);
        FOUR(6, 1);
        FOUR(7, 1);
        FOUR(8, 1);
        FOUR(9, 1);
        FOUR(10, 2);
        FOUR(11, 2);
        FOUR(12, 2);
        FOUR(13, 2);
        FOUR(14, 2);
        FOUR(15, 3);
        FOUR(16, 3);
        FOUR(17, 3);
        FOUR(18, 3);
        FOUR(19, 3);
#undef FOUR
        e = _mm_sha1nexte_epu32(before, e_before);
        abcd = _mm_add_epi32(abcd, abcd_before);
    }
    _mm_storeu_si128((void *)state, _mm_shuffle_epi32(abcd, 0x1B));
    state[4] = (uint32_t)_mm_extract_epi32(e, 3);
}

static void add_blocks(uint32_t state[5], const uint8_t *bytes, size_t blocks) {
    if (has_instructions())
        add_blocks_fast(state, bytes, blocks);
    else
        add_blocks_plain(state, bytes, blocks);
}
#else
static void add_blocks(uint32_t state[5], const uint8_t *bytes, size_t blocks) {
    add_blocks_plain(state, bytes, blocks);
}
#endif

void ren__sha1_begin(ren__sha1 *hash) {
    *hash = (ren__sha1){ .state = { 0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u } };
}

void ren__sha1_add(ren__sha1 *hash, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    const size_t held = (size_t)(hash->bytes % 64);

    hash->bytes += size;
    if (held + size < 64) {
        memcpy(hash->block + held, at, size);
        return;
    }
    if (held) {
        memcpy(hash->block + held, at, 64 - held);
        add_blocks(hash->state, hash->block, 1);
        at += 64 - held;
        size -= 64 - held;
    }
    add_blocks(hash->state, at, size / 64);
    memcpy(hash->block, at + size / 64 * 64, size % 64);
}

void ren__sha1_end(ren__sha1 *hash, char text[REN__SHA1_TEXT]) {
    static const uint8_t padding[64] = { 0x80 };
    static const char digits[] = "0123456789abcdef";
    const uint64_t bits = hash->bytes * 8;
    const size_t held = (size_t)(hash->bytes % 64);
    uint8_t length[8];

    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    ren__sha1_add(hash, padding, held < 56 ? 56 - held : 120 - held);
    ren__sha1_add(hash, length, sizeof length);
    for (int i = 0; i < 40; i++)
        text[i] = digits[hash->state[i / 8] >> (28 - 4 * (i % 8)) & 15u];
    text[40] = '\0';
}
