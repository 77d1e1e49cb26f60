/* SPDX-License-Identifier: Apache-2.0 */
/* All cases, and how one of them is checked. */
#include "reference.h"

/* A family of operators is a file of naive loops with its cases, and a line here. */
extern const reference_case reference_convolutional[], reference_structural[], reference_transformers[],
    reference_sequences[], reference_mixtures[], reference_segmentations[];

static const reference_case *const families[] = {
    reference_convolutional, reference_structural, reference_transformers,
    reference_sequences,     reference_mixtures,   reference_segmentations,
};

const reference_case *reference_case_at(int index) {
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++)
        for (const reference_case *c = families[f]; c->name; c++)
            if (index-- == 0) return c;
    return NULL;
}

static ren_status check_inference(reference *r) {
    ren_status st = REN_OK;
    ren__weights *weights = NULL;
    ren__session *session = NULL;
    REN_TRY(reference_weights(r, &weights));
    REN_TRY(reference_session(r, weights, REN__INFER, &session));
    reference_run(r, 0, 0);
    for (int again = 0; again < 2; again++) {
        REN_TRY(ren__session_run(session, NULL));
        REN_TRY(reference_compare(r, session, 4e-6));
    }
out:
    ren__session_free(session);
    ren__weights_release(weights);
    return st;
}

/* A second pass finds the first one's leavings in the session's memory and must not see them. */
static ren_status check_training(reference *r, int samples) {
    ren_status st = REN_OK;
    ren__weights *weights = NULL;
    ren__session *session = NULL;
    REN_TRY(reference_weights(r, &weights));
    REN_TRY(reference_session(r, weights, REN__TRAIN, &session));
    for (int again = 0; again < 2; again++) {
        REN_TRY(ren__session_run(session, NULL));
        reference_run(r, 1, 1);
        REN_TRY(reference_compare(r, session, 1e-5));
        REN_TRY(reference_compare_statistics(r, weights));
        REN_TRY(ren__session_backward(session, NULL));
    }
    REN_TRY(reference_compare_gradients(r, session, weights, samples, 2e-5));
out:
    ren__session_free(session);
    ren__weights_release(weights);
    return st;
}

ren_status reference_check(ren_context *context, const reference_case *c) {
    ren_status st = REN_OK;
    reference *r = NULL;
    for (int expose = 0; expose < 2; expose++) {
        REN_TRY(reference_create(context, &r));
        REN_TRY(reference_finish(r, c->build(r, c), expose));
        REN_TRY(check_inference(r));
        REN_TRY(check_training(r, expose ? 3 : 16));
        reference_free(r);
        r = NULL;
    }
out:
    if (st != REN_OK && !test_injecting()) fprintf(stderr, "%s: %s\n", c->name, ren_error_message());
    reference_free(r);
    return st;
}
