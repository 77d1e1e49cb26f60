/* SPDX-License-Identifier: Apache-2.0 */
/* The factors of dropout, for each instruction set, against the generator itself. */
#include "base/random.h"
#include "kernels/vector.h"

#include "harness.h"

enum { MOST = 200 };

static const ren__vector *const tables[] = { &ren__vector_plain, &ren__vector_avx2, &ren__vector_avx512 };

static int known(int32_t table) {
    __builtin_cpu_init();
    if (table == 2)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return table == 0 || (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
}

/* How many of `count` factors are not what number `first` + i of the generator asks for. */
static int64_t wrong(const ren__vector *vector, uint64_t first, int64_t count, double rate) {
    const uint32_t key[2] = { 0x12345678u, 0x9ABCDEF0u }, place[3] = { 7, 0xFFFFFFFFu, 3 };
    float factors[MOST + 1];
    int64_t bad = 0;
    factors[count] = 77;
    vector->dropout(key, place, first, count, (uint64_t)ceil(rate * 4294967296.0), 2.5f, factors);
    for (int64_t i = 0; i < count; i++) {
        const uint64_t at = first + (uint64_t)i;
        const uint32_t counter[4] = { (uint32_t)(at / 4), place[0], place[1], place[2] };
        uint32_t block[4];
        ren__philox(counter, key, block);
        bad += factors[i] != ((double)block[at % 4] < rate * 4294967296.0 ? 0.0f : 2.5f);
    }
    return bad + (factors[count] != 77);
}

static ren_status test_factors_are_the_generators(ren_context *context) {
    static const double rates[] = { 0, 1e-12, 0.2, 0.5, 0.999999 };
    static const uint64_t firsts[] = { 0, 1, 2, 3, 4, 29, 1000003, ((uint64_t)1 << 34) - 21 };
    static const int64_t counts[] = { 0, 1, 2, 5, 8, 16, 31, 32, 33, 64, 128, MOST };
    ren_status st = REN_OK;
    (void)context;
    for (int32_t t = 0; t < 3; t++)
        for (int r = 0; known(t) && r < 5; r++)
            for (int f = 0; f < 8; f++)
                for (int c = 0; c < 12; c++)
                    CHECK(wrong(tables[t], firsts[f], counts[c], rates[r]) == 0);
out:
    return st;
}

TEST_MAIN(CASE_ONCE(test_factors_are_the_generators))
