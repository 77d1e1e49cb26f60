/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libren - Regional Expert Networks for chest CT, embeddable.
 *
 * Conventions, once for the whole header:
 *
 * Status.    A function that can fail returns `ren_status`: REN_OK (0) or a negative code. The sentence for a
 *            person - what was wrong, with which file or argument, what to do - is in ren_error_message(), per
 *            thread, until the next failing call of that thread. Where a function fails its outputs are set to
 *            NULL or left as they were.
 * Ownership. `_create`, `_load`, `_read` give a handle that the caller ends with the `_free` of its kind;
 *            `_free(NULL)` does nothing. Handles count references to what they are made of: a mixture keeps its
 *            experts alive, a result outlives its mixture. Pointers that a getter returns belong to the handle.
 * Threads.   A context and everything immutable made with it (volumes, scans, experts, gates, mixtures, results)
 *            may be used by several threads at once. A study, and a data set with the trainers over it, belong to one
 *            thread at a time.
 * Long calls take a nullable `const ren_run_options *`: progress, cancel, deadline, memory limit of that call alone.
 * Structures that a caller fills start with `struct_size` and are set by their `_INIT` macro or `_init` function;
 *            fields are only ever appended.
 * Axes.      A volume's voxel (i, j, k) is x fastest in memory by default; affines map voxel indices to RAS+
 *            millimetres, row-major 4x4. A network's D, H, W are the RAS volume's x, y, z.
 * Nothing here prints, ends the process, reads the environment or changes the locale.
 *
 * Every prediction of this library is for research use only and not verified for clinical use.
 */
#ifndef REN_H
#define REN_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define REN_API     __attribute__((visibility("default")))
#define REN_CHECKED __attribute__((warn_unused_result))
#else
#define REN_API
#define REN_CHECKED
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------------- version */

#define REN_VERSION_MAJOR                         0
#define REN_VERSION_MINOR                         1
#define REN_VERSION_PATCH                         0
#define REN_VERSION_NUMBER                        (REN_VERSION_MAJOR * 10000 + REN_VERSION_MINOR * 100 + REN_VERSION_PATCH)
#define REN_VERSION_AT_LEAST(major, minor, patch) (REN_VERSION_NUMBER >= 10000 * (major) + 100 * (minor) + (patch))

/* The version of the library that is running: "0.1.0", and 100 for 0.1.0. Any thread. */
REN_API const char *ren_version(void);
REN_API int32_t ren_version_number(void);

/* ------------------------------------------------------------------------------------------------------ status */

typedef int32_t ren_status;

enum {
    REN_OK = 0,
    REN_E_INVALID = -1,     /* an argument is wrong */
    REN_E_MEMORY = -2,      /* the allocator gave nothing */
    REN_E_LIMIT = -3,       /* a memory limit would be passed */
    REN_E_IO = -4,          /* a file cannot be opened, read or written */
    REN_E_FORMAT = -5,      /* a file is malformed */
    REN_E_DATA = -6,        /* well-formed, but not usable: refused by a safety rule, wrong grid, one class only */
    REN_E_UNSUPPORTED = -7, /* this build or this version cannot do it */
    REN_E_CANCELLED = -8,   /* the cancel callback asked for it */
    REN_E_DEADLINE = -9,    /* the deadline has passed */
    REN_E_FORKED = -10,     /* the process forked after the thread pool was used: spawn, do not fork */
    REN_E_STATE = -11,      /* calls in the wrong order */
    REN_E_NOT_FOUND = -12,  /* no such name */
    REN_E_CHECK = -13,      /* a verification found a difference */
    REN_E_INTERNAL = -100   /* a defect of the library: please report */
};

/* "REN_E_IO" and "input/output error" for a code; never NULL. Any thread. */
REN_API const char *ren_status_name(ren_status status);
REN_API const char *ren_status_text(ren_status status);

/* The sentence of this thread's last failure, "" before any. Valid until the next failing call of this thread. */
REN_API const char *ren_error_message(void);

/* ----------------------------------------------------------------------------------------------------- context */

typedef struct ren_context ren_context;

/* Host allocator: `alignment` is a power of two, at most 64; `free` gets the size that was asked for. Both may be
 * called from any thread. */
typedef void *(*ren_alloc_fn)(void *user, size_t size, size_t alignment);
typedef void (*ren_free_fn)(void *user, void *memory, size_t size);

/* One line of text without a newline. Nothing about a patient is ever logged. Called from any thread. */
typedef void (*ren_log_fn)(void *user, int32_t level, const char *text);

enum { REN_LOG_ERROR = 1, REN_LOG_WARNING = 2, REN_LOG_INFO = 3 };
/* Of inference. BF16: convolutions and linear layers of many rows round their factors to bfloat16 and sum in float32,
 * on processors with AVX512-BF16 or AMX; probabilities stay within 0.01. All else is float32: training, norms,
 * attention, scans, and experts that are evaluated sparsely (`cnn`). */
enum { REN_PRECISION_F32 = 0, REN_PRECISION_BF16 = 1 };

/* Instruction sets of libren's own kernels, in order. oneDNN keeps a cap of its own for the whole process
 * (ONEDNN_MAX_CPU_ISA), which libren never changes but follows. */
enum { REN_ISA_BEST = 0, REN_ISA_PLAIN = 1, REN_ISA_AVX2 = 2, REN_ISA_AVX512 = 3 };

typedef struct ren_context_options {
    size_t struct_size;
    ren_alloc_fn alloc; /* NULL: the C library's */
    ren_free_fn free;   /* NULL exactly when alloc is */
    void *allocator_user;
    ren_log_fn log; /* NULL: silence */
    void *log_user;
    int32_t threads;       /* 0: the processors that affinity and the container's CPU quota allow */
    int32_t precision;     /* REN_PRECISION_* of inference; BF16 is REN_E_UNSUPPORTED where the processor, or the cap
                              ONEDNN_MAX_CPU_ISA, lacks it */
    int32_t deterministic; /* not 0: insist on equal bits for every number of threads in training;
                              this version gives them always and ignores it */
    int32_t isa;           /* REN_ISA_*: no better set than this in libren's own kernels */
    size_t memory_limit;   /* bytes that everything made with this context may hold at once; 0: no limit */
    uint64_t seed;         /* of every random number that a configuration does not seed itself */
} ren_context_options;

#define REN_CONTEXT_OPTIONS_INIT                                                                                       \
    { sizeof(ren_context_options), NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0 }

/* Fills the defaults; `size` is the caller's sizeof. */
REN_API ren_status ren_context_options_init(ren_context_options *options, size_t size) REN_CHECKED;

/* `options` may be NULL: all defaults. Errors: REN_E_INVALID, REN_E_MEMORY, REN_E_UNSUPPORTED. */
REN_API ren_status ren_context_create(const ren_context_options *options, ren_context **out) REN_CHECKED;
/* Drops the caller's reference; the context ends with the last handle made with it. */
REN_API void ren_context_free(ren_context *context);

REN_API int32_t ren_context_threads(const ren_context *context);
/* "plain", "avx2" or "avx512": what libren's own kernels use. */
REN_API const char *ren_context_isa(const ren_context *context);
/* Bytes held now, and the most that were held since creation or the last reset. */
REN_API size_t ren_context_memory_used(const ren_context *context);
REN_API size_t ren_context_memory_peak(const ren_context *context);
REN_API void ren_context_memory_peak_reset(ren_context *context);

/* Options of one long call. Callbacks come from the calling thread only. */
typedef struct ren_run_options {
    size_t struct_size;
    void (*progress)(void *user, const char *stage, double fraction); /* fraction of the stage, 0 to 1 */
    int32_t (*cancel)(void *user);                                    /* not 0: stop; asked every 200 ms or oftener */
    void *user;
    double deadline_seconds; /* from the start of the call; 0: none */
    size_t memory_limit;     /* bytes this call may add; 0: the context's limit alone */
} ren_run_options;

#define REN_RUN_OPTIONS_INIT                                                                                           \
    { sizeof(ren_run_options), NULL, NULL, NULL, 0.0, 0 }
REN_API ren_status ren_run_options_init(ren_run_options *options, size_t size) REN_CHECKED;

/* A text made by the library (JSON, CSV, messages): UTF-8, terminated. */
typedef struct ren_text ren_text;
REN_API const char *ren_text_data(const ren_text *text); /* "" for NULL */
REN_API size_t ren_text_size(const ren_text *text);      /* bytes without the terminator */
REN_API void ren_text_free(ren_text *text);

/* ----------------------------------------------------------------------------------------------------- volumes */

/* A 3-D image or label map with its affine. Immutable. */
typedef struct ren_volume ren_volume;

enum {
    REN_TYPE_U8 = 1,
    REN_TYPE_I8 = 2,
    REN_TYPE_U16 = 3,
    REN_TYPE_I16 = 4,
    REN_TYPE_U32 = 5,
    REN_TYPE_I32 = 6,
    REN_TYPE_U64 = 7,
    REN_TYPE_I64 = 8,
    REN_TYPE_F32 = 9,
    REN_TYPE_F64 = 10
};

enum { REN_NEAREST = 0, REN_LINEAR = 1, REN_CUBIC = 2 };

/* Reads NIfTI-1 or -2: .nii, .nii.gz, .hdr/.img, either byte order, integers of 8 to 64 bits, 32- and 64-bit floats
 * (others: REN_E_UNSUPPORTED). The sform comes before the qform; without either the spacing alone is used; metres and
 * micrometres become millimetres. One volume only: a fourth dimension above 1 is REN_E_DATA. Values are stored x
 * scl_slope + scl_inter. The header is checked against the file's real length and the memory limit before anything is
 * allocated. Errors: REN_E_IO, REN_E_FORMAT, REN_E_DATA, REN_E_UNSUPPORTED, REN_E_LIMIT, REN_E_MEMORY. */
REN_API ren_status ren_volume_read(ren_context *context, const char *path, ren_volume **out) REN_CHECKED;

/* Writes NIfTI-1 (.nii, .nii.gz) with the affine as sform and, where it is rigid, as qform; NIfTI-2 where a dimension
 * passes 32,767. Atomic: a temporary file in the same folder, flushed and renamed. */
REN_API ren_status ren_volume_write(const ren_volume *volume, const char *path) REN_CHECKED;

typedef struct ren_volume_desc {
    size_t struct_size;
    const void *data;                        /* first voxel (0, 0, 0) */
    int32_t type;                            /* REN_TYPE_* */
    int32_t reserved;                        /* 0 */
    int64_t shape[3];                        /* voxels along i, j, k */
    int64_t strides[3];                      /* bytes from voxel to voxel; all 0: x fastest, packed */
    double affine[16];                       /* voxel index to RAS+ millimetres; all 0: identity */
    double slope, intercept;                 /* value = stored x slope + intercept; slope 0: 1 and 0 */
    void (*release)(void *user, void *data); /* called once when the volume ends; NULL: the host keeps the buffer
                                                alive until the volume and all handles made from it are freed */
    void *user;
} ren_volume_desc;

REN_API ren_status ren_volume_desc_init(ren_volume_desc *desc, size_t size) REN_CHECKED;

/* A volume over the host's buffer, without a copy. On failure `release` is not called. */
REN_API ren_status ren_volume_create(ren_context *context, const ren_volume_desc *desc, ren_volume **out) REN_CHECKED;
REN_API void ren_volume_free(ren_volume *volume);

REN_API void ren_volume_shape(const ren_volume *volume, int64_t shape[3]);
REN_API void ren_volume_affine(const ren_volume *volume, double affine[16]);
REN_API void ren_volume_spacing(const ren_volume *volume, double spacing[3]); /* millimetres */
REN_API int32_t ren_volume_type(const ren_volume *volume);
/* Nearest anatomical axes, for instance "LPS", as three letters and a zero. */
REN_API void ren_volume_orientation(const ren_volume *volume, char axes[4]);

/* All values, scaled, x fastest, into `count` floats; count must be the product of the shape. */
REN_API ren_status ren_volume_copy(const ren_volume *volume, float *values, size_t count) REN_CHECKED;

/* Axes permuted and flipped to the nearest of `axes` ("RAS", "LPS", ...); no interpolation, affine adjusted. */
REN_API ren_status ren_volume_reorient(const ren_volume *volume, const char *axes, ren_volume **out) REN_CHECKED;

/* Resampled to `spacing` (mm) along the volume's own axes: REN_NEAREST (keeps the type), REN_LINEAR, REN_CUBIC
 * (interpolating cubic B-spline with prefilter, mirrored at the border; float). The centre of the first voxel stays
 * where it is; the shape is ceil(shape x old / new). REN_CUBIC of NaN or infinite voxels is REN_E_DATA. */
REN_API ren_status ren_volume_resample(const ren_volume *volume, const double spacing[3], int32_t interpolation,
                                       const ren_run_options *run, ren_volume **out) REN_CHECKED;

/* Connected components of the voxels that are not 0, `connectivity` 6, 18 or 26: an I32 volume, components numbered
 * from 1 by falling size; `count` (nullable) is how many there are. */
REN_API ren_status ren_volume_components(const ren_volume *volume, int32_t connectivity, ren_volume **out,
                                         int32_t *count) REN_CHECKED;

/* Geometry, type and orientation as JSON. */
REN_API ren_status ren_volume_describe(const ren_volume *volume, ren_text **json) REN_CHECKED;

/* ----------------------------------------------------------------------------------------- regions and scans */

/* Lobe labels are 1 LUL, 2 LLL, 3 RUL, 4 RML, 5 RLL. The seven regions, in this order everywhere. */
enum {
    REN_REGION_LUL = 0,
    REN_REGION_LLL = 1,
    REN_REGION_RUL = 2,
    REN_REGION_RML = 3,
    REN_REGION_RLL = 4,
    REN_REGION_LEFT_LUNG = 5,
    REN_REGION_RIGHT_LUNG = 6,
    REN_REGION_COUNT = 7,
    REN_REGION_LUNGS = 7 /* both lungs: what a baseline sees, beside the seven; alone in its mixture */
};

/* "LUL" ... "right_lung", "lungs"; NULL for a number that is no region. */
REN_API const char *ren_region_name(int32_t region);

enum { REN_PRESET_LUNG = 0, REN_PRESET_PAPER = 1 };

/* How a CT becomes a network's input. `lung` (default): window -1350..150 HU, zero outside the lungs, intensities
 * averaged over the lung voxels of each network cell, labels by nearest neighbour. `paper`: window -175..250 HU,
 * 0 HU outside the lungs, image and labels by area averaging, as the published code does it. */
typedef struct ren_preset {
    size_t struct_size;
    int32_t kind; /* REN_PRESET_* */
    int32_t reserved;
    double window[2]; /* HU mapped to 0 and 1; equal values: the kind's own */
    double spacing;   /* mm, isotropic, before the resize; 0: 1.0 */
    int64_t size[3];  /* D, H, W of the networks; 0: 96 */
} ren_preset;

REN_API ren_status ren_preset_init(ren_preset *preset, size_t size) REN_CHECKED;

/* A CT and its lobes, checked and prepared once for any number of experts. Immutable. */
typedef struct ren_scan ren_scan;

/* Checks the pair by the input rules, then prepares it. `preset` may be NULL: lung. REN_E_DATA where
 *   - CT and lobes, both turned to RAS, differ in shape, or their corners by more than 1 % of the smallest spacing;
 *   - voxels are more than 10 mm apart along an axis;
 *   - a label is outside 0..5 or no whole number, or all labels are 0;
 *   - the mean RAS x of labels 1, 2 is not below that of 3, 4, 5: left and right are swapped;
 *   - no value is below -200 HU, or more than 0.1 % of the voxels are NaN or infinite.
 * Listed in the warnings: an empty lobe or lung, a lobe too small for the network's grid, labels in a border plane of
 * the volume (lungs cut off), NaN or infinite voxels (taken as -1024 HU), a CT file without a unit of length (taken as
 * millimetres). */
REN_API ren_status ren_scan_create(ren_context *context, const ren_volume *ct, const ren_volume *lobes,
                                   const ren_preset *preset, const ren_run_options *run, ren_scan **out) REN_CHECKED;
REN_API void ren_scan_free(ren_scan *scan);

REN_API int32_t ren_scan_warning_count(const ren_scan *scan);
REN_API const char *ren_scan_warning(const ren_scan *scan, int32_t index); /* NULL past the end */
/* The prepared image, and what the expert of a region sees of it, as float volumes on the network's grid. */
REN_API ren_status ren_scan_image(const ren_scan *scan, ren_volume **out) REN_CHECKED;
REN_API ren_status ren_scan_region(const ren_scan *scan, int32_t region, ren_volume **out) REN_CHECKED;

/* --------------------------------------------------------------------------------------------------- radiomics */

/* An extractor: image types, feature classes and settings under PyRadiomics' names. Configure it, then use it: the
 * functions that change it are for one thread, and once none is called any more, any number of threads may extract. */
typedef struct ren_radiomics ren_radiomics;

/* PYRADIOMICS: the values of PyRadiomics 3.1. IBSI: the IBSI reference manual where the two differ, and its further
 * families; docs/radiomics-conformance.md has both, feature by feature. */
enum { REN_RADIOMICS_PYRADIOMICS = 0, REN_RADIOMICS_IBSI = 1 };

/* PyRadiomics' default extraction: image type Original, bin width 25, 107 features. */
REN_API ren_status ren_radiomics_create(ren_context *context, int32_t mode, ren_radiomics **out) REN_CHECKED;
REN_API void ren_radiomics_free(ren_radiomics *radiomics);

/* A parameter file of PyRadiomics, YAML or JSON (by extension .json), or its text (`format` "yaml" or "json"): sections
 * `setting`, `voxelSetting`, `featureClass`, `imageType`, and in the IBSI mode `ibsi`. Every key is known or refused:
 * REN_E_FORMAT names it and the nearest known one; the extractor is then as before. */
REN_API ren_status ren_radiomics_load_params(ren_radiomics *radiomics, const char *path) REN_CHECKED;
REN_API ren_status ren_radiomics_parse_params(ren_radiomics *radiomics, const char *text, size_t size,
                                              const char *format) REN_CHECKED;
/* The same by calls. `value` is JSON ("25", "[1, 1, 1]", "\"sitkLinear\""); `settings` a JSON object of settings for
 * this image type alone, or NULL; `features` a JSON list of names, NULL: all of the class. The first call to enable an
 * image type or a class after ren_radiomics_clear adds to nothing. */
REN_API ren_status ren_radiomics_set(ren_radiomics *radiomics, const char *name, const char *value) REN_CHECKED;
REN_API ren_status ren_radiomics_enable_image_type(ren_radiomics *radiomics, const char *name,
                                                   const char *settings) REN_CHECKED;
REN_API ren_status ren_radiomics_enable_class(ren_radiomics *radiomics, const char *name,
                                              const char *features) REN_CHECKED;
REN_API void ren_radiomics_clear(ren_radiomics *radiomics); /* no image type, no class */
/* The resolved parameters as JSON, which ren_radiomics_parse_params reads back. */
REN_API ren_status ren_radiomics_describe(const ren_radiomics *radiomics, ren_text **json) REN_CHECKED;

/* A table of features: a row for each region, a column for each feature. Immutable; independent of the extractor. */
typedef struct ren_features ren_features;

/* One call for any number of regions of one scan: the image is read, normalised and filtered once. A label is a text:
 * "2", several that make one region "1+2", or either with a name for its row, "left_lung=1+2". `labels` NULL or `count`
 * 0: the setting `label` (1). The mask is rounded to whole numbers (REN_E_DATA where it has none).
 *
 * The two grids must be the same within geometryTolerance (else REN_E_DATA with the difference in mm) unless
 * correctMask is set. A region that cannot be used (empty, too small) is a row with an error and NaN in all columns,
 * and the call succeeds; ren_features_row_error tells. A feature that is undefined for a region is NaN;
 * docs/radiomics-conformance.md says which and why. Memory beyond the input: at most 12 bytes a voxel of the largest
 * region's box, plus the matrices. Values are in double, the same bits for every number of threads. */
REN_API ren_status ren_radiomics_extract(const ren_radiomics *radiomics, const ren_volume *image,
                                         const ren_volume *mask, const char *const *labels, size_t count,
                                         const ren_run_options *run, ren_features **out) REN_CHECKED;
/* The seven lung regions of a CT and its lobes, in the order of REN_REGION_*. */
REN_API ren_status ren_radiomics_extract_regions(const ren_radiomics *radiomics, const ren_volume *ct,
                                                 const ren_volume *lobes, const ren_run_options *run,
                                                 ren_features **out) REN_CHECKED;
REN_API void ren_features_free(ren_features *features);

REN_API int32_t ren_features_row_count(const ren_features *features);
REN_API const char *ren_features_row_name(const ren_features *features, int32_t row);
REN_API const char *ren_features_row_error(const ren_features *features, int32_t row); /* NULL: none */
REN_API int32_t ren_features_count(const ren_features *features);
/* "original_glcm_JointEntropy"; its unit (UCUM, "[image]" for the image's own); its IBSI code or "". */
REN_API const char *ren_features_name(const ren_features *features, int32_t column);
REN_API const char *ren_features_unit(const ren_features *features, int32_t column);
REN_API const char *ren_features_ibsi(const ren_features *features, int32_t column);
REN_API int32_t ren_features_find(const ren_features *features, const char *name); /* -1: not there */
REN_API double ren_features_value(const ren_features *features, int32_t row, int32_t column);
/* One row's values, ren_features_count of them; they belong to the table. */
REN_API const double *ren_features_row(const ren_features *features, int32_t row);
/* PyRadiomics' diagnostics_*: name and text. */
REN_API int32_t ren_features_diagnostic_count(const ren_features *features, int32_t row);
REN_API const char *ren_features_diagnostic_name(const ren_features *features, int32_t row, int32_t index);
REN_API const char *ren_features_diagnostic_text(const ren_features *features, int32_t row, int32_t index);
/* CSV with the columns Image, Mask, Region, then diagnostics_*, then features; JSON: an object for each region with the
 * same flat names, and beside them `meta` with unit and IBSI code per feature. `image` and `mask` are what stands in
 * the first two columns; NULL: "". */
REN_API ren_status ren_features_csv(const ren_features *features, const char *image, const char *mask,
                                    ren_text **csv) REN_CHECKED;
REN_API ren_status ren_features_json(const ren_features *features, const char *image, const char *mask,
                                     ren_text **json) REN_CHECKED;

/* Voxel-based maps: each enabled feature (shape excepted) of the neighbourhood of every voxel of the region, settings
 * kernelRadius, maskedKernel and initValue. */
typedef struct ren_feature_maps ren_feature_maps;

REN_API ren_status ren_radiomics_map(const ren_radiomics *radiomics, const ren_volume *image, const ren_volume *mask,
                                     const char *label, const ren_run_options *run, ren_feature_maps **out) REN_CHECKED;
REN_API void ren_feature_maps_free(ren_feature_maps *maps);
REN_API int32_t ren_feature_maps_count(const ren_feature_maps *maps);
REN_API const char *ren_feature_maps_name(const ren_feature_maps *maps, int32_t index);
/* A float64 volume on the region's box with a margin of kernelRadius; another reference, ended by ren_volume_free. */
REN_API ren_status ren_feature_maps_volume(const ren_feature_maps *maps, int32_t index, ren_volume **out) REN_CHECKED;

/* Many cases from a table: columns Image, Mask, optionally Label (which replaces `labels`); all others are copied
 * through. Paths are relative to the table. One row a case and region in `out_path`, a CSV; a case that fails is a row
 * with the column `error` filled and never stops the others. A second call with the same table, parameters and path
 * does only what is missing or failed; a row is in the file whole or not at all. */
typedef struct ren_radiomics_batch_options {
    size_t struct_size;
    const char *const *labels; /* as for ren_radiomics_extract */
    size_t label_count;
    int32_t regions; /* not 0: the seven lung regions instead of labels */
    int32_t jobs;    /* cases at once; they share the context's threads and memory limit. 0: by threads and memory */
} ren_radiomics_batch_options;

REN_API ren_status ren_radiomics_batch_options_init(ren_radiomics_batch_options *options, size_t size) REN_CHECKED;
/* `failed` (nullable): how many rows of the finished file carry an error. */
REN_API ren_status ren_radiomics_batch(const ren_radiomics *radiomics, const char *cases_path, const char *out_path,
                                       const ren_radiomics_batch_options *options, const ren_run_options *run,
                                       int32_t *failed) REN_CHECKED;

/* ----------------------------------------------------------------------------------- experts, gates, mixtures */

/* One trained network for one region. Immutable and shared; each prediction borrows a session of its own. */
typedef struct ren_expert ren_expert;

REN_API ren_status ren_expert_load(ren_context *context, const char *path, ren_expert **out) REN_CHECKED;
REN_API ren_status ren_expert_save(const ren_expert *expert, const char *path) REN_CHECKED;
REN_API void ren_expert_free(ren_expert *expert);

typedef struct ren_expert_options {
    size_t struct_size;
    const char *arch;    /* "cnn" */
    const char *config;  /* JSON of the architecture's settings; NULL: defaults. Where it has no input_size, that is
                            the preset's size */
    const char *weights; /* safetensors file with the checkpoint's names; NULL: random from `seed` */
    int32_t region;      /* REN_REGION_* */
    int32_t reserved;
    uint64_t seed;
    const ren_preset *preset; /* NULL: lung at the network's own size */
} ren_expert_options;

REN_API ren_status ren_expert_options_init(ren_expert_options *options, size_t size) REN_CHECKED;
REN_API ren_status ren_expert_create(ren_context *context, const ren_expert_options *options,
                                     ren_expert **out) REN_CHECKED;

REN_API int32_t ren_expert_region(const ren_expert *expert);
REN_API int32_t ren_expert_classes(const ren_expert *expert);
/* Bytes that one prediction needs beyond the weights. */
REN_API ren_status ren_expert_session_bytes(const ren_expert *expert, size_t *bytes) REN_CHECKED;
/* Probabilities of all classes for this expert's region of the scan, which must have this expert's preset. An empty
 * region is REN_E_DATA. Where the network allows it, only what the region reaches is computed; the result is that of
 * the whole volume. */
REN_API ren_status ren_expert_predict(const ren_expert *expert, const ren_scan *scan, const ren_run_options *run,
                                      float *probabilities, size_t count) REN_CHECKED;

/* Weights of the regions. */
typedef struct ren_gate ren_gate;

enum { REN_GATE_SUM = 0, REN_GATE_HIERARCHICAL = 1 };

typedef struct ren_gate_options {
    size_t struct_size;
    const char *source;    /* "uniform", "validation_auc", "validation_accuracy", "inverse_loss", "given"; "radiomics"
                              (validation AUC of the regions' own predictors), "features" (a measure of the experts'
                              deep features) */
    int32_t normalisation; /* REN_GATE_SUM: all weights sum to 1; REN_GATE_HIERARCHICAL: the lobes' weights
                              and the lungs' weights sum to 1 each (halved where both are present) */
    int32_t reserved;
    double weights[REN_REGION_COUNT]; /* for each region, not negative; ignored for "uniform" */
    double temperature;               /* weights are raised to 1 / temperature: above 1 evens them out, below 1 sharpens
                                         them; 0.001 to 1000; 0: 1 */
    double logits[REN_REGION_COUNT];  /* not all 0: learned weights, exp((log(weight + 1e-8) + logit) / temperature) */
} ren_gate_options;

REN_API ren_status ren_gate_options_init(ren_gate_options *options, size_t size) REN_CHECKED;
REN_API ren_status ren_gate_create(ren_context *context, const ren_gate_options *options, ren_gate **out) REN_CHECKED;
REN_API ren_status ren_gate_load(ren_context *context, const char *path, ren_gate **out) REN_CHECKED;
REN_API ren_status ren_gate_save(const ren_gate *gate, const char *path) REN_CHECKED;
REN_API void ren_gate_free(ren_gate *gate);

/* Experts of different regions and a gate: the REN ensemble. p = sum over regions that ran of weight x probability. Or
 * one expert of REN_REGION_LUNGS: a baseline, or a network that is a mixture by itself; ren_mixture_load takes such an
 * expert's own file too. */
typedef struct ren_mixture ren_mixture;

REN_API ren_status ren_mixture_create(ren_context *context, ren_expert *const *experts, size_t count, ren_gate *gate,
                                      ren_mixture **out) REN_CHECKED;
REN_API ren_status ren_mixture_load(ren_context *context, const char *path, ren_mixture **out) REN_CHECKED;
REN_API ren_status ren_mixture_save(const ren_mixture *mixture, const char *path) REN_CHECKED;
REN_API void ren_mixture_free(ren_mixture *mixture);

/* The outcome for one scan. Immutable; independent of the mixture. */
typedef struct ren_result ren_result;

REN_API ren_status ren_mixture_predict(const ren_mixture *mixture, const ren_volume *ct, const ren_volume *lobes,
                                       const ren_run_options *run, ren_result **out) REN_CHECKED;

/* How one scan is predicted. Experts whose weight, known before they run, is not among the top_k largest, or is below
 * min_weight (the largest always runs), are not computed, and the weights of the others are normalised without them. A
 * mixture whose gate reads its experts' features, or whose predictor is stacked, needs them all: REN_E_INVALID. */
typedef struct ren_predict_options {
    size_t struct_size;
    int32_t top_k;     /* 0: all experts */
    int32_t explain;   /* not 0: also what moved the outcome; some experts run again, with a region taken out */
    double min_weight; /* 0 to 1 */
} ren_predict_options;

REN_API ren_status ren_predict_options_init(ren_predict_options *options, size_t size) REN_CHECKED;
/* `options` may be NULL: ren_mixture_predict. A gate that reads radiomics has them extracted from `ct` and `lobes`; a
 * region that cannot be used gets its weight without them, and the result a warning. */
REN_API ren_status ren_mixture_predict_with(const ren_mixture *mixture, const ren_volume *ct, const ren_volume *lobes,
                                            const ren_predict_options *options, const ren_run_options *run,
                                            ren_result **out) REN_CHECKED;
REN_API void ren_result_free(ren_result *result);

REN_API double ren_result_probability(const ren_result *result, int32_t label); /* label 1: ILD; NaN out of range */
REN_API int32_t ren_result_label(const ren_result *result);                     /* at the model's threshold */
REN_API int32_t ren_result_region_count(const ren_result *result);
REN_API const char *ren_result_region_name(const ren_result *result, int32_t index);
REN_API int32_t ren_result_region_ran(const ren_result *result, int32_t index);
REN_API double ren_result_region_probability(const ren_result *result, int32_t index); /* NaN where it did not run */
REN_API double ren_result_region_weight(const ren_result *result, int32_t index);
/* Why it did not run: "empty", "weight"; NULL where it did. */
REN_API const char *ren_result_region_skipped(const ren_result *result, int32_t index);
REN_API int32_t ren_result_warning_count(const ren_result *result);
REN_API const char *ren_result_warning(const ren_result *result, int32_t index);
/* Seconds of "preprocess", "radiomics", "experts", "gate", "explanation", "total"; NaN for another name. */
REN_API double ren_result_seconds(const ren_result *result, const char *stage);
/* Everything above as one JSON object. `read_seconds` is the host's own time for reading the volumes. */
REN_API ren_status ren_result_json(const ren_result *result, double read_seconds, ren_text **json) REN_CHECKED;

/* The explanation of the outcome, where one was asked for. Without: the probability (label 1) for the same scan with
 * the voxels of a region (REN_REGION_*) taken out, its lobes in every expert that sees them; NaN where there is none.
 * The weights are made anew; radiomics that the gate reads stay those of the whole scan.
 * Contributions: what each value that the gate read of a region adds to the score that it gave the region, exactly, the
 * largest first; of a gate with fixed weights, to the logit of the region's own predictor of the disease; of a stacked
 * mixture, to the one logit. "score", "predictor" or "stack" says which; NULL: none. Base and contributions sum to that
 * logit; those of a random forest to its probability. */
REN_API double ren_result_without(const ren_result *result, int32_t region);
REN_API const char *ren_result_explains(const ren_result *result);
REN_API int32_t ren_result_contribution_count(const ren_result *result, int32_t index);
REN_API const char *ren_result_contribution_name(const ren_result *result, int32_t index, int32_t rank);
REN_API double ren_result_contribution_value(const ren_result *result, int32_t index, int32_t rank);
REN_API double ren_result_contribution(const ren_result *result, int32_t index, int32_t rank);
REN_API double ren_result_contribution_base(const ren_result *result, int32_t index);

/* One self-contained HTML page: three views with regions coloured by weight and by probability, table, warnings, model
 * card, versions. `ct` and `lobes` are the volumes that were predicted. Atomic. */
REN_API ren_status ren_report_write(const ren_result *result, const ren_volume *ct, const ren_volume *lobes,
                                    const char *path, const ren_run_options *run) REN_CHECKED;

/* The card of a model file as JSON: kind, architecture, regions, preset, parameters, FLOP, session bytes, training
 * record. */
REN_API ren_status ren_model_describe(ren_context *context, const char *path, ren_text **json) REN_CHECKED;

/* --------------------------------------------------------------------------------------------- data sets, trainers */

/*
 * Training an expert by hand, as the jobs of a study do it:
 *
 *     data set    which scans there are, of which patient, with which label; each is prepared once
 *     split       which of them to train on, and which to validate on
 *     trainer     one network for one region, from these lists to an expert
 *
 * A data set and the trainers over it belong together to one thread at a time, and are not touched from the callbacks
 * of their own calls. Data sets are independent of each other: threads that train at once have one each, on the same
 * cache folder if they like. The expert that comes out is immutable and shared like any other.
 */
typedef struct ren_dataset ren_dataset;

typedef struct ren_dataset_options {
    size_t struct_size;
    const char *cache_folder; /* takes the prepared scans, for this and later data sets; made where it is missing (its
                                 parent must be there). Any number of processes may share it. NULL: nothing is written,
                                 and prepared scans stay in memory: about 5 bytes a cell, 4.4 MB each at 96 x 96 x 96 */
    const ren_preset *preset; /* NULL: lung */
    size_t memory;            /* bytes of regions out of the cache folder to keep in memory; 0: 512 MiB. Another number
                                 changes how often files are read, and nothing else */
} ren_dataset_options;

REN_API ren_status ren_dataset_options_init(ren_dataset_options *options, size_t size) REN_CHECKED;

/* An empty data set; `options` may be NULL: all defaults. Errors: REN_E_INVALID (the preset), REN_E_IO (the folder),
 * REN_E_MEMORY, REN_E_LIMIT. */
REN_API ren_status ren_dataset_create(ren_context *context, const ren_dataset_options *options,
                                      ren_dataset **out) REN_CHECKED;
REN_API void ren_dataset_free(ren_dataset *dataset);

/* Adds a scan at the end, by the paths of its CT and lobes, which are read when it is prepared. `patient` and `scan`
 * are names in printable UTF-8, all strings are copied; `label` is 0 or 1 (ILD). A pair of patient and scan that is
 * there already, a bad name or label: REN_E_INVALID. A failure leaves the data set as it was. */
REN_API ren_status ren_dataset_add_files(ren_dataset *dataset, const char *patient, const char *scan, const char *ct,
                                         const char *lobes, int32_t label) REN_CHECKED;
/* Adds a scan that the host has prepared from its own volumes; it is held, not copied. One of another preset than the
 * data set's is REN_E_DATA; else as ren_dataset_add_files. */
REN_API ren_status ren_dataset_add_scan(ren_dataset *dataset, const char *patient, const char *scan,
                                        const ren_scan *prepared, int32_t label) REN_CHECKED;

/* Scans are numbered from 0 in the order they were added. Out of range: NULL, and -1 for the label. */
REN_API int32_t ren_dataset_count(const ren_dataset *dataset);
REN_API const char *ren_dataset_patient(const ren_dataset *dataset, int32_t index);
REN_API const char *ren_dataset_scan_name(const ren_dataset *dataset, int32_t index);
REN_API int32_t ren_dataset_label(const ren_dataset *dataset, int32_t index);

/* Reads and prepares what is not prepared yet (stage "preparing"); a trainer does the same for its own lists. A scan
 * that the input rules refuse ends the call with its error, which names patient, scan and file; what was prepared
 * before it stays so, as after a cancel: the next call goes on from there. */
REN_API ren_status ren_dataset_prepare(ren_dataset *dataset, const ren_run_options *run) REN_CHECKED;
/* The prepared scan, for ren_expert_predict; the caller ends it with ren_scan_free. */
REN_API ren_status ren_dataset_scan(ren_dataset *dataset, int32_t index, const ren_run_options *run,
                                    ren_scan **out) REN_CHECKED;

enum { REN_SET_TRAINING = 0, REN_SET_VALIDATION = 1, REN_SET_TEST = 2 };

typedef struct ren_split_options {
    size_t struct_size;
    uint64_t seed;
    double validation; /* share of the patients that are not in the test set, above 0 and below 1; 0: 0.2 */
    int32_t folds;     /* 0: no test set; 2 to 50: the patients are dealt to so many folds ... */
    int32_t fold;      /* ... and those of this one, counted from 0, are the test set */
} ren_split_options;

REN_API ren_status ren_split_options_init(ren_split_options *options, size_t size) REN_CHECKED;

/* The scans of one set (REN_SET_*), rising, into `indices`, which has room for `capacity` of them: at least
 * ren_dataset_count. Patients are divided, not scans, and those with a positive scan apart from the others. Equal
 * options and the same scans in the same order give equal sets, which are also those of a study with this seed and
 * table. A set with patients of one label only is REN_E_DATA. `options` may be NULL. */
REN_API ren_status ren_dataset_split(const ren_dataset *dataset, const ren_split_options *options, int32_t set,
                                     int32_t *indices, size_t capacity, size_t *count) REN_CHECKED;

/* One network that is to be trained for one region. */
typedef struct ren_trainer ren_trainer;

typedef struct ren_trainer_options {
    size_t struct_size;
    const char *arch;   /* "cnn"; NULL: the configuration's own, or else cnn */
    const char *config; /* JSON object with the keys of an entry of a study's `experts` (docs/study.md): epochs, batch,
                           lr, schedule, early_stopping, augmentation, ..., and the network's own. What is left out
                           takes the published value; input_size is the preset's. NULL: all published */
    ren_dataset *dataset;
    int32_t region; /* REN_REGION_* */
    int32_t reserved;
    const int32_t *training, *validation; /* indices into the data set, for instance of ren_dataset_split; copied */
    size_t training_count, validation_count;
    uint64_t seed;      /* of weights, order, dropout and augmentation */
    const char *folder; /* takes checkpoint.safetensors and history.csv, and is this trainer's alone; made where it is
                           missing. NULL: nothing is written, and a run that was stopped begins anew */
    double checkpoint_seconds; /* no two checkpoints closer than this; below 0: one after every epoch; 0: 10 s, or ten
                                  times what writing one takes. No number changes what comes of the training */
} ren_trainer_options;

REN_API ren_status ren_trainer_options_init(ren_trainer_options *options, size_t size) REN_CHECKED;

/* Checks everything that can be known before a scan is read; computes nothing. Strings and lists are copied, the data
 * set is held: scans may be added to it later. Errors: REN_E_INVALID (the region, an index out of range or twice in a
 * list), REN_E_DATA (a patient in both lists, a list with one label only), REN_E_FORMAT (the configuration: the key is
 * named), REN_E_UNSUPPORTED (a network that this version cannot train), REN_E_MEMORY, REN_E_LIMIT. */
REN_API ren_status ren_trainer_create(ren_context *context, const ren_trainer_options *options,
                                      ren_trainer **out) REN_CHECKED;
REN_API void ren_trainer_free(ren_trainer *trainer);

/* Trains to the end (stages "preparing" and "training") and gives the best epoch's expert, with the training record in
 * its model card; the caller ends it with ren_expert_free. A finished trainer gives the same expert at once.
 *
 * A call that ended early - cancelled, deadline, killed with its process - goes on from the folder's checkpoint, if one
 * was written, with this trainer or an equal one, and ends in the same bits as one that was never stopped. The
 * checkpoint stays in the folder: it is the host's to remove once the expert is saved.
 *
 * Errors: REN_E_STATE where the checkpoint is of another training (network, settings, preset, seed, region, patients,
 * scans or labels), or somebody else is at work in the folder for 20 s; REN_E_DATA for a scan that is refused, where
 * the scans that have the region are of one label only, or for a loss that is not finite; those of reading files;
 * REN_E_CANCELLED, REN_E_DEADLINE, REN_E_MEMORY, REN_E_LIMIT. */
REN_API ren_status ren_trainer_run(ren_trainer *trainer, const ren_run_options *run, ren_expert **expert) REN_CHECKED;

/* What came of it as JSON: the training record (library, seed, expert, region, training_scans, training_empty,
 * validation_scans, validation_empty, epochs, best_epoch, stopped, training_auc, training_loss, validation_auc,
 * validation_loss, validation_accuracy, settings) and "history", a list with an object for each epoch. Numbers without
 * a value are null. Before the end REN_E_STATE. */
REN_API ren_status ren_trainer_outcome(const ren_trainer *trainer, ren_text **json) REN_CHECKED;
/* One number of the outcome, for instance "validation_auc", which weights a gate; NaN for another name, for one without
 * a value, and before the end. */
REN_API double ren_trainer_number(const ren_trainer *trainer, const char *name);

/* ------------------------------------------------------------------------------------------------------ studies */

/* A study: one configuration (cohort, split, experts, gates, mixtures, the primary comparison) and its run folder.
 * Belongs to one thread at a time. */
typedef struct ren_study ren_study;

/* Opens or starts the run folder: resolves the configuration, makes the split once and stores both. An existing folder
 * with another configuration is REN_E_STATE; one that has been started needs `resume` not 0. */
REN_API ren_status ren_study_open(ren_context *context, const char *config_path, const char *run_folder, int32_t resume,
                                  ren_study **out) REN_CHECKED;
/* Opens a finished or running folder by itself, for evaluation. */
REN_API ren_status ren_study_load(ren_context *context, const char *run_folder, ren_study **out) REN_CHECKED;
REN_API void ren_study_free(ren_study *study);

/* Jobs, in an order that respects what needs what. */
REN_API int32_t ren_study_job_count(const ren_study *study);
REN_API const char *ren_study_job_id(const ren_study *study, int32_t index);
REN_API int32_t ren_study_job_done(const ren_study *study, int32_t index);
/* Counted from 1: a job needs jobs of lower stages alone, so the jobs of one stage may run side by side, in any order,
 * on any number of machines. 0: out of range. */
REN_API int32_t ren_study_job_stage(const ren_study *study, int32_t index);
/* What a job needs done before it begins, counted by `need` from 0: the index of a job; -1 past the end. */
REN_API int32_t ren_study_job_need(const ren_study *study, int32_t index, int32_t need);
/* Runs one job to its end, resuming from its checkpoint; a finished job returns at once. */
REN_API ren_status ren_study_run_job(ren_study *study, const char *id, const ren_run_options *run) REN_CHECKED;
/* Runs all jobs that are not done. */
REN_API ren_status ren_study_run(ren_study *study, const ren_run_options *run) REN_CHECKED;
/* Reads the test folds, once: evaluation.json, .csv and .html in the run folder. Later calls return what is stored;
 * `again` not 0 computes anew and records that. */
REN_API ren_status ren_study_evaluate(ren_study *study, int32_t again, const ren_run_options *run,
                                      ren_text **json) REN_CHECKED;

#ifdef __cplusplus
}
#endif
#endif /* REN_H */
