/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine, the scheduler and the container allow. */
#ifndef REN_BASE_PROCESSORS_H
#define REN_BASE_PROCESSORS_H

#include <stdint.h>

/* Processors for this process: affinity and the CPU quota of its control group, at least 1. */
int32_t ren__processor_count(void);
/* The quota alone, rounded up, or 0 for none; `root` is "" but for tests, which make a tree of their own. */
int32_t ren__processor_quota(const char *root);
/* REN_ISA_* that the processor and the operating system run. */
int32_t ren__processor_isa(void);

#endif
