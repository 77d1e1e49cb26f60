/* SPDX-License-Identifier: Apache-2.0 */
/* Which cells of a map are active: of the input, and of what a layer makes of it. */
#include <string.h>

#include "ops/active.h"
#include "ops/internal.h"

/* ---- of an image ---- */

static ren_status rows_infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const ren__shape *x = ren__graph_shape(graph, node->input[0]);
    const ren__shape *box = ren__graph_shape(graph, node->input[1]);
    if (x->rank != 5 || x->dim[0] != 1 || x->dim[4] != 1 || ren__shape_elements(box) != 6)
        return ren__error(REN_E_INTERNAL, "active_rows: one image of one channel and its box are needed");
    *output = ren__shape_of(4, (int64_t[]){ 1, x->dim[1], x->dim[2], 2 });
    return REN_OK;
}

static ren_status rows_forward(ren__step *step) {
    const float *x = step->input[0], *box = step->input[1];
    const ren__shape *whole = &step->input_shape[0];
    int64_t begin[3], end[3];
    for (int i = 0; i < 3; i++) {
        begin[i] = (int64_t)box[i];
        end[i] = (int64_t)box[3 + i];
        if (begin[i] < 0 || end[i] < begin[i] || end[i] > whole->dim[1 + i])
            return ren__error(REN_E_INTERNAL, "active_rows: the box is not within the image");
    }
    memset(step->output, 0, (size_t)ren__shape_elements(&step->output_shape) * sizeof *step->output);
    for (int64_t d = begin[0]; d < end[0]; d++)
        for (int64_t h = begin[1]; h < end[1]; h++) {
            int64_t width = end[2] - begin[2], first = 0, last = width;
            float *row = step->output + 2 * (d * whole->dim[2] + h);
            while (first < width && x[first] == 0.0f)
                first++;
            while (last > first && x[last - 1] == 0.0f)
                last--;
            if (first < last) row[0] = (float)(begin[2] + first), row[1] = (float)(begin[2] + last);
            x += width;
        }
    return REN_OK;
}

const ren__op ren__active_rows_op = {
    .name = "active_rows",
    .flags = REN__NO_GRADIENT,
    .infer = rows_infer,
    .forward = rows_forward,
};

ren__value ren__active_rows(ren__graph *graph, ren__value x, ren__value box) {
    return ren__graph_add(graph, &ren__active_rows_op, NULL, (ren__value[]){ x, box }, 2, NULL, 0);
}

/* ---- of what a layer makes of it ---- */

static ren_status reach_infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const ren__shape *rows = ren__graph_shape(graph, node->input[0]);
    if (rows->rank != 4 || rows->dim[1] % 2 || rows->dim[2] % 2 || rows->dim[3] != 2)
        return ren__error(REN_E_INTERNAL, "reached_rows: the rows of a map of even edges are needed");
    *output = ren__shape_of(4, (int64_t[]){ 1, rows->dim[1] / 2, rows->dim[2] / 2, 2 });
    return REN_OK;
}

/* The hull of the active cells that pooled row (d, h) sees: four rows of four planes. */
static ren__interval seen_by(const float *rows, const ren__shape *shape, int64_t d, int64_t h) {
    ren__interval hull = { 0, 0 };
    for (int64_t i = 2 * d - 1; i <= 2 * d + 2; i++)
        for (int64_t j = 2 * h - 1; j <= 2 * h + 2; j++) {
            if (i < 0 || j < 0 || i >= shape->dim[1] || j >= shape->dim[2]) continue;
            ren__interval row = ren__interval_at(rows, i * shape->dim[2] + j);
            if (row.begin == row.end) continue;
            if (hull.begin == hull.end) hull = row;
            if (row.begin < hull.begin) hull.begin = row.begin;
            if (row.end > hull.end) hull.end = row.end;
        }
    return hull;
}

static ren_status reach_forward(ren__step *step) {
    const int64_t cells = *(const int64_t *)step->node->options / 2;
    const ren__shape *to = &step->output_shape;
    float *row = step->output;
    for (int64_t d = 0; d < to->dim[1]; d++)
        for (int64_t h = 0; h < to->dim[2]; h++, row += 2) {
            ren__interval seen = seen_by(step->input[0], &step->input_shape[0], d, h);
            row[0] = row[1] = 0;
            if (seen.begin == seen.end) continue;
            int64_t end = seen.end / 2 + 1; /* cell w sees the voxels from 2w - 1 to 2w + 2 */
            row[0] = (float)(seen.begin > 0 ? (seen.begin - 1) / 2 : 0);
            row[1] = (float)(end < cells ? end : cells);
        }
    return REN_OK;
}

const ren__op ren__reached_rows_op = {
    .name = "reached_rows",
    .option_bytes = sizeof(int64_t),
    .flags = REN__NO_GRADIENT,
    .infer = reach_infer,
    .forward = reach_forward,
};

ren__value ren__reached_rows(ren__graph *graph, ren__value rows, int64_t width) {
    return ren__graph_add(graph, &ren__reached_rows_op, &width, &rows, 1, NULL, 0);
}
