/* SPDX-License-Identifier: Apache-2.0 */
/* A part of a volume that shares its voxels. */
#include <string.h>

#include "radiomics/case.h"
#include "volume/geometry.h"

static void release_whole(void *user, void *data) {
    (void)data;
    ren_volume_free(user);
}

ren_status ren__volume_part(const ren_volume *volume, const int64_t begin[3], const int64_t shape[3],
                            ren_volume **out) {
    static const double one[3] = { 1.0, 1.0, 1.0 };
    const double from[3] = { (double)begin[0], (double)begin[1], (double)begin[2] };
    ren_volume_desc desc;
    ren_status st = ren_volume_desc_init(&desc, sizeof desc);
    if (st != REN_OK) return st;
    const uint8_t *first = volume->data;
    for (int a = 0; a < 3; a++)
        first += begin[a] * volume->strides[a];
    desc.data = first;
    desc.type = volume->type;
    memcpy(desc.shape, shape, sizeof desc.shape);
    memcpy(desc.strides, volume->strides, sizeof desc.strides);
    ren__affine_rescale(volume->affine, from, one, desc.affine);
    desc.slope = volume->slope;
    desc.intercept = volume->intercept;
    desc.release = release_whole;
    desc.user = ren__volume_retain(volume);
    st = ren_volume_create(volume->context, &desc, out);
    if (st != REN_OK) ren_volume_free(desc.user);
    return st;
}
