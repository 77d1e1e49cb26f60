/* SPDX-License-Identifier: Apache-2.0 */
/* Marching cubes and marching squares, as PyRadiomics cuts them. */
#ifndef REN_RADIOMICS_MESH_TABLES_H
#define REN_RADIOMICS_MESH_TABLES_H

#include <stdint.h>

/* The corners of a cube are numbered (z, y, x) = 000, 001, 011, 010, 100, 101, 111, 110, and its case has bit c set
 * where corner c is inside. A case with bit 7 set has the triangles of its complement, turned round.
 *
 * Triangles of a case: three edges each, ended by -1. */
extern const int8_t ren__mesh_triangles[128][16];
/* The middle of each edge in half steps from the cube's first corner: z, y, x. All vertices are such middles. */
extern const int8_t ren__mesh_edges[12][3];

/* The same in the plane, with corners 00, 01, 11, 10 along (row, column): the lines of a case, two sides each. */
extern const int8_t ren__mesh_lines[16][5];
extern const int8_t ren__mesh_sides[4][2];

#endif
