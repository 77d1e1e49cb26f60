/* SPDX-License-Identifier: Apache-2.0 */
/* A compiled graph: the fused nodes with their kernels, one block of memory, and the two passes over it. */
#include <string.h>

#include "graph/internal.h"

struct ren__session {
    ren_context *context;  /* held */
    ren__graph *graph;     /* own copy, fused */
    ren__weights *weights; /* held; NULL while measuring */
    int32_t mode;
    ren__step *steps;
    ren__memory_plan plan;
    uint8_t *block;
    float **gradients; /* by weight index, into gradient_block */
    float *gradient_block;
    size_t gradient_bytes;
    uint32_t *samples;
    int32_t sample_room;
    double *forward_seconds, *backward_seconds; /* the caller's, by step; or NULL */
};

static float *at(const ren__session *session, size_t offset) {
    return offset == REN__NOWHERE ? NULL : (float *)(void *)(session->block + offset);
}

/* Kernels of every node; shapes only. */
static ren_status plan_steps(ren__session *session) {
    ren_status st = REN_OK;
    ren_context *context = session->context;
    const ren__graph *graph = session->graph;
    REN_CALLOC(session->steps, (size_t)graph->node_count + 1);
    for (int32_t i = 0; i < graph->node_count; i++) {
        ren__step *step = &session->steps[i];
        step->context = context;
        step->node = graph->nodes[i];
        step->training = session->mode == REN__TRAIN;
        step->bfloat = session->mode == REN__INFER && context->precision == REN_PRECISION_BF16 && !graph->keeps_float;
        step->weights = session->weights;
        for (int32_t k = 0; k < step->node->input_count; k++)
            step->input_shape[k] = *ren__graph_shape(graph, step->node->input[k]);
        step->output_shape = *ren__graph_shape(graph, step->node->output);
        if (step->node->op->plan) REN_TRY(step->node->op->plan(step));
    }
    REN_TRY(ren__memory_plan_make(graph, session->steps, session->mode, &session->plan));
out:
    return st;
}

/* A parameter's gradient starts on a cache line. */
static size_t gradient_room(const ren__shape *shape) {
    return ((size_t)ren__shape_elements(shape) + 15) / 16 * 16;
}

static ren_status make_gradients(ren__session *session) {
    ren_status st = REN_OK;
    ren_context *context = session->context;
    int32_t count = ren__weights_count(session->weights);
    size_t elements = 0;
    REN_CALLOC(session->gradients, (size_t)count + 1);
    for (int32_t i = 0; i < count; i++)
        if (ren__weights_trained(session->weights, i))
            elements += gradient_room(ren__weights_shape(session->weights, i));
    session->gradient_bytes = elements * sizeof(float);
    REN_ALLOC(session->gradient_block, session->gradient_bytes);
    memset(session->gradient_block, 0, session->gradient_bytes); /* of what leads to no loss it stays */
    float *next = session->gradient_block;
    for (int32_t i = 0; i < count; i++)
        if (ren__weights_trained(session->weights, i)) {
            session->gradients[i] = next;
            next += gradient_room(ren__weights_shape(session->weights, i));
        }
out:
    return st;
}

/* Does an earlier step have this weight? Steps overwrite gradients: what two shared would need their sum. */
static int is_used_before(const ren__session *session, int32_t step, int32_t weight) {
    for (int32_t i = 0; i < step; i++)
        for (int32_t k = 0; k < session->steps[i].node->parameter_count; k++)
            if (session->steps[i].weight_index[k] == weight) return 1;
    return 0;
}

/* Pointers never change after this. */
static ren_status bind(ren__session *session) {
    const ren__graph *graph = session->graph;
    const ren__memory_plan *plan = &session->plan;
    for (int32_t i = 0; i < graph->node_count; i++) {
        ren__step *step = &session->steps[i];
        const ren__node *node = step->node;
        for (int32_t k = 0; k < node->input_count; k++) {
            step->input[k] = at(session, plan->value[node->input[k]]);
            float *beside = at(session, plan->partial[i * REN__MAX_INPUTS + k]);
            step->input_gradient[k] = beside ? beside : at(session, plan->gradient[node->input[k]]);
        }
        step->output = at(session, plan->value[node->output]);
        step->output_gradient = at(session, plan->gradient[node->output]);
        step->saved = at(session, plan->saved[i]);
        step->scratch = at(session, plan->scratch);
        for (int32_t k = 0; k < node->parameter_count; k++) {
            const ren__parameter *parameter = ren__graph_parameter_at(graph, node->parameter[k]);
            int32_t index = ren__weights_find(session->weights, parameter->name);
            if (index < 0 || !ren__shape_equal(ren__weights_shape(session->weights, index), &parameter->shape))
                return ren__error(REN_E_INVALID, "the weights lack parameter %s in the shape the network needs",
                                  parameter->name);
            if (session->mode == REN__TRAIN && is_used_before(session, i, index))
                return ren__error(REN_E_UNSUPPORTED, "parameter %s is used twice: such a network cannot be trained",
                                  parameter->name);
            step->weight_index[k] = index;
            step->parameter[k] = ren__weights_read(session->weights, index);
            if (session->gradients) step->parameter_gradient[k] = session->gradients[index];
        }
        if (session->mode == REN__INFER && node->op->prepare) {
            ren_status st = node->op->prepare(step);
            if (st != REN_OK) return st;
        }
    }
    return REN_OK;
}

static ren_status start(const ren__graph *graph, ren__weights *weights, int32_t mode, ren__session **out) {
    ren_status st = REN_OK;
    ren__session *session = NULL;
    ren_context *context = graph->context;
    REN_CALLOC(session, 1);
    session->context = ren__context_retain(context);
    session->mode = mode;
    session->weights = weights ? ren__weights_retain(weights) : NULL;
    REN_TRY(ren__graph_copy(graph, &session->graph));
    REN_TRY(ren__graph_fuse(session->graph, mode));
    REN_TRY(plan_steps(session));
    *out = session;
    return REN_OK;
out:
    ren__session_free(session);
    return st;
}

ren_status ren__session_create(const ren__graph *graph, ren__weights *weights, int32_t mode, ren__session **out) {
    ren_status st = REN_OK;
    ren__session *session = NULL;
    ren_context *context = graph->context;
    REN_TRY(start(graph, weights, mode, &session));
    REN_ALLOC(session->block, session->plan.total);
    memset(session->block, 0, session->plan.total);
    if (mode == REN__TRAIN) REN_TRY(make_gradients(session));
    REN_TRY(bind(session));
    *out = session;
    return REN_OK;
out:
    ren__session_free(session);
    return st;
}

ren_status ren__session_measure(const ren__graph *graph, int32_t mode, size_t *bytes) {
    ren__session *session = NULL;
    ren_status st = start(graph, NULL, mode, &session);
    if (st != REN_OK) return st;
    *bytes = session->plan.total;
    for (int32_t i = 0; mode == REN__TRAIN && i < graph->parameter_count; i++)
        if (graph->parameters[i].trained) *bytes += gradient_room(&graph->parameters[i].shape) * sizeof(float);
    ren__session_free(session);
    return REN_OK;
}

void ren__session_free(ren__session *session) {
    if (!session) return;
    ren_context *context = session->context;
    for (int32_t i = 0; session->steps && i < session->graph->node_count; i++)
        if (session->steps[i].node && session->steps[i].node->op->release)
            session->steps[i].node->op->release(&session->steps[i]);
    ren__memory_plan_free(&session->plan);
    ren__free(session->steps);
    ren__free(session->block);
    ren__free(session->gradients);
    ren__free(session->gradient_block);
    ren__free(session->samples);
    ren__graph_free(session->graph);
    ren__weights_release(session->weights);
    ren__free(session);
    ren__context_release(context);
}

size_t ren__session_bytes(const ren__session *session) {
    return session->plan.total + session->gradient_bytes;
}

float *ren__session_input(ren__session *session, const char *name) {
    ren__value value = ren__graph_find_input(session->graph, name);
    return value == REN__NONE ? NULL : at(session, session->plan.value[value]);
}

const float *ren__session_output(const ren__session *session, const char *name) {
    ren__value value = ren__graph_find_output(session->graph, name);
    return value == REN__NONE ? NULL : at(session, session->plan.value[value]);
}

const ren__shape *ren__session_output_shape(const ren__session *session, const char *name) {
    ren__value value = ren__graph_find_output(session->graph, name);
    return value == REN__NONE ? NULL : ren__graph_shape(session->graph, value);
}

ren_status ren__session_randomness(ren__session *session, uint64_t seed, uint32_t epoch, const uint32_t *samples,
                                   int32_t count) {
    if (count > session->sample_room) {
        uint32_t *larger = ren__realloc(session->context, session->samples, (size_t)count * sizeof *larger);
        if (!larger) return ren__out_of_memory();
        session->samples = larger;
        session->sample_room = count;
    }
    memcpy(session->samples, samples, (size_t)count * sizeof *samples);
    for (int32_t i = 0; i < session->graph->node_count; i++) {
        session->steps[i].seed = seed;
        session->steps[i].epoch = epoch;
        session->steps[i].samples = session->samples;
    }
    return REN_OK;
}

ren_status ren__session_run(ren__session *session, ren__run *run) {
    for (int32_t i = 0; i < session->graph->node_count; i++) {
        ren__step *step = &session->steps[i];
        ren_status st = ren__run_check(run);
        if (st != REN_OK) return st;
        step->run = run;
        double start = session->forward_seconds ? ren__now() : 0;
        st = step->node->op->forward(step);
        if (st != REN_OK) return st;
        if (session->forward_seconds) session->forward_seconds[i] = ren__now() - start;
    }
    return ren__run_check(run); /* a kernel that was told to stop has left its output unfinished */
}

static void add_to(void *argument, int64_t begin, int64_t end, int32_t thread) {
    float **pair = argument;
    (void)thread;
    for (int64_t i = begin; i < end; i++)
        pair[0][i] += pair[1][i];
}

static void copy_to(void *argument, int64_t begin, int64_t end, int32_t thread) {
    float **pair = argument;
    (void)thread;
    memcpy(pair[0] + begin, pair[1] + begin, (size_t)(end - begin) * sizeof(float));
}

/* Brings what readers wrote beside into the gradient of the value: the first is copied, later ones are added. */
static void collect(ren__session *session, int32_t index, uint8_t *seen) {
    ren__step *step = &session->steps[index];
    for (int32_t k = 0; k < step->node->input_count; k++) {
        ren__value value = step->node->input[k];
        float *pair[2] = { at(session, session->plan.gradient[value]),
                           at(session, session->plan.partial[index * REN__MAX_INPUTS + k]) };
        if (!pair[1] || !step->input_gradient[k]) continue;
        ren__parallel_for(session->context, step->run, ren__shape_elements(&step->input_shape[k]), 1 << 16,
                          seen[value] ? add_to : copy_to, pair);
        seen[value] = 1;
    }
}

ren_status ren__session_backward(ren__session *session, ren__run *run) {
    ren_status st = REN_OK;
    const ren__graph *graph = session->graph;
    ren_context *context = session->context;
    uint8_t *seen = NULL;
    ren__value loss = ren__graph_find_output(graph, "loss");
    if (session->mode != REN__TRAIN || loss == REN__NONE)
        return ren__error(REN_E_STATE, "a backward pass needs a training session with the output \"loss\"");
    REN_CALLOC(seen, (size_t)graph->tensor_count);
    if (session->plan.gradient[loss] != REN__NOWHERE) *at(session, session->plan.gradient[loss]) = 1.0f;
    for (int32_t i = graph->node_count - 1; i >= 0; i--) {
        ren__step *step = &session->steps[i];
        if (!step->output_gradient) continue;
        REN_TRY(ren__run_check(run));
        step->run = run;
        double start = session->backward_seconds ? ren__now() : 0;
        REN_TRY(step->node->op->backward(step));
        if (session->backward_seconds) session->backward_seconds[i] = ren__now() - start;
        collect(session, i, seen);
    }
    REN_TRY(ren__run_check(run));
out:
    ren__free(seen);
    return st;
}

void ren__session_time(ren__session *session, double *forward, double *backward) {
    session->forward_seconds = forward;
    session->backward_seconds = backward;
}

int32_t ren__session_step_count(const ren__session *session) {
    return session->graph->node_count;
}

const char *ren__session_step(const ren__session *session, int32_t index, ren__shape *shape, double *flops) {
    const ren__node *node = session->graph->nodes[index];
    *shape = session->steps[index].output_shape;
    *flops = ren__node_flops(session->graph, node);
    return node->op->name;
}

float *ren__session_gradient(ren__session *session, int32_t parameter) {
    return session->gradients ? session->gradients[parameter] : NULL;
}
