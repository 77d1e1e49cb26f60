/* SPDX-License-Identifier: Apache-2.0 */
/* The report: sides and directions of the planes, colours, and a page that needs and leaks nothing. */
#include "format/document.h"
#include "moe/report_parts.h"
#include "volume/volume.h"

#include "harness.h"

enum { NI = 20, NJ = 16, NK = 12 };
static const double spacing[3] = { 2.0, 3.0, 4.0 };

/* Voxel of a RAS grid: the right lung at high i, the left one at low i; upper lobes at high k. */
static uint8_t lobe_at(int i, int j, int k) {
    if (j < 4 || j > 11 || k < 2 || k > 9) return 0;
    if (i >= 2 && i <= 7) return k >= 6 ? 1 : 2;
    if (i >= 12 && i <= 17) return k >= 6 ? 3 : k >= 5 ? 4 : 5;
    return 0;
}

/* -1000 everywhere but one bright row of voxels in front, on the patient's right, at the top. */
static int16_t value_at(int i, int j, int k) {
    return i == 15 && j == 10 && k == 8 ? 1000 : -1000;
}

/* The pair, stored R A S or L P S: the same voxels at the same places. */
static ren_status make_pair(ren_context *context, int reversed, ren_volume **ct, ren_volume **lobes) {
    const int64_t shape[3] = { NI, NJ, NK };
    double affine[16] = { 0 };
    void *values, *labels;
    ren_status st = REN_OK;

    for (int axis = 0; axis < 3; axis++) {
        const int turned = reversed && axis < 2;
        affine[5 * axis] = turned ? -spacing[axis] : spacing[axis];
        affine[4 * axis + 3] = turned ? spacing[axis] * (double)(shape[axis] - 1) : 0.0;
    }
    affine[15] = 1.0;
    REN_TRY(ren__volume_allocate(context, REN_TYPE_I16, shape, affine, &values, ct));
    REN_TRY(ren__volume_allocate(context, REN_TYPE_U8, shape, affine, &labels, lobes));
    for (int k = 0, at = 0; k < NK; k++) {
        for (int j = 0; j < NJ; j++) {
            for (int i = 0; i < NI; i++, at++) {
                const int x = reversed ? NI - 1 - i : i, y = reversed ? NJ - 1 - j : j;
                ((int16_t *)values)[at] = value_at(x, y, k);
                ((uint8_t *)labels)[at] = lobe_at(x, y, k);
            }
        }
    }
out:
    return st;
}

static ren_status test_anatomy(ren_context *context) {
    ren_volume *ct = NULL, *lobes = NULL;
    ren__anatomy anatomy = { 0 };
    ren_status st = REN_OK;

    REN_TRY(make_pair(context, 1, &ct, &lobes));
    REN_TRY(ren__anatomy_read(context, ct, lobes, NULL, &anatomy));
    /* 6 x 8 voxels of 24 mm3 in each of 4, 4, 4, 1 and 3 slices */
    CHECK_NEAR(anatomy.millilitres[0], 48 * 4 * 0.024, 1e-9);
    CHECK_NEAR(anatomy.millilitres[3], 48 * 0.024, 1e-9);
    CHECK_NEAR(anatomy.millilitres[4], 48 * 3 * 0.024, 1e-9);
    CHECK_NEAR(anatomy.centre[0][0], 4.5, 1e-9);
    CHECK_NEAR(anatomy.centre[1][0], 14.5, 1e-9);
    CHECK_NEAR(anatomy.centre[1][2], 5.5, 1e-9);
    CHECK_INT(anatomy.begin[0], 2);
    CHECK_INT(anatomy.end[0], 18);
    CHECK_INT(anatomy.end[2], 10);
out:
    ren__anatomy_free(&anatomy);
    ren_volume_free(ct);
    ren_volume_free(lobes);
    return st;
}

/* Where in the plane a label's pixels lie on average, as shares. */
static void label_centre(const ren__plane *plane, uint8_t label, double *x, double *y) {
    double count = 0.0;

    *x = *y = 0.0;
    for (int32_t v = 0; v < plane->height; v++) {
        for (int32_t u = 0; u < plane->width; u++) {
            if (plane->label[v * plane->width + u] != label) continue;
            *x += u + 0.5;
            *y += v + 0.5;
            count += 1.0;
        }
    }
    *x /= count * plane->width;
    *y /= count * plane->height;
}

static ren_status check_planes(ren_context *context, const ren__anatomy *anatomy) {
    ren__plane plane = { 0 };
    double x, y, z;
    int shown;
    ren_status st = REN_OK;

    REN_TRY(ren__plane_make(context, anatomy, REN__CORONAL, NULL, &plane, &shown));
    CHECK(shown && plane.edges[0] == 'R' && plane.edges[2] == 'S');
    /* The margin takes in the whole volume: 40 x 48 mm, pixels of 0.8 mm. */
    CHECK_INT(plane.width, 50);
    CHECK_INT(plane.height, 60);
    label_centre(&plane, 3, &x, &y); /* right upper lobe: left of the picture, at the top */
    CHECK_NEAR(x, 1.0 - 15.0 / 20.0, 0.02);
    CHECK_NEAR(y, 1.0 - 8.0 / 12.0, 0.02);
    label_centre(&plane, 2, &x, &z); /* left lower lobe: right of the picture, below */
    CHECK_NEAR(x, 1.0 - 5.0 / 20.0, 0.02);
    CHECK(z > y);
    ren__plane_free(&plane);

    REN_TRY(ren__plane_make(context, anatomy, REN__SAGITTAL_RIGHT, NULL, &plane, &shown));
    CHECK(shown && plane.edges[0] == 'A');
    CHECK_INT(plane.index, 15);
    size_t brightest = 0;
    for (size_t i = 0; i < (size_t)plane.width * (size_t)plane.height; i++)
        if (plane.grey[i] > plane.grey[brightest]) brightest = i;
    /* The bright voxel (15, 10, 8): 10.5 of 16 from the back, 8.5 of 12 from below. */
    CHECK_INT(plane.grey[brightest], 255);
    CHECK_NEAR((double)(brightest % (size_t)plane.width) / plane.width, 1.0 - 10.5 / 16.0, 0.05);
    CHECK_NEAR((double)(brightest / (size_t)plane.width) / plane.height, 1.0 - 8.5 / 12.0, 0.06);
out:
    ren__plane_free(&plane);
    return st;
}

static ren_status test_planes_lie_as_a_radiologist_looks(ren_context *context) {
    ren_volume *ct = NULL, *lobes = NULL;
    ren__anatomy anatomy = { 0 };
    ren_status st = REN_OK;

    for (int reversed = 0; reversed < 2; reversed++) {
        REN_TRY(make_pair(context, reversed, &ct, &lobes));
        REN_TRY(ren__anatomy_read(context, ct, lobes, NULL, &anatomy));
        REN_TRY(check_planes(context, &anatomy));
        ren__anatomy_free(&anatomy);
        ren_volume_free(ct);
        ren_volume_free(lobes);
        ct = lobes = NULL;
    }
out:
    ren__anatomy_free(&anatomy);
    ren_volume_free(ct);
    ren_volume_free(lobes);
    return st;
}

static ren_status test_colours(ren_context *context) {
    ren_status st = REN_OK;
    ren__colour colour = ren__probability_colour(0.3, 0.3);

    (void)context;
    CHECK(colour.red == 247 && colour.green == 247 && colour.blue == 247); /* light at the threshold */
    colour = ren__probability_colour(0.29, 0.3);
    CHECK(colour.blue > colour.red);
    colour = ren__probability_colour(0.31, 0.3);
    CHECK(colour.red > colour.blue);
    colour = ren__probability_colour(1.0, 1.0);
    CHECK(colour.red == 247);
    colour = ren__weight_colour(0.0, 0.4);
    CHECK(colour.red == 68 && colour.blue == 84);
    colour = ren__weight_colour(0.4, 0.4);
    CHECK(colour.red == 253 && colour.green == 231);
out:
    return st;
}

static const char card[] =
    "{\"kind\": \"mixture\", \"name\": \"<b>evil</b>\", \"architecture\": \"cnn\", \"regions\": [\"RUL\", "
    "\"right_lung\"], "
    "\"preset\": {\"kind\": \"lung\", \"window\": [-1350, 150], \"spacing\": 1, \"size\": [96, 96, 96]}, "
    "\"parameters\": 1000000, "
    "\"flop\": 1e9, \"session_bytes\": 1000, \"gate\": {\"source\": \"uniform\", \"normalisation\": \"sum\"}, "
    "\"experts\": [], "
    "\"training_record\": {\"data\": \"<script>alert('x')</script>\", \"deep\": [[[[[[[[[1]]]]]]]]]}}";

static ren_status make_result(ren_context *context, ren_result **out) {
    ren_result *result = NULL;
    ren_status st = REN_OK;

    REN_CALLOC(result, 1);
    atomic_init(&result->references, 1);
    result->context = ren__context_retain(context);
    *out = result;
    REN_TRY(ren__json_parse(card, strlen(card), "card", &result->card));
    REN_TRY(ren__text_create(context, &result->warnings));
    REN_TRY(ren__result_warn(result, "a <warning> & \"more\""));
    result->classes = 2;
    result->threshold = 0.25;
    result->threads = 2;
    result->isa = "plain";
    result->region_count = 3;
    result->region[0] = (ren__region_result){ REN_REGION_RUL, 1, 0.125, 0.25, REN__RAN };
    result->region[1] = (ren__region_result){ REN_REGION_RML, 0, (double)NAN, 0.0, REN__SKIPPED_EMPTY };
    result->region[2] = (ren__region_result){ REN_REGION_RIGHT_LUNG, 1, 0.875, 0.75, REN__RAN };
    result->probability[1] = 0.6875;
    result->probability[0] = 0.3125;
    ren__result_decide(result);
out:
    return st;
}

static ren_status test_page(ren_context *context) {
    static const char *const wanted[] = { "Research use only, not verified.",
                                          "0.69",
                                          "<strong>ILD</strong>",
                                          "a &lt;warning&gt; &amp; &quot;more&quot;",
                                          "Right middle lobe",
                                          "no, empty",
                                          "&lt;b&gt;evil&lt;/b&gt;",
                                          "data:image/png;base64,iVBORw0KGgo",
                                          "uint8",
                                          "Sagittal, right lung",
                                          "2 of 3 regional experts",
                                          "oneDNN " };
    static const char *const unwanted[] = { "<script", "http:", "https:", "<b>evil", "<warning>", "report.html" };
    char path[TEST_PATH];
    ren_volume *ct = NULL, *lobes = NULL;
    ren_result *result = NULL;
    char *page = NULL;
    size_t size;
    ren_status st = REN_OK;

    REN_TRY(make_pair(context, 1, &ct, &lobes));
    REN_TRY(make_result(context, &result));
    CHECK_INT(result->label, 1);
    REN_TRY(ren_report_write(result, ct, lobes, test_file(path, "report.html"), NULL));
    REN_TRY(ren__file_read(context, path, 16 << 20, &page, &size));
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(page, wanted[i])) st = test_fail(__FILE__, __LINE__, "the page lacks \"%s\"", wanted[i]);
    for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++)
        if (strstr(page, unwanted[i])) st = test_fail(__FILE__, __LINE__, "the page has \"%s\"", unwanted[i]);
out:
    ren__free(page);
    ren_result_free(result);
    ren_volume_free(ct);
    ren_volume_free(lobes);
    return st;
}

/* An explanation by hand: two contributions to the score of the first region, three occlusions. */
static ren_status explain(ren_context *context, ren_result *result) {
    ren__explanation *explanation = NULL;
    ren_status st = REN_OK;

    REN_CALLOC(explanation, 1);
    result->explanation = explanation;
    explanation->context = context;
    explanation->of = REN__EXPLAINS_SCORE;
    REN_TRY(ren__arena_create(context, &explanation->arena));
    for (int region = 0; region < REN_REGION_COUNT; region++)
        explanation->without[region] = region == REN_REGION_RUL ? 0.5 : region == REN_REGION_LUL ? 0.75 : (double)NAN;
    ren__region_explanation *rul = &explanation->region[REN_REGION_RUL];
    rul->item = ren__arena_alloc(explanation->arena, 2 * sizeof *rul->item);
    CHECK_MEMORY(rul->item);
    rul->item[0] = (ren__contribution){ "original_<glcm>_Contrast", 12.5, -0.75 };
    rul->item[1] = (ren__contribution){ "original_firstorder_Mean", (double)NAN, 0.5 };
    rul->known = 1;
    rul->count = 2;
    rul->base = 0.125;
    rul->sum = -0.125;
out:
    return st;
}

static ren_status test_explained_page(ren_context *context) {
    static const char *const wanted[] = { "id=\"explanation\"",
                                          "Without a region",
                                          "−0.188",
                                          "+0.063",
                                          "What moved the weights",
                                          "original_&lt;glcm&gt;_Contrast",
                                          "−0.750",
                                          "Right upper lobe: from 0.125 to −0.125",
                                          "12.5" };
    char path[TEST_PATH];
    ren_volume *ct = NULL, *lobes = NULL;
    ren_result *result = NULL;
    char *page = NULL;
    size_t size;
    ren_status st = REN_OK;

    REN_TRY(make_pair(context, 1, &ct, &lobes));
    REN_TRY(make_result(context, &result));
    REN_TRY(explain(context, result));
    result->region[1].skipped = REN__SKIPPED_WEIGHT;
    REN_TRY(ren_report_write(result, ct, lobes, test_file(path, "report.html"), NULL));
    REN_TRY(ren__file_read(context, path, 16 << 20, &page, &size));
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(page, wanted[i])) st = test_fail(__FILE__, __LINE__, "the page lacks \"%s\"", wanted[i]);
    if (st != REN_OK) goto out;
    CHECK(strstr(page, "no, too little weight") != NULL);
    CHECK(strstr(page, "<glcm>") == NULL && strstr(page, "nan") == NULL);
out:
    ren__free(page);
    ren_result_free(result);
    ren_volume_free(ct);
    ren_volume_free(lobes);
    return st;
}

static ren_status test_other_grid_is_refused(ren_context *context) {
    ren_volume *ct = NULL, *lobes = NULL, *fine = NULL;
    ren_result *result = NULL;
    const double half[3] = { 1.0, 3.0, 4.0 };
    char path[TEST_PATH];
    ren_status st = REN_OK;

    REN_TRY(make_pair(context, 0, &ct, &lobes));
    REN_TRY(make_result(context, &result));
    REN_TRY(ren_volume_resample(lobes, half, REN_NEAREST, NULL, &fine));
    CHECK_FAILS(ren_report_write(result, ct, fine, test_file(path, "none.html"), NULL), REN_E_DATA, "grids");
out:
    ren_result_free(result);
    ren_volume_free(ct);
    ren_volume_free(lobes);
    ren_volume_free(fine);
    return st;
}

TEST_MAIN(CASE(test_anatomy), CASE(test_planes_lie_as_a_radiologist_looks), CASE_ONCE(test_colours),
          CASE_SAMPLED(test_page), CASE_SAMPLED(test_explained_page), CASE(test_other_grid_is_refused))
