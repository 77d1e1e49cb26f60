/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eigenvalues of small symmetric matrices: principal axes (3 x 3) and the maximal correlation coefficient (as large as
 * there are grey levels).
 *
 * Our own because Debian's LAPACK comes with OpenBLAS, which brings a pool of threads of its own into the host, sizes
 * it from the environment and sums in an order that depends on it.
 */
#ifndef REN_RADIOMICS_EIGEN_H
#define REN_RADIOMICS_EIGEN_H

#include <stdint.h>

/* Of the symmetric `matrix` (n x n, row-major, n at least 1; only its upper triangle is read, and all of it is used as
 * scratch): `values` (n) in rising order, and in `vectors` (n x n; NULL: not wanted) row k is the unit eigenvector of
 * values[k], its sign arbitrary. `scratch` has n elements. Errors are within a few n eps of the largest value.
 * Where an element is not finite, values and vectors are NaN. */
void ren__eigen_symmetric(int32_t n, double *matrix, double *values, double *vectors, double *scratch);

#endif
