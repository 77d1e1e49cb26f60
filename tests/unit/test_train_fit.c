/* SPDX-License-Identifier: Apache-2.0 */
/* Logistic regression against scikit-learn 1.9.1 and its own optimality; a gate's scores against the slopes of the
 * loss, taken from predictions alone; the choice of columns; what cannot be fitted. */
#include "train/fit.h"

#include <float.h>

#include "base/random.h"
#include "harness.h"
#include "moe/predictor_parts.h"

enum { ROWS = 40, COLUMNS = 6 };

static const char *const names[COLUMNS] = { "a", "b", "c", "d", "e", "f" };
static const ren__columns columns = { names, COLUMNS };

/* The same numbers as in the recorded fits. */
static void make_table(double value[ROWS * COLUMNS], int32_t label[ROWS]) {
    for (int i = 0; i < ROWS; i++) {
        label[i] = i * 7 % 10 < 4;
        for (int j = 0; j < COLUMNS; j++)
            value[i * COLUMNS + j] = (i * (17 + 6 * j) + 5 * j) % (31 + 2 * j) / 8.0 + label[i] * (j % 3) * 1.25;
    }
}

static ren_status test_logistic_is_scikit_learns(ren_context *context) {
    static const double l2[2] = { 1.0, 10.0 }, bias[2] = { -0.46534845, -0.17884703 };
    static const double weight[2][COLUMNS] = {
        { 0.1534965517320735, -0.7563451433795398, 1.3908042694858347, 0.07872534261339935, 0.1840522028577612,
          1.422546790127565 },
        { 0.03960227380595843, -0.264267373282954, 0.5584191179796333, 0.016198856677629297, 0.17582144196038507,
          0.5770029879853423 },
    };
    static const double logit[2][3] = { { 1.9381193037593625, -3.314171585794059, 1.1547878993354517 },
                                        { 0.863167424058994, -1.2856896195653855, 0.5089196143580516 } };
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    ren__fit_settings settings;
    double value[ROWS * COLUMNS];
    int32_t label[ROWS];

    make_table(value, label);
    const ren__fit_table table = { columns, ROWS, value, label };
    REN_TRY(ren__fit_defaults("logistic", &settings));
    for (int32_t limited = 0; limited < 2; limited++) { /* all columns in order, or by their AUC */
        settings.features = limited * COLUMNS;
        for (int i = 0; i < 2; i++) {
            settings.l2 = l2[i];
            REN_TRY(ren__fit(context, "logistic", &table, &settings, NULL, &predictor));
            CHECK_INT(predictor->features, COLUMNS);
            CHECK_NEAR(predictor->bias, bias[i], 1e-8);
            for (size_t j = 0; j < predictor->features; j++)
                CHECK_NEAR(predictor->feature[j].weight, weight[i][predictor->feature[j].column], 1e-10);
            for (int row = 0; row < 3; row++)
                CHECK_NEAR(ren__predictor_logit(predictor, value + row * COLUMNS), logit[i][row], 1e-10);
            ren__predictor_free(predictor);
            predictor = NULL;
        }
    }
out:
    ren__predictor_free(predictor);
    return st;
}

/* Balanced cross-entropy of a linear predictor, in units of rows, from its logits. */
static double balanced_loss(const ren__predictor *predictor, const ren__fit_table *table, double l2) {
    double sum = 0.0, squares = 0.0;
    int32_t ones = 0;

    for (int32_t row = 0; row < table->rows; row++)
        ones += table->label[row];
    for (int32_t row = 0; row < table->rows; row++) {
        const double logit = ren__predictor_logit(predictor, table->value + row * table->columns.count);
        const double p = 1.0 / (1.0 + exp(-logit));
        sum -= table->label[row] ? log(p) * table->rows / (2.0 * ones)
                                 : log(1.0 - p) * table->rows / (2.0 * (table->rows - ones));
    }
    for (size_t i = 0; i < predictor->features; i++)
        squares += predictor->feature[i].weight * predictor->feature[i].weight;
    return (sum + 0.5 * l2 * squares) / table->rows;
}

/* With values missing, in a scale of their own: no weight and no bias can be moved to the better. */
static ren_status test_logistic_is_optimal(ren_context *context) {
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    ren__fit_settings settings;
    double value[ROWS * COLUMNS];
    int32_t label[ROWS];

    make_table(value, label);
    for (int i = 0; i < ROWS * COLUMNS; i += 7)
        value[i] = i % 2 ? NAN : INFINITY;
    for (int i = 1; i < ROWS * COLUMNS; i += COLUMNS)
        value[i] = value[i] * 1e9 - 1e12;
    const ren__fit_table table = { columns, ROWS, value, label };
    REN_TRY(ren__fit_defaults("logistic", &settings));
    settings.features = 4;
    settings.l2 = 0.5;
    REN_TRY(ren__fit(context, "logistic", &table, &settings, NULL, &predictor));
    CHECK_INT(predictor->features, 4);
    for (size_t i = 0; i <= predictor->features; i++) {
        double *moved = i < predictor->features ? &predictor->feature[i].weight : &predictor->bias;
        const double best = *moved;
        *moved = best + 1e-4;
        const double above = balanced_loss(predictor, &table, settings.l2);
        *moved = best - 1e-4;
        const double below = balanced_loss(predictor, &table, settings.l2);
        *moved = best;
        CHECK_NEAR((above - below) / 2e-4, 0.0, 1e-8);
        CHECK(above > balanced_loss(predictor, &table, settings.l2));
    }
out:
    ren__predictor_free(predictor);
    return st;
}

/* Column 0 tells the classes apart, 1 is 0 turned over with a little noise, 2 constant, 3 a weaker sign, 4 missing, 5
 * noise. */
static ren_status test_columns_are_chosen(ren_context *context) {
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    ren__fit_settings settings;
    double value[ROWS * COLUMNS];
    int32_t label[ROWS];
    ren__rng rng;

    ren__rng_init(&rng, 3, 0, 0);
    for (int i = 0; i < ROWS; i++) {
        double *row = value + i * COLUMNS;
        label[i] = i % 2;
        row[0] = label[i] * 3.0 + ren__rng_normal(&rng);
        row[1] = -100.0 * row[0] + ren__rng_normal(&rng) * 20.0;
        row[2] = 0.1;
        row[3] = label[i] + ren__rng_normal(&rng);
        row[4] = NAN;
        row[5] = ren__rng_normal(&rng);
    }
    const ren__fit_table table = { columns, ROWS, value, label };
    REN_TRY(ren__fit_defaults("logistic", &settings));
    settings.features = 2;
    REN_TRY(ren__fit(context, "logistic", &table, &settings, NULL, &predictor));
    CHECK_INT(predictor->features, 2);
    CHECK(predictor->feature[0].column <= 1 && predictor->feature[1].column == 3);
    ren__predictor_free(predictor);
    predictor = NULL;
    settings.features = 0; /* all that vary */
    REN_TRY(ren__fit(context, "logistic", &table, &settings, NULL, &predictor));
    CHECK_INT(ren__predictor_reads(predictor, NULL), 4);
out:
    ren__predictor_free(predictor);
    return st;
}

/* Two columns that tell the classes apart without fault: without the penalty the weights would grow for ever. */
static ren_status test_separable_classes_converge(ren_context *context) {
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    ren__fit_settings settings;
    double value[ROWS * 2];
    int32_t label[ROWS];

    for (int i = 0; i < ROWS; i++) {
        label[i] = i >= ROWS / 4;
        value[2 * i] = label[i] ? 1.0 + i : -1.0 - i;
        value[2 * i + 1] = label[i];
    }
    const ren__fit_table table = { { names, 2 }, ROWS, value, label };
    REN_TRY(ren__fit_defaults("logistic", &settings));
    settings.l2 = 1e-6;
    settings.features = 0;
    REN_TRY(ren__fit(context, "logistic", &table, &settings, NULL, &predictor));
    for (int i = 0; i < ROWS; i++)
        CHECK((ren__predictor_logit(predictor, value + 2 * i) > 4.0) == (label[i] == 1));
out:
    ren__predictor_free(predictor);
    return st;
}

/* ------------------------------------------------------------------------------------------------------------ scores
 */

enum { MEMBERS = 3, SCANS = 60 };

typedef struct cohort {
    double value[MEMBERS][SCANS * COLUMNS], probability[MEMBERS][SCANS];
    int32_t label[SCANS];
    ren__fit_member member[MEMBERS];
} cohort;

/* Member m is right where its own column m is above 0, and guesses elsewhere; some did not run, some lack a value. */
static void make_cohort(cohort *c) {
    ren__rng rng;

    ren__rng_init(&rng, 11, 0, 0);
    for (int32_t scan = 0; scan < SCANS; scan++) {
        c->label[scan] = (int32_t)ren__rng_below(&rng, 2);
        for (int32_t m = 0; m < MEMBERS; m++) {
            double *row = c->value[m] + scan * COLUMNS;
            for (int32_t j = 0; j < COLUMNS; j++)
                row[j] = ren__rng_normal(&rng);
            const double sure = row[m] > 0.0 ? 0.9 : ren__rng_uniform(&rng);
            c->probability[m][scan] = c->label[scan] ? sure : 1.0 - sure;
            if (ren__rng_below(&rng, 9) == 0) c->probability[m][scan] = NAN;
            if (ren__rng_below(&rng, 9) == 0) row[3] = NAN;
        }
    }
    for (int32_t m = 0; m < MEMBERS; m++) {
        c->probability[m][5] = NAN; /* a scan that none saw */
        c->member[m] = (ren__fit_member){ c->value[m], c->probability[m], 0.25 + m };
    }
    c->probability[1][6] = c->label[6] ? 0.0 : 1.0; /* sure, and wrong */
}

/* The documented loss, from predictions alone. */
static double mixture_loss(const cohort *c, ren__predictor *const *score, double temperature, double l2) {
    double sum = 0.0, squares = 0.0;

    for (int32_t scan = 0; scan < SCANS; scan++) {
        double all = 0.0, right = 0.0;
        for (int32_t m = 0; m < MEMBERS; m++) {
            const double p = c->probability[m][scan];
            if (isnan(p)) continue;
            const double s = ren__predictor_logit(score[m], c->value[m] + scan * COLUMNS);
            const double weight = c->member[m].base * exp(s / temperature);
            all += weight;
            right += weight * fmax(c->label[scan] ? p : 1.0 - p, 1e-7);
        }
        if (all > 0.0) sum -= log(right / all);
    }
    for (int32_t m = 0; m < MEMBERS; m++) {
        squares += score[m]->bias * score[m]->bias;
        for (size_t i = 0; i < score[m]->features; i++)
            squares += score[m]->feature[i].weight * score[m]->feature[i].weight;
    }
    return (sum + 0.5 * l2 * squares) / SCANS;
}

static ren_status check_slopes(const cohort *c, ren__predictor *const *score, double temperature, double l2) {
    ren_status st = REN_OK;

    for (int32_t m = 0; m < MEMBERS; m++)
        for (size_t i = 0; i <= score[m]->features; i++) {
            double *moved = i < score[m]->features ? &score[m]->feature[i].weight : &score[m]->bias;
            const double best = *moved;
            *moved = best + 1e-4;
            const double above = mixture_loss(c, score, temperature, l2);
            *moved = best - 1e-4;
            const double below = mixture_loss(c, score, temperature, l2);
            *moved = best;
            CHECK_NEAR((above - below) / 2e-4, 0.0, 1e-8);
        }
out:
    return st;
}

static void free_scores(ren__predictor **score) {
    for (int32_t m = 0; m < MEMBERS; m++) {
        ren__predictor_free(score[m]);
        score[m] = NULL;
    }
}

static ren_status test_scores_are_optimal(ren_context *context) {
    static const double temperature[3] = { 1.0, 0.5, 4.0 }, l2[3] = { 1.0, 0.1, 2.0 };
    static const int32_t limit[3] = { 2, 0, 6 };
    ren_status st = REN_OK;
    ren__predictor *score[MEMBERS] = { NULL }, *flat[MEMBERS] = { NULL };
    ren__fit_settings settings;
    cohort c;

    make_cohort(&c);
    REN_TRY(ren__fit_defaults("logistic", &settings));
    for (int32_t m = 0; m < MEMBERS; m++)
        REN_TRY(ren__predictor_linear(context, &columns, "flat", 0.0, NULL, 0, &flat[m]));
    for (int i = 0; i < 3; i++) {
        settings.features = limit[i];
        settings.l2 = l2[i];
        REN_TRY(ren__fit_scores(context, &columns, c.member, MEMBERS, c.label, SCANS, temperature[i], &settings, NULL,
                                score));
        CHECK(mixture_loss(&c, score, temperature[i], l2[i]) < mixture_loss(&c, flat, 1.0, 1.0));
        REN_TRY(check_slopes(&c, score, temperature[i], l2[i]));
        for (int32_t m = 0; m < MEMBERS; m++) {
            CHECK_INT(score[m]->features, limit[i] ? limit[i] : COLUMNS);
            for (size_t j = 0; i == 0 && j < score[m]->features; j++) /* its own column is among the two best */
                if (score[m]->feature[j].column == m) CHECK(score[m]->feature[j].weight > 0.1);
            if (i == 0) CHECK(score[m]->feature[0].column == m || score[m]->feature[1].column == m);
        }
        free_scores(score);
    }
out:
    free_scores(score);
    free_scores(flat);
    return st;
}

static ren_status test_a_member_that_never_ran(ren_context *context) {
    ren_status st = REN_OK;
    ren__predictor *score[MEMBERS] = { NULL };
    ren__fit_settings settings;
    cohort c;

    make_cohort(&c);
    for (int32_t scan = 0; scan < SCANS; scan++)
        c.probability[2][scan] = NAN;
    REN_TRY(ren__fit_defaults("logistic", &settings));
    REN_TRY(ren__fit_scores(context, &columns, c.member, MEMBERS, c.label, SCANS, 1.0, &settings, NULL, score));
    CHECK(score[2]->features == 0 && score[2]->bias == 0.0);
    CHECK(score[0]->features > 0);
out:
    free_scores(score);
    return st;
}

/* ---------------------------------------------------------------------------------------------------------- refusals
 */

static ren_status test_equal_tables_give_equal_bits(ren_context *context) {
    ren_status st = REN_OK;
    ren__predictor *predictor[2] = { NULL }, *score[2][MEMBERS] = { { NULL } };
    ren__fit_settings settings;
    double value[ROWS * COLUMNS];
    int32_t label[ROWS];
    cohort c;

    make_table(value, label);
    make_cohort(&c);
    const ren__fit_table table = { columns, ROWS, value, label };
    REN_TRY(ren__fit_defaults("logistic", &settings));
    for (int i = 0; i < 2; i++) {
        REN_TRY(ren__fit(context, "logistic", &table, &settings, NULL, &predictor[i]));
        REN_TRY(ren__fit_scores(context, &columns, c.member, MEMBERS, c.label, SCANS, 1.0, &settings, NULL, score[i]));
    }
    for (int row = 0; row < ROWS; row++) {
        const double *at = value + row * COLUMNS;
        CHECK(ren__predictor_logit(predictor[0], at) == ren__predictor_logit(predictor[1], at));
        for (int32_t m = 0; m < MEMBERS; m++)
            CHECK(ren__predictor_logit(score[0][m], at) == ren__predictor_logit(score[1][m], at));
    }
out:
    for (int i = 0; i < 2; i++) {
        ren__predictor_free(predictor[i]);
        free_scores(score[i]);
    }
    return st;
}

static ren_status test_tables_that_cannot_be_fitted(ren_context *context) {
    static const int32_t ones[4] = { 1, 1, 1, 1 }, three[4] = { 0, 1, 2, 1 }, both[4] = { 0, 1, 0, 1 };
    static const double flat[4] = { 0.1, NAN, 0.1, INFINITY }, good[4] = { 1.0, 2.0, 3.0, 4.0 };
    static const double close[4] = { 1e9, 1e9, 1e9, 1e9 + 1e-7 }, large[4] = { -1e300, 1e300, -1e300, 1e300 };
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    ren__fit_settings settings;
    ren__fit_table table = { { names, 1 }, 4, good, both };

    REN_TRY(ren__fit_defaults("logistic", &settings));
    CHECK_FAILS(ren__fit(context, "oracle", &table, &settings, NULL, &predictor), REN_E_FORMAT, "oracle");
    CHECK_FAILS(ren__fit_defaults("", &settings), REN_E_FORMAT, "random_forest");
    CHECK_FAILS(ren__fit_available("forest"), REN_E_FORMAT, "forest");
    REN_TRY(ren__fit_available("logistic"));
    table.label = ones;
    CHECK_FAILS(ren__fit(context, "logistic", &table, &settings, NULL, &predictor), REN_E_DATA, "one class");
    table.label = three;
    CHECK_FAILS(ren__fit(context, "logistic", &table, &settings, NULL, &predictor), REN_E_DATA, "label 2");
    table.label = both;
    table.value = flat;
    CHECK_FAILS(ren__fit(context, "boosted_trees", &table, &settings, NULL, &predictor), REN_E_DATA, "none of the 1");
    table.value = close;
    CHECK_FAILS(ren__fit(context, "logistic", &table, &settings, NULL, &predictor), REN_E_DATA, "varies");
    table.value = large;
    CHECK_FAILS(ren__fit(context, "logistic", &table, &settings, NULL, &predictor), REN_E_DATA, "varies");
    table.value = good;
    settings.l2 = 0.0;
    CHECK_FAILS(ren__fit(context, "logistic", &table, &settings, NULL, &predictor), REN_E_INVALID, "l2");
    REN_TRY(ren__fit_defaults("boosted_trees", &settings));
    settings.depth = 17;
    CHECK_FAILS(ren__fit(context, "boosted_trees", &table, &settings, NULL, &predictor), REN_E_INVALID, "depth");
    settings.depth = 3;
    settings.subsample = 1.5;
    CHECK_FAILS(ren__fit(context, "random_forest", &table, &settings, NULL, &predictor), REN_E_INVALID, "shares");
    settings.subsample = 1.0;
    settings.learning_rate = NAN;
    CHECK_FAILS(ren__fit(context, "boosted_trees", &table, &settings, NULL, &predictor), REN_E_INVALID, "learning");
    CHECK(predictor == NULL);
out:
    return st;
}

static ren_status test_scores_that_cannot_be_fitted(ren_context *context) {
    ren_status st = REN_OK;
    ren__predictor *score[MEMBERS] = { NULL };
    ren__fit_settings settings;
    cohort c;

    make_cohort(&c);
    REN_TRY(ren__fit_defaults("logistic", &settings));
#define FIT(scans, temperature)                                                                                        \
    ren__fit_scores(context, &columns, c.member, MEMBERS, c.label, (scans), (temperature), &settings, NULL, score)
    CHECK_FAILS(FIT(SCANS, 0.0), REN_E_INVALID, "temperature");
    CHECK_FAILS(FIT(SCANS, NAN), REN_E_INVALID, "temperature");
    CHECK_FAILS(FIT(1, 1.0), REN_E_DATA, "one class");
    c.member[1].base = 0.0;
    CHECK_FAILS(FIT(SCANS, 1.0), REN_E_INVALID, "member 1");
    c.member[1].base = 1.0;
    c.probability[0][3] = 1.5;
    CHECK_FAILS(FIT(SCANS, 1.0), REN_E_DATA, "member 0, scan 3");
    c.probability[0][3] = 0.5;
    c.label[4] = -1;
    CHECK_FAILS(FIT(SCANS, 1.0), REN_E_DATA, "label -1");
    CHECK(!score[0] && !score[1] && !score[2]);
#undef FIT
out:
    return st;
}

TEST_MAIN(CASE(test_logistic_is_scikit_learns), CASE(test_logistic_is_optimal), CASE(test_columns_are_chosen),
          CASE(test_separable_classes_converge), CASE(test_scores_are_optimal), CASE(test_a_member_that_never_ran),
          CASE(test_equal_tables_give_equal_bits), CASE(test_tables_that_cannot_be_fitted),
          CASE(test_scores_that_cannot_be_fitted))
