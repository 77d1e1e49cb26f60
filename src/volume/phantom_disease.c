/* SPDX-License-Identifier: Apache-2.0 */
/* Lung parenchyma of the synthetic chest: healthy, dependent opacity, emphysema, and interstitial lung disease. */
#include <math.h>

#include "volume/phantom.h"

static double clamp01(double x) {
    return x < 0.0 ? 0.0 : x > 1.0 ? 1.0 : x;
}

/* Share of the load that the chosen distribution puts at a point. */
static double distribution(const ren__phantom_scene *scene, const double p[3], const ren__phantom_place *place) {
    const ren__phantom_disease *disease = &scene->disease;
    const double deep = (place->pleura > 0.0 ? place->pleura : 0.0) / disease->rim;
    const double rim = 1.0 / (1.0 + deep * deep);
    const double t = clamp01(p[2] / scene->body.height), behind = clamp01(0.5 - 0.5 * p[1] / scene->body.depth);

    if (!disease->basal) return (0.28 + 0.42 * rim) * disease->side[place->side];
    return (0.10 + 1.05 * (1.0 - t) * (1.0 - t)) * (0.85 + 0.4 * behind) * (0.12 + 1.0 * rim) *
           disease->side[place->side];
}

/* Local load: the patient's, distributed, and patchy. */
static double local_load(const ren__phantom_scene *scene, const double p[3], const ren__phantom_place *place) {
    const double patches =
        0.6 * ren__phantom_noise(scene->seed[4], p, 46.0) + 0.4 * ren__phantom_noise(scene->seed[4] + 1u, p, 19.0);

    return scene->disease.load * distribution(scene, p, place) * (1.0 + 1.15 * patches);
}

double ren__phantom_involved(const ren__phantom_scene *scene, const double point[3], const ren__phantom_place *place) {
    if (scene->disease.load <= 0.0) return 0.0;
    return ren__phantom_step(0.10, 0.62, local_load(scene, point, place));
}

/* A wall of `thickness` between cells, averaged over the voxel: as wide as both, as high as the average leaves. */
static double wall_of(ren__phantom_cell cell, double thickness, double voxel) {
    const double width = sqrt(thickness * thickness + 0.5 * voxel * voxel);
    const double from_middle = 0.5 * (cell.second - cell.nearest);

    return thickness / width * clamp01(1.5 - 2.0 * from_middle / width);
}

/* HU that disease adds: a net of thickened septa, haze, and cysts with walls where the load is high. */
static double diseased(const ren__phantom_scene *scene, const double p[3], const ren__phantom_place *place,
                       double involved, double voxel, double healthy) {
    const ren__phantom_disease *disease = &scene->disease;
    const double haze = 0.5 + 0.5 * ren__phantom_noise(scene->seed[5], p, 13.0);
    double hu = healthy, cysts, net, fine, bent[3];

    /* septa are no straight lines */
    ren__phantom_noise3(scene->seed[5] + 1u, p, 7.0, bent);
    for (int a = 0; a < 3; a++)
        bent[a] = p[a] + 2.4 * bent[a];
    net = wall_of(ren__phantom_cells(scene->seed[6], bent, 9.5), 1.3, voxel) * (0.55 + 0.6 * haze);
    fine = wall_of(ren__phantom_cells(scene->seed[6] + 1u, bent, 5.0), 0.8, voxel);

    hu += involved * disease->glass * (35.0 + 165.0 * haze * involved);
    hu += involved * disease->reticular * (430.0 * net + 260.0 * fine);
    if (disease->honeycomb > 0.0 && place->pleura < 26.0) {
        const double clusters = 0.5 + 0.5 * ren__phantom_noise(scene->seed[5] + 3u, p, 30.0);

        cysts = ren__phantom_step(0.42, 0.60, disease->honeycomb * involved * (0.35 + clusters)) *
                ren__phantom_step(26.0, 12.0, place->pleura);
        if (cysts > 0.0) {
            const ren__phantom_cell cell = ren__phantom_cells(scene->seed[6] + 2u, p, 8.0);
            const double wall = wall_of(cell, 1.9, voxel);

            hu += cysts * (-950.0 + 830.0 * wall - hu);
        }
    }
    return hu > 20.0 ? 20.0 : hu;
}

double ren__phantom_parenchyma(const ren__phantom_scene *scene, const double point[3], const ren__phantom_place *place,
                               double involved, double voxel) {
    const ren__phantom_lung *lung = &scene->lung;
    const double t = clamp01(point[2] / scene->body.height), front = point[1] / scene->body.depth;
    double hu = lung->mean - 0.5 * lung->gravity * front;

    hu += 9.0 * ren__phantom_noise(scene->seed[7], point, 24.0) +
          13.0 * ren__phantom_noise(scene->seed[7] + 1u, point, 8.0);
    hu += 75.0 * (voxel < 1.2 ? 1.2 : 1.44 / voxel) * clamp01(0.8 - 0.8 * place->fissure); /* the fissure's thin line */
    if (lung->dependent > 0.0) {
        const double patches = 0.65 + 0.35 * ren__phantom_noise(scene->seed[7] + 2u, point, 21.0);
        const double layer = ren__phantom_step(26.0, 2.0, place->pleura) * ren__phantom_step(-0.30, -0.80, front);

        hu += 330.0 * lung->dependent * patches * layer * (1.25 - t);
    }
    if (lung->emphysema > 0.0) {
        const ren__phantom_cell cell = ren__phantom_cells(scene->seed[7] + 3u, point, 11.0);
        const double chosen = (double)((cell.id >> 7) & 255u) / 255.0;
        const double share =
            lung->emphysema * (0.15 + 0.75 * t) + 0.15 * ren__phantom_noise(scene->seed[7] + 4u, point, 40.0);

        if (chosen < share) hu -= (hu + 985.0) * ren__phantom_step(6.0, 3.5, cell.nearest);
    }
    if (involved > 0.0) hu = diseased(scene, point, place, involved, voxel, hu);
    return hu;
}
