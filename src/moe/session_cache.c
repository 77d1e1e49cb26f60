/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions kept for the next prediction, least recently used first to go. */
#include <pthread.h>

#include "base/ledger.h"
#include "moe/session_cache.h"

/* With this the experts of one mixture, which run one after another, stay well within 1 GB beyond their weights. */
#define DEFAULT_LIMIT ((size_t)512 << 20)

typedef struct kept {
    struct kept *next;
    const ren_expert *expert;
    ren__session *session; /* NULL while it is being made */
    size_t bytes;
    uint64_t used; /* the cache's clock when it came back */
    int borrowed;
} kept;

struct ren__session_cache {
    ren_context *context; /* its owner holds the context */
    pthread_mutex_t mutex;
    kept *first;
    size_t limit, bytes; /* `bytes`: of all sessions, borrowed and idle */
    uint64_t clock;
};

ren_status ren__session_cache_create(ren_context *context, ren__session_cache **out) {
    ren_status st = REN_OK;
    ren__session_cache *cache = NULL;
    const size_t part = ren__ledger_limit(context->ledger) / 4;

    REN_CALLOC(cache, 1);
    cache->context = context;
    cache->limit = part != 0 && part < DEFAULT_LIMIT ? part : DEFAULT_LIMIT;
    if (pthread_mutex_init(&cache->mutex, NULL) != 0) {
        ren__free(cache);
        REN_FAIL(REN_E_MEMORY, "the system gives no mutex");
    }
    *out = cache;
out:
    return st;
}

static void end_list(kept *list) {
    while (list) {
        kept *next = list->next;
        ren__session_free(list->session);
        ren__free(list);
        list = next;
    }
}

void ren__session_cache_free(ren__session_cache *cache) {
    if (!cache) return;
    end_list(cache->first);
    pthread_mutex_destroy(&cache->mutex);
    ren__free(cache);
}

/* Takes one entry out of the list. */
static void unlink_entry(ren__session_cache *cache, const kept *entry) {
    for (kept **link = &cache->first; *link; link = &(*link)->next) {
        if (*link != entry) continue;
        *link = entry->next;
        cache->bytes -= entry->bytes;
        return;
    }
}

static kept *oldest_idle(const ren__session_cache *cache) {
    kept *oldest = NULL;

    for (kept *entry = cache->first; entry; entry = entry->next)
        if (!entry->borrowed && (!oldest || entry->used < oldest->used)) oldest = entry;
    return oldest;
}

/* Takes idle sessions out, oldest first, until `needed` more bytes stay within the limit. They are ended by the caller,
 * outside of the lock. */
static kept *make_room(ren__session_cache *cache, size_t needed) {
    const size_t room = needed < cache->limit ? cache->limit - needed : 0;
    kept *gone = NULL, *oldest;

    while (cache->bytes > room && (oldest = oldest_idle(cache))) {
        unlink_entry(cache, oldest);
        oldest->next = gone;
        gone = oldest;
    }
    return gone;
}

/* An idle session of the expert, now borrowed; or NULL. */
static ren__session *take_idle(ren__session_cache *cache, const ren_expert *expert) {
    ren__session *session = NULL;

    pthread_mutex_lock(&cache->mutex);
    for (kept *entry = cache->first; entry && !session; entry = entry->next) {
        if (entry->borrowed || entry->expert != expert) continue;
        entry->borrowed = 1;
        session = entry->session;
    }
    pthread_mutex_unlock(&cache->mutex);
    return session;
}

/* Enters a session that is about to be made, so that its bytes count while it is. */
static void reserve(ren__session_cache *cache, kept *entry) {
    pthread_mutex_lock(&cache->mutex);
    kept *gone = make_room(cache, entry->bytes);
    entry->next = cache->first;
    cache->first = entry;
    cache->bytes += entry->bytes;
    pthread_mutex_unlock(&cache->mutex);
    end_list(gone);
}

/* Makes the session; where memory is short, once more without any idle session. */
static ren_status make_session(ren__session_cache *cache, const ren_expert *expert, ren__session **session) {
    const ren_status st = ren__expert_session(expert, session);

    if (st != REN_E_MEMORY && st != REN_E_LIMIT) return st;
    pthread_mutex_lock(&cache->mutex);
    kept *gone = make_room(cache, cache->limit);
    pthread_mutex_unlock(&cache->mutex);
    if (!gone) return st;
    end_list(gone);
    return ren__expert_session(expert, session);
}

ren_status ren__session_borrow(ren__session_cache *cache, const ren_expert *expert, ren__session **out) {
    ren__session *session = take_idle(cache, expert);
    size_t bytes = 0;

    if (session) {
        *out = session;
        return REN_OK;
    }
    ren_status st = ren_expert_session_bytes(expert, &bytes);
    if (st != REN_OK) return st;
    kept *entry = ren__calloc(cache->context, 1, sizeof *entry);
    if (!entry) return ren__out_of_memory();
    entry->expert = expert;
    entry->bytes = bytes;
    entry->borrowed = 1;
    reserve(cache, entry);

    st = make_session(cache, expert, &session);
    pthread_mutex_lock(&cache->mutex);
    if (st == REN_OK) {
        entry->session = session;
        cache->bytes += ren__session_bytes(session) - entry->bytes;
        entry->bytes = ren__session_bytes(session);
    } else {
        unlink_entry(cache, entry);
    }
    pthread_mutex_unlock(&cache->mutex);
    if (st == REN_OK)
        *out = session;
    else
        ren__free(entry);
    return st;
}

void ren__session_return(ren__session_cache *cache, ren__session *session) {
    kept *entry;

    if (!session) return;
    pthread_mutex_lock(&cache->mutex);
    for (entry = cache->first; entry && entry->session != session;)
        entry = entry->next;
    if (entry) {
        entry->borrowed = 0;
        entry->used = ++cache->clock;
    }
    kept *gone = make_room(cache, 0);
    pthread_mutex_unlock(&cache->mutex);
    end_list(gone);
}

void ren__session_cache_count(ren__session_cache *cache, size_t *sessions, size_t *bytes) {
    size_t count = 0;

    pthread_mutex_lock(&cache->mutex);
    for (const kept *entry = cache->first; entry; entry = entry->next)
        count++;
    *bytes = cache->bytes;
    pthread_mutex_unlock(&cache->mutex);
    *sessions = count;
}

void ren__session_cache_limit(ren__session_cache *cache, size_t bytes) {
    pthread_mutex_lock(&cache->mutex);
    cache->limit = bytes;
    pthread_mutex_unlock(&cache->mutex);
}
