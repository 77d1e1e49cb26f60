/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of the synthetic chest: cavity, diaphragm, mediastinum, and so the lungs, and the fissures that part them. */
#include <math.h>

#include "volume/phantom.h"

/* The lungs meet left of the middle: the right one is larger. */
static const double MIDLINE = -5.0;

static double square(double x) {
    return x * x;
}

static double least(double a, double b) {
    return a < b ? a : b;
}

static double most(double a, double b) {
    return a > b ? a : b;
}

/* Smooth minimum: shapes blend over `k` mm instead of meeting in a crease. */
static double blend(double a, double b, double k) {
    const double h = k - (a > b ? a - b : b - a);

    return least(a, b) - (h > 0.0 ? 0.25 * h * h / k : 0.0);
}

/* About the signed distance to an ellipsoid. */
static double ellipsoid(const double p[3], double x, double y, double z, double rx, double ry, double rz) {
    const double dx = p[0] - x, dy = p[1] - y, dz = p[2] - z;
    const double k0 = sqrt(square(dx / rx) + square(dy / ry) + square(dz / rz));
    const double k1 = sqrt(square(dx / (rx * rx)) + square(dy / (ry * ry)) + square(dz / (rz * rz)));

    return k1 > 1e-9 ? k0 * (k0 - 1.0) / k1 : -rx;
}

/* Half width of the cavity at relative height t, as a share of the widest. */
static double profile(double t) {
    const double u = (t - 0.22) / 0.80;

    if (t < 0.22) return 1.0 - 0.9 * square(0.22 - t) * (t > -0.2 ? 1.0 : 0.5);
    if (u >= 0.998) return 0.02;
    return most(0.02, sqrt(1.0 - u * u * sqrt(u)));
}

/* Distance outside the cavity along the ray from its axis, mm; negative inside. */
static double cavity(const ren__phantom_body *body, const double point[3]) {
    const double t = point[2] / body->height, f = profile(t), tc = t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t;
    const double y = point[1] + 5.0 + body->back * tc * tc;
    const double u2 = square(point[0] / (body->width * f)), v2 = square(y / (body->depth * (0.12 + 0.88 * f)));
    /* between an ellipse and a rounder box */
    const double rho = 0.6 * sqrt(u2 + v2) + 0.4 * sqrt(sqrt(u2 * u2 + v2 * v2));

    if (rho < 1e-6) return -body->depth * f;
    return (1.0 - 1.0 / rho) * sqrt(square(point[0]) + square(y));
}

/* Height of the diaphragm, mm. */
static double diaphragm(const ren__phantom_body *body, int32_t side, double x, double y) {
    const double middle = (side == PHANTOM_RIGHT ? 0.50 : -0.50) * body->width;
    const double behind = 12.0 - y;
    /* deep behind and at the side, shallow in front and towards the heart */
    const double v = behind > 0.0 ? behind / (1.12 * body->depth) : behind / (1.45 * body->depth);
    const double lateral = (x - middle) * (side == PHANTOM_RIGHT ? 1.0 : -1.0);
    const double u = lateral > 0.0 ? lateral / (0.56 * body->width) : lateral / (0.85 * body->width);

    return body->dome[side] - body->drop * (0.8 * (u * u + v * v) + 0.2 * square(u * u + v * v));
}

/* Signed distance to what lies between the lungs: heart, great vessels, spine. */
static double mediastinum(const ren__phantom_body *body, const double p[3]) {
    const double h = body->height, s = body->heart, base = body->dome[PHANTOM_LEFT] + 4.0,
                 x = p[0] < 0.0 ? -p[0] : p[0];
    const double middle = p[0] - MIDLINE < 0.0 ? MIDLINE - p[0] : p[0] - MIDLINE;
    const double top = p[2] / h;
    const double wide = 25.0 - 4.0 * ren__phantom_step(0.7, 1.0, top),
                 deep = 40.0 - 6.0 * ren__phantom_step(0.7, 1.0, top);
    const double column = ellipsoid(p, MIDLINE, -8.0 - 0.5 * body->back * top * top, p[2], wide, deep, 1e6);
    const double spine = ellipsoid(p, 0.0, 27.0 - body->depth - 0.8 * body->back * top * top, p[2], 22.5, 23.0, 1e6);
    const double gutter = x - (13.0 + most(0.0, 0.45 * (18.0 - body->depth - p[1])));
    const double front = 5.0 + most(0.0, 0.35 * (p[1] - 0.5 * body->depth));
    double d = blend(column, spine, 14.0);

    if (p[1] < -0.5 * body->depth) d = blend(d, gutter, 10.0);
    if (p[1] > 10.0) d = blend(d, middle - front, 8.0);
    d = blend(d, ellipsoid(p, -21.0, -44.0, p[2], 13.5, 13.5, 1e6) + most(0.0, p[2] - 0.68 * h), 8.0);
    d = blend(d, ellipsoid(p, -14.0, -14.0, 0.69 * h, 19.0, 36.0, 15.0), 8.0);
    if (top < 0.72) {
        d = blend(d, ellipsoid(p, -30.0 * s, 22.0, base + 30.0, 54.0 * s, 42.0 * s, 42.0 * s), 10.0);
        d = blend(d, ellipsoid(p, 10.0, 16.0, base + 38.0, 38.0 * s, 38.0 * s, 44.0 * s), 10.0);
        d = blend(d, ellipsoid(p, p[0] < 0.0 ? -33.0 : 33.0, -14.0, 0.54 * h, 15.0, 17.0, 24.0), 10.0);
    }
    return d;
}

/* Which lobe of its side a point belongs to, and how far the nearest fissure is. */
static void find_lobe(const ren__phantom_scene *scene, const double p[3], ren__phantom_place *place) {
    const ren__phantom_body *body = &scene->body;
    const int32_t side = place->side;
    const double across = ((side == PHANTOM_RIGHT ? p[0] : -p[0]) - 0.5 * body->width) / (0.5 * body->width);
    const double along = p[1] / body->depth, slope = body->oblique_slope[side];
    const double height =
        body->oblique[side] - slope * p[1] + body->bend[side] * (across * across - along * along) + 6.0 * across;
    const double oblique = (p[2] - height) / sqrt(1.0 + slope * slope);
    const double level = body->horizontal + body->bend[2] * across * along - 5.0 * (along - 0.4) * (along - 0.4);
    const double horizontal = p[2] - level;

    place->fissure = oblique < 0.0 ? -oblique : oblique;
    if (side == PHANTOM_LEFT) {
        place->lobe = oblique < 0.0 ? 2 : 1;
    } else if (oblique < 0.0) {
        place->lobe = 5;
    } else {
        place->lobe = horizontal < 0.0 ? 4 : 3;
        place->fissure = least(place->fissure, horizontal < 0.0 ? -horizontal : horizontal);
    }
}

/* Bends space a little: shapes made of ellipses look like nobody's. */
static void warp(const ren__phantom_scene *scene, const double p[3], double warped[3]) {
    double bend[3];

    ren__phantom_noise3(scene->seed[0], p, 60.0, bend);
    warped[0] = p[0] + 4.5 * bend[0];
    warped[1] = p[1] + 6.0 * bend[1];
    warped[2] = p[2] + 6.0 * bend[2];
}

void ren__phantom_locate(const ren__phantom_scene *scene, const double p[3], ren__phantom_place *place) {
    const ren__phantom_body *body = &scene->body;
    const double *point;

    *place = (ren__phantom_place){ .fissure = 1e3, .inside = -1e3, .pleura = -1e3, .below = -1e3, .outer = 1e3 };
    point = place->warped;
    warp(scene, p, place->warped);
    place->side = point[0] < MIDLINE ? PHANTOM_LEFT : PHANTOM_RIGHT;
    place->outer = cavity(body, point);
    place->inside = -place->outer;
    if (place->outer > 12.0) return;
    if (point[2] < 1.1 * body->dome[PHANTOM_RIGHT])
        place->below = diaphragm(body, place->side, point[0], point[1]) - point[2];
    else
        place->below = -1e3;
    /* the dome is steep at its edge: vertical distance is more than the distance to it */
    place->pleura = least(-place->outer, -0.75 * place->below);
    place->inside = place->pleura;
    if (place->inside < -12.0) return;
    place->inside = least(place->inside, mediastinum(body, point));
    if (place->inside > -4.0) find_lobe(scene, point, place);
    if (place->inside <= 0.0) place->lobe = 0;
}
