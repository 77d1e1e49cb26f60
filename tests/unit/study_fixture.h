/* SPDX-License-Identifier: Apache-2.0 */
/* A phantom cohort and studies on it that have every kind of gate, for the tests of studies. */
#ifndef REN_TESTS_STUDY_FIXTURE_H
#define REN_TESTS_STUDY_FIXTURE_H

#include "harness.h"
#include "ren_tools.h"
#include "train/study.h"
#include "train/study_files.h"

enum { STUDY_PATIENTS = 12 };

/* %s: the cohort's folder. */
#define STUDY_HEAD                                                                                                     \
    "study: gates\nseed: 5\ndata: {root: %s, preset: {size: [16, 16, 16], spacing: 5.0}}\n"                            \
    "split: {folds: 2, validation: 0.4, run: [0]}\nregions: 2\nexperts:\n- {name: cnn, arch: cnn, epochs: 1}\n"
#define STUDY_GATES                                                                                                    \
    "gates:\n- {name: auc, source: validation_auc}\n"                                                                  \
    "- {name: even, source: uniform, mode: learned, normalisation: hierarchical}\n"                                    \
    "- {name: rad, source: radiomics, predictor: logistic, params: {featureClass: {firstorder: [], glcm: []}}}\n"      \
    "- {name: scan, source: radiomics, mode: per_scan, predictor: {kind: logistic, features: 3}, temperature: 0.5,\n"  \
    "   params: {featureClass: {firstorder: [], glcm: []}}}\n"                                                         \
    "- {name: deep, source: features, of: cnn, mode: dynamic}\n"                                                       \
    "- {name: apart, source: features, of: cnn, measure: logistic}\n"
#define STUDY_MIXTURES                                                                                                 \
    "mixtures:\n- {name: m-auc, experts: cnn, gate: auc}\n- {name: m-even, experts: cnn, gate: even}\n"                \
    "- {name: m-rad, experts: cnn, gate: rad}\n- {name: m-scan, experts: cnn, gate: scan}\n"                           \
    "- {name: m-deep, experts: cnn, gate: deep}\n- {name: m-apart, experts: cnn, gate: apart}\n"                       \
    "- {name: m-stack, experts: cnn, stacking: logistic}\n"

/* The cohort's folder, written once a program. */
static inline ren_status study_cohort(ren_context *context, char folder[TEST_PATH]) {
    ren_status st = REN_OK;
    ren_phantom_options options;
    char table[TEST_PATH + 16];

    snprintf(table, sizeof table, "%s/labels.csv", test_file(folder, "cohort"));
    if (ren__path_exists(table)) return REN_OK;
    REN_TRY(ren_phantom_options_init(&options, sizeof options));
    options.patients = STUDY_PATIENTS;
    options.scans = 2;
    options.size = 32;
    options.seed = 11;
    options.severity = 2.0;
    REN_TRY(ren_phantom_write(context, &options, folder, NULL));
out:
    return st;
}

/* A configuration over the cohort in `root`: `text` follows STUDY_HEAD. */
static inline ren_status study_config(const char *root, const char *text, const char *name, char path[TEST_PATH]) {
    char whole[2 * TEST_PATH];
    const int head = snprintf(whole, sizeof whole, STUDY_HEAD, root);

    if (head < 0 || (size_t)head + strlen(text) >= sizeof whole)
        return test_fail(__FILE__, __LINE__, "the configuration is too long");
    memcpy(whole + head, text, strlen(text) + 1);
    return ren__file_write(test_file(path, name), whole, strlen(whole));
}

/* Runs what is left of the study and leaves it open. */
static inline ren_status study_run(ren_context *context, const char *config, const char *folder, ren_study **out) {
    ren_study *study = NULL;
    ren_status st = ren_study_open(context, config, folder, 1, &study);

    if (st == REN_OK) st = ren_study_run(study, NULL);
    if (st == REN_OK)
        *out = study;
    else
        ren_study_free(study);
    return st;
}

/* 1: both files are there with the same bytes; 0: they differ; -1: one is missing. */
static inline int study_same_file(ren_context *context, const char *a, const char *b) {
    char *bytes[2] = { NULL, NULL };
    size_t size[2] = { 0, 0 };
    int same = ren__path_exists(a) && ren__path_exists(b) ? 1 : -1;

    if (same == 1)
        same = ren__file_read(context, a, 1 << 30, &bytes[0], &size[0]) == REN_OK &&
               ren__file_read(context, b, 1 << 30, &bytes[1], &size[1]) == REN_OK && size[0] == size[1] &&
               memcmp(bytes[0], bytes[1], size[0]) == 0;
    ren__free(bytes[0]);
    ren__free(bytes[1]);
    return same;
}

#endif
