/* SPDX-License-Identifier: Apache-2.0 */
/* Derived images against PyRadiomics (region_vectors.h); parts against wholes; one thread against several. */
#include "conformance/pyradiomics/region_vectors.h"
#include "radiomics/image_types.h"
#include "radiomics/sphere.h"
#include "radiomics/wavelets.h"
#include "radiomics_wave.h"

static const int64_t filter_shape[3] = { 11, 9, 7 };

enum { DERIVED_MAX = 24 };

/* What a filter emitted. */
typedef struct emitted {
    int32_t count;
    char name[DERIVED_MAX][40];
    ren_volume *image[DERIVED_MAX];
} emitted;

static void emitted_free(emitted *all) {
    for (int32_t i = 0; i < all->count; i++)
        ren_volume_free(all->image[i]);
    memset(all, 0, sizeof *all);
}

static ren_status take(void *user, const char *name, const ren_volume *image) {
    emitted *all = user;
    if (all->count == DERIVED_MAX) return TEST_FAILED;
    snprintf(all->name[all->count], sizeof all->name[0], "%s", name);
    all->image[all->count++] = ren__volume_retain(image);
    return REN_OK;
}

/* Of the mask's voxels within a box. */
static ren_status make_roi(ren_context *context, const ren_volume *mask, const int64_t begin[3], const int64_t shape[3],
                           ren__roi *out) {
    ren__roi roi = { { begin[0], begin[1], begin[2] }, { shape[0], shape[1], shape[2] }, NULL, 0 };
    uint8_t *inside = ren__alloc(context, (size_t)(shape[0] * shape[1] * shape[2]));
    if (!inside) return ren__out_of_memory();
    roi.inside = inside;
    for (int64_t k = 0; k < shape[2]; k++)
        for (int64_t j = 0; j < shape[1]; j++)
            for (int64_t i = 0; i < shape[0]; i++, inside++) {
                *inside = mask->data[((begin[2] + k) * mask->shape[1] + begin[1] + j) * mask->shape[0] + begin[0] + i];
                roi.count += *inside;
            }
    *out = roi;
    return REN_OK;
}

/* The filter's images of a part of the wave. */
static ren_status derive(ren_context *context, const filter_vector *vector, const int64_t begin[3],
                         const int64_t shape[3], ren__roi *roi, emitted *out) {
    ren_status st = REN_OK;
    ren__radiomics_settings settings;
    ren_volume *image = NULL, *mask = NULL;
    const ren__image_type *type = ren__image_type_find(vector->name);
    CHECK(type != NULL);
    REN_TRY(wave_settings(vector->settings, &settings));
    REN_TRY(wave_create(context, vector->image_type, 0, 1, filter_shape, &image, &mask));
    REN_TRY(make_roi(context, mask, begin, shape, roi));
    REN_TRY(type->derive(image, roi, &settings, NULL, take, out));
out:
    ren_volume_free(image);
    ren_volume_free(mask);
    return st;
}

/* Values inside the region, in order. */
static ren_status inside_values(ren_context *context, const ren_volume *image, const ren__roi *roi, double **out) {
    ren_status st = REN_OK;
    double *box = NULL, *values = NULL;
    const int64_t total = roi->shape[0] * roi->shape[1] * roi->shape[2];
    int64_t count = 0;
    REN_ALLOC(box, (size_t)total * sizeof *box);
    REN_ALLOC(values, (size_t)roi->count * sizeof *values);
    REN_TRY(ren__pixels_read(image, roi->begin, roi->shape, NULL, box));
    for (int64_t i = 0; i < total; i++)
        if (roi->inside[i]) values[count++] = box[i];
    *out = values;
    values = NULL;
out:
    ren__free(box);
    ren__free(values);
    return st;
}

static ren_status check_vector(ren_context *context, const filter_vector *vector) {
    static const int64_t begin[3] = { 0, 0, 0 };
    ren_status st = REN_OK;
    emitted all;
    ren__roi roi;
    double *values = NULL;
    memset(&all, 0, sizeof all);
    memset(&roi, 0, sizeof roi);
    REN_TRY(derive(context, vector, begin, filter_shape, &roi, &all));
    CHECK_INT(all.count, vector->derived_count);
    for (int32_t i = 0; i < all.count; i++) {
        CHECK_TEXT(all.name[i], vector->derived[i].name);
        CHECK_INT(ren__pixels_type(all.image[i]), vector->derived[i].type);
        REN_TRY(inside_values(context, all.image[i], &roi, &values));
        for (int which = 0; which < 2; which++) {
            double scale;
            const double got = wave_digest(values, roi.count, which, &scale);
            CHECK_NEAR(got / scale, vector->derived[i].digest[which] / scale, 1e-12);
        }
        ren__free(values);
        values = NULL;
    }
out:
    ren__free(values);
    ren__roi_free(&roi);
    emitted_free(&all);
    return st;
}

static ren_status test_pyradiomics_images(ren_context *context) {
    ren_status st = REN_OK;
    for (size_t v = 0; v < sizeof filter_vectors / sizeof *filter_vectors && st == REN_OK; v++) {
        st = check_vector(context, &filter_vectors[v]);
        if (st == TEST_FAILED)
            fprintf(stderr, "%s with settings %s\n", filter_vectors[v].name, filter_vectors[v].settings);
    }
    return st;
}

/* A region of a few voxels sees the image that the whole has there, to the last bit. */
static ren_status check_part(ren_context *context, const filter_vector *vector) {
    static const int64_t zero[3] = { 0, 0, 0 }, begin[3] = { 3, 4, 2 }, shape[3] = { 3, 2, 2 };
    ren_status st = REN_OK;
    emitted whole, part;
    ren__roi whole_roi, roi;
    double values[12], expected[12];
    memset(&whole, 0, sizeof whole);
    memset(&part, 0, sizeof part);
    memset(&whole_roi, 0, sizeof whole_roi);
    memset(&roi, 0, sizeof roi);
    REN_TRY(derive(context, vector, zero, filter_shape, &whole_roi, &whole));
    REN_TRY(derive(context, vector, begin, shape, &roi, &part));
    CHECK_INT(part.count, whole.count);
    for (int32_t i = 0; i < part.count; i++) {
        REN_TRY(ren__pixels_read(part.image[i], begin, shape, NULL, values));
        REN_TRY(ren__pixels_read(whole.image[i], begin, shape, NULL, expected));
        for (int v = 0; v < 12; v++)
            if (roi.inside[v]) CHECK_NEAR(values[v], expected[v], 0.0);
    }
out:
    ren__roi_free(&whole_roi);
    ren__roi_free(&roi);
    emitted_free(&whole);
    emitted_free(&part);
    return st;
}

static ren_status test_parts_are_of_the_whole(ren_context *context) {
    ren_status st = REN_OK;
    for (size_t v = 0; v < sizeof filter_vectors / sizeof *filter_vectors && st == REN_OK; v++) {
        st = check_part(context, &filter_vectors[v]);
        if (st == TEST_FAILED) fprintf(stderr, "%s\n", filter_vectors[v].name);
    }
    return st;
}

/* A context of one thread gives the bits of one with two. */
static ren_status test_threads(ren_context *context) {
    static const int64_t zero[3] = { 0, 0, 0 };
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *single = NULL;
    emitted one, two;
    ren__roi roi_one, roi_two;
    double *a = NULL, *b = NULL;
    memset(&one, 0, sizeof one);
    memset(&two, 0, sizeof two);
    memset(&roi_one, 0, sizeof roi_one);
    memset(&roi_two, 0, sizeof roi_two);
    test_allocator(&options);
    options.threads = 1;
    REN_TRY(ren_context_create(&options, &single));
    for (size_t v = 0; v < sizeof filter_vectors / sizeof *filter_vectors; v++) {
        REN_TRY(derive(single, &filter_vectors[v], zero, filter_shape, &roi_one, &one));
        REN_TRY(derive(context, &filter_vectors[v], zero, filter_shape, &roi_two, &two));
        for (int32_t i = 0; i < one.count; i++) {
            REN_TRY(inside_values(context, one.image[i], &roi_one, &a));
            REN_TRY(inside_values(context, two.image[i], &roi_two, &b));
            CHECK(memcmp(a, b, (size_t)roi_one.count * sizeof *a) == 0);
            ren__free(a);
            ren__free(b);
            a = b = NULL;
        }
        emitted_free(&one);
        emitted_free(&two);
        ren__roi_free(&roi_one);
        ren__roi_free(&roi_two);
    }
out:
    ren__free(a);
    ren__free(b);
    emitted_free(&one);
    emitted_free(&two);
    ren__roi_free(&roi_one);
    ren__roi_free(&roi_two);
    ren_context_free(single);
    return st;
}

/* Orthonormal: unit length, and orthogonal to its even shifts. Pairs: the two low-pass filters are biorthogonal. */
static ren_status test_wavelets_are_wavelets(ren_context *context) {
    ren_status st = REN_OK;
    double low[REN__WAVELET_TAPS_MAX], high[REN__WAVELET_TAPS_MAX];
    int32_t count = 0;
    (void)context;
    for (const ren__wavelet *w = ren__wavelet_list(); w->name; w++, count++) {
        /* Meyer's wavelet is infinitely long; this is what its 62 taps leave */
        const double tolerance = strcmp(w->name, "dmey") == 0 ? 5e-3 : 1e-6;
        double sum = 0.0, alternate = 0.0;
        CHECK(ren__wavelet_find(w->name) == w);
        ren__wavelet_filters(w, low, high);
        for (int32_t k = 0; k < w->taps; k++) {
            sum += low[k];
            alternate += high[k];
        }
        CHECK_NEAR(sum, sqrt(2.0), tolerance);
        CHECK_NEAR(alternate, 0.0, tolerance);
        for (int32_t shift = 0; w->kind == REN__WAVELET_ORTHOGONAL && shift < w->taps; shift += 2) {
            double product = 0.0, cross = 0.0;
            for (int32_t k = 0; k + shift < w->taps; k++) {
                product += low[k] * low[k + shift];
                cross += low[k] * high[k + shift];
            }
            CHECK_NEAR(product, shift ? 0.0 : 1.0, tolerance);
            if (!shift) CHECK_NEAR(cross, 0.0, 1e-9);
        }
    }
    CHECK_INT(count, 106);
    CHECK(ren__wavelet_find("db39") == NULL);
out:
    return st;
}

/* Points of radius 2; and harmonics of one degree sum to (2n + 1) / 4 pi at every point. */
static ren_status test_sphere(ren_context *context) {
    const double pi = 3.14159265358979323846;
    ren_status st = REN_OK;
    ren__sphere sphere;
    memset(&sphere, 0, sizeof sphere);
    REN_TRY(ren__sphere_create(context, 2, 2.0, &sphere));
    CHECK_INT(sphere.count, 162);
    for (int32_t p = 0; p < sphere.count; p++) {
        const double *v = sphere.points[p];
        CHECK_NEAR(v[0] * v[0] + v[1] * v[1] + v[2] * v[2], 4.0, 1e-14);
        for (int32_t n = 0; n < 6; n++) {
            double sum = 0.0, value[2];
            for (int32_t m = -n; m <= n; m++) {
                ren__harmonic(m, n, atan2(v[1], v[0]), acos(v[2] / 2.0), value);
                sum += value[0] * value[0] + value[1] * value[1];
            }
            CHECK_NEAR(sum, (2.0 * n + 1.0) / (4.0 * pi), 1e-13);
        }
    }
    ren__sphere_free(&sphere);
    CHECK_FAILS(ren__sphere_create(context, 7, 1.0, &sphere), REN_E_UNSUPPORTED, "7");
out:
    ren__sphere_free(&sphere);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_pyradiomics_images), CASE_SAMPLED(test_parts_are_of_the_whole), CASE_ONCE(test_threads),
          CASE_ONCE(test_wavelets_are_wavelets), CASE(test_sphere))
