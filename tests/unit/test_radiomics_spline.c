/* SPDX-License-Identifier: Apache-2.0 */
/* The spline's samples against the plain sum over 64 coefficients, bit by bit, and what label sets share. */
#include "radiomics/case.h"
#include "radiomics/resample.h"
#include "radiomics_wave.h"

typedef struct collected {
    double *values;
    int64_t count;
    atomic_llong given;
} collected;

static void collect(void *user, int64_t first, double *values, int64_t count) {
    collected *to = user;
    memcpy(to->values + first, values, (size_t)count * sizeof *values);
    atomic_fetch_add(&to->given, count);
}

static void supports_at(const ren__frame *in, const ren__frame *frame, const int64_t index[3], ren__support out[3]) {
    ren__row_positions positions;
    for (int a = 0; a < 3; a++) {
        ren__row_positions_of(frame, in, a == 1 ? index[1] : 0, a == 2 ? index[2] : 0, &positions);
        ren__support_of(REN__INTERPOLATE_BSPLINE, in->shape[a], in->spacing[a],
                        ren__row_position(&positions, a, a == 0 ? index[0] : 0), &out[a]);
    }
}

/* As ITK writes it: weights multiplied x, y, z, the sum with x fastest. */
static double plain_sum(const double *coefficients, const int64_t shape[3], const ren__support at[3]) {
    double sum = 0.0;
    if (!at[0].taps || !at[1].taps || !at[2].taps) return 0.0;
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 4; j++)
            for (int i = 0; i < 4; i++)
                sum += at[0].weight[i] * at[1].weight[j] * at[2].weight[k] *
                       coefficients[(at[2].index[k] * shape[1] + at[1].index[j]) * shape[0] + at[0].index[i]];
    return sum;
}

static ren_status check_samples(ren_context *context, const ren_volume *image, const ren__frame *frame) {
    static const int64_t origin[3] = { 0, 0, 0 };
    ren_status st = REN_OK;
    const int64_t *shape = image->shape, *to = frame->shape;
    int64_t begin[3], box[3];
    double *coefficients = NULL;
    collected got = { NULL, to[0] * to[1] * to[2], 0 };
    ren__source source;
    ren__frame in;
    memset(&source, 0, sizeof source);
    ren__frame_of(image, &in);
    REN_ALLOC(coefficients, (size_t)(shape[0] * shape[1] * shape[2]) * sizeof *coefficients);
    REN_ALLOC(got.values, (size_t)got.count * sizeof *got.values);
    REN_TRY(ren__pixels_read(image, origin, shape, NULL, coefficients));
    REN_TRY(ren__prefilter(context, NULL, REN__PREFILTER_ITK, coefficients, shape));
    (void)ren__source_box(&in, frame, REN__INTERPOLATE_BSPLINE, begin, box);
    REN_TRY(ren__source_create(image, REN__INTERPOLATE_BSPLINE, begin, box, NULL, &source));
    REN_TRY(ren__sample(context, &source, frame, NULL, collect, &got));
    CHECK_INT(atomic_load(&got.given), got.count);
    for (int64_t i = 0; i < got.count; i++) {
        const int64_t index[3] = { i % to[0], i / to[0] % to[1], i / (to[0] * to[1]) };
        ren__support at[3];
        supports_at(&in, frame, index, at);
        const double wanted = plain_sum(coefficients, shape, at);
        CHECK_NEAR(got.values[i], wanted, 0.0);
    }
out:
    ren__source_free(&source);
    ren__free(coefficients);
    ren__free(got.values);
    return st;
}

/* A grid along the image's, spacings `ratio` times as wide, from voxel `first` of the image on. */
static void grid_over(const ren_volume *image, const double ratio[3], const double first[3], const int64_t shape[3],
                      ren__frame *out) {
    ren__frame in;
    ren__frame_of(image, &in);
    *out = in;
    ren__frame_point(&in, first, out->origin);
    for (int a = 0; a < 3; a++) {
        out->spacing[a] = in.spacing[a] * ratio[a];
        out->shape[a] = shape[a];
    }
    ren__frame_complete(out);
}

static ren_status check_grids(ren_context *context, const int64_t size[3], const double ratio[3], const double first[3],
                              const int64_t shape[3]) {
    ren_status st = REN_OK;
    const int32_t best = context->isa;
    ren_volume *image = NULL, *mask = NULL;
    ren__frame frame;
    for (int flip = 0; flip < 2; flip++) {
        REN_TRY(wave_create(context, REN_TYPE_F64, flip, 0, size, &image, &mask));
        grid_over(image, ratio, first, shape, &frame);
        for (context->isa = REN_ISA_PLAIN; context->isa <= best; context->isa++)
            REN_TRY(check_samples(context, image, &frame));
        ren_volume_free(image);
        ren_volume_free(mask);
        image = mask = NULL;
    }
out:
    context->isa = best;
    ren_volume_free(image);
    ren_volume_free(mask);
    return st;
}

/* Finer and coarser grids, within the image and beyond it, more than a block and a strip. */
static ren_status test_plain_sums(ren_context *context) {
    static const int64_t size[3] = { 41, 23, 9 }, shape[3] = { 67, 37, 25 }, coarse[3] = { 12, 9, 5 };
    static const double fine[3] = { 0.63, 0.71, 1.0 / 3.0 }, wide[3] = { 3.3, 2.6, 1.9 };
    static const double within[3] = { 0.0, -0.25, 1.0 / 3.0 }, before[3] = { -4.5, -3.1, -1.9 };
    ren_status st = REN_OK;
    REN_TRY(check_grids(context, size, fine, within, shape));
    REN_TRY(check_grids(context, size, fine, before, shape));
    REN_TRY(check_grids(context, size, wide, within, coarse));
out:
    return st;
}

/* Axes of one, two and three voxels, which mirror within a sample; and a grid that misses the image. */
static ren_status test_small_images(ren_context *context) {
    static const int64_t sizes[3][3] = { { 1, 2, 3 }, { 3, 1, 2 }, { 2, 3, 1 } }, shape[3] = { 5, 5, 5 };
    static const double fine[3] = { 0.5, 0.6, 0.7 }, at[3] = { -0.5, -0.4, -0.3 }, away[3] = { 9.0, 0.0, 0.0 };
    ren_status st = REN_OK;
    for (int s = 0; s < 3; s++) {
        REN_TRY(check_grids(context, sizes[s], fine, at, shape));
        REN_TRY(check_grids(context, sizes[s], fine, away, shape));
    }
out:
    return st;
}

/* A part of a long image: filtered within the halo alone, it has the whole image's bits. */
static ren_status test_halo(ren_context *context) {
    static const int64_t sizes[3][3] = { { 330, 4, 3 }, { 4, 330, 3 }, { 3, 4, 330 } };
    static const double ratio[3] = { 0.9, 0.9, 0.9 };
    ren_status st = REN_OK;
    for (int a = 0; a < 3; a++) {
        int64_t shape[3] = { 3, 3, 3 };
        double first[3] = { 0.3, 0.3, 0.3 };
        shape[a] = 40;
        first[a] = 150.0;
        REN_TRY(check_grids(context, sizes[a], ratio, first, shape));
    }
out:
    return st;
}

/* ---------------------------------------------------------------------------------------------------- sharing */

static const int32_t one[] = { 1 }, two[] = { 2 }, both[] = { 1, 2 };
static const ren__label_set sets[3] = { { "one", one, 1 }, { "both", both, 2 }, { "two", two, 1 } };

static ren_status same_image(const ren__prepared *a, const ren__prepared *b) {
    ren_status st = REN_OK;
    const size_t voxel = ren__type_size(a->image->type);
    size_t bytes = voxel;
    for (int axis = 0; axis < 3; axis++) {
        CHECK_INT(a->image->shape[axis], b->image->shape[axis]);
        CHECK_INT(a->roi.begin[axis], b->roi.begin[axis]);
        bytes *= (size_t)a->image->shape[axis];
    }
    for (int i = 0; i < 16; i++)
        CHECK_NEAR(a->image->affine[i], b->image->affine[i], 0.0);
    CHECK(memcmp(a->image->data, b->image->data, bytes) == 0);
    CHECK_INT(a->roi.count, b->roi.count);
out:
    return st;
}

/* Each set among others, and alone. */
static ren_status check_sets(const ren_volume *image, const ren_volume *mask, int shares) {
    ren_status st = REN_OK;
    ren__radiomics_settings settings;
    ren__case *together = NULL, *alone = NULL;
    ren__prepared among, single;
    memset(&among, 0, sizeof among);
    memset(&single, 0, sizeof single);
    REN_TRY(wave_settings("{\"resampledPixelSpacing\": [0.9, 0.8, 1.1]}", &settings));
    REN_TRY(ren__case_create(image, mask, sets, 3, &settings, NULL, &together));
    for (int32_t s = 0; s < 3; s++) {
        REN_TRY(ren__case_create(image, mask, &sets[s], 1, &settings, NULL, &alone));
        REN_TRY(ren__case_prepare(alone, 0, NULL, &single));
        REN_TRY(ren__case_prepare(together, s, NULL, &among));
        CHECK((together->shared.values != NULL) == (shares && s < 2));
        CHECK(alone->shared.values == NULL);
        REN_TRY(same_image(&among, &single));
        ren__prepared_free(&among);
        ren__prepared_free(&single);
        ren__case_free(alone);
        alone = NULL;
    }
    REN_TRY(ren__case_prepare(together, 0, NULL, &among)); /* once more, when nothing is shared any longer */
    CHECK(together->shared.values == NULL);
out:
    ren__prepared_free(&among);
    ren__prepared_free(&single);
    ren__case_free(alone);
    ren__case_free(together);
    return st;
}

static ren_status test_sets_share(ren_context *context) {
    ren_status st = REN_OK;
    ren_volume *image = NULL, *mask = NULL;
    REN_TRY(wave_create(context, REN_TYPE_I16, 0, 0, wave_shape, &image, &mask));
    REN_TRY(check_sets(image, mask, 1));
out:
    ren_volume_free(image);
    ren_volume_free(mask);
    return st;
}

/* Two small regions far apart: the box of both would be nearly all of the image. */
static ren_status test_far_sets_do_not_share(ren_context *context) {
    static const int64_t shape[3] = { 1000, 6, 5 };
    static const ren__label_set far[2] = { { "one", one, 1 }, { "two", two, 1 } };
    ren_status st = REN_OK;
    ren__radiomics_settings settings;
    ren_volume *image = NULL, *mask = NULL;
    ren__case *subject = NULL;
    ren__prepared prepared;
    memset(&prepared, 0, sizeof prepared);
    REN_TRY(wave_settings("{\"resampledPixelSpacing\": [0.9, 0.8, 1.1]}", &settings));
    REN_TRY(wave_create(context, REN_TYPE_I16, 0, 0, shape, &image, &mask));
    uint8_t *labels = (uint8_t *)(uintptr_t)mask->data;
    for (int64_t i = 0; i < shape[0] * shape[1] * shape[2]; i++)
        labels[i] = (uint8_t)(i % 1000 < 4 ? 1 : i % 1000 < 996 ? 0 : 2);
    REN_TRY(ren__case_create(image, mask, far, 2, &settings, NULL, &subject));
    REN_TRY(ren__case_prepare(subject, 1, NULL, &prepared));
    CHECK(subject->shared.values == NULL);
out:
    ren__prepared_free(&prepared);
    ren__case_free(subject);
    ren_volume_free(image);
    ren_volume_free(mask);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_plain_sums), CASE_SAMPLED(test_small_images), CASE_SAMPLED(test_halo),
          CASE(test_sets_share), CASE(test_far_sets_do_not_share))
