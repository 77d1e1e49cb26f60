/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of PyRadiomics' parameter file, one line each: kind, range, default. Kinds and ranges are those of its
 * schema (radiomics/schemas/paramSchema.yaml, version 3.1); what the schema lets through and PyRadiomics then stumbles
 * over is refused here.
 */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "format/document.h"
#include "format/names.h"
#include "radiomics/ibsi.h"

typedef enum kind {
    KIND_BOOLEAN,
    KIND_INTEGER,
    KIND_COUNT, /* an integer that may be null: 0 */
    KIND_NUMBER,
    KIND_OPTIONAL, /* a number above 0 that may be null: 0 */
    KIND_FILL,     /* any number, "nan" too */
    KIND_NUMBERS,  /* a list */
    KIND_WHOLES,   /* a list of whole numbers */
    KIND_RANGE,    /* null, or one or two numbers */
    KIND_SPACING,
    KIND_CHOICE, /* int32_t: index in the names */
    KIND_WORD,   /* char[16]: one of the names */
    KIND_WAVELET,
    KIND_INTERPOLATOR,
    KIND_NORM
} kind;

typedef struct setting {
    const char *name;
    kind kind;
    int above; /* low itself is not allowed */
    size_t offset;
    double low, high;
    const char *const *names;
} setting;

static const char *const modes[] = { "absolute", "relative", "sigma", NULL };
static const char *const methods[] = { "default", "ror", "uniform", "var", NULL };
static const char *const norms[] = { "no_weighting", "euclidean", "manhattan", "infinity", NULL }; /* from 1 */
static const char *const interpolators[] = { "sitkNearestNeighbor",
                                             "sitkLinear",
                                             "sitkBSpline",
                                             "sitkGaussian",
                                             "sitkLabelGaussian",
                                             "sitkHammingWindowedSinc",
                                             "sitkCosineWindowedSinc",
                                             "sitkWelchWindowedSinc",
                                             "sitkLanczosWindowedSinc",
                                             "sitkBlackmanWindowedSinc",
                                             NULL };

#define AT(field) offsetof(ren__radiomics_settings, field)
#define BIG       1e300
#define INTS      2147483647.0

/* clang-format off */
static const setting general[] = {
    { "minimumROIDimensions", KIND_INTEGER, 0, AT(minimum_dimensions), 1, 3, NULL },
    { "minimumROISize", KIND_COUNT, 0, AT(minimum_size), 1, INTS, NULL },
    { "geometryTolerance", KIND_OPTIONAL, 1, AT(geometry_tolerance), 0, BIG, NULL },
    { "correctMask", KIND_BOOLEAN, 0, AT(correct_mask), 0, 0, NULL },
    { "additionalInfo", KIND_BOOLEAN, 0, AT(additional_info), 0, 0, NULL },
    { "label", KIND_INTEGER, 0, AT(label), 1, INTS, NULL },
    { "label_channel", KIND_INTEGER, 0, AT(label_channel), 0, INTS, NULL },
    { "binWidth", KIND_NUMBER, 1, AT(bin_width), 0, BIG, NULL },
    { "binCount", KIND_COUNT, 0, AT(bin_count), 1, 65535, NULL },
    { "normalize", KIND_BOOLEAN, 0, AT(normalize), 0, 0, NULL },
    { "normalizeScale", KIND_NUMBER, 1, AT(normalize_scale), 0, BIG, NULL },
    { "removeOutliers", KIND_OPTIONAL, 1, AT(remove_outliers), 0, BIG, NULL },
    { "resampledPixelSpacing", KIND_SPACING, 0, AT(resampled_spacing), 0, 1e6, NULL },
    { "interpolator", KIND_INTERPOLATOR, 0, AT(interpolator), 1, 10, interpolators },
    { "padDistance", KIND_INTEGER, 0, AT(pad_distance), 0, 65535, NULL },
    { "distances", KIND_WHOLES, 0, AT(distances), 1, 65535, NULL },
    { "force2D", KIND_BOOLEAN, 0, AT(force_2d), 0, 0, NULL },
    { "force2Ddimension", KIND_INTEGER, 0, AT(force_2d_dimension), 0, 2, NULL },
    { "resegmentRange", KIND_RANGE, 0, AT(resegment_range), -BIG, BIG, NULL },
    { "resegmentMode", KIND_CHOICE, 0, AT(resegment_mode), 0, 0, modes },
    { "resegmentShape", KIND_BOOLEAN, 0, AT(resegment_shape), 0, 0, NULL },
    { "preCrop", KIND_BOOLEAN, 0, AT(pre_crop), 0, 0, NULL },
    { "sigma", KIND_NUMBERS, 1, AT(sigma), 0, 1e6, NULL },
    { "start_level", KIND_INTEGER, 0, AT(start_level), 0, 32, NULL },
    { "level", KIND_INTEGER, 0, AT(level), 1, 32, NULL },
    { "wavelet", KIND_WAVELET, 0, AT(wavelet), 0, 0, NULL },
    { "gradientUseSpacing", KIND_BOOLEAN, 0, AT(gradient_use_spacing), 0, 0, NULL },
    { "lbp2DRadius", KIND_NUMBER, 1, AT(lbp2d_radius), 0, 1e4, NULL },
    { "lbp2DSamples", KIND_INTEGER, 0, AT(lbp2d_samples), 1, 1024, NULL },
    { "lbp2DMethod", KIND_WORD, 0, AT(lbp2d_method), 0, 0, methods },
    { "lbp3DLevels", KIND_INTEGER, 0, AT(lbp3d_levels), 1, 64, NULL },
    { "lbp3DIcosphereRadius", KIND_NUMBER, 1, AT(lbp3d_icosphere_radius), 0, 1e4, NULL },
    { "lbp3DIcosphereSubdivision", KIND_INTEGER, 0, AT(lbp3d_icosphere_subdivision), 0, 8, NULL },
    { "voxelArrayShift", KIND_FILL, 0, AT(voxel_array_shift), -INTS, INTS, NULL },
    { "symmetricalGLCM", KIND_BOOLEAN, 0, AT(symmetrical_glcm), 0, 0, NULL },
    { "weightingNorm", KIND_NORM, 0, AT(weighting_norm), 0, 0, norms },
    { "gldm_a", KIND_NUMBER, 0, AT(gldm_a), 0, INTS, NULL },
};

static const setting voxel[] = {
    { "kernelRadius", KIND_INTEGER, 0, AT(kernel_radius), 1, 1024, NULL },
    { "maskedKernel", KIND_BOOLEAN, 0, AT(masked_kernel), 0, 0, NULL },
    { "initValue", KIND_FILL, 0, AT(init_value), -BIG, BIG, NULL },
    { "voxelBatch", KIND_INTEGER, 0, AT(voxel_batch), 1, INTS, NULL },
};
/* clang-format on */

enum { GENERAL_COUNT = sizeof general / sizeof general[0], VOXEL_COUNT = sizeof voxel / sizeof voxel[0] };

void ren__radiomics_settings_default(int32_t mode, ren__radiomics_settings *settings) {
    *settings = (ren__radiomics_settings){
        .mode = mode,
        .label = 1,
        .minimum_dimensions = 2,
        .additional_info = 1,
        .normalize_scale = 1,
        .interpolator = REN__INTERPOLATE_BSPLINE,
        .pad_distance = 5,
        .bin_width = 25,
        .distances = { 1, { 1 } },
        .symmetrical_glcm = 1,
        .wavelet = "coif1",
        .level = 1,
        .gradient_use_spacing = 1,
        .lbp2d_radius = 1,
        .lbp2d_samples = 8,
        .lbp2d_method = "uniform",
        .lbp3d_levels = 2,
        .lbp3d_icosphere_radius = 1,
        .lbp3d_icosphere_subdivision = 1,
        .kernel_radius = 1,
        .masked_kernel = 1,
    };
    ren__ibsi_settings_default(&settings->ibsi);
}

void ren__radiomics_setting_names(int of_voxel, const char *names[REN__SETTINGS_MAX]) {
    const setting *table = of_voxel ? voxel : general;
    const int count = of_voxel ? VOXEL_COUNT : GENERAL_COUNT;

    for (int i = 0; i < count; i++)
        names[i] = table[i].name;
    names[count] = NULL;
}

/* ----------------------------------------------------------------------------------------------------- reading */

static ren_status wrong(const char *name, const char *key, const char *wanted) {
    return ren__error(REN_E_FORMAT, "%s: \"%s\" must be %s", name, key, wanted);
}

/* "a number above 0", "a whole number from 1 to 3". */
static ren_status out_of_range(const char *name, const setting *s, int whole) {
    char text[96];
    const char *what = whole ? "a whole number" : "a number";

    if (s->high >= 1e9)
        snprintf(text, sizeof text, "%s%s", what,
                 s->low <= -1e9 ? ""
                 : s->above     ? " above 0"
                 : s->low > 0   ? " from 1"
                                : " from 0");
    else
        snprintf(text, sizeof text, "%s %s %lld%s %lld", what, s->above ? "above" : "from", (long long)s->low,
                 s->above ? " and at most" : " to", (long long)s->high);
    return wrong(name, s->name, text);
}

/* PyRadiomics takes for a number what Python's float() does, also a string: "1e-6". */
static int number_of(const json_t *value, double *number) {
    if (json_is_number(value)) {
        *number = json_number_value(value);
        return isfinite(*number);
    }
    return json_is_string(value) && ren__parse_number(json_string_value(value), number) && isfinite(*number);
}

static int in_range(const setting *s, double number) {
    return number <= s->high && (s->above ? number > s->low : number >= s->low);
}

static ren_status read_number(const setting *s, const json_t *value, const char *name, double *out) {
    double number = 0;

    if (!number_of(value, &number) || !in_range(s, number)) return out_of_range(name, s, 0);
    *out = number;
    return REN_OK;
}

static ren_status read_integer(const setting *s, const json_t *value, const char *name, int32_t *out) {
    if (!json_is_integer(value) || !in_range(s, (double)json_integer_value(value))) return out_of_range(name, s, 1);
    *out = (int32_t)json_integer_value(value);
    return REN_OK;
}

static ren_status read_list(const setting *s, const json_t *value, const char *name, int whole, ren__doubles *out) {
    ren__doubles list = { 0, { 0 } };
    const size_t count = json_array_size(value);
    ren_status st;

    if (!json_is_array(value)) return wrong(name, s->name, whole ? "a list, as in [1, 2]" : "a list, as in [1.0, 2.5]");
    if (count > REN__LIST_MAX)
        return ren__error(REN_E_FORMAT, "%s: \"%s\" has %zu entries, at most %d are allowed", name, s->name, count,
                          REN__LIST_MAX);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(value, i);
        if (whole && !json_is_integer(item)) return wrong(name, s->name, "a list of whole numbers");
        st = read_number(s, item, name, &list.values[i]);
        if (st != REN_OK) return st;
    }
    list.count = (int32_t)count;
    *out = list;
    return REN_OK;
}

/* One number: from there up; two: from the lower to the higher. */
static ren_status read_range(const setting *s, const json_t *value, const char *name, ren__doubles *out) {
    ren_status st;
    ren__doubles list = { 0, { 0 } };

    if (!json_is_null(value)) {
        st = read_list(s, value, name, 0, &list);
        if (st != REN_OK) return st;
        if (list.count != 1 && list.count != 2) return wrong(name, s->name, "null or a list of one or two numbers");
    }
    *out = list;
    return REN_OK;
}

static ren_status read_sigma(const setting *s, const json_t *value, const char *name,
                             ren__radiomics_settings *settings) {
    const ren_status st = read_list(s, value, name, 0, &settings->sigma);

    if (st != REN_OK) return st;
    for (int32_t i = 0; i < settings->sigma.count; i++)
        settings->sigma_whole[i] = json_is_integer(json_array_get(value, (size_t)i));
    return REN_OK;
}

static ren_status read_spacing(const setting *s, const json_t *value, const char *name,
                               ren__radiomics_settings *settings) {
    ren__doubles list;
    ren_status st;

    settings->spacing_given = 0;
    memset(settings->resampled_spacing, 0, sizeof settings->resampled_spacing);
    if (json_is_null(value)) return REN_OK;
    st = read_list(s, value, name, 0, &list);
    if (st != REN_OK) return st;
    if (list.count != 3 && list.count != 2)
        return wrong(name, s->name, "null or three numbers in mm, as in [1, 1, 1], of a 2-D image two");
    memcpy(settings->resampled_spacing, list.values, (size_t)list.count * sizeof *list.values);
    settings->spacing_given = list.count;
    return REN_OK;
}

static int32_t index_of(const char *const *names, const json_t *value) {
    if (!json_is_string(value)) return -1;
    for (int32_t i = 0; names[i]; i++)
        if (strcmp(names[i], json_string_value(value)) == 0) return i;
    return -1;
}

/* One of the names, or `what else` is allowed. */
static ren_status not_one_of(const char *name, const setting *s, const char *also) {
    char list[320];
    size_t used = 0;

    for (int32_t i = 0; s->names[i] && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", s->names[i]);
    return ren__error(REN_E_FORMAT, "%s: \"%s\" must be one of %s%s", name, s->name, list, also);
}

static ren_status read_interpolator(const setting *s, const json_t *value, const char *name, int32_t *out) {
    int32_t index = index_of(s->names, value);

    if (json_is_null(value)) {
        *out = REN__INTERPOLATE_NONE;
        return REN_OK;
    }
    if (json_is_integer(value) && in_range(s, (double)json_integer_value(value)))
        index = (int32_t)json_integer_value(value) - 1; /* SimpleITK's own numbers */
    if (index < 0) return not_one_of(name, s, ", or a number from 1 to 10 in this order");
    *out = index;
    return REN_OK;
}

static ren_status read_norm(const setting *s, const json_t *value, const char *name, int32_t *out) {
    const int32_t index = index_of(s->names, value);

    if (!json_is_null(value) && index < 0) return not_one_of(name, s, ", or null");
    *out = json_is_null(value) ? REN__NORM_NONE : index + REN__NORM_NO_WEIGHTING;
    return REN_OK;
}

/* PyWavelets' discrete families: name, lowest and highest order. */
static int is_wavelet(const char *name) {
    static const struct {
        const char *family;
        int low, high;
    } families[] = { { "db", 1, 38 }, { "sym", 2, 20 }, { "coif", 1, 17 } };
    static const char *const splines[] = { "1.1", "1.3", "1.5", "2.2", "2.4", "2.6", "2.8", "3.1",
                                           "3.3", "3.5", "3.7", "3.9", "4.4", "5.5", "6.8", NULL };
    char text[16];

    if (strcmp(name, "haar") == 0 || strcmp(name, "dmey") == 0) return 1;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        for (int order = families[i].low; order <= families[i].high; order++) {
            snprintf(text, sizeof text, "%s%d", families[i].family, order);
            if (strcmp(name, text) == 0) return 1;
        }
    if (strncmp(name, "bior", 4) != 0 && strncmp(name, "rbio", 4) != 0) return 0;
    for (size_t i = 0; splines[i]; i++)
        if (strcmp(name + 4, splines[i]) == 0) return 1;
    return 0;
}

static ren_status read_wavelet(const setting *s, const json_t *value, const char *name, char *out) {
    char quoted[REN__QUOTE_SIZE];

    if (!json_is_string(value)) return wrong(name, s->name, "the name of a wavelet, as in \"coif1\"");
    if (!is_wavelet(json_string_value(value)))
        return ren__error(REN_E_FORMAT,
                          "%s: \"%s\" is \"%s\", must be a discrete wavelet of PyWavelets: haar, db1 to db38, sym2 to "
                          "sym20, coif1 to coif17, bior and rbio 1.1 to 6.8, dmey",
                          name, s->name, ren__quote(json_string_value(value), quoted, sizeof quoted));
    snprintf(out, sizeof((ren__radiomics_settings *)0)->wavelet, "%s", json_string_value(value));
    return REN_OK;
}

static ren_status read_word(const setting *s, const json_t *value, const char *name, char *out) {
    const int32_t index = index_of(s->names, value);

    if (index < 0) return not_one_of(name, s, "");
    snprintf(out, sizeof((ren__radiomics_settings *)0)->lbp2d_method, "%s", s->names[index]);
    return REN_OK;
}

static ren_status read_fill(const setting *s, const json_t *value, const char *name, double *out) {
    const char *text = json_is_string(value) ? json_string_value(value) : "";

    if (s->low > -BIG) { /* voxelArrayShift: a whole number */
        if (!json_is_integer(value)) return out_of_range(name, s, 1);
    } else if (strcmp(text, "nan") == 0 || strcmp(text, "NaN") == 0) {
        *out = NAN;
        return REN_OK;
    }
    return read_number(s, value, name, out);
}

static ren_status read_choice(const setting *s, const json_t *value, const char *name, int32_t *out) {
    const int32_t index = index_of(s->names, value);

    if (index < 0) return not_one_of(name, s, "");
    *out = index;
    return REN_OK;
}

static ren_status read_boolean(const setting *s, const json_t *value, const char *name, int32_t *out) {
    if (!json_is_boolean(value) && !json_is_null(value)) return wrong(name, s->name, "true or false");
    *out = json_is_true(value); /* null is false, as Python takes None */
    return REN_OK;
}

static ren_status read_value(const setting *s, const json_t *value, const char *name,
                             ren__radiomics_settings *settings) {
    void *field = (char *)settings + s->offset;
    int32_t *integer = field;
    double *number = field;

    switch (s->kind) {
    case KIND_BOOLEAN:
        return read_boolean(s, value, name, integer);
    case KIND_COUNT:
        if (json_is_null(value)) return *integer = 0, REN_OK;
        return read_integer(s, value, name, integer);
    case KIND_INTEGER:
        return read_integer(s, value, name, integer);
    case KIND_OPTIONAL:
        if (json_is_null(value)) return *number = 0, REN_OK;
        return read_number(s, value, name, number);
    case KIND_NUMBER:
        return read_number(s, value, name, number);
    case KIND_FILL:
        return read_fill(s, value, name, number);
    case KIND_NUMBERS:
        return read_sigma(s, value, name, settings);
    case KIND_WHOLES:
        if (json_is_array(value) && json_array_size(value) == 0)
            return wrong(name, s->name, "a list of at least one whole number");
        return read_list(s, value, name, 1, field);
    case KIND_RANGE:
        return read_range(s, value, name, field);
    case KIND_SPACING:
        return read_spacing(s, value, name, settings);
    case KIND_CHOICE:
        return read_choice(s, value, name, integer);
    case KIND_WORD:
        return read_word(s, value, name, field);
    case KIND_WAVELET:
        return read_wavelet(s, value, name, field);
    case KIND_INTERPOLATOR:
        return read_interpolator(s, value, name, integer);
    default:
        return read_norm(s, value, name, integer);
    }
}

static const setting *find(const char *key) {
    for (int i = 0; i < GENERAL_COUNT; i++)
        if (strcmp(general[i].name, key) == 0) return &general[i];
    for (int i = 0; i < VOXEL_COUNT; i++)
        if (strcmp(voxel[i].name, key) == 0) return &voxel[i];
    return NULL;
}

ren_status ren__radiomics_setting_read(const char *key, const json_t *value, const char *name,
                                       ren__radiomics_settings *settings) {
    const setting *s = find(key);
    ren__radiomics_settings read = *settings;
    char quoted[REN__QUOTE_SIZE];
    ren_status st;

    if (!s)
        return ren__error(REN_E_FORMAT, "%s: there is no setting \"%s\"", name, ren__quote(key, quoted, sizeof quoted));
    st = read_value(s, value, name, &read);
    if (st != REN_OK) return st;
    read.resample = read.spacing_given && read.interpolator != REN__INTERPOLATE_NONE;
    *settings = read;
    return REN_OK;
}

/* ----------------------------------------------------------------------------------------------------- writing */

static json_t *number_json(double value) {
    if (isnan(value)) return json_string("nan");
    if (value == floor(value) && fabs(value) <= INTS) return json_integer((json_int_t)value);
    return json_real(value);
}

static json_t *list_json(const double *values, int32_t count, const uint8_t *whole) {
    json_t *list = json_array();

    for (int32_t i = 0; list && i < count; i++)
        if (json_array_append_new(list, whole && !whole[i] ? json_real(values[i]) : number_json(values[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *value_json(const setting *s, const ren__radiomics_settings *settings) {
    const void *field = (const char *)settings + s->offset;
    const int32_t integer = s->kind == KIND_WORD || s->kind == KIND_WAVELET ? 0 : *(const int32_t *)field;
    const ren__doubles *list = field;

    switch (s->kind) {
    case KIND_BOOLEAN:
        return json_boolean(integer);
    case KIND_COUNT:
        return integer ? json_integer(integer) : json_null();
    case KIND_INTEGER:
        return json_integer(integer);
    case KIND_OPTIONAL:
        return *(const double *)field > 0 ? number_json(*(const double *)field) : json_null();
    case KIND_NUMBER:
    case KIND_FILL:
        return number_json(*(const double *)field);
    case KIND_NUMBERS:
        return list_json(list->values, list->count, settings->sigma_whole);
    case KIND_WHOLES:
        return list_json(list->values, list->count, NULL);
    case KIND_RANGE:
        return list->count ? list_json(list->values, list->count, NULL) : json_null();
    case KIND_SPACING:
        return settings->spacing_given ? list_json(settings->resampled_spacing, settings->spacing_given, NULL)
                                       : json_null();
    case KIND_CHOICE:
        return json_string(s->names[integer]);
    case KIND_WORD:
    case KIND_WAVELET:
        return json_string(field);
    case KIND_INTERPOLATOR:
        return integer == REN__INTERPOLATE_NONE ? json_null() : json_string(s->names[integer]);
    default:
        return integer == REN__NORM_NONE ? json_null() : json_string(s->names[integer - REN__NORM_NO_WEIGHTING]);
    }
}

json_t *ren__radiomics_settings_json(const ren__radiomics_settings *settings, int of_voxel) {
    const setting *table = of_voxel ? voxel : general;
    const int count = of_voxel ? VOXEL_COUNT : GENERAL_COUNT;
    json_t *object = json_object();

    for (int i = 0; object && i < count; i++) {
        if (table[i].offset == AT(voxel_batch) && settings->voxel_batch == 0) continue; /* not given */
        if (json_object_set_new(object, table[i].name, value_json(&table[i], settings)) == 0) continue;
        json_decref(object);
        return NULL;
    }
    return object;
}
