/* SPDX-License-Identifier: Apache-2.0 */
/* What is not lung in the synthetic chest: skin, fat, muscle, bone, heart and vessels, airways, abdomen, air and couch.
 */
#include <math.h>

#include "volume/phantom.h"

/* HU of common tissues. */
static const double AIR = -1000.0, FAT = -102.0, MUSCLE = 52.0, MARROW = 190.0, CORTEX = 620.0, SOFT = 38.0;

static double magnitude(double x) {
    return x < 0.0 ? -x : x;
}

static double norm2(double x, double y) {
    return sqrt(x * x + y * y);
}

/* Below 1 inside an ellipse. */
static double ellipse(double x, double y, double rx, double ry) {
    return (x / rx) * (x / rx) + (y / ry) * (y / ry);
}

/* Distance below the skin, mm; negative outside the body. */
static double skin_depth(const ren__phantom_body *body, const double p[3]) {
    const double t = p[2] / body->height, shoulder = 1.0 - 0.10 * ren__phantom_step(0.75, 1.15, t);
    const double y = p[1] + 6.0 + 0.3 * body->back * ren__phantom_step(0.5, 1.1, t);
    const double u = p[0] / ((body->width + body->wall + body->fat) * shoulder);
    const double v = y / ((body->depth + 0.75 * body->wall + 0.7 * body->fat) * (1.0 + 0.5 * (1.0 - shoulder)));
    const double u2 = u * u, v2 = v * v, rho = 0.55 * sqrt(u2 + v2) + 0.45 * sqrt(sqrt(u2 * u2 + v2 * v2));

    if (rho < 1e-6) return body->depth;
    return (1.0 / rho - 1.0) * norm2(p[0], y);
}

static double couch(const ren__phantom_body *body, const double p[3]) {
    const double top = -8.0 - body->depth - 0.75 * body->wall - 0.7 * body->fat - 12.0 + 0.0006 * p[0] * p[0];
    const double under = top - p[1];

    if (under < 0.0 || under > 26.0 || magnitude(p[0]) > 215.0) return AIR;
    return under < 2.5 || under > 23.5 ? -180.0 : -930.0;
}

int ren__phantom_air(const ren__phantom_body *body, const double point[3], float *hu) {
    const double x = magnitude(point[0]), y = magnitude(point[1] + 6.0);
    const double wide = body->width + body->wall + body->fat, deep = body->depth + 0.75 * body->wall + 0.7 * body->fat;

    if (x < wide + 6.0 && y < deep + 18.0 && ellipse(x, y, 1.45 * wide, 1.45 * deep) < 1.0) return 0;
    *hu = (float)couch(body, point);
    return 1;
}

/* The spine, or 0 where there is none: `hu` is set where the answer is 1. */
static int spine(const ren__phantom_scene *scene, const double p[3], double *hu) {
    const ren__phantom_body *body = &scene->body;
    const double t = p[2] / body->height, lean = 0.8 * body->back * (t > 0.0 ? (t > 1.2 ? 1.44 : t * t) : 0.0);
    const double y = p[1] + body->depth - 23.0 + lean, period = 0.5 * body->rib_period + 13.0;
    const double turn = p[2] / period, phase = turn - (double)(int64_t)(turn + 64.0) + 64.0, x = magnitude(p[0]);
    const double vertebra = ellipse(p[0], y, 17.5, 14.0), canal = ellipse(p[0], y + 22.0, 9.5, 8.0);
    const double arch = ellipse(p[0], y + 22.0, 16.0, 13.0);

    if (vertebra < 1.0) {
        if (phase < 0.16)
            *hu = 85.0;
        else
            *hu = vertebra > 0.80 || phase < 0.22 || phase > 0.94
                      ? CORTEX - 180.0
                      : MARROW + 60.0 * ren__phantom_noise(scene->seed[1], p, 5.0);
        return 1;
    }
    if (canal < 1.0) {
        *hu = canal < 0.35 ? 42.0 : 12.0;
        return 1;
    }
    if (arch < 1.0 && (phase > 0.35 || canal < 1.4)) {
        *hu = arch > 0.8 || canal < 1.3 ? CORTEX : MARROW + 90.0;
        return 1;
    }
    if (x < 3.5 && y < -30.0 && y > -58.0 && phase > 0.2 && phase < 0.75) {
        *hu = x > 2.0 ? CORTEX : MARROW + 60.0;
        return 1;
    }
    if (x < 34.0 && x > 10.0 && magnitude(y + 24.0 + 0.25 * x) < 5.5 && magnitude(phase - 0.6) < 0.17) {
        *hu = magnitude(y + 24.0 + 0.25 * x) > 3.5 ? CORTEX : MARROW;
        return 1;
    }
    return 0;
}

/* Ribs are bands around the cavity that fall towards the front, in front they are cartilage. */
static int ribs(const ren__phantom_scene *scene, const double p[3], double outer, double *hu) {
    const ren__phantom_body *body = &scene->body;
    const double turn = (p[2] + body->rib_slope * p[1]) / body->rib_period + 64.0;
    const double along = (turn - (double)(int64_t)turn - 0.5) * body->rib_period;
    const double section = ellipse(along, outer - 5.8, 6.8, 4.6);

    if (section > 1.0 || turn > 64.0 + 10.2) return 0;
    if (p[1] > 0.62 * body->depth)
        *hu = 105.0;
    else
        *hu = section > 0.45 ? CORTEX + 60.0 : MARROW + 40.0;
    return 1;
}

static int sternum(const ren__phantom_body *body, const double p[3], double outer, double *hu) {
    const double t = p[2] / body->height;
    const double wide = t > 0.78 ? 26.0 : 15.0, section = ellipse(p[0], outer - 8.0, wide, 6.0);

    if (t < 0.30 || t > 0.92 || p[1] < 0.3 * body->depth || section > 1.0) return 0;
    *hu = section > 0.7 ? 420.0 : 130.0;
    return 1;
}

static int scapula(const ren__phantom_body *body, const double p[3], double outer, double *hu) {
    const double t = p[2] / body->height, x = magnitude(p[0]), plate = outer - 17.0 - 0.05 * (x - 80.0);
    const double thick = 2.6 + 4.0 * ren__phantom_step(110.0, 140.0, x);

    if (t < 0.5 || x < 62.0 + 30.0 * (0.75 - t) || x > 150.0 || p[1] > 5.0 || magnitude(plate) > thick) return 0;
    *hu = magnitude(plate) > thick - 1.6 ? CORTEX : MARROW + 60.0;
    return 1;
}

static double chest_wall(const ren__phantom_scene *scene, const double p[3], double outer, double depth) {
    const ren__phantom_body *body = &scene->body;
    double hu, planes, thickness = 0.8 * body->fat;

    if (depth < 2.0) return 15.0;
    if (outer < 26.0 && sternum(body, p, outer, &hu)) return hu;
    if (outer < 11.0 && outer > 0.5 && ribs(scene, p, outer, &hu)) return hu;
    if (outer < 30.0 && scapula(body, p, outer, &hu)) return hu;
    thickness += 2.5 * ren__phantom_noise(scene->seed[2], p, 45.0);
    if (depth < thickness) return FAT + 10.0 * ren__phantom_noise(scene->seed[2], p, 14.0);
    if (outer < 2.0) return 10.0;
    if (outer < 10.0) return MUSCLE - 25.0;
    /* fat planes part the muscles where a slow noise passes zero */
    planes = magnitude(ren__phantom_noise(scene->seed[2] + 1u, p, 42.0));
    if (planes < 0.055) return FAT + 15.0;
    if (p[1] > -10.0 && magnitude(p[0]) > 0.9 * body->width && p[2] > 0.55 * body->height && planes > 0.14) return FAT;
    return MUSCLE + 8.0 * ren__phantom_noise(scene->seed[2] + 2u, p, 9.0);
}

static double abdomen(const ren__phantom_scene *scene, const double p[3], double below) {
    const ren__phantom_body *body = &scene->body;
    const double enhanced = 0.35 * (scene->lung.contrast - 40.0);
    const double stomach = ellipse(p[0] + 0.42 * body->width, p[1] - 22.0, 42.0, 34.0) +
                           ellipse(p[2] - body->dome[PHANTOM_LEFT] + 48.0, 0.0, 34.0, 1.0);
    const double spleen = ellipse(p[0] + 0.68 * body->width, p[1] + 0.42 * body->depth, 34.0, 40.0) +
                          ellipse(p[2] - body->dome[PHANTOM_LEFT] + 55.0, 0.0, 48.0, 1.0);

    if (below < 3.0) return 40.0;
    if (p[0] > -12.0 - 30.0 * ren__phantom_step(-10.0, 60.0, p[1]) && below < 150.0)
        return 54.0 + enhanced + 6.0 * ren__phantom_noise(scene->seed[3], p, 16.0);
    if (stomach < 1.0) {
        if (stomach > 0.82) return 42.0;
        return p[1] > 26.0 ? -985.0 : 18.0; /* gas rises to the front of one who lies on the back */
    }
    if (spleen < 1.0) return 48.0 + enhanced;
    return FAT;
}

/* Trachea and main bronchi: negative lumen distance inside the air. */
static double airway(const ren__phantom_body *body, const double p[3]) {
    const double h = body->height, carina = 0.62 * h, lean = 0.4 * body->back * (p[2] / h) * (p[2] / h);
    const double side = p[0] < 2.0 ? -1.0 : 1.0, drop = carina - p[2];

    if (p[2] >= carina - 4.0) return norm2((p[0] - 2.0) * 0.95, p[1] + 16.0 + lean) - 8.6;
    if (drop > 34.0) return 1e3;
    /* a bronchus falls by 1 mm for each mm to the left, 1.4 to the right, to the hilum */
    return norm2(p[0] - 2.0 - side * drop * (side > 0.0 ? 0.75 : 1.05), (p[1] + 17.0) * 0.85) - 6.6;
}

static double mediastinal(const ren__phantom_scene *scene, const double p[3]) {
    const ren__phantom_body *body = &scene->body;
    const double h = body->height, base = body->dome[PHANTOM_LEFT] + 4.0, blood = scene->lung.contrast, s = body->heart;
    const double air = airway(body, p), dz = p[2] - base;
    const double left =
        ellipse(p[0] + 30.0 * s, p[1] - 20.0, 47.0 * s, 36.0 * s) + ellipse(dz - 30.0, 0.0, 38.0 * s, 1.0);
    const double right = ellipse(p[0] - 8.0, p[1] - 15.0, 33.0 * s, 33.0 * s) + ellipse(dz - 38.0, 0.0, 42.0 * s, 1.0);
    const double arch =
        ellipse(p[0] + 11.0 + 0.12 * p[1], p[1] + 14.0, 12.0, 33.0) + ellipse(p[2] - 0.69 * h, 0.0, 13.0, 1.0);

    if (air < 0.0) return -985.0;
    if (air < 1.6) return 20.0;
    if (p[2] < 0.69 * h && norm2(p[0] + 21.0, p[1] + 44.0) < 11.5) return blood;
    if (arch < 1.0) return blood;
    if (left < 1.0)
        return left > 0.62 || magnitude(p[0] + 26.0 - 0.5 * p[1]) < 4.0 ? SOFT + 0.4 * (blood - SOFT) : blood;
    if (right < 1.0) return blood;
    if (dz > 40.0 && p[2] < 0.66 * h && norm2(p[0] + 4.0, p[1] - 18.0) < 15.0) return blood; /* ascending aorta */
    if (dz > 50.0 && norm2(p[0] - 17.0, p[1] - 8.0) < 8.5) return blood;                     /* superior vena cava */
    if (p[2] > 0.5 * h && p[2] < 0.6 * h && ellipse(p[0], p[1] + 1.0, 40.0, 11.0) < 1.0) return blood; /* pulmonary */
    if (p[2] > 0.72 * h && (norm2(p[0] + 17.0, p[1] + 10.0) < 5.5 || norm2(p[0] - 13.0, p[1] + 6.0) < 6.0))
        return blood;
    if (norm2(p[0] + 5.0, p[1] + 36.0) < 7.0) return SOFT; /* oesophagus */
    if (ren__phantom_noise(scene->seed[3] + 1u, p, 11.0) > 0.32) return SOFT;
    return FAT + 20.0;
}

double ren__phantom_tissue(const ren__phantom_scene *scene, const double point[3], const ren__phantom_place *place) {
    const ren__phantom_body *body = &scene->body;
    const double *p = place->warped, depth = skin_depth(body, p);
    double hu;

    if (depth <= 0.0) return couch(body, point);
    if (magnitude(p[0]) < 36.0 && p[1] < 0.0 && spine(scene, p, &hu)) return hu;
    if (p[2] > 0.93 * body->height && place->outer > 0.0 && ellipse(p[0], p[1] + 14.0, 34.0, 38.0) < 1.0)
        return mediastinal(scene, p); /* the neck's vessels and trachea above the lungs */
    if (place->outer > 0.0) return chest_wall(scene, p, place->outer, depth);
    if (place->below > 0.0) return abdomen(scene, p, place->below);
    return mediastinal(scene, p);
}
