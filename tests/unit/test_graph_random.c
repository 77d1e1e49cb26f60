/* SPDX-License-Identifier: Apache-2.0 */
/* Random small networks with several readers of a value and branches that lead nowhere: wherever two tensors shared a
 * place at the same time, or a fusion were wrong, they would differ from the reference. */
#include "reference.h"

enum { NETWORKS = 40 };

static uint32_t below(reference *r, uint32_t limit) {
    r->state = r->state * UINT64_C(6364136223846793005) + 1;
    return (uint32_t)(r->state >> 33) % limit;
}

static int add_like(reference *r, const int *values, int count, int x) {
    for (int tries = 0; tries < 4; tries++) {
        int other = values[below(r, (uint32_t)count)];
        if (ren__shape_equal(reference_shape(r, x), reference_shape(r, other))) return reference_add(r, x, other);
    }
    return reference_add(r, x, x);
}

static int add_map_operator(reference *r, int x) {
    const ren__shape *shape = reference_shape(r, x);
    int64_t least = shape->dim[1] < shape->dim[2] ? shape->dim[1] : shape->dim[2];
    const ren__conv_options same = { shape->dim[3], { 3, 3 }, { 1, 1 }, { 1, 1 }, 0, 0 };
    const ren__conv_options other = { 2 + below(r, 4), { 1, 3 }, { 1, 2 }, { 0, 1 }, 0, 1 };
    switch (below(r, 7)) {
    case 0:
        return reference_conv(r, x, &same);
    case 1:
        return reference_activate(r, reference_norm(r, reference_conv(r, x, &same)), REN__RELU);
    case 2:
        return reference_conv(r, x, &other);
    case 3:
        return least >= 2 ? reference_max_pool(r, x, 2, 2) : reference_adaptive_average_pool(r, x, 2);
    case 4:
        return least >= 3 ? reference_average_pool(r, x, 2, 1) : reference_activate(r, x, REN__SOFTPLUS);
    case 5:
        return reference_dropout(r, x, 0.3, 1);
    default:
        return reference_linear(r, x, shape->dim[3], 0);
    }
}

static int add_operator(reference *r, const int *values, int count) {
    static const ren__activation kinds[4] = { REN__RELU, REN__TANH, REN__GELU, REN__LEAKY_RELU };
    int x = values[below(r, 2) ? count - 1 : (int)below(r, (uint32_t)count)];
    switch (below(r, 8)) {
    case 0:
        return reference_activate(r, x, kinds[below(r, 4)]);
    case 1:
        return reference_dropout(r, x, 0.25, 0);
    case 2:
        return reference_softmax(r, x);
    case 3:
    case 4:
        return add_like(r, values, count, x);
    default:
        break;
    }
    if (reference_shape(r, x)->rank == 4) return below(r, 6) ? add_map_operator(r, x) : reference_flatten(r, x);
    return reference_linear(r, x, 4 + below(r, 3), 0);
}

static int build(reference *r, const reference_case *c) {
    int values[16], count = 0;
    r->state = UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)(c->kind + 1);
    values[count++] = reference_source(r, c->shape);
    for (int i = 0; i < 12 && values[count - 1] >= 0; i++, count++)
        values[count] = add_operator(r, values, count);
    return values[count - 1];
}

static ren_status test_random_networks(ren_context *context) {
    ren_status st = REN_OK;
    for (int32_t i = 0; i < NETWORKS; i++) {
        char name[32];
        snprintf(name, sizeof name, "random network %d", (int)i);
        reference_case c = { .name = name, .build = build, .shape = { 4, { 2, 5, 6, 3 } }, .kind = i };
        REN_TRY(reference_check(context, &c));
    }
out:
    return st;
}

TEST_MAIN(CASE_ONCE(test_random_networks))
