/* SPDX-License-Identifier: Apache-2.0 */
/* The processor's floating-point mode: rounding, exceptions, flush to zero. Hosts that run with denormals flushed must
 * get the same bits as others and find their mode as they left it. */
#ifndef REN_BASE_FLOATING_H
#define REN_BASE_FLOATING_H

#if defined(__SSE2__)
#include <xmmintrin.h>
#define REN_FLOATING_GET()     _mm_getcsr()
#define REN_FLOATING_SET(mode) _mm_setcsr(mode)
#else
#define REN_FLOATING_GET()     0u
#define REN_FLOATING_SET(mode) ((void)(mode))
#endif

/* MXCSR with round to nearest, all exceptions masked, denormals kept. */
enum { REN_FLOATING_DEFAULT = 0x1F80 };

/* Sets the default on this thread and gives the mode before. */
static inline unsigned ren__floating_enter(void) {
    const unsigned before = REN_FLOATING_GET();

    REN_FLOATING_SET(REN_FLOATING_DEFAULT);
    return before;
}

static inline void ren__floating_leave(unsigned before) {
    REN_FLOATING_SET(before);
}

/* Around a call back to the host: sets the host's mode, gives ours. */
static inline unsigned ren__floating_host(unsigned host) {
    const unsigned ours = REN_FLOATING_GET();

    REN_FLOATING_SET(host);
    return ours;
}

#endif
