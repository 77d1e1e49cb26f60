/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/pooled.h"

#include "kernels/stem.h"

enum { TAPS = 27, OUTPUTS_STEP = 16 };

int ren__pooled_applies(const ren__conv_shape *s, int64_t pool) {
    for (int i = 0; i < 3; i++)
        if (s->kernel[i] != 3 || s->stride[i] != 1 || s->pad[i] != 1 || s->out[i] % 2) return 0;
    return pool == 2 && s->groups == 1 && (ren__stem_applies(s, pool) || s->out_channels % OUTPUTS_STEP == 0);
}

size_t ren__pooled_packed_bytes(const ren__conv_shape *s) {
    return (size_t)(TAPS * s->in_channels * s->out_channels) * sizeof(float);
}

void ren__pooled_pack(const ren__conv_shape *s, const float *weights, float *packed) {
    if (ren__stem_applies(s, 2)) {
        ren__stem_pack(s, weights, packed);
        return;
    }
    for (int64_t first = 0; first < s->out_channels; first += REN__PANEL) {
        int64_t end = first + REN__PANEL < s->out_channels ? first + REN__PANEL : s->out_channels;
        for (int64_t t = 0; t < TAPS; t++)
            for (int64_t i = 0; i < s->in_channels; i++)
                for (int64_t o = first; o < end; o++)
                    *packed++ = weights[(o * s->in_channels + i) * TAPS + t];
    }
}

void ren__pooled_row(const ren__vector *vector, const ren__conv_shape *s, const float *x, int64_t plane, int64_t row,
                     int64_t cells, const float *packed, const float *bias, int relu, float *y) {
    if (ren__stem_applies(s, 2))
        vector->stem_row(x, plane, row, cells, s->out_channels, packed, bias, relu, y);
    else
        vector->pooled_row(x, plane, row, cells, s->in_channels, s->out_channels, packed, bias, relu, y);
}
