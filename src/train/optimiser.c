/* SPDX-License-Identifier: Apache-2.0 */
/* AdamW and SGD in one fused pass over each element: clip, decay, moments, update. */
#include "train/optimiser.h"

#include <math.h>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "base/parallel.h"

/* Elements of a chunk: 64 KiB an array, so that a chunk's four arrays stay in the second-level cache. */
enum { CHUNK = 16384 };
/* A chunk's sum of squares runs in this many lanes: the order is fixed and the compiler can use vectors. */
enum { LANES = 16 };
/* AdamW goes by so many elements, between whose two loops stand the square roots. */
enum { BLOCK = 64 };

/* A stretch of one parameter. The list of all of them is what the threads share out. */
typedef struct stretch {
    int32_t parameter;
    size_t begin, count;
} stretch;

struct ren__optimiser {
    ren_context *context; /* held */
    ren__optimiser_options options;
    int32_t count, moments;
    int64_t steps;
    float **moment; /* [moments x count] */
    double *factor; /* per parameter, of the learning rate */
    stretch *stretches;
    double *square; /* per stretch: sum of squares */
    int64_t stretch_count;
};

typedef struct step {
    const ren__optimiser *optimiser;
    float *const *parameters;
    const float *const *gradients;
    double learning_rate;      /* before the parameters' factors */
    float clip, rate;          /* factor of the gradients, learning rate */
    float decay;               /* AdamW: 1 - rate x weight decay; SGD: weight decay */
    float blend, keep, gain;   /* AdamW: 1 - beta 1, beta 2, 1 - beta 2 */
    float size, root, epsilon; /* AdamW: rate / correction 1, 1 / sqrt(correction 2) */
    float momentum;
} step;

static ren_status check_options(const ren__optimiser_options *options) {
    const double *beta = options->beta;

    if (options->kind != REN__ADAMW && options->kind != REN__SGD)
        return ren__error(REN_E_INVALID, "optimiser: kind %d is neither AdamW nor SGD", (int)options->kind);
    if (!(options->weight_decay >= 0.0 && options->weight_decay < 1e6))
        return ren__error(REN_E_INVALID, "optimiser: the weight decay must be 0 or more");
    if (!(beta[0] >= 0.0 && beta[0] < 1.0 && beta[1] >= 0.0 && beta[1] < 1.0))
        return ren__error(REN_E_INVALID, "optimiser: betas must be at least 0 and below 1");
    if (!(options->epsilon > 0.0 && options->epsilon < 1.0))
        return ren__error(REN_E_INVALID, "optimiser: epsilon must be above 0 and below 1");
    if (!(options->momentum >= 0.0 && options->momentum < 1.0))
        return ren__error(REN_E_INVALID, "optimiser: momentum must be at least 0 and below 1");
    if (!(options->clip >= 0.0 && options->clip < 1e30))
        return ren__error(REN_E_INVALID, "optimiser: the clipping norm must be 0 (none) or more");
    return REN_OK;
}

static void cut_stretches(ren__optimiser *optimiser, const size_t *elements) {
    stretch *next = optimiser->stretches;

    for (int32_t p = 0; p < optimiser->count; p++)
        for (size_t begin = 0; begin < elements[p]; begin += CHUNK) {
            const size_t left = elements[p] - begin;
            *next++ = (stretch){ .parameter = p, .begin = begin, .count = left < CHUNK ? left : CHUNK };
        }
}

ren_status ren__optimiser_create(ren_context *context, const ren__optimiser_options *options, const size_t *elements,
                                 int32_t count, ren__optimiser **out) {
    ren_status st = check_options(options);
    ren__optimiser *optimiser = NULL;

    if (st != REN_OK) return st;
    REN_CALLOC(optimiser, 1);
    optimiser->context = ren__context_retain(context);
    optimiser->options = *options;
    optimiser->count = count;
    optimiser->moments = options->kind == REN__ADAMW ? 2 : options->momentum > 0.0;
    for (int32_t p = 0; p < count; p++)
        optimiser->stretch_count += (int64_t)(elements[p] / CHUNK + (elements[p] % CHUNK != 0));
    REN_CALLOC(optimiser->factor, (size_t)count);
    for (int32_t p = 0; p < count; p++)
        optimiser->factor[p] = 1.0;
    REN_CALLOC(optimiser->stretches, (size_t)optimiser->stretch_count);
    REN_CALLOC(optimiser->square, (size_t)optimiser->stretch_count);
    REN_CALLOC(optimiser->moment, (size_t)optimiser->moments * (size_t)count);
    for (int32_t m = 0; m < optimiser->moments * count; m++)
        REN_CALLOC(optimiser->moment[m], elements[m % count]);
    cut_stretches(optimiser, elements);
    *out = optimiser;
    optimiser = NULL;
out:
    ren__optimiser_free(optimiser);
    return st;
}

void ren__optimiser_free(ren__optimiser *optimiser) {
    if (!optimiser) return;
    ren_context *context = optimiser->context;
    if (optimiser->moment)
        for (int32_t m = 0; m < optimiser->moments * optimiser->count; m++)
            ren__free(optimiser->moment[m]);
    ren__free(optimiser->moment);
    ren__free(optimiser->square);
    ren__free(optimiser->stretches);
    ren__free(optimiser->factor);
    ren__free(optimiser);
    ren__context_release(context);
}

void ren__optimiser_set_factors(ren__optimiser *optimiser, const double *factor) {
    for (int32_t p = 0; p < optimiser->count; p++)
        optimiser->factor[p] = factor[p];
}

static double sum_of_squares(const float *values, size_t count) {
    double lane[LANES] = { 0 }, sum = 0.0;
    size_t i = 0;

    for (; i + LANES <= count; i += LANES) {
#pragma omp simd
        for (size_t k = 0; k < LANES; k++)
            lane[k] += (double)values[i + k] * (double)values[i + k];
    }
    for (size_t k = 0; i + k < count; k++)
        lane[k] += (double)values[i + k] * (double)values[i + k];
    for (size_t k = 0; k < LANES; k++)
        sum += lane[k];
    return sum;
}

static void norm_chunk(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const step *s = argument;
    const ren__optimiser *o = s->optimiser;

    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const stretch *part = &o->stretches[i];
        o->square[i] = sum_of_squares(s->gradients[part->parameter] + part->begin, part->count);
    }
}

/* Correctly rounded either way. By hand because sqrtf may set errno, which keeps a loop from becoming vectors. */
static inline void square_roots(float *values, size_t count) {
    size_t whole = 0;

#if defined(__SSE__)
    whole = count - count % 4;
    for (size_t i = 0; i < whole; i += 4)
        _mm_storeu_ps(values + i, _mm_sqrt_ps(_mm_loadu_ps(values + i)));
#endif
    for (size_t i = whole; i < count; i++)
        values[i] = sqrtf(values[i]);
}

/* torch.optim.AdamW: decay first, moments from the clipped gradient, bias corrected on the way into the update. */
static inline void adamw_block(const step *s, float *restrict parameter, const float *restrict gradient,
                               float *restrict mean, float *restrict square, size_t count) {
    const float clip = s->clip, decay = s->decay, blend = s->blend, keep = s->keep, gain = s->gain;
    const float size = s->size, correction = s->root, epsilon = s->epsilon;
    float root[BLOCK];

#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        const float g = gradient[i] * clip;
        mean[i] += (g - mean[i]) * blend;
        square[i] = square[i] * keep + g * g * gain;
        root[i] = square[i];
    }
    square_roots(root, count);
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        parameter[i] = parameter[i] * decay - size * (mean[i] / (root[i] * correction + epsilon));
}

static void adamw(const step *s, float *parameter, const float *gradient, float *mean, float *square, size_t count) {
    size_t i = 0;

    for (; i + BLOCK <= count; i += BLOCK)
        adamw_block(s, parameter + i, gradient + i, mean + i, square + i, BLOCK);
    if (i < count) adamw_block(s, parameter + i, gradient + i, mean + i, square + i, count - i);
}

/* torch.optim.SGD with dampening 0, no Nesterov; its buffer begins as the gradient, which is ours beginning as 0. */
static void sgd_momentum(const step *s, float *restrict parameter, const float *restrict gradient,
                         float *restrict buffer, size_t count) {
    const float clip = s->clip, decay = s->decay, rate = s->rate, momentum = s->momentum;

#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        const float b = buffer[i] * momentum + (gradient[i] * clip + decay * parameter[i]);
        buffer[i] = b;
        parameter[i] -= rate * b;
    }
}

static void sgd(const step *s, float *restrict parameter, const float *restrict gradient, size_t count) {
    const float clip = s->clip, decay = s->decay, rate = s->rate;

#pragma omp simd
    for (size_t i = 0; i < count; i++)
        parameter[i] -= rate * (gradient[i] * clip + decay * parameter[i]);
}

/* Factors of the step in double, as PyTorch has them, before they become floats. */
static void set_factors(step *s, double factor) {
    const ren__optimiser *o = s->optimiser;
    const ren__optimiser_options *options = &o->options;
    const double beta1 = options->beta[0], beta2 = options->beta[1], rate = s->learning_rate * factor;

    s->rate = (float)rate;
    s->momentum = (float)options->momentum;
    if (options->kind == REN__SGD) {
        s->decay = (float)options->weight_decay;
        return;
    }
    s->decay = (float)(1.0 - rate * options->weight_decay);
    s->blend = (float)(1.0 - beta1);
    s->keep = (float)beta2;
    s->gain = (float)(1.0 - beta2);
    s->size = (float)(rate / (1.0 - pow(beta1, (double)o->steps)));
    s->root = (float)(1.0 / sqrt(1.0 - pow(beta2, (double)o->steps)));
    s->epsilon = (float)options->epsilon;
}

static void update_chunk(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ren__optimiser *o = ((const step *)argument)->optimiser;
    step own = *(const step *)argument, *s = &own;

    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const stretch *part = &o->stretches[i];
        if (i == begin || o->stretches[i - 1].parameter != part->parameter) set_factors(s, o->factor[part->parameter]);
        float *parameter = s->parameters[part->parameter] + part->begin;
        const float *gradient = s->gradients[part->parameter] + part->begin;
        float *const *moment = o->moment + part->parameter; /* the first; the second is o->count further on */
        if (o->options.kind == REN__ADAMW)
            adamw(s, parameter, gradient, moment[0] + part->begin, moment[o->count] + part->begin, part->count);
        else if (o->moments > 0)
            sgd_momentum(s, parameter, gradient, moment[0] + part->begin, part->count);
        else
            sgd(s, parameter, gradient, part->count);
    }
}

ren_status ren__optimiser_step(ren__optimiser *optimiser, float *const *parameters, const float *const *gradients,
                               double rate, double *norm) {
    step s = {
        .optimiser = optimiser, .parameters = parameters, .gradients = gradients, .learning_rate = rate, .clip = 1.0f
    };
    double total = 0.0;

    ren__parallel_for(optimiser->context, NULL, optimiser->stretch_count, 4, norm_chunk, &s);
    for (int64_t i = 0; i < optimiser->stretch_count; i++)
        total += optimiser->square[i];
    total = sqrt(total);
    if (!isfinite(total))
        return ren__error(REN_E_DATA, "the gradients are not finite after %lld steps: try a lower learning rate",
                          (long long)optimiser->steps);
    const double limit = optimiser->options.clip; /* torch.nn.utils.clip_grad_norm_ */
    if (limit > 0.0 && limit / (total + 1e-6) < 1.0) s.clip = (float)(limit / (total + 1e-6));
    optimiser->steps++;
    /* Not to be interrupted: half a step is no state. */
    ren__parallel_for(optimiser->context, NULL, optimiser->stretch_count, 4, update_chunk, &s);
    if (norm) *norm = total;
    return REN_OK;
}

int64_t ren__optimiser_steps(const ren__optimiser *optimiser) {
    return optimiser->steps;
}

void ren__optimiser_set_steps(ren__optimiser *optimiser, int64_t steps) {
    optimiser->steps = steps;
}

int32_t ren__optimiser_moments(const ren__optimiser *optimiser) {
    return optimiser->moments;
}

float *ren__optimiser_moment(ren__optimiser *optimiser, int32_t moment, int32_t parameter) {
    return optimiser->moment[moment * optimiser->count + parameter];
}
