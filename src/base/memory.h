/* SPDX-License-Identifier: Apache-2.0 */
/* Memory from the host's allocator, counted against the context's and the running call's limits. */
#ifndef REN_BASE_MEMORY_H
#define REN_BASE_MEMORY_H

#include "base/status.h"

/* All blocks are 64-byte aligned and know their size and context, so that freeing needs the pointer alone. A NULL
 * answer has set the error text; pass on ren__out_of_memory() (REN_E_MEMORY or REN_E_LIMIT). A zero size gives a valid
 * block. */
void *ren__alloc(ren_context *context, size_t size);
void *ren__calloc(ren_context *context, size_t count, size_t size); /* zeroed; the product is checked */
void *ren__alloc_array(ren_context *context, size_t count, size_t size);
void *ren__realloc(ren_context *context, void *memory, size_t size); /* old block stays on failure; NULL: alloc */
char *ren__strdup(ren_context *context, const char *text);
void ren__free(void *memory);
int ren__limit_was_passed(void); /* the reason of this thread's last failed allocation */

/* The code of this thread's last failed allocation. A macro for the same reason as ren__error. */
#define ren__out_of_memory() ((ren_status)(ren__limit_was_passed() ? REN_E_LIMIT : REN_E_MEMORY))

/* Overflow-checked sizes: false where the result does not fit. */
int ren__mul_size(size_t a, size_t b, size_t *product);
int ren__add_size(size_t a, size_t b, size_t *sum);

/* A grow-only pool for many small objects with one end. */
typedef struct ren__arena ren__arena;
ren_status ren__arena_create(ren_context *context, ren__arena **out);
void *ren__arena_alloc(ren__arena *arena, size_t size); /* zeroed */
char *ren__arena_strdup(ren__arena *arena, const char *text);
void ren__arena_free(ren__arena *arena);

#define REN_ALLOC(variable, bytes)                                                                                     \
    do {                                                                                                               \
        (variable) = ren__alloc(context, (bytes));                                                                     \
        if (!(variable)) {                                                                                             \
            st = ren__out_of_memory();                                                                                 \
            goto out;                                                                                                  \
        }                                                                                                              \
    } while (0)
#define REN_CALLOC(variable, count)                                                                                    \
    do {                                                                                                               \
        (variable) = ren__calloc(context, (count), sizeof *(variable));                                                \
        if (!(variable)) {                                                                                             \
            st = ren__out_of_memory();                                                                                 \
            goto out;                                                                                                  \
        }                                                                                                              \
    } while (0)

#endif
