/* SPDX-License-Identifier: Apache-2.0 */
/* One look at every voxel of a CT and its lobes, and the rules of the input: what is refused, what is warned about. */
#include "volume/survey.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/parallel.h"
#include "volume/geometry.h"

static const float air = -200.0F;             /* HU; a CT of a chest has values below it */
static const double thickest = 10.0;          /* mm */
static const double grid_tolerance = 0.01;    /* of the smallest spacing */
static const double not_finite_share = 0.001; /* of all voxels */

/* Thousandths of a millimetre, without printf's decimal point, which follows the locale. */
static const char *millimetres(double value, char text[32]) {
    const double thousandths = fmin(ceil(value * 1000.0), 9e15);
    snprintf(text, 32, "%lld.%03d", (long long)(thousandths / 1000.0), (int)fmod(thousandths, 1000.0));
    return text;
}

/* -------------------------------------------------------------------------------------------------------- grids */

static ren_status check_grids(const ren_volume *ct, const ren_volume *lobes) {
    char text[32];
    double spacing[3], tolerance = INFINITY;
    const double mismatch = ren__affine_mismatch(ct->affine, ct->shape, lobes->affine, lobes->shape);
    ren__affine_spacing(ct->affine, spacing);
    for (int a = 0; a < 3; a++) {
        tolerance = fmin(tolerance, grid_tolerance * spacing[a]);
        if (spacing[a] > thickest)
            return ren__error(REN_E_DATA,
                              "the CT's voxels are %s mm apart along one axis; more than 10 mm is refused: the "
                              "lobes cannot be told apart",
                              millimetres(spacing[a], text));
    }
    if (memcmp(ct->shape, lobes->shape, sizeof ct->shape) != 0)
        return ren__error(REN_E_DATA,
                          "CT (%lld x %lld x %lld voxels in RAS order) and lobes (%lld x %lld x %lld) are "
                          "different grids, their corners up to %s mm apart: resample the lobes to the CT's "
                          "grid with nearest neighbour",
                          (long long)ct->shape[0], (long long)ct->shape[1], (long long)ct->shape[2],
                          (long long)lobes->shape[0], (long long)lobes->shape[1], (long long)lobes->shape[2],
                          millimetres(mismatch, text));
    if (mismatch > tolerance)
        return ren__error(REN_E_DATA,
                          "CT and lobes lie up to %s mm apart in space: they are not of one series, or one "
                          "header was changed",
                          millimetres(mismatch, text));
    return REN_OK;
}

/* ------------------------------------------------------------------------------------------------------- labels */

/* What one plane of the label map adds. */
typedef struct plane_labels {
    int64_t voxels[REN__LABELS], sum_i[REN__LABELS], sum_j[REN__LABELS];
    int64_t begin[2], end[2];
    int32_t strange; /* a value outside 0..5 */
    int32_t failed;
} plane_labels;

typedef struct label_job {
    const ren_volume *lobes;
    int32_t *scratch; /* a plane for each thread */
    plane_labels *planes;
} label_job;

static void count_row(const int32_t *row, int64_t width, int64_t j, plane_labels *plane) {
    for (int64_t i = 0; i < width; i++) {
        const int32_t label = row[i];
        if (label == 0) continue;
        if (label < 0 || label >= REN__LABELS) {
            plane->strange = label;
            continue;
        }
        plane->voxels[label]++;
        plane->sum_i[label] += i;
        plane->sum_j[label] += j;
        if (i < plane->begin[0]) plane->begin[0] = i;
        if (i >= plane->end[0]) plane->end[0] = i + 1;
        if (j < plane->begin[1]) plane->begin[1] = j;
        if (j >= plane->end[1]) plane->end[1] = j + 1;
    }
}

static ren_status read_plane(const ren_volume *lobes, int64_t k, int32_t *labels) {
    const int64_t begin[3] = { 0, 0, k }, shape[3] = { lobes->shape[0], lobes->shape[1], 1 };
    return ren__volume_box_labels(lobes, begin, shape, NULL, labels);
}

static void count_planes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const label_job *job = argument;
    const int64_t width = job->lobes->shape[0], height = job->lobes->shape[1];
    int32_t *labels = job->scratch + (int64_t)thread * width * height;
    for (int64_t k = begin; k < end; k++) {
        plane_labels *plane = job->planes + k;
        plane->begin[0] = plane->begin[1] = INT64_MAX;
        plane->failed = read_plane(job->lobes, k, labels) != REN_OK;
        for (int64_t j = 0; j < height && !plane->failed; j++)
            count_row(labels + j * width, width, j, plane);
    }
}

/* Sums the planes in their order. */
static ren_status gather_planes(const label_job *job, ren__survey *survey) {
    const ren_volume *lobes = job->lobes;
    ren__box *box = &survey->box;
    for (int a = 0; a < 3; a++)
        box->begin[a] = INT64_MAX;
    for (int64_t k = 0; k < lobes->shape[2]; k++) {
        const plane_labels *plane = job->planes + k;
        if (plane->failed) return read_plane(lobes, k, job->scratch); /* again, for the error text on this thread */
        if (plane->strange)
            return ren__error(REN_E_DATA,
                              "the lobe map holds the label %d; lobes are 1 LUL, 2 LLL, 3 RUL, 4 RML, 5 RLL and "
                              "all else is 0",
                              (int)plane->strange);
        if (!plane->end[0]) continue;
        for (int label = 1; label < REN__LABELS; label++) {
            survey->voxels[label] += plane->voxels[label];
            survey->sums[label][0] += plane->sum_i[label];
            survey->sums[label][1] += plane->sum_j[label];
            survey->sums[label][2] += plane->voxels[label] * k;
        }
        for (int a = 0; a < 2; a++) {
            if (plane->begin[a] < box->begin[a]) box->begin[a] = plane->begin[a];
            if (plane->end[a] > box->end[a]) box->end[a] = plane->end[a];
        }
        if (k < box->begin[2]) box->begin[2] = k;
        box->end[2] = k + 1;
    }
    if (!box->end[0]) return ren__error(REN_E_DATA, "the lobe map is empty: no voxel has a label of 1 to 5");
    return REN_OK;
}

static ren_status survey_labels(ren__survey *survey, ren__run *run) {
    ren_status st = REN_OK;
    ren_context *context = survey->lobes->context;
    label_job job = { survey->lobes, NULL, NULL };
    size_t plane = (size_t)job.lobes->shape[0] * (size_t)job.lobes->shape[1] * sizeof *job.scratch;
    job.scratch = ren__alloc_array(context, (size_t)context->threads, plane);
    if (!job.scratch) return ren__out_of_memory();
    REN_CALLOC(job.planes, (size_t)job.lobes->shape[2]);
    ren__parallel_for(context, run, job.lobes->shape[2], 4, count_planes, &job);
    REN_TRY(ren__run_check(run));
    REN_TRY(gather_planes(&job, survey));
out:
    ren__free(job.planes);
    ren__free(job.scratch);
    return st;
}

static ren_status keep_labels(ren__survey *survey, ren__run *run) {
    ren_status st = REN_OK;
    ren_context *context = survey->lobes->context;
    const ren__box *box = &survey->box;
    int64_t shape[3] = { box->end[0] - box->begin[0], box->end[1] - box->begin[1], 1 };
    const int64_t plane = shape[0] * shape[1], planes = box->end[2] - box->begin[2];
    int32_t *labels = NULL;
    REN_ALLOC(labels, (size_t)plane * sizeof *labels);
    REN_ALLOC(survey->labels, (size_t)plane * (size_t)planes);
    for (int64_t k = 0; k < planes; k++) {
        const int64_t begin[3] = { box->begin[0], box->begin[1], box->begin[2] + k };
        REN_TRY(ren__volume_box_labels(survey->lobes, begin, shape, run, labels));
        for (int64_t i = 0; i < plane; i++)
            survey->labels[k * plane + i] = (uint8_t)labels[i];
    }
out:
    ren__free(labels);
    return st;
}

/* Mean RAS x of some labels; 0 where there are none. */
static int centre_x(const ren__survey *survey, int first, int last, double *x) {
    double index[3] = { 0.0, 0.0, 0.0 }, position[3], voxels = 0.0;
    for (int label = first; label <= last; label++) {
        voxels += (double)survey->voxels[label];
        for (int a = 0; a < 3; a++)
            index[a] += (double)survey->sums[label][a];
    }
    if (voxels == 0.0) return 0;
    for (int a = 0; a < 3; a++)
        index[a] /= voxels;
    ren__affine_apply(survey->lobes->affine, index, position);
    *x = position[0];
    return 1;
}

static ren_status check_sides(const ren__survey *survey, ren_scan *scan) {
    double left = 0.0, right = 0.0;
    const int has_left = centre_x(survey, 1, 2, &left), has_right = centre_x(survey, 3, 5, &right);
    if (has_left && has_right && left >= right)
        return ren__error(REN_E_DATA,
                          "left and right are swapped: by the affine, the lobes labelled left (1, 2) lie on the "
                          "patient's right of those labelled right (3, 4, 5)");
    if (!has_left || !has_right)
        return ren__scan_warn(scan, "no lobe of the %s lung is labelled, so that left and right could not be checked",
                              has_left ? "right" : "left");
    return REN_OK;
}

static ren_status warn_labels(const ren__survey *survey, ren_scan *scan) {
    static const char *const sides[3][2] = { { "left", "right" },
                                             { "posterior", "anterior" },
                                             { "inferior", "superior" } };
    char cut[80] = "";
    size_t used = 0;
    for (int label = 1; label < REN__LABELS; label++) {
        if (survey->voxels[label]) continue;
        const ren_status st =
            ren__scan_warn(scan, "lobe %s is empty: its expert does not run", ren_region_name(label - 1));
        if (st != REN_OK) return st;
    }
    for (int a = 0; a < 3; a++)
        for (int end = 0; end < 2; end++) {
            if (end ? survey->box.end[a] < survey->lobes->shape[a] : survey->box.begin[a] > 0) continue;
            used += (size_t)snprintf(cut + used, sizeof cut - used, "%s%s", used ? ", " : "", sides[a][end]);
        }
    return used ? ren__scan_warn(scan, "the lungs are cut off by the field of view (%s)", cut) : REN_OK;
}

/* ----------------------------------------------------------------------------------------------------------- CT */

typedef struct ct_job {
    const ren_volume *ct;
    float *scratch;      /* a plane for each thread */
    int64_t *not_finite; /* of each plane */
    atomic_int has_air;
} ct_job;

static void survey_planes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    ct_job *job = argument;
    const ren_volume *ct = job->ct;
    const int64_t plane = ct->shape[0] * ct->shape[1];
    float *values = job->scratch + (int64_t)thread * plane;
    for (int64_t k = begin; k < end; k++) {
        /* integers are finite: one value of air is all that has to be found */
        if (ct->type < REN_TYPE_F32 && atomic_load_explicit(&job->has_air, memory_order_relaxed)) return;
        const int64_t first[3] = { 0, 0, k }, shape[3] = { ct->shape[0], ct->shape[1], 1 };
        if (ren__volume_box_f32(ct, first, shape, NULL, values) != REN_OK)
            return; /* the box is inside: it does not fail */
        float lowest = 0.0F;
        int64_t bad = 0;
        for (int64_t i = 0; i < plane; i++) {
            const float value = values[i];
            if (!isfinite(value))
                bad++;
            else if (value < lowest)
                lowest = value;
        }
        job->not_finite[k] = bad;
        if (lowest < air) atomic_store_explicit(&job->has_air, 1, memory_order_relaxed);
    }
}

static ren_status survey_ct(ren__survey *survey, ren__run *run) {
    ren_status st = REN_OK;
    ren_context *context = survey->ct->context;
    ct_job job = { survey->ct, NULL, NULL, 0 };
    size_t plane = (size_t)job.ct->shape[0] * (size_t)job.ct->shape[1] * sizeof *job.scratch;
    job.scratch = ren__alloc_array(context, (size_t)context->threads, plane);
    if (!job.scratch) return ren__out_of_memory();
    REN_CALLOC(job.not_finite, (size_t)job.ct->shape[2]);
    ren__parallel_for(context, run, job.ct->shape[2], 4, survey_planes, &job);
    REN_TRY(ren__run_check(run));
    survey->has_air = atomic_load(&job.has_air);
    for (int64_t k = 0; k < job.ct->shape[2]; k++)
        survey->not_finite += job.not_finite[k];
out:
    ren__free(job.not_finite);
    ren__free(job.scratch);
    return st;
}

static ren_status check_ct(const ren__survey *survey, ren_scan *scan) {
    const double voxels = (double)survey->ct->shape[0] * (double)survey->ct->shape[1] * (double)survey->ct->shape[2];
    if ((double)survey->not_finite > not_finite_share * voxels)
        return ren__error(REN_E_DATA,
                          "%lld voxels of the CT are NaN or infinite, more than 0.1 %% of it: the image is "
                          "damaged, export it again",
                          (long long)survey->not_finite);
    if (!survey->has_air)
        return ren__error(REN_E_DATA, "no voxel of the CT is below -200 HU, so that it is not in Hounsfield units: the "
                                      "rescale slope and intercept were lost, or this is no CT of a chest");
    if (survey->not_finite)
        return ren__scan_warn(scan, "%lld voxels of the CT are NaN or infinite and were taken as -1024 HU",
                              (long long)survey->not_finite);
    return REN_OK;
}

ren_status ren__survey_create(const ren_volume *ct, const ren_volume *lobes, ren__run *run, ren_scan *scan,
                              ren__survey *out) {
    ren_status st = REN_OK;
    memset(out, 0, sizeof *out);
    out->ct = ct;
    out->lobes = lobes;
    REN_TRY(check_grids(ct, lobes));
    REN_TRY(survey_labels(out, run));
    REN_TRY(check_sides(out, scan));
    REN_TRY(warn_labels(out, scan));
    REN_TRY(survey_ct(out, run));
    REN_TRY(check_ct(out, scan));
    if (ct->unit_unknown)
        REN_TRY(ren__scan_warn(scan, "the CT's file names no unit of length: millimetres are assumed"));
    REN_TRY(keep_labels(out, run));
out:
    if (st != REN_OK) ren__survey_free(out);
    return st;
}

void ren__survey_free(ren__survey *survey) {
    ren__free(survey->labels);
    survey->labels = NULL;
}
