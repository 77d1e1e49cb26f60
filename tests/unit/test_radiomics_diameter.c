/* SPDX-License-Identifier: Apache-2.0 */
/* Diameters have the bits of comparing all pairs of vertices. */
#include "radiomics/diameter.h"

#include "radiomics_region.h"

enum { VERTICES_MAX = 3 * (TEST_SIDE + 1) * (TEST_SIDE + 1) * (TEST_SIDE + 1), ALL = 15 };

static test_region t;
static ren__point vertices[VERTICES_MAX];

static int voxel(int64_t x, int64_t y, int64_t z) {
    const int64_t *shape = t.region.shape;

    if (x < 1 || y < 1 || z < 1 || x > shape[0] || y > shape[1] || z > shape[2]) return 0;
    return t.inside[((z - 1) * shape[1] + y - 1) * shape[0] + x - 1];
}

static int64_t all_vertices(void) {
    const double *s = t.region.spacing;
    int64_t count = 0;

    for (int64_t z = 0; z <= t.region.shape[2]; z++) {
        for (int64_t y = 0; y <= t.region.shape[1]; y++) {
            for (int64_t x = 0; x <= t.region.shape[0]; x++) {
                const int here = voxel(x, y, z);
                const double dz = (double)z, dy = (double)y, dx = (double)x;
                if (here != voxel(x, y, z + 1))
                    vertices[count++] = (ren__point){ { (dz + 0.5) * s[2], dy * s[1], dx * s[0] } };
                if (here != voxel(x, y + 1, z))
                    vertices[count++] = (ren__point){ { dz * s[2], (dy + 0.5) * s[1], dx * s[0] } };
                if (here != voxel(x + 1, y, z))
                    vertices[count++] = (ren__point){ { dz * s[2], dy * s[1], (dx + 0.5) * s[0] } };
            }
        }
    }
    return count;
}

static ren__diameters all_pairs(void) {
    ren__diameters d = { 0 };
    const int64_t count = all_vertices();

    for (int64_t i = 0; i < count; i++) {
        for (int64_t k = 0; k < i; k++) {
            const ren__point *a = &vertices[i], *b = &vertices[k];
            const double squared = ren__distance_squared(a, b);
            if (a->at[0] == b->at[0] && squared > d.slice) d.slice = squared;
            if (a->at[1] == b->at[1] && squared > d.column) d.column = squared;
            if (a->at[2] == b->at[2] && squared > d.row) d.row = squared;
            if (squared > d.all) d.all = squared;
        }
    }
    return (ren__diameters){ sqrt(d.slice), sqrt(d.column), sqrt(d.row), sqrt(d.all) };
}

static ren_status check_all(void) {
    ren_status st = REN_OK;
    const ren__diameters wanted = all_pairs();
    ren__diameters got, alone;

    REN_TRY(ren__diameters_measure(&t.region, ALL, NULL, &got));
    CHECK_NEAR(got.slice, wanted.slice, 0.0);
    CHECK_NEAR(got.column, wanted.column, 0.0);
    CHECK_NEAR(got.row, wanted.row, 0.0);
    CHECK_NEAR(got.all, wanted.all, 0.0);
    for (int32_t which = 1; which < ALL; which *= 2) {
        alone = (ren__diameters){ -1.0, -1.0, -1.0, -1.0 };
        REN_TRY(ren__diameters_measure(&t.region, which, NULL, &alone));
        CHECK_NEAR(alone.slice, which == REN__DIAMETER_SLICE ? got.slice : -1.0, 0.0);
        CHECK_NEAR(alone.column, which == REN__DIAMETER_COLUMN ? got.column : -1.0, 0.0);
        CHECK_NEAR(alone.row, which == REN__DIAMETER_ROW ? got.row : -1.0, 0.0);
        CHECK_NEAR(alone.all, which == REN__DIAMETER_3D ? got.all : -1.0, 0.0);
    }
out:
    return st;
}

static ren_status test_random_masks(ren_context *context) {
    ren_status st = REN_OK;
    ren__rng rng;

    ren__rng_init(&rng, 11, 0, 0);
    for (int round = 0; round < 60; round++) {
        test_region_random(&t, context, &rng);
        REN_TRY(check_all());
    }
out:
    return st;
}

/* Nothing can be left out early: every direction has its longest distance. */
static ren_status test_balls_and_discs(ren_context *context) {
    ren_status st = REN_OK;

    for (int which = 0; which < 6; which++) {
        const int64_t n[3] = { which == 1 ? 1 : 15, which == 2 ? 1 : 13, which == 3 ? 1 : 15 };
        test_region_init(&t, context, n[0], n[1], n[2]);
        t.region.spacing[2] = which >= 4 ? 1.3 : 1.0;
        for (int64_t z = 0; z < n[2]; z++) {
            for (int64_t y = 0; y < n[1]; y++) {
                for (int64_t x = 0; x < n[0]; x++) {
                    const double u = (double)(2 * x + 1 - n[0]), v = (double)(2 * y + 1 - n[1]),
                                 w = (double)(2 * z + 1 - n[2]), square = u * u + v * v + w * w;
                    if (square < 170.0 && (which != 5 || square > 140.0)) test_region_set(&t, x, y, z);
                }
            }
        }
        REN_TRY(check_all());
    }
out:
    return st;
}

static ren_status test_one_voxel(ren_context *context) {
    ren_status st = REN_OK;
    ren__diameters d;

    test_region_init(&t, context, 1, 1, 1);
    test_region_fill(&t);
    t.region.spacing[0] = 2.0;
    t.region.spacing[2] = 0.5;
    REN_TRY(ren__diameters_measure(&t.region, ALL, NULL, &d));
    CHECK_NEAR(d.slice, 2.0, 0.0);
    CHECK_NEAR(d.column, 2.0, 0.0);
    CHECK_NEAR(d.row, 1.0, 0.0);
    CHECK_NEAR(d.all, 2.0, 0.0);
out:
    return st;
}

/* The farthest vertex in any direction is among the extremes, and all of these are vertices. */
static ren_status test_extremes_hold_the_hull(ren_context *context) {
    ren_status st = REN_OK;
    ren__rng rng;
    ren__point *points = NULL;

    ren__rng_init(&rng, 12, 0, 0);
    for (int round = 0; round < 20; round++) {
        int64_t count, all;
        test_region_random(&t, context, &rng);
        all = all_vertices();
        REN_TRY(ren__mesh_extremes(&t.region, NULL, &points, &count));
        for (int64_t i = 0; i < count; i++) {
            int64_t k = 0;
            while (k < all && memcmp(&points[i], &vertices[k], sizeof *points) != 0)
                k++;
            CHECK(k < all);
            CHECK(i == 0 || points[i - 1].at[0] <= points[i].at[0]);
        }
        for (int direction = 0; direction < 20; direction++) {
            const double u = ren__rng_normal(&rng), v = ren__rng_normal(&rng), w = ren__rng_normal(&rng);
            double of_all = -INFINITY, of_extremes = -INFINITY;
            for (int64_t i = 0; i < all; i++)
                of_all = fmax(of_all, u * vertices[i].at[0] + v * vertices[i].at[1] + w * vertices[i].at[2]);
            for (int64_t i = 0; i < count; i++)
                of_extremes = fmax(of_extremes, u * points[i].at[0] + v * points[i].at[1] + w * points[i].at[2]);
            CHECK(of_extremes == of_all);
        }
        ren__free(points);
        points = NULL;
    }
out:
    ren__free(points);
    return st;
}

static ren_status check_points(ren_context *context, int64_t count) {
    ren_status st = REN_OK;
    double squared, wanted = 0.0;

    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < i; k++)
            wanted = fmax(wanted, ren__distance_squared(&vertices[i], &vertices[k]));
    REN_TRY(ren__farthest_pair(context, NULL, vertices, count, &squared));
    CHECK_NEAR(squared, wanted, 0.0);
out:
    return st;
}

static ren_status test_farthest_pairs(ren_context *context) {
    ren_status st = REN_OK;
    ren__rng rng;

    ren__rng_init(&rng, 13, 0, 0);
    for (int64_t count = 0; count <= 700; count += count < 20 ? 1 : 170) {
        for (int kind = 0; kind < 4; kind++) {
            for (int64_t i = 0; i < count; i++) {
                const double z = ren__rng_normal(&rng), y = ren__rng_normal(&rng), x = ren__rng_normal(&rng);
                const double length = sqrt(z * z + y * y + x * x), turn = ren__rng_uniform(&rng);
                if (kind == 0) vertices[i] = (ren__point){ { z, y, x } };
                if (kind == 1) vertices[i] = (ren__point){ { z / length, y / length, x / length } }; /* a sphere */
                if (kind == 2) vertices[i] = (ren__point){ { 1.0, 2.0, 3.0 } };                      /* one point */
                if (kind == 3) /* two crossed arcs, each in the middle of the other's circle, nearly */
                    vertices[i] = i % 2 ? (ren__point){ { cos(turn), sin(turn), 0.0 } }
                                        : (ren__point){ { 1.0 - cos(turn), 0.0, sin(turn) } };
            }
            REN_TRY(check_points(context, count));
        }
    }
out:
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_random_masks), CASE_SAMPLED(test_balls_and_discs), CASE(test_one_voxel),
          CASE_SAMPLED(test_extremes_hold_the_hull), CASE_SAMPLED(test_farthest_pairs))
