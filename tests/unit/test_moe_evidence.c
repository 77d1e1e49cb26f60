/* SPDX-License-Identifier: Apache-2.0 */
/* Gates that read radiomics, from volumes to predictions: what is extracted, and what where it cannot be. */
#include "mixture_fixture.h"
#include "moe/evidence.h"
#include "ren_tools.h"

typedef struct pair {
    ren_volume *ct, *lobes;
} pair;

static ren_status make_pair(ren_context *context, pair *out) {
    ren_phantom_options options;
    ren_status st = REN_OK;

    REN_TRY(ren_phantom_options_init(&options, sizeof options));
    options.patients = 2;
    options.size = 32;
    REN_TRY(ren_phantom_make(context, &options, 0, 0, NULL, &out->ct, &out->lobes, NULL));
out:
    return st;
}

static void free_pair(pair *p) {
    ren_volume_free(p->ct);
    ren_volume_free(p->lobes);
}

/* Rows of the wanted regions alone, with the values that the public extractor gives. */
static ren_status test_extracts(ren_context *context) {
    static const int32_t wanted[REN_REGION_COUNT] = { 0, 1, 0, 0, 1, 1, 0 };
    pair p = { NULL, NULL };
    ren_radiomics *radiomics = NULL;
    ren_features *features = NULL;
    ren__extraction extraction = { .features = NULL };
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    REN_TRY(make_pair(context, &p));
    REN_TRY(fixture_radiomics_gate(context, REN__GATE_PER_SCAN, REN_GATE_SUM, 1.0, 0x7f, &gate));
    REN_TRY(ren__extract_evidence(gate, p.ct, p.lobes, wanted, NULL, &extraction));
    CHECK_INT(ren_features_row_count(extraction.features), 3);
    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_PYRADIOMICS, &radiomics));
    REN_TRY(ren_radiomics_extract_regions(radiomics, p.ct, p.lobes, NULL, &features));
    for (int region = 0; region < REN_REGION_COUNT; region++) {
        const double *row = extraction.evidence.row[region];
        CHECK_INT(row != NULL, wanted[region]);
        CHECK(extraction.evidence.missing[region] == NULL);
        for (int i = 0; row && i < FIXTURE_COLUMNS; i++)
            CHECK(row[i] == ren_features_value(features, region, ren_features_find(features, fixture_radiomics[i])));
    }
out:
    ren__extraction_end(&extraction);
    ren_features_free(features);
    ren_radiomics_free(radiomics);
    ren_gate_free(gate);
    free_pair(&p);
    return st;
}

/* A per-scan gate whose extraction refuses regions up to so many voxels. */
static ren_status make_gate(ren_context *context, int32_t smallest, ren_gate **out) {
    ren__gate_parts parts = { .source = "radiomics",
                              .mode = REN__GATE_PER_SCAN,
                              .columns = { fixture_radiomics, FIXTURE_COLUMNS } };
    char params[200];
    ren_status st = REN_OK;

    snprintf(params, sizeof params,
             "{\"setting\": {\"minimumROISize\": %d}, \"imageType\": {\"Original\": {}}, \"featureClass\": "
             "{\"firstorder\": [\"Mean\", \"Energy\"]}}",
             smallest);
    parts.params = params;
    memcpy(parts.value, fixture_aucs, sizeof fixture_aucs);
    for (int region = 0; region < REN_REGION_COUNT; region++)
        REN_TRY(fixture_linear(context, &parts.columns, 0.0, -800.0 + 10.0 * region, 50.0, 1.0, &parts.score[region]));
    REN_TRY(ren__gate_make(context, &parts, out));
out:
    for (int region = 0; region < REN_REGION_COUNT; region++)
        ren__predictor_free(parts.score[region]);
    return st;
}

/* Mean and voxels of a region, from the extractor. */
static ren_status mean_of(ren_context *context, const pair *p, double mean[REN_REGION_COUNT],
                          double voxels[REN_REGION_COUNT]) {
    ren_radiomics *radiomics = NULL;
    ren_features *features = NULL;
    double spacing[3];
    ren_status st = REN_OK;

    ren_volume_spacing(p->lobes, spacing);
    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_PYRADIOMICS, &radiomics));
    REN_TRY(ren_radiomics_extract_regions(radiomics, p->ct, p->lobes, NULL, &features));
    for (int region = 0; region < REN_REGION_COUNT; region++) {
        mean[region] = ren_features_value(features, region, ren_features_find(features, "original_firstorder_Mean"));
        voxels[region] =
            ren_features_value(features, region, ren_features_find(features, "original_shape_VoxelVolume")) /
            (spacing[0] * spacing[1] * spacing[2]);
    }
out:
    ren_features_free(features);
    ren_radiomics_free(radiomics);
    return st;
}

static ren_status test_predicts(ren_context *context) {
    double base[REN_REGION_COUNT], mean[REN_REGION_COUNT], voxels[REN_REGION_COUNT], rest = 0.0;
    pair p = { NULL, NULL };
    ren_gate *gate = NULL;
    ren_mixture *mixture = NULL;
    ren_result *result = NULL;
    ren_status st = REN_OK;

    REN_TRY(make_pair(context, &p));
    REN_TRY(mean_of(context, &p, mean, voxels));
    REN_TRY(make_gate(context, 1, &gate));
    REN_TRY(fixture_mixture_of(context, gate, NULL, 5, 6, &mixture));
    REN_TRY(ren_mixture_predict(mixture, p.ct, p.lobes, NULL, &result));
    ren__gate_base(gate, base);
    for (int region = 5; region <= 6; region++)
        rest += base[region] * exp((mean[region] + 800.0 - 10.0 * region) / 50.0);
    for (int i = 0; i < 2; i++)
        CHECK_NEAR(ren_result_region_weight(result, i),
                   base[5 + i] * exp((mean[5 + i] + 800.0 - 10.0 * (5 + i)) / 50.0) / rest, 1e-12);
    CHECK(ren_result_seconds(result, "radiomics") > 0.0);
    CHECK_INT(ren_result_warning_count(result), 0);
out:
    ren_result_free(result);
    ren_mixture_free(mixture);
    ren_gate_free(gate);
    free_pair(&p);
    return st;
}

/* Regions too small for the extraction keep their base weight, and the result says so. */
static ren_status test_without_a_row(ren_context *context) {
    double mean[REN_REGION_COUNT], voxels[REN_REGION_COUNT];
    pair p = { NULL, NULL };
    ren_gate *gate = NULL;
    ren_mixture *mixture = NULL;
    ren_result *result = NULL;
    ren_status st = REN_OK;

    REN_TRY(make_pair(context, &p));
    REN_TRY(mean_of(context, &p, mean, voxels));
    const int smaller = voxels[5] < voxels[6] ? 5 : 6;
    CHECK(voxels[5] != voxels[6]);
    REN_TRY(make_gate(context, (int32_t)voxels[smaller], &gate)); /* the limit itself is refused */
    REN_TRY(fixture_mixture_of(context, gate, NULL, 5, 6, &mixture));
    REN_TRY(ren_mixture_predict(mixture, p.ct, p.lobes, NULL, &result));
    CHECK_INT(ren_result_warning_count(result), 1);
    CHECK(strstr(ren_result_warning(result, 0), ren_region_name(smaller)) != NULL);
    CHECK(strstr(ren_result_warning(result, 0), "no radiomics") != NULL);
    const double a = 0.1 + 3.8 * (fixture_aucs[smaller] - 0.5); /* its score is 0 */
    const int other = 11 - smaller;
    const double b = (0.1 + 3.8 * (fixture_aucs[other] - 0.5)) * exp((mean[other] + 800.0 - 10.0 * other) / 50.0);
    CHECK_NEAR(ren_result_region_weight(result, smaller - 5), a / (a + b), 1e-12);
out:
    ren_result_free(result);
    ren_mixture_free(mixture);
    ren_gate_free(gate);
    free_pair(&p);
    return st;
}

/* Fixed weights need no radiomics, and an explanation of them does. */
static ren_status test_fixed_gate(ren_context *context) {
    ren_predict_options options;
    pair p = { NULL, NULL };
    ren_gate *gate = NULL;
    ren_mixture *mixture = NULL;
    ren_result *plain = NULL, *explained = NULL;
    ren_status st = REN_OK;

    REN_TRY(make_pair(context, &p));
    REN_TRY(fixture_radiomics_gate(context, REN__GATE_FIXED, REN_GATE_SUM, 1.0, 0x7f, &gate));
    REN_TRY(fixture_mixture_of(context, gate, NULL, 0, 1, &mixture));
    REN_TRY(ren_mixture_predict(mixture, p.ct, p.lobes, NULL, &plain));
    CHECK(ren_result_seconds(plain, "radiomics") == 0.0);
    REN_TRY(ren_predict_options_init(&options, sizeof options));
    options.explain = 1;
    REN_TRY(ren_mixture_predict_with(mixture, p.ct, p.lobes, &options, NULL, &explained));
    CHECK(ren_result_seconds(explained, "radiomics") > 0.0);
    CHECK(ren_result_probability(explained, 1) == ren_result_probability(plain, 1));
    CHECK_TEXT(ren_result_explains(explained), "predictor");
    CHECK_INT(ren_result_contribution_count(explained, 0), 1);
    CHECK_INT(ren_result_warning_count(explained), 0);
out:
    ren_result_free(plain);
    ren_result_free(explained);
    ren_mixture_free(mixture);
    ren_gate_free(gate);
    free_pair(&p);
    return st;
}

static ren_status predict_with_threads(int32_t threads, double *probability, double *without) {
    ren_context_options own = REN_CONTEXT_OPTIONS_INIT;
    ren_predict_options options;
    ren_context *context = NULL;
    pair p = { NULL, NULL };
    ren_gate *gate = NULL;
    ren_mixture *mixture = NULL;
    ren_result *result = NULL;
    ren_status st = REN_OK;

    own.threads = threads;
    REN_TRY(ren_context_create(&own, &context));
    REN_TRY(make_pair(context, &p));
    REN_TRY(make_gate(context, 1, &gate));
    REN_TRY(fixture_mixture_of(context, gate, NULL, 0, 6, &mixture));
    REN_TRY(ren_predict_options_init(&options, sizeof options));
    options.explain = 1;
    REN_TRY(ren_mixture_predict_with(mixture, p.ct, p.lobes, &options, NULL, &result));
    *probability = ren_result_probability(result, 1);
    *without = ren_result_without(result, REN_REGION_LLL);
out:
    ren_result_free(result);
    ren_mixture_free(mixture);
    ren_gate_free(gate);
    free_pair(&p);
    ren_context_free(context);
    return st;
}

static ren_status test_same_bits(ren_context *context) {
    double probability[3], without[3];
    ren_status st = REN_OK;

    (void)context;
    for (int32_t i = 0; i < 3; i++)
        REN_TRY(predict_with_threads(1 + 2 * i, &probability[i], &without[i]));
    CHECK(probability[0] == probability[1] && probability[1] == probability[2]);
    CHECK(without[0] == without[1] && without[1] == without[2]);
out:
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_extracts), CASE_SAMPLED(test_predicts), CASE_SAMPLED(test_without_a_row),
          CASE_SAMPLED(test_fixed_gate), CASE_ONCE(test_same_bits))
