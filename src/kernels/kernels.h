/* SPDX-License-Identifier: Apache-2.0 */
/* What the floors above may ask of the kernels as a whole. */
#ifndef REN_KERNELS_KERNELS_H
#define REN_KERNELS_KERNELS_H

#include "base/context.h"

/* REN_ISA_* that oneDNN's cap for the process (ONEDNN_MAX_CPU_ISA) and the processor allow. */
int32_t ren__onednn_isa(void);
/* The set that libren's own kernels use: the context's, never above oneDNN's cap. */
int32_t ren__kernels_isa(const ren_context *context);
/* Not 0 where the processor multiplies bfloat16 (AVX512-BF16 or AMX) and oneDNN's cap lets it. */
int ren__onednn_bfloat(void);
/* "2.6.3" */
const char *ren__onednn_version(void);
/* GFLOP/s of a square float32 matrix product of this size with the context's threads: the machine's practical peak. */
ren_status ren__matmul_rate(ren_context *context, int64_t size, double *gflops);

#endif
