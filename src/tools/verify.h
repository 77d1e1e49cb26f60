/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `ren verify` share. */
#ifndef REN_TOOLS_VERIFY_H
#define REN_TOOLS_VERIFY_H

#include <jansson.h>

#include "base/text.h"
#include "graph/weights.h"

typedef struct ren__verification {
    ren_context *context;
    ren__run *run;
    ren_text *lines;
    ren__safetensors *io;
    json_t *config, *loss, *zero_gradients;
    ren__graph *graph;
    ren__weights *weights;
    ren__session *session;
    double rtol, rtol_gradient, largest_gradient, worst;
    char worst_name[128];
    int64_t compared, missing, excess, gradients;
} ren__verification;

/* One line of the report: the rule of comparison applied to a recorded tensor; `ours` NULL or of another size: it was
 * not computed. */
ren_status ren__verify_compare(ren__verification *v, const ren__tensor_entry *entry, const float *ours, size_t count);

/* The operator `selective_scan` by itself, which has no file of weights: everything recorded of its outputs, and of the
 * gradients of its inputs for the loss `dot`. */
ren_status ren__verify_scan(ren__verification *v);

#endif
