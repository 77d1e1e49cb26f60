/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the `ren` program and the tests need beyond ren.h: synthetic data, verification against recorded vectors,
 * timing. No ABI promise: these symbols have their own version node, and may change with every release.
 */
#ifndef REN_TOOLS_H
#define REN_TOOLS_H

#include "ren.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------- synthetic cohorts */

enum { REN_PHANTOM_BASAL = 0, REN_PHANTOM_UNIFORM = 1 };

/* A cohort of synthetic chest CTs with lobes and labels. Never a real patient. */
typedef struct ren_phantom_options {
    size_t struct_size;
    int32_t patients;     /* half of them ILD, 1 to 100,000 */
    int32_t scans;        /* at most this many a patient, to 99, their number independent of the label; 0: 1 to 4 */
    int32_t size;         /* in-plane voxels, 32 to 512; 0: 128 */
    int32_t distribution; /* REN_PHANTOM_*: where the disease is */
    double severity;      /* scale of the disease; 0: 1.0 */
    uint64_t seed;
} ren_phantom_options;

/* 20 patients, size 128, severity 1. */
REN_API ren_status ren_phantom_options_init(ren_phantom_options *options, size_t size) REN_CHECKED;

/* What is true of one synthetic scan. */
typedef struct ren_phantom_truth {
    size_t struct_size;
    int32_t label; /* 1: ILD */
    int32_t reserved;
    double extent[5]; /* share of each lobe's volume that is diseased, LUL LLL RUL RML RLL */
} ren_phantom_truth;

/* How many scans the patient has; 0 for a patient that is not in the cohort. */
REN_API int32_t ren_phantom_scan_count(const ren_phantom_options *options, int32_t patient);
/* One scan of the cohort, 0-based, the same bits for the same options on every machine and number of threads.
 * REN_E_NOT_FOUND for a patient or a scan that the cohort does not have. */
REN_API ren_status ren_phantom_make(ren_context *context, const ren_phantom_options *options, int32_t patient,
                                    int32_t scan, const ren_run_options *run, ren_volume **ct, ren_volume **lobes,
                                    ren_phantom_truth *truth) REN_CHECKED;
/* The whole cohort: README.txt, PATIENT/SCAN.nii.gz, PATIENT/SCAN_lobes.nii.gz, and last labels.csv. REN_E_STATE where
 * the folder holds a cohort already. */
REN_API ren_status ren_phantom_write(ren_context *context, const ren_phantom_options *options, const char *folder,
                                     const ren_run_options *run) REN_CHECKED;

/* ------------------------------------------------------------------------------------------------ verification */

/* Runs recorded inputs and compares all recorded outputs, the loss and all gradients by |error| <= rtol x largest
 * recorded magnitude (+ 1e-7 x G for gradients, G the largest recorded gradient; gradients listed in `zero_grad` need
 * |g| <= 1e-5 G). `weights` may be NULL where the file has none; `rtol` 0: the file's own. `lines` gets one line a
 * tensor, then `compared N tensors, missing M` and `worst NAME REL`. REN_E_CHECK where one exceeds or is missing. */
REN_API ren_status ren_verify(ren_context *context, const char *arch, const char *weights_path, const char *io_path,
                              double rtol, int32_t require_gradients, const ren_run_options *run,
                              ren_text **lines) REN_CHECKED;

/* ------------------------------------------------------------------------------------------------------ timing */

typedef struct ren_bench_options {
    size_t struct_size;
    const char *arch;
    const char *weights; /* NULL: random */
    int64_t size;        /* cube edge; 0: 96 */
    int32_t batch;       /* 0: 1 */
    int32_t train;       /* not 0: a training step instead of inference */
    int32_t runs;        /* 0: 10 */
    int32_t operators;   /* not 0: also one row for each operator of the graph */
} ren_bench_options;

REN_API ren_status ren_bench_options_init(ren_bench_options *options, size_t size) REN_CHECKED;
/* JSON: milliseconds (minimum, median), gflop, gflops, matmul_gflops of this run, share, peak_bytes, weight_bytes. */
REN_API ren_status ren_bench(ren_context *context, const ren_bench_options *options, const ren_run_options *run,
                             ren_text **json) REN_CHECKED;

#ifdef __cplusplus
}
#endif
#endif /* REN_TOOLS_H */
