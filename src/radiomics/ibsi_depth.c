/* SPDX-License-Identifier: Apache-2.0 */
/* City-block distances, one axis after the other: exact, because steps along different axes add up. */
#include "radiomics/ibsi_depth.h"

#include <string.h>

typedef struct depth_map {
    const int64_t *shape; /* of the morphological mask's box */
    uint16_t *depth;
} depth_map;

enum { DEEPEST = UINT16_MAX - 1 };

static uint16_t one_more(uint16_t depth) {
    return depth < DEEPEST ? (uint16_t)(depth + 1) : DEEPEST;
}

/* Brings depths down along one axis, both ways: none is more than one above its neighbour's, and those at the box's
 * faces are at most 1. */
static void sweep(const depth_map *map, int axis) {
    const int64_t *shape = map->shape;
    const int64_t pitch = axis == 0 ? 1 : axis == 1 ? shape[0] : shape[0] * shape[1];
    const int64_t voxels = shape[0] * shape[1] * shape[2], length = shape[axis];

    for (int64_t i = 0; i < voxels; i++) {
        const uint16_t bound = i / pitch % length == 0 ? 1 : one_more(map->depth[i - pitch]);
        if (map->depth[i] > bound) map->depth[i] = bound;
    }
    for (int64_t i = voxels - 1; i >= 0; i--) {
        const uint16_t bound = i / pitch % length == length - 1 ? 1 : one_more(map->depth[i + pitch]);
        if (map->depth[i] > bound) map->depth[i] = bound;
    }
}

/* The region's box out of the mask's. */
static void crop(const depth_map *map, const int64_t mask_begin[3], const int64_t begin[3], const int64_t shape[3],
                 uint16_t *out) {
    for (int64_t z = 0; z < shape[2]; z++)
        for (int64_t y = 0; y < shape[1]; y++) {
            const int64_t v = y + begin[1] - mask_begin[1], w = z + begin[2] - mask_begin[2];
            const int64_t from = (w * map->shape[1] + v) * map->shape[0] + begin[0] - mask_begin[0];
            memcpy(out + (z * shape[1] + y) * shape[0], map->depth + from, (size_t)shape[0] * sizeof *out);
        }
}

ren_status ren__depth_create(const ren__region *region, int32_t still, ren__run *run, uint16_t **out) {
    static const int64_t origin[3] = { 0, 0, 0 };
    ren_context *context = region->context;
    ren_status st = REN_OK;
    const ren__roi *mask = region->shape_roi;
    const uint8_t *inside = mask ? mask->inside : region->inside;
    depth_map map = { mask ? mask->shape : region->shape, NULL };
    const int64_t voxels = map.shape[0] * map.shape[1] * map.shape[2];
    uint16_t *cropped = NULL;

    REN_CALLOC(map.depth, (size_t)voxels);
    for (int64_t i = 0; i < voxels; i++)
        map.depth[i] = inside[i] ? DEEPEST : 0;
    for (int axis = 0; axis < 3; axis++) {
        REN_TRY(ren__run_check(run));
        if (axis != still) sweep(&map, axis);
    }
    REN_CALLOC(cropped, (size_t)(region->shape[0] * region->shape[1] * region->shape[2]));
    crop(&map, mask ? mask->begin : origin, mask ? region->roi->begin : origin, region->shape, cropped);
    *out = cropped;
    cropped = NULL;
out:
    ren__free(map.depth);
    ren__free(cropped);
    return st;
}
