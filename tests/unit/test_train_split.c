/* SPDX-License-Identifier: Apache-2.0 */
/* The split: every patient once a test patient, labels spread evenly, one class only refused, stored and read back. */
#include "harness.h"
#include "train/split.h"
#include "train/study_files.h"

enum { PATIENTS = 47, POSITIVE = 17, FOLDS = 5 };

static void make_labels(int32_t labels[PATIENTS]) {
    for (int i = 0; i < PATIENTS; i++)
        labels[i] = i * 20 % PATIENTS < POSITIVE; /* 20 is prime to 47 */
}

static int set_of(const ren__split *split, int fold, int patient) {
    return split->set[fold * split->patients + patient];
}

static int count(const ren__split *split, const int32_t *labels, int fold, int set, int label) {
    int found = 0;

    for (int i = 0; i < split->patients; i++)
        found += set_of(split, fold, i) == set && labels[i] == label;
    return found;
}

static const ren__split_options standard = { FOLDS, 0.2, 1, REN__PROTOCOL_DEFAULT, 42 };

static ren_status test_everyone_is_tested_once(ren_context *context) {
    ren_status st = REN_OK;
    ren__split *split = NULL;
    int32_t labels[PATIENTS];

    make_labels(labels);
    REN_TRY(ren__split_make(context, &standard, labels, PATIENTS, &split));
    for (int i = 0; i < PATIENTS; i++) {
        int tested = 0;
        for (int fold = 0; fold < FOLDS; fold++)
            tested += set_of(split, fold, i) == REN__SET_TEST;
        CHECK_INT(tested, 1);
    }
out:
    ren__free(split);
    return st;
}

static ren_status test_labels_are_spread(ren_context *context) {
    ren_status st = REN_OK;
    ren__split *split = NULL;
    int32_t labels[PATIENTS];

    make_labels(labels);
    REN_TRY(ren__split_make(context, &standard, labels, PATIENTS, &split));
    for (int fold = 0; fold < FOLDS; fold++) {
        const int healthy = count(split, labels, fold, REN__SET_TEST, 0),
                  ill = count(split, labels, fold, REN__SET_TEST, 1);
        CHECK_INT(healthy, 6);       /* 30 in 5 folds */
        CHECK(ill == 3 || ill == 4); /* 17 in 5 folds */
        CHECK(healthy + ill == 9 || healthy + ill == 10);
        CHECK_INT(count(split, labels, fold, REN__SET_VALIDATION, 0), 5); /* a fifth of 24 is 4.8 */
        CHECK_INT(count(split, labels, fold, REN__SET_VALIDATION, 1), 3); /* of 13 or 14: 2.6, 2.8 */
    }
out:
    ren__free(split);
    return st;
}

static ren_status test_equal_seeds_equal_splits(ren_context *context) {
    ren_status st = REN_OK;
    ren__split *a = NULL, *b = NULL, *c = NULL;
    ren__split_options other = standard;
    int32_t labels[PATIENTS];

    make_labels(labels);
    other.seed = 43;
    REN_TRY(ren__split_make(context, &standard, labels, PATIENTS, &a));
    REN_TRY(ren__split_make(context, &standard, labels, PATIENTS, &b));
    REN_TRY(ren__split_make(context, &other, labels, PATIENTS, &c));
    CHECK(memcmp(a->set, b->set, FOLDS * PATIENTS) == 0);
    CHECK(memcmp(a->set, c->set, FOLDS * PATIENTS) != 0);
out:
    ren__free(a);
    ren__free(b);
    ren__free(c);
    return st;
}

static ren_status test_paper_halves_the_held_out_fold(ren_context *context) {
    ren_status st = REN_OK;
    ren__split *split = NULL;
    ren__split_options paper = standard;
    int32_t labels[PATIENTS];
    int outside[PATIENTS] = { 0 };

    make_labels(labels);
    paper.protocol = REN__PROTOCOL_PAPER;
    REN_TRY(ren__split_make(context, &paper, labels, PATIENTS, &split));
    for (int fold = 0; fold < FOLDS; fold++) {
        CHECK_INT(count(split, labels, fold, REN__SET_VALIDATION, 0), 3);
        CHECK_INT(count(split, labels, fold, REN__SET_TEST, 0), 3);
        CHECK(abs(count(split, labels, fold, REN__SET_VALIDATION, 1) - count(split, labels, fold, REN__SET_TEST, 1)) <=
              1);
        for (int i = 0; i < PATIENTS; i++)
            outside[i] += set_of(split, fold, i) != REN__SET_TRAINING;
    }
    for (int i = 0; i < PATIENTS; i++)
        CHECK_INT(outside[i], 1); /* validation and test of all folds make up the cohort */
out:
    ren__free(split);
    return st;
}

static ren_status test_one_class_is_refused(ren_context *context) {
    ren_status st = REN_OK;
    ren__split *split = NULL;
    ren__split_options loose = standard;
    const int32_t four[12] = { 1, 1, 1, 1 }, one[12] = { 1 };

    CHECK_FAILS(ren__split_make(context, &standard, four, 12, &split), REN_E_DATA,
                "the test set has 2 patients of label 0 and 0");
    loose.stratified = 0;
    CHECK_FAILS(ren__split_make(context, &loose, one, 12, &split), REN_E_DATA, "fold 0");
    loose.folds = 20; /* more folds than patients */
    CHECK_FAILS(ren__split_make(context, &loose, four, 12, &split), REN_E_DATA, "label 1");
    CHECK(split == NULL);
out:
    ren__free(split);
    return st;
}

/* A table with two scans a patient, in mixed order, written for the case at hand. */
static ren_status write_table(ren_context *context, const char *path, const char *last_row) {
    ren_status st = REN_OK;
    ren_text *text = NULL;

    REN_TRY(ren__text_create(context, &text));
    ren__text_add(text, "scan,label,patient,note\n");
    for (int scan = 0; scan < 2; scan++)
        for (int i = 0; i < 12; i++)
            ren__text_addf(text, "S%d,%d,\"P,%d\",x\n", scan, i % 2 && (scan == 1 || i > 4), i);
    ren__text_add(text, last_row);
    REN_TRY(text->status);
    st = ren__file_write(path, ren_text_data(text), ren_text_size(text));
out:
    ren_text_free(text);
    return st;
}

static ren_status test_table(ren_context *context) {
    ren_status st = REN_OK;
    ren__cohort *cohort = NULL;
    char path[TEST_PATH], folder[TEST_PATH];

    test_file(path, "cohort.csv");
    *strrchr(strcpy(folder, path), '/') = '\0';
    REN_TRY(write_table(context, path, ""));
    REN_TRY(ren__cohort_read(context, folder, "cohort.csv", &cohort));
    CHECK_INT(cohort->count, 24);
    CHECK_INT(cohort->patient_count, 12);
    CHECK_TEXT(cohort->patient_name[3], "P,3");
    CHECK_INT(cohort->patient[15], 3);
    CHECK_INT(cohort->item[3].label, 0);
    CHECK_INT(cohort->item[15].label, 1);
    CHECK_INT(cohort->patient_label[3], 1); /* healthy in the first scan, ill in the second */
    CHECK_INT(cohort->patient_label[2], 0);
    CHECK(strstr(cohort->item[15].lobes, "/P,3/S1_lobes.nii.gz") != NULL);
out:
    ren__cohort_free(cohort);
    return st;
}

static ren_status expect_row_error(ren_context *context, const char *row, const char *message) {
    ren_status st = REN_OK;
    ren__cohort *cohort = NULL;
    char path[TEST_PATH], folder[TEST_PATH];

    test_file(path, "bad.csv");
    *strrchr(strcpy(folder, path), '/') = '\0';
    REN_TRY(write_table(context, path, row));
    CHECK_FAILS(ren__cohort_read(context, folder, "bad.csv", &cohort), REN_E_DATA, message);
out:
    ren__cohort_free(cohort);
    return st;
}

static ren_status test_table_errors(ren_context *context) {
    ren_status st = REN_OK;
    ren__cohort *cohort = NULL;
    char path[TEST_PATH];

    REN_TRY(expect_row_error(context, "S1,0,\"P,4\",again\n", "rows 18 and 26 have the same patient and scan"));
    REN_TRY(expect_row_error(context, "S1,2,Q,x\n", "row 26: the label must be 0 or 1"));
    REN_TRY(expect_row_error(context, "../S1,1,Q,x\n", "row 26"));
    REN_TRY(expect_row_error(context, ",1,Q,x\n", "row 26"));
    test_file(path, "columns.csv");
    REN_TRY(ren__file_write(path, "patient,scan\na,b\n", 17));
    CHECK_FAILS(ren__cohort_read(context, "/", path, &cohort), REN_E_DATA, "no column \"label\"");
    REN_TRY(ren__file_write(path, "patient,scan,label,image\na,b,1,c\n", 33));
    CHECK_FAILS(ren__cohort_read(context, "/", path, &cohort), REN_E_DATA, "lobes is missing");
out:
    return st;
}

static ren_status test_stored_split(ren_context *context) {
    ren_status st = REN_OK;
    ren__cohort *cohort = NULL;
    ren__split *split = NULL, *again = NULL;
    const ren__split_options three = { 3, 0.2, 1, REN__PROTOCOL_DEFAULT, 7 };
    char table[TEST_PATH], path[TEST_PATH];
    int32_t scans[24];

    test_file(table, "stored.csv");
    test_file(path, "stored.json");
    REN_TRY(write_table(context, table, ""));
    REN_TRY(ren__cohort_read(context, "/", table, &cohort));
    REN_TRY(ren__split_make(context, &three, cohort->patient_label, cohort->patient_count, &split));
    REN_TRY(ren__split_write(context, split, &three, cohort, path));
    REN_TRY(ren__split_read(context, path, cohort, 3, &again));
    CHECK(memcmp(split->set, again->set, 3 * 12) == 0);
    const int32_t count_test = ren__split_scans(split, cohort->patient, cohort->count, 1, REN__SET_TEST, scans);
    CHECK_INT(count_test, 8); /* four patients, two scans each */
    for (int i = 0; i < 8; i++)
        CHECK_INT(set_of(split, 1, cohort->patient[scans[i]]), REN__SET_TEST);
    ren__free(again);
    again = NULL;
    ren__cohort_free(cohort);
    cohort = NULL;
    REN_TRY(write_table(context, table, "S9,0,\"P,4\",new\n"));
    REN_TRY(ren__cohort_read(context, "/", table, &cohort));
    CHECK_FAILS(ren__split_read(context, path, cohort, 3, &again), REN_E_STATE, "put the table back");
out:
    ren__free(again);
    ren__free(split);
    ren__cohort_free(cohort);
    return st;
}

TEST_MAIN(CASE(test_everyone_is_tested_once), CASE(test_labels_are_spread), CASE(test_equal_seeds_equal_splits),
          CASE(test_paper_halves_the_held_out_fold), CASE(test_one_class_is_refused), CASE(test_table),
          CASE(test_table_errors), CASE(test_stored_split))
