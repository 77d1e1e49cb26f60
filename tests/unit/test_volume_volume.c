/* SPDX-License-Identifier: Apache-2.0 */
/* Volume handles: host buffers with strides, release, views, orientation, access as floats and labels, JSON. */
#include "base/text.h"
#include "harness.h"
#include "volume/geometry.h"
#include "volume/volume.h"

static void count_release(void *user, void *data) {
    (void)data;
    ++*(int *)user;
}

static ren_status describe_buffer(const void *data, int32_t type, int64_t nx, int64_t ny, int64_t nz,
                                  ren_volume_desc *desc) {
    const ren_status st = ren_volume_desc_init(desc, sizeof *desc);
    desc->data = data;
    desc->type = type;
    desc->shape[0] = nx;
    desc->shape[1] = ny;
    desc->shape[2] = nz;
    return st;
}

/* A C-ordered array of numpy, the last axis fastest, seen in place. */
static ren_status test_host_strides(ren_context *context) {
    ren_status st = REN_OK;
    int16_t buffer[2][3][4];
    ren_volume_desc desc;
    ren_volume *volume = NULL;
    float values[24];
    int released = 0;
    for (int i = 0; i < 24; i++)
        buffer[i / 12][i / 4 % 3][i % 4] = (int16_t)(i - 5);
    REN_TRY(describe_buffer(buffer, REN_TYPE_I16, 2, 3, 4, &desc));
    desc.strides[0] = 24;
    desc.strides[1] = 8;
    desc.strides[2] = 2;
    desc.slope = 2.0;
    desc.intercept = -1.0;
    desc.release = count_release;
    desc.user = &released;
    REN_TRY(ren_volume_create(context, &desc, &volume));
    REN_TRY(ren_volume_copy(volume, values, 24));
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 4; k++)
                CHECK_NEAR(values[i + 2 * (j + 3 * k)], 2 * buffer[i][j][k] - 1, 0.0);
    CHECK_FAILS(ren_volume_copy(volume, values, 23), REN_E_INVALID, "24");
    CHECK_INT(released, 0);
    ren_volume_free(volume);
    volume = NULL;
    CHECK_INT(released, 1);
out:
    ren_volume_free(volume);
    return st;
}

static ren_status test_create_refuses(ren_context *context) {
    ren_status st = REN_OK;
    uint8_t byte[8] = { 0 };
    ren_volume_desc desc;
    ren_volume *volume = NULL;
    int released = 0;
    REN_TRY(describe_buffer(byte, REN_TYPE_U8, 2, 2, 2, &desc));
    desc.release = count_release;
    desc.user = &released;
    desc.type = 11;
    CHECK_FAILS(ren_volume_create(context, &desc, &volume), REN_E_INVALID, "type 11");
    desc.type = REN_TYPE_U8;
    desc.shape[1] = 0;
    CHECK_FAILS(ren_volume_create(context, &desc, &volume), REN_E_INVALID, "at least one voxel");
    desc.shape[1] = (int64_t)1 << 62;
    CHECK_FAILS(ren_volume_create(context, &desc, &volume), REN_E_INVALID, "fit");
    desc.shape[1] = 2;
    desc.strides[2] = INT64_MIN;
    CHECK_FAILS(ren_volume_create(context, &desc, &volume), REN_E_INVALID, "strides");
    desc.strides[2] = 0;
    desc.affine[0] = 1.0; /* the rest is zero: flat */
    CHECK_FAILS(ren_volume_create(context, &desc, &volume), REN_E_INVALID, "affine");
    desc.affine[0] = 0.0;
    desc.slope = NAN;
    CHECK_FAILS(ren_volume_create(context, &desc, &volume), REN_E_INVALID, "finite");
    desc.slope = 0.0;
    desc.data = NULL;
    CHECK_FAILS(ren_volume_create(context, &desc, &volume), REN_E_INVALID, "data");
    CHECK_FAILS(ren_volume_create(context, NULL, &volume), REN_E_INVALID, "desc");
    CHECK_INT(released, 0);
    CHECK(!volume);
out:
    return st;
}

/* Each voxel's value says where it is in space, so that a view can be checked against its own affine. */
static ren_status make_located(ren_context *context, ren_volume **out) {
    const int64_t shape[3] = { 4, 3, 5 };
    const double affine[16] = { 0, 0, 2, -10, -1, 0, 0, 20, 0, 3, 0, 5, 0, 0, 0, 1 }; /* i to P, j to S, k to R */
    void *data = NULL;
    const ren_status st = ren__volume_allocate(context, REN_TYPE_F64, shape, affine, &data, out);
    double *value = data;
    for (int64_t k = 0; k < 5 && st == REN_OK; k++)
        for (int64_t j = 0; j < 3; j++)
            for (int64_t i = 0; i < 4; i++) {
                const double index[3] = { (double)i, (double)j, (double)k };
                double at[3];
                ren__affine_apply(affine, index, at);
                *value++ = at[0] + 100 * at[1] + 10000 * at[2];
            }
    return st;
}

static ren_status check_located(const ren_volume *volume) {
    ren_status st = REN_OK;
    static const int64_t origin[3] = { 0, 0, 0 };
    double values[60];
    REN_TRY(ren__volume_box_f64(volume, origin, volume->shape, NULL, values));
    for (int64_t v = 0; v < 60; v++) {
        const double index[3] = { (double)(v % volume->shape[0]), (double)(v / volume->shape[0] % volume->shape[1]),
                                  (double)(v / volume->shape[0] / volume->shape[1]) };
        double at[3];
        ren__affine_apply(volume->affine, index, at);
        CHECK_NEAR(values[v], at[0] + 100 * at[1] + 10000 * at[2], 1e-9);
    }
out:
    return st;
}

static ren_status test_reorient(ren_context *context) {
    static const char *const wanted[6] = { "RAS", "LPS", "SAR", "IPL", "ALI", "PSR" };
    ren_status st = REN_OK;
    ren_volume *volume = NULL, *turned = NULL, *back = NULL;
    char axes[4];
    REN_TRY(make_located(context, &volume));
    ren_volume_orientation(volume, axes);
    CHECK_TEXT(axes, "PSR");
    for (int w = 0; w < 6; w++) {
        REN_TRY(ren_volume_reorient(volume, wanted[w], &turned));
        ren_volume_orientation(turned, axes);
        CHECK_TEXT(axes, wanted[w]);
        REN_TRY(check_located(turned));
        REN_TRY(ren_volume_reorient(turned, "PSR", &back)); /* a view of a view is where it began */
        CHECK(back->data == volume->data);
        CHECK(!memcmp(back->strides, volume->strides, sizeof back->strides));
        CHECK(!memcmp(back->affine, volume->affine, sizeof back->affine));
        ren_volume_free(turned);
        ren_volume_free(back);
        turned = back = NULL;
    }
    CHECK_FAILS(ren_volume_reorient(volume, "RAL", &turned), REN_E_INVALID, "RAL");
    CHECK_FAILS(ren_volume_reorient(volume, "RA", &turned), REN_E_INVALID, "three letters");
out:
    ren_volume_free(volume);
    ren_volume_free(turned);
    ren_volume_free(back);
    return st;
}

/* 40 degrees about z: the nearest axes are still one to one. */
static ren_status test_oblique_orientation(ren_context *context) {
    ren_status st = REN_OK;
    const int64_t shape[3] = { 2, 2, 2 };
    const double c = 0.766, s = 0.643, affine[16] = { -c, -s, 0, 0, -s, c, 0, 0, 0.1, 0, -1, 0, 0, 0, 0, 1 };
    ren_volume *volume = NULL;
    char axes[4];
    REN_TRY(ren__volume_allocate(context, REN_TYPE_U8, shape, affine, NULL, &volume));
    ren_volume_orientation(volume, axes);
    CHECK_TEXT(axes, "LAI");
out:
    ren_volume_free(volume);
    return st;
}

/* A view keeps the voxels alive when the first handle is gone. */
static ren_status test_view_holds_base(ren_context *context) {
    ren_status st = REN_OK;
    ren_volume *volume = NULL, *turned = NULL;
    REN_TRY(make_located(context, &volume));
    REN_TRY(ren_volume_reorient(volume, "LPS", &turned));
    ren_volume_free(volume);
    volume = NULL;
    REN_TRY(check_located(turned));
out:
    ren_volume_free(volume);
    ren_volume_free(turned);
    return st;
}

static ren_status test_labels(ren_context *context) {
    ren_status st = REN_OK;
    const double identity[16] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1 };
    const int64_t shape[3] = { 3, 1, 1 }, origin[3] = { 0, 0, 0 }, beyond[3] = { 1, 0, 0 };
    void *data = NULL;
    ren_volume *volume = NULL;
    int32_t labels[3];
    REN_TRY(ren__volume_allocate(context, REN_TYPE_F32, shape, identity, &data, &volume));
    float *value = data;
    value[0] = 2.0004F;
    value[1] = -7.0F;
    REN_TRY(ren__volume_box_labels(volume, origin, shape, NULL, labels));
    CHECK_INT(labels[0], 2);
    CHECK_INT(labels[1], -7);
    CHECK_FAILS(ren__volume_box_labels(volume, beyond, shape, NULL, labels), REN_E_INVALID, "outside");
    value[2] = 1.5F;
    CHECK_FAILS(ren__volume_box_labels(volume, origin, shape, NULL, labels), REN_E_DATA, "whole numbers");
    value[2] = NAN;
    CHECK_FAILS(ren__volume_box_labels(volume, origin, shape, NULL, labels), REN_E_DATA, "whole numbers");
    value[2] = 3e9F;
    CHECK_FAILS(ren__volume_box_labels(volume, origin, shape, NULL, labels), REN_E_DATA, "whole numbers");
out:
    ren_volume_free(volume);
    return st;
}

static ren_status test_describe(ren_context *context) {
    ren_status st = REN_OK;
    ren_volume *volume = NULL;
    ren_text *json = NULL;
    REN_TRY(make_located(context, &volume));
    REN_TRY(ren_volume_describe(volume, &json));
    CHECK_TEXT(ren_text_data(json),
               "{\"kind\": \"volume\", \"shape\": [4, 3, 5], \"type\": \"float64\", \"spacing\": [1, 3, 2], \"unit\": "
               "\"mm\", \"orientation\": \"PSR\", \"affine\": [[0, 0, 2, -10], [-1, 0, 0, 20], [0, 3, 0, 5], [0, 0, 0, "
               "1]], \"slope\": 1, \"intercept\": 0}");
out:
    ren_volume_free(volume);
    ren_text_free(json);
    return st;
}

static ren_status test_getters_of_nothing(ren_context *context) {
    ren_status st = REN_OK;
    int64_t shape[3] = { 9, 9, 9 };
    char axes[4] = "RAS";
    (void)context;
    ren_volume_free(NULL);
    ren_volume_shape(NULL, shape);
    ren_volume_orientation(NULL, axes);
    CHECK_INT(shape[1], 0);
    CHECK_TEXT(axes, "");
    CHECK_INT(ren_volume_type(NULL), 0);
out:
    return st;
}

TEST_MAIN(CASE(test_host_strides), CASE(test_create_refuses), CASE(test_reorient), CASE(test_oblique_orientation),
          CASE(test_view_holds_base), CASE(test_labels), CASE(test_describe), CASE(test_getters_of_nothing))
