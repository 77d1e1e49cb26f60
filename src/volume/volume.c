/* SPDX-License-Identifier: Apache-2.0 */
/* The volume handle: creation over a host's buffer or our own, lifetime, getters. */
#include "volume/volume.h"

#include <math.h>
#include <string.h>

#include "volume/geometry.h"

size_t ren__type_size(int32_t type) {
    static const uint8_t sizes[] = { 0, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8 };
    return type >= REN_TYPE_U8 && type <= REN_TYPE_F64 ? sizes[type] : 0;
}

ren_volume *ren__volume_retain(const ren_volume *volume) {
    ren_volume *writable = (ren_volume *)(uintptr_t)volume; /* the count is not part of what is const */
    if (writable) atomic_fetch_add_explicit(&writable->references, 1, memory_order_relaxed);
    return writable;
}

void ren_volume_free(ren_volume *volume) {
    if (!volume || atomic_fetch_sub_explicit(&volume->references, 1, memory_order_acq_rel) != 1) return;
    ren_context *context = volume->context;
    if (volume->release) volume->release(volume->user, (void *)(uintptr_t)volume->data);
    ren_volume_free(volume->base);
    ren__free(volume);
    ren__context_release(context);
}

static void release_own(void *user, void *data) {
    (void)data;
    ren__free(user);
}

/* Voxels and their bytes; REN_E_INVALID where either does not fit into memory's address range. */
static ren_status count_bytes(const int64_t shape[3], size_t element, size_t *bytes) {
    size_t total = element;
    for (int a = 0; a < 3; a++) {
        if (shape[a] < 1) return ren__error(REN_E_INVALID, "a volume needs at least one voxel along every axis");
        if (!ren__mul_size(total, (size_t)shape[a], &total) || total > (size_t)PTRDIFF_MAX)
            return ren__error(REN_E_INVALID, "a volume of %lld x %lld x %lld voxels does not fit into memory",
                              (long long)shape[0], (long long)shape[1], (long long)shape[2]);
    }
    *bytes = total;
    return REN_OK;
}

static void packed_strides(const int64_t shape[3], size_t element, int64_t strides[3]) {
    strides[0] = (int64_t)element;
    strides[1] = strides[0] * shape[0];
    strides[2] = strides[1] * shape[1];
}

/* A handle with everything set but the voxels. */
static ren_status new_handle(ren_context *context, int32_t type, const int64_t shape[3], const double affine[16],
                             ren_volume **out) {
    ren_volume *volume = ren__calloc(context, 1, sizeof *volume);
    if (!volume) return ren__out_of_memory();
    atomic_init(&volume->references, 1);
    volume->context = ren__context_retain(context);
    volume->type = type;
    memcpy(volume->shape, shape, sizeof volume->shape);
    packed_strides(shape, ren__type_size(type), volume->strides);
    memcpy(volume->affine, affine, sizeof volume->affine);
    volume->slope = 1.0;
    *out = volume;
    return REN_OK;
}

static ren_status allocate(ren_context *context, int32_t type, const int64_t shape[3], const double affine[16],
                           int zeroed, void **data, ren_volume **out) {
    ren_volume *volume = NULL;
    size_t bytes = 0;
    ren_status st = count_bytes(shape, ren__type_size(type), &bytes);
    if (st != REN_OK) return st;
    st = new_handle(context, type, shape, affine, &volume);
    if (st != REN_OK) return st;
    void *voxels = zeroed ? ren__calloc(context, bytes, 1) : ren__alloc(context, bytes);
    if (!voxels) {
        st = ren__out_of_memory();
        ren_volume_free(volume);
        return st;
    }
    volume->data = voxels;
    volume->release = release_own;
    volume->user = voxels;
    if (data) *data = voxels;
    *out = volume;
    return REN_OK;
}

ren_status ren__volume_allocate(ren_context *context, int32_t type, const int64_t shape[3], const double affine[16],
                                void **data, ren_volume **out) {
    return allocate(context, type, shape, affine, 1, data, out);
}

ren_status ren__volume_allocate_raw(ren_context *context, int32_t type, const int64_t shape[3], const double affine[16],
                                    void **data, ren_volume **out) {
    return allocate(context, type, shape, affine, 0, data, out);
}

ren_status ren_volume_desc_init(ren_volume_desc *desc, size_t size) {
    ren_volume_desc defaults;
    memset(&defaults, 0, sizeof defaults);
    defaults.struct_size = sizeof defaults;
    return ren__options_init(desc, size, &defaults, sizeof defaults, "ren_volume_desc");
}

/* The voxels farthest from the first must be addressable on either side of it. */
static int strides_fit(const int64_t shape[3], const int64_t strides[3], size_t element) {
    size_t total = element;
    for (int a = 0; a < 3; a++) {
        size_t reach, step = strides[a] < 0 ? (size_t)0 - (size_t)strides[a] : (size_t)strides[a];
        if (!ren__mul_size(step, (size_t)(shape[a] - 1), &reach) || !ren__add_size(total, reach, &total)) return 0;
    }
    return total <= (size_t)PTRDIFF_MAX;
}

static int all_zero(const double *values, int count) {
    for (int i = 0; i < count; i++)
        if (values[i] != 0.0) return 0;
    return 1;
}

static ren_status check_desc(ren_volume_desc *desc) {
    size_t bytes;
    if (!desc->data) return ren__error(REN_E_INVALID, "ren_volume_create: data is NULL");
    if (!ren__type_size(desc->type))
        return ren__error(REN_E_INVALID, "ren_volume_create: type %d is none of REN_TYPE_*", (int)desc->type);
    ren_status st = count_bytes(desc->shape, ren__type_size(desc->type), &bytes);
    if (st != REN_OK) return ren__error_context(st, "ren_volume_create");
    if (!desc->strides[0] && !desc->strides[1] && !desc->strides[2])
        packed_strides(desc->shape, ren__type_size(desc->type), desc->strides);
    if (!strides_fit(desc->shape, desc->strides, ren__type_size(desc->type)))
        return ren__error(REN_E_INVALID, "ren_volume_create: the strides reach beyond the address range");
    if (all_zero(desc->affine, 16)) ren__affine_identity(desc->affine);
    if (!ren__affine_valid(desc->affine))
        return ren__error(REN_E_INVALID, "ren_volume_create: the affine is not finite, not invertible, or its last row "
                                         "is not 0 0 0 1");
    if (!isfinite(desc->slope) || !isfinite(desc->intercept))
        return ren__error(REN_E_INVALID, "ren_volume_create: slope and intercept must be finite");
    return REN_OK;
}

ren_status ren_volume_create(ren_context *context, const ren_volume_desc *desc, ren_volume **out) {
    ren_volume_desc own;
    ren_volume *volume = NULL;
    ren_status st = REN_OK;
    REN_REQUIRE(out);
    *out = NULL;
    REN_REQUIRE(context && desc);
    memset(&own, 0, sizeof own);
    REN_TRY(ren__options_copy(&own, sizeof own, desc, "ren_volume_desc"));
    REN_TRY(check_desc(&own));
    REN_TRY(new_handle(context, own.type, own.shape, own.affine, &volume));
    volume->data = own.data;
    memcpy(volume->strides, own.strides, sizeof volume->strides);
    if (own.slope != 0.0) {
        volume->slope = own.slope;
        volume->intercept = own.intercept;
        volume->rescaled = own.slope != 1.0 || own.intercept != 0.0;
    }
    volume->release = own.release;
    volume->user = own.user;
    *out = volume;
out:
    return st;
}

void ren_volume_shape(const ren_volume *volume, int64_t shape[3]) {
    if (!shape) return;
    for (int a = 0; a < 3; a++)
        shape[a] = volume ? volume->shape[a] : 0;
}

void ren_volume_affine(const ren_volume *volume, double affine[16]) {
    if (!affine) return;
    for (int i = 0; i < 16; i++)
        affine[i] = volume ? volume->affine[i] : 0.0;
}

void ren_volume_spacing(const ren_volume *volume, double spacing[3]) {
    if (!spacing) return;
    memset(spacing, 0, 3 * sizeof *spacing);
    if (volume) ren__affine_spacing(volume->affine, spacing);
    for (int a = 0; volume && a < 3; a++)
        if (volume->spacing[a] > 0.0) spacing[a] = volume->spacing[a];
}

int32_t ren_volume_type(const ren_volume *volume) {
    return volume ? volume->type : 0;
}

void ren_volume_orientation(const ren_volume *volume, char axes[4]) {
    static const char along[] = "RAS", reversed[] = "LPI";
    int32_t world[3], against[3];
    if (!axes) return;
    memset(axes, 0, 4);
    if (!volume) return;
    ren__affine_nearest_axes(volume->affine, world, against);
    for (int a = 0; a < 3; a++)
        axes[a] = against[a] ? reversed[world[a]] : along[world[a]];
}
