/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementary functions in single precision that compilers turn into vector code: no branch, no call, no table. Fitted
 * by least squares at Chebyshev nodes; largest relative errors, measured over the whole range: exp 1.2e-7, erf 1.3e-7,
 * log(1 + exp(x)) 2e-7. Included by the kernels' bodies, once for each instruction set.
 */
#ifndef REN_KERNELS_ELEMENTARY_H
#define REN_KERNELS_ELEMENTARY_H

#include <stdint.h>
#include <string.h>

#ifdef __FMA__
#define REN_MADD(a, b, c) __builtin_fmaf((a), (b), (c))
#else
#define REN_MADD(a, b, c) ((a) * (b) + (c))
#endif

/* Inlined always: a loop with a call is no vector code. */
#define REN_ELEMENTARY static inline __attribute__((always_inline))

/* exp(x) = 2^n exp(r), |r| <= ln 2 / 2. 0 below -87.3, the largest float's neighbourhood above 88.3. */
REN_ELEMENTARY float ren__exp(float x) {
    const float magic = 12582912.0f; /* 1.5 x 2^23: adding it rounds to a whole number */
    int32_t bits;
    float scale;
    const float low = x < -87.3f ? 0.0f : 1.0f;
    x = x < -87.3f ? -87.3f : x;
    x = x > 88.3f ? 88.3f : x;
    const float shifted = REN_MADD(x, 1.44269504f, magic), n = shifted - magic;
    float r = REN_MADD(n, -0.693359375f, x);
    r = REN_MADD(n, 2.12194440e-4f, r);
    float p = 1.39336e-3f;
    p = REN_MADD(p, r, 8.36318e-3f);
    p = REN_MADD(p, r, 4.166647e-2f);
    p = REN_MADD(p, r, 1.6666577e-1f);
    p = REN_MADD(p, r, 0.5f);
    p = REN_MADD(p * r, r, r) + 1.0f;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (int32_t)((uint32_t)(bits + 127) << 23); /* the low bits of `shifted` are n */
    memcpy(&scale, &bits, sizeof scale);
    return p * scale * low;
}

/* Odd; x P(x^2) below 1, 1 - exp(-Q(|x|)) above. */
REN_ELEMENTARY float ren__erf(float x) {
    const float a = x < 0 ? -x : x, t = a > 4.0f ? 4.0f : a, s = a < 1.0f ? a * a : 1.0f;
    float p = -9.67359094e-06f;
    p = REN_MADD(p, s, 1.12682539e-04f);
    p = REN_MADD(p, s, -8.48439656e-04f);
    p = REN_MADD(p, s, 5.22105341e-03f);
    p = REN_MADD(p, s, -2.68654383e-02f);
    p = REN_MADD(p, s, 1.12837826e-01f);
    p = REN_MADD(p, s, -3.76126385e-01f);
    p = REN_MADD(p, s, 1.12837917f);
    float q = -1.61406161e-06f;
    q = REN_MADD(q, t, 4.55906226e-05f);
    q = REN_MADD(q, t, -5.92769539e-04f);
    q = REN_MADD(q, t, 4.74022235e-03f);
    q = REN_MADD(q, t, -2.63647174e-02f);
    q = REN_MADD(q, t, 1.09978245e-01f);
    q = REN_MADD(q, t, 6.31937094e-01f);
    q = REN_MADD(q, t, 1.13016668f);
    q = REN_MADD(q, t, -3.03212994e-04f);
    const float tail = 1.0f - ren__exp(-q);
    const float value = a < 1.0f ? a * p : tail;
    return x < 0 ? -value : value;
}

REN_ELEMENTARY float ren__sigmoid(float x) {
    return 1.0f / (1.0f + ren__exp(-x));
}

/* log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)); relative to itself also where it is small. */
REN_ELEMENTARY float ren__softplus(float x) {
    const float t = ren__exp(x < 0 ? x : -x);
    float p = -3.2563785e-3f;
    p = REN_MADD(p, t, 1.9907161e-2f);
    p = REN_MADD(p, t, -5.7064201e-2f);
    p = REN_MADD(p, t, 1.06142647e-1f);
    p = REN_MADD(p, t, -1.53118631e-1f);
    p = REN_MADD(p, t, 1.96781173e-1f);
    p = REN_MADD(p, t, -2.49545589e-1f);
    p = REN_MADD(p, t, 3.33300040e-1f);
    p = REN_MADD(p, t, -4.99999040e-1f);
    p = REN_MADD(p, t, 9.99999995e-1f);
    return (x > 0 ? x : 0.0f) + p * t;
}

/* GELU, exact form, and its slope. */
REN_ELEMENTARY float ren__gelu(float x) {
    return 0.5f * x * (1.0f + ren__erf(x * 0.70710678f));
}

REN_ELEMENTARY float ren__gelu_slope(float x) {
    return REN_MADD(x * 0.39894228f, ren__exp(-0.5f * x * x), 0.5f * (1.0f + ren__erf(x * 0.70710678f)));
}

#endif
