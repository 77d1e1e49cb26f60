/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Four threads with one context, one pair of volumes and one mixture whose gate reads radiomics: all of them read,
 * reorient, extract, predict, explain and make and free handles at once, and all get the same bits. For `make tsan`
 * above all.
 */
#include <pthread.h>

#include "mixture_fixture.h"
#include "ren_tools.h"

enum { THREADS = 4, ROUNDS = 3 };

typedef struct shared {
    ren_context *context;
    ren_volume *ct, *lobes;
    ren_mixture *mixture;
} shared;

typedef struct worker {
    const shared *with;
    pthread_t thread;
    double probability, mean;
    ren_status status;
} worker;

/* Mean of the volume, read through a view of this thread's own. */
static ren_status read_volume(const shared *with, double *mean) {
    ren_status st = REN_OK;
    ren_context *context = with->context;
    ren_volume *turned = NULL;
    float *values = NULL;
    int64_t shape[3];
    double sum = 0;

    REN_TRY(ren_volume_reorient(with->ct, "LPS", &turned));
    ren_volume_shape(turned, shape);
    const size_t count = (size_t)(shape[0] * shape[1] * shape[2]);
    REN_CALLOC(values, count);
    REN_TRY(ren_volume_copy(turned, values, count));
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i];
    *mean = sum / (double)count;
out:
    ren__free(values);
    ren_volume_free(turned);
    return st;
}

static ren_status predict(worker *w) {
    ren_status st = REN_OK;
    ren_result *result = NULL;
    ren_predict_options options;
    ren_text *json = NULL;

    REN_TRY(ren_predict_options_init(&options, sizeof options));
    options.explain = 1;
    REN_TRY(ren_mixture_predict_with(w->with->mixture, w->with->ct, w->with->lobes, &options, NULL, &result));
    REN_TRY(ren_result_json(result, 0, &json));
    w->probability = ren_result_probability(result, 1);
out:
    ren_text_free(json);
    ren_result_free(result);
    return st;
}

static void *work(void *argument) {
    worker *w = argument;

    for (int i = 0; i < ROUNDS && w->status == REN_OK; i++) {
        ren_volume *none = NULL;
        w->status = read_volume(w->with, &w->mean);
        if (w->status == REN_OK) w->status = predict(w);
        /* error texts are each thread's own */
        if (ren_volume_read(w->with->context, "/nowhere.nii", &none) == REN_OK ||
            !strstr(ren_error_message(), "nowhere"))
            w->status = REN_E_INTERNAL;
    }
    return NULL;
}

static ren_status test_threads_share_everything(ren_context *context) {
    ren_status st = REN_OK;
    shared with = { .context = context };
    worker workers[THREADS], alone = { .with = &with };
    ren_phantom_options options;
    ren_gate *gate = NULL;
    int started = 0;

    REN_TRY(ren_phantom_options_init(&options, sizeof options));
    options.patients = 2;
    options.size = 32;
    REN_TRY(ren_phantom_make(context, &options, 0, 0, NULL, &with.ct, &with.lobes, NULL));
    REN_TRY(fixture_radiomics_gate(context, REN__GATE_PER_SCAN, REN_GATE_SUM, 1.0, 0x7f, &gate));
    REN_TRY(fixture_mixture_of(context, gate, NULL, REN_REGION_LUL, REN_REGION_RUL, &with.mixture));
    for (; started < THREADS; started++) {
        workers[started] = (worker){ .with = &with };
        if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0) break;
    }
    for (int i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    CHECK_INT(started, THREADS);
    work(&alone);
    REN_TRY(alone.status);
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(workers[i].status, REN_OK);
        CHECK(workers[i].probability == alone.probability);
        CHECK(workers[i].mean == alone.mean);
    }
out:
    ren_gate_free(gate);
    ren_mixture_free(with.mixture);
    ren_volume_free(with.lobes);
    ren_volume_free(with.ct);
    return st;
}

TEST_MAIN(CASE_ONCE(test_threads_share_everything))
