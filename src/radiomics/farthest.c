/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Branch and bound over pairs of boxes. A few long distances are found by walking from a point to the farthest one;
 * points too near to the middle to end a longer one are dropped; the others go into a tree of boxes, and pairs of
 * boxes are looked into, the most distant first, as long as their farthest corners are farther apart than what has been
 * found. The bound is computed with the operations of the distance in the same order; rounding is monotonic, so that it
 * is never too small, and the result has the bits of the search through all pairs.
 */
#include "radiomics/farthest.h"

#include <math.h>

enum { LEAF_POINTS = 16, WALKS = 4, DEPTH_BEFORE_POLL = 6 };

/* A box around points [begin, end). The children of an inner box are the one that follows and `second`. */
typedef struct box {
    double low[3], high[3];
    int64_t begin, end, second; /* second 0: a leaf */
} box;

typedef struct search {
    ren__run *run;
    ren__point *points;
    box *boxes;
    int64_t box_count;
    double best;
    ren_status status;
} search;

static int64_t farthest_from(const ren__point *points, int64_t count, const ren__point *from, double *squared) {
    int64_t farthest = 0;

    *squared = -1.0;
    for (int64_t i = 0; i < count; i++) {
        const double distance = ren__distance_squared(from, &points[i]);
        if (distance > *squared) {
            *squared = distance;
            farthest = i;
        }
    }
    return farthest;
}

/* A long distance, and the middle between its ends. */
static double walk(const ren__point *points, int64_t count, ren__point *middle) {
    ren__point from = points[0];
    double best = 0.0;

    *middle = from;
    for (int i = 0; i < WALKS; i++) {
        double squared;
        const ren__point to = points[farthest_from(points, count, &from, &squared)];
        if (squared <= best && i > 0) break;
        best = squared;
        for (int d = 0; d < 3; d++)
            middle->at[d] = 0.5 * (from.at[d] + to.at[d]);
        from = to;
    }
    return best;
}

/* Drops points that no distance longer than `best` can end at: those less than its length minus the radius around
 * `middle` away from it. Gives how many are left, at the front. */
static int64_t drop_inner(ren__point *points, int64_t count, const ren__point *middle, double best) {
    double radius;
    int64_t left = 0;

    farthest_from(points, count, middle, &radius);
    const double nearest = (sqrt(best) - sqrt(radius)) * (1.0 - 1e-12);
    if (nearest <= 0.0) return count;
    for (int64_t i = 0; i < count; i++)
        if (ren__distance_squared(&points[i], middle) >= nearest * nearest) points[left++] = points[i];
    return left;
}

static void swap(ren__point *a, ren__point *b) {
    const ren__point kept = *a;

    *a = *b;
    *b = kept;
}

static void bound(const ren__point *points, box *b) {
    for (int d = 0; d < 3; d++) {
        b->low[d] = b->high[d] = points[b->begin].at[d];
        for (int64_t i = b->begin + 1; i < b->end; i++) {
            b->low[d] = fmin(b->low[d], points[i].at[d]);
            b->high[d] = fmax(b->high[d], points[i].at[d]);
        }
    }
}

/* Splits the points of a box in the middle of its longest side, or, where that would leave one side with less than an
 * eighth, by number. Gives where the second half begins. */
static int64_t split(ren__point *points, const box *b) {
    int axis = 0;
    int64_t middle = b->begin;

    for (int d = 1; d < 3; d++)
        if (b->high[d] - b->low[d] > b->high[axis] - b->low[axis]) axis = d;
    const double at = 0.5 * (b->low[axis] + b->high[axis]);
    for (int64_t i = b->begin; i < b->end; i++)
        if (points[i].at[axis] < at) swap(&points[i], &points[middle++]);
    const int64_t eighth = (b->end - b->begin) / 8;
    return middle - b->begin < eighth || b->end - middle < eighth ? (b->begin + b->end) / 2 : middle;
}

/* Depth: every level leaves a half at most seven eighths of the points. */
static int64_t build(search *job, int64_t begin, int64_t end) {
    const int64_t index = job->box_count++;
    box *b = &job->boxes[index];

    b->begin = begin;
    b->end = end;
    b->second = 0;
    bound(job->points, b);
    if (end - begin > LEAF_POINTS) {
        const int64_t middle = split(job->points, b);
        build(job, begin, middle);
        b->second = build(job, middle, end);
    }
    return index;
}

/* No two points of the boxes are farther apart; squared. */
static double farthest_corners(const box *a, const box *b) {
    double side[3];

    for (int d = 0; d < 3; d++)
        side[d] = fmax(a->high[d] - b->low[d], b->high[d] - a->low[d]);
    return side[0] * side[0] + side[1] * side[1] + side[2] * side[2];
}

static void compare_points(search *job, const box *a, const box *b) {
    for (int64_t i = a->begin; i < a->end; i++) {
        for (int64_t k = b->begin; k < b->end; k++) {
            const double squared = ren__distance_squared(&job->points[i], &job->points[k]);
            if (squared > job->best) job->best = squared;
        }
    }
}

static void compare(search *job, int64_t first, int64_t other, int depth);

/* The pairs of two boxes' children, or of a leaf and the other's children, the most distant pair first. */
static void compare_children(search *job, int64_t first, int64_t other, int depth) {
    const box *a = &job->boxes[first], *b = &job->boxes[other];
    const int64_t left[2] = { a->second ? first + 1 : first, a->second },
                  right[2] = { b->second ? other + 1 : other, b->second };
    int64_t pairs[4][2];
    double bounds[4];
    int count = 0;

    for (int i = 0; i < (a->second ? 2 : 1); i++) {
        for (int k = 0; k < (b->second ? 2 : 1); k++) {
            if (first == other && k < i) continue; /* the same two the other way round */
            const double squared = farthest_corners(&job->boxes[left[i]], &job->boxes[right[k]]);
            int at = count++;
            for (; at > 0 && bounds[at - 1] < squared; at--) {
                bounds[at] = bounds[at - 1];
                pairs[at][0] = pairs[at - 1][0];
                pairs[at][1] = pairs[at - 1][1];
            }
            bounds[at] = squared;
            pairs[at][0] = left[i];
            pairs[at][1] = right[k];
        }
    }
    for (int i = 0; i < count && bounds[i] > job->best; i++)
        compare(job, pairs[i][0], pairs[i][1], depth + 1);
}

static void compare(search *job, int64_t first, int64_t other, int depth) {
    const box *a = &job->boxes[first], *b = &job->boxes[other];

    if (depth == DEPTH_BEFORE_POLL && job->status == REN_OK) job->status = ren__run_check(job->run);
    if (job->status != REN_OK || farthest_corners(a, b) <= job->best) return;
    if (!a->second && !b->second)
        compare_points(job, a, b);
    else
        compare_children(job, first, other, depth);
}

ren_status ren__farthest_pair(ren_context *context, ren__run *run, ren__point *points, int64_t count, double *squared) {
    ren_status st = REN_OK;
    ren__point middle;
    search job = { .run = run, .points = points };

    *squared = 0.0;
    if (count < 2) return REN_OK;
    job.best = walk(points, count, &middle);
    count = drop_inner(points, count, &middle, job.best);
    /* Only boxes of more than LEAF_POINTS are split, so that every leaf has two points or more. */
    REN_CALLOC(job.boxes, (size_t)count);
    build(&job, 0, count);
    compare(&job, 0, 0, 0);
    REN_TRY(job.status);
    *squared = job.best;
out:
    ren__free(job.boxes);
    return st;
}
