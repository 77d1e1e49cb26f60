/* SPDX-License-Identifier: Apache-2.0 */
/* Mixtures: combination against sums by hand, files, empty lobes, refusals, results as JSON, threads, reports. */
#include <pthread.h>

#include "format/document.h"
#include "moe/model_file.h"
#include "moe/result.h"
#include "moe/session_cache.h"
#include "moe_fixture.h"

static ren_status predict_scan(const ren_mixture *mixture, const ren_scan *scan, ren_result **out) {
    ren__run run;
    ren_status st = ren__run_begin(&run, mixture->context, NULL);

    if (st == REN_OK) st = ren__mixture_predict_scan(mixture, scan, &run, out);
    return ren__run_end(&run, st);
}

/* The mixture's probability from its experts' own predictions and weights worked out by hand. */
static ren_status by_hand(const ren_mixture *mixture, const ren_scan *scan, const double *raw, double *probability) {
    double sum = 0.0;
    float p[2];
    ren_status st = REN_OK;

    *probability = 0.0;
    for (int region = 0; region < REN_REGION_COUNT; region++) {
        if (!mixture->expert[region] || scan->voxels[region] == 0) continue;
        REN_TRY(ren_expert_predict(mixture->expert[region], scan, NULL, p, 2));
        *probability += raw[region] * (double)p[1];
        sum += raw[region];
    }
    *probability /= sum;
out:
    return st;
}

static const double raw[REN_REGION_COUNT] = { 0.7, 0.9, 0.6, 0.65, 0.95, 0.75, 0.85 };

static ren_status test_combines(ren_context *context) {
    ren_mixture *mixture = NULL;
    ren_scan *scan = NULL;
    ren_result *result = NULL;
    double wanted, sum = 0.0;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    REN_TRY(fixture_mixture(context, 0, 6, &mixture));
    REN_TRY(predict_scan(mixture, scan, &result));
    ren_mixture_free(mixture); /* the result outlives it */
    mixture = NULL;
    CHECK_INT(ren_result_region_count(result), 7);
    for (int i = 0; i < 7; i++) {
        CHECK(ren_result_region_ran(result, i));
        CHECK_NEAR(ren_result_region_weight(result, i), raw[i] / 5.4, 1e-15);
        sum += ren_result_region_weight(result, i) * ren_result_region_probability(result, i);
    }
    CHECK_NEAR(ren_result_probability(result, 1), sum, 1e-15);
    CHECK_NEAR(ren_result_probability(result, 0), 1.0 - sum, 1e-15);
    CHECK_INT(ren_result_label(result), sum >= 0.5);
    CHECK_INT(ren_result_warning_count(result), 0);
    CHECK(isnan(ren_result_probability(result, 2)) && isnan(ren_result_seconds(result, "reading")));
    CHECK(ren_result_region_name(result, 7) == NULL && ren_result_warning(result, 0) == NULL);
    REN_TRY(fixture_mixture(context, 0, 6, &mixture));
    REN_TRY(by_hand(mixture, scan, raw, &wanted));
    CHECK_NEAR(ren_result_probability(result, 1), wanted, 1e-7);
out:
    ren_result_free(result);
    ren_mixture_free(mixture);
    ren_scan_free(scan);
    return st;
}

static ren_status test_empty_lobe(ren_context *context) {
    ren_mixture *mixture = NULL;
    ren_scan *scan = NULL;
    ren_result *result = NULL;
    double wanted;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 4, &scan));
    REN_TRY(fixture_mixture(context, 0, 4, &mixture));
    REN_TRY(predict_scan(mixture, scan, &result));
    CHECK_TEXT(ren_result_region_name(result, 3), "RML");
    CHECK(!ren_result_region_ran(result, 3));
    CHECK(isnan(ren_result_region_probability(result, 3)) && ren_result_region_weight(result, 3) == 0.0);
    CHECK_NEAR(ren_result_region_weight(result, 0), 0.7 / 3.15, 1e-15);
    REN_TRY(by_hand(mixture, scan, raw, &wanted));
    CHECK_NEAR(ren_result_probability(result, 1), wanted, 1e-7);
    CHECK_INT(ren_result_warning_count(result), 1);
    CHECK(strstr(ren_result_warning(result, 0), "RML") != NULL);
out:
    ren_result_free(result);
    ren_mixture_free(mixture);
    ren_scan_free(scan);
    return st;
}

static ren_status test_nothing_to_run(ren_context *context) {
    ren_mixture *mixture = NULL;
    ren_scan *scan = NULL;
    ren_result *result = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 4, &scan));
    REN_TRY(fixture_mixture(context, 3, 3, &mixture)); /* the middle lobe alone, which is missing */
    CHECK_FAILS(predict_scan(mixture, scan, &result), REN_E_DATA, "empty");
    CHECK(result == NULL);
out:
    ren_mixture_free(mixture);
    ren_scan_free(scan);
    return st;
}

static ren_status test_refusals(ren_context *context) {
    static const double lungs_only[REN_REGION_COUNT] = { 0, 0, 0, 0, 0, 0.8, 0.9 };
    ren_gate_options options;
    ren_expert *experts[2] = { NULL };
    ren_gate *gate = NULL, *lungs = NULL, *given = NULL;
    ren_mixture *mixture = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_gate(context, &gate));
    REN_TRY(fixture_expert(context, REN_REGION_LUL, 1, &experts[0]));
    REN_TRY(fixture_expert(context, REN_REGION_LUL, 2, &experts[1]));
    CHECK_FAILS(ren_mixture_create(context, experts, 0, gate, &mixture), REN_E_INVALID, "0");
    CHECK_FAILS(ren_mixture_create(context, experts, 2, gate, &mixture), REN_E_INVALID, "two experts");
    REN_TRY(ren_gate_options_init(&options, sizeof options));
    memcpy(options.weights, lungs_only, sizeof lungs_only);
    options.source = "validation_auc";
    REN_TRY(ren_gate_create(context, &options, &lungs));
    CHECK_FAILS(ren_mixture_create(context, experts, 1, lungs, &mixture), REN_E_DATA, "LUL");
    options.source = "given";
    REN_TRY(ren_gate_create(context, &options, &given));
    CHECK_FAILS(ren_mixture_create(context, experts, 1, given, &mixture), REN_E_DATA, "no weight");
    experts[1]->preset.spacing = 2.0;
    experts[1]->region = REN_REGION_LLL;
    CHECK_FAILS(ren_mixture_create(context, experts, 2, gate, &mixture), REN_E_INVALID, "presets");
    CHECK(mixture == NULL);
out:
    for (int i = 0; i < 2; i++)
        ren_expert_free(experts[i]);
    ren_gate_free(gate);
    ren_gate_free(lungs);
    ren_gate_free(given);
    return st;
}

static ren_status test_round_trip(ren_context *context) {
    char first[TEST_PATH], second[TEST_PATH];
    char *a = NULL, *b = NULL;
    size_t a_size, b_size;
    ren_mixture *mixture = NULL, *loaded = NULL;
    ren_scan *scan = NULL;
    ren_result *before = NULL, *after = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    REN_TRY(fixture_mixture(context, 4, 6, &mixture));
    mixture->threshold = 0.375;
    REN_TRY(ren_mixture_save(mixture, test_file(first, "mixture.safetensors")));
    REN_TRY(ren_mixture_load(context, first, &loaded));
    CHECK(loaded->threshold == 0.375);
    REN_TRY(predict_scan(mixture, scan, &before));
    REN_TRY(predict_scan(loaded, scan, &after));
    CHECK(ren_result_probability(before, 1) == ren_result_probability(after, 1));
    REN_TRY(ren_mixture_save(loaded, test_file(second, "again.safetensors")));
    REN_TRY(ren__file_read(context, first, 64 << 20, &a, &a_size));
    REN_TRY(ren__file_read(context, second, 64 << 20, &b, &b_size));
    CHECK(a_size == b_size && memcmp(a, b, a_size) == 0);
out:
    ren__free(a);
    ren__free(b);
    ren_result_free(before);
    ren_result_free(after);
    ren_mixture_free(mixture);
    ren_mixture_free(loaded);
    ren_scan_free(scan);
    return st;
}

static ren_status test_json(ren_context *context) {
    ren_mixture *mixture = NULL;
    ren_scan *scan = NULL;
    ren_result *result = NULL;
    ren_text *text = NULL;
    json_t *tree = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 4, &scan));
    REN_TRY(fixture_mixture(context, 2, 4, &mixture));
    REN_TRY(predict_scan(mixture, scan, &result));
    REN_TRY(ren_result_json(result, 0.25, &text));
    REN_TRY(ren__json_parse(ren_text_data(text), ren_text_size(text), "result", &tree));
    CHECK(json_number_value(json_object_get(tree, "probability")) == ren_result_probability(result, 1));
    const json_t *rml = json_array_get(json_object_get(tree, "regions"), 1);
    CHECK_TEXT(json_string_value(json_object_get(rml, "name")), "RML");
    CHECK(json_is_false(json_object_get(rml, "ran")) && json_is_null(json_object_get(rml, "probability")));
    CHECK_INT(json_array_size(json_object_get(tree, "warnings")), 1);
    CHECK_TEXT(json_string_value(json_object_get(tree, "preset")), "lung");
    CHECK_TEXT(json_string_value(json_object_get(tree, "model")), "mixture");
    CHECK_TEXT(json_string_value(json_object_get(tree, "library")), ren_version());
    CHECK_TEXT(json_string_value(json_object_get(tree, "isa")), ren_context_isa(context));
    CHECK_INT(json_integer_value(json_object_get(tree, "threads")), 2);
    CHECK(json_number_value(json_object_get(json_object_get(tree, "seconds"), "read")) == 0.25);
    CHECK_INT(json_object_size(json_object_get(tree, "seconds")), 7);
    CHECK_TEXT(json_string_value(json_object_get(tree, "notice")), "research use only, not verified");
out:
    json_decref(tree);
    ren_text_free(text);
    ren_result_free(result);
    ren_mixture_free(mixture);
    ren_scan_free(scan);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ threads */

typedef struct job {
    const ren_mixture *mixture;
    const ren_scan *scan;
    double probability;
    ren_status status;
} job;

static void *work(void *argument) {
    job *j = argument;

    for (int i = 0; i < 4 && j->status == REN_OK; i++) {
        ren_result *result = NULL;
        j->status = predict_scan(j->mixture, j->scan, &result);
        if (j->status == REN_OK) j->probability = ren_result_probability(result, 1);
        ren_result_free(result);
    }
    return NULL;
}

static ren_status test_threads_share(ren_context *context) {
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    job jobs[THREADS];
    ren_mixture *mixture = NULL;
    ren_scan *scan = NULL;
    ren_result *result = NULL;
    int started = 0;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    REN_TRY(fixture_mixture(context, 0, 6, &mixture));
    ren__session_cache_limit(mixture->cache, 1 << 20); /* few sessions fit: they come and go under the threads */
    for (int i = 0; i < THREADS; i++)
        jobs[i] = (job){ mixture, scan, 0.0, REN_OK };
    for (; started < THREADS; started++)
        if (pthread_create(&threads[started], NULL, work, &jobs[started]) != 0) break;
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    REN_TRY(predict_scan(mixture, scan, &result));
    CHECK_INT(started, THREADS);
    for (int i = 0; i < THREADS; i++) {
        REN_TRY(jobs[i].status);
        CHECK(jobs[i].probability == ren_result_probability(result, 1));
    }
out:
    ren_result_free(result);
    ren_mixture_free(mixture);
    ren_scan_free(scan);
    return st;
}

static ren_status test_cache_limit(ren_context *context) {
    ren_mixture *mixture = NULL;
    ren_scan *scan = NULL;
    ren_result *result = NULL;
    size_t sessions, bytes, one;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    REN_TRY(fixture_mixture(context, 0, 4, &mixture));
    REN_TRY(predict_scan(mixture, scan, &result));
    ren__session_cache_count(mixture->cache, &sessions, &bytes);
    CHECK(sessions == 5 || test_injecting()); /* where memory is short, idle sessions go */
    CHECK(sessions > 0);
    ren_result_free(result);
    result = NULL;
    one = bytes / sessions;
    ren__session_cache_limit(mixture->cache, 2 * one + one / 2);
    REN_TRY(predict_scan(mixture, scan, &result));
    ren__session_cache_count(mixture->cache, &sessions, &bytes);
    CHECK(sessions == 2 || test_injecting());
    CHECK(bytes <= 2 * one + one / 2);
    ren__session_cache_limit(mixture->cache, 0);
    ren_result_free(result);
    result = NULL;
    REN_TRY(predict_scan(mixture, scan, &result));
    ren__session_cache_count(mixture->cache, &sessions, &bytes);
    CHECK_INT(sessions, 0);
    CHECK_INT(bytes, 0);
out:
    ren_result_free(result);
    ren_mixture_free(mixture);
    ren_scan_free(scan);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_combines), CASE_SAMPLED(test_empty_lobe), CASE_SAMPLED(test_nothing_to_run),
          CASE_SAMPLED(test_refusals), CASE_SAMPLED(test_round_trip), CASE_SAMPLED(test_json),
          CASE_ONCE(test_threads_share), CASE_SAMPLED(test_cache_limit))
