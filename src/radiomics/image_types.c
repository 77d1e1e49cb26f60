/* SPDX-License-Identifier: Apache-2.0 */
/* The table of image types, and what filters share. */
#include "radiomics/image_types.h"

#include <math.h>
#include <string.h>

#include "radiomics/filters.h"
#include "radiomics/frame.h"
#include "radiomics/pixels.h"

static REN__DERIVE(derive_original) {
    (void)roi;
    (void)settings;
    (void)run;
    return emit(user, "original", image);
}

/* In the order of PyRadiomics' documentation. */
static const ren__image_type types[] = {
    { "Original", derive_original },
    { "Wavelet", ren__derive_wavelet },
    { "LoG", ren__derive_log },
    { "Square", ren__derive_square },
    { "SquareRoot", ren__derive_square_root },
    { "Logarithm", ren__derive_logarithm },
    { "Exponential", ren__derive_exponential },
    { "Gradient", ren__derive_gradient },
    { "LBP2D", ren__derive_lbp2d },
    { "LBP3D", ren__derive_lbp3d },
    { NULL, NULL },
};

const ren__image_type *ren__image_type_list(void) {
    return types;
}

const ren__image_type *ren__image_type_find(const char *name) {
    for (const ren__image_type *type = types; type->name; type++)
        if (strcmp(type->name, name) == 0) return type;
    return NULL;
}

void ren__widened_part(const ren_volume *image, const ren__part3 *part, const int64_t halo[3], ren__part3 *out) {
    for (int a = 0; a < 3; a++) {
        const int64_t end = part->begin[a] + part->shape[a];
        const int64_t before = part->begin[a] < halo[a] ? part->begin[a] : halo[a];
        const int64_t after = image->shape[a] - end < halo[a] ? image->shape[a] - end : halo[a];
        out->begin[a] = part->begin[a] - before;
        out->shape[a] = part->shape[a] + before + after;
    }
}

void ren__wanted_part(const ren_volume *image, const ren__roi *roi, const ren__radiomics_settings *settings,
                      ren__part3 *out) {
    const int64_t margin = settings->kernel_radius;
    int64_t around[3] = { margin, margin, margin };
    double spacing[3];
    ren__part3 box;
    ren__spacing_of(image, spacing);
    for (int a = 0; a < 3 && settings->mode == REN_RADIOMICS_IBSI; a++) /* what its local intensity peaks read */
        around[a] = (int64_t)fmin(fmax((double)margin, ceil(6.21 / spacing[a])), (double)image->shape[a]);
    memcpy(box.begin, roi->begin, sizeof box.begin);
    memcpy(box.shape, roi->shape, sizeof box.shape);
    ren__widened_part(image, &box, around, out);
}

/* Where row (j, k) of the part begins, in an array of box `from`. */
static int64_t row_in(const ren__part3 *from, const ren__part3 *part, int64_t j, int64_t k) {
    int64_t at[3];
    for (int a = 0; a < 3; a++)
        at[a] = part->begin[a] - from->begin[a];
    return ((at[2] + k) * from->shape[1] + at[1] + j) * from->shape[0] + at[0];
}

typedef struct derived {
    ren_volume *volume;
    uint8_t *data;
    size_t element;
    ren__part3 whole;
} derived;

static ren_status derived_create(const ren_volume *image, int32_t type, derived *out) {
    void *data = NULL;
    memset(out, 0, sizeof *out);
    /* not zeroed: only the wanted part is ever read, and the rest of a large image shall cost nothing */
    const ren_status st =
        ren__volume_allocate_raw(image->context, type, image->shape, image->affine, &data, &out->volume);
    if (st != REN_OK) return st;
    memcpy(out->volume->spacing, image->spacing, sizeof image->spacing);
    out->data = data;
    out->element = ren__type_size(type);
    memcpy(out->whole.shape, image->shape, sizeof out->whole.shape);
    return REN_OK;
}

ren_status ren__emit_doubles(const ren_volume *image, int32_t type, const double *values, const ren__part3 *from,
                             const ren__part3 *part, const char *name, ren__emit_fn emit, void *user) {
    derived result;
    ren_status st = derived_create(image, type, &result);
    if (st != REN_OK) return st;
    for (int64_t k = 0; k < part->shape[2]; k++)
        for (int64_t j = 0; j < part->shape[1]; j++)
            ren__pixels_store(type, values + row_in(from, part, j, k), part->shape[0],
                              result.data + (size_t)row_in(&result.whole, part, j, k) * result.element);
    st = emit(user, name, result.volume);
    ren_volume_free(result.volume);
    return st;
}

ren_status ren__emit_singles(const ren_volume *image, const float *values, const ren__part3 *from,
                             const ren__part3 *part, const char *name, ren__emit_fn emit, void *user) {
    derived result;
    ren_status st = derived_create(image, REN_TYPE_F32, &result);
    if (st != REN_OK) return st;
    for (int64_t k = 0; k < part->shape[2]; k++)
        for (int64_t j = 0; j < part->shape[1]; j++)
            memcpy(result.data + (size_t)row_in(&result.whole, part, j, k) * result.element,
                   values + row_in(from, part, j, k), (size_t)part->shape[0] * sizeof *values);
    st = emit(user, name, result.volume);
    ren_volume_free(result.volume);
    return st;
}
