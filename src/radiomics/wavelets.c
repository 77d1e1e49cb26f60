/* SPDX-License-Identifier: Apache-2.0 */
/* The table of wavelets, and their filters. */
#include "radiomics/wavelets.h"

#include <math.h>
#include <string.h>

#include "radiomics/wavelet_filters.h"

#define ENTRY(name, taps, low, back, kind) { name, low, back, taps, kind },
static const ren__wavelet wavelets[] = { REN__WAVELETS(ENTRY){ NULL, NULL, NULL, 0, 0 } };

const ren__wavelet *ren__wavelet_find(const char *name) {
    for (const ren__wavelet *wavelet = wavelets; wavelet->name; wavelet++)
        if (strcmp(wavelet->name, name) == 0) return wavelet;
    return NULL;
}

const ren__wavelet *ren__wavelet_list(void) {
    return wavelets;
}

void ren__wavelet_filters(const ren__wavelet *wavelet, double low[REN__WAVELET_TAPS_MAX],
                          double high[REN__WAVELET_TAPS_MAX]) {
    const int32_t last = wavelet->taps - 1;
    for (int32_t k = 0; k <= last; k++) {
        const int reversed = wavelet->kind == REN__WAVELET_REVERSED;
        const double back = wavelet->back[wavelet->kind == REN__WAVELET_PAIR ? k : last - k];
        low[k] = wavelet->low[reversed ? last - k : k];
        high[k] = (last - k) % 2 == 0 ? back : -back;
    }
}

void ren__wavelet_single(const ren__wavelet *wavelet, const double *filter, float *out) {
    const double root = sqrt(2.0);
    /* PyWavelets stores coiflets without this factor, and multiplies in 32 bits */
    const int scaled = strncmp(wavelet->name, "coif", 4) == 0;
    for (int32_t k = 0; k < wavelet->taps; k++)
        out[k] = scaled ? (float)(filter[k] / root) * (float)root : (float)filter[k];
}
