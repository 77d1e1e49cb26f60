/* SPDX-License-Identifier: Apache-2.0 */
/* Random fields of the synthetic chest: lattice noise, cells, detector noise. All of them are functions of a position.
 */
#include <math.h>

#include "volume/phantom.h"

/* A well-mixed number for a lattice point. Constants: Teschner et al. 2003 (coordinates), Wellons' lowbias32 (mixing).
 */
static uint32_t lattice_hash(uint32_t seed, int32_t x, int32_t y, int32_t z) {
    uint32_t h = seed ^ ((uint32_t)x * 73856093u) ^ ((uint32_t)y * 19349663u) ^ ((uint32_t)z * 83492791u);

    h ^= h >> 16;
    h *= 0x7feb352du;
    h ^= h >> 15;
    h *= 0x846ca68bu;
    return h ^ (h >> 16);
}

static int32_t floor_int(double x) {
    int32_t i = (int32_t)x;

    return x < (double)i ? i - 1 : i;
}

double ren__phantom_step(double from, double to, double x) {
    double t = (x - from) / (to - from);

    if (t <= 0.0) return 0.0;
    if (t >= 1.0) return 1.0;
    return t * t * (3.0 - 2.0 * t);
}

/* The eight lattice points around a position, and the weights of their blend. */
static void lattice_around(uint32_t seed, const double point[3], double period, uint32_t hash[8], double t[3]) {
    int32_t cell[3];

    for (int a = 0; a < 3; a++) {
        double q = point[a] / period;

        cell[a] = floor_int(q);
        t[a] = q - (double)cell[a];
        t[a] = t[a] * t[a] * (3.0 - 2.0 * t[a]);
    }
    for (int32_t n = 0; n < 8; n++)
        hash[n] = lattice_hash(seed, cell[0] + (n >> 2), cell[1] + ((n >> 1) & 1), cell[2] + (n & 1));
}

static double blend_corners(const double v[8], const double t[3]) {
    const double a = v[0] + t[2] * (v[1] - v[0]), b = v[2] + t[2] * (v[3] - v[2]);
    const double c = v[4] + t[2] * (v[5] - v[4]), d = v[6] + t[2] * (v[7] - v[6]);
    const double e = a + t[1] * (b - a), f = c + t[1] * (d - c);

    return e + t[0] * (f - e);
}

double ren__phantom_noise(uint32_t seed, const double point[3], double period) {
    uint32_t hash[8];
    double t[3], value[8];

    lattice_around(seed, point, period, hash, t);
    for (int n = 0; n < 8; n++)
        value[n] = (double)hash[n] * (2.0 / 4294967295.0) - 1.0;
    return blend_corners(value, t);
}

void ren__phantom_noise3(uint32_t seed, const double point[3], double period, double values[3]) {
    uint32_t hash[8];
    double t[3], value[8];

    lattice_around(seed, point, period, hash, t);
    for (int a = 0; a < 3; a++) {
        for (int n = 0; n < 8; n++)
            value[n] = (double)((hash[n] >> (10 * a)) & 1023u) * (2.0 / 1023.0) - 1.0;
        values[a] = blend_corners(value, t);
    }
}

ren__phantom_cell ren__phantom_cells(uint32_t seed, const double point[3], double period) {
    ren__phantom_cell found = { 1e9, 1e9, 0 };
    int32_t cell[3];
    double q[3];

    for (int a = 0; a < 3; a++) {
        q[a] = point[a] / period;
        cell[a] = floor_int(q[a]);
    }
    for (int32_t n = 0; n < 27; n++) {
        const int32_t x = cell[0] + n % 3 - 1, y = cell[1] + n / 3 % 3 - 1, z = cell[2] + n / 9 - 1;
        const uint32_t h = lattice_hash(seed, x, y, z);
        const double dx = (double)x + (double)(h & 1023u) / 1023.0 - q[0];
        const double dy = (double)y + (double)((h >> 10) & 1023u) / 1023.0 - q[1];
        const double dz = (double)z + (double)((h >> 20) & 1023u) / 1023.0 - q[2];
        const double d = dx * dx + dy * dy + dz * dz;

        if (d < found.nearest) {
            found.second = found.nearest;
            found.nearest = d;
            found.id = h;
        } else if (d < found.second) {
            found.second = d;
        }
    }
    found.nearest = sqrt(found.nearest) * period;
    found.second = sqrt(found.second) * period;
    return found;
}

void ren__phantom_normals(uint64_t key, uint32_t slice, uint32_t index, float values[4]) {
    const uint32_t counter[4] = { index, slice, 0, 0 };
    const uint32_t keys[2] = { (uint32_t)key, (uint32_t)(key >> 32) };
    uint32_t word[4];

    ren__philox(counter, keys, word);
    for (int n = 0; n < 4; n++) {
        const uint32_t w = word[n];
        const uint32_t sum = (w & 255u) + ((w >> 8) & 255u) + ((w >> 16) & 255u) + (w >> 24);

        /* the sum of four bytes: mean 510, variance 4 (256^2 - 1) / 12; normal enough for noise, and the same
         * everywhere */
        values[n] = ((float)sum - 510.0f) * (1.0f / 147.8005f);
    }
}
