/* SPDX-License-Identifier: Apache-2.0 */
/* Grey level co-occurrence: from steps to the mean of features, and the class. */
#include "radiomics/glcm.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/classes.h"
#include "radiomics/glcm_count.h"

/* What one thread works with; kept from one step to the next. */
typedef struct scratch {
    ren__glcm matrix;
    double *sum;       /* [level_count][level_count] */
    double *row;       /* [level_count] */
    uint16_t *touched; /* [level_count] */
} scratch;

typedef struct glcm_job {
    const ren__region *region;
    const ren__glcm_plan *plan;
    const ren__level_grid *grid;
    const ren__pair_tables *tables;     /* of the steps from `begin` on; or */
    const ren__voxels_by_level *voxels; /* of many levels */
    ren__run *run;
    int64_t begin;
    int32_t level_total;
    double level_last;
    scratch *scratch; /* [threads] */
    double *values;   /* [steps][REN__GLCM_FEATURES] */
    ren_status *status;
} glcm_job;

/* `run` is NULL where this is not the thread that may ask the host. */
static ren_status features_of(const glcm_job *job, ren__run *run, scratch *own, double *values) {
    own->matrix.level_total = job->level_total;
    own->matrix.level_last = job->level_last;
    return ren__glcm_features(job->region->context, &own->matrix, job->region->grey, job->plan->wanted, run, values);
}

static ren_status one_from_tables(const glcm_job *job, int64_t step, scratch *own, double *values) {
    ren_status st = REN_OK;
    ren_context *context = job->region->context;
    const size_t n = (size_t)job->region->level_count;

    if (!own->sum) REN_ALLOC(own->sum, n * n * sizeof *own->sum);
    memset(own->sum, 0, n * n * sizeof *own->sum);
    ren__pairs_add(job->tables, step, job->plan->symmetrical, 1.0, own->sum);
    REN_TRY(ren__pairs_take(context, own->sum, (int32_t)n, &own->matrix));
    REN_TRY(features_of(job, NULL, own, values));
out:
    return st;
}

/* `count` steps' matrices as one, each times its weight. */
static ren_status some_from_voxels(const glcm_job *job, int64_t begin, int64_t count, const double *weights,
                                   ren__run *run, scratch *own, double *values) {
    ren_status st = REN_OK;
    ren_context *context = job->region->context;
    const size_t n = (size_t)job->region->level_count;

    if (!own->row) REN_CALLOC(own->row, n);
    if (!own->touched) REN_ALLOC(own->touched, n * sizeof *own->touched);
    REN_TRY(ren__pairs_sparse(job->region, job->grid, job->voxels, job->plan->steps + begin, weights, count,
                              job->plan->symmetrical, run, own->row, own->touched, &own->matrix));
    REN_TRY(features_of(job, run, own, values));
out:
    return st;
}

static void do_steps(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const glcm_job *job = argument;
    scratch *own = &job->scratch[thread];

    for (int64_t s = begin; s < end; s++) {
        double *values = job->values + s * REN__GLCM_FEATURES;
        job->status[s] = job->tables ? one_from_tables(job, s, own, values)
                                     : some_from_voxels(job, job->begin + s, 1, NULL, NULL, own, values);
    }
}

/* Features of `count` steps from job->begin on, each by itself. */
static ren_status do_each(glcm_job *job, int64_t count, ren__texture_mean *mean) {
    ren_status st = REN_OK;
    ren_context *context = job->region->context;
    const int small = job->region->level_count <= 16 && job->tables;

    for (int64_t s = 0; s < count; s++)
        job->status[s] = REN_OK;
    ren__parallel_for(context, job->run, count, small ? count : 1, do_steps, job);
    REN_TRY(ren__run_check(job->run));
    for (int64_t s = 0; s < count; s++) {
        const double *values = job->values + s * REN__GLCM_FEATURES;
        REN_TRY(ren__texture_failed(job->status[s]));
        if (!isnan(values[REN__GLCM_JOINT_AVERAGE])) ren__texture_mean_add(mean, values, REN__GLCM_FEATURES);
    }
out:
    return st;
}

static ren_status with_tables(glcm_job *job, int64_t at_once, ren__texture_mean *mean) {
    ren_status st = REN_OK;
    ren_context *context = job->region->context;
    const ren__glcm_plan *plan = job->plan;
    const int32_t n = job->region->level_count;
    ren__pair_tables tables = { 0, NULL };
    double *sum = NULL, *values = job->values;

    job->tables = &tables;
    if (plan->weights) REN_CALLOC(sum, (size_t)n * (size_t)n);
    for (job->begin = 0; job->begin < plan->count; job->begin += at_once) {
        const int64_t left = plan->count - job->begin, count = left < at_once ? left : at_once;
        REN_TRY(ren__pairs_count(job->region, job->grid, plan->steps + job->begin, count, job->run, &tables));
        for (int64_t s = 0; s < count && sum; s++)
            ren__pairs_add(&tables, s, plan->symmetrical, plan->weights[job->begin + s], sum);
        if (!sum) REN_TRY(do_each(job, count, mean));
        ren__free(tables.counts);
        tables.counts = NULL;
    }
    if (sum) {
        REN_TRY(ren__pairs_take(context, sum, n, &job->scratch[0].matrix));
        REN_TRY(features_of(job, job->run, &job->scratch[0], values));
        if (!isnan(values[REN__GLCM_JOINT_AVERAGE])) ren__texture_mean_add(mean, values, REN__GLCM_FEATURES);
    }
out:
    job->tables = NULL;
    ren__free(tables.counts);
    ren__free(sum);
    return st;
}

static ren_status with_voxels(glcm_job *job, int64_t at_once, ren__texture_mean *mean) {
    ren_status st = REN_OK;
    const ren__glcm_plan *plan = job->plan;
    ren__voxels_by_level voxels = { NULL, NULL };

    REN_TRY(ren__voxels_by_level_create(job->region, job->grid, job->run, &voxels));
    job->voxels = &voxels;
    if (plan->weights) {
        REN_TRY(some_from_voxels(job, 0, plan->count, plan->weights, job->run, &job->scratch[0], job->values));
        if (!isnan(job->values[REN__GLCM_JOINT_AVERAGE])) ren__texture_mean_add(mean, job->values, REN__GLCM_FEATURES);
        goto out;
    }
    for (job->begin = 0; job->begin < plan->count; job->begin += at_once) {
        const int64_t left = plan->count - job->begin;
        REN_TRY(do_each(job, left < at_once ? left : at_once, mean));
    }
out:
    job->voxels = NULL;
    ren__voxels_by_level_free(&voxels);
    return st;
}

enum { STEPS_AT_ONCE = 256 };

ren_status ren__glcm_accumulate(const ren__region *region, const ren__glcm_plan *plan, ren__run *run,
                                ren__texture_mean *mean) {
    ren_status st = REN_OK;
    ren_context *context = region->context;
    ren__level_grid grid = { 0 };
    const int64_t suit = ren__pair_tables_suit(region), most = suit > 0 && suit < STEPS_AT_ONCE ? suit : STEPS_AT_ONCE;
    const int64_t at_once = plan->count < most ? plan->count : most;
    glcm_job job = { .region = region, .plan = plan, .grid = &grid, .run = run };

    job.level_total = region->level_count;
    job.level_last = region->grey[region->level_count - 1];
    REN_CALLOC(job.scratch, (size_t)context->threads);
    REN_ALLOC(job.values, (size_t)(at_once + 1) * REN__GLCM_FEATURES * sizeof *job.values);
    REN_ALLOC(job.status, (size_t)(at_once + 1) * sizeof *job.status);
    REN_TRY(ren__level_grid_create(region, plan->steps, plan->count, run, &grid));
    REN_TRY(suit > 0 ? with_tables(&job, at_once, mean) : with_voxels(&job, at_once, mean));
out:
    for (int32_t t = 0; t < context->threads && job.scratch; t++) {
        ren__glcm_free(&job.scratch[t].matrix);
        ren__free(job.scratch[t].sum);
        ren__free(job.scratch[t].row);
        ren__free(job.scratch[t].touched);
    }
    ren__free(job.scratch);
    ren__free(job.values);
    ren__free(job.status);
    ren__level_grid_free(&grid);
    return st;
}

/* ------------------------------------------------------------------------------------------------------------ class */

static const ren__feature features[REN__GLCM_FEATURES] = {
    { "Autocorrelation", "1", "QWB0", 0 },
    { "ClusterProminence", "1", "AE86", 0 },
    { "ClusterShade", "1", "7NFM", 0 },
    { "ClusterTendency", "1", "DG8W", 0 },
    { "Contrast", "1", "ACUI", 0 },
    { "Correlation", "1", "NI2N", 0 },
    { "DifferenceAverage", "1", "TF7R", 0 },
    { "DifferenceEntropy", "1", "NTRS", 0 },
    { "DifferenceVariance", "1", "D3YU", 0 },
    { "Dissimilarity", "1", "8S9J", REN__FEATURE_BY_NAME },
    { "Homogeneity1", "1", "IB1Z", REN__FEATURE_BY_NAME },
    { "Homogeneity2", "1", "WF0Z", REN__FEATURE_BY_NAME },
    { "Id", "1", "IB1Z", 0 },
    { "Idm", "1", "WF0Z", 0 },
    { "Idmn", "1", "1QCO", 0 },
    { "Idn", "1", "NDRX", 0 },
    { "Imc1", "1", "R8DG", 0 },
    { "Imc2", "1", "JN9H", 0 },
    { "InverseVariance", "1", "E8JP", 0 },
    { "JointAverage", "1", "60VM", 0 },
    { "JointEnergy", "1", "8ZQL", 0 },
    { "JointEntropy", "1", "TU9B", 0 },
    { "MCC", "1", NULL, 0 },
    { "MaximumProbability", "1", "GYBY", 0 },
    { "SumAverage", "1", "ZGXS", 0 },
    { "SumEntropy", "1", "P6QZ", 0 },
    { "SumSquares", "1", "UR99", 0 },
    { "SumVariance", "1", "OEEB", REN__FEATURE_BY_NAME },
};

/* A step's weight falls with the square of its length. */
static double weight_of(const ren__step *step, const ren__region *region, int32_t norm) {
    const double length = ren__step_length(step, region->spacing, norm);

    return norm == REN__NORM_NO_WEIGHTING ? 1.0 : exp(-(length * length));
}

static ren_status compute(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                          ren__run *run, double *values) {
    ren_status st = REN_OK;
    ren_context *context = region->context;
    ren__steps steps = { NULL, 0 };
    ren__texture_mean mean = { 0 };
    double *weights = NULL;

    REN_TRY(ren__steps_create(context, region->shape, &settings->distances, ren__still_axis(settings), 0, &steps));
    if (settings->weighting_norm != REN__NORM_NONE) {
        REN_ALLOC(weights, (size_t)steps.count * sizeof *weights);
        for (int64_t s = 0; s < steps.count; s++)
            weights[s] = weight_of(&steps.items[s], region, settings->weighting_norm);
    }
    if (steps.count > 0) {
        const ren__glcm_plan plan = { steps.items, steps.count, weights, settings->symmetrical_glcm, wanted };
        REN_TRY(ren__glcm_accumulate(region, &plan, run, &mean));
    }
    for (int f = 0; f < REN__GLCM_FEATURES; f++)
        if (wanted[f]) values[f] = ren__texture_mean_value(&mean, f);
    if (mean.matrices == 0 && region->level_count == 1 && steps.count > 0) {
        /* A flat region without pairs. Of no matrix PyRadiomics gives its value for flat ones, of one matrix without
         * pairs a sum over no differences; the rest is undefined. */
        const int one = steps.count == 1 || weights;
        if (!one && wanted[REN__GLCM_MCC]) values[REN__GLCM_MCC] = 1.0;
        if (one && wanted[REN__GLCM_INVERSE_VARIANCE]) values[REN__GLCM_INVERSE_VARIANCE] = 0.0;
    }
out:
    ren__steps_free(&steps);
    ren__free(weights);
    return st;
}

const ren__feature_class ren__class_glcm = { "glcm", features, REN__GLCM_FEATURES, REN__REGION_LEVELS, compute };
