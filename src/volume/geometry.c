/* SPDX-License-Identifier: Apache-2.0 */
/* Affines: validity, spacing, nearest anatomical axes. */
#include "volume/geometry.h"

#include <math.h>
#include <string.h>

void ren__affine_identity(double affine[16]) {
    memset(affine, 0, 16 * sizeof *affine);
    affine[0] = affine[5] = affine[10] = affine[15] = 1.0;
}

void ren__affine_spacing(const double affine[16], double spacing[3]) {
    for (int a = 0; a < 3; a++)
        spacing[a] = hypot(hypot(affine[a], affine[4 + a]), affine[8 + a]);
}

static double determinant(const double m[16]) {
    return m[0] * (m[5] * m[10] - m[6] * m[9]) - m[1] * (m[4] * m[10] - m[6] * m[8]) +
           m[2] * (m[4] * m[9] - m[5] * m[8]);
}

int ren__affine_valid(const double affine[16]) {
    double spacing[3];
    for (int i = 0; i < 16; i++)
        if (!isfinite(affine[i]) || fabs(affine[i]) > 1e12) return 0;
    if (affine[12] != 0.0 || affine[13] != 0.0 || affine[14] != 0.0 || affine[15] != 1.0) return 0;
    ren__affine_spacing(affine, spacing);
    for (int a = 0; a < 3; a++)
        if (!(spacing[a] > 1e-9)) return 0;
    /* relative to the spacings: the volume of the cell against that of a box */
    return fabs(determinant(affine)) > 1e-6 * spacing[0] * spacing[1] * spacing[2];
}

void ren__affine_apply(const double affine[16], const double index[3], double position[3]) {
    for (size_t r = 0; r < 3; r++)
        position[r] =
            affine[4 * r] * index[0] + affine[4 * r + 1] * index[1] + affine[4 * r + 2] * index[2] + affine[4 * r + 3];
}

void ren__affine_multiply(const double a[16], const double b[16], double out[16]) {
    for (int r = 0; r < 4; r++)
        for (int c = 0; c < 4; c++) {
            double sum = 0.0;
            for (int k = 0; k < 4; k++)
                sum += a[4 * r + k] * b[4 * k + c];
            out[4 * r + c] = sum;
        }
}

void ren__affine_rescale(const double affine[16], const double begin[3], const double step[3], double out[16]) {
    double origin[3];
    ren__affine_apply(affine, begin, origin);
    memcpy(out, affine, 16 * sizeof *out);
    for (int r = 0; r < 3; r++) {
        for (int a = 0; a < 3; a++)
            out[4 * r + a] = affine[4 * r + a] * step[a];
        out[4 * r + 3] = origin[r];
    }
}

double ren__affine_mismatch(const double a[16], const int64_t a_shape[3], const double b[16],
                            const int64_t b_shape[3]) {
    double worst = 0.0;
    for (int corner = 0; corner < 8; corner++) {
        double a_index[3], b_index[3], at_a[3], at_b[3];
        for (int axis = 0; axis < 3; axis++) {
            const int last = corner >> axis & 1;
            a_index[axis] = last ? (double)(a_shape[axis] - 1) : 0.0;
            b_index[axis] = last ? (double)(b_shape[axis] - 1) : 0.0;
        }
        ren__affine_apply(a, a_index, at_a);
        ren__affine_apply(b, b_index, at_b);
        double distance = hypot(hypot(at_a[0] - at_b[0], at_a[1] - at_b[1]), at_a[2] - at_b[2]);
        if (distance > worst) worst = distance;
    }
    return worst;
}

void ren__affine_nearest_axes(const double affine[16], int32_t world[3], int32_t against[3]) {
    static const int32_t orders[6][3] = {
        { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 }
    };
    double spacing[3], best = -1.0;
    int choice = 0;
    ren__affine_spacing(affine, spacing);
    for (int o = 0; o < 6; o++) {
        double sum = 0.0;
        for (int a = 0; a < 3; a++)
            sum += fabs(affine[4 * orders[o][a] + a]) / spacing[a];
        if (sum > best + 1e-9) {
            best = sum;
            choice = o;
        }
    }
    for (int a = 0; a < 3; a++) {
        world[a] = orders[choice][a];
        against[a] = affine[4 * world[a] + a] < 0.0;
    }
}

int ren__affine_rigid(const double affine[16]) {
    double spacing[3];
    ren__affine_spacing(affine, spacing);
    for (int a = 0; a < 3; a++) {
        int b = (a + 1) % 3;
        double dot = 0.0;
        for (int r = 0; r < 3; r++)
            dot += affine[4 * r + a] * affine[4 * r + b];
        if (fabs(dot) > 1e-4 * spacing[a] * spacing[b]) return 0;
    }
    return 1;
}
