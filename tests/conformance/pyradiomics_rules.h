/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How closely a value has to agree with what PyRadiomics gave, and the whole list of exceptions: the one that
 * docs/radiomics-conformance.md prints.
 */
#ifndef REN_TESTS_PYRADIOMICS_RULES_H
#define REN_TESTS_PYRADIOMICS_RULES_H

#include <fnmatch.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* 1e-6, derived images 1e-4; where PyRadiomics itself moves when its sums are reordered, ten times as far. */
static const double relative_bound = 1e-6, filter_bound = 1e-4, absolute_bound = 1e-9, noise_factor = 10.0;

enum {
    RULE_DIFFERS = 1, /* a value, a text or what a map holds need not agree */
    RULE_ABSENT,      /* a column of PyRadiomics that we do not give */
    RULE_FURTHER,     /* a column that PyRadiomics does not give */
    RULE_ANSWERS,     /* PyRadiomics raises an exception, we give values */
    RULE_REFUSES      /* PyRadiomics gives values, we refuse */
};

typedef struct exception {
    int rule;
    const char *where; /* pattern of "group/case" */
    const char *what;  /* pattern of the column; "*" where the whole case is meant */
    const char *reason;
} exception;

static const char *const rule_names[] = { NULL, "differs", "not given", "given beside", "answers", "refuses" };

/* The label "1+2", which PyRadiomics does not know. */
#define MERGED     "*/@(merged_*|left|right)"
#define DEPRECATED "PyRadiomics logs a deprecation and gives no column; here it is computed where it is named"

static const exception exceptions[] = {
    { RULE_DIFFERS, "*", "diagnostics_Versions_*", "our own version, and none of the libraries that we do without" },
    { RULE_DIFFERS, MERGED, "diagnostics_Mask-original_Hash",
      "PyRadiomics was given the merged mask; here the label map is the one that came in" },
    { RULE_DIFFERS, MERGED, "diagnostics_Configuration_Settings",
      "PyRadiomics was given the merged mask with label 1; here the label is \"1+2\"" },
    { RULE_FURTHER, "names/deprecated", "*_glcm_SumVariance", DEPRECATED },
    { RULE_FURTHER, "names/deprecated", "*_glcm_Dissimilarity", DEPRECATED },
    { RULE_FURTHER, "names/deprecated", "*_glcm_Homogeneity?", DEPRECATED },
    { RULE_FURTHER, "names/deprecated", "*_gldm_*Percentage", DEPRECATED },
    { RULE_FURTHER, "names/deprecated", "*_gldm_GrayLevelNonUniformityNormalized", DEPRECATED },
    { RULE_DIFFERS, "voxel/*", "*_glcm_Dissimilarity",
      "PyRadiomics gives a map full of initValue; here it is computed" },
    { RULE_FURTHER, "flat2d/@(plate|line|holed)*_[012]", "*_shape2D_*",
      "PyRadiomics' test of the thickness looks at another axis and leaves the class out; here the region is measured, "
      "or the class is NaN where it is thicker than one voxel" },
    { RULE_ANSWERS, "flat2d/@(plate|holed|chess)_*[012]", "*",
      "the same test ends PyRadiomics' whole extraction; here shape2D alone is NaN where the region is thicker" },
    { RULE_ANSWERS, "filters/lbp3D_fine", "*",
      "with lbp3DLevels 1 PyRadiomics' own arrays lack a dimension (IndexError, always); the one level is well "
      "defined" },
    { RULE_ANSWERS, "cli/batch/4", "*", "PyRadiomics fails on an empty cell Label; here it means the default label" },
};
enum { EXCEPTIONS = sizeof exceptions / sizeof *exceptions };

static int64_t exception_uses[EXCEPTIONS];

/* Not 0 where an exception says so; it is counted then. */
static int excepted(int rule, const char *where, const char *what) {
    for (int i = 0; i < EXCEPTIONS; i++) {
        if (exceptions[i].rule != rule || fnmatch(exceptions[i].where, where, FNM_EXTMATCH) != 0 ||
            fnmatch(exceptions[i].what, what, FNM_EXTMATCH) != 0)
            continue;
        exception_uses[i]++;
        return 1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------------- sums */

enum { TALLY_NAME = 64, TALLIES_MAX = 128, TALLY_WHERE = 192 };

typedef struct tally {
    char name[TALLY_NAME];
    int64_t cases, values, equal; /* equal: to the last bit */
    int64_t within_noise;
    double worst; /* relative, of what is held to the rule */
    char where[TALLY_WHERE];
} tally;

typedef struct tallies {
    int32_t count;
    tally list[TALLIES_MAX];
} tallies;

static tallies groups, families;

static tally *tally_of(tallies *all, const char *name) {
    for (int32_t i = 0; i < all->count; i++)
        if (strcmp(all->list[i].name, name) == 0) return &all->list[i];
    if (all->count < TALLIES_MAX) all->count++;
    tally *last = &all->list[all->count - 1];
    snprintf(last->name, sizeof last->name, "%s", name);
    return last;
}

static void tally_add(tally *to, const char *where, const char *what, double value, double recorded, int within_noise) {
    const double difference = fabs(value - recorded);

    to->values++;
    to->equal += value == recorded || (isnan(value) && isnan(recorded));
    to->within_noise += within_noise;
    if (within_noise || !(difference > absolute_bound)) return;
    const double relative = recorded == 0 ? INFINITY : difference / fabs(recorded);
    if (!(relative > to->worst)) return;
    to->worst = relative;
    snprintf(to->where, sizeof to->where, "%s %s", where, what);
}

/* "glcm" of "original_glcm_Contrast", "wavelet" of "wavelet-LLH_glcm_Contrast": what a line of the document sums. */
static const char *family_of(const char *column, char name[TALLY_NAME]) {
    const char *from = strncmp(column, "original_", 9) == 0 ? column + 9 : column;

    snprintf(name, TALLY_NAME, "%.*s", (int)strcspn(from, from == column ? "_-" : "_"), from);
    return name;
}

/* ------------------------------------------------------------------------------------------------------- values */

static int is_derived(const char *column) {
    return strncmp(column, "original_", 9) != 0 && strncmp(column, "diagnostics_", 12) != 0;
}

/* A recorded number: JSON's, or the texts nan, inf and -inf. 0: it is none. */
static int recorded_number(const json_t *value, double *out) {
    const char *text = json_string_value(value);

    if (json_is_number(value))
        *out = json_number_value(value);
    else if (text && strcmp(text, "nan") == 0)
        *out = NAN;
    else if (text && (strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0))
        *out = text[0] == '-' ? -INFINITY : INFINITY;
    else
        return 0;
    return 1;
}

/* `noise`: noise.json's object of the case, or NULL. */
static int agrees(const char *where, const char *column, double value, double recorded, const json_t *noise) {
    const json_t *moves = json_object_get(noise, column);
    const double bound = is_derived(column) ? filter_bound : relative_bound;
    char family[TALLY_NAME], group[TALLY_NAME];
    int good = (isnan(value) && isnan(recorded)) || value == recorded, noisy = 0;

    if (!good) good = fabs(value - recorded) <= fmax(bound * fabs(recorded), absolute_bound);
    if (!good && moves)
        noisy = json_is_string(moves) ||
                fabs(value - recorded) <= noise_factor * json_number_value(moves) * fmax(fabs(value), fabs(recorded));
    if (!good && !noisy && excepted(RULE_DIFFERS, where, column)) return 1;
    snprintf(group, sizeof group, "%.*s", (int)(strrchr(where, '/') - where), where);
    tally_add(tally_of(&groups, group), where, column, value, recorded, noisy);
    tally_add(tally_of(&families, family_of(column, family)), where, column, value, recorded, noisy);
    return good || noisy;
}

#endif
