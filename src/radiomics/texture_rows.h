/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inner loops over rows of a bordered grid of levels, for each instruction set.
 *
 * A row is `n` cells from `centre` on; neighbours are at `distances` cells from it. Loops run in whole vectors: up to
 * REN__ROW_OVERRUN - 1 cells past n are read, and as many elements past n of the output are overwritten.
 */
#ifndef REN_RADIOMICS_TEXTURE_ROWS_H
#define REN_RADIOMICS_TEXTURE_ROWS_H

#include <stdint.h>

#include "base/context.h"

enum { REN__ROW_OVERRUN = 64, REN__ROW_MATCHES = 16 };

typedef struct ren__row_kernels {
    /* count[x]: neighbours with the centre's level. */
    void (*equal)(const void *centre, const int64_t *distances, int64_t steps, int64_t n, uint16_t *count);
    /* count[x]: neighbours from low[x] to low[x] + width[x]. */
    void (*within)(const void *centre, const int64_t *distances, int64_t steps, int64_t n, const uint16_t *low,
                   const uint16_t *width, uint16_t *count);
    /* count[x]: neighbours that are not 0; sum[x]: of their levels. At most 65,535 steps. */
    void (*neighbours)(const void *centre, const int64_t *distances, int64_t steps, int64_t n, uint16_t *count,
                       uint32_t *sum);
    /* Bit s of match[x]: neighbour s has the centre's level. At most REN__ROW_MATCHES steps. */
    void (*match)(const void *centre, const int64_t *distances, int64_t steps, int64_t n, uint16_t *match);
    /* place[x]: place_before[x] + 1 where the neighbour has the centre's level, else 1. */
    void (*advance)(const void *centre, int64_t distance, int64_t n, const uint16_t *place_before, uint16_t *place);
} ren__row_kernels;

extern const ren__row_kernels ren__row_kernels_plain[2], ren__row_kernels_avx2[2], ren__row_kernels_avx512[2];

/* For cells of uint8_t, or (`wide`) uint16_t. */
const ren__row_kernels *ren__row_kernels_of(const ren_context *context, int wide);

#endif
