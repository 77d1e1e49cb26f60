/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: small label maps through the whole extractor.
 *
 * The bytes decide sizes, types, grid, grey values, labels and parameters; past their end a generator that they seed
 * goes on. Whatever comes out: no crash, nothing left on the account, every error with a text, the same bits again, and
 * in mode PyRadiomics no value that is neither a number nor one of the documented NaN (docs/radiomics-conformance.md).
 */
#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ren.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIDE = 7, VOXELS = SIDE * SIDE * SIDE, TEXT = 4096, LABELS = 4 };

/* ---------------------------------------------------------------------------------------------------------- bytes */

typedef struct source {
    const uint8_t *data;
    size_t size, at;
    uint64_t state;
} source;

static void source_open(source *s, const uint8_t *data, size_t size) {
    *s = (source){ data, size, 0, 0x9E3779B97F4A7C15u };
    for (size_t i = 0; i < size; i++)
        s->state = (s->state ^ data[i]) * 0x100000001B3u;
}

static uint32_t take(source *s) {
    if (s->at < s->size) return s->data[s->at++];
    s->state = s->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(s->state >> 40) & 255u;
}

static int below(source *s, int count) {
    return (int)((take(s) | take(s) << 8) % (uint32_t)count);
}

/* Yes, once in `often`. */
static int once_in(source *s, int often) {
    return take(s) % (uint32_t)often == 0;
}

#define PICK(s, ...)                                                                                                   \
    ((const char *const[]){ __VA_ARGS__ })[below(s, sizeof(const char *[]){ __VA_ARGS__ } / sizeof(char *))]

/* ----------------------------------------------------------------------------------------------------- parameters */

typedef struct writer {
    char text[TEXT];
    size_t size;
    int first;
} writer;

static void add(writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(writer *w, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    const int more = vsnprintf(w->text + w->size, TEXT - w->size, format, arguments);
    va_end(arguments);
    if (more < 0 || (size_t)more >= TEXT - w->size) abort(); /* a file of parameters that is longer than planned */
    w->size += (size_t)more;
}

static void key(writer *w, const char *name, const char *value) {
    add(w, "%s\"%s\": %s", w->first ? "" : ", ", name, value);
    w->first = 0;
}

static void maybe(writer *w, source *s, int often, const char *name, const char *value) {
    if (once_in(s, often)) key(w, name, value);
}

static void add_settings(writer *w, source *s) {
    add(w, "\"setting\": {");
    w->first = 1;
    maybe(w, s, 2, "minimumROIDimensions", "1");
    maybe(w, s, 12, "minimumROISize", PICK(s, "1", "2", "9", "100"));
    maybe(w, s, 3, "binWidth", PICK(s, "0.1", "0.3", "1", "5", "25.0", "64", "500", "1e5"));
    maybe(w, s, 6, "binCount", PICK(s, "1", "2", "3", "16", "64", "65535"));
    maybe(w, s, 8, "normalize", "true");
    maybe(w, s, 8, "normalizeScale", PICK(s, "100", "0.01", "1e9"));
    maybe(w, s, 8, "removeOutliers", PICK(s, "3", "0.5", "1e-9"));
    maybe(w, s, 6, "resampledPixelSpacing",
          PICK(s, "[1, 1, 1]", "[0.7, 0, 1.3]", "[3, 3, 3]", "[0.4, 0.5, 0.6]", "[9, 0, 0]"));
    maybe(w, s, 6, "interpolator",
          PICK(s, "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "\"sitkLinear\"", "null"));
    maybe(w, s, 6, "padDistance", PICK(s, "0", "1", "3", "20"));
    maybe(w, s, 12, "preCrop", "true");
    maybe(w, s, 6, "resegmentRange", PICK(s, "[-100, 100]", "[-1, 1]", "[0.2, 0.9]", "[5]", "[2, -2]", "[1, 2, 3]"));
    maybe(w, s, 6, "resegmentMode", PICK(s, "\"absolute\"", "\"relative\"", "\"sigma\""));
    maybe(w, s, 12, "resegmentShape", "true");
    maybe(w, s, 12, "correctMask", "true");
    maybe(w, s, 6, "distances", PICK(s, "[1]", "[2]", "[1, 2]", "[3, 1]", "[1, 1]", "[6]", "[50]"));
    maybe(w, s, 5, "force2D", "true");
    maybe(w, s, 5, "force2Ddimension", PICK(s, "0", "1", "2"));
    maybe(w, s, 8, "weightingNorm",
          PICK(s, "\"manhattan\"", "\"euclidean\"", "\"infinity\"", "\"no_weighting\"", "null"));
    maybe(w, s, 8, "symmetricalGLCM", "false");
    maybe(w, s, 8, "gldm_a", PICK(s, "1", "3", "1000"));
    maybe(w, s, 8, "voxelArrayShift", PICK(s, "1000", "-7"));
    maybe(w, s, 3, "additionalInfo", "false");
    add(w, "}, ");
}

static void add_image_types(writer *w, source *s) {
    add(w, "\"imageType\": {");
    w->first = 1;
    if (!once_in(s, 6)) key(w, "Original", "{}");
    maybe(w, s, 12, "LoG",
          PICK(s, "{\"sigma\": [1.0]}", "{\"sigma\": [0.4, 3]}", "{}", "{\"sigma\": [9], \"binCount\": 8}"));
    maybe(w, s, 12, "Wavelet",
          PICK(s, "{}", "{\"wavelet\": \"haar\", \"level\": 2}", "{\"wavelet\": \"bior3.9\"}",
               "{\"wavelet\": \"db20\"}", "{\"wavelet\": \"rbio1.5\", \"start_level\": 1}"));
    maybe(w, s, 12, "Square", "{}");
    maybe(w, s, 12, "SquareRoot", "{}");
    maybe(w, s, 12, "Logarithm", "{\"binWidth\": 3}");
    maybe(w, s, 12, "Exponential", "{}");
    maybe(w, s, 12, "Gradient", PICK(s, "{}", "{\"gradientUseSpacing\": false}"));
    maybe(w, s, 16, "LBP2D",
          PICK(s, "{}", "{\"lbp2DRadius\": 2.5, \"lbp2DSamples\": 12, \"lbp2DMethod\": \"ror\"}",
               "{\"lbp2DMethod\": \"var\"}", "{\"lbp2DMethod\": \"default\", \"binWidth\": 1}"));
    maybe(w, s, 24, "LBP3D",
          PICK(s, "{}", "{\"lbp3DLevels\": 1, \"binWidth\": 1}", "{\"lbp3DIcosphereSubdivision\": 0}"));
    add(w, "}, ");
}

static void add_params(writer *w, source *s, int32_t mode) {
    static const char *const classes[] = {
        "firstorder", "shape", "shape2D", "glcm", "glrlm", "glszm", "gldm", "ngtdm"
    };
    const int all = once_in(s, 2);

    add(w, "{");
    add_settings(w, s);
    add_image_types(w, s);
    if (mode == REN_RADIOMICS_IBSI)
        add(w, "\"ibsi\": {\"aggregation\": \"%s\", \"rounding\": %s}, ",
            PICK(s, "2D_avg", "2D_comb", "2_5D_avg", "2_5D_comb", "3D_avg", "3D_comb"), PICK(s, "true", "false"));
    add(w, "\"voxelSetting\": {\"kernelRadius\": %s, \"maskedKernel\": %s}", PICK(s, "1", "2", "9"),
        PICK(s, "true", "false"));
    if (mode == REN_RADIOMICS_PYRADIOMICS) {
        add(w, ", \"featureClass\": {");
        w->first = 1;
        for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
            if (all || once_in(s, 2)) key(w, classes[i], "null");
        add(w, "}");
    }
    add(w, "}");
}

/* --------------------------------------------------------------------------------------------------------- volumes */

typedef struct subject {
    double values[VOXELS]; /* room for any type */
    int32_t labels[VOXELS];
    int64_t shape[3];
    ren_volume *image, *mask;
    int tame; /* no value that can overflow or is none */
} subject;

static double grey(source *s, int kind) {
    switch (kind) {
    case 0:
        return 100;
    case 1:
        return below(s, 2) * 30;
    case 2:
        return below(s, 1400) - 1000;
    case 3:
        return below(s, 65536) / 6553.6;
    case 4:
        return (below(s, 65536) - 32768) * 3.1e-3;
    case 5:
        return once_in(s, 40) ? (double[]){ NAN, INFINITY, -INFINITY, 0, -0.0, 1e300, -1e300, 1e-310 }[below(s, 8)]
                              : below(s, 50);
    default:
        return 0.1f * (float)below(s, 40);
    }
}

static void store(void *to, int32_t type, size_t i, double value) {
    const double whole = isfinite(value) ? value : 0;

    if (type == REN_TYPE_U8) ((uint8_t *)to)[i] = (uint8_t)fmin(fmax(whole, 0), 255);
    if (type == REN_TYPE_I16) ((int16_t *)to)[i] = (int16_t)fmin(fmax(whole, -32768), 32767);
    if (type == REN_TYPE_I32) ((int32_t *)to)[i] = (int32_t)fmin(fmax(whole, -1e9), 1e9);
    if (type == REN_TYPE_F32) ((float *)to)[i] = (float)fmin(fmax(value, -3e38), 3e38);
    if (type == REN_TYPE_F64) ((double *)to)[i] = value;
}

static void make_grid(source *s, ren_volume_desc *desc) {
    const double spacing[3] = { 0.3 + below(s, 40) / 10.0, 1 + below(s, 3), once_in(s, 2) ? 1 : 2.5f };
    const double turn = once_in(s, 4) ? below(s, 628) / 100.0 : 0, c = cos(turn), k = sin(turn);
    const double affine[16] = { c * spacing[0],
                                -k * spacing[1],
                                0,
                                below(s, 100),
                                k * spacing[0],
                                c * spacing[1],
                                0,
                                -3.5,
                                0,
                                0,
                                spacing[2],
                                7,
                                0,
                                0,
                                0,
                                1 };

    if (!once_in(s, 3)) memcpy(desc->affine, affine, sizeof affine);
}

/* Labels: random voxels, a box, two voxels apart, everything, planes. */
static void paint(source *s, subject *of) {
    const int64_t count = of->shape[0] * of->shape[1] * of->shape[2];
    const int kind = below(s, 6), label = 1 + below(s, LABELS), density = 1 + below(s, 9);

    memset(of->labels, 0, sizeof of->labels);
    for (int64_t i = 0; i < count; i++) {
        const int64_t x = i % of->shape[0], y = i / of->shape[0] % of->shape[1], z = i / of->shape[0] / of->shape[1];
        if (kind == 0 && once_in(s, density)) of->labels[i] = 1 + below(s, LABELS);
        if (kind == 1) of->labels[i] = x > 0 && y > 0 && z > 0 ? label : 0;
        if (kind == 2) of->labels[i] = 1;
        if (kind == 3) of->labels[i] = z == of->shape[2] / 2 ? 1 : x == 0 ? 2 : 0;
        if (kind == 4) of->labels[i] = (x + y + z) % 2 ? 1 : 2;
    }
    for (int n = kind == 5 ? 1 + below(s, 3) : 0; n > 0; n--)
        of->labels[below(s, (int)count)] = 1;
}

static int make_subject(ren_context *context, source *s, subject *of) {
    static const int32_t types[] = { REN_TYPE_U8, REN_TYPE_I16, REN_TYPE_I32, REN_TYPE_F32, REN_TYPE_F64 };
    const int kind = below(s, 7);
    ren_volume_desc desc;

    if (ren_volume_desc_init(&desc, sizeof desc) != REN_OK) abort();
    for (int a = 0; a < 3; a++)
        desc.shape[a] = of->shape[a] = 1 + below(s, SIDE);
    desc.type = types[below(s, 5)];
    desc.data = of->values;
    of->tame = kind != 5;
    for (int64_t i = 0; i < of->shape[0] * of->shape[1] * of->shape[2]; i++)
        store(of->values, desc.type, (size_t)i, grey(s, kind));
    make_grid(s, &desc);
    if (ren_volume_create(context, &desc, &of->image) != REN_OK) return 0;
    paint(s, of);
    desc.type = REN_TYPE_I32;
    desc.data = of->labels;
    if (once_in(s, 12)) make_grid(s, &desc); /* another grid */
    if (once_in(s, 24)) desc.shape[below(s, 3)] = 1;
    return ren_volume_create(context, &desc, &of->mask) == REN_OK;
}

/* --------------------------------------------------------------------------------------------------- what is right */

/* The NaN that docs/radiomics-conformance.md lists. */
static const struct {
    const char *columns, *setting; /* NULL: with any */
} undefined[] = {
    { "*_firstorder_RobustMeanAbsoluteDeviation", NULL }, /* of two voxels none is between the percentiles */
    { "*_shape_SurfaceVolumeRatio", NULL },               /* the mesh encloses no volume */
    { "log-*", "\"resampledPixelSpacing\"" },             /* there is no such image for this region: it is too small */
    { "log-*", "\"preCrop\"" },
    { "*_glcm_*", NULL },            /* no two voxels of the region are neighbours; Imc2, MCC: rounding */
    { "*_glrlm_*", NULL },           /* no two voxels of the region are neighbours */
    { "*_shape2D_*", NULL },         /* the region is more than one voxel thick */
    { "*_gldm_*", "\"distances\"" }, /* no neighbour at these distances fits in the box */
    { "*_gldm_*", "\"force2D\"" },
    { "*_ngtdm_*", "\"distances\"" },
    { "*_ngtdm_*", "\"force2D\"" },
    { "*_glszm_*", "\"force2D\"" },
};

static void fail(const char *what, const char *name, double value, const char *params) {
    fprintf(stderr, "%s: %s is %g with %s\n", what, name, value, params);
    abort();
}

static int is_undefined(const char *name, const char *params) {
    for (size_t i = 0; i < sizeof undefined / sizeof *undefined; i++)
        if (fnmatch(undefined[i].columns, name, 0) == 0 &&
            (!undefined[i].setting || strstr(params, undefined[i].setting)))
            return 1;
    return 0;
}

static void check_values(const ren_features *features, const subject *of, const char *params) {
    for (int32_t row = 0; row < ren_features_row_count(features); row++) {
        const char *error = ren_features_row_error(features, row);
        if (error && !error[0]) fail("an error without a text", ren_features_row_name(features, row), 0, params);
        for (int32_t c = 0; c < ren_features_count(features) && of->tame; c++) {
            const double value = ren_features_value(features, row, c);
            const char *name = ren_features_name(features, c);
            if (error && !isnan(value)) fail("a value beside an error", name, value, params);
            if (error || isfinite(value) || strstr(name, "ibsi_")) continue;
            if (isinf(value) || !is_undefined(name, params)) fail("undefined", name, value, params);
        }
    }
}

/* The same values, whatever ran before. */
static void check_again(const ren_radiomics *radiomics, const subject *of, const char *const *labels, size_t count,
                        const ren_features *features, const char *params) {
    ren_features *again = NULL;

    if (ren_radiomics_extract(radiomics, of->image, of->mask, labels, count, NULL, &again) != REN_OK)
        fail("refused the second time", ren_error_message(), 0, params);
    for (int32_t row = 0; row < ren_features_row_count(features); row++)
        for (int32_t c = 0; c < ren_features_count(features); c++) {
            const double value = ren_features_value(features, row, c), other = ren_features_value(again, row, c);
            if (value != other && !(isnan(value) && isnan(other)))
                fail("another value", ren_features_name(features, c), other - value, params);
        }
    ren_features_free(again);
}

static void extract(const ren_radiomics *radiomics, source *s, const subject *of, const char *params) {
    static const char *const sets[] = { "1", "2", "3+4", "rest=1+2+3+4" };
    const size_t count = (size_t)below(s, 4);
    ren_features *features = NULL;
    const ren_status st = ren_radiomics_extract(radiomics, of->image, of->mask, sets, count, NULL, &features);

    if (st == REN_E_INTERNAL || (st != REN_OK && !ren_error_message()[0]))
        fail("failed", ren_status_name(st), st, params);
    if (st != REN_OK) return;
    check_values(features, of, params);
    if (once_in(s, 16)) check_again(radiomics, of, sets, count, features, params);
    ren_features_free(features);
}

static void map(const ren_radiomics *radiomics, const subject *of, const char *params) {
    ren_feature_maps *maps = NULL;
    const ren_status st = ren_radiomics_map(radiomics, of->image, of->mask, "1", NULL, &maps);

    if (st == REN_E_INTERNAL || (st != REN_OK && !ren_error_message()[0]))
        fail("failed", ren_status_name(st), st, params);
    ren_feature_maps_free(maps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ren_context *context;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_radiomics *radiomics = NULL;
    subject of = { .image = NULL };
    writer w = { .first = 1 };
    source s;

    options.threads = 1;
    options.memory_limit = 256 << 20;
    if (!context && ren_context_create(&options, &context) != REN_OK) abort();
    source_open(&s, data, size);
    const int32_t mode = once_in(&s, 8) ? REN_RADIOMICS_IBSI : REN_RADIOMICS_PYRADIOMICS;
    add_params(&w, &s, mode);
    if (ren_radiomics_create(context, mode, &radiomics) != REN_OK) abort();
    if (ren_radiomics_parse_params(radiomics, w.text, w.size, "json") == REN_OK && make_subject(context, &s, &of)) {
        /* a map of many voxels takes seconds, and is no other case than one of few */
        const int few = of.shape[0] * of.shape[1] * of.shape[2] <= 48 && !strstr(w.text, "resampledPixelSpacing");
        if (few && once_in(&s, 4))
            map(radiomics, &of, w.text);
        else
            extract(radiomics, &s, &of, w.text);
    }
    ren_volume_free(of.image);
    ren_volume_free(of.mask);
    ren_radiomics_free(radiomics);
    if (ren_context_memory_used(context) != 0)
        fail("left behind", "bytes", (double)ren_context_memory_used(context), w.text);
    return 0;
}
