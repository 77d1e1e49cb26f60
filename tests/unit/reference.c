/* SPDX-License-Identifier: Apache-2.0 */
/* The reference itself: description, weights, running, comparing. Operators are in reference_ops.c and its kin. */
#include "reference_step.h"

/* ---- numbers ---- */

static double uniform(reference *r) {
    r->state = r->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(r->state >> 11) * 0x1p-53;
}

static double around(reference *r, double centre, double spread) {
    return (double)(float)(centre + spread * (2 * uniform(r) - 1));
}

ren_status reference_create(ren_context *context, reference **out) {
    ren_status st = REN_OK;
    reference *r = NULL;
    REN_CALLOC(r, 1);
    r->context = context;
    r->seed = UINT64_C(0x123456789abcdef);
    r->epoch = 3;
    r->state = 42;
    r->loss = -1;
    REN_TRY(ren__arena_create(context, &r->arena));
    REN_TRY(ren__graph_create(context, &r->graph));
    *out = r;
    return REN_OK;
out:
    reference_free(r);
    return st;
}

void reference_free(reference *r) {
    if (!r) return;
    ren__graph_free(r->graph);
    ren__arena_free(r->arena);
    ren__free(r);
}

/* ---- description ---- */

void *reference_take(reference *r, size_t size) {
    void *memory = ren__arena_alloc(r->arena, size);
    if (!memory) ren__graph_fail(r->graph, ren__out_of_memory(), "no memory for the reference");
    return memory;
}

reference_step *reference_add_step(reference *r, compute_fn compute, ren__value value, int a, int b) {
    reference_step *s = NULL;
    if (value == REN__NONE || r->step_count == REFERENCE_STEPS || !(s = reference_take(r, sizeof *s))) return NULL;
    s->compute = compute;
    s->graph_value = value;
    for (int i = 0; i < REFERENCE_INPUTS; i++)
        s->input[i] = -1;
    s->input[0] = a;
    s->input[1] = b;
    if (a >= 0) s->shape = r->steps[a]->shape;
    if (compute) s->index = (uint32_t)ren__graph_node_at(r->graph, ren__graph_node_count(r->graph) - 1)->index;
    return s;
}

int reference_finish_step(reference *r, reference_step *s) {
    if (!s) return -1;
    s->value = reference_take(r, (size_t)ren__shape_elements(&s->shape) * sizeof *s->value);
    if (!s->value) return -1;
    r->steps[r->step_count] = s;
    return r->step_count++;
}

ren__value reference_value(const reference *r, int value) {
    return value < 0 ? REN__NONE : r->steps[value]->graph_value;
}

ren__shape reference_shape_of(const reference *r, int value) {
    return value < 0 ? (ren__shape){ 0 } : r->steps[value]->shape;
}

int64_t reference_channels(const ren__shape *shape) {
    return shape->rank ? shape->dim[shape->rank - 1] : 1;
}

reference_parameter *reference_add_parameter(reference *r, const char *name, const char *suffix, ren__shape shape,
                                             int trained, double centre, double spread) {
    reference_parameter *p = NULL;
    if (r->parameter_count == REFERENCE_PARAMETERS || !(p = reference_take(r, sizeof *p))) return NULL;
    snprintf(p->name, sizeof p->name, "%s%s%s", name, *suffix ? "." : "", suffix);
    p->shape = shape;
    p->trained = trained;
    p->value = reference_take(r, (size_t)ren__shape_elements(&shape) * sizeof *p->value);
    if (!p->value) return NULL;
    for (int64_t i = 0; i < ren__shape_elements(&shape); i++)
        p->value[i] = around(r, centre, spread);
    return r->parameters[r->parameter_count++] = p;
}

void reference_step_name(const reference *r, const char *kind, char name[24]) {
    snprintf(name, 24, "%s%d", kind, r->step_count);
}

const ren__shape *reference_shape(const reference *r, int value) {
    return &r->steps[value]->shape;
}

int reference_input(reference *r, ren__shape shape) {
    char name[24];
    reference_step_name(r, "x", name);
    reference_step *s = reference_add_step(r, NULL, ren__graph_input(r->graph, name, shape), -1, -1);
    if (!s) return -1;
    memcpy(s->name, name, sizeof s->name);
    s->name[sizeof s->name - 1] = 0;
    s->shape = shape;
    int result = reference_finish_step(r, s);
    for (int64_t i = 0; result >= 0 && i < ren__shape_elements(&shape); i++)
        s->value[i] = around(r, 0, 1.5);
    return result;
}
box reference_box(const ren__shape *shape) {
    box b = { shape->dim[0], { 1, 1, 1 }, reference_channels(shape), shape->rank - 2 };
    for (int i = 0; i < b.axes; i++)
        b.size[3 - b.axes + i] = shape->dim[1 + i];
    return b;
}

int64_t reference_offset(const box *b, int64_t n, int64_t d, int64_t h, int64_t w, int64_t c) {
    return (((n * b->size[0] + d) * b->size[1] + h) * b->size[2] + w) * b->channels + c;
}

void reference_position(const box *b, int64_t cell, int64_t at[4]) {
    at[3] = cell % b->size[2];
    at[2] = cell / b->size[2] % b->size[1];
    at[1] = cell / (b->size[2] * b->size[1]) % b->size[0];
    at[0] = cell / (b->size[2] * b->size[1] * b->size[0]);
}

int64_t reference_positions(const box *b) {
    return b->batch * b->size[0] * b->size[1] * b->size[2];
}

/* ---- running ---- */

ren_status reference_finish(reference *r, int y, int expose) {
    static const double weights[3] = { 0.7, 1.3, 1.0 };
    ren__shape shape = reference_shape_of(r, y);
    char name[24];
    if (y >= 0) ren__graph_output(r->graph, "y", reference_value(r, y));
    r->loss = y;
    if (y >= 0 && shape.rank) {
        int64_t rows = shape.dim[0];
        int flat = reference_reshape(r, y, ren__shape_of(2, (int64_t[]){ rows, ren__shape_elements(&shape) / rows }));
        r->loss = reference_cross_entropy(r, reference_linear(r, flat, 3, 0), weights, 0.1);
    }
    for (int i = 0; expose && i < r->step_count; i++) {
        snprintf(name, sizeof name, "v%d", i);
        ren__graph_output(r->graph, name, reference_value(r, i));
    }
    if (r->loss >= 0) ren__graph_output(r->graph, "loss", reference_value(r, r->loss));
    if (r->loss < 0)
        ren__graph_fail(r->graph, REN_E_INTERNAL, "more steps or parameters than the reference has room for");
    return ren__graph_status(r->graph);
}

ren_status reference_weights(const reference *r, ren__weights **out) {
    ren_status st = REN_OK;
    ren__weights *weights = NULL;
    REN_TRY(ren__weights_create(r->context, r->graph, &weights));
    CHECK_INT(ren__weights_count(weights), r->parameter_count);
    for (int i = 0; i < r->parameter_count; i++) {
        const reference_parameter *p = r->parameters[i];
        int32_t index = ren__weights_find(weights, p->name);
        CHECK(index >= 0 && ren__shape_equal(ren__weights_shape(weights, index), &p->shape));
        CHECK_INT(ren__weights_trained(weights, index), p->trained);
        for (size_t k = 0; k < ren__weights_elements(weights, index); k++)
            ren__weights_data(weights, index)[k] = (float)p->value[k];
    }
    *out = weights;
    weights = NULL;
out:
    ren__weights_release(weights);
    return st;
}

ren_status reference_session(const reference *r, ren__weights *weights, int32_t mode, ren__session **out) {
    ren_status st = REN_OK;
    ren__session *session = NULL;
    uint32_t samples[256];
    for (uint32_t i = 0; i < 256; i++)
        samples[i] = 10 + i;
    REN_TRY(ren__session_create(r->graph, weights, mode, &session));
    REN_TRY(ren__session_randomness(session, r->seed, r->epoch, samples, 256));
    for (int i = 0; i < r->step_count; i++) {
        const reference_step *s = r->steps[i];
        float *input = s->compute ? NULL : ren__session_input(session, s->name);
        CHECK(s->compute || input);
        for (int64_t k = 0; input && k < ren__shape_elements(&s->shape); k++)
            input[k] = (float)s->value[k];
    }
    *out = session;
    session = NULL;
out:
    ren__session_free(session);
    return st;
}

void reference_run(reference *r, int training, int update_statistics) {
    for (int i = 0; i < r->step_count; i++)
        if (r->steps[i]->compute) r->steps[i]->compute(r, r->steps[i], training, update_statistics);
}

static ren_status compare_values(const char *name, const float *ours, const double *wanted, size_t count,
                                 double tolerance) {
    double largest = 1e-3;
    for (size_t i = 0; i < count; i++)
        largest = fabs(wanted[i]) > largest ? fabs(wanted[i]) : largest;
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)ours[i] - wanted[i]) <= tolerance * largest))
            return test_fail(__FILE__, __LINE__, "%s[%zu] is %.9g, not %.9g (largest %.3g)", name, i, (double)ours[i],
                             wanted[i], largest);
    return REN_OK;
}

ren_status reference_compare(const reference *r, const ren__session *session, double tolerance) {
    ren_status st = REN_OK;
    for (int32_t i = 0; i < ren__graph_output_count(r->graph); i++) {
        const char *name = ren__graph_output_name(r->graph, i);
        ren__value value = ren__graph_find_output(r->graph, name);
        for (int k = 0; k < r->step_count; k++) {
            const reference_step *s = r->steps[k];
            if (s->graph_value != value) continue;
            CHECK(ren__shape_equal(ren__session_output_shape(session, name), &s->shape));
            REN_TRY(compare_values(name, ren__session_output(session, name), s->value,
                                   (size_t)ren__shape_elements(&s->shape), tolerance));
        }
    }
out:
    return st;
}

ren_status reference_compare_statistics(const reference *r, const ren__weights *weights) {
    ren_status st = REN_OK;
    for (int i = 0; i < r->parameter_count; i++) {
        const reference_parameter *p = r->parameters[i];
        int32_t index = ren__weights_find(weights, p->name);
        REN_TRY(compare_values(p->name, ren__weights_read(weights, index), p->value,
                               ren__weights_elements(weights, index), p->trained ? 0 : 1e-5));
    }
out:
    return st;
}

static double loss_at(reference *r, double *element, double value) {
    double before = *element, loss;
    *element = value;
    reference_run(r, 1, 0);
    loss = r->steps[r->loss]->value[0];
    *element = before;
    return loss;
}

static double slope(reference *r, double *element) {
    const double step = 1e-6, x = *element;
    return (loss_at(r, element, x + step) - loss_at(r, element, x - step)) / (2 * step);
}

ren_status reference_compare_gradients(reference *r, ren__session *session, const ren__weights *weights, int samples,
                                       double tolerance) {
    ren_status st = REN_OK;
    double largest = 0;
    for (int32_t i = 0; i < ren__weights_count(weights); i++)
        for (size_t k = 0; ren__weights_trained(weights, i) && k < ren__weights_elements(weights, i); k++)
            largest = fmax(largest, fabs((double)ren__session_gradient(session, i)[k]));
    CHECK(largest > 1e-6 && largest < 1e3);
    for (int i = 0; i < r->parameter_count; i++) {
        const reference_parameter *p = r->parameters[i];
        int32_t index = ren__weights_find(weights, p->name);
        const float *ours = ren__session_gradient(session, index);
        size_t count = ren__weights_elements(weights, index), step = count / (size_t)samples + 1;
        CHECK_INT(ours != NULL, p->trained);
        for (size_t k = (size_t)i % step; ours && k < count; k += step) {
            double wanted = slope(r, &p->value[k]);
            double allowed = tolerance * (fabs(wanted) + largest / 10) + 1e-8;
            if (!(fabs((double)ours[k] - wanted) <= allowed)) {
                st = test_fail(__FILE__, __LINE__, "gradient %s[%zu] is %.9g, not %.9g (largest %.3g)", p->name, k,
                               (double)ours[k], wanted, largest);
                goto out;
            }
        }
    }
out:
    return st;
}
