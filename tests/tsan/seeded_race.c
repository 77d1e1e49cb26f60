/* SPDX-License-Identifier: Apache-2.0 */
/* A race on purpose, in a loop of the library: ThreadSanitizer must report it, or its silence elsewhere means nothing.
 */
#include <stdio.h>

#include "base/parallel.h"

static void add_unguarded(void *argument, int64_t begin, int64_t end, int32_t thread) {
    volatile int64_t *sum = argument; /* so that every addition is made */

    (void)thread;
    for (int64_t i = begin; i < end; i++)
        *sum += i; /* all threads, one sum */
}

int main(void) {
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *context = NULL;
    int64_t sum = 0;

    options.threads = 2;
    if (ren_context_create(&options, &context) != REN_OK) return 1;
    ren__parallel_for(context, NULL, 20000000, 1000, add_unguarded, &sum);
    ren_context_free(context);
    printf("%lld\n", (long long)sum);
    return 0;
}
