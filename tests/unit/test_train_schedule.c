/* SPDX-License-Identifier: Apache-2.0 */
/* Learning rates of 30 epochs against PyTorch 2.13's schedulers. */
#include "train/schedule.h"

#include "harness.h"

enum { EPOCHS = 30 };

static const double metric[EPOCHS] = { 0.5, 0.6,     0.61, 0.61, 0.60999, 0.61, 0.6,  0.59, 0.6,  0.61,
                                       0.7, 0.70001, 0.7,  0.7,  0.7,     0.7,  0.7,  0.7,  0.7,  0.7,
                                       0.7, 0.7,     0.71, 0.72, 0.72,    0.72, 0.72, 0.72, 0.72, 0.72 };

static ren_status compare(const ren__schedule_options *options, const double wanted[EPOCHS]) {
    ren_status st = REN_OK;
    ren__schedule schedule;

    REN_TRY(ren__schedule_init(&schedule, options));
    for (int e = 0; e < EPOCHS; e++) {
        CHECK_NEAR(schedule.rate, wanted[e], 1e-17);
        ren__schedule_step(&schedule, metric[e]);
    }
    CHECK_INT(schedule.epoch, EPOCHS);
out:
    return st;
}

static ren_status test_plateau_is_pytorchs(ren_context *context) {
    static const double patient[EPOCHS] = { 1e-4,   1e-4,   1e-4,   1e-4,   1e-4,   1e-4,   1e-4,   1e-4,
                                            1e-4,   5e-5,   5e-5,   5e-5,   5e-5,   5e-5,   5e-5,   5e-5,
                                            5e-5,   2.5e-5, 2.5e-5, 2.5e-5, 2.5e-5, 2.5e-5, 2.5e-5, 2.5e-5,
                                            2.5e-5, 2.5e-5, 2.5e-5, 2.5e-5, 2.5e-5, 2.5e-5 };
    static const double hasty[EPOCHS] = { 1e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4, 5e-5, 5e-5, 5e-5, 3e-5,
                                          3e-5, 3e-5, 3e-5, 3e-5, 3e-5, 3e-5, 3e-5, 3e-5, 3e-5, 3e-5,
                                          3e-5, 3e-5, 3e-5, 3e-5, 3e-5, 3e-5, 3e-5, 3e-5, 3e-5, 3e-5 };
    ren_status st = REN_OK;
    ren__schedule_options options = REN__SCHEDULE_OPTIONS_INIT;

    (void)context;
    options.kind = REN__SCHEDULE_PLATEAU;
    REN_TRY(compare(&options, patient));
    options.patience = 2;
    options.minimum = 3e-5;
    REN_TRY(compare(&options, hasty));
out:
    return st;
}

static ren_status test_cosine_is_pytorchs(ren_context *context) {
    static const double wanted[EPOCHS] = { 0.0001,
                                           9.939057285945933e-05,
                                           9.757729755661012e-05,
                                           9.460482294732422e-05,
                                           9.054634122155992e-05,
                                           8.550178566873411e-05,
                                           7.959536998847744e-05,
                                           7.297252973710758e-05,
                                           6.579634122155991e-05,
                                           5.824350601949144e-05,
                                           5.050000000000001e-05,
                                           4.275649398050859e-05,
                                           3.520365877844011e-05,
                                           2.8027470262892444e-05,
                                           2.1404630011522593e-05,
                                           1.5498214331265904e-05,
                                           1.0453658778440109e-05,
                                           6.3951770526757955e-06,
                                           3.422702443389901e-06,
                                           1.609427140540686e-06,
                                           1e-06,
                                           1.6094271405406804e-06,
                                           3.422702443389889e-06,
                                           6.395177052675789e-06,
                                           1.0453658778440097e-05,
                                           1.549821433126589e-05,
                                           2.1404630011522576e-05,
                                           2.8027470262892423e-05,
                                           3.5203658778440085e-05,
                                           4.275649398050855e-05 };
    ren__schedule_options options = REN__SCHEDULE_OPTIONS_INIT;

    (void)context;
    options.kind = REN__SCHEDULE_COSINE;
    options.length = 20;
    options.minimum = 1e-6;
    return compare(&options, wanted);
}

static ren_status test_polynomial_is_pytorchs(ren_context *context) {
    static const double wanted[EPOCHS] = { 0.0001,
                                           9.63926921258551e-05,
                                           9.277031785633283e-05,
                                           8.913215460890001e-05,
                                           8.547741060271345e-05,
                                           8.180521460508585e-05,
                                           7.811460356680609e-05,
                                           7.440450757678329e-05,
                                           7.067373137235416e-05,
                                           6.69209313658415e-05,
                                           6.314458674893553e-05,
                                           5.9342962647058606e-05,
                                           5.551406240486038e-05,
                                           5.165556470146131e-05,
                                           4.776473898425049e-05,
                                           4.383832905540871e-05,
                                           3.987238835693845e-05,
                                           3.586203916306079e-05,
                                           3.180110627669996e-05,
                                           2.7681531719676357e-05,
                                           2.349237886176038e-05,
                                           1.9217990943702907e-05,
                                           1.4834165549752877e-05,
                                           1.0298666348361789e-05,
                                           5.518918645844865e-06,
                                           0.0,
                                           0.0,
                                           0.0,
                                           0.0,
                                           0.0 };
    ren__schedule_options options = REN__SCHEDULE_OPTIONS_INIT;

    (void)context;
    options.kind = REN__SCHEDULE_POLYNOMIAL;
    options.length = 25;
    return compare(&options, wanted);
}

static ren_status test_constant_stays_and_nonsense_is_refused(ren_context *context) {
    ren_status st = REN_OK;
    ren__schedule_options options = REN__SCHEDULE_OPTIONS_INIT;
    ren__schedule schedule;

    (void)context;
    REN_TRY(ren__schedule_init(&schedule, &options));
    for (int e = 0; e < 5; e++)
        ren__schedule_step(&schedule, NAN);
    CHECK(schedule.rate == 1e-4);
    options.kind = REN__SCHEDULE_PLATEAU;
    REN_TRY(ren__schedule_init(&schedule, &options));
    for (int e = 0; e < 6; e++)
        ren__schedule_step(&schedule, NAN); /* never a gain */
    CHECK(schedule.rate == 5e-5);
    options.factor = 1.0;
    CHECK_FAILS(ren__schedule_init(&schedule, &options), REN_E_INVALID, "factor");
    options.rate = 0.0;
    CHECK_FAILS(ren__schedule_init(&schedule, &options), REN_E_INVALID, "learning rate");
    options = (ren__schedule_options)REN__SCHEDULE_OPTIONS_INIT;
    options.kind = REN__SCHEDULE_COSINE;
    options.length = 0;
    CHECK_FAILS(ren__schedule_init(&schedule, &options), REN_E_INVALID, "length");
out:
    return st;
}

TEST_MAIN(CASE(test_plateau_is_pytorchs), CASE(test_cosine_is_pytorchs), CASE(test_polynomial_is_pytorchs),
          CASE(test_constant_stays_and_nonsense_is_refused))
