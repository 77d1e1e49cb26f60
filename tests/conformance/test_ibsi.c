/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IBSI chapter 1: every reference value of the digital phantom (in data/ibsi) and, where REN_SHARED names the folder of
 * shared data, of configurations A to E on the CT phantom. The table in docs/radiomics-conformance.md must say what is
 * found here; with REN_RECORD set it is written instead.
 */
#include <math.h>
#include <stdlib.h>

#include "radiomics/extractor.h"
#include "radiomics/ibsi.h"
#include "radiomics/pixels.h"
#include "volume/geometry.h"

#include "unit/harness.h"

enum { COLUMNS = 6, ROWS_MAX = 640, NAME_SIZE = 64, CELL_SIZE = 96 };

static const char document[] = "docs/radiomics-conformance.md";
static const char table_begin[] = "<!-- ibsi table: written by tests/conformance/test_ibsi.c -->\n";
static const char table_end[] = "<!-- ibsi table: end -->\n";

/* ---------------------------------------------------------------------------------------------------- the columns */

typedef struct column {
    const char *title, *params, *reference, *image, *mask;
    int shared; /* the files are in REN_SHARED */
    const char *aggregations[7];
} column;

#define CT_FILES "data/ibsi/ct_phantom.nii.gz", "data/ibsi/ct_mask.nii.gz", 1
#define SLICES                                                                                                         \
    { "2D_avg", "2D_comb", "2_5D_avg", "2_5D_comb", NULL }
#define VOLUMES                                                                                                        \
    { "3D_avg", "3D_comb", NULL }

static const column columns[COLUMNS] = {
    { "phantom",
      "share/ibsi/digital_phantom.yaml",
      "tests/conformance/data/ibsi/ibsi_1_dig_phantom.csv",
      "tests/conformance/data/ibsi/dig_phantom.nii.gz",
      "tests/conformance/data/ibsi/dig_mask.nii.gz",
      0,
      { "2D_avg", "2D_comb", "2_5D_avg", "2_5D_comb", "3D_avg", "3D_comb", NULL } },
    { "A", "share/ibsi/config_a.yaml", "data/ibsi/ibsi_1_chest_config_a.csv", CT_FILES, SLICES },
    { "B", "share/ibsi/config_b.yaml", "data/ibsi/ibsi_1_chest_config_b.csv", CT_FILES, SLICES },
    { "C", "share/ibsi/config_c.yaml", "data/ibsi/ibsi_1_chest_config_c.csv", CT_FILES, VOLUMES },
    { "D", "share/ibsi/config_d.yaml", "data/ibsi/ibsi_1_chest_config_d.csv", CT_FILES, VOLUMES },
    { "E", "share/ibsi/config_e.yaml", "data/ibsi/ibsi_1_chest_config_e.csv", CT_FILES, VOLUMES },
};

/* ------------------------------------------------------------------------------------------------------- the table */

typedef struct row {
    char tag[NAME_SIZE];
    char cell[COLUMNS][CELL_SIZE]; /* "": IBSI's table has no such row */
} row;

typedef struct table {
    int32_t count, passed[COLUMNS], failed[COLUMNS], uncovered[COLUMNS];
    int filled[COLUMNS];
    row rows[ROWS_MAX];
} table;

static row *row_of(table *t, const char *tag) {
    for (int32_t i = 0; i < t->count; i++)
        if (strcmp(t->rows[i].tag, tag) == 0) return &t->rows[i];
    if (t->count == ROWS_MAX) return NULL;
    snprintf(t->rows[t->count].tag, NAME_SIZE, "%s", tag);
    return &t->rows[t->count++];
}

/* What was computed for one column, by IBSI's names. */
typedef struct values {
    int32_t count;
    char tag[ROWS_MAX][NAME_SIZE];
    double value[ROWS_MAX];
} values;

static void put(values *v, const char *tag, double value) {
    for (int32_t i = 0; i < v->count; i++)
        if (strcmp(v->tag[i], tag) == 0) return;
    if (v->count == ROWS_MAX) return;
    snprintf(v->tag[v->count], NAME_SIZE, "%s", tag);
    v->value[v->count++] = value;
}

static const double *find(const values *v, const char *tag) {
    for (int32_t i = 0; i < v->count; i++)
        if (strcmp(v->tag[i], tag) == 0) return &v->value[i];
    return NULL;
}

static double three_digits(double value) {
    char text[64];

    snprintf(text, sizeof text, "%.2e", value);
    return strtod(text, NULL);
}

/* IBSI's rule; a hair more, because decimal numbers are not exact in binary. Some of its counts are written out with
 * more than three digits: these are compared as they are. */
static int agrees(double value, double reference, double tolerance) {
    const double own = three_digits(reference) == reference ? three_digits(value) : value;

    return fabs(own - reference) <= tolerance + 1e-9 * fabs(reference);
}

static void judge(table *t, int column_index, row *r, const char *reference, const char *tolerance, const double *own) {
    char *cell = r->cell[column_index];
    double wanted = 0, allowed = 0;

    if (!ren__parse_number(reference, &wanted) || !ren__parse_number(tolerance, &allowed)) {
        snprintf(cell, CELL_SIZE, own ? "no reference (%.3g)" : "no reference", own ? *own : 0);
    } else if (!own) {
        t->uncovered[column_index]++;
        snprintf(cell, CELL_SIZE, "not covered");
    } else if (agrees(*own, wanted, allowed)) {
        t->passed[column_index]++;
        snprintf(cell, CELL_SIZE, fabs(wanted) == three_digits(fabs(wanted)) ? "pass %.3g" : "pass %.6g", *own);
    } else {
        t->failed[column_index]++;
        snprintf(cell, CELL_SIZE, "**differs** %.4g, not %s +- %s", *own, reference, tolerance);
    }
}

/* Lines "value;tolerance;tag" after a heading. */
static ren_status compare(ren_context *context, table *t, int column_index, const char *path, const values *v) {
    ren_status st = REN_OK;
    char *text = NULL, *rest, *line;
    size_t size = 0;

    REN_TRY(ren__file_read(context, path, 1 << 20, &text, &size));
    rest = text;
    for (int number = 0; (line = strsep(&rest, "\r\n"));) {
        const char *reference = strsep(&line, ";"), *tolerance = line ? strsep(&line, ";") : NULL;
        row *r;
        if (!line || number++ == 0) continue;
        CHECK((r = row_of(t, line)) != NULL);
        judge(t, column_index, r, reference, tolerance, find(v, line));
    }
    t->filled[column_index] = 1;
out:
    ren__free(text);
    return st;
}

/* ------------------------------------------------------------------------------------------------------- features */

static ren_status extract(ren_radiomics *radiomics, const column *c, const ren_volume *image, const ren_volume *mask,
                          values *v) {
    ren_status st = REN_OK;
    ren_features *features = NULL;

    for (int a = 0; c->aggregations[a]; a++) {
        char quoted[32];
        snprintf(quoted, sizeof quoted, "\"%s\"", c->aggregations[a]);
        REN_TRY(ren_radiomics_set(radiomics, "aggregation", quoted));
        REN_TRY(ren_radiomics_extract(radiomics, image, mask, NULL, 0, NULL, &features));
        if (ren_features_row_error(features, 0)) {
            st = test_fail(__FILE__, __LINE__, "%s: %s", c->params, ren_features_row_error(features, 0));
            goto out;
        }
        for (int32_t i = 0; i < ren_features_count(features); i++) {
            const char *name = ren_features_name(features, i);
            CHECK(strncmp(name, "ibsi_", 5) == 0);
            put(v, name + 5, ren_features_value(features, 0, i));
        }
        ren_features_free(features);
        features = NULL;
    }
out:
    ren_features_free(features);
    return st;
}

/* ---------------------------------------------------------------------------------------------------- diagnostics */

static void put_axes(values *v, const char *what, const char *stage, const int64_t shape[3]) {
    char tag[NAME_SIZE];

    for (int a = 0; a < 3; a++) {
        snprintf(tag, sizeof tag, "%s_%c_%s", what, "xyz"[a], stage);
        put(v, tag, (double)shape[a]);
    }
}

/* Mean, lowest and highest value of a region, or of the whole image where it is NULL. */
static ren_status put_intensities(ren_context *context, values *v, const char *what, const char *stage,
                                  const ren_volume *image, const ren__roi *roi) {
    static const int64_t origin[3] = { 0, 0, 0 };
    const int64_t *begin = roi ? roi->begin : origin, *shape = roi ? roi->shape : image->shape;
    const int64_t voxels = shape[0] * shape[1] * shape[2];
    double *grey = NULL, sum = 0, low = INFINITY, high = -INFINITY;
    ren_status st = REN_OK;
    int64_t count = 0;
    char tag[NAME_SIZE];

    REN_CALLOC(grey, (size_t)voxels);
    REN_TRY(ren__pixels_read(image, begin, shape, NULL, grey));
    for (int64_t i = 0; i < voxels; i++) {
        if (roi && !roi->inside[i]) continue;
        sum += grey[i];
        low = fmin(low, grey[i]);
        high = fmax(high, grey[i]);
        count++;
    }
    snprintf(tag, sizeof tag, "%smean_int_%s", what, stage);
    put(v, tag, sum / (double)count);
    snprintf(tag, sizeof tag, "%smin_int_%s", what, stage);
    put(v, tag, low);
    snprintf(tag, sizeof tag, "%smax_int_%s", what, stage);
    put(v, tag, high);
out:
    ren__free(grey);
    return st;
}

static ren_status put_image(ren_context *context, values *v, const char *stage, const ren_volume *image) {
    double spacing[3];
    char tag[NAME_SIZE];

    put_axes(v, "img_dim", stage, image->shape);
    ren__affine_spacing(image->affine, spacing);
    for (int a = 0; a < 3; a++) {
        snprintf(tag, sizeof tag, "vox_dim_%c_%s", "xyz"[a], stage);
        put(v, tag, spacing[a]);
    }
    return put_intensities(context, v, "", stage, image, NULL);
}

static ren_status put_region(ren_context *context, values *v, const char *stage, const ren_volume *image,
                             const ren__roi *intensity, const ren__roi *morphological) {
    char tag[NAME_SIZE];

    put_axes(v, "int_mask_dim", stage, image->shape);
    put_axes(v, "int_mask_bb_dim", stage, intensity->shape);
    put_axes(v, "morph_mask_bb_dim", stage, morphological->shape);
    snprintf(tag, sizeof tag, "int_mask_vox_count_%s", stage);
    put(v, tag, (double)intensity->count);
    snprintf(tag, sizeof tag, "morph_mask_vox_count_%s", stage);
    put(v, tag, (double)morphological->count);
    return put_intensities(context, v, "int_mask_", stage, image, intensity);
}

/* Image and masks as they come in, after interpolation (of the whole image: a margin wider than it) and after
 * resegmentation. */
static ren_status diagnose(ren_context *context, ren_radiomics *radiomics, const ren_volume *image,
                           const ren_volume *mask, values *v) {
    static const int32_t one = 1;
    const ren__label_set set = { "1", &one, 1 };
    ren_status st = REN_OK;
    ren__case *subject = NULL;
    ren__prepared p = { 0 };
    ren__run run;

    st = ren__run_begin(&run, context, NULL);
    if (st == REN_OK) st = ren_radiomics_set(radiomics, "padDistance", "1000");
    if (st == REN_OK) st = ren__case_create(image, mask, &set, 1, &radiomics->params.settings, &run, &subject);
    if (st == REN_OK) st = ren__case_prepare(subject, 0, &run, &p);
    REN_TRY(ren__run_end(&run, st));
    const ren__roi *interpolated = p.interpolated ? &p.interpolated_roi : &p.original_roi;
    REN_TRY(put_image(context, v, "init_img", image));
    REN_TRY(put_image(context, v, "interp_img", p.image));
    REN_TRY(put_region(context, v, "init_roi", image, &p.original_roi, &p.original_roi));
    REN_TRY(put_region(context, v, "interp_roi", p.image, interpolated, interpolated));
    REN_TRY(put_region(context, v, "reseg_roi", p.image, &p.roi, &p.shape_roi));
out:
    ren__prepared_free(&p);
    ren__case_free(subject);
    return st;
}

static ren_status fill_column(ren_context *context, table *t, int index) {
    const column *c = &columns[index];
    ren_status st = REN_OK;
    ren_volume *image = NULL, *mask = NULL;
    ren_radiomics *radiomics = NULL;
    values *v = NULL;
    char reference[TEST_PATH], image_path[TEST_PATH], mask_path[TEST_PATH];

    snprintf(reference, sizeof reference, "%s", c->reference);
    snprintf(image_path, sizeof image_path, "%s", c->image);
    snprintf(mask_path, sizeof mask_path, "%s", c->mask);
    if (c->shared && (!test_shared(reference, c->reference) || !test_shared(image_path, c->image) ||
                      !test_shared(mask_path, c->mask)))
        goto out;
    REN_CALLOC(v, 1);
    REN_TRY(ren_volume_read(context, image_path, &image));
    REN_TRY(ren_volume_read(context, mask_path, &mask));
    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_IBSI, &radiomics));
    REN_TRY(ren_radiomics_load_params(radiomics, c->params));
    REN_TRY(extract(radiomics, c, image, mask, v));
    REN_TRY(diagnose(context, radiomics, image, mask, v));
    REN_TRY(compare(context, t, index, reference, v));
out:
    ren_radiomics_free(radiomics);
    ren_volume_free(image);
    ren_volume_free(mask);
    ren__free(v);
    return st;
}

/* -------------------------------------------------------------------------------------------------- the document */

static void write_table(const table *t, ren_text *text) {
    ren__text_add(text, table_begin);
    ren__text_add(text, "\n| | phantom | A | B | C | D | E |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for (int what = 0; what < 3; what++) {
        static const char *const names[] = { "**pass**", "**differs**", "**not covered**" };
        ren__text_addf(text, "| %s |", names[what]);
        for (int c = 0; c < COLUMNS; c++)
            ren__text_addf(text, " %d |", (what == 0 ? t->passed : what == 1 ? t->failed : t->uncovered)[c]);
        ren__text_add(text, "\n");
    }
    for (int32_t i = 0; i < t->count; i++) {
        ren__text_addf(text, "| `%s` |", t->rows[i].tag);
        for (int c = 0; c < COLUMNS; c++)
            ren__text_addf(text, " %s |", t->rows[i].cell[c]);
        ren__text_add(text, "\n");
    }
    ren__text_add(text, table_end);
}

/* Replaces what is between the marks. */
static ren_status record(ren_context *context, const table *t, const char *old) {
    ren_status st = REN_OK;
    ren_text *text = NULL;
    const char *begin = strstr(old, table_begin), *end = strstr(old, table_end);

    CHECK(begin && end && begin < end);
    REN_TRY(ren__text_create(context, &text));
    ren__text_add_bytes(text, old, (size_t)(begin - old));
    write_table(t, text);
    ren__text_add(text, end + strlen(table_end));
    REN_TRY(text->status);
    REN_TRY(ren__file_write(document, ren_text_data(text), text->size));
out:
    ren_text_free(text);
    return st;
}

/* The document's cell of a row: the text between the bars. */
static int says(const char *text, const row *r, int column_index) {
    char start[NAME_SIZE + 8];
    const char *at;
    int bars = column_index + 2;

    snprintf(start, sizeof start, "\n| `%s` |", r->tag);
    if (!(at = strstr(text, start))) return 0;
    for (at++; *at && *at != '\n'; at++)
        if (*at == '|' && bars-- == 0) break;
    if (*at != '|') return 0;
    while (at[-1] != '|')
        at--;
    const size_t length = strlen(r->cell[column_index]);
    return strncmp(at + 1, r->cell[column_index], length) == 0 && at[1 + length] == ' ';
}

static ren_status check_document(const table *t, const char *text) {
    ren_status st = REN_OK;

    CHECK((text = strstr(text, table_begin)) != NULL);
    for (int c = 0; c < COLUMNS; c++)
        for (int32_t i = 0; t->filled[c] && i < t->count; i++)
            if (t->rows[i].cell[c][0] && !says(text, &t->rows[i], c)) {
                st = test_fail(__FILE__, __LINE__, "%s does not say \"%s\" of %s (%s): run again with REN_RECORD=1",
                               document, t->rows[i].cell[c], t->rows[i].tag, columns[c].title);
                goto out;
            }
out:
    return st;
}

static ren_status report(ren_context *context, const table *t, int write) {
    ren_status st = REN_OK;
    char *text = NULL;
    size_t size = 0;

    for (int c = 0; c < COLUMNS; c++) {
        if (!t->filled[c]) continue;
        printf("%s: %d pass, %d differ, %d not covered\n", columns[c].title, t->passed[c], t->failed[c],
               t->uncovered[c]);
        for (int32_t i = 0; i < t->count; i++)
            if (strncmp(t->rows[i].cell[c], "**", 2) == 0) printf("    %s: %s\n", t->rows[i].tag, t->rows[i].cell[c]);
    }
    for (int c = 0; c < COLUMNS; c++)
        CHECK_INT(t->failed[c] + t->uncovered[c], 0);
    REN_TRY(ren__file_read(context, document, 4 << 20, &text, &size));
    if (write)
        REN_TRY(record(context, t, text));
    else if (!getenv("REN_RECORD"))
        REN_TRY(check_document(t, text));
out:
    ren__free(text);
    return st;
}

static ren_status test_digital_phantom(ren_context *context) {
    ren_status st = REN_OK;
    table *t = NULL;

    REN_CALLOC(t, 1);
    REN_TRY(fill_column(context, t, 0));
    CHECK_INT(t->passed[0], 482);
    REN_TRY(report(context, t, 0));
out:
    ren__free(t);
    return st;
}

static ren_status test_configurations(ren_context *context) {
    ren_status st = REN_OK;
    table *t = NULL;

    REN_CALLOC(t, 1);
    for (int c = 0; c < COLUMNS; c++) {
        REN_TRY(fill_column(context, t, c));
        if (!t->filled[c]) SKIP("no %s in REN_SHARED", columns[c].reference);
    }
    REN_TRY(report(context, t, getenv("REN_RECORD") != NULL));
out:
    ren__free(t);
    return st;
}

TEST_MAIN(CASE_ONCE(test_digital_phantom), CASE_ONCE(test_configurations))
