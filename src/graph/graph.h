/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network as a static graph, and sessions that run it.
 *
 * Activations are float32, channels last: N, spatial..., C with C fastest; a vector is N, C. A graph is described once
 * for given shapes by the functions of ops/ops.h. The description never fails half-way: the first error sticks to the
 * graph, later calls return REN__NONE, and ren__graph_status() tells.
 */
#ifndef REN_GRAPH_GRAPH_H
#define REN_GRAPH_GRAPH_H

#include "base/context.h"
#include "format/safetensors.h"

typedef struct ren__shape {
    int32_t rank;
    int64_t dim[REN__MAX_RANK];
} ren__shape;

ren__shape ren__shape_of(int32_t rank, const int64_t *dims);
int64_t ren__shape_elements(const ren__shape *shape);
int ren__shape_equal(const ren__shape *a, const ren__shape *b);

typedef struct ren__graph ren__graph;
typedef int32_t ren__value; /* a tensor of the graph */
enum { REN__NONE = -1 };

ren_status ren__graph_create(ren_context *context, ren__graph **out);
void ren__graph_free(ren__graph *graph);
ren_status ren__graph_status(const ren__graph *graph); /* the first error, with its text set again */

/* Named ends. An input that no gradient has to reach (images, labels) costs no backward work: none does. */
ren__value ren__graph_input(ren__graph *graph, const char *name, ren__shape shape);
void ren__graph_output(ren__graph *graph, const char *name, ren__value value);
ren__value ren__graph_find_input(const ren__graph *graph, const char *name); /* REN__NONE: not there */
ren__value ren__graph_find_output(const ren__graph *graph, const char *name);
const ren__shape *ren__graph_shape(const ren__graph *graph, ren__value value);
int32_t ren__graph_input_count(const ren__graph *graph);
const char *ren__graph_input_name(const ren__graph *graph, int32_t index);
int32_t ren__graph_output_count(const ren__graph *graph);
const char *ren__graph_output_name(const ren__graph *graph, int32_t index);

/* Its sessions compute in float32 whatever the context's precision: for what is a part of training. */
void ren__graph_keep_float(ren__graph *graph);

/* Totals: trained parameters (elements), and floating-point operations of one forward pass. */
int64_t ren__graph_parameters(const ren__graph *graph);
double ren__graph_flops(const ren__graph *graph);

/* ---- sessions: a compiled graph with its activations; one thread at a time; weights are shared ---- */

typedef struct ren__session ren__session;
struct ren__weights;

enum { REN__INFER = 0, REN__TRAIN = 1 };

/* Compiles: fuses, plans memory, packs weights. After this a run asks the host's allocator for nothing. A session that
 * trains runs forward in training mode (batch statistics, dropout) and can run backward from the output "loss"; it
 * must be the weights' only user while it does. The graph may be freed afterwards. */
ren_status ren__session_create(const ren__graph *graph, struct ren__weights *weights, int32_t mode, ren__session **out);
void ren__session_free(ren__session *session);
size_t ren__session_bytes(const ren__session *session); /* beyond the weights */
/* What a session for this graph and mode would need, without making it. */
ren_status ren__session_measure(const ren__graph *graph, int32_t mode, size_t *bytes);

/* By name; NULL where there is none. Inputs are written by the caller before a run, outputs are valid until the next.
 */
float *ren__session_input(ren__session *session, const char *name);
const float *ren__session_output(const ren__session *session, const char *name);
const ren__shape *ren__session_output_shape(const ren__session *session, const char *name);

/* What dropout draws from: (seed, epoch, sample of each batch entry). `samples` has the batch's length and is copied.
 */
ren_status ren__session_randomness(ren__session *session, uint64_t seed, uint32_t epoch, const uint32_t *samples,
                                   int32_t count);

ren_status ren__session_run(ren__session *session, ren__run *run);
/* Gradients of the scalar output "loss" for all trained parameters; after ren__session_run in training mode. */
ren_status ren__session_backward(ren__session *session, ren__run *run);
/* Seconds of each step are written to the arrays (step_count long, or NULL: no longer) by all later passes. */
void ren__session_time(ren__session *session, double *forward, double *backward);
int32_t ren__session_step_count(const ren__session *session);
/* The operator of a step, its output's shape and its floating-point operations. */
const char *ren__session_step(const ren__session *session, int32_t index, ren__shape *shape, double *flops);
/* By parameter index of the weights; NULL for buffers. Valid until the next backward. */
float *ren__session_gradient(ren__session *session, int32_t parameter);

#endif
