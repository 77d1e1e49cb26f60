/* SPDX-License-Identifier: Apache-2.0 */
/* The class firstorder and ranks: PyRadiomics' numbers, sorting, and what is undefined. */
#include "radiomics/ranks.h"
#include "radiomics/statistics.h"
#include "radiomics_region.h"

static test_region t;
static double sorted[TEST_VOXELS], grey[TEST_VOXELS];
static const ren__radiomics_settings shifted = { .voxel_array_shift = 100.0 };

static int64_t box(void) {
    return t.region.shape[0] * t.region.shape[1] * t.region.shape[2];
}

/* Levels as PyRadiomics has them; the values of the region, sorted, into `sorted`. */
static void discretise(double bin_width) {
    int64_t n = 0;

    for (int64_t i = 0; i < box(); i++) {
        if (!t.inside[i]) continue;
        int64_t at = n++;
        for (; at > 0 && sorted[at - 1] > t.values[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = t.values[i];
    }
    t.region.level_count = 0;
    for (int64_t i = 0; i < n; i++) {
        const double bin = floor(sorted[i] / bin_width) - floor(sorted[0] / bin_width) + 1.0;
        if (i == 0 || bin > grey[t.region.level_count - 1]) grey[t.region.level_count++] = bin;
    }
    for (int64_t i = 0; i < box(); i++) {
        const double bin = floor(t.values[i] / bin_width) - floor(sorted[0] / bin_width) + 1.0;
        t.levels[i] = 0;
        for (int32_t level = 0; t.inside[i] && level < t.region.level_count; level++)
            if (grey[level] == bin) t.levels[i] = (uint16_t)(level + 1);
    }
    t.region.levels = t.levels;
    t.region.grey = grey;
}

static ren_status check(const char *name, double wanted, double tolerance) {
    ren_status st = REN_OK;
    double value;

    REN_TRY(test_feature(&ren__class_firstorder, &t, &shifted, name, &value));
    if (!(fabs(value - wanted) <= tolerance) && !(isnan(value) && isnan(wanted)))
        st = test_fail(__FILE__, __LINE__, "%s is %.17g, not %.17g", name, value, wanted);
out:
    return st;
}

static ren_status test_what_pyradiomics_gives(ren_context *context) {
    static const struct {
        const char *name;
        double whole, broken;
    } wanted[] = { /* PyRadiomics 3.1.0, bin widths 25 and 3 */
                   { "10Percentile", -55.599999999999994, -6.6500000000000004 },
                   { "90Percentile", 98.200000000000003, 12.575000000000001 },
                   { "Energy", 1227119, 742711.58437499986 },
                   { "Entropy", 3.0876714848810103, 3.1311964306084068 },
                   { "InterquartileRange", 82.75, 10.34375 },
                   { "Kurtosis", 2.0230974511436997, 2.0230974511436997 },
                   { "Maximum", 118, 15.050000000000001 },
                   { "MeanAbsoluteDeviation", 47.402857142857151, 5.9253571428571439 },
                   { "Mean", 19.699999999999999, 2.7625000000000011 },
                   { "Median", 21, 2.9249999999999998 },
                   { "Minimum", -80, -9.6999999999999993 },
                   { "Range", 198, 24.75 },
                   { "RobustMeanAbsoluteDeviation", 36.014030612244902, 4.5017538265306127 },
                   { "RootMeanSquared", 132.4019313626936, 103.00565756826867 },
                   { "Skewness", 0.046170914536350492, 0.046170914536350353 },
                   { "StandardDeviation", 56.587820496741429, 7.0734775620926786 },
                   { "TotalEnergy", 2362204.0750000002, 1429719.7999218747 },
                   { "Uniformity", 0.12326530612244899, 0.12326530612244899 },
                   { "Variance", 3202.1814285714295, 50.034084821428586 }
    };
    ren_status st = REN_OK;

    for (int broken = 0; broken < 2; broken++) {
        test_region_init(&t, context, 6, 5, 4);
        t.region.spacing[0] = 0.7;
        t.region.spacing[1] = 1.1;
        t.region.spacing[2] = 2.5;
        for (int64_t z = 0; z < 4; z++) {
            for (int64_t y = 0; y < 5; y++) {
                for (int64_t x = 0; x < 6; x++) {
                    const double value = (double)((37 * x + 101 * y * y + 59 * z * x) % 211 - 80);
                    if ((x * x + 3 * y + 5 * z * z) % 7 < 4) test_region_set(&t, x, y, z);
                    t.values[(z * 5 + y) * 6 + x] = broken ? value / 8.0 + 0.3 : value;
                }
            }
        }
        discretise(broken ? 3.0 : 25.0);
        CHECK_INT(ren__class_firstorder.count, sizeof wanted / sizeof *wanted);
        for (int32_t f = 0; f < ren__class_firstorder.count; f++) {
            const double value = broken ? wanted[f].broken : wanted[f].whole;
            CHECK_TEXT(ren__class_firstorder.features[f].name, wanted[f].name);
            REN_TRY(check(wanted[f].name, value, 1e-13 * fabs(value)));
        }
    }
out:
    return st;
}

/* Every distribution that needs another way through the selection. */
static double draw(ren__rng *rng, int kind) {
    static const double few[] = { -3.0, 0.0, 0.25, 1e300, -1e-300 };
    const double normal = ren__rng_normal(rng);

    switch (kind) {
    case 0:
        return normal;
    case 1:
        return floor(100.0 * normal);
    case 2:
        return few[ren__rng_below(rng, 5)];
    case 3:
        return exp(150.0 * normal); /* over all magnitudes */
    case 4:
        return ren__rng_below(rng, 50) ? 1.0 + normal * 1e-9 : 1e6; /* nearly all next to each other */
    case 5:
        return ldexp(normal, -1070); /* denormal */
    case 6:
        return ren__rng_below(rng, 3) ? 0.0 : -0.0;
    default:
        return ren__rng_below(rng, 2) ? 1.7e308 : -1.7e308;
    }
}

enum { LARGE = 200000 };

static ren_status test_ranks_of_all_distributions(ren_context *context) {
    ren_status st = REN_OK;
    ren__rng rng;
    uint8_t *inside = ren__alloc(context, LARGE);
    double *values = ren__alloc_array(context, LARGE, sizeof *values);
    ren__region region = { .context = context, .shape = { LARGE, 1, 1 }, .inside = inside, .values = values };

    CHECK_MEMORY(inside);
    CHECK_MEMORY(values);
    ren__rng_init(&rng, 21, 0, 0);
    for (int kind = 0; kind < 8; kind++) {
        double low = INFINITY, high = -INFINITY, found[6];
        region.count = 0;
        for (int64_t i = 0; i < LARGE; i++) {
            inside[i] = ren__rng_below(&rng, 8) != 0;
            region.count += inside[i];
            values[i] = draw(&rng, kind);
            if (inside[i]) low = fmin(low, values[i]), high = fmax(high, values[i]);
        }
        const int64_t n = region.count, ranks[6] = { n / 2, 0, n - 1, n / 10, n / 2, n / 3 };
        REN_TRY(ren__region_ranks(&region, low, high, ranks, 6, NULL, found));
        for (int r = 0; r < 6; r++) { /* a value has rank r when at most r are below it, and more not above it */
            int64_t below = 0, not_above = 0;
            for (int64_t i = 0; i < LARGE; i++) {
                below += inside[i] && values[i] < found[r];
                not_above += inside[i] && values[i] <= found[r];
            }
            CHECK(below <= ranks[r] && ranks[r] < not_above);
        }
    }
out:
    ren__free(inside);
    ren__free(values);
    return st;
}

/* Halves go another way than whole values, and everything is half as large. */
static ren_status test_whole_values_by_counting(ren_context *context) {
    ren_status st = REN_OK;
    ren__rng rng;
    uint8_t *inside = ren__alloc(context, LARGE);
    double *values = ren__alloc_array(context, LARGE, sizeof *values);
    ren__region region = { .context = context, .shape = { LARGE / 100, 10, 10 }, .inside = inside, .values = values };
    ren__statistics whole, half;
    int done;

    CHECK_MEMORY(inside);
    CHECK_MEMORY(values);
    ren__rng_init(&rng, 23, 0, 0);
    for (int kind = 0; kind < 3; kind++) {
        region.count = 0;
        for (int64_t i = 0; i < LARGE; i++) {
            inside[i] = ren__rng_below(&rng, 8) != 0;
            region.count += inside[i];
            values[i] = kind == 0 ? floor(300.0 * ren__rng_normal(&rng)) * 2.0 + 1.0 : kind == 1 ? -4095.0 : 12287.0;
        }
        REN_TRY(ren__statistics_measure_whole(&region, 100.0, 7, NULL, &whole, &done));
        CHECK(done);
        for (int64_t i = 0; i < LARGE; i++)
            values[i] *= 0.5;
        REN_TRY(ren__statistics_measure_whole(&region, 50.0, 7, NULL, &half, &done));
        CHECK(!done);
        REN_TRY(ren__statistics_measure(&region, 50.0, 7, NULL, &half));
        CHECK(whole.lowest == 2.0 * half.lowest && whole.highest == 2.0 * half.highest);
        for (int i = 0; i < 5; i++)
            CHECK_NEAR(whole.percentiles[i], 2.0 * half.percentiles[i], 0.0);
        CHECK_NEAR(whole.mean, 2.0 * half.mean, 1e-12);
        CHECK_NEAR(whole.energy, 4.0 * half.energy, 1e-13 * whole.energy);
        CHECK_NEAR(whole.robust, 2.0 * half.robust, 1e-13 * whole.robust);
        CHECK_INT(whole.exponent, half.exponent + (kind == 0));
        CHECK_NEAR(whole.absolute, half.absolute, 1e-14);
        CHECK_NEAR(whole.second, half.second, 1e-14);
        CHECK_NEAR(whole.third, half.third, 1e-14);
        CHECK_NEAR(whole.fourth, half.fourth, 1e-14);
        values[LARGE / 2] = 12288.0; /* one value that has no count */
        inside[LARGE / 2] = 1;
        for (int64_t i = 0; i < LARGE; i++)
            values[i] *= i == LARGE / 2 ? 1.0 : 2.0;
        REN_TRY(ren__statistics_measure_whole(&region, 50.0, 7, NULL, &half, &done));
        CHECK(!done);
    }
out:
    ren__free(inside);
    ren__free(values);
    return st;
}

static double percentile(double share) {
    const double at = share * (double)(t.region.count - 1), part = at - floor(at);
    const double a = sorted[(int64_t)at], b = sorted[part > 0.0 ? (int64_t)at + 1 : (int64_t)at];

    return part >= 0.5 ? b - (b - a) * (1.0 - part) : a + (b - a) * part;
}

static ren_status test_random_regions_by_definition(ren_context *context) {
    ren_status st = REN_OK;
    ren__rng rng;

    ren__rng_init(&rng, 22, 0, 0);
    for (int round = 0; round < 40; round++) {
        double mean = 0.0, m[5] = { 0 }, deviation = 0.0, subset = 0.0, members = 0.0, robust = 0.0, energy = 0.0;
        test_region_random(&t, context, &rng);
        for (int64_t i = 0; i < box(); i++)
            t.values[i] = 10.0 * draw(&rng, round % 2);
        discretise(5.0);
        const int64_t n = t.region.count;
        const double low = percentile(0.1), high = percentile(0.9);
        for (int64_t i = 0; i < n; i++) {
            const int within = sorted[i] >= low && sorted[i] <= high;
            mean += sorted[i] / (double)n;
            energy += (sorted[i] + 100.0) * (sorted[i] + 100.0);
            subset += within ? sorted[i] : 0.0;
            members += within;
        }
        for (int64_t i = 0; i < n; i++) {
            for (int k = 2; k <= 4; k++)
                m[k] += pow(sorted[i] - mean, k) / (double)n;
            deviation += fabs(sorted[i] - mean) / (double)n;
            if (sorted[i] >= low && sorted[i] <= high) robust += fabs(sorted[i] - subset / members) / members;
        }
        const double spread = sqrt(m[2]);
        if (n < 3) continue;
        REN_TRY(check("10Percentile", low, 0.0));
        REN_TRY(check("Median", percentile(0.5), 1e-14 * spread));
        REN_TRY(check("InterquartileRange", percentile(0.75) - percentile(0.25), 0.0));
        REN_TRY(check("Mean", mean, 1e-11));
        REN_TRY(check("Energy", energy, 1e-12 * energy));
        REN_TRY(check("Variance", m[2], 1e-10 * m[2]));
        REN_TRY(check("Skewness", spread > 0.0 ? m[3] / (m[2] * spread) : 0.0, 1e-9));
        REN_TRY(check("Kurtosis", spread > 0.0 ? m[4] / (m[2] * m[2]) : 0.0, 1e-9));
        REN_TRY(check("MeanAbsoluteDeviation", deviation, 1e-11));
        REN_TRY(check("RobustMeanAbsoluteDeviation", members > 0.0 ? robust : (double)NAN, 1e-11));
    }
out:
    return st;
}

static ren_status test_flat_regions(ren_context *context) {
    static const double values[] = { 0.1, -7.0, 0.0, 1e-310 };
    static const char *zero[] = { "Variance",
                                  "Skewness",
                                  "Kurtosis",
                                  "MeanAbsoluteDeviation",
                                  "Range",
                                  "RobustMeanAbsoluteDeviation",
                                  "InterquartileRange",
                                  "StandardDeviation" };
    ren_status st = REN_OK;

    for (int v = 0; v < 4; v++) {
        test_region_init(&t, context, 7, 5, 3);
        test_region_fill(&t);
        for (int64_t i = 0; i < box(); i++)
            t.values[i] = values[v];
        discretise(25.0);
        for (size_t i = 0; i < sizeof zero / sizeof *zero; i++)
            REN_TRY(check(zero[i], 0.0, 0.0));
        REN_TRY(check("Mean", values[v], 0.0));
        REN_TRY(check("Median", values[v], 0.0));
        REN_TRY(check("Uniformity", 1.0, 0.0));
        REN_TRY(check("Entropy", -3.203426503814917e-16, 1e-30)); /* -log2(1 + 2^-52) */
    }
out:
    return st;
}

/* Two voxels: no value lies between their 10th and 90th percentile. One voxel: all of it. */
static ren_status test_two_voxels_and_one(ren_context *context) {
    ren_status st = REN_OK;

    test_region_init(&t, context, 2, 1, 1);
    test_region_fill(&t);
    t.values[1] = 10.0;
    discretise(25.0);
    REN_TRY(check("10Percentile", 1.0, 0.0));
    REN_TRY(check("RobustMeanAbsoluteDeviation", (double)NAN, 0.0));
    REN_TRY(check("Kurtosis", 1.0, 1e-15));
    t.inside[0] = 0;
    t.region.count = 1;
    discretise(25.0);
    REN_TRY(check("RobustMeanAbsoluteDeviation", 0.0, 0.0));
    REN_TRY(check("90Percentile", 10.0, 0.0));
out:
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_what_pyradiomics_gives), CASE_SAMPLED(test_ranks_of_all_distributions),
          CASE_SAMPLED(test_whole_values_by_counting), CASE_SAMPLED(test_random_regions_by_definition),
          CASE_SAMPLED(test_flat_regions), CASE(test_two_voxels_and_one))
