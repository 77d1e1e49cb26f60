/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/weights.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/parallel.h"
#include "base/random.h"
#include "graph/op.h"

/* Something computed from the weights; a list, because a network has some dozens at most. */
typedef struct derived {
    struct derived *next;
    void *data;
    size_t key_bytes;
    uint8_t key[];
} derived;

struct ren__weights {
    atomic_int references;
    ren_context *context; /* held */
    ren__arena *arena;
    int32_t count;
    ren__parameter *parameters;
    float **data;      /* each an allocation of its own: the largest is hundreds of megabytes */
    int64_t *arranged; /* channels of a matrix whose columns are arranged; 0: as in the checkpoint */
    pthread_mutex_t lock;
    int has_lock;
    derived *derived;
};

ren_status ren__weights_create(ren_context *context, const ren__graph *graph, ren__weights **out) {
    ren_status st = REN_OK;
    ren__weights *weights = NULL;
    int32_t count = 0;
    REN_TRY(ren__graph_status(graph));
    REN_CALLOC(weights, 1);
    atomic_init(&weights->references, 1);
    weights->context = ren__context_retain(context);
    weights->has_lock = pthread_mutex_init(&weights->lock, NULL) == 0;
    if (!weights->has_lock) REN_FAIL(REN_E_MEMORY, "no memory for a lock");
    REN_TRY(ren__arena_create(context, &weights->arena));
    count = ren__graph_parameter_count(graph);
    REN_CALLOC(weights->parameters, (size_t)count + 1);
    REN_CALLOC(weights->data, (size_t)count + 1);
    REN_CALLOC(weights->arranged, (size_t)count + 1);
    for (int32_t i = 0; i < count; i++) {
        ren__parameter *parameter = &weights->parameters[i];
        *parameter = *ren__graph_parameter_at(graph, i);
        parameter->name = ren__arena_strdup(weights->arena, parameter->name);
        weights->data[i] = ren__alloc_array(context, (size_t)ren__shape_elements(&parameter->shape), sizeof(float));
        weights->count++;
        if (!parameter->name || !weights->data[i]) {
            st = ren__out_of_memory();
            goto out;
        }
    }
    *out = weights;
    return REN_OK;
out:
    ren__weights_release(weights);
    return st;
}

ren__weights *ren__weights_retain(ren__weights *weights) {
    atomic_fetch_add(&weights->references, 1);
    return weights;
}

void ren__weights_release(ren__weights *weights) {
    if (!weights || atomic_fetch_sub(&weights->references, 1) != 1) return;
    ren_context *context = weights->context;
    for (derived *next, *entry = weights->derived; entry; entry = next) {
        next = entry->next;
        ren__free(entry->data);
        ren__free(entry);
    }
    for (int32_t i = 0; i < weights->count; i++)
        ren__free(weights->data[i]);
    ren__free(weights->data);
    ren__free(weights->arranged);
    ren__free(weights->parameters);
    ren__arena_free(weights->arena);
    if (weights->has_lock) pthread_mutex_destroy(&weights->lock);
    ren__free(weights);
    ren__context_release(context);
}

int32_t ren__weights_count(const ren__weights *weights) {
    return weights->count;
}

const char *ren__weights_name(const ren__weights *weights, int32_t index) {
    return weights->parameters[index].name;
}

const ren__shape *ren__weights_shape(const ren__weights *weights, int32_t index) {
    return &weights->parameters[index].shape;
}

int ren__weights_trained(const ren__weights *weights, int32_t index) {
    return weights->parameters[index].trained;
}

size_t ren__weights_elements(const ren__weights *weights, int32_t index) {
    return (size_t)ren__shape_elements(&weights->parameters[index].shape);
}

float *ren__weights_data(ren__weights *weights, int32_t index) {
    return weights->data[index];
}

const float *ren__weights_read(const ren__weights *weights, int32_t index) {
    return weights->data[index];
}

int32_t ren__weights_find(const ren__weights *weights, const char *name) {
    for (int32_t i = 0; i < weights->count; i++)
        if (strcmp(weights->parameters[i].name, name) == 0) return i;
    return -1;
}

size_t ren__weights_bytes(const ren__weights *weights) {
    size_t bytes = 0;
    for (int32_t i = 0; i < weights->count; i++)
        bytes += ren__weights_elements(weights, i) * sizeof(float);
    return bytes;
}

/* ---- the order of columns ---- */

/* rows x columns to columns x rows, in squares that stay in the first-level cache. */
static void transpose(const float *from, int64_t rows, int64_t columns, float *to) {
    enum { EDGE = 16 };
    for (int64_t r0 = 0; r0 < rows; r0 += EDGE)
        for (int64_t c0 = 0; c0 < columns; c0 += EDGE) {
            int64_t r1 = r0 + EDGE < rows ? r0 + EDGE : rows, c1 = c0 + EDGE < columns ? c0 + EDGE : columns;
            for (int64_t c = c0; c < c1; c++)
                for (int64_t r = r0; r < r1; r++)
                    to[c * rows + r] = from[r * columns + c];
        }
}

ren_status ren__weights_arrange(ren__weights *weights, int32_t index, int64_t channels) {
    const ren__shape *shape = &weights->parameters[index].shape;
    if (shape->rank != 2 || channels < 1 || shape->dim[1] % channels)
        return ren__error(REN_E_INTERNAL, "the columns of %s cannot be arranged", weights->parameters[index].name);
    weights->arranged[index] = channels;
    return REN_OK;
}

int64_t ren__weights_arranged(const ren__weights *weights, int32_t index) {
    return weights->arranged[index];
}

void ren__weights_put_row(ren__weights *weights, int32_t index, int64_t row, const float *values) {
    int64_t columns = weights->parameters[index].shape.dim[1], channels = weights->arranged[index];
    transpose(values, channels, columns / channels, weights->data[index] + row * columns);
}

void ren__weights_get_row(const ren__weights *weights, int32_t index, int64_t row, float *values) {
    int64_t columns = weights->parameters[index].shape.dim[1], channels = weights->arranged[index];
    transpose(weights->data[index] + row * columns, columns / channels, channels, values);
}

/* ---- drawing ---- */

enum { CHUNK = 4096 };

typedef struct drawing {
    float *data;
    ren__initialiser initialiser;
    uint64_t seed;
    uint32_t parameter;
    int64_t last; /* length of the last axis */
} drawing;

/* Normal, redrawn until within two standard deviations. */
static double truncated_normal(ren__rng *rng) {
    for (;;) {
        double value = ren__rng_normal(rng);
        if (fabs(value) <= 2.0) return value;
    }
}

static double draw_one(const drawing *d, int64_t index, ren__rng *rng) {
    switch (d->initialiser.kind) {
    case REN__INIT_ONE:
        return 1.0;
    case REN__INIT_UNIFORM:
        return (2.0 * ren__rng_uniform(rng) - 1.0) * d->initialiser.scale;
    case REN__INIT_TRUNCATED_NORMAL:
        return truncated_normal(rng) * d->initialiser.scale;
    case REN__INIT_LOG_INDEX:
        return log((double)(index % d->last + 1));
    case REN__INIT_INVERSE_SOFTPLUS: {
        const double step = exp(ren__rng_uniform(rng) * (log(0.1) - log(0.001)) + log(0.001));
        return step + log(-expm1(-step));
    }
    default:
        return 0.0;
    }
}

static void draw(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const drawing *d = argument;
    ren__rng rng;
    (void)thread;
    ren__rng_init(&rng, d->seed, d->parameter, (uint32_t)(begin / CHUNK));
    for (int64_t i = begin; i < end; i++)
        d->data[i] = (float)draw_one(d, i, &rng);
}

/* What was drawn in the published order. */
static ren_status arrange_drawn(ren__weights *weights, int32_t index) {
    ren_status st = REN_OK;
    ren_context *context = weights->context;
    const int64_t *dim = weights->parameters[index].shape.dim;
    float *row = NULL;
    REN_ALLOC(row, (size_t)dim[1] * sizeof *row);
    for (int64_t i = 0; i < dim[0]; i++) {
        memcpy(row, weights->data[index] + i * dim[1], (size_t)dim[1] * sizeof *row);
        ren__weights_put_row(weights, index, i, row);
    }
out:
    ren__free(row);
    return st;
}

ren_status ren__weights_initialise(ren__weights *weights, uint64_t seed) {
    ren_status st = REN_OK;
    for (int32_t i = 0; i < weights->count; i++) {
        const ren__shape *shape = &weights->parameters[i].shape;
        drawing d = { weights->data[i], weights->parameters[i].initialiser, seed, (uint32_t)i,
                      shape->rank ? shape->dim[shape->rank - 1] : 1 };
        ren__parallel_for(weights->context, NULL, ren__shape_elements(shape), CHUNK, draw, &d);
        if (weights->arranged[i]) REN_TRY(arrange_drawn(weights, i));
    }
out:
    return st;
}

/* ---- derived data ---- */

static ren_status derive(ren__weights *weights, const void *key, size_t key_bytes, size_t bytes, ren__derive_fn fill,
                         void *argument, const void **out) {
    ren_status st = REN_OK;
    ren_context *context = weights->context;
    derived *entry = NULL;
    for (derived *d = weights->derived; d; d = d->next)
        if (d->key_bytes == key_bytes && memcmp(d->key, key, key_bytes) == 0) {
            *out = d->data;
            return REN_OK;
        }
    REN_ALLOC(entry, sizeof *entry + key_bytes);
    memset(entry, 0, sizeof *entry);
    entry->key_bytes = key_bytes;
    memcpy(entry->key, key, key_bytes);
    REN_ALLOC(entry->data, bytes);
    REN_TRY(fill(argument, entry->data));
    entry->next = weights->derived;
    weights->derived = entry;
    *out = entry->data;
    return REN_OK;
out:
    if (entry) ren__free(entry->data);
    ren__free(entry);
    return st;
}

ren_status ren__weights_derive(ren__weights *weights, const void *key, size_t key_bytes, size_t bytes,
                               ren__derive_fn fill, void *argument, const void **out) {
    pthread_mutex_lock(&weights->lock);
    ren_status st = derive(weights, key, key_bytes, bytes, fill, argument, out);
    pthread_mutex_unlock(&weights->lock);
    return st;
}
