/* SPDX-License-Identifier: Apache-2.0 */
/* Area and volume of the mesh: against closed forms and against summing up triangle by triangle. */
#include "radiomics/mesh.h"

#include "radiomics/mesh_tables.h"
#include "radiomics_region.h"

static test_region t; /* cases run one after the other */

static int voxel(int64_t x, int64_t y, int64_t z) {
    const int64_t *shape = t.region.shape;

    if (x < 0 || y < 0 || z < 0 || x >= shape[0] || y >= shape[1] || z >= shape[2]) return 0;
    return t.inside[(z * shape[1] + y) * shape[0] + x];
}

/* Marching cubes as it is usually written, with each triangle in millimetres. */
static void add_cube(int64_t z, int64_t y, int64_t x, ren__mesh *sum) {
    static const int corners[8][3] = { { 0, 0, 0 }, { 0, 0, 1 }, { 0, 1, 1 }, { 0, 1, 0 },
                                       { 1, 0, 0 }, { 1, 0, 1 }, { 1, 1, 1 }, { 1, 1, 0 } };
    int code = 0;

    for (int c = 0; c < 8; c++)
        code |= voxel(x - 1 + corners[c][2], y - 1 + corners[c][1], z - 1 + corners[c][0]) << c;
    const double sign = code & 128 ? -1.0 : 1.0;
    const int8_t *edge = ren__mesh_triangles[code & 128 ? code ^ 255 : code];
    for (; *edge >= 0; edge += 3) {
        double p[3][3], n[3];
        for (int i = 0; i < 3; i++) {
            const int64_t origin[3] = { z, y, x };
            for (int d = 0; d < 3; d++)
                p[i][d] = ((double)origin[d] + 0.5 * ren__mesh_edges[edge[i]][d]) * t.region.spacing[2 - d];
        }
        for (int d = 0; d < 3; d++) {
            const int u = (d + 1) % 3, v = (d + 2) % 3;
            sum->volume += sign / 6.0 * p[2][d] * (p[0][u] * p[1][v] - p[0][v] * p[1][u]);
            n[d] = (p[0][u] - p[2][u]) * (p[1][v] - p[2][v]) - (p[0][v] - p[2][v]) * (p[1][u] - p[2][u]);
        }
        sum->area += 0.5 * sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
    }
}

static ren_status test_one_voxel_is_an_octahedron(ren_context *context) {
    ren_status st = REN_OK;
    ren__mesh mesh;

    test_region_init(&t, context, 1, 1, 1);
    test_region_fill(&t);
    REN_TRY(ren__mesh_measure(&t.region, NULL, &mesh));
    CHECK_NEAR(mesh.volume, 1.0 / 6.0, 1e-16);
    CHECK_NEAR(mesh.area, sqrt(3.0), 1e-15);
    t.region.spacing[0] = 2.0;
    t.region.spacing[2] = 0.5;
    REN_TRY(ren__mesh_measure(&t.region, NULL, &mesh));
    CHECK_NEAR(mesh.volume, 1.0 / 6.0, 1e-16);
out:
    return st;
}

/* A box of voxels has its edges cut by an eighth of a square, and its corners by what is left of that. */
static ren_status test_boxes(ren_context *context) {
    ren_status st = REN_OK;
    ren__mesh mesh;

    for (int64_t nx = 1; nx <= 12; nx += 3) {
        for (int64_t ny = 1; ny <= 3; ny++) {
            const double a = (double)nx - 1.0, b = (double)ny - 1.0, c = 4.0;
            test_region_init(&t, context, nx, ny, 5);
            test_region_fill(&t);
            REN_TRY(ren__mesh_measure(&t.region, NULL, &mesh));
            /* Minkowski's sum of the box of centres and the octahedron of one voxel */
            CHECK_NEAR(mesh.volume, a * b * c + a * b + a * c + b * c + (a + b + c) / 2.0 + 1.0 / 6.0, 1e-11);
            CHECK_NEAR(mesh.area, 2.0 * (a * b + a * c + b * c) + 4.0 * sqrt(0.5) * (a + b + c) + sqrt(3.0), 1e-11);
        }
    }
out:
    return st;
}

static ren_status test_random_masks_triangle_by_triangle(ren_context *context) {
    ren_status st = REN_OK;
    ren__rng rng;

    ren__rng_init(&rng, 3, 0, 0);
    for (int round = 0; round < 200; round++) {
        ren__mesh mesh, sum = { 0 };
        test_region_random(&t, context, &rng);
        for (int64_t z = 0; z <= t.region.shape[2]; z++)
            for (int64_t y = 0; y <= t.region.shape[1]; y++)
                for (int64_t x = 0; x <= t.region.shape[0]; x++)
                    add_cube(z, y, x, &sum);
        REN_TRY(ren__mesh_measure(&t.region, NULL, &mesh));
        CHECK_NEAR(mesh.area, sum.area, 1e-12 * sum.area);
        CHECK_NEAR(mesh.volume, sum.volume, 1e-11 * sum.area); /* may be small by cancellation */
    }
out:
    return st;
}

TEST_MAIN(CASE(test_one_voxel_is_an_octahedron), CASE(test_boxes), CASE_SAMPLED(test_random_masks_triangle_by_triangle))
