/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context's own threads.
 *
 * A loop never waits for a thread that has not begun to help: the caller works through the chunks itself, whoever comes
 * takes some of them, and at the end only chunks under way are waited for. So a machine that has no processor to spare,
 * or a context with more threads than there are processors, costs nothing; and while one caller has the pool, others
 * work on their own thread alone, so that a host with many threads is never oversubscribed.
 */
#ifndef REN_BASE_POOL_H
#define REN_BASE_POOL_H

#include "base/context.h"

typedef struct ren__pool ren__pool;

/* For a context of `threads` threads, the caller's among them; none is started before the first job. */
ren__pool *ren__pool_create(ren_context *context, int32_t threads); /* NULL: no memory */
void ren__pool_free(ren__pool *pool, ren_context *context);

/* Called by each thread that takes part, with its number; returns when there is nothing left to begin. */
typedef void (*ren__pool_fn)(void *argument, int32_t thread);

/* Runs `fn` on the calling thread (number 0) and on at most `helpers` of the pool's; returns when all have returned. */
void ren__pool_run(ren__pool *pool, int32_t helpers, ren__pool_fn fn, void *argument);

#endif
