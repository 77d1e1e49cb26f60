/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices of levels by sizes, and their features (PyRadiomics' glrlm.py, glszm.py, gldm.py; IBSI 3.7 to 3.11). */
#include <float.h>
#include <math.h>
#include <string.h>

#include "radiomics/texture.h"

ren_status ren__size_matrix_add(ren_context *context, ren__size_matrix *matrix, int32_t level, int32_t size,
                                double count) {
    if (matrix->count == matrix->capacity) {
        const int64_t capacity = matrix->capacity ? 2 * matrix->capacity : 256;
        ren__size_cell *cells = ren__realloc(context, matrix->cells, (size_t)capacity * sizeof *cells);
        if (!cells) return ren__out_of_memory();
        matrix->cells = cells;
        matrix->capacity = capacity;
    }
    matrix->cells[matrix->count++] = (ren__size_cell){ level, size, count };
    return REN_OK;
}

static uint64_t key_of(const ren__size_cell *cell) {
    return (uint64_t)(uint32_t)cell->size << 32 | (uint32_t)cell->level;
}

static void sift(ren__size_cell *cells, int64_t root, int64_t count) {
    const ren__size_cell moved = cells[root];

    for (int64_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && key_of(&cells[child + 1]) > key_of(&cells[child])) child++;
        if (key_of(&cells[child]) <= key_of(&moved)) break;
        cells[root] = cells[child];
        root = child;
    }
    cells[root] = moved;
}

/* In place: qsort would take memory past the host's allocator. */
static void sort(ren__size_cell *cells, int64_t count) {
    for (int64_t root = count / 2 - 1; root >= 0; root--)
        sift(cells, root, count);
    for (int64_t last = count - 1; last > 0; last--) {
        const ren__size_cell top = cells[0];
        cells[0] = cells[last];
        cells[last] = top;
        sift(cells, 0, last);
    }
}

void ren__size_matrix_finish(ren__size_matrix *matrix) {
    ren__size_cell *cells = matrix->cells;
    int64_t kept = 0;
    int sorted = 1;

    for (int64_t c = 1; c < matrix->count && sorted; c++)
        sorted = key_of(&cells[c - 1]) < key_of(&cells[c]);
    if (sorted) return;
    sort(cells, matrix->count);
    for (int64_t c = 1; c < matrix->count; c++) {
        if (key_of(&cells[kept]) == key_of(&cells[c]))
            cells[kept].count += cells[c].count;
        else
            cells[++kept] = cells[c];
    }
    matrix->count = kept + 1;
}

void ren__size_matrix_free(ren__size_matrix *matrix) {
    ren__free(matrix->cells);
    *matrix = (ren__size_matrix){ 0 };
}

/* Sums over the cells: with p the row sums by level, and column sums taken as sizes pass by. */
typedef struct size_sums {
    double total, voxels, small, large, column_square, size_mean;
    double small_low, small_high, large_low, large_high;
} size_sums;

static void sum_cells(const ren__size_matrix *matrix, const double *grey, double *rows, size_sums *sums) {
    double column = 0.0;

    for (int64_t c = 0; c < matrix->count; c++) {
        const ren__size_cell *cell = &matrix->cells[c];
        const double i = grey[cell->level - 1], j = cell->size, i2 = i * i, j2 = j * j, n = cell->count;

        rows[cell->level - 1] += n;
        column += n;
        sums->small_low += n / (i2 * j2);
        sums->small_high += n * i2 / j2;
        sums->large_low += n * j2 / i2;
        sums->large_high += n * (i2 * j2);
        if (c + 1 < matrix->count && matrix->cells[c + 1].size == cell->size) continue;
        sums->total += column;
        sums->voxels += column * j;
        sums->small += column / j2;
        sums->large += column * j2;
        sums->column_square += column * column;
        column = 0.0;
    }
}

/* Variance of sizes, entropy and energy of the cells' probabilities. */
static void second_pass(const ren__size_matrix *matrix, const size_sums *sums, double *values) {
    const double mean = sums->voxels / sums->total;
    double variance = 0.0, entropy = 0.0, energy = 0.0;

    for (int64_t c = 0; c < matrix->count; c++) {
        const double p = matrix->cells[c].count / sums->total, d = matrix->cells[c].size - mean;
        variance += p * (d * d);
        entropy -= p * log2(p + DBL_EPSILON);
        energy += p * p;
    }
    values[REN__SIZE_VARIANCE] = variance;
    values[REN__SIZE_ENTROPY] = entropy;
    values[REN__SIZE_ENERGY] = energy;
}

static void features_of_levels(const double *rows, const double *grey, int32_t level_count, double total,
                               double *values) {
    double square = 0.0, mean = 0.0, variance = 0.0, low = 0.0, high = 0.0;

    for (int32_t l = 0; l < level_count; l++) {
        square += rows[l] * rows[l];
        mean += rows[l] / total * grey[l];
        low += rows[l] / (grey[l] * grey[l]);
        high += rows[l] * (grey[l] * grey[l]);
    }
    for (int32_t l = 0; l < level_count; l++)
        variance += rows[l] / total * ((grey[l] - mean) * (grey[l] - mean));
    values[REN__SIZE_LEVEL_NONUNIFORMITY] = square / total;
    values[REN__SIZE_LEVEL_NONUNIFORMITY_NORMALIZED] = square / (total * total);
    values[REN__SIZE_LEVEL_VARIANCE] = variance;
    values[REN__SIZE_LOW_LEVEL] = low / total;
    values[REN__SIZE_HIGH_LEVEL] = high / total;
}

ren_status ren__size_features(ren_context *context, const ren__size_matrix *matrix, const double *grey,
                              int32_t level_count, double voxels, double values[REN__SIZE_FEATURES]) {
    ren_status st = REN_OK;
    enum { FEW = 256 };
    double few[FEW] = { 0 }, *many = NULL, *rows = few;
    size_sums sums = { 0 };

    for (int f = 0; f < REN__SIZE_FEATURES; f++)
        values[f] = (double)NAN;
    if (level_count > FEW) {
        REN_CALLOC(many, (size_t)level_count);
        rows = many;
    }
    sum_cells(matrix, grey, rows, &sums);
    if (!(sums.total > 0.0)) goto out;
    values[REN__SIZE_SMALL] = sums.small / sums.total;
    values[REN__SIZE_LARGE] = sums.large / sums.total;
    values[REN__SIZE_NONUNIFORMITY] = sums.column_square / sums.total;
    values[REN__SIZE_NONUNIFORMITY_NORMALIZED] = sums.column_square / (sums.total * sums.total);
    values[REN__SIZE_PERCENTAGE] = sums.total / (voxels > 0.0 ? voxels : sums.voxels);
    values[REN__SIZE_SMALL_LOW] = sums.small_low / sums.total;
    values[REN__SIZE_SMALL_HIGH] = sums.small_high / sums.total;
    values[REN__SIZE_LARGE_LOW] = sums.large_low / sums.total;
    values[REN__SIZE_LARGE_HIGH] = sums.large_high / sums.total;
    features_of_levels(rows, grey, level_count, sums.total, values);
    second_pass(matrix, &sums, values);
out:
    ren__free(many);
    return st;
}
