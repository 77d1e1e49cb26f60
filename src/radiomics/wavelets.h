/* SPDX-License-Identifier: Apache-2.0 */
/* The filters of all discrete wavelets that PyWavelets names. */
#ifndef REN_RADIOMICS_WAVELETS_H
#define REN_RADIOMICS_WAVELETS_H

#include <stddef.h>
#include <stdint.h>

enum { REN__WAVELET_PAIR = 0, REN__WAVELET_ORTHOGONAL, REN__WAVELET_REVERSED, REN__WAVELET_TAPS_MAX = 128 };

/* Decomposition's low-pass filter and reconstruction's, which the high-pass filter follows from. Orthogonal: the second
 * is the first reversed, and both point to the same numbers. Reversed: each is stored backwards. */
typedef struct ren__wavelet {
    const char *name;
    const double *low, *back;
    int32_t taps, kind; /* REN__WAVELET_* */
} ren__wavelet;

const ren__wavelet *ren__wavelet_find(const char *name); /* NULL: there is none */
const ren__wavelet *ren__wavelet_list(void);             /* ended by a NULL name */
/* The two filters of decomposition, `taps` numbers each. */
void ren__wavelet_filters(const ren__wavelet *wavelet, double low[REN__WAVELET_TAPS_MAX],
                          double high[REN__WAVELET_TAPS_MAX]);
/* One of these filters as PyWavelets has it for images of 32-bit floats. */
void ren__wavelet_single(const ren__wavelet *wavelet, const double *filter, float *out);

#endif
