/* SPDX-License-Identifier: Apache-2.0 */
/* Philox4x32-10: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011. Numbers follow from integer operations and correctly rounded arithmetic alone: the C library's logarithm and
 * cosine, which differ in the last bit between processors, are not used. */
#include "base/random.h"

#include <math.h>

void ren__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        const uint64_t product0 = (uint64_t)0xD2511F53u * c0, product1 = (uint64_t)0xCD9E8D57u * c2;
        const uint32_t high0 = (uint32_t)(product0 >> 32), high1 = (uint32_t)(product1 >> 32);
        c0 = high1 ^ c1 ^ k0;
        c1 = (uint32_t)product1;
        c2 = high0 ^ c3 ^ k1;
        c3 = (uint32_t)product0;
        k0 += 0x9E3779B9u; /* Weyl sequences: golden ratio and sqrt(3) - 1 */
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void ren__rng_init(ren__rng *rng, uint64_t seed, uint32_t stream, uint32_t substream) {
    *rng = (ren__rng){ .key = { (uint32_t)seed, (uint32_t)(seed >> 32) },
                       .counter = { 0, 0, substream, stream },
                       .used = 4 };
}

uint32_t ren__rng_u32(ren__rng *rng) {
    if (rng->used == 4) {
        ren__philox(rng->counter, rng->key, rng->block);
        if (++rng->counter[0] == 0) rng->counter[1]++;
        rng->used = 0;
    }
    return rng->block[rng->used++];
}

/* D. Lemire, "Fast random integer generation in an interval", ACM TOMACS 29, 2019. */
uint32_t ren__rng_below(ren__rng *rng, uint32_t limit) {
    const uint32_t threshold = (0u - limit) % limit; /* 2^32 mod limit */
    uint64_t product;

    do {
        product = (uint64_t)ren__rng_u32(rng) * limit;
    } while ((uint32_t)product < threshold);
    return (uint32_t)(product >> 32);
}

double ren__rng_uniform(ren__rng *rng) {
    const uint32_t high = ren__rng_u32(rng) >> 5, low = ren__rng_u32(rng) >> 6; /* 27 and 26 bits */

    return (high * 67108864.0 + low) * 0x1p-53;
}

/* Natural logarithm of x in (0, 1]: x = m 2^e with m in [sqrt(1/2), sqrt(2)), ln m = 2 artanh((m - 1) / (m + 1)). */
static double log_of(double x) {
    int exponent;
    double mantissa = frexp(x, &exponent), sum = 0.0;

    if (mantissa < 0.70710678118654752440) {
        mantissa *= 2.0;
        exponent--;
    }
    const double s = (mantissa - 1.0) / (mantissa + 1.0), square = s * s; /* |s| < 0.172 */
    for (int term = 23; term >= 1; term -= 2)
        sum = sum * square + 1.0 / term;
    return exponent * 0.69314718055994530942 + 2.0 * s * sum;
}

/* Cosine of `turn` full turns, turn in [0, 1), from a Taylor series within an eighth of a turn. */
static double cosine_of_turn(double turn) {
    const double quarters = floor(turn * 4.0 + 0.5);
    const double x = (turn - quarters * 0.25) * 6.28318530717958647693, square = x * x; /* |x| <= pi / 4 */
    double cosine = 1.0, sine = 1.0;

    for (int k = 9; k >= 1; k--) {
        cosine = 1.0 - cosine * square / ((2 * k - 1) * (2 * k));
        sine = 1.0 - sine * square / ((2 * k) * (2 * k + 1));
    }
    sine *= x;
    switch ((int)quarters & 3) {
    case 0:
        return cosine;
    case 1:
        return -sine;
    case 2:
        return -cosine;
    default:
        return sine;
    }
}

double ren__rng_normal(ren__rng *rng) {
    const double radius = sqrt(-2.0 * log_of(1.0 - ren__rng_uniform(rng))); /* 1 - u is in (0, 1] */

    return radius * cosine_of_turn(ren__rng_uniform(rng));
}

void ren__rng_shuffle(ren__rng *rng, int32_t *items, int32_t count) {
    for (int32_t last = count - 1; last > 0; last--) {
        const uint32_t other = ren__rng_below(rng, (uint32_t)last + 1);
        const int32_t item = items[last];
        items[last] = items[other];
        items[other] = item;
    }
}
