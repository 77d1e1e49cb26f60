/* SPDX-License-Identifier: Apache-2.0 */
/* Draws the parameters of one synthetic scan: the patient's from the patient's stream, the scan's from the scan's. */
#include <math.h>

#include "volume/phantom.h"

ren_status ren__phantom_resolve(const ren_phantom_options *caller, ren_phantom_options *resolved) {
    ren_status st = ren_phantom_options_init(resolved, sizeof *resolved);

    if (st == REN_OK && caller) st = ren__options_copy(resolved, sizeof *resolved, caller, "ren_phantom_options");
    if (st != REN_OK) return st;
    if (resolved->size == 0) resolved->size = 128;
    if (resolved->severity == 0.0) resolved->severity = 1.0;
    if (resolved->patients < 1 || resolved->patients > PHANTOM_PATIENTS_MAX)
        return ren__error(REN_E_INVALID, "phantom: patients is %d: give 1 to %d", resolved->patients,
                          PHANTOM_PATIENTS_MAX);
    if (resolved->scans < 0 || resolved->scans > PHANTOM_SCANS_MAX)
        return ren__error(REN_E_INVALID, "phantom: scans is %d: give 1 to %d, or 0 for 1 to 4", resolved->scans,
                          PHANTOM_SCANS_MAX);
    if (resolved->size < 32 || resolved->size > 512)
        return ren__error(REN_E_INVALID, "phantom: size is %d: give 32 to 512, or 0 for 128", resolved->size);
    if (resolved->distribution != REN_PHANTOM_BASAL && resolved->distribution != REN_PHANTOM_UNIFORM)
        return ren__error(REN_E_INVALID, "phantom: distribution is %d: give REN_PHANTOM_BASAL or REN_PHANTOM_UNIFORM",
                          resolved->distribution);
    if (!(resolved->severity > 0.0 && resolved->severity <= 10.0))
        return ren__error(REN_E_INVALID, "phantom: severity must be above 0 and at most 10");
    return REN_OK;
}

static double between(ren__rng *rng, double low, double high) {
    return low + (high - low) * ren__rng_uniform(rng);
}

static int chance(ren__rng *rng, double probability) {
    return ren__rng_uniform(rng) < probability;
}

int32_t ren__phantom_scans(const ren_phantom_options *options, int32_t patient) {
    const uint32_t most = options->scans > 0 ? (uint32_t)options->scans : 4u;
    ren__rng rng;

    ren__rng_init(&rng, options->seed, (uint32_t)patient, PHANTOM_STREAM_COUNT);
    return (int32_t)ren__rng_below(&rng, most) + 1;
}

/* Patients 2n and 2n+1 are a pair of one ILD and one healthy patient in random order: half of any cohort is ILD, and
 * the first patients of a larger cohort are those of a smaller one. Alone, a patient is ILD. */
static int32_t draw_label(const ren_phantom_options *options, int32_t patient) {
    ren__rng rng;

    if (options->patients == 1) return 1;
    ren__rng_init(&rng, options->seed, (uint32_t)(patient & ~1), PHANTOM_STREAM_PAIR);
    return (int32_t)ren__rng_below(&rng, 2) ^ (patient & 1);
}

static void draw_body(ren__rng *rng, ren__phantom_body *body) {
    const double stature = between(rng, -1.0, 1.0);

    body->width = 126.0 + 7.0 * stature + between(rng, -5.0, 5.0);
    body->depth = 88.0 + 6.0 * stature + between(rng, -6.0, 6.0);
    body->height = 238.0 + 16.0 * stature + between(rng, -10.0, 10.0);
    body->back = between(rng, 14.0, 26.0);
    body->wall = between(rng, 18.0, 27.0);
    body->fat = between(rng, 5.0, 24.0);
    body->drop = between(rng, 56.0, 70.0);
    body->dome[PHANTOM_RIGHT] = body->height * between(rng, 0.29, 0.34);
    body->dome[PHANTOM_LEFT] = body->dome[PHANTOM_RIGHT] - between(rng, 7.0, 16.0);
    body->heart = between(rng, 0.92, 1.1);
    body->rib_period = body->height / between(rng, 8.2, 9.2);
    body->rib_slope = between(rng, 0.40, 0.55);
    for (int side = 0; side < 2; side++) {
        body->oblique[side] = body->height * between(rng, 0.42, 0.48);
        body->oblique_slope[side] = body->height * between(rng, 0.0037, 0.0045);
    }
    body->horizontal = body->height * between(rng, 0.51, 0.57);
    for (int n = 0; n < 3; n++)
        body->bend[n] = between(rng, -9.0, 9.0);
}

/* Severity is continuous and skewed: many mild, few severe; the mildest cannot be seen. */
static void draw_disease(ren__rng *rng, const ren_phantom_options *options, ren__phantom_scene *scene) {
    ren__phantom_disease *disease = &scene->disease;
    const double u = ren__rng_uniform(rng);
    const double skew = ren__rng_uniform(rng);

    disease->load = scene->label ? options->severity * (0.22 + 0.45 * u + 0.45 * u * u) : 0.0;
    disease->reticular = between(rng, 0.5, 1.0);
    disease->glass = between(rng, 0.25, 1.0);
    disease->honeycomb = chance(rng, 0.45) ? between(rng, 0.4, 1.0) : 0.0;
    disease->rim = between(rng, 11.0, 19.0);
    disease->side[PHANTOM_LEFT] = 0.85 + 0.3 * skew;
    disease->side[PHANTOM_RIGHT] = 1.15 - 0.3 * skew;
    disease->basal = options->distribution == REN_PHANTOM_BASAL;
}

/* What else changes density, so that density alone does not tell: most of it in the healthy, some in both. */
static void draw_lung(ren__rng *rng, ren__phantom_scene *scene) {
    ren__phantom_lung *lung = &scene->lung;
    const double which = ren__rng_uniform(rng), strength = between(rng, 0.35, 1.0);
    const double dependent = scene->label ? 0.25 : 0.40, emphysema = scene->label ? 0.12 : 0.25;

    lung->mean = -868.0 + 37.0 * (between(rng, -1.0, 1.0) + between(rng, -1.0, 1.0));
    lung->gravity = between(rng, 25.0, 60.0);
    lung->dependent = which < dependent ? strength : 0.0;
    lung->emphysema = which >= dependent && which < dependent + emphysema ? strength : 0.0;
}

/* Slices cover the lungs with a margin, whatever the tilt. */
static void draw_grid(ren__rng *rng, const ren_phantom_options *options, ren__phantom_scene *scene) {
    static const double thickness[6] = { 1.0, 1.25, 1.5, 2.0, 2.5, 3.0 };
    const ren__phantom_body *body = &scene->body;
    const double narrow = 2.0 * (body->width + 14.0), wide = 2.0 * (body->width + body->wall + body->fat + 8.0);
    const double fov = narrow + (wide - narrow) * between(rng, 0.35, 1.1);
    const double thick = thickness[ren__rng_below(rng, 6)], coarse = between(rng, 0.85, 1.15);
    const double half = chance(rng, 0.25) ? between(rng, -0.05, 0.05) : 0.0; /* tangent of half the tilt */
    const double cosine = (1.0 - half * half) / (1.0 + half * half), sine = 2.0 * half / (1.0 + half * half);
    const double lean = (body->depth + body->back) * (sine < 0.0 ? -sine : sine);
    const uint32_t orientation = ren__rng_below(rng, 4); /* LPS twice, LAS, RAS */
    const double side = orientation == 3 ? 1.0 : -1.0, front = orientation < 2 ? -1.0 : 1.0;
    double in_plane = fov / (double)options->size, slice = coarse * in_plane, low, high, slack;

    /* 9.5 mm: coarser grids would be refused as input; the smallest size sees the lungs alone */
    if (in_plane > 9.5) in_plane = 9.5;
    if (slice < thick) slice = thick;
    if (slice > 7.0) slice = 7.0;
    low = scene->breath * -0.04 * body->height - lean - between(rng, 10.0, 24.0) - 2.0 * slice;
    high = scene->breath * body->height + lean + between(rng, 8.0, 22.0) + 2.0 * slice;
    slack = 0.5 * in_plane * (double)options->size - body->width - 8.0;
    if (slack < 0.0) slack = 0.0;
    if (slack > 8.0) slack = 8.0;
    scene->shape[0] = scene->shape[1] = options->size;
    scene->shape[2] = (int64_t)((high - low) / slice) + 1;
    scene->spacing[0] = scene->spacing[1] = in_plane;
    scene->spacing[2] = slice;
    for (int a = 0; a < 3; a++)
        scene->centre[a] = 0.5 * (double)(scene->shape[a] - 1);
    scene->isocentre[0] = between(rng, -slack, slack);
    scene->isocentre[1] = between(rng, -6.0, 2.0);
    scene->isocentre[2] = 0.5 * (low + high) / scene->breath;
    const double axis[3][3] = { { side, 0.0, 0.0 }, { 0.0, front * cosine, front * sine }, { 0.0, -sine, cosine } };
    for (int a = 0; a < 3; a++) {
        for (int b = 0; b < 3; b++)
            scene->axis[a][b] = axis[a][b];
        scene->world[a] = between(rng, -30.0, 30.0) - (a == 1 ? 160.0 : 0.0);
    }
    scene->world[2] -= between(rng, 0.0, 900.0);
}

/* Soft kernels blur and give coarse noise, sharp kernels give more and finer noise. Coarse grids average noise away. */
static void draw_kernel(ren__rng *rng, ren__phantom_scene *scene) {
    const int sharp = chance(rng, 0.5);
    const double scale = sqrt(0.75 / (scene->spacing[0] > 0.75 ? scene->spacing[0] : 0.75));

    scene->blur = sharp ? between(rng, 0.03, 0.08) : between(rng, 0.16, 0.24);
    scene->sharpen = sharp ? between(rng, 0.5, 0.8) : 0.0;
    scene->noise = scale * (sharp ? between(rng, 30.0, 55.0) : between(rng, 12.0, 24.0));
    scene->circular = chance(rng, 0.35);
    scene->lung.contrast = chance(rng, 0.4) ? between(rng, 110.0, 220.0) : between(rng, 36.0, 46.0);
}

void ren__phantom_scene_draw(const ren_phantom_options *options, int32_t patient, int32_t scan,
                             ren__phantom_scene *scene) {
    ren__rng rng;
    double progression;

    *scene = (ren__phantom_scene){ .label = draw_label(options, patient) };
    ren__rng_init(&rng, options->seed, (uint32_t)patient, PHANTOM_STREAM_PATIENT);
    for (int n = 0; n < PHANTOM_PATTERN_SEEDS; n++)
        scene->seed[n] = ren__rng_u32(&rng);
    draw_body(&rng, &scene->body);
    draw_disease(&rng, options, scene);
    draw_lung(&rng, scene);
    progression = between(&rng, 0.0, 0.22);

    ren__rng_init(&rng, options->seed, (uint32_t)patient, (uint32_t)(PHANTOM_STREAM_SCAN + scan));
    scene->breath = between(&rng, 0.93, 1.05);
    scene->lung.mean -= 260.0 * (scene->breath - 0.99);
    scene->lung.mean += between(&rng, -15.0, 15.0);
    scene->disease.load *= 1.0 + progression * (double)scan;
    draw_grid(&rng, options, scene);
    draw_kernel(&rng, scene);
    scene->noise_key = (uint64_t)ren__rng_u32(&rng) << 32;
    scene->noise_key |= ren__rng_u32(&rng);
}

void ren__phantom_position(const ren__phantom_scene *scene, double i, double j, double k, double point[3]) {
    const double u[3] = { (i - scene->centre[0]) * scene->spacing[0], (j - scene->centre[1]) * scene->spacing[1],
                          (k - scene->centre[2]) * scene->spacing[2] };

    for (int a = 0; a < 3; a++)
        point[a] = scene->axis[0][a] * u[0] + scene->axis[1][a] * u[1] + scene->axis[2][a] * u[2];
    point[0] += scene->isocentre[0];
    point[1] += scene->isocentre[1];
    point[2] = point[2] / scene->breath + scene->isocentre[2];
}
