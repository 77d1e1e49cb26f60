/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/bfloat_rows.h"

#include <string.h>

#include "kernels/linear.h"

int ren__bfloat_rows_apply(const ren__step *step, int64_t rows, int64_t inputs) {
    const ren__conv_shape shape = { .groups = 1, .in_channels = inputs };
    return step->bfloat && rows > REN__LINEAR_FEW && ren__conv_bfloat_gains(&shape);
}

ren_status ren__bfloat_rows_plan(ren__step *step, int64_t rows, int64_t inputs, int64_t outputs, int32_t relu) {
    ren_status st = REN_OK;
    ren_context *context = step->context;
    ren__bfloat_rows *state = NULL;
    ren__conv_shape shape = { .batch = 1, .in_channels = inputs, .out_channels = outputs, .groups = 1 };
    for (int i = 0; i < 3; i++)
        shape.in[i] = shape.out[i] = shape.kernel[i] = shape.stride[i] = 1;
    shape.in[0] = shape.out[0] = rows;
    REN_CALLOC(state, 1);
    step->state = state;
    REN_TRY(ren__conv_create(context, &shape, REN__CONV_FORWARD_BFLOAT, relu, 1, &state->conv));
    step->scratch_bytes = ren__conv_scratch_bytes(state->conv);
out:
    return st;
}

ren__bfloat_rows *ren__bfloat_rows_of(const ren__step *step) {
    return step->state;
}

typedef struct packing {
    ren__step *step;
    void (*arrange)(ren__step *step, float *matrix);
} packing;

static ren_status fill(void *argument, void *out) {
    const packing *p = argument;
    ren__step *step = p->step;
    ren_context *context = step->context;
    ren_status st = REN_OK;
    float *matrix = NULL;
    if (p->arrange) {
        REN_ALLOC(matrix, ren__weights_elements(step->weights, step->weight_index[0]) * sizeof *matrix);
        p->arrange(step, matrix);
    }
    REN_TRY(ren__conv_pack(ren__bfloat_rows_of(step)->conv, matrix ? matrix : step->parameter[0], out));
out:
    ren__free(matrix);
    return st;
}

ren_status ren__bfloat_rows_prepare(ren__step *step, void (*arrange)(ren__step *step, float *matrix)) {
    ren__bfloat_rows *state = step->state;
    packing p = { step, arrange };
    struct {
        char kind[8];
        int32_t weight, arranged;
    } head = { "rows", step->weight_index[0], arrange != NULL };
    uint8_t key[2048];
    size_t layout_bytes = 0;
    const void *layout = ren__conv_packing(state->conv, &layout_bytes);
    if (sizeof head + layout_bytes > sizeof key)
        return ren__error(REN_E_INTERNAL, "linear: the packing's key is too long");
    memcpy(key, &head, sizeof head);
    memcpy(key + sizeof head, layout, layout_bytes);
    return ren__weights_derive(step->weights, key, sizeof head + layout_bytes, ren__conv_packed_bytes(state->conv),
                               fill, &p, &state->packed);
}

ren_status ren__bfloat_rows_forward(ren__step *step, const float *bias, float *output, ren__slab_fn after,
                                    void *argument) {
    const ren__bfloat_rows *state = step->state;
    return ren__conv_forward(state->conv, step->run, step->input[0], state->packed, bias, output, step->scratch, after,
                             argument);
}

void ren__bfloat_rows_release(ren__step *step) {
    ren__bfloat_rows *state = step->state;
    if (state) ren__conv_free(state->conv);
    ren__free(state);
}
