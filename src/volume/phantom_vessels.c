/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vessels and bronchi. Each lobe gets a tree of arteries and one of veins: points scattered in the lobe are joined,
 * nearest to the hilum first, to the part of the tree that is near and lies towards the hilum; a branch is as thick as
 * the number of its twigs demands (r ~ n^0.4, a little thicker than Murray's law). Bronchi run beside the larger
 * arteries.
 */
#include <math.h>

#include "volume/phantom.h"

enum { LEAVES_MAX = 480, NODES_MAX = 4 * LEAVES_MAX, TRIES = 64 };

typedef struct tree_node {
    double at[3];
    double path; /* from the hilum, mm */
    int32_t parent;
    int32_t leaves;
} tree_node;

typedef struct tree {
    tree_node node[NODES_MAX];
    int32_t count;
    double leaf[LEAVES_MAX][3];
    int32_t leaf_count;
} tree;

static double distance2(const double a[3], const double b[3]) {
    return (a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) + (a[2] - b[2]) * (a[2] - b[2]);
}

/* n^0.4 without the mathematics library: the fifth root of n^2 by Newton's method. */
static double branch_width(double n) {
    double x = 1.0 + 0.12 * n;

    for (int turn = 0; turn < 24; turn++) {
        const double x4 = x * x * x * x;

        x -= 0.2 * (x - n * n / x4);
    }
    return x;
}

/* Points in the lobe, sorted by their distance to the root. */
static void scatter(tree *t, ren__rng *rng, const ren__phantom_scene *scene, int32_t lobe, int32_t wanted) {
    const ren__phantom_body *body = &scene->body;
    const double sign = lobe <= 2 ? -1.0 : 1.0;

    t->leaf_count = 0;
    for (int32_t tries = 0; tries < TRIES * wanted && t->leaf_count < wanted; tries++) {
        const double p[3] = { sign * body->width * ren__rng_uniform(rng),
                              body->depth * (2.3 * ren__rng_uniform(rng) - 1.3), body->height * ren__rng_uniform(rng) };
        ren__phantom_place place;
        int32_t slot;

        ren__phantom_locate(scene, p, &place);
        if (place.lobe != lobe || place.inside < 3.0) continue;
        for (slot = t->leaf_count++; slot > 0; slot--) {
            if (distance2(t->leaf[slot - 1], t->node[0].at) <= distance2(p, t->node[0].at)) break;
            for (int a = 0; a < 3; a++)
                t->leaf[slot][a] = t->leaf[slot - 1][a];
        }
        for (int a = 0; a < 3; a++)
            t->leaf[slot][a] = p[a];
    }
}

/* The node to branch from: near, not a detour, and not backwards. */
static int32_t nearest_branch(const tree *t, const double p[3]) {
    int32_t best = 0;
    double least = 1e18;

    for (int32_t n = 0; n < t->count; n++) {
        const tree_node *node = &t->node[n];
        const double d = sqrt(distance2(node->at, p));
        double cost = d + 0.35 * node->path;

        if (node->parent >= 0) {
            const double *from = t->node[node->parent].at;
            const double ahead = (node->at[0] - from[0]) * (p[0] - node->at[0]) +
                                 (node->at[1] - from[1]) * (p[1] - node->at[1]) +
                                 (node->at[2] - from[2]) * (p[2] - node->at[2]);

            if (ahead < 0.0) cost += d;
        }
        if (cost < least) {
            least = cost;
            best = n;
        }
    }
    return best;
}

/* Joins a point by steps of about 9 mm that wander a little: vessels are not straight. */
static void join(tree *t, ren__rng *rng, const double p[3]) {
    int32_t parent = nearest_branch(t, p), steps;
    const tree_node start = t->node[parent];
    const double length = sqrt(distance2(start.at, p));

    steps = 1 + (int32_t)(length / 9.0);
    if (steps > 8) steps = 8;
    if (t->count + steps > NODES_MAX) return;
    for (int32_t s = 1; s <= steps; s++) {
        const double share = (double)s / (double)steps, wander = s < steps ? 0.05 * length : 0.0;
        tree_node *node = &t->node[t->count];

        *node = (tree_node){ .parent = parent, .leaves = 0, .path = start.path + share * length };
        for (int a = 0; a < 3; a++)
            node->at[a] = start.at[a] + share * (p[a] - start.at[a]) + wander * (2.0 * ren__rng_uniform(rng) - 1.0);
        parent = t->count++;
    }
    t->node[parent].leaves = 1;
}

static void grow(tree *t, ren__rng *rng, const ren__phantom_scene *scene, int32_t lobe, int32_t leaves, int veins) {
    const ren__phantom_body *body = &scene->body;
    const double sign = lobe <= 2 ? -1.0 : 1.0;

    t->count = 1;
    t->node[0] =
        (tree_node){ .at = { sign * (veins ? 26.0 : 34.0), veins ? -4.0 : -14.0, (veins ? 0.48 : 0.54) * body->height },
                     .parent = -1 };
    scatter(t, rng, scene, lobe, leaves);
    for (int32_t n = 0; n < t->leaf_count; n++)
        join(t, rng, t->leaf[n]);
    for (int32_t n = t->count - 1; n > 0; n--)
        t->node[t->node[n].parent].leaves += t->node[n].leaves; /* children last */
}

/* Anatomical mm to mm along the grid's axes from voxel (0, 0, 0). */
static void to_grid(const ren__phantom_scene *scene, const double p[3], float grid[3]) {
    const double q[3] = { p[0] - scene->isocentre[0], p[1] - scene->isocentre[1],
                          (p[2] - scene->isocentre[2]) * scene->breath };

    for (int a = 0; a < 3; a++)
        grid[a] = (float)(scene->axis[a][0] * q[0] + scene->axis[a][1] * q[1] + scene->axis[a][2] * q[2] +
                          scene->centre[a] * scene->spacing[a]);
}

static void add_tube(ren__phantom_tubes *tubes, const ren__phantom_scene *scene, const double from[3],
                     const double to[3], double radius, double lumen) {
    ren__phantom_tube *tube;

    if (tubes->count == tubes->capacity) return;
    tube = &tubes->tube[tubes->count++];
    to_grid(scene, from, tube->from);
    to_grid(scene, to, tube->to);
    tube->radius = (float)radius;
    tube->lumen = (float)lumen;
}

/* The bronchus beside an artery: as wide as it, wider where disease pulls on it and then seen further out. */
static void add_bronchus(ren__phantom_tubes *tubes, const ren__phantom_scene *scene, const double from[3],
                         const double to[3], double artery) {
    ren__phantom_place place;
    double a[3], b[3], traction = 0.0, lumen, wall;

    ren__phantom_locate(scene, to, &place);
    if (place.lobe) traction = ren__phantom_involved(scene, to, &place);
    if (artery < 1.35 - 0.5 * traction) return;
    lumen = 0.85 * artery * (1.0 + 0.9 * traction);
    wall = 0.5 + 0.16 * lumen;
    for (int n = 0; n < 3; n++) {
        const double aside = (n == 1 ? 0.8 : n == 0 ? (from[0] < 0.0 ? -0.5 : 0.5) : 0.3) * (artery + lumen + wall);

        a[n] = from[n] + aside;
        b[n] = to[n] + aside;
    }
    add_tube(tubes, scene, a, b, lumen + wall, lumen);
}

static void add_tree(ren__phantom_tubes *tubes, const ren__phantom_scene *scene, const tree *t, int veins) {
    for (int32_t n = 1; n < t->count; n++) {
        const tree_node *node = &t->node[n], *parent = &t->node[node->parent];
        const double radius = (veins ? 0.46 : 0.48) * branch_width((double)(node->leaves > 0 ? node->leaves : 1));

        add_tube(tubes, scene, parent->at, node->at, radius, 0.0);
        if (!veins && parent->parent >= 0) add_bronchus(tubes, scene, parent->at, node->at, radius);
    }
}

ren_status ren__phantom_tubes_grow(ren_context *context, const ren_phantom_options *options, int32_t patient,
                                   const ren__phantom_scene *scene, ren__phantom_tubes *tubes) {
    static const int32_t arteries[5] = { 420, 440, 360, 180, 460 };
    ren_status st = REN_OK;
    tree *t = NULL;

    *tubes = (ren__phantom_tubes){ .capacity = 5 * 3 * NODES_MAX };
    REN_ALLOC(t, sizeof *t);
    REN_ALLOC(tubes->tube, (size_t)tubes->capacity * sizeof *tubes->tube);
    for (int32_t lobe = 1; lobe <= 5; lobe++) {
        ren__rng rng;

        ren__rng_init(&rng, options->seed, (uint32_t)patient, (uint32_t)(PHANTOM_STREAM_TREE + lobe));
        grow(t, &rng, scene, lobe, arteries[lobe - 1], 0);
        add_tree(tubes, scene, t, 0);
        grow(t, &rng, scene, lobe, arteries[lobe - 1] * 2 / 3, 1);
        add_tree(tubes, scene, t, 1);
    }
out:
    ren__free(t);
    if (st != REN_OK) {
        ren__free(tubes->tube);
        tubes->tube = NULL;
    }
    return st;
}

static float tube_distance(const ren__phantom_tube *tube, const float at[3]) {
    float d[3], v[3], dv = 0.0f, vv = 1e-12f, t, sum = 0.0f;

    for (int a = 0; a < 3; a++) {
        d[a] = at[a] - tube->from[a];
        v[a] = tube->to[a] - tube->from[a];
        dv += d[a] * v[a];
        vv += v[a] * v[a];
    }
    t = dv / vv;
    t = t < 0.0f ? 0.0f : t > 1.0f ? 1.0f : t;
    for (int a = 0; a < 3; a++)
        sum += (d[a] - t * v[a]) * (d[a] - t * v[a]);
    return sqrtf(sum);
}

/* Share of a voxel that a disc of `radius` fills at a distance; thin tubes are spread over the voxel, their mass kept.
 */
static float coverage(float distance, float radius, float voxel) {
    const float blurred = sqrtf(radius * radius + 0.20f * voxel * voxel);
    const float c = (blurred - distance) / voxel + 0.5f;

    return (c < 0.0f ? 0.0f : c > 1.0f ? 1.0f : c) * (radius * radius) / (blurred * blurred);
}

/* Blood or a bronchus's wall; or, with `air`, what is inside the wall. */
static void draw_tube(const ren__phantom_tube *tube, const ren__phantom_scene *scene, float z, int air,
                      const uint8_t *lobes, float *hu) {
    const int64_t width = scene->shape[0];
    const float spacing = (float)scene->spacing[0], reach = tube->radius + spacing;
    const float voxel = 0.5f * (spacing + (float)scene->spacing[2]), blood = (float)scene->lung.contrast;
    int64_t low[2], high[2];

    for (int a = 0; a < 2; a++) {
        const float from = tube->from[a] < tube->to[a] ? tube->from[a] : tube->to[a];
        const float to = tube->from[a] < tube->to[a] ? tube->to[a] : tube->from[a];
        const float first = (from - reach) / spacing, last = (to + reach) / spacing;

        low[a] = first < 0.0f ? 0 : (int64_t)first;
        high[a] = last < 0.0f ? -1 : (int64_t)last;
        if (high[a] >= scene->shape[a]) high[a] = scene->shape[a] - 1;
    }
    for (int64_t j = low[1]; j <= high[1]; j++) {
        for (int64_t i = low[0]; i <= high[0]; i++) {
            const float at[3] = { (float)i * spacing, (float)j * spacing, z };
            float *value = hu + j * width + i, distance;

            if (!lobes[j * width + i]) continue;
            distance = tube_distance(tube, at);
            if (distance > reach) continue;
            if (air) {
                *value += (-985.0f - *value) * coverage(distance, tube->lumen, voxel);
            } else if (tube->lumen > 0.0f) {
                *value += (-180.0f - *value) * coverage(distance, tube->radius, voxel);
            } else if (*value < blood) {
                *value += (blood - *value) * coverage(distance, tube->radius, voxel);
            }
        }
    }
}

void ren__phantom_tubes_draw(const ren__phantom_tubes *tubes, const ren__phantom_scene *scene, int64_t k,
                             const uint8_t *lobes, float *hu) {
    const float z = (float)k * (float)scene->spacing[2], slack = (float)(scene->spacing[0] + scene->spacing[2]);

    /* all walls before all air: bronchi that join are open to each other */
    for (int32_t n = 0; n < 2 * tubes->count; n++) {
        const int air = n >= tubes->count;
        const ren__phantom_tube *tube = &tubes->tube[air ? n - tubes->count : n];
        const float low = (tube->from[2] < tube->to[2] ? tube->from[2] : tube->to[2]) - tube->radius - slack;
        const float high = (tube->from[2] < tube->to[2] ? tube->to[2] : tube->from[2]) + tube->radius + slack;

        if (air && tube->lumen <= 0.0f) continue;
        if (z >= low && z <= high) draw_tube(tube, scene, z, air, lobes, hu);
    }
}
