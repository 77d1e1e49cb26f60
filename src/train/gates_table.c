/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables that gates read, and the job that makes the one of radiomics: the features of the seven regions of every scan,
 * by the batch extraction, which goes on where it was stopped. It reads no label, so that one table serves all folds.
 */
#include "train/gates_table.h"

#include <math.h>
#include <string.h>

#include "format/csv.h"
#include "train/jobs.h"
#include "train/study_files.h"

#define CASES_FILE "cases.csv"
#define TABLE_FILE "radiomics.csv"

/* ------------------------------------------------------------------------------------------------------ tables */

ren_status ren__region_table_make(ren_context *context, const ren__columns *columns, int32_t scans, uint32_t regions,
                                  ren__region_table *out) {
    ren__region_table table = { .context = context, .scans = scans };
    const char **names = NULL;
    size_t cells;
    ren_status st = REN_OK;

    REN_TRY(ren__arena_create(context, &table.arena));
    names = ren__arena_alloc(table.arena, ((size_t)columns->count + 1) * sizeof *names);
    if (!names) REN_TRY(ren__out_of_memory());
    for (int32_t i = 0; i < columns->count; i++) {
        names[i] = ren__arena_strdup(table.arena, columns->name[i]);
        if (!names[i]) REN_TRY(ren__out_of_memory());
    }
    table.columns = (ren__columns){ names, columns->count };
    if (!ren__mul_size((size_t)scans, (size_t)columns->count, &cells))
        REN_FAIL(REN_E_LIMIT, "too many features for one table");
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        if (!(regions >> region & 1)) continue;
        REN_CALLOC(table.value[region], cells);
        REN_CALLOC(table.known[region], (size_t)scans);
        for (size_t i = 0; i < cells; i++)
            table.value[region][i] = NAN;
    }
    *out = table;
    memset(&table, 0, sizeof table);
out:
    ren__region_table_end(&table);
    return st;
}

void ren__region_table_end(ren__region_table *table) {
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        ren__free(table->value[region]);
        ren__free(table->known[region]);
    }
    ren__arena_free(table->arena);
    memset(table, 0, sizeof *table);
}

const double *ren__region_row(const ren__region_table *table, int32_t region, int32_t scan) {
    if (!table->known[region] || !table->known[region][scan]) return NULL;
    return table->value[region] + (size_t)scan * (size_t)table->columns.count;
}

void ren__region_evidence(const ren__region_table *table, int32_t scan, ren__evidence *out) {
    memset(out, 0, sizeof *out);
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        out->row[region] = ren__region_row(table, region, scan);
}

uint32_t ren__study_regions(const ren_study *study) {
    uint32_t regions = 0;

    for (int32_t i = 0; i < study->config->region_count; i++)
        regions |= 1u << study->config->region[i];
    return regions;
}

const ren__job *ren__table_job(const ren_study *study, enum ren__job_kind kind, int32_t fold, int32_t of) {
    for (int32_t i = 0; i < study->job_count; i++)
        if (study->job[i].kind == kind && study->job[i].fold == fold && study->job[i].of == of) return &study->job[i];
    return NULL;
}

/* -------------------------------------------------------------------------------------------------- the table's job */

static ren_status make_extractor(const ren_study *study, int32_t gate, ren_radiomics **out) {
    ren_radiomics *radiomics = NULL;
    ren_text *text = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren_radiomics_create(study->context, REN_RADIOMICS_PYRADIOMICS, &radiomics));
    REN_TRY(ren__json_write(study->context, study->config->gate[gate].params, 0, &text));
    REN_TRY(ren_radiomics_parse_params(radiomics, ren_text_data(text), ren_text_size(text), "json"));
    *out = radiomics;
    radiomics = NULL;
out:
    ren_text_free(text);
    ren_radiomics_free(radiomics);
    return st;
}

/* The same bytes each time: nothing is lost where they are there already. */
static ren_status write_cases(const ren_study *study, const char *path) {
    ren_text *text = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__text_create(study->context, &text));
    ren__text_add(text, "Image,Mask,patient,scan\n");
    for (int32_t i = 0; i < study->cohort->count; i++) {
        const ren__dataset_item *item = &study->cohort->item[i];
        ren__csv_add(text, item->image, 0);
        ren__csv_add(text, item->lobes, 0);
        ren__csv_add(text, item->patient, 0);
        ren__csv_add(text, item->scan, 1);
    }
    REN_TRY(text->status);
    st = ren__file_write(path, ren_text_data(text), ren_text_size(text));
out:
    ren_text_free(text);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ reading */

typedef struct reading {
    const ren_study *study;
    const char *path;
    ren__csv *table;
    int32_t patient, scan, region, error;
    int32_t *column, column_count; /* of the table: the features */
    const char **name;
} reading;

static ren_status malformed(const reading *r, size_t row, const char *what) {
    return ren__error(REN_E_FORMAT, "%s: row %zu: %s: remove the job's folder and run it again", r->path, row + 2,
                      what);
}

/* What is behind `error` and no diagnostic is a feature. */
static ren_status find_columns(reading *r) {
    ren_context *context = r->study->context;
    const int32_t count = ren__csv_columns(r->table);
    ren_status st = REN_OK;

    r->patient = ren__csv_column(r->table, "patient");
    r->scan = ren__csv_column(r->table, "scan");
    r->region = ren__csv_column(r->table, "Region");
    r->error = ren__csv_column(r->table, "error");
    if (r->patient < 0 || r->scan < 0 || r->region < 0 || r->error < 0)
        REN_FAIL(REN_E_FORMAT, "%s: is no table of radiomics", r->path);
    REN_CALLOC(r->column, (size_t)count);
    REN_CALLOC(r->name, (size_t)count);
    for (int32_t i = r->error + 1; i < count; i++) {
        const char *name = ren__csv_name(r->table, i);
        if (strncmp(name, "diagnostics_", 12) == 0) continue;
        r->name[r->column_count] = name;
        r->column[r->column_count++] = i;
    }
out:
    return st;
}

/* Rows are in the cohort's order, seven a scan. */
static ren_status check_row(const reading *r, size_t row) {
    const ren__dataset_item *item = &r->study->cohort->item[row / REN_REGION_COUNT];

    if (strcmp(ren__csv_get(r->table, row, r->patient), item->patient) != 0 ||
        strcmp(ren__csv_get(r->table, row, r->scan), item->scan) != 0 ||
        strcmp(ren__csv_get(r->table, row, r->region), ren_region_name((int32_t)(row % REN_REGION_COUNT))) != 0)
        return malformed(r, row, "is of another scan than the study's");
    return REN_OK;
}

/* To predictors a value that is not finite is a missing one. */
static ren_status read_row(const reading *r, size_t row, double *values) {
    for (int32_t i = 0; i < r->column_count; i++) {
        const char *field = ren__csv_get(r->table, row, r->column[i]);
        const char *digits = field[0] == '-' ? field + 1 : field;
        values[i] = NAN;
        if (field[0] == '\0' || strcmp(digits, "nan") == 0 || strcmp(digits, "inf") == 0) continue;
        if (!ren__parse_number(field, &values[i])) return malformed(r, row, "a feature is no number");
    }
    return REN_OK;
}

/* A region without voxels is a row with an error, as a lobe that was taken out; a scan of which nothing could be
 * extracted is refused, as every other job refuses it. */
static ren_status read_rows(const reading *r, ren__region_table *out) {
    const int32_t scans = r->study->cohort->count;
    ren_status st = REN_OK;

    if (ren__csv_rows(r->table) != (size_t)scans * REN_REGION_COUNT)
        REN_FAIL(REN_E_FORMAT, "%s: has %zu rows, the study needs %zu: remove the job's folder and run it again",
                 r->path, ren__csv_rows(r->table), (size_t)scans * REN_REGION_COUNT);
    for (int32_t scan = 0; scan < scans; scan++) {
        const size_t first = (size_t)scan * REN_REGION_COUNT;
        int32_t failed = 0;
        for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
            const size_t row = first + (size_t)region;
            REN_TRY(check_row(r, row));
            if (ren__csv_get(r->table, row, r->error)[0] != '\0') {
                failed++;
                continue;
            }
            if (!out->value[region]) continue;
            out->known[region][scan] = 1;
            REN_TRY(read_row(r, row, out->value[region] + (size_t)scan * (size_t)r->column_count));
        }
        if (failed == REN_REGION_COUNT)
            REN_FAIL(REN_E_DATA, "patient %s, scan %s: %s", r->study->cohort->item[scan].patient,
                     r->study->cohort->item[scan].scan, ren__csv_get(r->table, first, r->error));
    }
out:
    return st;
}

static ren_status read_table(const ren_study *study, const ren__job *job, uint32_t regions, ren__region_table *out) {
    reading r = { .study = study };
    ren__region_table table = { 0 };
    char *path = ren__job_path(study, job, TABLE_FILE);
    ren_status st = REN_OK;

    if (!path) return ren__out_of_memory();
    r.path = path;
    REN_TRY(ren__csv_read(study->context, path, &r.table));
    REN_TRY(find_columns(&r));
    const ren__columns columns = { r.name, r.column_count };
    REN_TRY(ren__region_table_make(study->context, &columns, study->cohort->count, regions, &table));
    REN_TRY(read_rows(&r, &table));
    *out = table;
    memset(&table, 0, sizeof table);
out:
    ren__region_table_end(&table);
    ren__free(r.name);
    ren__free(r.column);
    ren__csv_free(r.table);
    ren__free(path);
    return st;
}

ren_status ren__radiomics_table_read(const ren_study *study, int32_t gate, uint32_t regions, const char *needed_by,
                                     ren__region_table *out) {
    const ren__job *job = ren__table_job(study, REN__JOB_TABLE, -1, study->config->gate[gate].table);

    if (!ren__job_done(study, job))
        return ren__error(REN_E_STATE, "%s needs the job %s, which is not done: run it first", needed_by, job->id);
    return read_table(study, job, regions, out);
}

/* ------------------------------------------------------------------------------------------------------ running */

static ren_status store(ren_study *study, const ren__job *job, const ren__region_table *table) {
    json_t *done = NULL, *empty = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__job_heading(study, job, &done));
    REN_TRY(ren__json_set(done, "scans", json_integer(table->scans)));
    REN_TRY(ren__json_set(done, "features", json_integer(table->columns.count)));
    empty = json_object();
    REN_TRY(ren__json_set(done, "empty", empty));
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        int32_t count = 0;
        for (int32_t scan = 0; scan < table->scans; scan++)
            count += ren__region_row(table, region, scan) == NULL;
        REN_TRY(ren__json_set(empty, ren_region_name(region), json_integer(count)));
    }
    st = ren__job_store(study, job, done);
out:
    json_decref(done);
    return st;
}

ren_status ren__table_run(ren_study *study, const ren__job *job, ren__run *run) {
    const ren_radiomics_batch_options options = { .struct_size = sizeof options, .regions = 1 };
    ren_radiomics *radiomics = NULL;
    ren__region_table table = { 0 };
    char *cases = ren__job_path(study, job, CASES_FILE), *path = ren__job_path(study, job, TABLE_FILE);
    ren_status st = REN_OK;

    (void)run; /* the extraction's frame lies within */
    if (!cases || !path) {
        st = ren__out_of_memory();
        goto out;
    }
    REN_TRY(make_extractor(study, job->of, &radiomics));
    REN_TRY(write_cases(study, cases));
    REN_TRY(ren_radiomics_batch(radiomics, cases, path, &options, NULL, NULL));
    REN_TRY(read_table(study, job, (1u << REN_REGION_COUNT) - 1, &table));
    st = store(study, job, &table);
out:
    ren__region_table_end(&table);
    ren_radiomics_free(radiomics);
    ren__free(path);
    ren__free(cases);
    return st;
}
