/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: typed voxels with strides and an affine. */
#ifndef REN_VOLUME_VOLUME_H
#define REN_VOLUME_VOLUME_H

#include "base/context.h"

struct ren_volume {
    atomic_int references;
    ren_context *context; /* held */
    const uint8_t *data;  /* voxel (0, 0, 0) */
    int32_t type;
    int64_t shape[3];
    int64_t strides[3]; /* bytes */
    double affine[16];  /* voxel to RAS+ mm */
    double spacing[3];  /* mm as the file states it, where the affine has rounded it; 0: only the affine says it */
    double slope, intercept;
    int32_t unit_unknown; /* the file did not say millimetres */
    int32_t rescaled;     /* the file had a slope or intercept */
    int32_t planar;       /* the file had two dimensions: not a volume of one slice */
    void (*release)(void *user, void *data);
    void *user;
    struct ren_volume *base; /* whose voxels these are, held; or NULL */
};

ren_volume *ren__volume_retain(const ren_volume *volume);
/* A packed (x fastest) volume that owns zeroed voxels; `data` (nullable) gets the writable pointer. */
ren_status ren__volume_allocate(ren_context *context, int32_t type, const int64_t shape[3], const double affine[16],
                                void **data, ren_volume **out);
/* The same without zeroing, for a caller that writes every voxel. */
ren_status ren__volume_allocate_raw(ren_context *context, int32_t type, const int64_t shape[3], const double affine[16],
                                    void **data, ren_volume **out);
/* The same voxels with axes permuted and flipped: new axis a is old axis order[a], reversed where flip[a]. No copy. */
ren_status ren__volume_view(const ren_volume *volume, const int32_t order[3], const int32_t flip[3], ren_volume **out);
/* Axis order and flips that bring the volume nearest to `axes`. */
ren_status ren__volume_axes(const ren_volume *volume, const char *axes, int32_t order[3], int32_t flip[3]);

size_t ren__type_size(int32_t type);
/* Scaled values of voxels begin[]..begin[]+shape[]-1 into x-fastest packed floats or doubles; integers clamp-free. */
ren_status ren__volume_box_f32(const ren_volume *volume, const int64_t begin[3], const int64_t shape[3], ren__run *run,
                               float *values);
ren_status ren__volume_box_f64(const ren_volume *volume, const int64_t begin[3], const int64_t shape[3], ren__run *run,
                               double *values);
/* Label values as int32, rounded; REN_E_DATA where a value is no integer in range. */
ren_status ren__volume_box_labels(const ren_volume *volume, const int64_t begin[3], const int64_t shape[3],
                                  ren__run *run, int32_t *values);

#endif
