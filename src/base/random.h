/* SPDX-License-Identifier: Apache-2.0 */
/* Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011). Equal (seed, stream, counter): equal numbers,
 * on every machine and thread. */
#ifndef REN_BASE_RANDOM_H
#define REN_BASE_RANDOM_H

#include <stdint.h>

/* One block of the generator: 128 bits of output for a 128-bit counter and a 64-bit key. */
void ren__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* A stream of numbers for sequential use. `stream` and `substream` say what for (epoch, sample, layer, ...). */
typedef struct ren__rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    uint32_t used; /* words of `block` given out */
} ren__rng;

void ren__rng_init(ren__rng *rng, uint64_t seed, uint32_t stream, uint32_t substream);
uint32_t ren__rng_u32(ren__rng *rng);
uint32_t ren__rng_below(ren__rng *rng, uint32_t limit); /* unbiased, limit > 0 */
double ren__rng_uniform(ren__rng *rng);                 /* [0, 1) */
double ren__rng_normal(ren__rng *rng);                  /* mean 0, sd 1 (Box-Muller) */
void ren__rng_shuffle(ren__rng *rng, int32_t *items, int32_t count);

#endif
