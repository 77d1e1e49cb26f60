/* SPDX-License-Identifier: Apache-2.0 */
/* The optimiser against PyTorch 2.13: torch.optim.AdamW and SGD, lr 0.01 (0.005 from the third step on), weight decay
 * 0.1, after torch.nn.utils.clip_grad_norm_ at 1. */
#include "train/optimiser.h"

#include "harness.h"

/* The k-th of the vectors that the PyTorch script used as well. */
static void fill(float *values, int n, int k, double factor) {
    for (int i = 0; i < n; i++)
        values[i] = (float)(((i * 37 + k * 11) % 64 - 32) / 16.0 * factor);
}

static ren_status four_steps(ren_context *context, const ren__optimiser_options *options, double parameters[8]) {
    static const double norms[4] = { 2.9639763832092285, 0.16662435233592987, 3.6726396083831787, 3.381359815597534 };
    static const size_t sizes[2] = { 5, 3 };
    ren_status st = REN_OK;
    ren__optimiser *optimiser = NULL;
    float a[5], b[3], da[5], db[3];
    float *const values[2] = { a, b };
    const float *const gradients[2] = { da, db };
    double norm = 0.0;

    fill(a, 5, 1, 1.0);
    fill(b, 3, 2, 1.0);
    REN_TRY(ren__optimiser_create(context, options, sizes, 2, &optimiser));
    for (int s = 0; s < 4; s++) {
        fill(da, 5, s + 3, s == 1 ? 0.05 : 1.0);
        fill(db, 3, s + 9, s == 1 ? 0.05 : 1.0);
        REN_TRY(ren__optimiser_step(optimiser, values, gradients, s < 2 ? 0.01 : 0.005, &norm));
        CHECK_NEAR(norm, norms[s], 1e-6);
    }
    CHECK_INT(ren__optimiser_steps(optimiser), 4);
    for (int i = 0; i < 8; i++)
        parameters[i] = i < 5 ? a[i] : b[i - 5];
out:
    ren__optimiser_free(optimiser);
    return st;
}

static ren_status compare(ren_context *context, const ren__optimiser_options *options, const double wanted[8]) {
    ren_status st = REN_OK;
    double got[8];

    REN_TRY(four_steps(context, options, got));
    for (int i = 0; i < 8; i++)
        CHECK_NEAR(got[i], wanted[i], 3e-7);
out:
    return st;
}

static ren_status test_adamw_is_pytorchs(ren_context *context) {
    static const double wanted[8] = { -1.3312236070632935, 1.0193698406219482,   -0.6998046636581421,
                                      1.6379107236862183,  -0.07542433589696884, -0.6464235186576843,
                                      1.70415461063385,    -0.014979694038629532 };
    ren__optimiser_options options = REN__OPTIMISER_OPTIONS_INIT;

    options.weight_decay = 0.1;
    return compare(context, &options, wanted);
}

static ren_status test_sgd_is_pytorchs(ren_context *context) {
    static const double momentum[8] = { -1.3068690299987793, 1.009509801864624,     -0.683993399143219,
                                        1.6220412254333496,  -0.0677550733089447,   -0.6252195239067078,
                                        1.6911591291427612,  -0.0023438893258571625 };
    static const double plain[8] = { -1.308335304260254, 1.0026363134384155,   -0.6839566826820374,
                                     1.6215720176696777, -0.06302288174629211, -0.6237338185310364,
                                     1.6872378587722778, 0.0006448480999097228 };
    ren__optimiser_options options = REN__OPTIMISER_OPTIONS_INIT;
    ren_status st = REN_OK;

    options.kind = REN__SGD;
    options.weight_decay = 0.1;
    REN_TRY(compare(context, &options, momentum));
    options.momentum = 0.0;
    REN_TRY(compare(context, &options, plain));
out:
    return st;
}

enum { LARGE = 100003 };

/* Three steps over arrays of several chunks, compared with the textbook's loop in double. */
static ren_status large(ren_context *context, float *values) {
    static const size_t sizes[2] = { LARGE - 7, 7 };
    ren__optimiser_options options = REN__OPTIMISER_OPTIONS_INIT;
    ren_status st = REN_OK;
    ren__optimiser *optimiser = NULL;
    float *gradient = NULL;

    gradient = ren__alloc_array(context, LARGE, sizeof *gradient);
    CHECK_MEMORY(gradient);
    REN_TRY(ren__optimiser_create(context, &options, sizes, 2, &optimiser));
    float *const parameters[2] = { values, values + sizes[0] };
    const float *const gradients[2] = { gradient, gradient + sizes[0] };
    fill(values, LARGE, 1, 1.0);
    for (int s = 0; s < 3; s++) {
        fill(gradient, LARGE, s + 2, 1.0);
        REN_TRY(ren__optimiser_step(optimiser, parameters, gradients, 0.01, NULL));
    }
out:
    ren__optimiser_free(optimiser);
    ren__free(gradient);
    return st;
}

static double textbook(int i, double norm[3]) {
    double p = ((i * 37 + 11) % 64 - 32) / 16.0, m = 0.0, v = 0.0;

    for (int s = 0; s < 3; s++) {
        const double g = ((i * 37 + (s + 2) * 11) % 64 - 32) / 16.0 / (norm[s] + 1e-6);
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        p -= 0.01 * 0.01 * p;
        p -= 0.01 * (m / (1.0 - pow(0.9, s + 1))) / (sqrt(v / (1.0 - pow(0.999, s + 1))) + 1e-8);
    }
    return p;
}

static ren_status test_large_steps_do_not_depend_on_threads(ren_context *context) {
    ren_status st = REN_OK;
    ren_context *single = NULL;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    float *one = NULL, *two = NULL;
    double norm[3] = { 0 };

    test_allocator(&options);
    options.threads = 1;
    REN_TRY(ren_context_create(&options, &single));
    one = ren__alloc_array(context, LARGE, sizeof *one);
    two = ren__alloc_array(context, LARGE, sizeof *two);
    CHECK_MEMORY(one);
    CHECK_MEMORY(two);
    REN_TRY(large(single, one));
    REN_TRY(large(context, two));
    CHECK(memcmp(one, two, LARGE * sizeof *one) == 0);
    for (int s = 0; s < 3; s++)
        for (int i = 0; i < LARGE; i++) {
            const double g = ((i * 37 + (s + 2) * 11) % 64 - 32) / 16.0;
            norm[s] += g * g;
        }
    for (int s = 0; s < 3; s++)
        norm[s] = sqrt(norm[s]);
    for (int i = 0; i < LARGE; i += 101)
        CHECK_NEAR(one[i], textbook(i, norm), 2e-6);
out:
    ren__free(one);
    ren__free(two);
    ren_context_free(single);
    return st;
}

static ren_status test_gradients_that_are_not_finite_change_nothing(ren_context *context) {
    ren_status st = REN_OK;
    ren__optimiser_options options = REN__OPTIMISER_OPTIONS_INIT;
    const size_t size = 2;
    ren__optimiser *optimiser = NULL;
    float value[2] = { 1.0f, 2.0f }, gradient[2] = { 0.5f, NAN };
    float *const values[1] = { value };
    const float *const gradients[1] = { gradient };

    REN_TRY(ren__optimiser_create(context, &options, &size, 1, &optimiser));
    CHECK_FAILS(ren__optimiser_step(optimiser, values, gradients, 0.1, NULL), REN_E_DATA, "learning rate");
    CHECK(value[0] == 1.0f && value[1] == 2.0f && ren__optimiser_moment(optimiser, 0, 0)[0] == 0.0f);
    CHECK_INT(ren__optimiser_steps(optimiser), 0);
    ren__optimiser_free(optimiser);
    optimiser = NULL;
    options.beta[1] = 1.0;
    CHECK_FAILS(ren__optimiser_create(context, &options, &size, 1, &optimiser), REN_E_INVALID, "betas");
out:
    ren__optimiser_free(optimiser);
    return st;
}

static ren_status test_state_carries_over(ren_context *context) {
    ren_status st = REN_OK;
    ren__optimiser_options options = REN__OPTIMISER_OPTIONS_INIT;
    const size_t size = 100;
    ren__optimiser *first = NULL, *second = NULL;
    float straight[100], resumed[100], gradient[100];
    float *const a[1] = { straight }, *const b[1] = { resumed };
    const float *const gradients[1] = { gradient };

    fill(straight, 100, 1, 1.0);
    REN_TRY(ren__optimiser_create(context, &options, &size, 1, &first));
    REN_TRY(ren__optimiser_create(context, &options, &size, 1, &second));
    CHECK_INT(ren__optimiser_moments(first), 2);
    for (int s = 0; s < 6; s++) {
        fill(gradient, 100, s + 2, 1.0);
        if (s == 3) {
            memcpy(resumed, straight, sizeof resumed);
            for (int m = 0; m < 2; m++)
                memcpy(ren__optimiser_moment(second, m, 0), ren__optimiser_moment(first, m, 0), sizeof resumed);
            ren__optimiser_set_steps(second, ren__optimiser_steps(first));
        }
        REN_TRY(ren__optimiser_step(first, a, gradients, 0.01, NULL));
        if (s >= 3) REN_TRY(ren__optimiser_step(second, b, gradients, 0.01, NULL));
    }
    CHECK(memcmp(straight, resumed, sizeof straight) == 0);
out:
    ren__optimiser_free(first);
    ren__optimiser_free(second);
    return st;
}

/* A parameter with a factor learns as one by itself does at that rate; one with the factor 0 stays. */
static ren_status test_factors_of_the_rate(ren_context *context) {
    static const size_t sizes[3] = { 5, 3, 4 };
    static const double factors[3] = { 0.1, 1.0, 0.0 };
    ren__optimiser_options options = REN__OPTIMISER_OPTIONS_INIT;
    ren_status st = REN_OK;
    ren__optimiser *all = NULL, *alone = NULL;
    float a[5], b[3], c[4], da[5], db[3], dc[4], single[5];
    float *const values[3] = { a, b, c }, *const one[1] = { single };
    const float *const gradients[3] = { da, db, dc }, *const first[1] = { da };

    options.clip = 0.0; /* the norm of all gradients is not that of one parameter's */
    for (int kind = 0; kind < 2; kind++) {
        options.kind = kind ? REN__SGD : REN__ADAMW;
        fill(a, 5, 1, 1.0);
        fill(single, 5, 1, 1.0);
        fill(b, 3, 2, 1.0);
        fill(c, 4, 3, 1.0);
        REN_TRY(ren__optimiser_create(context, &options, sizes, 3, &all));
        REN_TRY(ren__optimiser_create(context, &options, sizes, 1, &alone));
        ren__optimiser_set_factors(all, factors);
        for (int s = 0; s < 3; s++) {
            fill(da, 5, s + 4, 1.0);
            fill(db, 3, s + 5, 1.0);
            fill(dc, 4, s + 6, 1.0);
            REN_TRY(ren__optimiser_step(all, values, gradients, 0.01, NULL));
            REN_TRY(ren__optimiser_step(alone, one, first, 0.01 * 0.1, NULL));
        }
        CHECK(memcmp(a, single, sizeof a) == 0);
        fill(dc, 4, 3, 1.0); /* what c began with */
        CHECK(memcmp(c, dc, sizeof c) == 0);
        ren__optimiser_free(all);
        ren__optimiser_free(alone);
        all = alone = NULL;
    }
out:
    ren__optimiser_free(all);
    ren__optimiser_free(alone);
    return st;
}

TEST_MAIN(CASE(test_adamw_is_pytorchs), CASE(test_sgd_is_pytorchs), CASE(test_factors_of_the_rate),
          CASE(test_large_steps_do_not_depend_on_threads), CASE(test_gradients_that_are_not_finite_change_nothing),
          CASE(test_state_carries_over))
