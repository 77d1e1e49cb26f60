/* SPDX-License-Identifier: Apache-2.0 */
/* Every operator, forward and backward, against plain loops in double precision and central differences of them. */
#include "reference.h"

static ren_status test_operators_give_what_the_reference_gives(ren_context *context) {
    ren_status st = REN_OK;
    const reference_case *c;
    int failed = 0;
    for (int i = 0; (c = reference_case_at(i)); i++)
        failed += reference_check(context, c) != REN_OK;
    CHECK_INT(failed, 0);
out:
    return st;
}

static ren_status mark_operators(ren_context *context, const reference_case *c, int *met) {
    ren_status st = REN_OK;
    reference *r = NULL;
    REN_TRY(reference_create(context, &r));
    REN_TRY(reference_finish(r, c->build(r, c), 0));
    for (int32_t i = 0; i < ren__graph_node_count(r->graph); i++)
        for (int k = 0; ren__ops[k]; k++)
            met[k] |= ren__ops[k] == ren__graph_node_at(r->graph, i)->op;
out:
    reference_free(r);
    return st;
}

/* Of sparse networks, which have no gradient: test_ops_sparse.c. */
static int is_sparse(const char *name) {
    return strncmp(name, "active_", 7) == 0 || strcmp(name, "reached_rows") == 0;
}

/* A new operator needs a case. */
static ren_status test_every_operator_has_a_case(ren_context *context) {
    ren_status st = REN_OK;
    const reference_case *c;
    int met[64] = { 0 };
    for (int i = 0; (c = reference_case_at(i)); i++)
        REN_TRY(mark_operators(context, c, met));
    for (int k = 0; ren__ops[k]; k++)
        if (!met[k] && !is_sparse(ren__ops[k]->name)) {
            st = test_fail(__FILE__, __LINE__, "no case of the reference has the operator %s", ren__ops[k]->name);
            goto out;
        }
out:
    return st;
}

static const reference_case *find_case(const char *name) {
    int index = 0;
    while (strcmp(reference_case_at(index)->name, name) != 0)
        index++;
    return reference_case_at(index);
}

/* Failing allocations: what is made is given back. */
static ren_status test_a_residual_block(ren_context *context) {
    return reference_check(context, find_case("residual block"));
}

static ren_status test_what_is_written_in_place(ren_context *context) {
    return reference_check(context, find_case("in place"));
}

TEST_MAIN(CASE_ONCE(test_operators_give_what_the_reference_gives), CASE_ONCE(test_every_operator_has_a_case),
          CASE_SAMPLED(test_a_residual_block), CASE(test_what_is_written_in_place))
