/* SPDX-License-Identifier: Apache-2.0 */
/* What operators with a dropout of their own share with dropout.c. */
#ifndef REN_OPS_DROPOUT_H
#define REN_OPS_DROPOUT_H

#include "graph/op.h"

/* 1 / (1 - rate) or 0 for `count` elements of batch entry `sample` of this node, from element `index` on. They follow
 * from (seed, epoch, sample, node, index) alone, so that backward draws them again. */
void ren__dropout_factors(const ren__step *step, double rate, int64_t sample, uint64_t index, int64_t count,
                          float *factors);

#endif
