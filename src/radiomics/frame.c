/* SPDX-License-Identifier: Apache-2.0 */
/* Grids in space as ITK computes with them. */
#include "radiomics/frame.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "volume/geometry.h"

static double plain(double length, int from_file) {
    const double single = (double)(float)length, scale = pow(10.0, 9.0 - floor(log10(length)));
    const double decimal = nearbyint(length * scale) / scale;
    if (fabs(decimal - length) <= 1e-14 * length) return decimal;
    return from_file || fabs(single - length) <= 1e-12 * length ? single : length;
}

void ren__spacing_of(const ren_volume *volume, double spacing[3]) {
    const double *affine = volume->affine;
    ren__affine_spacing(affine, spacing);
    for (int c = 0; c < 3; c++) {
        if (volume->spacing[c] > 0.0) {
            spacing[c] = volume->spacing[c];
            continue;
        }
        int elements = 0, singles = 0;
        for (int r = 0; r < 3; r++) {
            const double element = affine[4 * r + c];
            elements += element != 0.0;
            singles += element == (double)(float)element;
        }
        if (elements > 1) spacing[c] = plain(spacing[c], singles == 3);
    }
}

void ren__frame_of(const ren_volume *volume, ren__frame *out) {
    memcpy(out->shape, volume->shape, sizeof out->shape);
    ren__spacing_of(volume, out->spacing);
    for (int r = 0; r < 3; r++) {
        out->origin[r] = volume->affine[4 * r + 3];
        for (int c = 0; c < 3; c++)
            out->direction[3 * r + c] = volume->affine[4 * r + c] / out->spacing[c];
    }
    ren__frame_complete(out);
}

/* 1 where each axis lies along one axis of the world: the inverse is then exact to the last bit. */
static int along_axes(const double m[9]) {
    for (int r = 0; r < 3; r++) {
        int in_row = 0, in_column = 0;
        for (int c = 0; c < 3; c++) {
            in_row += m[3 * r + c] != 0.0;
            in_column += m[3 * c + r] != 0.0;
        }
        if (in_row != 1 || in_column != 1) return 0;
    }
    return 1;
}

static void invert(const double m[9], double out[9]) {
    if (along_axes(m)) {
        for (int r = 0; r < 3; r++)
            for (int c = 0; c < 3; c++)
                out[3 * c + r] = m[3 * r + c] == 0.0 ? 0.0 : 1.0 / m[3 * r + c];
        return;
    }
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++) {
            const int a = (r + 1) % 3, b = (r + 2) % 3, d = (c + 1) % 3, e = (c + 2) % 3;
            out[3 * c + r] = m[3 * a + d] * m[3 * b + e] - m[3 * a + e] * m[3 * b + d];
        }
    const double determinant = m[0] * out[0] + m[1] * out[3] + m[2] * out[6];
    for (int i = 0; i < 9; i++)
        out[i] /= determinant;
}

void ren__frame_complete(ren__frame *frame) {
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++)
            frame->to_point[3 * r + c] = frame->direction[3 * r + c] * frame->spacing[c];
    invert(frame->to_point, frame->to_index);
}

void ren__frame_affine(const ren__frame *frame, double affine[16]) {
    ren__affine_identity(affine);
    for (int r = 0; r < 3; r++) {
        for (int c = 0; c < 3; c++)
            affine[4 * r + c] = frame->to_point[3 * r + c];
        affine[4 * r + 3] = frame->origin[r];
    }
}

void ren__frame_point(const ren__frame *frame, const double index[3], double point[3]) {
    for (int r = 0; r < 3; r++) {
        point[r] = frame->origin[r];
        for (int c = 0; c < 3; c++)
            point[r] += frame->to_point[3 * r + c] * index[c];
    }
}

void ren__frame_index(const ren__frame *frame, const double point[3], double index[3]) {
    const double from[3] = { point[0] - frame->origin[0], point[1] - frame->origin[1], point[2] - frame->origin[2] };
    for (int r = 0; r < 3; r++) {
        double sum = 0.0;
        for (int c = 0; c < 3; c++)
            sum += frame->to_index[3 * r + c] * from[c];
        index[r] = sum;
    }
}

static double worst(const double *a, const double *b, int count) {
    double largest = 0.0;
    for (int i = 0; i < count; i++)
        largest = fmax(largest, fabs(a[i] - b[i]));
    return largest;
}

int ren__frame_parallel(const ren__frame *frame, const ren__frame *other) {
    return worst(frame->direction, other->direction, 9) == 0.0;
}

int ren__frame_equal(const ren__frame *frame, const ren__frame *other) {
    for (int a = 0; a < 3; a++)
        if (frame->shape[a] != other->shape[a]) return 0;
    return ren__frame_parallel(frame, other) && worst(frame->origin, other->origin, 3) == 0.0 &&
           worst(frame->spacing, other->spacing, 3) == 0.0;
}

int ren__frame_differs(const ren__frame *frame, const ren__frame *other, double tolerance, char *text, size_t size) {
    const double length = tolerance * frame->spacing[0];
    double affine[16], other_affine[16];
    const char *what = NULL;
    if (memcmp(frame->shape, other->shape, sizeof frame->shape) != 0) {
        snprintf(text, size, "the image has %lld x %lld x %lld voxels and the mask %lld x %lld x %lld",
                 (long long)frame->shape[0], (long long)frame->shape[1], (long long)frame->shape[2],
                 (long long)other->shape[0], (long long)other->shape[1], (long long)other->shape[2]);
        return 1;
    }
    if (worst(frame->origin, other->origin, 3) > length)
        what = "origins";
    else if (worst(frame->spacing, other->spacing, 3) > length)
        what = "spacings";
    else if (worst(frame->direction, other->direction, 9) > tolerance)
        what = "directions";
    if (!what) return 0;
    ren__frame_affine(frame, affine);
    ren__frame_affine(other, other_affine);
    const double distance = ren__affine_mismatch(affine, frame->shape, other_affine, other->shape);
    /* whole micrometres, so that no decimal point depends on the locale */
    const long long micrometres = distance < 9e12 ? (long long)ceil(distance * 1000.0) : 9000000000000000LL;
    snprintf(text, size, "the %s of image and mask differ: their corners are %lld.%03lld mm apart", what,
             micrometres / 1000, micrometres % 1000);
    return 1;
}
