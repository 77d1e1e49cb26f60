/* SPDX-License-Identifier: Apache-2.0 */
/* The elementary functions of the vector kernels against the C library's in double precision. */
#include "kernels/elementary.h"

#include "harness.h"

/* The largest error over [low, high], relative where `floor` is 0, else relative to |wanted| + floor. */
static double worst(float (*ours)(float), double (*wanted)(double), double low, double high, double floor_value) {
    const int steps = 2000000;
    double largest = 0;
    for (int i = 0; i <= steps; i++) {
        const float x = (float)(low + (high - low) * i / steps);
        const double y = wanted((double)x);
        largest = fmax(largest, fabs((double)ours(x) - y) / (fabs(y) + floor_value));
    }
    return largest;
}

static float exp_of(float x) {
    return ren__exp(x);
}
static float erf_of(float x) {
    return ren__erf(x);
}
static float gelu_of(float x) {
    return ren__gelu(x);
}
static float gelu_slope_of(float x) {
    return ren__gelu_slope(x);
}
static float sigmoid_of(float x) {
    return ren__sigmoid(x);
}
static float softplus_of(float x) {
    return ren__softplus(x);
}
static double softplus(double x) {
    return log1p(exp(x));
}
static double gelu(double x) {
    return x / 2 * (1 + erf(x / sqrt(2.0)));
}
static double gelu_slope(double x) {
    return 0.5 * (1 + erf(x / sqrt(2.0))) + x * exp(-x * x / 2) / sqrt(2 * acos(-1.0));
}
static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

static ren_status test_they_are_as_exact_as_floats(ren_context *context) {
    ren_status st = REN_OK;
    (void)context;
    CHECK(worst(exp_of, exp, -87.2, 88.2, 0) < 2e-7);
    CHECK(worst(exp_of, exp, -1, 1, 0) < 2e-7);
    CHECK(worst(erf_of, erf, -6, 6, 1e-30) < 2.5e-7);
    CHECK(worst(erf_of, erf, -0.01, 0.01, 1e-30) < 2.5e-7);
    CHECK(worst(gelu_of, gelu, -8, 8, 1) < 4e-7);
    CHECK(worst(gelu_slope_of, gelu_slope, -8, 8, 1) < 4e-7);
    CHECK(worst(softplus_of, softplus, -80, 80, 0) < 4e-7);
    CHECK(worst(sigmoid_of, sigmoid, -80, 80, 0) < 4e-7);
out:
    return st;
}

static ren_status test_they_end_where_floats_end(ren_context *context) {
    ren_status st = REN_OK;
    (void)context;
    CHECK(ren__exp(-1e30f) == 0.0f && ren__exp(-INFINITY) == 0.0f);
    CHECK(ren__exp(1e30f) > 1e38f && isfinite(ren__exp(INFINITY)));
    CHECK(ren__exp(0.0f) == 1.0f);
    CHECK(ren__erf(50.0f) == 1.0f && ren__erf(-50.0f) == -1.0f && ren__erf(0.0f) == 0.0f);
    CHECK(ren__gelu(-50.0f) == 0.0f && ren__gelu(50.0f) == 50.0f);
    CHECK(ren__softplus(-200.0f) == 0.0f && ren__softplus(200.0f) == 200.0f);
    CHECK(ren__sigmoid(-200.0f) >= 0.0f && ren__sigmoid(200.0f) == 1.0f);
out:
    return st;
}

TEST_MAIN(CASE_ONCE(test_they_are_as_exact_as_floats), CASE_ONCE(test_they_end_where_floats_end))
