/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions kept for the next prediction. A session belongs to one thread while it is borrowed; idle ones wait in the
 * cache until one of the same expert is asked for, and the least recently used go when the bytes of all
 * sessions pass the limit. Many threads may borrow at once: what is borrowed cannot be dropped, so that the limit
 * bounds what is kept, and one session a thread is always possible.
 */
#ifndef REN_MOE_SESSION_CACHE_H
#define REN_MOE_SESSION_CACHE_H

#include "moe/moe.h"

ren_status ren__session_cache_create(ren_context *context, ren__session_cache **out);
void ren__session_cache_free(ren__session_cache *cache); /* nothing is borrowed any more */

/* An idle session of the expert, or a new one, for which idle sessions make room first. */
ren_status ren__session_borrow(ren__session_cache *cache, const ren_expert *expert, ren__session **out);
/* Gives a borrowed session back. */
void ren__session_return(ren__session_cache *cache, ren__session *session);

/* A new session for the expert: sparse where it can be, and then prepared. */
ren_status ren__expert_session(const ren_expert *expert, ren__session **session);

/* For tests: sessions held, borrowed or not, and their bytes. */
void ren__session_cache_count(ren__session_cache *cache, size_t *sessions, size_t *bytes);
/* For tests: another limit than the context's size gives. */
void ren__session_cache_limit(ren__session_cache *cache, size_t bytes);

#endif
