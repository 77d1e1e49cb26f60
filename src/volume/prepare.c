/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a CT in its own grid to a network's input. The image is interpolated by cubic B-spline on an isotropic grid in
 * millimetres (labels by nearest neighbour), windowed, and averaged into the network's cells. Outside the lungs every
 * preset is constant, so that the spline is computed within the lungs' box alone, a slab of cells at a time.
 */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "volume/geometry.h"
#include "volume/resample.h"
#include "volume/survey.h"

/* Voxels of a slab of the isotropic grid: 128 MB of floats. */
enum { SLAB_VOXELS = 1 << 25 };

static const float not_finite_value = -1024.0F; /* HU */

/* Which outputs of the resize have a voxel in their bin: [begin, end). */
typedef struct span {
    int32_t begin, end;
} span;

typedef struct cell_sum {
    double image; /* of windowed lung voxels */
    int32_t lung, label;
} cell_sum;

typedef struct prepare_job {
    const ren__survey *survey;
    ren_scan *scan;
    ren__grid grid;           /* isotropic */
    ren__part part[3];        /* of it, where the lungs are */
    int32_t *source[3];       /* index of a part's voxel in the survey's label box */
    span *bins[2];            /* of a part's voxel along x and y */
    float window[2], outside; /* HU; value of a windowed voxel outside the lungs */
    float *values;            /* of the slab's voxels, HU */
    ren__part slab;           /* voxels along z */
    int64_t first_cell;       /* of the slab */
    cell_sum *sums;           /* D x H cells for each thread */
    cell_sum *rows;           /* D cells for each thread */
    float *windowed;          /* part[0].count for each thread */
    uint8_t *labels;
} prepare_job;

static int64_t box_size(const ren__survey *survey, int axis) {
    return survey->box.end[axis] - survey->box.begin[axis];
}

/* The part of the isotropic grid whose nearest CT voxels are in the lungs' box, and which of the box's they are. */
static ren_status map_axis(prepare_job *job, int axis) {
    ren_status st = REN_OK;
    ren_context *context = job->scan->context;
    const ren__survey *survey = job->survey;
    const int64_t inputs = survey->ct->shape[axis];
    ren__part *part = &job->part[axis];
    REN_ALLOC(job->source[axis], (size_t)job->grid.shape[axis] * sizeof *job->source[axis]);
    for (int64_t i = 0; i < job->grid.shape[axis]; i++) {
        const int64_t index = ren__nearest_index(inputs, job->grid.step[axis] * (double)i);
        if (index < survey->box.begin[axis] || index >= survey->box.end[axis]) continue;
        if (!part->count) part->begin = i;
        job->source[axis][part->count++] = (int32_t)(index - survey->box.begin[axis]);
    }
out:
    return st;
}

static ren_status map_bins(prepare_job *job, int axis) {
    ren_status st = REN_OK;
    ren_context *context = job->scan->context;
    const int64_t inputs = job->grid.shape[axis], outputs = job->scan->preset.size[axis];
    const ren__part part = job->part[axis];
    REN_CALLOC(job->bins[axis], (size_t)part.count);
    for (int64_t cell = 0; cell < outputs; cell++) {
        const int64_t begin = ren__area_begin(inputs, outputs, cell), end = ren__area_end(inputs, outputs, cell);
        for (int64_t i = begin > part.begin ? begin : part.begin; i < end && i < part.begin + part.count; i++) {
            span *bin = &job->bins[axis][i - part.begin];
            if (bin->begin == bin->end) bin->begin = (int32_t)cell;
            bin->end = (int32_t)cell + 1;
        }
    }
out:
    return st;
}

static float windowed(const prepare_job *job, float value) {
    const float scaled = (value - job->window[0]) / (job->window[1] - job->window[0]);
    return scaled < 0.0F ? 0.0F : scaled > 1.0F ? 1.0F : scaled;
}

/* Labels and windowed values of one row of the isotropic grid; 0: no lung in it. */
static int expand_row(const prepare_job *job, int64_t y, int64_t z, int32_t thread) {
    const int64_t width = job->part[0].count;
    const uint8_t *from =
        job->survey->labels +
        ((int64_t)job->source[2][z] * box_size(job->survey, 1) + job->source[1][y]) * box_size(job->survey, 0);
    const float *values = job->values + ((z + job->part[2].begin - job->slab.begin) * job->part[1].count + y) * width;
    uint8_t *labels = job->labels + thread * width;
    float *to = job->windowed + thread * width;
    unsigned any = 0;
    for (int64_t x = 0; x < width; x++) {
        labels[x] = from[job->source[0][x]];
        any |= labels[x];
    }
    if (!any) return 0;
    for (int64_t x = 0; x < width; x++)
        to[x] = labels[x] ? windowed(job, values[x]) : 0.0F;
    return 1;
}

/* Adds one row of the isotropic grid to the cells of one W. */
static void add_row(const prepare_job *job, int64_t y, int32_t thread, span *used) {
    const int64_t depth = job->scan->preset.size[0], height = job->scan->preset.size[1], width = job->part[0].count;
    const uint8_t *labels = job->labels + thread * width;
    const float *values = job->windowed + thread * width;
    cell_sum *row = job->rows + thread * depth, *sums = job->sums + thread * depth * height;
    memset(row, 0, (size_t)depth * sizeof *row);
    for (int64_t x = 0; x < width; x++) {
        if (!labels[x]) continue;
        for (int32_t d = job->bins[0][x].begin; d < job->bins[0][x].end; d++) {
            row[d].image += (double)values[x];
            row[d].lung++;
            row[d].label += labels[x];
        }
    }
    for (int32_t h = job->bins[1][y].begin; h < job->bins[1][y].end; h++) {
        cell_sum *to = sums + h * depth;
        for (int32_t d = used->begin; d < used->end; d++) {
            to[d].image += row[d].image;
            to[d].lung += row[d].lung;
            to[d].label += row[d].label;
        }
    }
}

/* Label of the isotropic grid's voxel under a cell's centre. */
static uint8_t centre_label(const prepare_job *job, const int64_t cell[3]) {
    int64_t at[3];
    for (int a = 0; a < 3; a++) {
        const int64_t index =
            ren__centre_index(job->grid.shape[a], job->scan->preset.size[a], cell[a]) - job->part[a].begin;
        if (index < 0 || index >= job->part[a].count) return 0;
        at[a] = job->source[a][index];
    }
    const ren__survey *survey = job->survey;
    return survey->labels[(at[2] * box_size(survey, 1) + at[1]) * box_size(survey, 0) + at[0]];
}

static int64_t bin_size(const prepare_job *job, int axis, int64_t cell) {
    const int64_t inputs = job->grid.shape[axis], outputs = job->scan->preset.size[axis];
    return ren__area_end(inputs, outputs, cell) - ren__area_begin(inputs, outputs, cell);
}

static void finish_cell(const prepare_job *job, const int64_t cell[3], const cell_sum *sum) {
    ren_scan *scan = job->scan;
    const int64_t at = (cell[0] * scan->preset.size[1] + cell[1]) * scan->preset.size[2] + cell[2];
    if (scan->preset.kind == REN_PRESET_LUNG) {
        scan->image[at] = sum->lung ? (float)(sum->image / sum->lung) : 0.0F;
        scan->lobe[at] = centre_label(job, cell);
        return;
    }
    const int64_t voxels = bin_size(job, 0, cell[0]) * bin_size(job, 1, cell[1]) * bin_size(job, 2, cell[2]);
    const double outside = (double)job->outside * (double)(voxels - sum->lung);
    scan->image[at] = (float)((sum->image + outside) / (double)voxels);
    scan->label[at] = (float)sum->label / (float)voxels;
    const int64_t label = sum->label / voxels; /* the published comparison: a region is where the mean is the label */
    scan->lobe[at] = label * voxels == sum->label ? (uint8_t)label : 0;
}

/* All cells of W = first_cell + item. */
static void fill_cells(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const prepare_job *job = argument;
    const int64_t *size = job->scan->preset.size;
    cell_sum *sums = job->sums + thread * size[0] * size[1];
    span used = { 0, 0 }; /* cells along D that the lungs' part touches */
    if (job->part[0].count) {
        used.begin = job->bins[0][0].begin;
        used.end = job->bins[0][job->part[0].count - 1].end;
    }
    for (int64_t item = begin; item < end; item++) {
        int64_t cell[3] = { 0, 0, job->first_cell + item };
        const int64_t low = ren__area_begin(job->grid.shape[2], size[2], cell[2]) - job->part[2].begin;
        const int64_t high = ren__area_end(job->grid.shape[2], size[2], cell[2]) - job->part[2].begin;
        memset(sums, 0, (size_t)(size[0] * size[1]) * sizeof *sums);
        for (int64_t z = low > 0 ? low : 0; z < high && z < job->part[2].count; z++)
            for (int64_t y = 0; y < job->part[1].count; y++)
                if (expand_row(job, y, z, thread)) add_row(job, y, thread, &used);
        for (cell[1] = 0; cell[1] < size[1]; cell[1]++)
            for (cell[0] = 0; cell[0] < size[0]; cell[0]++)
                finish_cell(job, cell, sums + cell[1] * size[0] + cell[0]);
    }
}

/* Voxels along z, within the lungs' part, that cells [first, first + count) average. */
static ren__part slab_of(const prepare_job *job, int64_t first, int64_t count) {
    const int64_t inputs = job->grid.shape[2], outputs = job->scan->preset.size[2];
    const int64_t last = job->part[2].begin + job->part[2].count;
    int64_t begin = ren__area_begin(inputs, outputs, first), end = ren__area_end(inputs, outputs, first + count - 1);
    if (begin < job->part[2].begin) begin = job->part[2].begin;
    if (end > last) end = last;
    const ren__part slab = { begin, end > begin ? end - begin : 0 };
    return slab;
}

/* The most cells from `first` on whose voxels fit into a slab; at least one. */
static int64_t slab_cells(const prepare_job *job, int64_t first) {
    const int64_t cells = job->scan->preset.size[2], plane = job->part[0].count * job->part[1].count;
    int64_t count = 1;
    while (first + count < cells && slab_of(job, first, count + 1).count * plane <= SLAB_VOXELS)
        count++;
    return count;
}

static ren_status fill_slabs(prepare_job *job, const ren__resampler *resampler, ren__run *run) {
    ren_status st = REN_OK;
    ren_context *context = job->scan->context;
    const int64_t cells = job->scan->preset.size[2], plane = job->part[0].count * job->part[1].count;
    for (int64_t first = 0, count; first < cells; first += count) {
        count = slab_cells(job, first);
        job->first_cell = first;
        job->slab = slab_of(job, first, count);
        const ren__part box[3] = { job->part[0], job->part[1], job->slab };
        REN_ALLOC(job->values, (size_t)(job->slab.count * plane) * sizeof *job->values);
        REN_TRY(ren__resample_box(resampler, box, run, job->values));
        ren__parallel_for(context, run, count, 1, fill_cells, job);
        ren__free(job->values);
        job->values = NULL;
        REN_TRY(ren__run_progress(run, "preprocess", (double)(first + count) / (double)cells));
    }
out:
    return st;
}

static ren_status prepare_image(prepare_job *job, ren__run *run) {
    ren_status st = REN_OK;
    ren_context *context = job->scan->context;
    const size_t threads = (size_t)context->threads;
    const ren_preset *preset = &job->scan->preset;
    ren__resampler resampler;
    memset(&resampler, 0, sizeof resampler);
    for (int a = 0; a < 3; a++)
        REN_TRY(map_axis(job, a));
    for (int a = 0; a < 2; a++)
        REN_TRY(map_bins(job, a));
    REN_CALLOC(job->sums, threads * (size_t)(preset->size[0] * preset->size[1]));
    REN_CALLOC(job->rows, threads * (size_t)preset->size[0]);
    REN_CALLOC(job->windowed, threads * (size_t)job->part[0].count);
    REN_CALLOC(job->labels, threads * (size_t)job->part[0].count);
    REN_TRY(ren__resampler_create(job->survey->ct, &job->grid, REN_CUBIC, &resampler));
    resampler.replacement = &not_finite_value;
    REN_TRY(fill_slabs(job, &resampler, run));
out:
    ren__resampler_free(&resampler);
    for (int a = 0; a < 3; a++)
        ren__free(job->source[a]);
    for (int a = 0; a < 2; a++)
        ren__free(job->bins[a]);
    ren__free(job->values);
    ren__free(job->sums);
    ren__free(job->rows);
    ren__free(job->windowed);
    ren__free(job->labels);
    return st;
}

static void grow_box(ren__box *box, const int64_t cell[3], int64_t voxels_before) {
    for (int a = 0; a < 3; a++) {
        if (!voxels_before || cell[a] < box->begin[a]) box->begin[a] = cell[a];
        if (!voxels_before || cell[a] >= box->end[a]) box->end[a] = cell[a] + 1;
    }
}

void ren__scan_count(ren_scan *scan, const int64_t cell[3], uint8_t lobe) {
    for (int region = 0; region < REN__PLACES; region++)
        if (ren__region_lobes(region) >> (lobe - 1) & 1U) grow_box(&scan->box[region], cell, scan->voxels[region]++);
}

/* Box and number of cells of every region. */
static void measure_regions(ren_scan *scan) {
    const int64_t *size = scan->preset.size;
    int64_t cell[3];
    const uint8_t *lobe = scan->lobe;
    for (cell[0] = 0; cell[0] < size[0]; cell[0]++)
        for (cell[1] = 0; cell[1] < size[1]; cell[1]++)
            for (cell[2] = 0; cell[2] < size[2]; cell[2]++, lobe++)
                if (*lobe) ren__scan_count(scan, cell, *lobe);
}

static ren_status warn_lost_lobes(const ren__survey *survey, ren_scan *scan) {
    for (int lobe = 0; lobe < 5; lobe++) {
        if (scan->voxels[lobe] || !survey->voxels[lobe + 1]) continue;
        const ren_status st =
            ren__scan_warn(scan,
                           "lobe %s has %lld voxels, but is too small to fill a cell of the network's "
                           "grid: its expert does not run",
                           ren_region_name(lobe), (long long)survey->voxels[lobe + 1]);
        if (st != REN_OK) return st;
    }
    return REN_OK;
}

ren_status ren__scan_prepare(const ren__survey *survey, ren__run *run, ren_scan *scan) {
    ren_status st = REN_OK;
    ren_context *context = scan->context;
    const int64_t *size = scan->preset.size;
    const double spacing[3] = { scan->preset.spacing, scan->preset.spacing, scan->preset.spacing };
    const size_t cells = (size_t)(size[0] * size[1] * size[2]);
    double begin[3], step[3];
    prepare_job job;
    memset(&job, 0, sizeof job);
    job.survey = survey;
    job.scan = scan;
    job.window[0] = (float)scan->preset.window[0];
    job.window[1] = (float)scan->preset.window[1];
    job.outside = windowed(&job, 0.0F);
    REN_TRY(ren__grid_create(survey->ct, spacing, &job.grid));
    REN_CALLOC(scan->image, cells);
    REN_CALLOC(scan->lobe, cells);
    if (scan->preset.kind == REN_PRESET_PAPER) REN_CALLOC(scan->label, cells);
    REN_TRY(prepare_image(&job, run));
    for (int a = 0; a < 3; a++) {
        step[a] = (double)job.grid.shape[a] / (double)size[a];
        begin[a] = 0.5 * step[a] - 0.5;
    }
    ren__affine_rescale(job.grid.affine, begin, step, scan->affine);
    measure_regions(scan);
    REN_TRY(warn_lost_lobes(survey, scan));
out:
    return st;
}
