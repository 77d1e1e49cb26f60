/* SPDX-License-Identifier: Apache-2.0 */
/* Planes through the lungs: where they lie, CT in the lung window, regions in colour. */
#include <math.h>
#include <string.h>

#include "format/png.h"
#include "moe/report.h"

#define WINDOW_LOW  (-1350.0) /* HU: the usual lung window, centre -600, width 1500 */
#define WINDOW_HIGH 150.0
#define MARGIN      20.0 /* mm of body shown around the lungs */
#define PIXEL       0.8  /* mm, unless that makes more than MOST_PIXELS */
#define FILL_SHARE  0.5
enum { MOST_PIXELS = 640, OUTLINE = 2, LEAST_SPOT = 300 };

/* ------------------------------------------------------------------------------------------------------ anatomy */

void ren__anatomy_free(ren__anatomy *anatomy) {
    ren_volume_free(anatomy->ct);
    ren_volume_free(anatomy->lobes);
    memset(anatomy, 0, sizeof *anatomy);
}

static ren_status ras_view(const ren_volume *volume, ren_volume **out) {
    int32_t order[3], flip[3];
    const ren_status st = ren__volume_axes(volume, "RAS", order, flip);

    return st == REN_OK ? ren__volume_view(volume, order, flip, out) : st;
}

/* 0 left, 1 right; -1 outside. */
static int lung_of(int32_t label) {
    return label < 1 || label > REN__LOBES ? -1 : label > 2;
}

static void survey_row(ren__anatomy *anatomy, const int32_t *row, int64_t j, int64_t k, int64_t counts[REN__LOBES]) {
    const int64_t at[3] = { 0, j, k };

    for (int64_t i = 0; i < anatomy->shape[0]; i++) {
        const int lung = lung_of(row[i]);
        if (lung < 0) continue;
        counts[row[i] - 1]++;
        anatomy->voxels[lung]++;
        for (int axis = 0; axis < 3; axis++) {
            const int64_t position = axis == 0 ? i : at[axis];
            anatomy->centre[lung][axis] += (double)position;
            if (position < anatomy->begin[axis]) anatomy->begin[axis] = position;
            if (position >= anatomy->end[axis]) anatomy->end[axis] = position + 1;
        }
    }
}

static ren_status survey(ren_context *context, ren__anatomy *anatomy, ren__run *run) {
    const int64_t *shape = anatomy->shape, slice[3] = { shape[0], shape[1], 1 };
    int64_t counts[REN__LOBES] = { 0 };
    int32_t *labels = NULL;
    ren_status st = REN_OK;

    labels = ren__alloc_array(context, (size_t)(shape[0] * shape[1]), sizeof *labels);
    if (!labels) return ren__out_of_memory();
    memcpy(anatomy->begin, shape, sizeof anatomy->begin);
    for (int64_t k = 0; k < shape[2]; k++) {
        const int64_t begin[3] = { 0, 0, k };
        REN_TRY(ren__run_check(run));
        REN_TRY(ren__volume_box_labels(anatomy->lobes, begin, slice, run, labels));
        for (int64_t j = 0; j < shape[1]; j++)
            survey_row(anatomy, labels + j * shape[0], j, k, counts);
    }
    if (anatomy->voxels[0] + anatomy->voxels[1] == 0) REN_FAIL(REN_E_DATA, "the lobe map has no lobe");
    const double voxel = anatomy->spacing[0] * anatomy->spacing[1] * anatomy->spacing[2] / 1000.0;
    for (int lobe = 0; lobe < REN__LOBES; lobe++)
        anatomy->millilitres[lobe] = voxel * (double)counts[lobe];
    for (int lung = 0; lung < REN__LUNGS; lung++)
        for (int axis = 0; axis < 3 && anatomy->voxels[lung] > 0; axis++)
            anatomy->centre[lung][axis] /= (double)anatomy->voxels[lung];
out:
    ren__free(labels);
    return st;
}

ren_status ren__anatomy_read(ren_context *context, const ren_volume *ct, const ren_volume *lobes, ren__run *run,
                             ren__anatomy *anatomy) {
    int64_t shape[3];
    ren_status st = REN_OK;

    memset(anatomy, 0, sizeof *anatomy);
    REN_TRY(ras_view(ct, &anatomy->ct));
    REN_TRY(ras_view(lobes, &anatomy->lobes));
    ren_volume_shape(anatomy->ct, anatomy->shape);
    ren_volume_shape(anatomy->lobes, shape);
    ren_volume_spacing(anatomy->ct, anatomy->spacing);
    if (memcmp(shape, anatomy->shape, sizeof shape) != 0)
        REN_FAIL(REN_E_DATA, "CT and lobes have different grids: give the volumes that were predicted");
    REN_TRY(survey(context, anatomy, run));
out:
    if (st != REN_OK) ren__anatomy_free(anatomy);
    return st;
}

/* ------------------------------------------------------------------------------------------------------- planes */

void ren__plane_free(ren__plane *plane) {
    ren__free(plane->grey);
    ren__free(plane->label);
    memset(plane, 0, sizeof *plane);
}

/* How each plane lies: image x runs against axis `across`, image y against axis `down`. */
static const struct {
    const char *name;
    char edges[4];
    int32_t normal, across, down, lung; /* lung: -1 both, through whose centre */
} layouts[REN__PLANES] = {
    [REN__AXIAL] = { "Axial", { 'R', 'L', 'A', 'P' }, 2, 0, 1, -1 },
    [REN__CORONAL] = { "Coronal", { 'R', 'L', 'S', 'I' }, 1, 0, 2, -1 },
    [REN__SAGITTAL_RIGHT] = { "Sagittal, right lung", { 'A', 'P', 'S', 'I' }, 0, 1, 2, 1 },
    [REN__SAGITTAL_LEFT] = { "Sagittal, left lung", { 'A', 'P', 'S', 'I' }, 0, 1, 2, 0 },
};

/* The slice through the centre of one lung, or of both by volume. */
static int64_t slice_index(const ren__anatomy *anatomy, int32_t axis, int32_t lung) {
    double centre = 0.0, voxels = 0.0;

    for (int32_t side = 0; side < REN__LUNGS; side++) {
        if (lung >= 0 && side != lung) continue;
        centre += anatomy->centre[side][axis] * (double)anatomy->voxels[side];
        voxels += (double)anatomy->voxels[side];
    }
    return (int64_t)(centre / voxels + 0.5);
}

/* What is shown of an axis: the lungs and a margin, within the volume. Voxel edges, in voxels. */
static void shown_range(const ren__anatomy *anatomy, int32_t axis, double *begin, double *end) {
    const double margin = MARGIN / anatomy->spacing[axis];

    *begin = fmax(0.0, (double)anatomy->begin[axis] - margin);
    *end = fmin((double)anatomy->shape[axis], (double)anatomy->end[axis] + margin);
}

typedef struct slab {
    float *value;
    int32_t *label;
    int64_t width, height; /* voxels along `across` and `down` */
} slab;

static uint8_t windowed(double value) {
    const double share = (value - WINDOW_LOW) / (WINDOW_HIGH - WINDOW_LOW);

    return share > 0.0 ? share < 1.0 ? (uint8_t)lround(255.0 * share) : 255 : 0; /* NaN: 0 */
}

/* Lower neighbour and share of the upper one, for linear interpolation at a voxel position. */
static int64_t neighbour(double position, int64_t count, double *share) {
    const double inside = fmin(fmax(position, 0.0), (double)(count - 1));
    const int64_t lower = inside < (double)(count - 1) ? (int64_t)inside : count > 1 ? count - 2 : 0;

    *share = count > 1 ? inside - (double)lower : 0.0;
    return lower;
}

static double interpolate(const slab *s, double x, double y) {
    double a, b;
    const int64_t i = neighbour(x, s->width, &a), j = neighbour(y, s->height, &b);
    const float *v = s->value + j * s->width + i;
    const int64_t right = s->width > 1, down = s->height > 1 ? s->width : 0;

    return (1.0 - b) * ((1.0 - a) * (double)v[0] + a * (double)v[right]) +
           b * ((1.0 - a) * (double)v[down] + a * (double)v[down + right]);
}

static int64_t nearest(double position, int64_t count) {
    const int64_t index = (int64_t)floor(position + 0.5);

    return index < 0 ? 0 : index < count ? index : count - 1;
}

/* Fills the pixels; voxel centres are at whole numbers, so that edges are half a voxel off. */
static void sample(const slab *s, const double range[2][2], const double spacing[2], ren__plane *plane) {
    for (int32_t y = 0; y < plane->height; y++) {
        const double v = range[1][1] - 0.5 - (y + 0.5) * plane->pixel / spacing[1];
        for (int32_t x = 0; x < plane->width; x++) {
            const double u = range[0][1] - 0.5 - (x + 0.5) * plane->pixel / spacing[0];
            const int32_t label = s->label[nearest(v, s->height) * s->width + nearest(u, s->width)];
            const size_t at = (size_t)y * (size_t)plane->width + (size_t)x;
            plane->grey[at] = windowed(interpolate(s, u, v));
            plane->label[at] = lung_of(label) < 0 ? 0 : (uint8_t)label;
        }
    }
}

static ren_status read_slab(ren_context *context, const ren__anatomy *anatomy, int32_t normal, int64_t index,
                            ren__run *run, slab *s) {
    int64_t begin[3] = { 0, 0, 0 }, shape[3];
    ren_status st = REN_OK;

    memcpy(shape, anatomy->shape, sizeof shape);
    begin[normal] = index;
    shape[normal] = 1;
    REN_ALLOC(s->value, (size_t)(s->width * s->height) * sizeof *s->value);
    REN_ALLOC(s->label, (size_t)(s->width * s->height) * sizeof *s->label);
    REN_TRY(ren__volume_box_f32(anatomy->ct, begin, shape, run, s->value));
    REN_TRY(ren__volume_box_labels(anatomy->lobes, begin, shape, run, s->label));
out:
    return st;
}

ren_status ren__plane_make(ren_context *context, const ren__anatomy *anatomy, int32_t which, ren__run *run,
                           ren__plane *plane, int *shown) {
    const int32_t normal = layouts[which].normal, axes[2] = { layouts[which].across, layouts[which].down };
    slab s = { .width = anatomy->shape[axes[0]], .height = anatomy->shape[axes[1]] };
    double range[2][2], size[2], spacing[2];
    ren_status st = REN_OK;

    memset(plane, 0, sizeof *plane);
    *shown = layouts[which].lung < 0 || anatomy->voxels[layouts[which].lung] > 0;
    if (!*shown) return REN_OK;
    plane->name = layouts[which].name;
    memcpy(plane->edges, layouts[which].edges, sizeof plane->edges);
    plane->normal = normal;
    plane->index = slice_index(anatomy, normal, layouts[which].lung);
    plane->count = anatomy->shape[normal];
    for (int side = 0; side < 2; side++) {
        spacing[side] = anatomy->spacing[axes[side]];
        shown_range(anatomy, axes[side], &range[side][0], &range[side][1]);
        size[side] = (range[side][1] - range[side][0]) * spacing[side];
    }
    plane->pixel = fmax(PIXEL, fmax(size[0], size[1]) / MOST_PIXELS);
    plane->width = (int32_t)fmax(1.0, size[0] / plane->pixel + 0.5);
    plane->height = (int32_t)fmax(1.0, size[1] / plane->pixel + 0.5);
    const size_t pixels = (size_t)plane->width * (size_t)plane->height;
    REN_ALLOC(plane->grey, pixels);
    REN_ALLOC(plane->label, pixels);
    REN_TRY(read_slab(context, anatomy, normal, plane->index, run, &s));
    sample(&s, range, spacing, plane);
out:
    ren__free(s.value);
    ren__free(s.label);
    if (st != REN_OK) ren__plane_free(plane);
    return st;
}

/* ----------------------------------------------------------------------------------------------------- pictures */

/* Is there something else than this lung within the outline's width? */
static int at_edge(const ren__plane *plane, int32_t x, int32_t y, int lung) {
    for (int32_t dy = -OUTLINE; dy <= OUTLINE; dy++) {
        for (int32_t dx = -OUTLINE; dx <= OUTLINE; dx++) {
            const int32_t u = x + dx, v = y + dy;
            if (dx * dx + dy * dy > OUTLINE * OUTLINE) continue;
            if (u < 0 || v < 0 || u >= plane->width || v >= plane->height) continue;
            if (lung_of(plane->label[(size_t)v * (size_t)plane->width + (size_t)u]) != lung) return 1;
        }
    }
    return 0;
}

/* A fissure: the neighbour to the right or below is another lobe of the same lung. */
static int at_fissure(const ren__plane *plane, int32_t x, int32_t y) {
    const size_t at = (size_t)y * (size_t)plane->width + (size_t)x;
    const uint8_t label = plane->label[at];
    const uint8_t right = x + 1 < plane->width ? plane->label[at + 1] : label;
    const uint8_t below = y + 1 < plane->height ? plane->label[at + (size_t)plane->width] : label;

    return (right != label && lung_of(right) == lung_of(label)) || (below != label && lung_of(below) == lung_of(label));
}

static uint8_t blend(uint8_t grey, uint8_t colour, double share) {
    return (uint8_t)((1.0 - share) * grey + share * colour + 0.5);
}

static void paint(const ren__plane *plane, const ren__colour lobes[REN__LOBES], const ren__colour lungs[REN__LUNGS],
                  uint8_t *rgb) {
    const ren__colour white = { 255, 255, 255, 1 };

    for (int32_t y = 0; y < plane->height; y++) {
        for (int32_t x = 0; x < plane->width; x++, rgb += 3) {
            const size_t at = (size_t)y * (size_t)plane->width + (size_t)x;
            const uint8_t grey = plane->grey[at];
            const int lung = lung_of(plane->label[at]);
            ren__colour colour = { 0 };
            double share = FILL_SHARE;
            if (lung >= 0) colour = lobes[plane->label[at] - 1];
            if (colour.shown && at_fissure(plane, x, y)) colour = white;
            if (lung >= 0 && lungs[lung].shown && at_edge(plane, x, y, lung)) {
                colour = lungs[lung];
                share = 1.0;
            }
            rgb[0] = colour.shown ? blend(grey, colour.red, share) : grey;
            rgb[1] = colour.shown ? blend(grey, colour.green, share) : grey;
            rgb[2] = colour.shown ? blend(grey, colour.blue, share) : grey;
        }
    }
}

ren_status ren__plane_png(ren_context *context, const ren__plane *plane, const ren__colour lobes[REN__LOBES],
                          const ren__colour lungs[REN__LUNGS], uint8_t **png, size_t *size) {
    uint8_t *rgb = ren__alloc_array(context, (size_t)plane->width * (size_t)plane->height, 3);

    if (!rgb) return ren__out_of_memory();
    paint(plane, lobes, lungs, rgb);
    const ren_status st = ren__png_encode(context, rgb, plane->width, plane->height, png, size);
    ren__free(rgb);
    return st;
}

static int covered(const ren__plane *plane, uint32_t lobes, int32_t x, int32_t y) {
    const uint8_t label = plane->label[(size_t)y * (size_t)plane->width + (size_t)x];

    return label > 0 && ((lobes >> (label - 1)) & 1u);
}

int ren__plane_spot(const ren__plane *plane, uint32_t lobes, double *x, double *y) {
    double sum[2] = { 0.0, 0.0 }, count = 0.0, best = HUGE_VAL;

    for (int32_t v = 0; v < plane->height; v++) {
        for (int32_t u = 0; u < plane->width; u++) {
            if (!covered(plane, lobes, u, v)) continue;
            sum[0] += u;
            sum[1] += v;
            count += 1.0;
        }
    }
    if (count < LEAST_SPOT) return 0;
    /* The centre of a bent shape can lie outside of it: the nearest pixel that does not. */
    for (int32_t v = 0; v < plane->height; v++) {
        for (int32_t u = 0; u < plane->width; u++) {
            const double dx = u - sum[0] / count, dy = v - sum[1] / count, distance = dx * dx + dy * dy;
            if (distance >= best || !covered(plane, lobes, u, v)) continue;
            best = distance;
            *x = (u + 0.5) / plane->width;
            *y = (v + 0.5) / plane->height;
        }
    }
    return 1;
}
