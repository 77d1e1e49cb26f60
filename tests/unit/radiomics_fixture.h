/* SPDX-License-Identifier: Apache-2.0 */
/* A small image and its label map, for tests that go through the extractor. */
#ifndef REN_TESTS_RADIOMICS_FIXTURE_H
#define REN_TESTS_RADIOMICS_FIXTURE_H

#include "harness.h"
#include "volume/volume.h"

enum { FIXTURE_X = 9, FIXTURE_Y = 8, FIXTURE_Z = 7, FIXTURE_VOXELS = FIXTURE_X * FIXTURE_Y * FIXTURE_Z };

static const double fixture_affine[16] = { 1.5, 0, 0, -10, 0, 1.25, 0, 20, 0, 0, 2, 5, 0, 0, 0, 1 };

/* Labels: 1 and 2 are boxes that touch, 3 is two voxels that meet at a corner, 4 a single voxel. */
static inline uint8_t fixture_label(int64_t x, int64_t y, int64_t z) {
    if (z == 6) return (x == 1 && y == 1) ? 4 : 0;
    if ((x == 7 && y == 6 && z == 4) || (x == 8 && y == 7 && z == 5)) return 3;
    if (y < 1 || y > 5 || z < 1 || z > 4 || x < 1 || x > 6) return 0;
    return x < 4 ? 1 : 2;
}

static inline int16_t fixture_value(int64_t x, int64_t y, int64_t z) {
    return (int16_t)(37 * x - 11 * y + 53 * z + (x * y * z * 29) % 101 - 120);
}

static inline ren_status fixture_make(ren_context *context, ren_volume **image, ren_volume **mask) {
    static const int64_t shape[3] = { FIXTURE_X, FIXTURE_Y, FIXTURE_Z };
    ren_status st = REN_OK;
    void *values = NULL, *labels = NULL;

    REN_TRY(ren__volume_allocate(context, REN_TYPE_I16, shape, fixture_affine, &values, image));
    REN_TRY(ren__volume_allocate(context, REN_TYPE_U8, shape, fixture_affine, &labels, mask));
    for (int64_t i = 0; i < FIXTURE_VOXELS; i++) {
        const int64_t x = i % FIXTURE_X, y = i / FIXTURE_X % FIXTURE_Y, z = i / (FIXTURE_X * FIXTURE_Y);
        ((int16_t *)values)[i] = fixture_value(x, y, z);
        ((uint8_t *)labels)[i] = fixture_label(x, y, z);
    }
out:
    return st;
}

#endif
