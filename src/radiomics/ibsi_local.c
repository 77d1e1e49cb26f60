/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IBSI's local intensity (manual, 3.2): means of the image within a sphere of 1 cm3 around voxels of the region. The
 * sphere reaches beyond the region and its box, to where the image ends.
 */
#include <math.h>

#include "base/parallel.h"
#include "radiomics/ibsi.h"
#include "radiomics/pixels.h"

static const ren__feature loc_features[] = {
    { "peak_loc", "[image]", "VJGA", 0 },
    { "peak_glob", "[image]", "0F91", 0 },
};

typedef struct surroundings {
    const ren__region *region;
    int64_t reach[3];            /* voxels that the sphere reaches */
    int64_t offset[3], shape[3]; /* of the region's box in what was read; what was read */
    double *sums;                /* of each row up to and with a voxel; what is no number counts for nothing */
    int32_t *counts;             /* of each row, as the sums */
    int64_t *width;              /* (2 reach[1] + 1) x (2 reach[2] + 1): half of the sphere's row there; -1: none */
    struct peak *peaks;          /* of each row of the region */
} surroundings;

typedef struct peak {
    double highest, local; /* highest grey value; greatest mean around a voxel that has it */
    double global;         /* greatest mean around any voxel */
} peak;

static double sphere_radius(void) {
    return 10.0 * cbrt(0.75 / 3.14159265358979323846); /* mm */
}

static void measure(surroundings *s) {
    const ren__region *region = s->region;
    const double radius = sphere_radius();

    for (int a = 0; a < 3; a++) {
        const int64_t begin = region->roi->begin[a], size = region->image->shape[a];
        const double reach = floor(radius / region->spacing[a]);
        s->reach[a] = reach < (double)size ? (int64_t)reach : size - 1;
        s->offset[a] = begin < s->reach[a] ? begin : s->reach[a];
        const int64_t end = begin + region->shape[a] + s->reach[a];
        s->shape[a] = (end < size ? end : size) - (begin - s->offset[a]);
    }
}

static void measure_rows(const surroundings *s) {
    const double radius = sphere_radius(), *spacing = s->region->spacing;
    int64_t *width = s->width;

    for (int64_t z = -s->reach[2]; z <= s->reach[2]; z++)
        for (int64_t y = -s->reach[1]; y <= s->reach[1]; y++) {
            const double dy = (double)y * spacing[1], dz = (double)z * spacing[2];
            const double rest = radius * radius - dy * dy - dz * dz;
            const double half = rest < 0 ? -1 : floor(sqrt(rest) / spacing[0]);
            *width++ = half < (double)s->reach[0] ? (int64_t)half : s->reach[0];
        }
}

static void add_up_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const surroundings *s = argument;

    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        double *sums = s->sums + row * s->shape[0], sum = 0;
        int32_t *counts = s->counts + row * s->shape[0], count = 0;
        for (int64_t x = 0; x < s->shape[0]; x++) {
            if (isfinite(sums[x])) {
                sum += sums[x];
                count++;
            }
            sums[x] = sum;
            counts[x] = count;
        }
    }
}

/* Mean around voxel x, y, z of what was read. */
static double mean_around(const surroundings *s, int64_t x, int64_t y, int64_t z) {
    const int64_t *width = s->width;
    double sum = 0;
    int64_t count = 0;

    for (int64_t dz = -s->reach[2]; dz <= s->reach[2]; dz++)
        for (int64_t dy = -s->reach[1]; dy <= s->reach[1]; dy++) {
            const int64_t half = *width++, v = y + dy, w = z + dz;
            if (half < 0 || v < 0 || v >= s->shape[1] || w < 0 || w >= s->shape[2]) continue;
            const int64_t row = (w * s->shape[1] + v) * s->shape[0];
            const int64_t last = row + (x + half < s->shape[0] ? x + half : s->shape[0] - 1);
            sum += s->sums[last];
            count += s->counts[last];
            if (x - half > 0) {
                sum -= s->sums[row + x - half - 1];
                count -= s->counts[row + x - half - 1];
            }
        }
    return sum / (double)count; /* the voxel itself is one */
}

static void find_peaks(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const surroundings *s = argument;
    const ren__region *r = s->region;

    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        const int64_t y = row % r->shape[1], z = row / r->shape[1];
        peak found = { -INFINITY, -INFINITY, -INFINITY };
        for (int64_t x = 0; x < r->shape[0]; x++) {
            const int64_t i = row * r->shape[0] + x;
            if (!r->inside[i]) continue;
            const double mean = mean_around(s, x + s->offset[0], y + s->offset[1], z + s->offset[2]);
            if (mean > found.global) found.global = mean;
            if (r->values[i] > found.highest) found = (peak){ r->values[i], mean, found.global };
            if (r->values[i] == found.highest && mean > found.local) found.local = mean;
        }
        s->peaks[row] = found;
    }
}

static ren_status read_surroundings(surroundings *s, ren__run *run) {
    const ren__region *region = s->region;
    ren_context *context = region->context;
    ren_status st = REN_OK;
    int64_t begin[3];
    size_t voxels;

    measure(s);
    for (int a = 0; a < 3; a++)
        begin[a] = region->roi->begin[a] - s->offset[a];
    voxels = (size_t)(s->shape[0] * s->shape[1] * s->shape[2]);
    REN_CALLOC(s->width, (size_t)((2 * s->reach[1] + 1) * (2 * s->reach[2] + 1)));
    REN_CALLOC(s->peaks, (size_t)(region->shape[1] * region->shape[2]));
    REN_CALLOC(s->sums, voxels);
    REN_CALLOC(s->counts, voxels);
    measure_rows(s);
    REN_TRY(ren__pixels_read(region->image, begin, s->shape, run, s->sums));
    ren__parallel_for(context, run, s->shape[1] * s->shape[2], 64, add_up_rows, s);
    REN_TRY(ren__run_check(run));
out:
    return st;
}

static ren_status compute_loc(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                              ren__run *run, double *values) {
    ren_status st = REN_OK;
    surroundings s = { .region = region };
    peak best = { -INFINITY, -INFINITY, -INFINITY };

    (void)settings;
    REN_TRY(read_surroundings(&s, run));
    ren__parallel_for(region->context, run, region->shape[1] * region->shape[2], 4, find_peaks, &s);
    REN_TRY(ren__run_check(run));
    for (int64_t row = 0; row < region->shape[1] * region->shape[2]; row++) {
        const peak *p = s.peaks + row;
        if (p->highest > best.highest || (p->highest == best.highest && p->local > best.local)) {
            best.highest = p->highest;
            best.local = p->local;
        }
        if (p->global > best.global) best.global = p->global;
    }
    if (wanted[0]) values[0] = best.local;
    if (wanted[1]) values[1] = best.global;
out:
    ren__free(s.width);
    ren__free(s.peaks);
    ren__free(s.sums);
    ren__free(s.counts);
    return st;
}

const ren__feature_class ren__class_ibsi_loc = {
    .name = "ibsi_loc",
    .features = loc_features,
    .count = (int32_t)(sizeof loc_features / sizeof *loc_features),
    .parts = REN__REGION_VALUES,
    .compute = compute_loc,
};
