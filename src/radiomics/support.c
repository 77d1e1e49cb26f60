/* SPDX-License-Identifier: Apache-2.0 */
/* Where ITK's interpolators take a sample from, along one axis. */
#include <math.h>

#include "radiomics/sampler.h"

enum { WINDOW_RADIUS = 5 };

static const double pi = 3.14159265358979323846;

static int64_t clamp(int64_t index, int64_t size) {
    return index < 0 ? 0 : index < size ? index : size - 1;
}

static void nearest(int64_t size, double position, ren__support *out) {
    out->taps = 1;
    out->index[0] = clamp((int64_t)floor(position + 0.5), size);
    out->weight[0] = 1.0;
}

static void linear(int64_t size, double position, ren__support *out) {
    const int64_t base = clamp((int64_t)floor(position), size);
    const double share = position - (double)base;
    const int last = base + 1 >= size;
    out->taps = 2;
    out->index[0] = base;
    out->index[1] = last ? base : base + 1;
    out->weight[0] = last || share <= 0.0 ? 0.0 : share;
    out->weight[1] = 0.0;
}

/* Whole-sample symmetric. (ITK reads outside its array where an axis has two voxels; this does not.) */
static int64_t mirror(int64_t index, int64_t size) {
    if (size == 1) return 0;
    const int64_t period = 2 * (size - 1);
    index = (index % period + period) % period;
    return index < size ? index : period - index;
}

static void spline(int64_t size, double position, ren__support *out) {
    const int64_t first = (int64_t)floorf((float)position) - 1; /* ITK's cast: just below a voxel counts as on it */
    const double w = position - (double)(first + 1);
    double *weight = out->weight;
    weight[3] = (1.0 / 6.0) * w * w * w;
    weight[0] = (1.0 / 6.0) + 0.5 * w * (w - 1.0) - weight[3];
    weight[2] = w + weight[0] - 2.0 * weight[3];
    weight[1] = 1.0 - weight[0] - weight[2] - weight[3];
    out->taps = 4;
    for (int k = 0; k < 4; k++)
        out->index[k] = mirror(first + k, size);
}

static double window(int32_t kind, double x) {
    const double factor = pi / WINDOW_RADIUS;
    switch (kind) {
    case REN__INTERPOLATE_HAMMING:
        return 0.54 + 0.46 * cos(x * factor);
    case REN__INTERPOLATE_COSINE:
        return cos(x * (pi / (2 * WINDOW_RADIUS)));
    case REN__INTERPOLATE_WELCH:
        return 1.0 - x * (1.0 / (WINDOW_RADIUS * WINDOW_RADIUS)) * x;
    case REN__INTERPOLATE_LANCZOS:
        return x == 0.0 ? 1.0 : sin(factor * x) / (factor * x);
    default: /* Blackman */
        return 0.42 + 0.5 * cos(x * factor) + 0.08 * cos(x * (2.0 * pi / WINDOW_RADIUS));
    }
}

/* Windowed sinc, the border voxel going on outside. */
static void windowed(int32_t kind, int64_t size, double position, ren__support *out) {
    const int64_t base = (int64_t)floor(position);
    const double distance = position - (double)base;
    double x = distance + WINDOW_RADIUS;
    out->taps = 2 * WINDOW_RADIUS;
    for (int i = 0; i < 2 * WINDOW_RADIUS; i++) {
        x -= 1.0;
        out->index[i] = clamp(base + i - (WINDOW_RADIUS - 1), size);
        if (distance == 0.0)
            out->weight[i] = i == WINDOW_RADIUS - 1 ? 1.0 : 0.0;
        else
            out->weight[i] = window(kind, x) * (x == 0.0 ? 1.0 : sin(pi * x) / (pi * x));
    }
}

/* The error function with the digits and the rounding of ITK's (VNL's), which decide between labels of the same
 * weight: the incomplete gamma function of 1/2 as a series, and beyond 3/2 as a continued fraction (Lentz). */
static double error_function(double x) {
    const double square = x * x, log_gamma_half = 0.572364942924847, precision = 3e-7;
    const double factor = exp(-square + 0.5 * log(square) - log_gamma_half);
    double result;
    if (square == 0.0) return 0.0;
    if (square < 1.5) {
        double at = 0.5, term = 2.0, sum = 2.0;
        do {
            at += 1.0;
            term *= square / at;
            sum += term;
        } while (fabs(term) >= fabs(sum) * precision);
        result = sum * factor;
    } else {
        double b = square + 0.5, c = 1e30, d = 1.0 / b, fraction = d, change = 0.0;
        for (int i = 1; i <= 100 && fabs(change - 1.0) >= precision; i++) {
            const double a = i * (0.5 - i);
            b += 2.0;
            d = 1.0 / (a * d + b);
            c = b + a / c;
            change = d * c;
            fraction *= change;
        }
        result = 1.0 - factor * fraction;
    }
    return x < 0.0 ? -result : result;
}

/* Integrals of a Gaussian over the voxels within `reach` of its deviation. */
static void gaussian(int64_t size, double spacing, double deviation, double reach, double position, ren__support *out) {
    const double scale = 1.0 / (sqrt(2.0) * deviation / spacing), cut = deviation * reach / spacing;
    const double low = floor(position + 0.5 - cut), high = ceil(position + 0.5 + cut);
    const int64_t begin = low > 0.0 ? (int64_t)low : 0, end = high < (double)size ? (int64_t)high : size;
    double t = (-0.5 - position + (double)begin) * scale, before = error_function(t);
    out->taps = 0;
    for (int64_t i = begin; i < end && out->taps < REN__TAPS_MAX; i++) {
        t += scale;
        const double now = error_function(t);
        out->index[out->taps] = i;
        out->weight[out->taps++] = now - before;
        before = now;
    }
}

void ren__support_of(int32_t interpolator, int64_t size, double spacing, double position, ren__support *out) {
    out->taps = 0;
    if (!(position >= -0.5 && position < (double)size - 0.5)) return;
    switch (interpolator) {
    case REN__INTERPOLATE_NEAREST:
        nearest(size, position, out);
        break;
    case REN__INTERPOLATE_LINEAR:
        linear(size, position, out);
        break;
    case REN__INTERPOLATE_BSPLINE:
        spline(size, position, out);
        break;
    case REN__INTERPOLATE_GAUSSIAN:
        gaussian(size, spacing, 0.8 * spacing, 4.0, position, out);
        break;
    case REN__INTERPOLATE_LABEL_GAUSSIAN:
        gaussian(size, spacing, spacing, 1.0, position, out);
        break;
    default:
        windowed(interpolator, size, position, out);
    }
}
